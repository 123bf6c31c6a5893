// SPDX-License-Identifier: Apache-2.0
/* Views: several sources in one stream. */
#include "view_fixture.h"

/* ---- mixtures ------------------------------------------------------------------------------ */

struct exec_event {
	struct g_process proc;
	g_errno error;
	g_text file;
};

static void mixed(const char *output, unsigned int columns, const char *fields,
		  const char *expected)
{
	struct schema *exec = schema_new("trace_exec", "exec", sizeof(struct exec_event)),
		      *s = open_schema();
	struct {
		struct exec_event e;
		char tail[8];
	} r = {.e = {.proc = {.comm = "sh", .pid = 7}, .file = {sizeof(r.e), 8}},
	       .tail = "/bin/ s\""};
	struct view_options o = options(output);
	int fd = memfd_create("out", MFD_CLOEXEC);
	struct test_container c = test_container();
	const char *filter[] = {"trace_open:fd==5,trace_open:podLabels.tier==front"};
	struct open_record open;
	struct row exec_row, row;
	unsigned int a = 0, b = 0;
	struct err err = {0};
	char text[4096] = "";
	struct view *v;

	schema_add(exec,
		   &(struct field){
			   .name = "proc.comm", .kind = KIND_CHARS, .size = 16, .type = "g_comm"},
		   NULL);
	schema_add(exec,
		   &(struct field){.name = "proc.pid",
				   .kind = KIND_UINT,
				   .offset = 16,
				   .size = 4,
				   .type = "g_pid"},
		   NULL);
	schema_add(exec,
		   &(struct field){.name = "file",
				   .kind = KIND_TEXT,
				   .size = 8,
				   .offset = offsetof(struct exec_event, file)},
		   NULL);
	assert_int_equal(schema_finish(exec, NULL), 0);
	o.fd = fd;
	o.err_fd = -1;
	o.columns = columns;
	o.fields = fields;
	o.filters = filter;
	o.n_filters = 1;
	if (view_new(&o, &v, &err) || view_add(v, s, VIEW_STREAM, &a, &err) ||
	    view_add(v, exec, VIEW_STREAM, &b, &err) || view_start(v, &err))
		fail_msg("%s", err.text);
	open_fill(&open);
	c.labels = test_labels();
	row = open_row(&open, &c);
	exec_row = (struct row){.part = {&r}, .size = {sizeof(r)}};
	assert_true(view_row(v, a, &row, false));
	assert_true(view_row(v, b, &exec_row, false));
	open.event.fd = 6;
	assert_false(view_row(v, a, &row, false)); /* the filter is about this source only */
	assert_int_equal(view_flush(v), 0);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, expected);
	view_free(v);
	schema_unref(exec);
	schema_unref(s);
	close(fd);
}

static void mixtures(void **state)
{
	static const char fields[] = "comm,pid,file,fd";
	static const char columns[] = "GADGET     COMM                 PID\n"
				      "trace_open nginx               1234 fd=5\n"
				      "trace_exec sh                     7 file=\"/bin/ s\\\"\"\n";

	mixed("columns", 0, fields, columns);
	mixed("columns", 52, fields, columns);
	mixed("columns", 40, fields,
	      "GADGET     COMM                 PID\n"
	      "trace_open nginx               1234 fd=5\n"
	      "trace_exec sh                     7 fil…\n");
	mixed("json", 40, fields,
	      "{\"gadget\":\"trace_open\",\"proc\":{\"comm\":\"nginx\",\"pid\":1234},\"fd\":5}\n"
	      "{\"gadget\":\"trace_exec\",\"proc\":{\"comm\":\"sh\",\"pid\":7},\"file\":\"/bin/ "
	      "s\\\"\"}\n");
	mixed("columns", 0, "comm,podLabels.tier",
	      "GADGET     COMM\n"
	      "trace_open nginx            k8s.podLabels.tier=front\n"
	      "trace_exec sh\n");
}

/* Columns that mixed streams have in common shrink with the terminal, also when it is resized. */
static void widths_of_mixtures(void **state)
{
	for (unsigned int width = 1; width < 200; width += 3) {
		struct view_options o = options("columns");
		struct err err = {0};
		struct fixture x = {.s = open_schema(), .fd = memfd_create("out", MFD_CLOEXEC)};
		unsigned int second;
		struct row row;
		char *line, *rest;

		o.fd = x.fd;
		o.err_fd = -1;
		o.columns = 250;
		o.fields = "containerName,comm,path,fd";
		if (view_new(&o, &x.v, &err) || view_add(x.v, x.s, VIEW_STREAM, &x.source, &err) ||
		    view_add(x.v, x.s, VIEW_STREAM, &second, &err) || view_start(x.v, &err))
			fail_msg("%s", err.text);
		printed(&x);
		assert_int_equal(ftruncate(x.fd, 0), 0);
		lseek(x.fd, 0, SEEK_SET);
		view_resize(x.v, width, 24);
		x.c = test_container();
		open_fill(&x.r);
		row = open_row(&x.r, &x.c);
		assert_true(view_row(x.v, second, &row, width > 10));
		printed(&x);
		for (line = strtok_r(x.text, "\n", &rest); line;
		     line = strtok_r(NULL, "\n", &rest)) {
			if (text_width(line, strlen(line)) > width)
				fail_msg("%u: %s", width, line);
			if (width > 10 && !*rest) /* the last line */
				assert_non_null(strstr(line, " (late)"));
			if (width > 90 && !*rest)
				assert_non_null(strstr(line, "web"));
		}
		view_free(x.v);
		schema_unref(x.s);
		close(x.fd);
	}
}

/* Sources are told from each other: by gadget, by its number of times, by data source. */
static void labels(void **state)
{
	static const struct {
		const char *gadget, *name, *json;
	} sources[] = {
		{"a", "x", "\"gadget\":\"a\",\"source\":\"x\""},
		{"a", "y", "\"gadget\":\"a\",\"source\":\"y\""},
		{"b", "x", "\"gadget\":\"b\""},
		{"a", "x", "\"gadget\":\"a#2\",\"source\":\"x\""},
		{"a", "y", "\"gadget\":\"a#2\",\"source\":\"y\""},
		{"b", "x", "\"gadget\":\"b#2\""},
		{"b", "x", "\"gadget\":\"b#3\""},
	};
	static const char *const shown[] = {"a:x", "a:y", "b", "a#2:x", "a#2:y", "b#2", "b#3"};
	static const uint32_t pid = 7;
	struct row row = {.part = {&pid}, .size = {4}};

	for (int json = 0; json < 2; json++) {
		struct view_options o = options(json ? "json" : "columns");
		struct fixture x = {.fd = memfd_create("out", MFD_CLOEXEC), .err_fd = -1};
		struct buf expected = {.max = 4096};
		struct err err = {0};

		o.fd = x.fd;
		o.err_fd = -1;
		o.no_headers = true;
		assert_int_equal(view_new(&o, &x.v, &err), 0);
		for (size_t i = 0; i < array_size(sources); i++) {
			struct schema *s = schema_new(sources[i].gadget, sources[i].name, 4);

			schema_add(s, &(struct field){.name = "pid", .kind = KIND_UINT, .size = 4},
				   NULL);
			assert_int_equal(schema_finish(s, NULL), 0);
			assert_int_equal(view_add(x.v, s, VIEW_STREAM, &x.source, &err), 0);
			schema_unref(s);
		}
		assert_int_equal(view_start(x.v, &err), 0);
		for (unsigned int i = 0; i < array_size(sources); i++) {
			assert_true(view_row(x.v, i, &row, false));
			if (json)
				buf_printf(&expected, "{%s,\"pid\":7}\n", sources[i].json);
			else
				buf_printf(&expected, "%-6s          7\n", shown[i]);
		}
		assert_string_equal(printed(&x), buf_cstr(&expected));
		buf_done(&expected);
		view_free(x.v);
		close(x.fd);
	}
}

static void notes(void **state)
{
	struct fixture x;
	char note[256] = "";

	open_view(&x, options("json"), VIEW_STREAM);
	view_note(x.v, "\"event\":\"lost\",\"count\":3", "lost 3");
	assert_string_equal(printed(&x), "{\"ig\":{\"event\":\"lost\",\"count\":3}}\n");
	close_view(&x);
	open_view(&x, options("yaml"), VIEW_STREAM);
	view_note(x.v, "", "lost 3 of \033[2J");
	assert_string_equal(printed(&x), "");
	assert_true(pread(x.err_fd, note, sizeof(note) - 1, 0) > 0);
	assert_string_equal(note, "lost 3 of \\x1b[2J\n");
	close_view(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mixtures),
		cmocka_unit_test(widths_of_mixtures),
		cmocka_unit_test(labels),
		cmocka_unit_test(notes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
