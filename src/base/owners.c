// SPDX-License-Identifier: Apache-2.0
#include "base/owners.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"

/* "name:x:id:…"; ends the name with a NUL. False: no such line. */
static bool read_line(char *line, struct owner *ret)
{
	char *password = strchr(line, ':'), *id = password ? strchr(password + 1, ':') : NULL;
	uint64_t number = 0;
	const char *digit;

	/* passwd(5): + and - are orders to a directory service */
	if (!id || id[1] == ':' || *line == ':' || *line == '+' || *line == '-')
		return false;
	for (digit = id + 1; *digit && *digit != ':'; digit++) { /* never octal, as in 0014 */
		number = number * 10 + (uint64_t)(*digit - '0');
		if (*digit < '0' || *digit > '9' || number > UINT32_MAX)
			return false;
	}
	*password = '\0';
	*ret = (struct owner){(uint32_t)number, line};
	return digit > id + 1;
}

static int by_id(const void *a, const void *b)
{
	const struct owner *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name; /* where it stands in the file */
}

void owners_read(struct owners *ret, const char *path)
{
	struct buf file;
	struct owner o;
	char *rest;

	*ret = (struct owners){0};
	buf_init(&file, MAX_OWNERS_BYTES);
	if (buf_read_file(&file, AT_FDCWD, path)) {
		buf_done(&file);
		return;
	}
	buf_cstr(&file);
	rest = ret->text = take(file.data);
	for (char *line; (line = strsep(&rest, "\n"));)
		if (read_line(line, &o))
			*grow(&ret->items, &ret->n, &ret->room) = o;
	qsort(ret->items, ret->n, sizeof(*ret->items), by_id);
}

void owners_done(struct owners *o)
{
	free(o->items);
	free(o->text);
	*o = (struct owners){0};
}

const char *owners_name(const struct owners *o, uint32_t id)
{
	size_t low = 0, high = o->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (o->items[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < o->n && o->items[low].id == id ? o->items[low].name : NULL;
}

int owners_id(const struct owners *o, const char *name, uint32_t *ret)
{
	const struct owner *first = NULL;

	for (size_t i = 0; i < o->n; i++)
		if (!strcmp(o->items[i].name, name) && (!first || o->items[i].name < first->name))
			first = &o->items[i];
	if (!first)
		return -EINVAL;
	*ret = first->id;
	return 0;
}
