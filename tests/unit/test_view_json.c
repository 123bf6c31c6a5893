// SPDX-License-Identifier: Apache-2.0
/* Views: JSON and YAML of whatever a record holds, sets of labels. */
#include "view_fixture.h"

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
	expect_labels(
		"columns", "-runtime,-proc,-error,-path,+podLabels.tier,-podLabels.no",
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_types_and_nesting),
		cmocka_unit_test(json_leaves_out_what_is_not_there),
		cmocka_unit_test(json_of_random_records),
		cmocka_unit_test(json_remembers_containers_by_version),
		cmocka_unit_test(yaml),
		cmocka_unit_test(yaml_of_long_keys),
		cmocka_unit_test(sets_of_labels),
		cmocka_unit_test(single_labels),
		cmocka_unit_test(sets_of_labels_that_are_empty),
		cmocka_unit_test(labels_never_let_escapes_through),
		cmocka_unit_test(indented_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
