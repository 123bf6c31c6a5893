// SPDX-License-Identifier: Apache-2.0
/*
 * A gadget's description, read from the types of its object. The words it is written in are those
 * of include/gadget/gadget.bpf.h: tagged variables for the gadget itself, its data sources and
 * parameters, tagged members for fields.
 */
#include "gadget/describe.h"

#include <ctype.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/schema.h"

#define MAX_SOURCES 32
#define MAX_PARAMS 128
#define MAX_ALIASES 16

static const struct source_tag {
	const char *word;
	enum source_kind kind;
	bool sampled;
} source_tags[] = {
	{"tracer", SOURCE_TRACER, false},
	{"top", SOURCE_TOP, false},
	{"sample", SOURCE_TOP, true},
	{"snapshot", SOURCE_SNAPSHOT, false},
};

/* ---- words --------------------------------------------------------------------------- */

bool describe_identifier(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '_')
			return false;
	return true;
}

bool describe_text(const char *s, bool lines)
{
	for (const unsigned char *at = (const unsigned char *)s; *at; at++) {
		if ((*at < 0x20 && !(lines && *at == '\n')) || *at == 0x7f)
			return false;
		if (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0) /* U+0080 … U+009F in UTF-8 */
			return false;
	}
	return true;
}

const char *describe_tag(const struct types *t, uint32_t id, int member, const char *prefix)
{
	uint32_t cursor = 0;

	return types_tag(t, id, member, prefix, &cursor);
}

/* ---- types --------------------------------------------------------------------------- */

struct type_end describe_type(const struct types *t, uint32_t id)
{
	struct type_end end = {};

	for (;;) {
		const char *name;

		id = types_strip(t, id, false);
		if (types_kind(t, id) != BTF_KIND_TYPEDEF)
			break;
		name = types_name(t, id);
		if (!end.meaning || !strncmp(name, "g_", 2))
			end.meaning = name;
		id = t->by_id[id]->type;
	}
	end.id = id;
	return end;
}

static enum kind enum_kind(const struct types *t, uint32_t id)
{
	for (uint32_t i = 0; i < types_count(t, id); i++) {
		if (types_kind(t, id) == BTF_KIND_ENUM && types_enums(t, id)[i].val < 0)
			return KIND_INT;
		if (types_kind(t, id) == BTF_KIND_ENUM64 &&
		    (int32_t)types_enums64(t, id)[i].val_hi32 < 0)
			return KIND_INT;
	}
	return KIND_UINT;
}

static int int_kind(const struct types *t, uint32_t id, enum kind *ret, const char *what,
		    struct err *err)
{
	uint32_t encoding;

	memcpy(&encoding, t->by_id[id] + 1, sizeof(encoding));
	if (types_size(t, id) > 8 || BTF_INT_BITS(encoding) != types_size(t, id) * 8)
		return err_set(err, -EINVAL, "%s is a number of an odd size", what);
	if (BTF_INT_ENCODING(encoding) & BTF_INT_BOOL && types_size(t, id) == 1)
		*ret = KIND_BOOL;
	else
		*ret = BTF_INT_ENCODING(encoding) & BTF_INT_SIGNED ? KIND_INT : KIND_UINT;
	return 0;
}

/* Bytes, but for the counts of a histogram: those are wider. */
static int array_kind(const struct types *t, const struct type_end *end, enum kind *ret,
		      const char *what, struct err *err)
{
	uint32_t id = end->id, element = types_strip(t, types_array(t, id)->type, true);

	if (end->meaning && !strcmp(end->meaning, "g_log2") &&
	    types_kind(t, element) == BTF_KIND_INT) {
		*ret = KIND_BYTES;
		return 0;
	}
	if (types_kind(t, element) != BTF_KIND_INT || types_size(t, element) != 1)
		return err_set(err, -EINVAL, "%s is an array, which only char and __u8 may be in",
			       what);
	if (!types_size(t, id))
		return err_set(err, -EINVAL, "%s is an array without a length", what);
	*ret = strcmp(types_name(t, element), "char") ? KIND_BYTES : KIND_CHARS;
	return 0;
}

/* Types that the host takes for more than the bytes they are made of. */
static const struct meaning {
	const char *name;
	enum kind kind, base;
	size_t size;
} meanings[] = {
	{"g_text", KIND_TEXT, KIND_NONE, sizeof(g_text)},
	{"g_octets", KIND_TEXT, KIND_NONE, sizeof(g_octets)},
	{"g_args", KIND_LIST, KIND_NONE, sizeof(g_args)},
	{"g_ustack", KIND_LIST, KIND_NONE, sizeof(g_ustack)},
	{"g_kstack", KIND_LIST, KIND_NONE, sizeof(g_kstack)},
	{"g_ustack_id", KIND_LIST, KIND_UINT, sizeof(g_ustack_id)},
	{"g_kstack_id", KIND_LIST, KIND_UINT, sizeof(g_kstack_id)},
	{"g_ustack_files", KIND_LIST, KIND_UINT, sizeof(g_ustack_files)},
	{"g_container_name", KIND_TEXT, KIND_NONE, sizeof(g_container_name)},
	{"g_peer_kind", KIND_TEXT, KIND_NONE, sizeof(g_peer_kind)},
	{"g_peer_name", KIND_TEXT, KIND_NONE, sizeof(g_peer_name)},
	{"g_peer_namespace", KIND_TEXT, KIND_NONE, sizeof(g_peer_namespace)},
	{"g_peer_labels", KIND_LIST, KIND_NONE, sizeof(g_peer_labels)},
	{"g_log2", KIND_BYTES, KIND_BYTES, sizeof(g_log2)},
	{"g_bool", KIND_BOOL, KIND_UINT, sizeof(g_bool)},
	{"g_time", KIND_UINT, KIND_UINT, sizeof(g_time)},
	{"g_container", KIND_UINT, KIND_UINT, sizeof(g_container)},
};

static int base_kind(const struct types *t, const struct type_end *end, enum kind *ret,
		     const char *what, struct err *err)
{
	uint32_t id = end->id;

	switch (types_kind(t, id)) {
	case BTF_KIND_INT:
		return int_kind(t, id, ret, what, err);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		*ret = enum_kind(t, id);
		return 0;
	case BTF_KIND_ARRAY:
		return array_kind(t, end, ret, what, err);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		*ret = KIND_NONE;
		return 0;
	case BTF_KIND_PTR:
		return err_set(err, -EINVAL, "%s is a pointer; give what it points to", what);
	case BTF_KIND_FLOAT:
		return err_set(err, -EINVAL, "%s is a floating-point number", what);
	default:
		return err_set(err, -EINVAL, "%s is of a type without values", what);
	}
}

int describe_kind(const struct types *t, const struct type_end *end, enum kind *ret,
		  const char *what, struct err *err)
{
	enum kind kind = KIND_NONE;
	int r = base_kind(t, end, &kind, what, err);

	if (r < 0)
		return r;
	for (size_t i = 0; end->meaning && i < array_size(meanings); i++) {
		const struct meaning *m = &meanings[i];

		if (strcmp(end->meaning, m->name))
			continue;
		if (kind != m->base || types_size(t, end->id) != m->size)
			return err_set(err, -EINVAL,
				       "%s is of a type %s that is not the one of gadget/types.h",
				       what, m->name);
		kind = m->kind;
	}
	*ret = kind;
	return 0;
}

/* ---- the gadget ---------------------------------------------------------------------- */

/* A text that GADGET() may have; *ret stays NULL where it has not. */
static int license_text(const struct types *t, uint32_t license, const char *prefix, char **ret,
			struct err *err)
{
	const char *text = describe_tag(t, license, -1, prefix);

	if (text && !describe_text(text, true))
		return err_set(err, -EINVAL, "the gadget's '%s' has control characters", prefix);
	*ret = xstrdup(text);
	return 0;
}

static int describe_self(const struct types *t, struct gadget *g, struct err *err)
{
	uint32_t license = types_find(t, BTF_KIND_VAR, "LICENSE"), cursor = 0;
	const char *text;
	int r;

	text = license ? describe_tag(t, license, -1, "doc:") : NULL;
	if (!text)
		return err_set(err, -EINVAL, "not a gadget: it has no GADGET(\"what it does\")");
	if (!describe_text(text, true))
		return err_set(err, -EINVAL, "the gadget's text has control characters");
	g->doc = xstrdup(text);
	r = license_text(t, license, "limits:", &g->limits, err);
	r = r ?: license_text(t, license, "selftest:", &g->selftest, err);
	r = r ?: license_text(t, license, "selftest-filter:", &g->selftest_filter, err);
	if (r)
		return r;
	g->alone = describe_tag(t, license, -1, "alone") != NULL;
	while ((text = types_tag(t, license, -1, "alias:", &cursor))) {
		if (!describe_identifier(text) || g->n_aliases == MAX_ALIASES)
			return err_set(err, -EINVAL,
				       "the gadget has malformed or too many aliases");
		*grow(&g->aliases, &g->n_aliases, &g->room_aliases) = xstrdup(text);
	}
	return 0;
}

/* "open_source" -> "open" */
static int source_name(const char *variable, char **ret, struct err *err)
{
	size_t len = strlen(variable), suffix = strlen("_source");

	if (len <= suffix || strcmp(variable + len - suffix, "_source") ||
	    !describe_identifier(variable))
		return err_set(err, -EINVAL, "data source %s is not called NAME_source", variable);
	*ret = xstrndup(variable, len - suffix);
	return 0;
}

static int describe_source(const struct types *t, uint32_t var, const struct source_tag *tag,
			   struct gadget *g, struct err *err)
{
	const char *variable = types_name(t, var), *sort;
	uint32_t id = types_strip(t, t->by_id[var]->type, true);
	struct source *src;
	int r;

	if (types_kind(t, id) == BTF_KIND_PTR)
		id = types_strip(t, t->by_id[id]->type, true);
	if (types_kind(t, id) != BTF_KIND_STRUCT)
		return err_set(err, -EINVAL, "data source %s is not a pointer to a struct",
			       variable);
	if (types_size(t, id) > MAX_RECORD_BYTES || !types_size(t, id))
		return err_set(err, -EINVAL, "records of data source %s are longer than %u bytes",
			       variable, MAX_RECORD_BYTES);
	if (g->n_sources == MAX_SOURCES)
		return err_set(err, -EINVAL, "more than %u data sources", MAX_SOURCES);

	src = grow(&g->sources, &g->n_sources, &g->room_sources);
	src->pub.kind = tag->kind;
	src->pub.sampled = tag->sampled;
	r = source_name(variable, &src->prefix, err);
	if (r < 0)
		return r;
	src->pub.name = src->prefix;
	sort = describe_tag(t, var, -1, "sort:");
	if (sort && !describe_text(sort, false))
		return err_set(err, -EINVAL, "the order of data source %s is malformed", variable);
	src->pub.sort = src->sort = xstrdup(sort);
	src->pub.schema = schema_new(g->name, src->prefix, (uint32_t)types_size(t, id));
	schema_set_sort(src->pub.schema, sort);
	return describe_fields(t, id, src, err);
}

static int describe_sources(const struct types *t, struct gadget *g, struct err *err)
{
	uint32_t section = types_find(t, BTF_KIND_DATASEC, ".gadget");

	for (uint32_t i = 0; section && i < types_count(t, section); i++) {
		uint32_t var = types_vars(t, section)[i].type;

		for (size_t tag = 0; tag < array_size(source_tags); tag++) {
			const char *rest = describe_tag(t, var, -1, source_tags[tag].word);
			int r;

			if (!rest || *rest)
				continue;
			r = describe_source(t, var, &source_tags[tag], g, err);
			if (r < 0)
				return r;
		}
	}
	if (!g->n_sources)
		return err_set(err, -EINVAL, "not a gadget: it has no data source");
	return 0;
}

static int describe_params(const struct object *o, struct gadget *g, struct err *err)
{
	const struct types *t = &o->types;
	uint32_t section = types_find(t, BTF_KIND_DATASEC, ".rodata");

	for (uint32_t i = 0; section && i < types_count(t, section); i++) {
		uint32_t var = types_vars(t, section)[i].type;
		const char *rest = describe_tag(t, var, -1, "param");
		int r;

		if (!rest || *rest)
			continue;
		if (g->n_params == MAX_PARAMS)
			return err_set(err, -EINVAL, "more than %u parameters", MAX_PARAMS);
		r = describe_param(o, var, g, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int gadget_describe(struct gadget *g, struct err *err)
{
	_cleanup_(object_close) struct object o = {};
	int r = object_open(g->elf, g->elf_size, &o, err);

	if (r < 0)
		return r;
	r = describe_self(&o.types, g, err);
	if (r < 0)
		return r;
	r = describe_sources(&o.types, g, err);
	return r < 0 ? r : describe_params(&o, g, err);
}
