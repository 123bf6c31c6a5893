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

static bool is_number(const struct field *f)
{
	return f->part == PART_RECORD && (f->kind == KIND_UINT || f->kind == KIND_INT);
}

static const struct field *first_of(const struct schema *s, const char *type, const char *id_type)
{
	for (size_t i = 0; i < s->n_fields; i++) {
		const struct field *f = &s->fields[i];

		if (f->part == PART_RECORD && f->type &&
		    (!strcmp(f->type, type) || (id_type && !strcmp(f->type, id_type))))
			return f;
	}
	return NULL;
}

static const struct field *first_number(const struct schema *s)
{
	for (size_t i = 0; i < s->n_fields; i++) {
		const struct field *f = &s->fields[i];

		if (is_number(f) && !(f->flags & (FIELD_KEY | FIELD_INTERNAL)) && !f->format->date)
			return f;
	}
	return NULL;
}

int folded_plan(const struct schema *s, bool table, const char *value, struct folded_plan *ret,
		struct err *err)
{
	struct folded_plan plan = {
		.comm = first_of(s, "g_comm", NULL),
		.user = first_of(s, "g_ustack", "g_ustack_id"),
		.kernel = first_of(s, "g_kstack", "g_kstack_id"),
		.value = table ? first_number(s) : NULL,
	};

	if (!plan.user && !plan.kernel)
		return err_set(err, -ENOENT, "-o folded: %s tells no stacks", s->gadget ?: s->name);
	if (value) {
		plan.value = schema_require(s, value, err);
		if (!plan.value)
			return -ENOENT;
		if (!is_number(plan.value))
			return err_set(err, -EINVAL, "--value: %s is no number", plan.value->name);
	}
	*ret = plan;
	return 0;
}

/* ---- lines ---------------------------------------------------------------------------------- */

/* As a frame's name: what steers is escaped, and ; stands between frames only. */
static void add_name(struct buf *key, const char *text, size_t len)
{
	size_t start = key->len;

	escape_text(key, text, len);
	for (size_t i = start; i < key->len; i++)
		if (key->data[i] == ';')
			key->data[i] = ':';
}

/* The place of "+0x12…" behind the name, or the end: there is none. */
static const char *find_distance(const char *text, size_t len)
{
	const char *end = text + len, *at = text;

	while ((at = memchr(at, '+', (size_t)(end - at)))) {
		const char *digits = at + 3;

		if (end - at > 3 && !memcmp(at, "+0x", 3) && strchr("0123456789abcdef", *digits) &&
		    *digits) {
			while (digits < end && *digits && strchr("0123456789abcdef", *digits))
				digits++;
			if (digits == end || *digits == ' ')
				return at;
		}
		at++;
	}
	return end;
}

/* What src/symbols makes of an address: "name+0x12 (/file)", "/file+0x12", "0x1234". */
static void add_frame(struct buf *key, const char *text, size_t len, const char *mark)
{
	const char *end = text + len, *distance = find_distance(text, len);
	bool named = distance < end && *text != '/' && strncmp(text, "build-id:", 9) != 0;

	buf_char(key, ';');
	if (len > 2 && !strncmp(text, "0x", 2)) {
		buf_str(key, "[unknown]");
	} else if (named || distance == end) {
		add_name(key, text, (size_t)(distance - text));
	} else {
		buf_char(key, '[');
		add_name(key, text, (size_t)(distance - text));
		buf_char(key, ']');
	}
	buf_str(key, mark);
}

/* Outermost first; the record has it last. */
static void add_stack(struct buf *key, const struct row *row, const struct field *f,
		      const char *mark)
{
	const char *bytes;
	bool truncated;
	size_t end;

	if (!f || !row_text(row, f, &bytes, &end, &truncated))
		return;
	if (truncated)
		buf_printf(key, ";[…]%s", mark);
	while (end) {
		size_t len = end - !bytes[end - 1], start = len;

		while (start && bytes[start - 1])
			start--;
		if (len > start)
			add_frame(key, bytes + start, len - start, mark);
		end = start;
	}
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
	const char *comm;
	struct line *line;
	bool truncated;
	size_t len;

	buf_clear(&f->key);
	if (plan->comm && row_text(row, plan->comm, &comm, &len, &truncated))
		add_name(&f->key, comm, len);
	add_stack(&f->key, row, plan->user, "");
	add_stack(&f->key, row, plan->kernel, "_[k]");
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

static void print_line(const void *node, VISIT visit, void *ctx)
{
	const struct line *line = *(const struct line *const *)node;
	struct buf *out = ctx;

	if ((visit != postorder && visit != leaf) || line->sum <= 0)
		return;
	buf_str(out, line->stack);
	buf_char(out, ' ');
	buf_i64(out, line->sum);
	buf_char(out, '\n');
}

void folded_print(const struct folded *f, struct buf *out)
{
	twalk_r(f->tree, print_line, out);
}
