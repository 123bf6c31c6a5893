// SPDX-License-Identifier: Apache-2.0
/* Views: what is printed in each output mode, of streams, tables and mixtures; limits; writing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <jansson.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "columns/table.h"
#include "columns/view.h"
#include "open_row.h"

#define HOSTILE "evil\033[2J\xff\"\\\n\xe2\x80\xae"

/* A view whose output goes to memory. */
struct fixture {
	struct view *v;
	struct schema *s;
	int fd, err_fd;
	unsigned int source;
	struct open_record r;
	struct test_container c;
	char text[1 << 20];
};

static struct view_options options(const char *output)
{
	/* 2023-11-14T22:13:20Z at boot */
	return (struct view_options){.output = output, .clock = {1700000000000000000}};
}

static void open_view(struct fixture *x, struct view_options o, enum view_source_kind kind)
{
	struct err err = {0};

	memset(x, 0, sizeof(*x));
	x->fd = memfd_create("out", MFD_CLOEXEC);
	x->err_fd = memfd_create("err", MFD_CLOEXEC);
	x->s = open_schema();
	x->c = test_container();
	open_fill(&x->r);
	x->r.event.timestamp = 5000000001;
	o.fd = x->fd;
	o.err_fd = x->err_fd;
	if (view_new(&o, &x->v, &err) || view_add(x->v, x->s, kind, &x->source, &err) ||
	    view_start(x->v, &err))
		fail_msg("%s", err.text);
}

static bool give(struct fixture *x)
{
	struct row row = open_row(&x->r, &x->c);

	return view_row(x->v, x->source, &row, false);
}

/* What was printed so far. */
static const char *printed(struct fixture *x)
{
	ssize_t n;

	assert_int_equal(view_flush(x->v), 0);
	n = pread(x->fd, x->text, sizeof(x->text) - 1, 0);
	assert_true(n >= 0);
	x->text[n] = '\0';
	return x->text;
}

static void close_view(struct fixture *x)
{
	view_free(x->v);
	schema_unref(x->s);
	close(x->fd);
	close(x->err_fd);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static const json_t *member(const json_t *j, const char *path)
{
	char part[64];
	const char *dot;

	for (; (dot = strchr(path, '.')); path = dot + 1) {
		snprintf(part, sizeof(part), "%.*s", (int)(dot - path), path);
		j = json_object_get(j, part);
	}
	return json_object_get(j, path);
}

static const char *text_of(const json_t *j, const char *path)
{
	return json_string_value(member(j, path));
}

static void json_types_and_nesting(void **state)
{
	struct fixture x;
	json_t *j;

	open_view(&x, options("json"), VIEW_STREAM);
	x.r.event.error = 13;
	x.r.event.path.length |= G_TRUNCATED;
	open_text(&x.r, &x.r.event.args, "ls\0-l\0", 6);
	assert_true(give(&x));
	j = json_loads(printed(&x), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(j);
	assert_string_equal(text_of(j, "runtime.containerName"), "web");
	assert_string_equal(text_of(j, "timestamp"), "2023-11-14T22:13:25.000000001Z");
	assert_string_equal(text_of(j, "proc.comm"), "nginx");
	assert_int_equal(json_integer_value(member(j, "proc.creds.uid")), 33);
	assert_string_equal(text_of(j, "error"), "EACCES");
	assert_string_equal(text_of(j, "flags"), "O_RDONLY|O_CLOEXEC");
	assert_int_equal(json_integer_value(member(j, "latency")), 1234567);
	assert_true(json_is_true(member(j, "path_truncated")));
	assert_null(member(j, "args_truncated"));
	assert_string_equal(json_string_value(json_array_get(member(j, "args"), 1)), "-l");
	assert_null(member(j, "peer"));	     /* an endpoint that was not filled */
	assert_null(member(j, "container")); /* internal */
	assert_null(member(j, "gadget"));    /* only where several are mixed */
	json_decref(j);
	close_view(&x);
}

static void json_leaves_out_what_is_not_there(void **state)
{
	struct test_container nameless = {.pid = 1};
	struct fixture x;
	struct row row;
	json_t *j;

	open_view(&x, options("json"), VIEW_STREAM);
	x.r.event.size = 0; /* FIELD_SKIP_EMPTY */
	row = open_row(&x.r, NULL);
	assert_true(view_row(x.v, x.source, &row, false));
	j = json_loads(printed(&x), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(j);
	assert_null(member(j, "runtime"));
	assert_null(member(j, "size"));
	assert_null(member(j, "args"));
	assert_string_equal(text_of(j, "error"), ""); /* none */
	json_decref(j);
	close_view(&x);

	open_view(&x, options("json"), VIEW_STREAM);
	row = open_row(&x.r, &nameless);
	row.size[0] = 40; /* cut within proc */
	assert_true(view_row(x.v, x.source, &row, true));
	j = json_loads(printed(&x), JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(j);
	assert_null(member(j, "runtime.containerName"));
	assert_int_equal(json_integer_value(member(j, "runtime.containerPid")), 1);
	assert_non_null(member(j, "proc.pid"));
	assert_null(member(j, "proc.creds"));
	assert_null(member(j, "path"));
	assert_true(json_is_true(member(j, "late")));
	json_decref(j);
	close_view(&x);

	open_view(&x, options("json"), VIEW_STREAM);
	row.size[0] = 0;
	row.part[1] = NULL;
	assert_true(view_row(x.v, x.source, &row, false));
	assert_string_equal(printed(&x), "{}\n");
	close_view(&x);
}

/* Random bytes as records: whatever a hostile object fills in, a line is valid JSON. */
static void json_of_random_records(void **state)
{
	struct fixture x;
	uint64_t seed = 88172645463325252ull;

	for (int i = 0; i < 3000; i++) {
		struct row row;
		json_t *j;

		if (i % 300 == 0)
			open_view(&x, options(i % 600 ? "jsonpretty" : "json"), VIEW_STREAM);
		for (size_t at = 0; at + 8 <= sizeof(x.r); at += 8) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			memcpy((char *)&x.r + at, &seed, 8);
		}
		x.r.event.path.offset %= sizeof(x.r);
		x.r.event.path.length %= 200;
		x.r.event.args.offset %= sizeof(x.r);
		x.r.event.args.length = (x.r.event.args.length % 300) | (i % 2 ? G_TRUNCATED : 0);
		row = (struct row){.part = {&x.r, &x.c},
				   .size = {(uint32_t)(seed % sizeof(x.r)), sizeof(x.c)}};
		assert_int_equal(ftruncate(x.fd, 0), 0);
		lseek(x.fd, 0, SEEK_SET);
		assert_true(view_row(x.v, x.source, &row, false));
		printed(&x);
		j = json_loads(x.text,
			       JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL,
			       NULL);
		if (!j)
			fail_msg("%s", x.text);
		json_decref(j);
		if (i % 300 == 299)
			close_view(&x);
	}
}

static void json_remembers_containers_by_version(void **state)
{
	struct fixture x;
	struct row row;

	open_view(&x, (struct view_options){.output = "json", .fields = "containerName"},
		  VIEW_STREAM);
	for (uint64_t version = 1; version < 2000; version++) { /* more than it remembers */
		char name[16];

		snprintf(name, sizeof(name), "c%llu", (unsigned long long)version % 1000);
		x.c.name = name; /* the same memory with other contents: only the version tells */
		row = open_row(&x.r, &x.c);
		row.container_version = version % 1000 + 1;
		assert_true(view_row(x.v, x.source, &row, false));
		assert_true(view_row(x.v, x.source, &row, false));
	}
	printed(&x);
	for (unsigned int version = 1, at = 0; version < 2000; version++) {
		char line[64];
		int n = snprintf(line, sizeof(line), "{\"runtime\":{\"containerName\":\"c%u\"}}\n",
				 version % 1000);

		for (int twice = 0; twice < 2; twice++, at += (unsigned int)n)
			assert_memory_equal(x.text + at, line, (size_t)n);
	}
	close_view(&x);
}

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

/* ---- YAML and indented JSON ---------------------------------------------------------------- */

static void yaml(void **state)
{
	struct view_options o = options("yaml");
	struct fixture x;

	o.fields = "containerName,comm,fd,path,args,error";
	open_view(&x, o, VIEW_STREAM);
	x.r.used = 0;
	open_text(&x.r, &x.r.event.path, HOSTILE, sizeof(HOSTILE) - 1);
	open_text(&x.r, &x.r.event.args, "sh\0-c\0no\0", 9);
	x.c.name = "true";
	give(&x);
	give(&x);
	printed(&x);
	static const char one[] = "---\nruntime:\n  containerName: \"true\"\nproc:\n  comm: "
				  "nginx\nerror: \"\"\nfd: 5\n"
				  "path: \"evil\\u001b[2J\xef\xbf\xbd\\\"\\\\\\n\\u202e\"\nargs:\n "
				  " - sh\n  - \"-c\"\n  - \"no\"\n";
	assert_memory_equal(x.text, one, sizeof(one) - 1);
	assert_string_equal(x.text + sizeof(one) - 1, one);
	close_view(&x);
}

/* A key that is longer than YAML's simple ones. */
static void yaml_of_long_keys(void **state)
{
	struct view_options o = options("yaml");
	char key[1100], expected[1300];
	struct label items[] = {{key, "1"}, {"b", "c"}};
	struct fixture x;

	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	snprintf(expected, sizeof(expected),
		 "---\nk8s:\n  podLabels:\n    ? %s\n    : \"1\"\n    b: c\n", key);
	o.fields = "podLabels";
	open_view(&x, o, VIEW_STREAM);
	x.c.labels = (struct labels){items, array_size(items), 0};
	give(&x);
	assert_string_equal(printed(&x), expected);
	close_view(&x);
}

static void expect_labels(const char *output, const char *fields, const char *expected)
{
	struct view_options o = options(output);
	struct fixture x;

	o.fields = fields;
	open_view(&x, o, VIEW_STREAM);
	x.c.labels = test_labels();
	give(&x);
	assert_string_equal(printed(&x), expected);
	close_view(&x);
}

static void sets_of_labels(void **state)
{
	static const char *const cases[][2] = {
		{"columns", "K8S.PODLABELS\napp.kubernetes.io/name=shop,tier=front,empty=\n"},
		{"json", "{\"k8s\":{\"podLabels\":{\"app.kubernetes.io/name\":\"shop\","
			 "\"tier\":\"front\",\"empty\":\"\"}}}\n"},
		{"jsonpretty",
		 "{\n  \"k8s\": {\n    \"podLabels\": {\n      \"app.kubernetes.io/name\": "
		 "\"shop\",\n      \"tier\": \"front\",\n      \"empty\": \"\"\n    }\n  }\n}\n"},
		{"yaml", "---\nk8s:\n  podLabels:\n    app.kubernetes.io/name: shop\n    tier: "
			 "front\n    empty: \"\"\n"},
	};

	for (size_t i = 0; i < array_size(cases); i++)
		expect_labels(cases[i][0], "podLabels", cases[i][1]);
}

static void single_labels(void **state)
{
	expect_labels("columns", "fd,podLabels.tier,-fd", "K8S.PODLABELS.TIER\nfront\n");
	expect_labels("columns", "podLabels.app.kubernetes.io/name,k8s.podLabels.tier",
		      "K8S.PODLABELS.APP.KUBERNETES.IO/NAME K8S.PODLABELS.TIER\n"
		      "shop                                 front\n");
	expect_labels("columns", "fd,podLabels.tier,k8s.podlabels.tier",
		      "  FD K8S.PODLABELS.TIER\n"
		      "   5 front\n");
	expect_labels("columns", "fd,podLabels.tier,podLabels.x,-podLabels.tier",
		      "  FD K8S.PODLABELS.X\n   5\n");
	expect_labels("columns", "-runtime,-proc,-error,-path,+podLabels.tier,-podLabels.no",
		      "K8S.PODLABELS.TIER   FD\nfront                 5\n"); /* as the container's */
	expect_labels("columns", "trace_open:podLabels.tier", "K8S.PODLABELS.TIER\nfront\n");
	expect_labels("columns", "podLabels.\033\"", "K8S.PODLABELS.\\X1B\"\n\n");
	expect_labels("json", "fd,podLabels.tier",
		      "{\"k8s\":{\"podLabels\":{\"tier\":\"front\"}},\"fd\":5}\n");
	expect_labels("json", "podLabels.empty,podLabels.app.kubernetes.io/name",
		      "{\"k8s\":{\"podLabels\":{\"empty\":\"\",\"app.kubernetes.io/name\":"
		      "\"shop\"}}}\n");
	expect_labels("json", "podLabels,podLabels.tier,-podLabels.empty",
		      "{\"k8s\":{\"podLabels\":{\"app.kubernetes.io/name\":\"shop\","
		      "\"tier\":\"front\",\"empty\":\"\"}}}\n");
	expect_labels("json", "fd,podLabels.none", "{\"fd\":5}\n");
	expect_labels("yaml", "podLabels.tier", "---\nk8s:\n  podLabels:\n    tier: front\n");
}

static void sets_of_labels_that_are_empty(void **state)
{
	struct view_options o = options("json");
	struct fixture x;
	struct row row;

	o.fields = "podLabels,fd";
	open_view(&x, o, VIEW_STREAM);
	give(&x); /* skip-empty */
	row = open_row(&x.r, NULL);
	assert_true(view_row(x.v, x.source, &row, false));
	assert_string_equal(printed(&x), "{\"fd\":5}\n{\"fd\":5}\n");
	close_view(&x);
}

static void labels_never_let_escapes_through(void **state)
{
	struct label items[] = {{HOSTILE, HOSTILE}};
	struct view_options o = options("columns");
	struct fixture x;

	o.fields = "podLabels";
	open_view(&x, o, VIEW_STREAM);
	x.c.labels = (struct labels){items, 1, 0};
	give(&x);
	printed(&x);
	assert_null(strchr(x.text, '\033'));
	assert_null(strstr(x.text, "\xe2\x80\xae"));
	assert_int_equal(strchr(strchr(x.text, '\n') + 1, '\n') - x.text, strlen(x.text) - 1);
	close_view(&x);
}

static void indented_json(void **state)
{
	struct view_options o = options("jsonpretty");
	struct fixture x;

	o.fields = "comm,fd";
	open_view(&x, o, VIEW_STREAM);
	give(&x);
	assert_string_equal(printed(&x),
			    "{\n  \"proc\": {\n    \"comm\": \"nginx\"\n  },\n  \"fd\": 5\n}\n");
	close_view(&x);
}

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
		cmocka_unit_test(json_types_and_nesting),
		cmocka_unit_test(json_leaves_out_what_is_not_there),
		cmocka_unit_test(json_of_random_records),
		cmocka_unit_test(json_remembers_containers_by_version),
		cmocka_unit_test(fields),
		cmocka_unit_test(unknown_names),
		cmocka_unit_test(columns_never_let_escapes_through),
		cmocka_unit_test(widths_follow_the_terminal),
		cmocka_unit_test(ellipses),
		cmocka_unit_test(truncated_texts_are_marked),
		cmocka_unit_test(header_and_color),
		cmocka_unit_test(yaml),
		cmocka_unit_test(yaml_of_long_keys),
		cmocka_unit_test(sets_of_labels),
		cmocka_unit_test(single_labels),
		cmocka_unit_test(sets_of_labels_that_are_empty),
		cmocka_unit_test(labels_never_let_escapes_through),
		cmocka_unit_test(indented_json),
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
		cmocka_unit_test(mixtures),
		cmocka_unit_test(widths_of_mixtures),
		cmocka_unit_test(labels),
		cmocka_unit_test(notes),
		cmocka_unit_test(closed_pipe),
		cmocka_unit_test(slow_pipe),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
