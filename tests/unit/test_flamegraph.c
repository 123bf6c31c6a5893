// SPDX-License-Identifier: Apache-2.0
/* Flame graphs: places and widths of frames, what is left out, names as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/limits.h"
#include "columns/flamegraph.h"
#include "stack_rows.h"

struct setup {
	struct schema *schema;
	struct folded_plan plan;
	struct folded *folded;
	struct stack_row r;
	struct buf out;
};

static void begin(struct setup *s)
{
	*s = (struct setup){.schema = stack_schema(), .folded = folded_new()};
	assert_int_equal(folded_plan(s->schema, true, NULL, &s->plan, NULL), 0);
	s->plan.containers = true;
	buf_init(&s->out, MAX_HELD_BYTES);
}

static void end(struct setup *s)
{
	folded_free(s->folded);
	schema_unref(s->schema);
	buf_done(&s->out);
}

static void add(struct setup *s, uint32_t size)
{
	const struct row row = {.part = {&s->r}, .size = {size}};

	assert_true(folded_add(s->folded, &s->plan, &row));
}

static const char *print(struct setup *s)
{
	buf_clear(&s->out);
	flamegraph_print(s->folded, "a <title>", "samples", &s->out);
	assert_false(s->out.failed);
	return buf_cstr(&s->out);
}

/* The frame of this title lies there. */
static void expect(const char *page, const char *place, const char *title)
{
	const char *at = strstr(page, title), *line = at;

	if (!at)
		fail_msg("no frame %s", title);
	while (line > page && line[-1] != '\n')
		line--;
	at = strstr(line, place);
	if (!at || at > strstr(line, title))
		fail_msg("%s is not at %s: %.200s", title, place, line);
}

static void frames(void **state)
{
	const char *page;
	struct setup s;

	begin(&s);
	add(&s, STACK_ROW(&s.r, "app", 1, "work+0x1 (/a)\0main+0x1 (/a)", "", ""));
	add(&s, STACK_ROW(&s.r, "app", 2, "main+0x2 (/a)", "vfs_read+0x1", ""));
	add(&s, STACK_ROW(&s.r, "other", 1, "main+0x2 (/b)", "", ""));
	page = print(&s);
	expect(page, "class=\"f a0\"><rect y=\"60\" height=\"16\" x=\"0.0000\" width=\"1180.0000\"",
	       "<title>all (4 samples, 100.00%)");
	expect(page, "<rect y=\"77\" height=\"16\" x=\"0.0000\" width=\"1180.0000\"",
	       "<title>[no container] (4 samples, 100.00%)");
	expect(page, "y=\"94\" height=\"16\" x=\"0.0000\" width=\"885.0000\"",
	       "<title>app (3 samples, 75.00%)");
	expect(page, "y=\"111\" height=\"16\" x=\"0.0000\" width=\"885.0000\"",
	       "<title>main (3 samples, 75.00%)");
	expect(page, "y=\"128\" height=\"16\" x=\"0.0000\" width=\"590.0000\"",
	       "<title>vfs_read (2 samples, 50.00%)");
	expect(page, "class=\"f k", "<title>vfs_read (");
	expect(page, "y=\"128\" height=\"16\" x=\"590.0000\" width=\"295.0000\"",
	       "<title>work (1 samples, 25.00%)");
	expect(page, "class=\"f u", "<title>work (");
	expect(page, "x=\"885.0000\" width=\"295.0000\"", "<title>main (1 samples, 25.00%)");
	assert_non_null(strstr(page, "a &lt;title&gt;</text>"));
	assert_non_null(strstr(page, "</svg>\n"));
	end(&s);
}

/* The same rows in another order. */
static void same_bytes(void **state)
{
	_cleanup_(buf_done) struct buf first;
	struct setup s;

	buf_init(&first, MAX_HELD_BYTES);
	for (int turn = 0; turn < 2; turn++) {
		begin(&s);
		for (int i = 0; i < 100; i++) {
			char comm[16];

			snprintf(comm, sizeof(comm), "c%d", turn ? 99 - i : i);
			add(&s, STACK_ROW(&s.r, comm, 3, "b+0x1 (/a)\0a+0x1 (/a)", "k+0x1", ""));
		}
		if (turn)
			assert_string_equal(print(&s), buf_cstr(&first));
		else
			buf_str(&first, print(&s));
		end(&s);
	}
}

static void narrow(void **state)
{
	const char *page;
	struct setup s;

	begin(&s);
	add(&s, STACK_ROW(&s.r, "wide", 11800, "a+0x1 (/a)", "", ""));
	add(&s, STACK_ROW(&s.r, "seen", 2, "b+0x1 (/a)", "", ""));
	add(&s, STACK_ROW(&s.r, "unseen", 1, "deep+0x1 (/a)\0deeper+0x1 (/a)\0c+0x1 (/a)", "", ""));
	page = print(&s);
	expect(page, "width=\"0.1999\"", "<title>seen (2 samples, 0.02%)");
	assert_null(strstr(page, "unseen"));
	/* No room is left for what is left out: all, container, process, function. */
	assert_non_null(strstr(page, "height=\"138\" viewBox"));
	end(&s);
	begin(&s);
	page = print(&s); /* of nothing */
	assert_null(strstr(page, "class=\"f "));
	end(&s);
}

static void names(void **state)
{
	const char *page;
	struct setup s;

	begin(&s);
	add(&s, STACK_ROW(&s.r, "</svg>\"&'", 1,
			  "]]></script>+0x1 (/a)\0\033[2J\xff\xfe+0x1 (/a)\0\xef\xbf\xbf+0x1 (/a)\0"
			  "a;b+0x1 (/a)",
			  "", ""));
	page = print(&s);
	assert_non_null(strstr(page, "<title>&lt;/svg&gt;&quot;&amp;' (1 "));
	assert_non_null(strstr(page, "<title>]]&gt;&lt;/script&gt; (1 "));
	assert_non_null(strstr(page, "<title>\\x1b[2J\\xff\\xfe (1 "));
	assert_non_null(strstr(page, "<title>\\uffff (1 "));
	assert_non_null(strstr(page, "<title>a:b (1 "));
	end(&s);
}

/* A label has as many characters as there is room for, whatever they are made of. */
static void labels(void **state)
{
	const char *page;
	struct setup s;

	begin(&s);
	add(&s, STACK_ROW(&s.r, "a", 1170, "a+0x1 (/a)", "", ""));
	add(&s, STACK_ROW(&s.r, "b", 30, "äöüßäöüß+0x1 (/a)", "", "")); /* 29.5 px: 3 of them */
	page = print(&s);
	assert_non_null(strstr(page, ">äö…</text><title>äöüßäöüß ("));
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames), cmocka_unit_test(same_bytes), cmocka_unit_test(narrow),
		cmocka_unit_test(names),  cmocka_unit_test(labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
