// SPDX-License-Identifier: Apache-2.0
#include "client/endpoints.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/types.h"
#include "kube/addresses.h"

#define MAX_NAMED_BYTES (MAX_RECORD_BYTES + 65536) /* a record, or what is made of one */

static const char *const kinds[] = {[KUBE_POD] = "pod", [KUBE_SERVICE] = "svc"};

/* What is made of an endpoint, in its schema's order; texts lie behind the last one. */
struct named {
	struct g_text_place kind, name, namespace_, alias;
};

static const struct member {
	const char *name, *doc;
	size_t offset;
	uint16_t width;
	uint8_t flags;
} members[] = {
	{"kind", "Whose the address is: pod, svc (a service), or raw: not known",
	 offsetof(struct named, kind), 4, FIELD_SKIP_EMPTY},
	{"name", "Name of the pod or service", offsetof(struct named, name), 20, FIELD_SKIP_EMPTY},
	{"namespace", "Its namespace", offsetof(struct named, namespace_), 12, FIELD_SKIP_EMPTY},
	{"alias", NULL, offsetof(struct named, alias), 36, FIELD_ALIAS | FIELD_INTERNAL},
};

/* ---- which they are --------------------------------------------------------------- */

static const struct field *group_of(const struct schema *s, const struct field *f)
{
	bool is_address = f->part == PART_RECORD && f->kind == KIND_BYTES &&
			  f->size == sizeof(g_addr) && str_equal(f->type, "g_addr");

	return is_address && f->parent >= 0 ? &s->fields[f->parent] : NULL;
}

/* The member of a group whose values are of this type; NULL: none. */
static const struct field *member_of(const struct schema *s, const struct field *group,
				     const char *type)
{
	for (size_t i = 0; i < s->n_fields; i++)
		if (s->fields[i].parent == group - s->fields && str_equal(s->fields[i].type, type))
			return &s->fields[i];
	return NULL;
}

static bool is_peer(const struct schema *s, const struct field *group)
{
	return member_of(s, group, "g_peer_kind");
}

static int add_fields(struct schema *s, const char *group, size_t nth, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && i < array_size(members); i++) {
		const struct member *m = &members[i];
		/* An alias is its group's own member. */
		const char *below = m->flags & FIELD_ALIAS ? "" : "k8s.";
		_cleanup_(freep) char *name = xasprintf("%s.%s%s", group, below, m->name);

		r = schema_add(s,
			       &(struct field){
				       .name = name,
				       .doc = m->doc,
				       .kind = KIND_TEXT,
				       .part = PART_DERIVED,
				       .flags = m->flags,
				       .offset = (uint32_t)(nth * sizeof(struct named) + m->offset),
				       .size = sizeof(struct g_text_place),
				       .width = m->width,
				       .ellipsis = ELLIPSIS_MIDDLE,
			       },
			       err);
	}
	return r;
}

/* Names of endpoints that have no such fields: adding some moves all fields. */
static size_t find_endpoints(const struct schema *s, char ***ret)
{
	size_t n = 0, room = 0;

	*ret = NULL;
	for (size_t i = 0; i < s->n_fields; i++) {
		const struct field *group = group_of(s, &s->fields[i]);
		_cleanup_(freep) char *k8s = group ? xasprintf("%s.k8s", group->name) : NULL;

		if (group && !is_peer(s, group) && !schema_field(s, k8s))
			*grow(ret, &n, &room) = xstrdup(group->name);
	}
	return n;
}

int endpoints_add_fields(struct schema *s, struct err *err)
{
	char **groups;
	size_t n = find_endpoints(s, &groups);
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		r = r ?: add_fields(s, groups[i], i, err);
		free(groups[i]);
	}
	free(groups);
	return r || !n ? r : schema_finish(s, err);
}

/* ---- what is to be done for a row -------------------------------------------------- */

#define NONE UINT32_MAX

/* Places in the record: by schema_finish() fields move. */
struct endpoint {
	uint32_t addr;
	uint32_t kind, name, namespace_, labels; /* of a struct g_peer; NONE */
	uint32_t derived;			 /* of others: of struct named; NONE */
};

struct endpoints {
	struct endpoint *items;
	size_t n, room;
	size_t derived; /* bytes of all struct named */
	bool peers;
	struct buf record, part; /* of the last row */
};

static uint32_t place_of(const struct schema *s, const struct field *group, const char *type)
{
	const struct field *f = member_of(s, group, type);
	bool is_text = f && (f->kind == KIND_TEXT || f->kind == KIND_LIST);

	return is_text ? f->offset : NONE;
}

static struct endpoint make(const struct schema *s, const struct field *addr,
			    const struct field *group)
{
	_cleanup_(freep) char *name = xasprintf("%s.k8s.kind", group->name);
	const struct field *kind = schema_field(s, name);

	return (struct endpoint){
		.addr = addr->offset,
		.kind = place_of(s, group, "g_peer_kind"),
		.name = place_of(s, group, "g_peer_name"),
		.namespace_ = place_of(s, group, "g_peer_namespace"),
		.labels = place_of(s, group, "g_peer_labels"),
		.derived = kind && kind->part == PART_DERIVED
				   ? kind->offset - (uint32_t)offsetof(struct named, kind)
				   : NONE,
	};
}

struct endpoints *endpoints_new(const struct schema *s)
{
	struct endpoints *e = xnew(struct endpoints);

	buf_init(&e->record, MAX_NAMED_BYTES);
	buf_init(&e->part, MAX_NAMED_BYTES);
	for (size_t i = 0; i < s->n_fields; i++) {
		const struct field *group = group_of(s, &s->fields[i]);
		struct endpoint one;

		if (!group)
			continue;
		one = make(s, &s->fields[i], group);
		e->derived += one.derived != NONE ? sizeof(struct named) : 0;
		e->peers = e->peers || one.kind != NONE;
		if (one.derived != NONE || one.kind != NONE)
			*grow(&e->items, &e->n, &e->room) = one;
	}
	return e->n ? e : endpoints_free(e);
}

struct endpoints *endpoints_free(struct endpoints *e)
{
	if (!e)
		return NULL;
	buf_done(&e->record);
	buf_done(&e->part);
	free(e->items);
	free(e);
	return NULL;
}

bool endpoints_want_labels(const struct endpoints *e)
{
	return e->peers;
}

/* ---- rows ------------------------------------------------------------------------- */

/* The value at a place of the record; false: it is not there. */
static bool read_at(const struct row *row, uint32_t offset, void *ret, size_t n)
{
	uint32_t size = row->part[PART_RECORD] ? row->size[PART_RECORD] : 0;

	if (n > size || offset > size - n)
		return false;
	memcpy(ret, (const char *)row->part[PART_RECORD] + offset, n);
	return true;
}

/* Text behind a block, and at `offset` in it the place where that is. */
static void put(struct buf *block, uint32_t offset, const char *text, size_t len)
{
	struct g_text_place place = {.offset = (uint32_t)block->len, .length = (uint32_t)len};

	if (offset == NONE || offset + sizeof(place) > block->len)
		return;
	buf_add(block, text, len);
	if (block->failed)
		return;
	memcpy(block->data + offset, &place, sizeof(place));
}

static void put_text(struct buf *block, uint32_t offset, const char *text)
{
	put(block, offset, text, strlen(text));
}

static void name_endpoint(struct endpoints *e, const struct endpoint *one,
			  const struct kube_holder *h)
{
	const uint32_t at = one->derived;
	struct g_text_place alias;
	size_t begin;

	put_text(&e->part, at + offsetof(struct named, kind), h ? kinds[h->kind] : "raw");
	if (!h)
		return;
	/* The alias has both names: p/NAMESPACE/NAME */
	begin = e->part.len;
	buf_printf(&e->part, "%c/%s/%s", *kinds[h->kind], h->namespace_, h->name);
	if (e->part.failed)
		return;
	alias = (struct g_text_place){(uint32_t)begin, (uint32_t)(e->part.len - begin)};
	memcpy(e->part.data + at + offsetof(struct named, alias), &alias, sizeof(alias));
	alias = (struct g_text_place){(uint32_t)begin + 2, (uint32_t)strlen(h->namespace_)};
	memcpy(e->part.data + at + offsetof(struct named, namespace_), &alias, sizeof(alias));
	alias.offset += alias.length + 1;
	alias.length = (uint32_t)strlen(h->name);
	memcpy(e->part.data + at + offsetof(struct named, name), &alias, sizeof(alias));
}

/* The node does not know whose it is. */
static bool is_raw(const struct row *row, uint32_t kind)
{
	char text[3];
	struct g_text_place place;

	return read_at(row, kind, &place, sizeof(place)) && place.length == sizeof(text) &&
	       read_at(row, place.offset, text, sizeof(text)) && !memcmp(text, "raw", sizeof(text));
}

static void name_peer(struct endpoints *e, const struct endpoint *one, const struct kube_holder *h,
		      struct row *row)
{
	struct buf *to = &e->record;

	if (!h || !is_raw(row, one->kind))
		return;
	if (row->part[PART_RECORD] != to->data) { /* the first one that is changed */
		buf_clear(to);
		buf_add(to, row->part[PART_RECORD], row->size[PART_RECORD]);
	}
	put_text(to, one->kind, kinds[h->kind]);
	put_text(to, one->name, h->name);
	put_text(to, one->namespace_, h->namespace_);
	if (h->labels_len)
		put(to, one->labels, h->labels, h->labels_len);
	if (to->failed)
		return;
	row->part[PART_RECORD] = to->data;
	row->size[PART_RECORD] = (uint32_t)to->len;
}

void endpoints_name(struct endpoints *e, const struct kube_addresses *of, struct row *row)
{
	static const g_addr none;

	buf_clear(&e->part);
	if (e->derived && buf_reserve(&e->part, e->derived)) {
		memset(e->part.data, 0, e->derived);
		e->part.len = e->derived;
	}
	for (size_t i = 0; i < e->n; i++) {
		const struct endpoint *one = &e->items[i];
		struct kube_holder holder, *h;
		g_addr address;

		if (!read_at(row, one->addr, address, sizeof(address)) ||
		    !memcmp(address, none, sizeof(address)))
			continue;
		h = kube_addresses_find(of, address, &holder) ? &holder : NULL;
		if (one->derived != NONE)
			name_endpoint(e, one, h);
		else
			name_peer(e, one, h, row);
	}
	row->part[PART_DERIVED] = e->derived ? e->part.data : NULL;
	row->size[PART_DERIVED] = (uint32_t)e->part.len;
}
