// SPDX-License-Identifier: Apache-2.0
/* Parameters of a gadget on the wire. */
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "wire/internal.h"

enum { MAX_PARAMS = 256, MAX_PARAM_TEXT = 8192 };

/* Our types and the ecosystem's; what is not here is text there. */
static const struct {
	const char *ours, *theirs;
} types[] = {
	{"bool", "bool"},	  {"u8", "uint8"}, {"u16", "uint16"}, {"u32", "uint32"},
	{"u64", "uint64"},	  {"i8", "int8"},  {"i16", "int16"},  {"i32", "int32"},
	{"i64", "int64"},	  {"i64", "int"},  {"u64", "uint"},   {"text", "string"},
	{"duration", "duration"},
};

static const char *their_type(const char *ours)
{
	for (size_t i = 0; i < array_size(types); i++)
		if (str_equal(types[i].ours, ours))
			return types[i].theirs;
	return "string";
}

static const char *our_type(const char *theirs)
{
	for (size_t i = 0; i < array_size(types); i++)
		if (str_equal(types[i].theirs, theirs))
			return types[i].ours;
	return "text";
}

/* ---- packing ------------------------------------------------------------------------------- */

/* In UTF-8 whatever it was, which clients insist on. */
static char *shown(struct arena *a, const char *text)
{
	_cleanup_(buf_done) struct buf b = {.max = MAX_PARAM_TEXT};

	escape_text(&b, text ?: "", text ? strlen(text) : 0);
	return arena_strdup(a, buf_cstr(&b));
}

static Api__Param *describe(const struct gadget_param *p, struct arena *a)
{
	Api__Param *to = arena_alloc(a, sizeof(*to));
	_cleanup_(freep) char *tag = xasprintf(TAG_TYPE "%s", p->type);

	api__param__init(to);
	to->key = (char *)p->name;
	to->prefix = (char *)PARAM_PREFIX;
	to->description = shown(a, p->doc);
	to->defaultvalue = shown(a, p->default_text);
	to->typehint = (char *)their_type(p->type);
	to->n_tags = 1;
	to->tags = arena_alloc(a, sizeof(*to->tags));
	to->tags[0] = arena_strdup(a, tag);
	return to;
}

void wire_params_pack(const struct gadget *g, struct arena *a, Api__GadgetInfo *info)
{
	info->n_params = gadget_n_params(g);
	info->params = arena_alloc(a, info->n_params * sizeof(*info->params));
	for (size_t i = 0; i < info->n_params; i++)
		info->params[i] = describe(gadget_param(g, i), a);
}

/* ---- unpacking ----------------------------------------------------------------------------- */

/* A name that can be a flag. */
static bool is_flag(const char *name)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
	size_t len = strspn(name, allowed);

	return len && len <= 64 && !name[len] && *name != '-';
}

/* Our own server says the very type. */
static const char *type_of(const Api__Param *p)
{
	for (size_t i = 0; i < p->n_tags; i++)
		if (str_starts(p->tags[i], TAG_TYPE) && is_flag(p->tags[i] + strlen(TAG_TYPE)))
			return p->tags[i] + strlen(TAG_TYPE);
	return our_type(p->typehint);
}

void wire_params_unpack(const Api__GadgetInfo *info, struct wire_gadget *g)
{
	size_t room = 0;

	for (size_t i = 0; i < info->n_params && g->n_params < MAX_PARAMS; i++) {
		const Api__Param *p = info->params[i];

		if (!str_equal(p->prefix, PARAM_PREFIX) || !is_flag(p->key))
			continue; /* of the server and not of the gadget */
		*grow(&g->params, &g->n_params, &room) = (struct gadget_param){
			.name = xstrdup(p->key),
			.doc = wire_shown(p->description),
			.type = xstrdup(type_of(p)),
			.default_text = wire_shown(p->defaultvalue),
		};
	}
}
