// SPDX-License-Identifier: Apache-2.0
/*
 * types_open(): the checks that make an object's types safe to use. The order matters: extents of
 * each type, then ids and names, then sizes (which finds cycles), then what needs sizes.
 */
#include "gadget/btf_types.h"

#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

#define MAX_HEIGHT 32		    /* of types within types; the kernel's limit is the same */
#define MAX_TYPE_BYTES (1ull << 40) /* __uint(max_entries, N) is an array of N ints */
#define MAX_NAME 255

/* Behind the header of each kind: `fixed` bytes, then `each` bytes as often as vlen says. */
static const struct kind_layout {
	uint8_t fixed, each;
	bool has_type; /* the header's last word is a type id, else a size or unused */
} layouts[] = {
	[BTF_KIND_INT] = { .fixed = 4 },
	[BTF_KIND_PTR] = { .has_type = true },
	[BTF_KIND_ARRAY] = { .fixed = sizeof(struct btf_array) },
	[BTF_KIND_STRUCT] = { .each = sizeof(struct btf_member) },
	[BTF_KIND_UNION] = { .each = sizeof(struct btf_member) },
	[BTF_KIND_ENUM] = { .each = sizeof(struct btf_enum) },
	[BTF_KIND_FWD] = {},
	[BTF_KIND_TYPEDEF] = { .has_type = true },
	[BTF_KIND_VOLATILE] = { .has_type = true },
	[BTF_KIND_CONST] = { .has_type = true },
	[BTF_KIND_RESTRICT] = { .has_type = true },
	[BTF_KIND_FUNC] = { .has_type = true },
	[BTF_KIND_FUNC_PROTO] = { .each = sizeof(struct btf_param), .has_type = true },
	[BTF_KIND_VAR] = { .fixed = sizeof(struct btf_var), .has_type = true },
	[BTF_KIND_DATASEC] = { .each = sizeof(struct btf_var_secinfo) },
	[BTF_KIND_FLOAT] = {},
	[BTF_KIND_DECL_TAG] = { .fixed = sizeof(struct btf_decl_tag), .has_type = true },
	[BTF_KIND_TYPE_TAG] = { .has_type = true },
	[BTF_KIND_ENUM64] = { .each = sizeof(struct btf_enum64) },
};

static const struct kind_layout *layout_of(const struct btf_type *type)
{
	unsigned int kind = BTF_INFO_KIND(type->info);

	return kind != BTF_KIND_UNKN && kind < array_size(layouts) ? &layouts[kind] : NULL;
}

/* ---- extents ------------------------------------------------------------------------- */

static int read_header(struct types *t, size_t size, struct btf_header *h, struct err *err)
{
	if (size < sizeof(*h))
		return err_set(err, -EINVAL, "BTF is too short for its header");
	memcpy(h, t->bytes, sizeof(*h));
	if (h->magic != BTF_MAGIC || h->version != BTF_VERSION)
		return err_set(err, -EINVAL, "BTF has an unknown magic number or version");
	if (h->hdr_len != sizeof(*h) || h->flags)
		return err_set(err, -EINVAL, "BTF has an unknown header");
	size -= sizeof(*h);
	if (h->type_off || h->type_len % 4 || h->type_len > size || h->str_off != h->type_len ||
	    h->str_len != size - h->str_off)
		return err_set(err, -EINVAL, "types and strings of BTF do not fill their section");
	t->strings = (const char *)t->bytes + sizeof(*h) + h->str_off;
	t->strings_size = h->str_len;
	if (!h->str_len || t->strings[0] || t->strings[h->str_len - 1])
		return err_set(err, -EINVAL, "the strings of BTF do not start and end with NUL");
	return 0;
}

static int read_extents(struct types *t, const struct btf_header *h, struct err *err)
{
	const unsigned char *at = t->bytes + sizeof(*h), *end = at + h->type_len;
	uint32_t room = 1024;

	t->by_id = xnew_n(const struct btf_type *, room);
	while (at < end) {
		const struct btf_type *type = (const void *)at;
		const struct kind_layout *l;
		size_t left = (size_t)(end - at), bytes;

		if (t->n == MAX_TYPES)
			return err_set(err, -EINVAL, "more than %u types", MAX_TYPES);
		if (left < sizeof(*type))
			return err_set(err, -EINVAL, "type %u is cut", t->n + 1);
		l = layout_of(type);
		if (!l)
			return err_set(err, -EINVAL, "type %u is of unknown kind %u", t->n + 1,
				       BTF_INFO_KIND(type->info));
		bytes = sizeof(*type) + l->fixed + (size_t)l->each * BTF_INFO_VLEN(type->info);
		if (bytes > left)
			return err_set(err, -EINVAL, "type %u is cut", t->n + 1);
		if (++t->n == room) {
			room *= 2;
			t->by_id = xrealloc(t->by_id, room, sizeof(*t->by_id));
		}
		t->by_id[t->n] = type;
		at += bytes;
	}
	t->facts = xnew_n(struct type_facts, t->n + 1);
	return 0;
}

/* ---- ids and names ------------------------------------------------------------------- */

/* Names reach terminals and files: printable ASCII only. */
static bool good_name(const struct types *t, uint32_t offset)
{
	const char *s = types_string(t, offset);
	size_t n = 0;

	if (!s)
		return false;
	for (; s[n]; n++)
		if (s[n] < 0x20 || s[n] > 0x7e || n == MAX_NAME)
			return false;
	return true;
}

/* A type that values and pointers can have: not a variable, section, function or tag. */
static bool is_value(const struct types *t, uint32_t id)
{
	static const bool not_values[array_size(layouts)] = {
		[BTF_KIND_FUNC] = true,
		[BTF_KIND_VAR] = true,
		[BTF_KIND_DATASEC] = true,
		[BTF_KIND_DECL_TAG] = true,
	};

	return id <= t->n && !not_values[types_kind(t, id)];
}

static int bad_ref(struct err *err, uint32_t id, uint32_t to)
{
	return err_set(err, -EINVAL, "type %u refers to type %u, which cannot be", id, to);
}

static int bad_name(struct err *err, uint32_t id)
{
	return err_set(err, -EINVAL, "type %u has a name outside the strings or not printable", id);
}

static int check_parts(const struct types *t, uint32_t id, struct err *err)
{
	const struct btf_param *params = (const void *)(t->by_id[id] + 1);

	for (uint32_t i = 0; i < types_count(t, id); i++) {
		uint32_t name = 0, to = 0;

		switch (types_kind(t, id)) {
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
			name = types_members(t, id)[i].name_off;
			to = types_members(t, id)[i].type;
			break;
		case BTF_KIND_FUNC_PROTO:
			name = params[i].name_off;
			to = params[i].type;
			break;
		case BTF_KIND_ENUM:
			name = types_enums(t, id)[i].name_off;
			break;
		case BTF_KIND_ENUM64:
			name = types_enums64(t, id)[i].name_off;
			break;
		default:
			return 0; /* sections: when variables are known */
		}
		if (!good_name(t, name))
			return bad_name(err, id);
		if (!is_value(t, to))
			return bad_ref(err, id, to);
	}
	return 0;
}

static bool power_of_two_to(uint32_t size, uint32_t max)
{
	return size && size <= max && !(size & (size - 1));
}

static int check_own(const struct types *t, uint32_t id, struct err *err)
{
	const struct btf_type *type = t->by_id[id];
	unsigned int kind = types_kind(t, id);
	const struct btf_array *a;
	uint32_t encoding;

	switch (kind) {
	case BTF_KIND_INT:
		memcpy(&encoding, type + 1, sizeof(encoding));
		if (!power_of_two_to(type->size, 16) || !BTF_INT_BITS(encoding) ||
		    BTF_INT_BITS(encoding) + BTF_INT_OFFSET(encoding) > type->size * 8)
			return err_set(err, -EINVAL, "type %u is an integer of impossible size",
				       id);
		return 0;
	case BTF_KIND_FLOAT:
		if (type->size > 16)
			return err_set(err, -EINVAL, "type %u is a float of impossible size", id);
		return 0;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		if (!power_of_two_to(type->size, 8))
			return err_set(err, -EINVAL, "type %u is an enum of impossible size", id);
		return 0;
	case BTF_KIND_ARRAY:
		a = types_array(t, id);
		if (!a->type || !is_value(t, a->type))
			return bad_ref(err, id, a->type);
		if (!a->index_type || !is_value(t, a->index_type))
			return bad_ref(err, id, a->index_type);
		return 0;
	case BTF_KIND_FUNC:
		if (types_kind(t, type->type) != BTF_KIND_FUNC_PROTO)
			return bad_ref(err, id, type->type);
		return 0;
	case BTF_KIND_VAR:
		if (!*types_name(t, id))
			return err_set(err, -EINVAL, "variable %u has no name", id);
		return 0;
	default:
		return 0;
	}
}

static int check_refs(const struct types *t, uint32_t id, struct err *err)
{
	const struct btf_type *type = t->by_id[id];
	unsigned int kind = types_kind(t, id);
	int r;

	/* Tags carry text for people, which describe.c looks at. */
	if (kind == BTF_KIND_DECL_TAG || kind == BTF_KIND_TYPE_TAG) {
		if (!types_string(t, type->name_off))
			return bad_name(err, id);
	} else if (!good_name(t, type->name_off)) {
		return bad_name(err, id);
	}
	if (layout_of(type)->has_type) {
		if (type->type > t->n)
			return bad_ref(err, id, type->type);
		if (kind != BTF_KIND_DECL_TAG && kind != BTF_KIND_FUNC && !is_value(t, type->type))
			return bad_ref(err, id, type->type);
		if (kind == BTF_KIND_TYPEDEF && !*types_name(t, id))
			return bad_name(err, id);
	}
	r = check_own(t, id, err);
	return r < 0 ? r : check_parts(t, id, err);
}

/* ---- sizes and cycles ---------------------------------------------------------------- */

static int resolve(struct types *t, uint32_t id, unsigned int depth, struct err *err);

/* Resolves `part`, which id is made of, and takes its height over. */
static int resolve_part(struct types *t, uint32_t id, uint32_t part, unsigned int depth,
			struct err *err)
{
	int r = resolve(t, part, depth + 1, err);

	if (r < 0)
		return r;
	if (t->facts[part].height >= t->facts[id].height)
		t->facts[id].height = t->facts[part].height + 1;
	if (t->facts[id].height > MAX_HEIGHT)
		return err_set(err, -EINVAL, "type %u is nested deeper than %u", id, MAX_HEIGHT);
	return 0;
}

static int resolve_members(struct types *t, uint32_t id, unsigned int depth, struct err *err)
{
	uint64_t bits = (uint64_t)t->by_id[id]->size * 8;

	for (uint32_t i = 0; i < types_count(t, id); i++) {
		uint32_t part = types_members(t, id)[i].type, width;
		uint64_t at = types_member_bits(t, id, i, &width);
		int r = resolve_part(t, id, part, depth, err);

		if (r < 0)
			return r;
		if (!width && at % 8)
			return err_set(err, -EINVAL, "member %u of type %u starts within a byte", i,
				       id);
		if (at + (width ? width : t->facts[part].size * 8) > bits)
			return err_set(err, -EINVAL, "member %u of type %u lies outside it", i, id);
	}
	t->facts[id].size = t->by_id[id]->size;
	return 0;
}

static int resolve_array(struct types *t, uint32_t id, unsigned int depth, struct err *err)
{
	const struct btf_array *a = types_array(t, id);
	int r = resolve_part(t, id, a->type, depth, err);

	if (r < 0)
		return r;
	if (__builtin_mul_overflow(t->facts[a->type].size, a->nelems, &t->facts[id].size) ||
	    t->facts[id].size > MAX_TYPE_BYTES)
		return err_set(err, -EINVAL, "type %u is an array of impossible size", id);
	return 0;
}

static int resolve_one(struct types *t, uint32_t id, unsigned int depth, struct err *err)
{
	struct type_facts *f = &t->facts[id];
	int r;

	switch (types_kind(t, id)) {
	case BTF_KIND_INT:
	case BTF_KIND_FLOAT:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		f->size = t->by_id[id]->size;
		return 0;
	case BTF_KIND_PTR:
		f->size = 8; /* whatever it points to: a pointer may lead back to its own struct */
		return 0;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return resolve_members(t, id, depth, err);
	case BTF_KIND_ARRAY:
		return resolve_array(t, id, depth, err);
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_CONST:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
	case BTF_KIND_VAR:
		r = resolve_part(t, id, t->by_id[id]->type, depth, err);
		f->size = t->facts[t->by_id[id]->type].size;
		return r;
	default:
		return 0;
	}
}

static int resolve(struct types *t, uint32_t id, unsigned int depth, struct err *err)
{
	struct type_facts *f = &t->facts[id];
	int r;

	if (f->height)
		return f->visiting ? err_set(err, -EINVAL, "type %u contains itself", id) : 0;
	if (depth > MAX_HEIGHT)
		return err_set(err, -EINVAL, "type %u is nested deeper than %u", id, MAX_HEIGHT);
	f->height = 1;
	f->visiting = true;
	r = resolve_one(t, id, depth, err);
	f->visiting = false;
	return r;
}

/* ---- what needs all of the above ----------------------------------------------------- */

static int check_section(const struct types *t, uint32_t id, struct err *err)
{
	const struct btf_var_secinfo *v = types_vars(t, id);

	if (!*types_name(t, id))
		return err_set(err, -EINVAL, "section %u of the types has no name", id);
	for (uint32_t i = 0; i < types_count(t, id); i++) {
		unsigned int kind = v[i].type <= t->n ? types_kind(t, v[i].type) : BTF_KIND_UNKN;

		if (kind != BTF_KIND_VAR && kind != BTF_KIND_FUNC)
			return bad_ref(err, id, v[i].type);
	}
	return 0;
}

static int add_tag(struct types *t, uint32_t id, uint32_t *last, struct err *err)
{
	uint32_t to = t->by_id[id]->type, parts = 0;
	const struct btf_decl_tag *tag = (const void *)(t->by_id[id] + 1);

	switch (types_kind(t, to)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		parts = types_count(t, to);
		break;
	case BTF_KIND_FUNC:
		parts = types_count(t, t->by_id[to]->type);
		break;
	case BTF_KIND_VAR:
	case BTF_KIND_TYPEDEF:
		break;
	default:
		return bad_ref(err, id, to);
	}
	if (tag->component_idx < -1 || tag->component_idx >= (int64_t)parts)
		return err_set(err, -EINVAL, "tag %u is on a part of type %u that does not exist",
			       id, to);
	if (last[to])
		t->facts[last[to]].next_tag = id;
	else
		t->facts[to].first_tag = id;
	last[to] = id;
	return 0;
}

static int check_all(struct types *t, struct err *err)
{
	_cleanup_(freep) uint32_t *last_tag = xnew_n(uint32_t, t->n + 1);
	int r = 0;

	t->facts[0].height = 1;
	for (uint32_t id = 1; id <= t->n && !r; id++)
		r = check_refs(t, id, err);
	for (uint32_t id = 1; id <= t->n && !r; id++)
		r = resolve(t, id, 0, err);
	for (uint32_t id = 1; id <= t->n && !r; id++) {
		if (types_kind(t, id) == BTF_KIND_DATASEC)
			r = check_section(t, id, err);
		else if (types_kind(t, id) == BTF_KIND_DECL_TAG)
			r = add_tag(t, id, last_tag, err);
	}
	return r;
}

int types_open(const void *btf, size_t size, struct types *ret, struct err *err)
{
	_cleanup_(types_close) struct types t = {};
	struct btf_header h;
	int r;

	if (size > MAX_OBJECT_BYTES)
		return err_set(err, -EINVAL, "BTF is larger than %u bytes", MAX_OBJECT_BYTES);
	t.bytes = xcalloc(1, size);
	memcpy(t.bytes, btf, size);
	r = read_header(&t, size, &h, err);
	if (r < 0)
		return r;
	r = read_extents(&t, &h, err);
	if (r < 0)
		return r;
	r = check_all(&t, err);
	if (r < 0)
		return r;
	*ret = t;
	t = (struct types){};
	return 0;
}
