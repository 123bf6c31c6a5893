// SPDX-License-Identifier: Apache-2.0
/*
 * Parameters: tagged constants in an object's .rodata. Their types, defaults and texts come from
 * the object; gadget_set() reads what a person writes, gadget_load() puts the bytes into the
 * object.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/format.h"
#include "gadget/describe.h"

#define MAX_PARAM_BYTES 4096 /* of a text */

/* ---- types --------------------------------------------------------------------------- */

static const char *const number_names[2][9] = {
	{ [1] = "u8", [2] = "u16", [4] = "u32", [8] = "u64" },
	{ [1] = "i8", [2] = "i16", [4] = "i32", [8] = "i64" },
};

/* A field in place of the parameter, so that the formats of columns/ read and show it. */
static struct field as_field(const struct param *p)
{
	struct field f = {
		.name = p->pub.name,
		.type = p->type,
		.kind = p->kind,
		.size = p->place.size,
		.parent = -1,
	};

	f.format = format_find(p->type, p->kind, p->place.size);
	return f;
}

/* Has the type a way of its own to be written, such as "10ms"? */
static bool has_format(const struct param *p)
{
	return p->type && !strncmp(p->type, "g_", 2) &&
	       format_find(p->type, p->kind, p->place.size) !=
		       format_find(NULL, p->kind, p->place.size);
}

static const char *shown_type(const struct param *p)
{
	if (p->kind == KIND_BOOL)
		return "bool";
	if (p->kind == KIND_CHARS)
		return "text";
	if (has_format(p))
		return p->type + strlen("g_");
	return number_names[p->kind == KIND_INT][p->place.size];
}

/* ---- numbers and their bytes --------------------------------------------------------- */

static bool fits(const struct param *p, int64_t value)
{
	unsigned int bits = p->place.size * 8;

	if (bits == 64)
		return true; /* unsigned ones were read as such */
	if (p->kind == KIND_INT)
		return value >= -(1ll << (bits - 1)) && value < 1ll << (bits - 1);
	return value >= 0 && value < 1ll << bits;
}

static void store(unsigned char *to, uint32_t size, uint64_t value)
{
	for (uint32_t i = 0; i < size; i++)
		to[i] = (unsigned char)(value >> 8 * i);
}

static int64_t fetch(const unsigned char *from, const struct param *p)
{
	unsigned int unused = 64 - p->place.size * 8;
	uint64_t value = 0;

	for (uint32_t i = 0; i < p->place.size; i++)
		value |= (uint64_t)from[i] << 8 * i;
	return p->kind == KIND_INT ? (int64_t)(value << unused) >> unused : (int64_t)value;
}

static int read_number(const struct param *p, const char *text, int64_t *ret)
{
	struct field f = as_field(p);
	uint64_t number;
	bool yes = false;
	int r;

	if (p->kind == KIND_BOOL) {
		r = parse_bool(text, &yes);
		*ret = yes;
		return r;
	}
	if (has_format(p) && f.format->parse && !f.format->parse(&f, text, ret))
		r = 0;
	else if (p->kind == KIND_INT)
		r = parse_i64(text, ret);
	else
		*ret = (int64_t)((r = parse_u64(text, &number)) < 0 ? 0 : number);
	if (r < 0)
		return r;
	return fits(p, *ret) ? 0 : -ERANGE;
}

/* ---- description --------------------------------------------------------------------- */

static char *default_text(const struct param *p, const unsigned char *bytes)
{
	struct row row = { .part = { bytes }, .size = { p->place.size } };
	struct field f = as_field(p);
	char *text;
	struct buf b;

	if (p->kind == KIND_CHARS)
		return xstrndup((const char *)bytes, p->place.size);
	if (p->kind == KIND_BOOL)
		return xstrdup(*bytes ? "true" : "false");
	buf_init(&b, MAX_PARAM_BYTES);
	if (has_format(p))
		field_text(&f, &row, &(struct clock_base){}, &b);
	else if (p->kind == KIND_INT)
		buf_i64(&b, fetch(bytes, p));
	else
		buf_u64(&b, (uint64_t)fetch(bytes, p));
	text = xstrdup(buf_cstr(&b));
	buf_done(&b);
	return text;
}

static char *flag_name(const char *symbol)
{
	char *name = xstrdup(symbol);

	for (char *at = name; *at; at++)
		if (*at == '_')
			*at = '-';
	return name;
}

static int check_type(const struct types *t, const struct type_end *end, enum kind kind,
		      const char *name, struct err *err)
{
	if (kind == KIND_CHARS && types_size(t, end->id) > MAX_PARAM_BYTES)
		return err_set(err, -EINVAL, "parameter %s is longer than %u bytes", name,
			       MAX_PARAM_BYTES);
	if (kind != KIND_BOOL && kind != KIND_UINT && kind != KIND_INT && kind != KIND_CHARS)
		return err_set(err, -EINVAL, "parameter %s is neither a number nor text", name);
	return 0;
}

int describe_param(const struct object *o, uint32_t var, struct gadget *g, struct err *err)
{
	const struct types *t = &o->types;
	struct type_end end = describe_type(t, t->by_id[var]->type);
	const char *name = types_name(t, var), *doc = describe_tag(t, var, -1, "doc:");
	const unsigned char *bytes;
	struct param *p;
	enum kind kind;
	uint32_t offset;
	int r;

	if (!describe_identifier(name) || (doc && !describe_text(doc, false)))
		return err_set(err, -EINVAL, "parameter %s has a malformed name or text", name);
	r = describe_kind(t, &end, &kind, name, err);
	if (r < 0)
		return r;
	r = check_type(t, &end, kind, name, err);
	if (r < 0)
		return r;
	r = object_variable(o, ".rodata", var, &bytes, &offset, err);
	if (r < 0)
		return r;

	p = grow(&g->params, &g->n_params, &g->room_params);
	p->kind = kind;
	p->alone = describe_tag(t, var, -1, "alone") != NULL;
	p->filter = kind == KIND_CHARS ? xstrdup(describe_tag(t, var, -1, "packet-filter:")) : NULL;
	p->type = xstrdup(end.meaning ? end.meaning : types_name(t, end.id));
	p->place = (struct constant){
		.symbol = xstrdup(name),
		.offset = offset,
		.size = (uint32_t)types_size(t, end.id),
	};
	p->pub.name = flag_name(name);
	p->pub.doc = xstrdup(doc ? doc : "");
	p->pub.type = shown_type(p);
	p->initial = xcalloc(1, p->place.size);
	memcpy(p->initial, bytes, p->place.size);
	p->pub.default_text = default_text(p, bytes);
	if (!describe_text(p->pub.default_text, false))
		return err_set(err, -EINVAL, "the default of parameter %s has control characters",
			       name);
	return 0;
}

/* ---- values -------------------------------------------------------------------------- */

bool gadget_same_name(const char *a, const char *b)
{
	for (; *a && *b; a++, b++)
		if ((*a == '_' ? '-' : *a) != (*b == '_' ? '-' : *b))
			return false;
	return *a == *b;
}

static const char *next_param(const void *ctx, size_t i)
{
	const struct gadget *g = ctx;

	return i < g->n_params ? g->params[i].pub.name : NULL;
}

static struct param *find_param(struct gadget *g, const char *name)
{
	for (size_t i = 0; i < g->n_params; i++)
		if (gadget_same_name(g->params[i].pub.name, name))
			return &g->params[i];
	return NULL;
}

static int read_value(const struct param *p, const char *text, unsigned char *to, struct err *err)
{
	int64_t number;
	int r;

	if (p->kind == KIND_CHARS) {
		size_t len = strlen(text);

		if (len >= p->place.size)
			return err_set(err, -EINVAL, "--%s takes at most %u bytes", p->pub.name,
				       p->place.size - 1);
		memcpy(to, text, len);
		return 0;
	}
	r = read_number(p, text, &number);
	if (r == -ERANGE)
		return err_set(err, -EINVAL, "--%s: '%s' is out of range (%s)", p->pub.name, text,
			       p->pub.type);
	if (r < 0)
		return err_set(err, -EINVAL, "--%s: '%s' is not a value of its type (%s)",
			       p->pub.name, text, p->pub.type);
	store(to, p->place.size, (uint64_t)number);
	return 0;
}

int gadget_set(struct gadget *g, const char *param, const char *value, struct err *err)
{
	struct param *p = find_param(g, param);
	_cleanup_(freep) unsigned char *bytes = NULL;
	const char *near;
	int r;

	if (!p) {
		near = nearest(param, next_param, g);
		if (near)
			return err_set(err, -ENOENT, "%s has no parameter '%s'; did you mean '%s'?",
				       g->name, param, near);
		return err_set(err, -ENOENT, "%s has no parameter '%s'", g->name, param);
	}
	bytes = xcalloc(1, p->place.size);
	r = read_value(p, value, bytes, err);
	if (r < 0)
		return r;
	free(p->value);
	p->value = take(bytes);
	return 0;
}

bool param_is_true(const struct gadget *g, const char *symbol)
{
	for (size_t i = 0; i < g->n_params; i++) {
		const struct param *p = &g->params[i];

		if (p->kind == KIND_BOOL && !strcmp(p->place.symbol, symbol))
			return *(p->value ?: p->initial);
	}
	return false;
}

uint64_t param_number(const struct gadget *g, const char *symbol)
{
	for (size_t i = 0; i < g->n_params; i++) {
		const struct param *p = &g->params[i];
		uint64_t n = 0;

		if (p->kind != KIND_UINT || p->place.size > sizeof(n) ||
		    strcmp(p->place.symbol, symbol) != 0)
			continue;
		memcpy(&n, p->value ?: p->initial, p->place.size); /* little endian */
		return n;
	}
	return 0;
}

const char *gadget_text_value(const struct gadget *g, const char *param)
{
	for (size_t i = 0; i < g->n_params; i++) {
		const struct param *p = &g->params[i];
		const unsigned char *bytes = p->value ? p->value : p->initial;

		if (p->kind == KIND_CHARS && !strcmp(p->pub.name, param) &&
		    memchr(bytes, '\0', p->place.size))
			return (const char *)bytes;
	}
	return NULL;
}

bool gadget_same(const struct gadget *a, const struct gadget *b)
{
	if (a->alone || a->elf_size != b->elf_size || memcmp(a->elf, b->elf, a->elf_size))
		return false;
	for (size_t i = 0; i < a->n_params; i++) {
		const struct param *p = &a->params[i], *q = &b->params[i];

		if (memcmp(p->value ?: p->initial, q->value ?: q->initial, p->place.size) ||
		    (p->alone && memcmp(p->value ?: p->initial, p->initial, p->place.size)))
			return false;
	}
	return true;
}
