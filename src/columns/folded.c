// SPDX-License-Identifier: Apache-2.0
#include "columns/folded.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "columns/arena.h"
#include "columns/format.h"

struct line {
	int64_t sum;
	char *stack; /* "comm;main;work" */
};

struct folded {
	void *tree; /* of struct line (tsearch(3)) */
	struct arena arena;
	struct buf key; /* of the row at hand */
	uint64_t refused;
};

struct folded *folded_new(void)
{
	struct folded *f = xnew(struct folded);

	buf_init(&f->key, MAX_RECORD_BYTES + 2 * MAX_STACK_BYTES);
	return f;
}

static void keep(void *line)
{
	/* the arena has it */
}

struct folded *folded_free(struct folded *f)
{
	if (!f)
		return NULL;
	tdestroy(f->tree, keep);
	arena_done(&f->arena);
	buf_done(&f->key);
	free(f);
	return NULL;
}

/* ---- which fields --------------------------------------------------------------------------- */

static const struct field *first_number(const struct schema *s)
{
	for (size_t i = 0; i < s->n_fields; i++) {
		const struct field *f = &s->fields[i];

		if (stack_is_number(f) && !(f->flags & (FIELD_KEY | FIELD_INTERNAL)) &&
		    !f->format->date)
			return f;
	}
	return NULL;
}

int folded_plan(const struct schema *s, bool table, const char *value, struct folded_plan *ret,
		struct err *err)
{
	struct folded_plan plan = {.value = table ? first_number(s) : NULL};

	if (!stack_fields_find(s, &plan.fields))
		return err_set(err, -ENOENT, "%s tells no stacks", s->gadget ?: s->name);
	if (value) {
		plan.value = schema_require(s, value, err);
		if (!plan.value)
			return -ENOENT;
		if (!stack_is_number(plan.value))
			return err_set(err, -EINVAL, "--value: %s is no number", plan.value->name);
	}
	*ret = plan;
	return 0;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* As a frame's name: what steers is escaped, and ; stands between frames only. */
static void add_name(struct buf *key, struct stack_text name)
{
	size_t start = key->len;

	escape_text(key, name.s, name.len);
	for (size_t i = start; i < key->len; i++)
		if (key->data[i] == ';')
			key->data[i] = ':';
}

static void add_frame(void *ctx, const struct stack_frame *f)
{
	struct buf *key = ctx;

	buf_char(key, ';');
	if (f->cut) {
		buf_str(key, "[…]");
	} else if (f->function.len) {
		add_name(key, f->function);
	} else if (f->file.len) {
		buf_char(key, '[');
		add_name(key, f->file);
		buf_char(key, ']');
	} else {
		buf_str(key, "[unknown]");
	}
	if (f->kernel)
		buf_str(key, FOLDED_KERNEL);
}

/* The container of a row, as one frame. */
static void add_container(struct buf *key, const struct stack_fields *fields, const struct row *row)
{
	struct stack_text pod = stack_field_text(row, fields->pod);
	struct stack_text name = stack_field_text(row, fields->container);

	if (pod.len) {
		add_name(key, stack_field_text(row, fields->namespace));
		buf_char(key, '/');
		add_name(key, pod);
		buf_char(key, '/');
		name = stack_field_text(row, fields->k8s_container);
	}
	if (pod.len || name.len)
		add_name(key, name);
	else
		buf_str(key, "[no container]");
	buf_char(key, ';');
}

static int by_stack(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->stack, ((const struct line *)b)->stack);
}

/* NULL: there is no room for a new one. */
static struct line *line_of(struct folded *f)
{
	struct line search = {.stack = (char *)buf_cstr(&f->key)}, **found;

	found = tfind(&search, &f->tree, by_stack);
	if (!found && f->arena.bytes + f->key.len < MAX_FOLDED_BYTES) {
		struct line *line = arena_alloc(&f->arena, sizeof(*line));

		*line = (struct line){.stack = arena_strdup(&f->arena, search.stack)};
		found = tsearch(line, &f->tree, by_stack);
	}
	return found ? *found : NULL;
}

bool folded_add(struct folded *f, const struct folded_plan *plan, const struct row *row)
{
	int64_t value = 1;
	struct line *line;

	buf_clear(&f->key);
	if (plan->containers)
		add_container(&f->key, &plan->fields, row);
	add_name(&f->key, stack_field_text(row, plan->fields.comm));
	stack_each_frame(&plan->fields, row, add_frame, &f->key);
	line = f->key.failed ? NULL : line_of(f);
	if (!line) {
		f->refused++;
		return false;
	}
	if (plan->value)
		row_number(row, plan->value, &value);
	if (__builtin_add_overflow(line->sum, value, &line->sum))
		line->sum = value > 0 ? INT64_MAX : INT64_MIN;
	return true;
}

uint64_t folded_refused(const struct folded *f)
{
	return f->refused;
}

struct visit {
	folded_line_fn *fn;
	void *ctx;
};

static void visit_line(const void *node, VISIT order, void *ctx)
{
	const struct line *line = *(const struct line *const *)node;
	const struct visit *v = ctx;

	if ((order == postorder || order == leaf) && line->sum > 0)
		v->fn(v->ctx, line->stack, (uint64_t)line->sum);
}

void folded_each(const struct folded *f, folded_line_fn *fn, void *ctx)
{
	struct visit v = {fn, ctx};

	twalk_r(f->tree, visit_line, &v);
}

static void print_line(void *ctx, const char *stack, uint64_t sum)
{
	struct buf *out = ctx;

	buf_str(out, stack);
	buf_char(out, ' ');
	buf_u64(out, sum);
	buf_char(out, '\n');
}

void folded_print(const struct folded *f, struct buf *out)
{
	folded_each(f, print_line, out);
}
