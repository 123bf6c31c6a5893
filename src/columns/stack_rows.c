// SPDX-License-Identifier: Apache-2.0
#include "columns/stack_rows.h"

#include <string.h>

/* ---- fields --------------------------------------------------------------------------------- */

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

bool stack_fields_find(const struct schema *s, struct stack_fields *ret)
{
	*ret = (struct stack_fields){
		.comm = first_of(s, "g_comm", NULL),
		.pid = first_of(s, "g_pid", NULL),
		.user = first_of(s, "g_ustack", "g_ustack_id"),
		.kernel = first_of(s, "g_kstack", "g_kstack_id"),
		.files = first_of(s, "g_ustack_files", NULL),
		.container = schema_field(s, "runtime.containerName"),
		.k8s_container = schema_field(s, "k8s.containerName"),
		.pod = schema_field(s, "k8s.podName"),
		.namespace = schema_field(s, "k8s.namespace"),
		.node = schema_field(s, "k8s.node"),
	};
	return ret->user || ret->kernel;
}

bool stack_is_number(const struct field *f)
{
	return f->part == PART_RECORD && (f->kind == KIND_UINT || f->kind == KIND_INT);
}

struct stack_text stack_field_text(const struct row *row, const struct field *f)
{
	struct stack_text text = {"", 0};
	bool truncated;

	if (f && !row_text(row, f, &text.s, &text.len, &truncated))
		text = (struct stack_text){"", 0};
	return text;
}

/* ---- frames --------------------------------------------------------------------------------- */

static bool is_hex(char c)
{
	return c && strchr("0123456789abcdef", c);
}

/* The place of "+0x12…" behind the name, or the end: there is none. */
static const char *find_distance(const char *text, size_t len)
{
	const char *end = text + len, *at = text;

	while ((at = memchr(at, '+', (size_t)(end - at)))) {
		const char *digits = at + 3;

		if (end - at > 3 && !memcmp(at, "+0x", 3) && is_hex(*digits)) {
			while (digits < end && is_hex(*digits))
				digits++;
			if (digits == end || *digits == ' ')
				return at;
		}
		at++;
	}
	return end;
}

static uint64_t read_hex(const char *at, const char *end)
{
	uint64_t n = 0;

	for (; at < end && is_hex(*at); at++)
		n = n << 4 | (uint64_t)(*at <= '9' ? *at - '0' : *at - 'a' + 10);
	return n;
}

/* "+0x12 (/bin/app)": what stands in the brackets. */
static struct stack_text file_behind(const char *distance, const char *end)
{
	const char *open = memchr(distance, ' ', (size_t)(end - distance));

	if (!open || end - open < 4 || !strchr("([", open[1]) || !strchr(")]", end[-1]))
		return (struct stack_text){"", 0};
	return (struct stack_text){open + 2, (size_t)(end - open) - 3};
}

static bool starts(struct stack_text t, const char *with)
{
	size_t n = strlen(with);

	return t.len > n && !memcmp(t.s, with, n);
}

static struct stack_frame parse_frame(struct stack_text t)
{
	const char *end = t.s + t.len, *distance = find_distance(t.s, t.len);
	struct stack_text before = {t.s, (size_t)(distance - t.s)};
	bool named = distance < end && *t.s != '/' && !starts(t, "build-id:");
	struct stack_frame f = {0};

	if (starts(t, "0x")) {
		f.place = read_hex(t.s + 2, end);
	} else if (named || distance == end) {
		f.function = before;
		f.file = file_behind(distance, end);
	} else {
		f.file = before;
		f.place = read_hex(distance + 3, end);
	}
	return f;
}

/* Outermost first; the record has it last. */
static void each_of(const struct row *row, const struct field *field, bool kernel,
		    stack_frame_fn *fn, void *ctx)
{
	const char *bytes;
	bool truncated;
	size_t end;

	if (!field || !row_text(row, field, &bytes, &end, &truncated))
		return;
	if (truncated)
		fn(ctx, &(struct stack_frame){.kernel = kernel, .cut = true});
	while (end) {
		size_t len = end - !bytes[end - 1], start = len;

		while (start && bytes[start - 1])
			start--;
		if (len > start) {
			struct stack_frame f =
				parse_frame((struct stack_text){bytes + start, len - start});

			f.kernel = kernel;
			fn(ctx, &f);
		}
		end = start;
	}
}

void stack_each_frame(const struct stack_fields *fields, const struct row *row, stack_frame_fn *fn,
		      void *ctx)
{
	each_of(row, fields->user, false, fn, ctx);
	each_of(row, fields->kernel, true, fn, ctx);
}
