// SPDX-License-Identifier: Apache-2.0
/* Records with numbers that become texts: from the ring, and as they go on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "columns/types.h"
#include "traces/internal.h"

struct record {
	g_text name;
	g_ustack stack, other;
	g_container_name container;
	g_ustack_id kept;
	char tail[4096];
};

struct setup {
	struct traces ts;
	struct trace_source source;
	struct record r;
	uint32_t size;
};

static void add_bytes(struct setup *s, struct g_text_place *place, const void *bytes, size_t len)
{
	*place = (struct g_text_place){s->size, (uint32_t)len};
	memcpy((char *)&s->r + s->size, bytes, len);
	s->size += (uint32_t)len;
}

/* Of no process: each frame is its address. */
static void add_stack(struct setup *s, g_ustack *place, size_t n)
{
	struct g_user_stack stack = {.pid = 1, .start_stack = 1};

	for (size_t i = 0; i < n; i++)
		stack.frames[i] =
			(struct g_stack_frame){.status = G_FRAME_ADDRESS, .where = 0xa0 + i};
	add_bytes(s, place, &stack, offsetof(struct g_user_stack, frames[n]));
}

static void begin(struct setup *s)
{
	struct schema *schema = schema_new("gadget", "source", sizeof(s->r));
	const struct field fields[] = {
		{.name = "name", .type = "g_text", .kind = KIND_TEXT, .size = 8},
		{.name = "stack", .type = "g_ustack", .kind = KIND_LIST, .size = 8, .offset = 8},
		{.name = "other", .type = "g_ustack", .kind = KIND_LIST, .size = 8, .offset = 16},
		{.name = "container",
		 .type = "g_container_name",
		 .kind = KIND_TEXT,
		 .size = 8,
		 .offset = 24},
		{.name = "kept", .type = "g_ustack_id", .kind = KIND_LIST, .size = 8, .offset = 32},
	};

	*s = (struct setup){.ts.symbols = symbols_new(-1), .size = offsetof(struct record, tail)};
	buf_init(&s->ts.made, 2 * MAX_RECORD_BYTES);
	buf_init(&s->ts.text, MAX_STACK_BYTES);
	assert_int_equal(schema_add_table(schema, fields, array_size(fields), NULL), 0);
	texts_find(&s->source, schema);
	assert_int_equal(s->source.n_texts, 4);
	schema_unref(schema);
}

static void end(struct setup *s)
{
	symbols_free(s->ts.symbols);
	buf_done(&s->ts.made);
	buf_done(&s->ts.text);
	free(s->source.texts);
}

/* The strings of a list, joined by |. */
static void expect_list(const char *record, uint32_t size, size_t offset, const char *text,
			bool cut)
{
	struct g_text_place place;
	char list[256] = "";
	uint32_t len;

	memcpy(&place, record + offset, sizeof(place));
	len = place.length & ~G_TRUNCATED;
	assert_int_equal(!!(place.length & G_TRUNCATED), cut);
	assert_true(place.offset + len <= size);
	if (cut)
		return;
	assert_true(len < sizeof(list));
	for (uint32_t i = 0; i < len; i++)
		list[i] = record[place.offset + i] ?: '|';
	assert_string_equal(list, text);
}

static void none(void **state)
{
	struct setup s;
	uint32_t before;

	begin(&s);
	add_bytes(&s, &s.r.name, "name", 4);
	before = s.size;
	assert_ptr_equal(texts_made(&s.ts, &s.source, &s.r, &s.size), &s.r);
	s.r.stack = (g_ustack){4, UINT32_MAX}; /* a hostile gadget's: outside of the record */
	s.r.other = (g_ustack){UINT32_MAX, 8};
	assert_ptr_equal(texts_made(&s.ts, &s.source, &s.r, &s.size), &s.r);
	assert_ptr_equal(texts_made(&s.ts, &s.source, &s.r, &(uint32_t){12}), &s.r);
	assert_int_equal(s.size, before);
	end(&s);
}

static void last(void **state)
{
	struct setup s;
	const char *got;

	begin(&s);
	add_bytes(&s, &s.r.name, "name", 4);
	add_stack(&s, &s.r.stack, 2);
	got = texts_made(&s.ts, &s.source, &s.r, &s.size);
	expect_list(got, s.size, offsetof(struct record, stack), "0xa0|0xa1|", false);
	/* The addresses are gone. */
	assert_int_equal(s.size, offsetof(struct record, tail) + 4 + strlen("0xa0|0xa1|"));
	assert_memory_equal(got + offsetof(struct record, tail), "name", 4);
	end(&s);
}

static void several(void **state)
{
	struct setup s;
	const char *got;

	begin(&s);
	add_stack(&s, &s.r.other, 1);
	add_stack(&s, &s.r.stack, 3);
	add_bytes(&s, &s.r.name, "name", 4);
	got = texts_made(&s.ts, &s.source, &s.r, &s.size);
	expect_list(got, s.size, offsetof(struct record, stack), "0xa0|0xa1|0xa2|", false);
	expect_list(got, s.size, offsetof(struct record, other), "0xa0|", false);
	assert_memory_equal(got + s.r.name.offset, "name", 4);
	end(&s);
}

/* The record ends before the place where the empty one would have begun. */
static void empty_before_last(void **state)
{
	struct setup s;
	const char *got;

	begin(&s);
	add_stack(&s, &s.r.stack, 0);
	add_stack(&s, &s.r.other, 1);
	got = texts_made(&s.ts, &s.source, &s.r, &s.size);
	expect_list(got, s.size, offsetof(struct record, stack), "", false);
	expect_list(got, s.size, offsetof(struct record, other), "0xa0|", false);
	end(&s);
}

/* As many frames as fit: there may be more. A mark of the gadget's own stays. */
static void cut(void **state)
{
	struct setup s;
	const char *got;

	begin(&s);
	add_stack(&s, &s.r.stack, G_STACK_FRAMES);
	got = texts_made(&s.ts, &s.source, &s.r, &s.size);
	expect_list(got, s.size, offsetof(struct record, stack), "", true);
	end(&s);
	begin(&s);
	add_stack(&s, &s.r.stack, 1);
	s.r.stack.length |= G_TRUNCATED;
	got = texts_made(&s.ts, &s.source, &s.r, &s.size);
	expect_list(got, s.size, offsetof(struct record, stack), "", true);
	end(&s);
}

/* A hostile gadget's, which is no cgroup's id. */
static void not_a_container(void **state)
{
	struct setup s;
	const char *got;

	begin(&s);
	add_bytes(&s, &s.r.container, "123", 3);
	got = texts_made(&s.ts, &s.source, &s.r, &s.size);
	expect_list(got, s.size, offsetof(struct record, container), "", true);
	assert_int_equal(s.size, offsetof(struct record, tail));
	end(&s);
}

/* A stack of a table that could not be had, or had no room. */
static void no_stack(void **state)
{
	struct setup s;
	const char *got;

	begin(&s);
	s.r.kept = EFAULT;
	got = texts_made(&s.ts, &s.source, &s.r, &s.size);
	expect_list(got, s.size, offsetof(struct record, kept), "[no stack: Bad address]|", false);
	end(&s);
	begin(&s);
	s.r.kept = E2BIG;
	got = texts_made(&s.ts, &s.source, &s.r, &s.size);
	expect_list(got, s.size, offsetof(struct record, kept),
		    "[no stack: too many different ones]|", false);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(none),
		cmocka_unit_test(last),
		cmocka_unit_test(several),
		cmocka_unit_test(empty_before_last),
		cmocka_unit_test(cut),
		cmocka_unit_test(not_a_container),
		cmocka_unit_test(no_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
