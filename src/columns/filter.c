// SPDX-License-Identifier: Apache-2.0
/* Filter expressions: parsing, binding to a schema, matching rows. */
#include "columns/filter.h"

#include <ctype.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/format.h"
#include "columns/labels.h"
#include "columns/regex.h"

enum { MAX_CONDITIONS = 256 };

enum op { OP_EQ, OP_NE, OP_GE, OP_LE, OP_GT, OP_LT, OP_MATCH, OP_NO_MATCH };

static const struct {
	const char *text;
	enum op op;
} ops[] = {
	{"==", OP_EQ}, {"!=", OP_NE}, {">=", OP_GE},	   {"<=", OP_LE},
	{">", OP_GT},  {"<", OP_LT},  {"!~", OP_NO_MATCH}, {"~", OP_MATCH},
};

struct condition {
	char *name;	   /* as written, with its source */
	const char *field; /* within name */
	size_t source_len; /* of the source in name; 0: any */
	enum op op;
	char *value;
};

struct filter {
	struct condition *conditions;
	size_t n, room;
};

struct filter *filter_free(struct filter *f)
{
	if (!f)
		return NULL;
	for (size_t i = 0; i < f->n; i++) {
		free(f->conditions[i].name);
		free(f->conditions[i].value);
	}
	free(f->conditions);
	free(f);
	return NULL;
}

static void filter_freep(struct filter **f)
{
	filter_free(*f);
}

/* ---- parsing ------------------------------------------------------------------------------- */

/* The bytes from start to end without blanks around them. */
static char *trimmed(const char *start, const char *end)
{
	while (start < end && isspace((unsigned char)*start))
		start++;
	while (end > start && isspace((unsigned char)end[-1]))
		end--;
	return xstrndup(start, (size_t)(end - start));
}

/* A value up to the next comma that is not escaped; moves *p behind it. */
static char *read_value(const char **p)
{
	const char *start = *p, *end = start;
	char *value, *out;

	for (; *end && *end != ','; end++)
		if (*end == '\\' && (end[1] == ',' || end[1] == '\\'))
			end++;
	*p = *end ? end + 1 : end;
	out = value = trimmed(start, end);
	for (const char *in = value; *in; in++) {
		if (*in == '\\' && (in[1] == ',' || in[1] == '\\'))
			in++;
		*out++ = *in;
	}
	*out = '\0';
	return value;
}

static int parse_condition(const char **p, struct filter *f, struct err *err)
{
	const char *start = *p, *end = start + strcspn(start, "=!<>~,");
	struct condition *c;
	const char *colon;

	if (f->n >= MAX_CONDITIONS)
		return err_set(err, -EINVAL, "filter: more than %d conditions", MAX_CONDITIONS);
	c = grow(&f->conditions, &f->n, &f->room);
	c->name = trimmed(start, end);
	if (!*c->name)
		return err_set(err, -EINVAL, "filter '%s': a field's name is missing", start);
	colon = strchr(c->name, ':');
	c->source_len = colon ? (size_t)(colon - c->name) : 0;
	c->field = colon ? colon + 1 : c->name;
	for (size_t i = 0; i < array_size(ops); i++) {
		if (!str_starts(end, ops[i].text))
			continue;
		c->op = ops[i].op;
		*p = end + strlen(ops[i].text);
		c->value = read_value(p);
		return 0;
	}
	if (*end == '=')
		return err_set(err, -EINVAL, "filter '%s': write == to compare", start);
	return err_set(err, -EINVAL,
		       "filter '%s': one of == != > >= < <= ~ !~ must follow the field", start);
}

int filter_parse(const char *text, struct filter **ret, struct err *err)
{
	_cleanup_(filter_freep) struct filter *f = xnew(struct filter);

	if (strlen(text) > MAX_FILTER_BYTES)
		return err_set(err, -EINVAL, "filter longer than %d bytes", MAX_FILTER_BYTES);
	do {
		int r = parse_condition(&text, f, err);

		if (r)
			return r;
	} while (*text);
	*ret = take(f);
	return 0;
}

/* ---- binding ------------------------------------------------------------------------------- */

enum test {
	TEST_NEVER,
	TEST_SIGNED,
	TEST_UNSIGNED,
	TEST_DATE, /* as Unix time, signed: dates before boot; 0 is no time, as it is shown */
	TEST_BYTES,
	TEST_TEXT,
	TEST_REGEX,
};

struct bound_condition {
	enum test test;
	enum op op;
	const struct field *field;
	struct field *label; /* the same, where it was made for one label */
	int64_t number;
	char *text; /* TEST_TEXT: of the condition; TEST_BYTES: field->size bytes */
	size_t len;
	struct regex *regex; /* TEST_REGEX */
};

struct bound_filter {
	struct schema *schema;
	struct bound_condition *conditions;
	size_t n;
	struct clock_base clock;
	struct buf text; /* a field as text, while it is compared */
};

struct bound_filter *bound_filter_free(struct bound_filter *b)
{
	if (!b)
		return NULL;
	for (size_t i = 0; i < b->n; i++) {
		regex_free(b->conditions[i].regex);
		free(b->conditions[i].text);
		free(b->conditions[i].label);
	}
	free(b->conditions);
	buf_done(&b->text);
	schema_unref(b->schema);
	free(b);
	return NULL;
}

static void bound_filter_freep(struct bound_filter **b)
{
	bound_filter_free(*b);
}

static bool names_source(const struct condition *c, const struct schema *s)
{
	const char *names[] = {s->name, s->gadget};

	if (!c->source_len)
		return true;
	for (size_t i = 0; i < array_size(names); i++)
		if (names[i] && strlen(names[i]) == c->source_len &&
		    !memcmp(names[i], c->name, c->source_len))
			return true;
	return false;
}

const char *filter_field(const struct filter *f, size_t i)
{
	return i < f->n ? f->conditions[i].name : NULL;
}

bool filter_knows(const struct filter *f, size_t i, const struct schema *s)
{
	const struct condition *c = &f->conditions[i];
	const char *key;

	return names_source(c, s) && schema_require_or_label(s, c->field, &key, NULL);
}

static bool is_number(const struct field *f)
{
	return f->kind == KIND_UINT || f->kind == KIND_INT || f->kind == KIND_BOOL;
}

static int bind_number(const struct condition *c, struct bound_condition *b, struct err *err)
{
	const struct field *f = b->field;
	bool is_unsigned = f->kind == KIND_UINT && f->size == 8;

	b->test = is_unsigned ? TEST_UNSIGNED : TEST_SIGNED;
	if (!parse_i64(c->value, &b->number) && !(is_unsigned && b->number < 0))
		return 0;
	if (is_unsigned && !parse_u64(c->value, (uint64_t *)&b->number))
		return 0;
	if (f->format->parse && !f->format->parse(f, c->value, &b->number))
		return 0;
	if (f->format->date != NO_DATE && !parse_time(c->value, &b->number)) {
		b->test = TEST_DATE;
		return 0;
	}
	return err_set(err, -EINVAL, "filter: '%s' is not a value of field '%s'", c->value,
		       f->name);
}

/* Names of users differ from container to container: the row's text is compared. */
static bool is_owner_name(const struct condition *c, const struct field *f)
{
	int64_t number;

	return field_owner(f) != OWNER_NONE && (c->op == OP_EQ || c->op == OP_NE) &&
	       parse_i64(c->value, &number);
}

static int bind_value(const struct condition *c, struct bound_condition *b, struct err *err)
{
	const struct field *f = b->field;

	b->op = c->op;
	if (field_is_mere_group(f))
		return err_set(err, -EINVAL, "filter: '%s' is a group of fields; name one of them",
			       f->name);
	if (c->op == OP_MATCH || c->op == OP_NO_MATCH) {
		b->test = TEST_REGEX;
		return regex_compile(c->value, &b->regex, err);
	}
	if (is_number(f) && !is_owner_name(c, f))
		return bind_number(c, b, err);
	if (f->format->parse_bytes) {
		b->test = TEST_BYTES;
		b->len = f->size;
		b->text = xcalloc(1, f->size);
		if (f->format->parse_bytes(f, c->value, (unsigned char *)b->text))
			return err_set(err, -EINVAL, "filter: '%s' is not a value of field '%s'",
				       c->value, f->name);
		return 0;
	}
	b->test = TEST_TEXT;
	b->text = xstrdup(c->value);
	b->len = strlen(c->value);
	return 0;
}

/* A field, or one label of a set. */
static bool bind_field(const struct condition *c, const struct schema *s, struct bound_condition *b,
		       struct err *err)
{
	const char *key;

	b->field = schema_require_or_label(s, c->field, &key, err);
	if (b->field && key)
		b->field = b->label = label_field(b->field, key);
	return b->field;
}

int filter_bind(const struct filter *f, const struct schema *s, const struct clock_base *clock,
		bool strict, struct bound_filter **ret, size_t *ret_known, struct err *err)
{
	_cleanup_(bound_filter_freep) struct bound_filter *b = xnew(struct bound_filter);
	size_t known = 0;

	b->schema = schema_ref((struct schema *)s);
	b->clock = clock ? *clock : (struct clock_base){0};
	b->conditions = xnew_n(struct bound_condition, f->n);
	buf_init(&b->text, MAX_HELD_BYTES);
	for (size_t i = 0; i < f->n; i++) {
		const struct condition *c = &f->conditions[i];
		struct bound_condition *to = &b->conditions[b->n];
		int r;

		if (!names_source(c, s)) /* says nothing about this source's rows */
			continue;
		b->n++;
		if (!bind_field(c, s, to, strict ? err : NULL)) {
			if (strict)
				return -ENOENT;
			to->test = TEST_NEVER;
			continue;
		}
		known++;
		r = bind_value(c, to, err);
		if (r)
			return r;
	}
	*ret_known = known;
	*ret = take(b);
	return 0;
}

/* ---- matching ------------------------------------------------------------------------------ */

static bool op_holds(enum op op, int order)
{
	switch (op) {
	case OP_EQ:
		return order == 0;
	case OP_NE:
		return order != 0;
	case OP_GT:
		return order > 0;
	case OP_GE:
		return order >= 0;
	case OP_LT:
		return order < 0;
	case OP_LE:
		return order <= 0;
	default:
		return false;
	}
}

#define compare(a, b) (((a) > (b)) - ((a) < (b)))

static int64_t unix_time(const struct bound_filter *b, const struct field *f, const struct row *row,
			 int64_t value)
{
	if (f->format->date == DATE_REAL)
		return value;
	return (int64_t)((uint64_t)value + (uint64_t)row_clock(row, &b->clock)->boot_to_real_ns);
}

static bool match_number(const struct bound_filter *b, const struct bound_condition *c,
			 const struct row *row)
{
	int64_t value;

	if (!row_number(row, c->field, &value) || (c->test == TEST_DATE && !value))
		return c->op == OP_NE;
	if (c->test == TEST_DATE)
		value = unix_time(b, c->field, row, value);
	return op_holds(c->op, c->test == TEST_UNSIGNED
				       ? compare((uint64_t)value, (uint64_t)c->number)
				       : compare(value, c->number));
}

/* The field as a person reads it: its own bytes where they are that, else made in b->text. */
static void read_text(struct bound_filter *b, const struct field *f, const struct row *row,
		      const char **ret, size_t *ret_len)
{
	bool truncated;

	if (((f->kind == KIND_TEXT && !f->format->type) || f->kind == KIND_CHARS ||
	     f->kind == KIND_CSTR || f->kind == KIND_LABEL) &&
	    row_text(row, f, ret, ret_len, &truncated))
		return;
	buf_clear(&b->text);
	f->format->text(f, row, &b->clock, &b->text);
	*ret = buf_cstr(&b->text);
	*ret_len = b->text.len;
}

static bool match_bytes(const struct bound_condition *c, const struct row *row)
{
	const char *bytes;
	bool truncated;
	size_t len;

	if (!row_text(row, c->field, &bytes, &len, &truncated) || len != c->len)
		return c->op == OP_NE;
	return op_holds(c->op, memcmp(bytes, c->text, len));
}

static bool match_text(struct bound_filter *b, const struct bound_condition *c,
		       const struct row *row)
{
	const char *text;
	size_t len;
	int order;

	read_text(b, c->field, row, &text, &len);
	order = memcmp(text, c->text, len < c->len ? len : c->len);
	return op_holds(c->op, order ? order : compare(len, c->len));
}

/* What would take too long to decide is shown: no text of a container's hides its record. */
static bool match_regex(struct bound_filter *b, const struct bound_condition *c,
			const struct row *row)
{
	const char *text;
	size_t len;
	int found;

	read_text(b, c->field, row, &text, &len);
	found = regex_look(c->regex, text, len);
	return found < 0 || found == (c->op == OP_MATCH);
}

bool filter_match(const struct bound_filter *b, const struct row *row)
{
	struct bound_filter *work = (struct bound_filter *)b; /* its scratch text only */

	for (size_t i = 0; i < b->n; i++) {
		const struct bound_condition *c = &b->conditions[i];
		bool holds = false;

		switch (c->test) {
		case TEST_NEVER:
			return false;
		case TEST_SIGNED:
		case TEST_UNSIGNED:
		case TEST_DATE:
			holds = match_number(b, c, row);
			break;
		case TEST_BYTES:
			holds = match_bytes(c, row);
			break;
		case TEST_TEXT:
			holds = match_text(work, c, row);
			break;
		case TEST_REGEX:
			holds = match_regex(work, c, row);
			break;
		}
		if (!holds)
			return false;
	}
	return true;
}
