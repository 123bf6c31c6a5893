// SPDX-License-Identifier: Apache-2.0
/* Processes below their parents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "columns/tree.h"
#include "open_row.h"

struct process {
	uint32_t pid, tid, parent;
	const char *name;
};

/* The lines that n processes make, each with its newline; "" where a name is NULL. */
static void draw(const struct process *p, size_t n, struct buf *out)
{
	struct schema *s = open_schema();
	struct open_event *events = xcalloc(n, sizeof(*events));
	struct kept_row *rows = xcalloc(n, sizeof(*rows));
	struct tree_line *lines;

	assert_true(tree_fits(s));
	for (size_t i = 0; i < n; i++) {
		events[i].proc.pid = p[i].pid;
		events[i].proc.tid = p[i].tid ?: p[i].pid;
		events[i].proc.parent.pid = p[i].parent;
		snprintf(events[i].proc.comm, sizeof(events[i].proc.comm), "%s", p[i].name);
		rows[i].row = (struct row){.part = {&events[i]}, .size = {sizeof(events[i])}};
	}
	lines = tree_lines(s, rows, n);
	for (size_t i = 0; i < n; i++) {
		assert_non_null(lines[i].row);
		buf_str(out, lines[i].text);
		buf_char(out, '\n');
	}
	tree_lines_free(lines, n);
	free(rows);
	free(events);
	schema_unref(s);
}

static void expect(const struct process *p, size_t n, const char *lines)
{
	_cleanup_(buf_done) struct buf b;

	buf_init(&b, 1 << 20);
	draw(p, n, &b);
	assert_string_equal(buf_cstr(&b), lines);
}

static void test_tree(void **state)
{
	static const struct process p[] = {
		{30, 0, 20, "leaf"},  {10, 0, 1, "top"},      {20, 0, 10, "middle"},
		{21, 0, 10, "other"}, {20, 25, 10, "thread"}, {40, 0, 999, "alone"},
	};

	expect(p, array_size(p), "top\n├─middle\n│ ├─leaf\n│ └─thread\n└─other\nalone\n");
	expect(NULL, 0, "");
}

/* As in snapshot_file: the children stand below the first. */
static void test_rows_of_one_process(void **state)
{
	static const struct process p[] = {
		{1, 0, 0, "init"}, {5, 0, 1, "a"}, {5, 0, 1, "b"}, {6, 0, 5, "child"}};

	expect(p, array_size(p), "init\n├─a\n│ └─child\n└─b\n");
}

/* Each row stands there once, whatever the ids say. */
static void test_circles(void **state)
{
	static const struct process self[] = {{7, 0, 7, "self"}};
	static const struct process two[] = {{1, 0, 2, "one"}, {2, 0, 1, "two"}};
	static const struct process hung[] = {
		{1, 0, 3, "one"}, {2, 0, 1, "two"}, {3, 0, 2, "three"}, {4, 0, 2, "four"}};

	expect(self, 1, "self\n");
	expect(two, 2, "one\n└─two\n");
	expect(hung, 4, "one\n└─two\n  ├─three\n  └─four\n");
}

static void test_any(void **state)
{
	enum { N = 60 };

	srandom(1);
	for (int round = 0; round < 500; round++) {
		_cleanup_(buf_done) struct buf b;
		struct process p[N];
		size_t lines = 0;

		for (size_t i = 0; i < N; i++)
			p[i] = (struct process){(uint32_t)random() % N, (uint32_t)random() % N,
						(uint32_t)random() % N, "x"};
		buf_init(&b, 1 << 20);
		draw(p, N, &b);
		for (size_t i = 0; i < b.len; i++)
			lines += b.data[i] == '\n';
		assert_int_equal(lines, N);
	}
}

/* A chain as long as a table may be: no recursion, and no line of megabytes. */
static void test_long_chain(void **state)
{
	enum { N = 20000 };
	_cleanup_(buf_done) struct buf b;
	struct process *p = xcalloc(N, sizeof(*p));

	for (uint32_t i = 0; i < N; i++)
		p[i] = (struct process){i + 1, 0, i, "x"};
	buf_init(&b, 16 << 20);
	draw(p, N, &b);
	assert_false(b.failed);
	assert_true(b.len < N * 100u);
	free(p);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tree),	   cmocka_unit_test(test_rows_of_one_process),
		cmocka_unit_test(test_circles),	   cmocka_unit_test(test_any),
		cmocka_unit_test(test_long_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
