/* SPDX-License-Identifier: Apache-2.0 */
/* What describe.c, fields.c and params.c share: reading a gadget's description from its types. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "gadget/internal.h"
#include "gadget/object.h"

/* Where a type leads: through typedefs and modifiers to what it is made of. */
struct type_end {
	uint32_t id;	     /* neither typedef nor modifier */
	const char *meaning; /* typedef's name: the innermost g_…, else the outermost; NULL: none */
};
struct type_end describe_type(const struct types *t, uint32_t id);

/*
 * How its values are stored; KIND_NONE: a struct or union. -EINVAL where no field or parameter can
 * be of this type.
 */
int describe_kind(const struct types *t, const struct type_end *end, enum kind *ret,
		  const char *what, struct err *err);

/* A C identifier: what may be typed on a command line. */
bool describe_identifier(const char *s);

/* Words for people from outside: no control characters; newlines only where `lines`. */
bool describe_text(const char *s, bool lines);

/* The first tag with `prefix` on a type or member (-1: the type itself); NULL: none. */
const char *describe_tag(const struct types *t, uint32_t id, int member, const char *prefix);

/* fields.c: fills the schema of src, whose kind is set, and its sizes from struct `record`. */
int describe_fields(const struct types *t, uint32_t record, struct source *src, struct err *err);

/* rates.c: f, just added to the schema of src, says how much of field `of` there was in a second. */
int rate_describe(struct source *src, const struct field *f, const char *of, struct err *err);

/* params.c: adds the parameter that variable `var` of .rodata is. */
int describe_param(const struct object *o, uint32_t var, struct gadget *g, struct err *err);
