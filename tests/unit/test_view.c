// SPDX-License-Identifier: Apache-2.0
/* Views: which fields are shown, columns, and output that cannot be written. */
#include "view_fixture.h"

/* ---- fields -------------------------------------------------------------------------------- */

static void expect_fields(const char *fields, const char *titles, const char *json)
{
	struct view_options o = options("columns");
	struct fixture x;

	o.fields = fields;
	open_view(&x, o, VIEW_STREAM);
	give(&x);
	printed(&x);
	*strchr(x.text, '\n') = '\0';
	assert_string_equal(x.text, titles);
	close_view(&x);
	if (!json)
		return;
	o.output = "json";
	open_view(&x, o, VIEW_STREAM);
	give(&x);
	assert_string_equal(printed(&x), json);
	close_view(&x);
}

static void fields(void **state)
{
	expect_fields("comm,fd", "COMM               FD",
		      "{\"proc\":{\"comm\":\"nginx\"},\"fd\":5}\n");
	expect_fields("fd,proc.comm", "  FD COMM", "{\"proc\":{\"comm\":\"nginx\"},\"fd\":5}\n");
	expect_fields("comm,proc.parent.comm", "COMM             PARENT.COMM", NULL);
	expect_fields("proc.creds", "   UID    GID",
		      "{\"proc\":{\"creds\":{\"uid\":33,\"gid\":33}}}\n");
	expect_fields("peer,fd", "PEER                       FD", "{\"fd\":5}\n");
	expect_fields("peer.port", " PORT", NULL);
	expect_fields("fd,-fd,comm", "COMM", NULL);
	expect_fields("open:fd;trace_open:comm", "  FD COMM", NULL);
	expect_fields("-runtime,-comm,-pid,-tid,-error,-path", "  FD", NULL);
	expect_fields(
		NULL,
		"RUNTIME.CONTAINERNAME    COMM                 PID     TID ERROR          FD PATH",
		NULL);
	expect_fields("+flags,-tid,-path",
		      "RUNTIME.CONTAINERNAME    COMM                 PID ERROR          FD FLAGS",
		      NULL);
}

static void expect_start_error(struct view_options o, enum view_source_kind kind, int result,
			       const char *why)
{
	struct schema *s = open_schema();
	struct view *v = NULL;
	struct err err = {0};
	unsigned int source;
	int r = view_new(&o, &v, &err);

	if (!r)
		r = view_add(v, s, kind, &source, &err);
	if (!r)
		r = view_start(v, &err);
	assert_int_equal(r, result);
	if (!strstr(err.text, why))
		fail_msg("says: %s", err.text);
	view_free(v);
	schema_unref(s);
}

static void unknown_names(void **state)
{
	const char *bad_filter[] = {"comn==x"}, *bad_source[] = {"trace_exec:comm==x"};
	const char *bad_label[] = {"podLables.app==x"};

	expect_start_error((struct view_options){.output = "jsn"}, VIEW_STREAM, -EINVAL,
			   "did you mean 'json'");
	expect_start_error((struct view_options){.output = "graph"}, VIEW_STREAM, -EINVAL,
			   "there are");
	expect_start_error((struct view_options){.fields = "comm,paht"}, VIEW_STREAM, -ENOENT,
			   "--fields: no field 'paht'; did you mean 'path'");
	expect_start_error((struct view_options){.fields = "exec:comm"}, VIEW_STREAM, -ENOENT,
			   "no data source 'exec'");
	expect_start_error((struct view_options){.fields = "comm,,fd"}, VIEW_STREAM, -EINVAL,
			   "name is missing");
	expect_start_error((struct view_options){.filters = bad_filter, .n_filters = 1},
			   VIEW_STREAM, -ENOENT, "did you mean 'comm'");
	expect_start_error((struct view_options){.filters = bad_label, .n_filters = 1}, VIEW_STREAM,
			   -ENOENT, "did you mean 'podLabels.app'");
	expect_start_error((struct view_options){.filters = bad_source, .n_filters = 1},
			   VIEW_STREAM, -ENOENT, "no data source");
	expect_start_error((struct view_options){.sort = "-comm"}, VIEW_STREAM, -EINVAL,
			   "only tables");
	expect_start_error((struct view_options){.fields = "podLables.app"}, VIEW_STREAM, -ENOENT,
			   "--fields: no field 'podLables.app'; did you mean 'podLabels.app'");
	expect_start_error((struct view_options){.sort = "podLables.app,fd"}, VIEW_TABLE, -ENOENT,
			   "--sort: no field 'podLables.app'; did you mean 'podLabels.app'");
	expect_start_error((struct view_options){.sort = "podLabels.app,nix"}, VIEW_TABLE, -ENOENT,
			   "--sort: no field 'nix'");
	expect_start_error((struct view_options){.sort = "-latensy"}, VIEW_TABLE, -ENOENT,
			   "did you mean 'latency'");
}

/* ---- columns ------------------------------------------------------------------------------- */

static void columns_never_let_escapes_through(void **state)
{
	struct fixture x;

	open_view(&x, options("columns"), VIEW_STREAM);
	x.r.used = 0;
	open_text(&x.r, &x.r.event.path, HOSTILE, sizeof(HOSTILE) - 1);
	memcpy(x.r.event.proc.comm, "\033]0;x\a\n", 8);
	x.c.name = "\x9b"
		   "31m";
	give(&x);
	printed(&x);
	assert_null(strchr(x.text, '\033'));
	assert_null(strchr(x.text, '\a'));
	assert_non_null(strstr(x.text, "evil\\x1b[2J\\xff\"\\\\n\\u202e\n"));
	assert_non_null(strstr(x.text, "\\x1b]0;x\\x07\\n"));
	assert_non_null(strstr(x.text, "\\x9b31m"));
	close_view(&x);
}

static void widths_follow_the_terminal(void **state)
{
	for (unsigned int width = 1; width <= 300; width += 7) {
		struct view_options o = options("columns");
		struct fixture x;
		char *line, *rest;

		o.columns = width;
		open_view(&x, o, VIEW_STREAM);
		x.r.used = 0;
		for (int i = 0; i < 40; i++) /* wide characters: two columns each */
			open_text(&x.r, &x.r.event.path, "日本/", 7);
		x.r.event.path.offset = offsetof(struct open_record, tail);
		x.r.event.path.length = x.r.used;
		give(&x);
		printed(&x);
		for (line = strtok_r(x.text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
			if (text_width(line, strlen(line)) > width)
				fail_msg("%u: %s", width, line);
		close_view(&x);
	}
}

static void expect_fit(const char *text, size_t width, enum ellipsis ellipsis, const char *shown)
{
	struct buf out;
	size_t used;

	buf_init(&out, 1000);
	fit_text(&out, text, strlen(text), width, ellipsis, &used);
	assert_string_equal(buf_cstr(&out), shown);
	assert_int_equal(used, text_width(shown, strlen(shown)));
	assert_true(used <= width);
	buf_done(&out);
}

static void ellipses(void **state)
{
	expect_fit("abcdef", 6, ELLIPSIS_END, "abcdef");
	expect_fit("abcdef", 5, ELLIPSIS_END, "abcd…");
	expect_fit("abcdef", 5, ELLIPSIS_START, "…cdef");
	expect_fit("abcdef", 5, ELLIPSIS_MIDDLE, "ab…ef");
	expect_fit("abcdef", 4, ELLIPSIS_MIDDLE, "ab…f");
	expect_fit("abcdef", 5, ELLIPSIS_NONE, "abcde");
	expect_fit("abcdef", 1, ELLIPSIS_END, "…");
	expect_fit("abcdef", 0, ELLIPSIS_END, "");
	expect_fit("日本語", 5, ELLIPSIS_END, "日本…");
	expect_fit("日本語", 4, ELLIPSIS_END, "日…"); /* half a character is not shown */
	expect_fit("日本語", 4, ELLIPSIS_START, "…語");
	expect_fit("ae\xcc\x81z", 2, ELLIPSIS_START, "…z"); /* no accent without its letter */
	expect_fit("e\xcc\x81zz", 2, ELLIPSIS_END, "e\xcc\x81…");
}

static void truncated_texts_are_marked(void **state)
{
	struct view_options o = options("columns");
	struct fixture x;

	o.fields = "path";
	open_view(&x, o, VIEW_STREAM);
	x.r.event.path.length = 4 | G_TRUNCATED;
	give(&x);
	assert_string_equal(printed(&x), "PATH\n/usr…\n");
	close_view(&x);
}

static void header_and_color(void **state)
{
	struct view_options o = options("columns");
	struct fixture x;

	o.fields = "fd";
	o.color = true;
	open_view(&x, o, VIEW_STREAM);
	give(&x);
	give(&x);
	assert_string_equal(printed(&x), "\033[1m  FD\033[0m\n   5\n   5\n");
	close_view(&x);
	o.no_headers = true;
	open_view(&x, o, VIEW_STREAM);
	give(&x);
	assert_string_equal(printed(&x), "   5\n");
	close_view(&x);
}

/* ---- writing ------------------------------------------------------------------------------- */

static void closed_pipe(void **state)
{
	struct view_options o = options("json");
	struct fixture x;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	open_view(&x, o, VIEW_STREAM);
	dup2(ends[1], x.fd);
	close(ends[1]);
	close(ends[0]);
	for (int i = 0; i < 3; i++)
		assert_true(give(&x));
	assert_int_equal(view_flush(x.v), -EPIPE);
	assert_int_equal(view_unwritten(x.v), 3);
	assert_false(give(&x));
	assert_int_equal(view_flush(x.v), -EPIPE);
	assert_int_equal(view_unwritten(x.v), 3);
	close_view(&x);
}

struct reader {
	int fd;
	size_t lines;
};

static void *read_slowly(void *arg)
{
	struct reader *r = arg;
	char bytes[1000];
	ssize_t n;

	while ((n = read(r->fd, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			r->lines += bytes[i] == '\n';
		usleep(100);
	}
	return NULL;
}

/*
 * A pipe that is full most of the time, and non-blocking because its other end's owner made it so.
 */
static void slow_pipe(void **state)
{
	struct view_options o = options("json");
	struct reader reader = {0};
	struct fixture x;
	pthread_t thread;
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	fcntl(ends[0], F_SETFL, 0);
	fcntl(ends[1], F_SETPIPE_SZ, 4096);
	open_view(&x, o, VIEW_STREAM);
	dup2(ends[1], x.fd);
	close(ends[1]);
	reader.fd = ends[0];
	assert_int_equal(pthread_create(&thread, NULL, read_slowly, &reader), 0);
	for (int i = 0; i < 1000; i++)
		assert_true(give(&x));
	assert_int_equal(view_flush(x.v), 0);
	close_view(&x);
	pthread_join(thread, NULL);
	close(ends[0]);
	assert_int_equal(reader.lines, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(unknown_names),
		cmocka_unit_test(columns_never_let_escapes_through),
		cmocka_unit_test(widths_follow_the_terminal),
		cmocka_unit_test(ellipses),
		cmocka_unit_test(truncated_texts_are_marked),
		cmocka_unit_test(header_and_color),
		cmocka_unit_test(closed_pipe),
		cmocka_unit_test(slow_pipe),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
