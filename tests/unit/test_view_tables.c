// SPDX-License-Identifier: Apache-2.0
/* Views: filters, limits, and tables that are sorted, cut and drawn anew. */
#include "view_fixture.h"

/* ---- filters, limits, tables --------------------------------------------------------------- */

static void filters_and_limits(void **state)
{
	const char *filters[] = {"fd>=5", NULL, "", "comm==nginx"};
	struct view_options o = options("json");
	struct fixture x;

	o.fields = "fd";
	o.filters = filters;
	o.n_filters = array_size(filters);
	o.max_entries = 2;
	open_view(&x, o, VIEW_STREAM);
	x.r.event.fd = 4;
	assert_false(give(&x));
	x.r.event.fd = 5;
	assert_true(give(&x));
	assert_false(view_full(x.v));
	x.r.event.fd = 6;
	assert_true(give(&x));
	assert_true(view_full(x.v));
	assert_false(give(&x));
	assert_string_equal(printed(&x), "{\"fd\":5}\n{\"fd\":6}\n");
	close_view(&x);
}

static void count_cut(void *ctx, unsigned int source, const struct row *row)
{
	unsigned int *n = ctx;

	assert_non_null(row->part[PART_CONTAINER]);
	++*n;
}

static void tables_are_sorted_and_cut(void **state)
{
	struct view_options o = options("json");
	unsigned int n_cut = 0;
	struct fixture x;
	char name[8];

	o.fields = "fd,containerName,error";
	o.sort = "-error,containerName";
	o.max_entries = 3;
	o.cut = count_cut;
	o.cut_ctx = &n_cut;
	open_view(&x, o, VIEW_TABLE);
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "c%d", i % 2);
		x.c.name = name; /* is copied: changes before the table ends */
		x.r.event.fd = i;
		x.r.event.error = i / 4;
		assert_true(give(&x));
	}
	strcpy(name, "gone");
	assert_string_equal(printed(&x), "");
	assert_int_equal(view_table_end(x.v, x.source), 3);
	assert_int_equal(n_cut, 3);
	assert_string_equal(
		printed(&x),
		"{\"runtime\":{\"containerName\":\"c0\"},\"error\":\"EPERM\",\"fd\":4}\n"
		"{\"runtime\":{\"containerName\":\"c1\"},\"error\":\"EPERM\",\"fd\":5}\n"
		"{\"runtime\":{\"containerName\":\"c0\"},\"error\":\"\",\"fd\":0}\n");
	assert_int_equal(view_table_end(x.v, x.source), 0); /* an empty one */
	close_view(&x);
}

static void tables_keep_labels(void **state)
{
	struct view_options o = options("json");
	struct fixture x;
	char value[] = "b";
	struct label items[] = {{"app", value}};

	o.fields = "podLabels";
	o.sort = "podLabels";
	open_view(&x, o, VIEW_TABLE);
	x.c.labels = (struct labels){items, 1, 1};
	assert_true(give(&x));
	strcpy(value, "a"); /* the text was copied */
	assert_true(give(&x));
	strcpy(value, "?");
	items[0].key = NULL;
	view_table_end(x.v, x.source);
	assert_string_equal(printed(&x), "{\"k8s\":{\"podLabels\":{\"app\":\"a\"}}}\n"
					 "{\"k8s\":{\"podLabels\":{\"app\":\"b\"}}}\n");
	close_view(&x);
}

static void tables_are_sorted_by_a_label(void **state)
{
	static const char *const values[] = {"b", NULL, "c", "a"};
	struct view_options o = options("json");
	struct label item = {"app", NULL};
	struct fixture x;

	o.fields = "podLabels.app,fd";
	o.sort = "-podLabels.app,fd";
	open_view(&x, o, VIEW_TABLE);
	for (size_t i = 0; i < array_size(values); i++) {
		item.value = (char *)values[i];
		x.c.labels = (struct labels){&item, values[i] != NULL, 0};
		x.r.event.fd = (int)i;
		assert_true(give(&x));
	}
	view_table_end(x.v, x.source);
	assert_string_equal(printed(&x), "{\"k8s\":{\"podLabels\":{\"app\":\"c\"}},\"fd\":2}\n"
					 "{\"k8s\":{\"podLabels\":{\"app\":\"b\"}},\"fd\":0}\n"
					 "{\"k8s\":{\"podLabels\":{\"app\":\"a\"}},\"fd\":3}\n"
					 "{\"fd\":1}\n");
	close_view(&x);
}

static void tables_have_a_default_order(void **state)
{
	static const char *const asked[] = {NULL, "fd"};
	static const char *const expected[] = {"{\"fd\":2}\n{\"fd\":1}\n",
					       "{\"fd\":1}\n{\"fd\":2}\n"};

	for (int i = 0; i < 2; i++) {
		struct view_options o = options("json");
		struct err err = {0};
		struct fixture x = {
			.s = open_schema(), .fd = memfd_create("out", MFD_CLOEXEC), .err_fd = -1};

		o.fd = x.fd;
		o.fields = "fd";
		o.sort = asked[i];
		if (view_new(&o, &x.v, &err) || view_add(x.v, x.s, VIEW_TABLE, &x.source, &err))
			fail_msg("%s", err.text);
		view_default_sort(x.v, x.source, "-fd");
		assert_int_equal(view_start(x.v, &err), 0);
		open_fill(&x.r);
		for (x.r.event.fd = 1; x.r.event.fd < 3; x.r.event.fd++)
			assert_true(give(&x));
		assert_int_equal(view_table_end(x.v, x.source), 0);
		assert_string_equal(printed(&x), expected[i]);
		close_view(&x);
	}
}

static void tables_have_a_limit(void **state)
{
	struct fixture x;
	char note[256] = "";

	open_view(&x, (struct view_options){.output = "columns", .fields = "fd", .max_entries = 1},
		  VIEW_TABLE_ONCE);
	for (int i = 0; i < 65536; i++)
		assert_true(give(&x));
	assert_false(give(&x));
	assert_false(give(&x));
	assert_int_equal(view_table_end(x.v, x.source), 65535);
	assert_true(pread(x.err_fd, note, sizeof(note) - 1, 0) > 0);
	assert_string_equal(note,
			    "trace_open: a table holds at most 65536 rows; 2 were left out\n");
	close_view(&x);
}

static void repeating_tables(void **state)
{
	struct view_options o = options("columns");
	struct fixture x;

	o.fields = "fd";
	open_view(&x, o, VIEW_TABLE);
	for (int i = 0; i < 2; i++) {
		give(&x);
		view_table_end(x.v, x.source);
	}
	assert_string_equal(printed(&x), "  FD\n   5\n\n  FD\n   5\n");
	close_view(&x);
	o.redraw = true; /* in place: each line and the screen below it are cleared */
	open_view(&x, o, VIEW_TABLE);
	for (int i = 0; i < 2; i++) {
		give(&x);
		view_table_end(x.v, x.source);
	}
	assert_string_equal(printed(&x),
			    "\033[?7l\033[2J\033[H\033[K  FD\n\033[K   5\n\033[J\033[?7h"
			    "\033[?7l\033[H\033[K  FD\n\033[K   5\n\033[J\033[?7h");
	close_view(&x);
}

/* A table in place must not scroll: it has the screen without the line of the cursor. */
static void redrawn_tables_fit_the_screen(void **state)
{
	struct view_options o = options("columns");
	struct fixture x;

	o.fields = "fd";
	o.redraw = true;
	o.columns = 20;
	o.rows = 4;
	open_view(&x, o, VIEW_TABLE);
	for (int i = 0; i < 9; i++)
		give(&x);
	assert_int_equal(view_table_end(x.v, x.source), 0);
	assert_string_equal(printed(&x), "\033[?7l\033[2J\033[H\033[K  FD\n"
					 "\033[K   5\n\033[K   5\n\033[J\033[?7h");
	view_resize(x.v, 30, 3);
	for (int i = 0; i < 9; i++)
		give(&x);
	view_table_end(x.v, x.source);
	assert_non_null(strstr(printed(&x), "\033[?7h\033[?7l\033[2J\033[H\033[K  FD\n"
					    "\033[K   5\n\033[J\033[?7h"));
	close_view(&x);
}

static void widths_follow_a_resize(void **state)
{
	struct view_options o = options("columns");
	struct fixture x;

	o.fields = "path,fd";
	o.columns = 80;
	open_view(&x, o, VIEW_STREAM);
	view_resize(x.v, 40, 24);
	give(&x);
	assert_int_equal(strcspn(printed(&x), "\n"), 80); /* titles, twice */
	assert_int_equal(strcspn(x.text + 81, "\n"), 40);
	assert_int_equal(strcspn(x.text + 81 + 41, "\n"), 40);
	close_view(&x);
}

/* All rows are known before the first is printed: nothing is cut and all is aligned. */
static void tables_are_as_wide_as_their_rows(void **state)
{
	struct view_options o = options("columns");
	struct fixture x;

	o.fields = "containerName,fd";
	open_view(&x, o, VIEW_TABLE_ONCE);
	x.c.name = "a-container-with-a-long-name";
	give(&x);
	x.c.name = "b";
	give(&x);
	view_table_end(x.v, x.source);
	assert_string_equal(printed(&x), "RUNTIME.CONTAINERNAME          FD\n"
					 "a-container-with-a-long-name    5\n"
					 "b                               5\n");
	close_view(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_and_limits),
		cmocka_unit_test(tables_are_sorted_and_cut),
		cmocka_unit_test(tables_keep_labels),
		cmocka_unit_test(tables_are_sorted_by_a_label),
		cmocka_unit_test(tables_have_a_default_order),
		cmocka_unit_test(tables_have_a_limit),
		cmocka_unit_test(repeating_tables),
		cmocka_unit_test(redrawn_tables_fit_the_screen),
		cmocka_unit_test(widths_follow_a_resize),
		cmocka_unit_test(tables_are_as_wide_as_their_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
