// SPDX-License-Identifier: Apache-2.0
#include "base/owners.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

/* ---- files ---------------------------------------------------------------------------------- */

/* "name:x:id:…" up to `end`. False: no such line. *ret_len: of the name, with which it begins. */
static bool read_line(const char *line, const char *end, uint32_t *ret_id, size_t *ret_len)
{
	const char *password = memchr(line, ':', (size_t)(end - line)), *digit;
	const char *id = password ? memchr(password + 1, ':', (size_t)(end - password - 1)) : NULL;
	uint64_t number = 0;

	/* passwd(5): + and - are orders to a directory service */
	if (!id || password == line || *line == '+' || *line == '-')
		return false;
	for (digit = ++id; digit < end && *digit != ':'; digit++) { /* never octal, as in 0014 */
		number = number * 10 + (uint64_t)(*digit - '0');
		if (*digit < '0' || *digit > '9' || number > UINT32_MAX)
			return false;
	}
	*ret_id = (uint32_t)number;
	*ret_len = (size_t)(password - line);
	return digit > id && *ret_len <= MAX_OWNER_NAME_BYTES && !memchr(line, '\0', *ret_len);
}

static int by_id(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name; /* where it stands in the file */
}

static void sort(struct owners *o)
{
	if (o->n)
		qsort(o->items, o->n, sizeof(*o->items), by_id);
}

/* Appends the name; false: there is no room. */
static bool add_name(struct owners *o, const char *name, size_t len, uint32_t *ret)
{
	o->text.max = MAX_OWNERS_BYTES;
	if (!buf_reserve(&o->text, len + 1))
		return false;
	*ret = (uint32_t)o->text.len;
	buf_add(&o->text, name, len);
	buf_char(&o->text, '\0');
	return true;
}

void owners_parse(struct owners *ret, const char *text, size_t len)
{
	const char *line = text, *stop = text + len, *end;

	*ret = (struct owners){0};
	for (; line < stop && ret->n < MAX_OWNERS; line = end + 1) {
		struct owner o;
		size_t n;

		end = memchr(line, '\n', (size_t)(stop - line)) ?: stop;
		if (read_line(line, end, &o.id, &n) && add_name(ret, line, n, &o.name))
			*grow(&ret->items, &ret->n, &ret->room) = o;
	}
	sort(ret);
}

int owners_read(struct owners *ret, const char *path)
{
	_cleanup_(buf_done) struct buf text = {.max = MAX_OWNERS_BYTES};
	int r = buf_read_file(&text, AT_FDCWD, path);

	if (!r)
		owners_parse(ret, buf_cstr(&text), text.len);
	return r;
}

void owners_done(struct owners *o)
{
	free(o->items);
	buf_done(&o->text);
	*o = (struct owners){0};
}

/* ---- user namespaces ------------------------------------------------------------------------ */

/* user_namespaces(7): "inside outside count" in each line. False: the id is not in it. */
static bool id_outside(const char *map, uint32_t id, uint32_t *ret)
{
	uint64_t inside, outside, count;

	for (; map; map = strchr(map, '\n'), map = map ? map + 1 : NULL) {
		if (sscanf(map, "%" SCNu64 "%" SCNu64 "%" SCNu64, &inside, &outside, &count) != 3)
			continue;
		if (id < inside || id - inside >= count)
			continue;
		*ret = (uint32_t)(outside + (id - inside));
		return true;
	}
	return false;
}

void owners_map(struct owners *o, const char *map)
{
	size_t n = 0;

	for (size_t i = 0; i < o->n; i++) {
		struct owner to = o->items[i];

		if (id_outside(map, to.id, &to.id))
			o->items[n++] = to;
	}
	o->n = n;
	sort(o);
}

/* ---- names ---------------------------------------------------------------------------------- */

/* The place of the id among the items, or where it would be. */
static size_t find(const struct owners *o, uint32_t id)
{
	size_t low = 0, high = o->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (o->items[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *owners_name(const struct owners *o, uint32_t id)
{
	size_t at = find(o, id);

	return at < o->n && o->items[at].id == id ? o->text.data + o->items[at].name : NULL;
}

int owners_id(const struct owners *o, const char *name, uint32_t *ret)
{
	const struct owner *first = NULL;

	for (size_t i = 0; i < o->n; i++)
		if (!strcmp(o->text.data + o->items[i].name, name) &&
		    (!first || o->items[i].name < first->name))
			first = &o->items[i];
	if (!first)
		return -EINVAL;
	*ret = first->id;
	return 0;
}

static uint64_t versions; /* given so far */

void owner_names_set(struct owner_names *n, struct owners *o, uint32_t id, const char *name,
		     size_t len)
{
	size_t at = find(o, id);
	bool is_new = at == o->n || o->items[at].id != id;
	uint32_t place;

	if ((is_new && o->n >= MAX_OWNERS) || len > MAX_OWNER_NAME_BYTES ||
	    !add_name(o, name, len, &place))
		return;
	if (is_new) {
		grow(&o->items, &o->n, &o->room);
		memmove(&o->items[at + 1], &o->items[at], (o->n - 1 - at) * sizeof(*o->items));
	}
	o->items[at] = (struct owner){id, place};
	n->version = ++versions;
}

struct owner_names *owner_names_new(void)
{
	struct owner_names *n = xnew(struct owner_names);

	n->refs = 1;
	n->version = ++versions;
	return n;
}

struct owner_names *owner_names_ref(struct owner_names *n)
{
	if (n)
		n->refs++;
	return n;
}

struct owner_names *owner_names_unref(struct owner_names *n)
{
	if (!n || --n->refs)
		return NULL;
	owners_done(&n->users);
	owners_done(&n->groups);
	free(n);
	return NULL;
}
