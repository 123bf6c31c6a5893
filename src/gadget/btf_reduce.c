// SPDX-License-Identifier: Apache-2.0
/*
 * Picks types by name out of raw BTF, with what they contain by value. One walk over the types'
 * headers finds the names; only what was found is looked into. (Format: Documentation/bpf/btf.rst
 * in the kernel's sources.)
 */
#include "gadget/kernel_btf.h"

#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

struct word_set {
	const char **words;
	uint32_t *lengths;
	uint32_t room; /* power of two */
};

struct reducer {
	const unsigned char *types;
	const char *strings;
	uint32_t types_size, strings_size;
	uint32_t *at;	/* by id: where in `types`; id 0 is void */
	uint32_t *ids;	/* by id: new id, 0 = left out */
	uint32_t n;	/* ids are below */
	uint32_t *todo; /* found, not yet looked into */
	uint32_t n_todo, n_kept;
	size_t n_names;	      /* upper bound of names in what is kept */
	uint32_t *string_map; /* pairs: old offset, new offset */
	uint32_t string_room; /* pairs, power of two */
	struct buf *out_strings;
};

static void reducer_done(struct reducer *r)
{
	free(r->at);
	free(r->ids);
	free(r->todo);
	free(r->string_map);
}

/* ---- names ------------------------------------------------------------------------------- */

static uint32_t hash_step(uint32_t h, unsigned char c)
{
	return (h ^ c) * 16777619u;
}

/* Length of a name without its ___flavour, and its hash. */
static uint32_t essential(const char *name, uint32_t *ret_hash)
{
	uint32_t h = 2166136261u, n = 0;

	for (; name[n]; n++) {
		if (n && name[n] == '_' && name[n + 1] == '_' && name[n + 2] == '_')
			break;
		h = hash_step(h, name[n]);
	}
	*ret_hash = h;
	return n;
}

static void word_set_done(struct word_set *set)
{
	free(set->words);
	free(set->lengths);
}

static void word_set_init(struct word_set *set, const char *lines)
{
	uint32_t n = 0;

	for (const char *p = lines; *p; p++)
		n += *p == '\n';
	for (set->room = 64; set->room < n * 4; set->room *= 2)
		;
	set->words = xnew_n(const char *, set->room);
	set->lengths = xnew_n(uint32_t, set->room);
	for (const char *end; (end = strchr(lines, '\n')); lines = end + 1) {
		uint32_t h = 2166136261u;

		for (const char *p = lines; p < end; p++)
			h = hash_step(h, *p);
		while (set->words[h & (set->room - 1)])
			h++;
		set->words[h & (set->room - 1)] = lines;
		set->lengths[h & (set->room - 1)] = end - lines;
	}
}

static bool word_set_has(const struct word_set *set, const char *name)
{
	uint32_t h, n = essential(name, &h);

	for (;; h++) {
		const char *word = set->words[h & (set->room - 1)];

		if (!word)
			return false;
		if (set->lengths[h & (set->room - 1)] == n && !memcmp(word, name, n))
			return true;
	}
}

/* ---- the types' shapes ------------------------------------------------------------------- */

/* What follows a type's header: bytes, bytes for each of vlen; whether it is looked up by name. */
static const struct shape {
	uint8_t fixed, each;
	bool known, named;
} shapes[] = {
	[BTF_KIND_INT] = { .known = true, .fixed = 4, .named = true },
	[BTF_KIND_PTR] = { .known = true },
	[BTF_KIND_ARRAY] = { .known = true, .fixed = sizeof(struct btf_array) },
	[BTF_KIND_STRUCT] = { .known = true, .each = sizeof(struct btf_member), .named = true },
	[BTF_KIND_UNION] = { .known = true, .each = sizeof(struct btf_member), .named = true },
	[BTF_KIND_ENUM] = { .known = true, .each = sizeof(struct btf_enum), .named = true },
	[BTF_KIND_FWD] = { .known = true },
	[BTF_KIND_TYPEDEF] = { .known = true, .named = true },
	[BTF_KIND_VOLATILE] = { .known = true },
	[BTF_KIND_CONST] = { .known = true },
	[BTF_KIND_RESTRICT] = { .known = true },
	[BTF_KIND_FUNC] = { .known = true },
	[BTF_KIND_FUNC_PROTO] = { .known = true, .each = sizeof(struct btf_param) },
	[BTF_KIND_VAR] = { .known = true, .fixed = sizeof(struct btf_var) },
	[BTF_KIND_DATASEC] = { .known = true, .each = sizeof(struct btf_var_secinfo) },
	[BTF_KIND_FLOAT] = { .known = true, .named = true },
	[BTF_KIND_DECL_TAG] = { .known = true, .fixed = sizeof(struct btf_decl_tag) },
	[BTF_KIND_TYPE_TAG] = { .known = true },
	[BTF_KIND_ENUM64] = { .known = true, .each = sizeof(struct btf_enum64), .named = true },
};

static const struct btf_type *type_at(const struct reducer *r, uint32_t id)
{
	return (const void *)(r->types + r->at[id]);
}

static const char *string_at(const struct reducer *r, uint32_t at)
{
	return at < r->strings_size ? r->strings + at : "";
}

/* Bytes of a type with all that follows its header; 0: unknown kind. */
static uint64_t type_size(const struct btf_type *t)
{
	uint32_t kind = BTF_INFO_KIND(t->info);

	if (kind >= array_size(shapes) || !shapes[kind].known)
		return 0;
	return sizeof(*t) + shapes[kind].fixed +
	       (uint64_t)shapes[kind].each * BTF_INFO_VLEN(t->info);
}

static int parse_header(struct reducer *r, const void *raw, size_t size)
{
	const struct btf_header *h = raw;

	if (size < sizeof(*h) || h->magic != BTF_MAGIC || h->hdr_len < sizeof(*h) ||
	    h->hdr_len > size || h->type_off % 4 || h->hdr_len % 4)
		return -EINVAL;
	size -= h->hdr_len;
	if ((uint64_t)h->type_off + h->type_len > size || (uint64_t)h->str_off + h->str_len > size)
		return -EINVAL;
	r->types = (const unsigned char *)raw + h->hdr_len + h->type_off;
	r->types_size = h->type_len;
	r->strings = (const char *)raw + h->hdr_len + h->str_off;
	r->strings_size = h->str_len;
	if (!r->strings_size || r->strings[0] || r->strings[r->strings_size - 1])
		return -EINVAL;
	return 0;
}

static void keep(struct reducer *r, uint32_t id)
{
	if (!id || id >= r->n || r->ids[id])
		return;
	/* Only pointers lead to functions' types; a typedef of one becomes a typedef of void. */
	if (BTF_INFO_KIND(type_at(r, id)->info) == BTF_KIND_FUNC_PROTO)
		return;
	r->ids[id] = 1;
	r->todo[r->n_todo++] = id;
}

/* Where each type is; those with a wanted name are kept. */
static int scan(struct reducer *r, const struct word_set *names)
{
	size_t room = r->types_size / sizeof(struct btf_type) + 1;

	r->at = malloc(room * sizeof(*r->at));
	r->ids = calloc(room, sizeof(*r->ids));
	r->todo = malloc(room * sizeof(*r->todo));
	if (!r->at || !r->ids || !r->todo)
		return -ENOMEM;
	r->at[0] = 0;
	r->n = 1;
	for (uint32_t at = 0; at < r->types_size;) {
		const struct btf_type *t = (const void *)(r->types + at);
		uint64_t size = r->types_size - at < sizeof(*t) ? 0 : type_size(t);

		if (!size || size > r->types_size - at)
			return -EINVAL;
		r->at[r->n++] = at;
		if (shapes[BTF_INFO_KIND(t->info)].named &&
		    word_set_has(names, string_at(r, t->name_off)))
			keep(r, r->n - 1);
		at += size;
	}
	return 0;
}

/* ---- what is contained by value ---------------------------------------------------------- */

static void keep_members(struct reducer *r, const struct btf_type *t)
{
	const struct btf_member *m = (const void *)(t + 1);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++)
		keep(r, m[i].type);
}

static void keep_contained(struct reducer *r, const struct btf_type *t)
{
	const struct btf_array *a = (const void *)(t + 1);

	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		keep_members(r, t);
		break;
	case BTF_KIND_ARRAY:
		keep(r, a->type);
		keep(r, a->index_type);
		break;
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		keep(r, t->type);
		break;
	}
}

static void close_set(struct reducer *r)
{
	while (r->n_todo)
		keep_contained(r, type_at(r, r->todo[--r->n_todo]));
	for (uint32_t id = 1; id < r->n; id++) {
		if (!r->ids[id])
			continue;
		r->ids[id] = ++r->n_kept;
		r->n_names += 1 + BTF_INFO_VLEN(type_at(r, id)->info);
	}
}

/* ---- writing ----------------------------------------------------------------------------- */

/* The new place of a string; the same string gets one place, as the kernel's are unique. */
static uint32_t put_string(struct reducer *r, uint32_t old)
{
	if (!old || old >= r->strings_size)
		return 0;
	for (uint32_t i = old * 2654435761u;; i++) {
		uint32_t *pair = r->string_map + 2 * (size_t)(i & (r->string_room - 1));

		if (!pair[0]) {
			pair[0] = old;
			pair[1] = r->out_strings->len;
			buf_add(r->out_strings, r->strings + old, strlen(r->strings + old) + 1);
		}
		if (pair[0] == old)
			return pair[1];
	}
}

static uint32_t new_id(const struct reducer *r, uint32_t id)
{
	return id < r->n ? r->ids[id] : 0;
}

/* Members, enumerators: each begins with its name. */
static void put_each(struct reducer *r, const struct btf_type *t, struct buf *out)
{
	uint32_t kind = BTF_INFO_KIND(t->info), each = shapes[kind].each;
	const unsigned char *from = (const unsigned char *)(t + 1);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++, from += each) {
		union {
			uint32_t name_off;
			struct btf_member member;
			struct btf_enum value;
			struct btf_enum64 value64;
		} part;

		memcpy(&part, from, each);
		part.name_off = put_string(r, part.name_off);
		if (kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION)
			part.member.type = new_id(r, part.member.type);
		buf_add(out, &part, each);
	}
}

static void put_type(struct reducer *r, const struct btf_type *t, struct buf *out)
{
	uint32_t kind = BTF_INFO_KIND(t->info);
	struct btf_type copy = *t;

	copy.name_off = put_string(r, t->name_off);
	switch (kind) {
	case BTF_KIND_PTR:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		copy.type = new_id(r, t->type);
		break;
	}
	buf_add(out, &copy, sizeof(copy));
	if (kind == BTF_KIND_ARRAY) {
		struct btf_array a;

		memcpy(&a, t + 1, sizeof(a));
		a.type = new_id(r, a.type);
		a.index_type = new_id(r, a.index_type);
		buf_add(out, &a, sizeof(a));
	} else if (shapes[kind].each) {
		put_each(r, t, out);
	} else {
		buf_add(out, t + 1, shapes[kind].fixed);
	}
}

static int write_out(struct reducer *r, struct buf *ret)
{
	_cleanup_(buf_done) struct buf strings;
	size_t start = ret->len;
	struct btf_header h = { .magic = BTF_MAGIC, .version = BTF_VERSION, .hdr_len = sizeof(h) };

	buf_init(&strings, ret->max);
	buf_char(&strings, '\0');
	r->out_strings = &strings;
	for (r->string_room = 64; r->string_room < r->n_names * 2; r->string_room *= 2)
		;
	r->string_map = calloc(r->string_room, 2 * sizeof(uint32_t));
	if (!r->string_map)
		return -ENOMEM;
	buf_add(ret, &h, sizeof(h));
	for (uint32_t id = 1; id < r->n; id++) {
		if (r->ids[id])
			put_type(r, type_at(r, id), ret);
	}
	h.type_len = h.str_off = ret->len - start - sizeof(h);
	h.str_len = strings.len;
	buf_add(ret, strings.data, strings.len);
	if (ret->failed || strings.failed)
		return -EFBIG;
	memcpy(ret->data + start, &h, sizeof(h));
	return 0;
}

int btf_reduce(const void *raw, size_t size, const char *names, struct buf *ret)
{
	_cleanup_(reducer_done) struct reducer r = {};
	_cleanup_(word_set_done) struct word_set set = {};
	int rc = parse_header(&r, raw, size);

	if (rc)
		return rc;
	word_set_init(&set, names);
	rc = scan(&r, &set);
	if (rc)
		return rc;
	close_set(&r);
	return write_out(&r, ret);
}
