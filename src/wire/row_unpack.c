// SPDX-License-Identifier: Apache-2.0
/* Rows out of GadgetData and GadgetDataArray. Whatever they say may be hostile. */
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/labels.h"
#include "columns/types.h"
#include "containers/container_json.h"
#include "wire/decoder.h"
#include "wire/pb.h"

/* ---- containers ---------------------------------------------------------------------------- */

/* "app=web,tier=front" */
static void read_labels(struct wire_slice value, struct labels *ret)
{
	_cleanup_(freep) char *text = xstrndup((const char *)value.bytes, value.len);
	char *rest = text, *word;

	while (ret->n < CONTAINER_MAX_LABELS && (word = strsep(&rest, ","))) {
		char *equals = strchr(word, '=');

		if (!equals)
			continue;
		*equals = '\0';
		*grow(&ret->items, &ret->n, &ret->room) =
			(struct label){xstrdup(word), xstrdup(equals + 1)};
	}
}

static void set_member(struct container *c, const struct wire_place *p, struct wire_slice value,
		       bool big_endian)
{
	void *to = (char *)c + p->to_offset;
	uint64_t number = wire_number(p, value, big_endian);

	switch (p->to_kind) {
	case KIND_CSTR:
		free(*(char **)to);
		*(char **)to = value.len ? xstrndup((const char *)value.bytes, value.len) : NULL;
		return;
	case KIND_LABELS:
		labels_done(to);
		if (value.len)
			read_labels(value, to);
		return;
	case KIND_BOOL:
		*(bool *)to = number;
		return;
	default: /* struct container has no other sizes */
		if (p->to_size == sizeof(uint64_t))
			*(uint64_t *)to = number;
		else
			*(uint32_t *)to = (uint32_t)number;
	}
}

static struct container *from_members(struct wire_decoder *d, const struct decoded_source *s)
{
	struct container *c = container_new();

	for (size_t i = 0; i < s->members.n; i++) {
		const struct wire_place *p = &s->members.items[i];

		set_member(c, p, wire_fetch(d, p), s->big_endian);
	}
	if (!c->name)
		c->name = xstrdup(c->id ?: "");
	return c;
}

/* What tells containers apart: all that the row says of one. Empty: it has none. */
static void add_members(struct wire_decoder *d, const struct decoded_source *s)
{
	bool any = false;

	for (size_t i = 0; i < s->members.n; i++) {
		struct wire_slice value = wire_fetch(d, &s->members.items[i]);
		uint32_t len = (uint32_t)value.len;

		for (size_t j = 0; j < value.len && !any; j++)
			any = value.bytes[j];
		buf_add(&d->key, &len, sizeof(len));
		buf_add(&d->key, value.bytes, value.len);
	}
	if (!any)
		buf_clear(&d->key);
}

static int from_json(const struct buf *key, struct container **ret, struct err *err)
{
	uint64_t number;
	const char *fault;

	if (key->len < sizeof(number))
		return err_set(err, -EBADMSG, "a container of %zu bytes", key->len);
	memcpy(&number, key->data, sizeof(number));
	if (container_from_json(key->data + sizeof(number), key->len - sizeof(number), ret, &fault))
		return err_set(err, -EBADMSG, "a container: %s", fault);
	(*ret)->key = number;
	return 0;
}

/* *ret: borrowed, NULL for none. */
static int find_container(struct wire_decoder *d, const struct decoded_source *s,
			  struct container **ret, struct err *err)
{
	struct container *c;

	buf_clear(&d->key);
	if (s->whole_container >= 0)
		buf_add(&d->key, d->payloads[s->whole_container].bytes,
			d->payloads[s->whole_container].len);
	else
		add_members(d, s);
	if (d->key.failed)
		return err_set(err, -EBADMSG, "a container that is too large");
	*ret = d->key.len ? container_cache_find(d->containers, &d->key) : NULL;
	if (*ret || !d->key.len)
		return 0;
	if (s->whole_container < 0)
		c = from_members(d, s);
	else if (from_json(&d->key, &c, err))
		return -EBADMSG;
	container_cache_add(d->containers, &d->key, c);
	*ret = c;
	return 0;
}

/* ---- records ------------------------------------------------------------------------------- */

/* A record of ours with the values of another server's row: numbers in place, texts behind. */
static void make_record(struct wire_decoder *d, const struct decoded_source *s)
{
	struct buf *out = &d->record;

	buf_clear(out);
	if (!buf_reserve(out, s->record_size))
		return;
	memset(out->data, 0, s->record_size);
	out->len = s->record_size;
	for (size_t i = 0; i < s->record.n; i++) {
		const struct wire_place *p = &s->record.items[i];
		struct wire_slice value = wire_fetch(d, p);

		if (p->to_kind == KIND_TEXT) {
			g_text text = {.offset = (uint32_t)out->len};

			wire_text(p, value, s->big_endian, out);
			text.length = (uint32_t)out->len - text.offset;
			memcpy(out->data + p->to_offset, &text, sizeof(text));
		} else {
			uint64_t number = wire_number(p, value, s->big_endian);

			if (p->to_kind == KIND_BOOL)
				number = number != 0;
			memcpy(out->data + p->to_offset, &number, p->to_size);
		}
	}
}

/* What the row says of its users and groups is known of its container, or host, from now on. */
static void take_owners(struct wire_decoder *d, const struct decoded_source *s, struct container *c,
			struct wire_slice record)
{
	struct wire_slice names = d->payloads[s->owners];
	const char *at = (const char *)names.bytes, *stop = at + names.len, *end;

	if (c && !c->owners)
		c->owners = owner_names_new();
	for (size_t i = 0; i < s->n_owners && at < stop; i++, at = end + 1) {
		const struct wire_owner *o = &s->owner_fields[i];
		struct owner_names *of = c ? c->owners : d->host;
		struct owners *to = o->kind == OWNER_USER ? &of->users : &of->groups;
		const char *known;
		uint32_t id;

		end = memchr(at, '\0', (size_t)(stop - at));
		if (!end)
			return;
		if (record.len < sizeof(id) || o->offset > record.len - sizeof(id) || at == end)
			continue;
		memcpy(&id, record.bytes + o->offset, sizeof(id));
		known = owners_name(to, id);
		if ((!known || strcmp(known, at)) && to->text.len < MAX_CONTAINER_OWNERS_BYTES)
			owner_names_set(of, to, id, at, (size_t)(end - at));
	}
}

/* Payloads that the source needs and the row does not have are empty. */
static int split_element(struct wire_decoder *d, const struct decoded_source *s,
			 struct pb_cursor element, struct err *err)
{
	struct pb_field f;
	uint32_t n = 0;
	int r;

	while ((r = pb_next(&element, &f)) > 0)
		if (f.number == ELEMENT_PAYLOAD && f.type == PB_BYTES && n < s->n_payloads)
			d->payloads[n++] = (struct wire_slice){f.bytes, f.len};
	if (r < 0)
		return err_set(err, r, "a row that is no DataElement");
	while (n < s->n_payloads)
		d->payloads[n++] = (struct wire_slice){0};
	return 0;
}

static int give_row(struct wire_gadget *g, size_t source, struct pb_cursor element,
		    const struct wire_rows *rows, struct err *err)
{
	struct wire_decoder *d = g->decoder;
	const struct decoded_source *s = &d->sources[source];
	struct container *c = NULL;
	struct wire_slice record;
	struct row row;
	int r = split_element(d, s, element, err);

	if (!r)
		r = find_container(d, s, &c, err);
	if (r)
		return r;
	if (s->own) {
		record = d->payloads[0];
	} else {
		make_record(d, s);
		if (d->record.failed)
			return err_set(err, -EBADMSG, "a row that is too large");
		record = (struct wire_slice){(unsigned char *)d->record.data, d->record.len};
	}
	if (s->owners >= 0)
		take_owners(d, s, c, record);
	row = container_row(c, record.bytes, (uint32_t)record.len, d->host);
	rows->row(rows->ctx, (unsigned int)source, &row);
	return 0;
}

/* ---- events -------------------------------------------------------------------------------- */

static int find_source(const struct wire_gadget *g, uint32_t id, size_t *ret)
{
	for (size_t i = 0; i < g->n_sources; i++)
		if (g->decoder->sources[i].id == id) {
			*ret = i;
			return 0;
		}
	return -ENOENT;
}

int wire_rows_unpack(struct wire_gadget *g, uint32_t data_source, const void *payload, size_t len,
		     const struct wire_rows *rows, struct err *err)
{
	struct pb_cursor data = pb_cursor(payload, len);
	struct pb_field f;
	size_t source;
	int r;

	if (find_source(g, data_source, &source))
		return err_set(err, -ENOENT, "no data source %u", data_source);
	while ((r = pb_next(&data, &f)) > 0) {
		if (f.number != DATA_ELEMENT || f.type != PB_BYTES)
			continue;
		r = give_row(g, source, pb_cursor(f.bytes, f.len), rows, err);
		if (r)
			return r;
	}
	if (r < 0)
		return err_set(err, r, "an event that is no GadgetData");
	if (g->decoder->sources[source].array && rows->table_end)
		rows->table_end(rows->ctx, (unsigned int)source);
	return 0;
}
