// SPDX-License-Identifier: Apache-2.0
/* Reports: what rows they are made of, what a view makes of them, and hostile ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/labels.h"
#include "columns/report_groups.h"
#include "columns/types.h"
#include "columns/view.h"
#include "containers/container.h"
#include "gadget/gadget.h"

#include "../../gadgets/advise_readonly/places.h"
#include "../../gadgets/advise_seccomp/seccomp_profile.h"

/* ---- rows of a gadget's, in pods and not ------------------------------------------------------
 */

struct call_event {
	g_time timestamp;
	g_container container;
	g_syscall syscall;
};

struct pod {
	const char *name, *image, *namespace, *pod, *pod_container;
	struct labels labels;
};

#define OF_RECORD(member, kind_, type_)                                                 \
	{                                                                               \
		.name = #member, .kind = kind_, .type = type_,                          \
		.offset = offsetof(struct call_event, member), .size = sizeof(uint64_t) \
	}
#define OF_POD(member, name_, kind_)                                                              \
	{                                                                                         \
		.name = name_, .kind = kind_, .part = PART_CONTAINER,                             \
		.offset = offsetof(struct pod, member), .size = sizeof(((struct pod *)0)->member) \
	}

static struct schema *make_schema(const char *number)
{
	struct field fields[] = {
		OF_RECORD(timestamp, KIND_UINT, "g_time"),
		OF_RECORD(container, KIND_UINT, "g_container"),
		OF_RECORD(syscall, KIND_UINT, "g_syscall"),
		OF_POD(name, "runtime.containerName", KIND_CSTR),
		OF_POD(image, "runtime.containerImageName", KIND_CSTR),
		OF_POD(namespace, "k8s.namespace", KIND_CSTR),
		OF_POD(pod, "k8s.podName", KIND_CSTR),
		OF_POD(pod_container, "k8s.containerName", KIND_CSTR),
		OF_POD(labels, "k8s.podLabels", KIND_LABELS),
	};
	struct schema *s = schema_new("advise_seccomp", "syscalls", sizeof(struct call_event));

	fields[2].name = number;
	assert_int_equal(schema_add_table(s, fields, array_size(fields), NULL), 0);
	assert_int_equal(schema_finish(s, NULL), 0);
	return s;
}

static g_syscall call_named(uint32_t nr)
{
	return (g_syscall)0xc000003e << 32 | nr;
}

/* ---- groups ------------------------------------------------------------------------------------
 */

static void expect_group(const char *merge, const struct pod *pod, const char *name)
{
	struct call_event event = {.syscall = 1};
	struct row row = {.part = {&event, pod}, .size = {sizeof(event), pod ? sizeof(*pod) : 0}};
	struct schema *s = make_schema("syscall");
	struct report_group *g, *again;
	struct labels options = {0};
	struct report_groups groups;

	if (merge)
		labels_add(&options, "merge", merge);
	assert_int_equal(report_groups_init(&groups, sizeof(*g), "text", &options, NULL), 0);
	assert_int_equal(report_group_of(&groups, s, &row, &g, NULL), 0);
	assert_string_equal(g->name, name);
	assert_int_equal(report_group_of(&groups, s, &row, &again, NULL), 0);
	assert_ptr_equal(g, again);
	report_groups_done(&groups);
	labels_done(&options);
	schema_unref(s);
}

static void groups_have_names(void **state)
{
	struct pod plain = {.name = "web", .image = "nginx:1"};
	struct pod deployed = {.name = "web",
			       .namespace = "prod",
			       .pod = "web-5d4f8-x7k2p",
			       .pod_container = "main",
			       .image = "nginx:1"};
	struct pod stateful = {
		.name = "db", .namespace = "prod", .pod = "db-0", .pod_container = "main"};

	expect_group(NULL, &plain, "web");
	expect_group("image", &plain, "nginx:1");
	expect_group("owner", &plain, "web");
	expect_group("all", &plain, "all");
	expect_group(NULL, NULL, "host");
	expect_group(NULL, &deployed, "prod/web-5d4f8-x7k2p/main");
	expect_group("owner", &deployed, "prod/web-5d4f8-x7k2p/main");
	labels_add(&deployed.labels, "pod-template-hash", "5d4f8");
	expect_group("owner", &deployed, "prod/web/main");
	labels_add(&stateful.labels, "controller-revision-hash", "db-77");
	expect_group("owner", &stateful, "prod/db/main");
	labels_done(&deployed.labels);
	labels_done(&stateful.labels);
}

static void too_many_groups(void **state)
{
	struct call_event event = {0};
	struct schema *s = make_schema("syscall");
	struct labels options = {0};
	struct report_groups groups;
	struct report_group *g;
	int r = 0;

	assert_int_equal(report_groups_init(&groups, sizeof(*g), "text", &options, NULL), 0);
	for (int i = 0; !r && i <= MAX_REPORT_GROUPS; i++) {
		char name[32];
		struct pod pod = {.name = name};
		struct row row = {.part = {&event, &pod}, .size = {sizeof(event), sizeof(pod)}};

		snprintf(name, sizeof(name), "c%d", i);
		r = report_group_of(&groups, s, &row, &g, NULL);
	}
	assert_int_equal(r, -E2BIG);
	assert_int_equal(groups.n, MAX_REPORT_GROUPS);
	report_groups_done(&groups);
	schema_unref(s);
}

static void names_of_objects(void **state)
{
	static const struct {
		const char *name, *object;
	} cases[] = {
		{"web", "web"},
		{"prod/web-1/Main_2", "prod-web-1-main-2"},
		{"--", "container"},
		{"docker.io/x:1.0", "docker-io-x-1-0"},
		{"\xc3\xbc", "container"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct report_group g = {.name = (char *)cases[i].name};
		_cleanup_(buf_done) struct buf out = {.max = 100};

		report_object_name(&g, &out);
		assert_string_equal(buf_cstr(&out), cases[i].object);
	}
}

/* ---- a view ------------------------------------------------------------------------------------
 */

struct shown {
	int code, report_code;
	char out[8192];
	struct err err;
};

static void show(const char *output, const char *option, const char *number, size_t n_rows,
		 struct shown *ret)
{
	struct pod pod = {.name = "web"};
	struct schema *s = make_schema(number);
	struct labels options = {0};
	struct view *v = NULL;
	unsigned int source;
	FILE *file = tmpfile();
	struct view_options o = {
		.output = output, .report_options = &options, .fd = fileno(file), .err_fd = -1};

	*ret = (struct shown){0};
	if (option)
		labels_add(&options, option, "no");
	ret->code = view_new(&o, &v, &ret->err);
	ret->code = ret->code ?: view_add(v, s, VIEW_STREAM, &source, &ret->err);
	ret->code = ret->code ?: view_start(v, &ret->err);
	for (size_t i = 0; !ret->code && i < n_rows; i++) {
		struct call_event event = {.syscall = call_named((uint32_t)i % 3)};
		struct row row = {.part = {&event, &pod}, .size = {sizeof(event), sizeof(pod)}};

		view_row(v, source, &row, false);
	}
	if (!ret->code) {
		ret->report_code = view_end(v, &ret->err);
		view_flush(v);
		assert_true(pread(fileno(file), ret->out, sizeof(ret->out) - 1, 0) >= 0);
	}
	view_free(v);
	labels_done(&options);
	schema_unref(s);
	fclose(file);
}

static void a_view_writes_the_report(void **state)
{
	struct shown shown;

	show(NULL, "runtime-calls", "syscall", 10, &shown);
	assert_int_equal(shown.code | shown.report_code, 0);
	assert_non_null(strstr(shown.out, "\"defaultAction\": \"SCMP_ACT_ERRNO\""));
	assert_non_null(strstr(shown.out, "\"open\",\n        \"read\",\n        \"write\"\n"));
	show("spo", "runtime-calls", "syscall", 10, &shown);
	assert_int_equal(shown.code | shown.report_code, 0);
	assert_non_null(strstr(shown.out, "    - open\n    - read\n    - write\n"));
	show("json", NULL, "syscall", 1, &shown);
	assert_int_equal(shown.code | shown.report_code, 0);
	assert_non_null(strstr(shown.out, "\"syscall\":\"read\""));
	show("none", NULL, "syscall", 1, &shown);
	assert_string_equal(shown.out, "");
}

static void what_a_view_refuses(void **state)
{
	struct shown shown;

	show("rhubarb", NULL, "syscall", 1, &shown);
	assert_int_equal(shown.code, -EINVAL);
	show("k8s", NULL, "syscall", 1, &shown); /* another gadget's */
	assert_int_equal(shown.code, -EINVAL);
	assert_non_null(strstr(shown.err.text, "advise_seccomp has no output mode 'k8s'"));
	show("json", "merge", "syscall", 1, &shown);
	assert_int_equal(shown.code, -EINVAL);
	show(NULL, "rhubarb", "syscall", 1, &shown);
	assert_int_equal(shown.code, -EINVAL);
	show(NULL, NULL, "syscall", 0, &shown);
	assert_int_equal(shown.report_code, -ENODATA);
	assert_string_equal(shown.out, "");
}

/* A file may say that its rows are a gadget's which has other ones. */
static void rows_of_something_else(void **state)
{
	struct shown shown;

	show(NULL, NULL, "other", 3, &shown);
	assert_int_equal(shown.code, 0);
	assert_int_equal(shown.report_code, -EBADMSG);
	assert_string_equal(shown.out, "");
}

static uint32_t next_random(void)
{
	static uint32_t seed = 1;

	seed = seed * 1664525 + 1013904223;
	return seed >> 8;
}

/* Small numbers, so that some are what a gadget would say, texts that reach out of the row, noise.
 */
static void make_noise(unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes[i] = next_random() % 3   ? 0
			   : next_random() % 2 ? next_random() % 5
					       : next_random();
}

static void rows_of_noise(const struct report *report, const char *mode)
{
	const struct gadget_open_options with_names = {.enrich = container_add_fields};
	struct container c = {.name = (char *)"web", .bundle = (char *)"/no/such"};
	struct view_options o = {.output = mode, .fd = open("/dev/null", O_WRONLY), .err_fd = -1};
	unsigned char record[512];
	struct gadget *g = NULL;
	struct view *v = NULL;
	unsigned int source;

	assert_int_equal(gadget_open_builtin(report->gadget, &with_names, &g, NULL), 0);
	for (int run = 0; run < 50; run++) {
		assert_int_equal(view_new(&o, &v, NULL), 0);
		assert_int_equal(
			view_add(v, gadget_source(g, 0)->schema, VIEW_STREAM, &source, NULL), 0);
		assert_int_equal(view_start(v, NULL), 0);
		for (int i = 0; i < 40; i++) {
			struct row row = {
				.part = {record, i % 4 ? &c : NULL},
				.size = {next_random() % 8 ? sizeof(record) : 40, sizeof(c)}};

			make_noise(record, sizeof(record));
			view_row(v, source, &row, false);
		}
		view_end(v, NULL);
		view_free(v);
	}
	gadget_free(g);
	close(o.fd);
}

static void noise(void **state)
{
	for_each_registered(ig_reports, r)
		for (const struct report_mode *m = (*r)->modes; m->name; m++)
			rows_of_noise(*r, m->name);
}

/* Names of modes and options are nobody else's, or one would not be reached. */
static void names_of_reports(void **state)
{
	static const char *const builtin[] = {"columns", "json", "jsonpretty", "yaml", "none"};
	size_t n = 0;

	for_each_registered(ig_reports, r) {
		n++;
		assert_non_null(gadget_builtin_find((*r)->gadget));
		assert_non_null((*r)->modes->name);
		for (size_t i = 0; i < array_size(builtin); i++)
			assert_null(report_mode(*r, builtin[i]));
	}
	assert_true(n >= 3);
}

/* ---- profiles that are there -------------------------------------------------------------------
 */

static int read_text(const char *text, struct seccomp_profile *ret)
{
	char path[] = "/tmp/ig-profile-XXXXXX";
	int fd = mkstemp(path), r;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	r = seccomp_profile_read(path, ret, NULL);
	unlink(path);
	return r;
}

static void profiles(void **state)
{
	struct seccomp_profile p = {0};

	assert_int_equal(read_text("{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":"
				   "[\"b\",\"a\",\"b\"],\"action\":\"SCMP_ACT_ALLOW\"},{\"name\":"
				   "\"c\",\"action\":\"SCMP_ACT_KILL\"}]}",
				   &p),
			 0);
	assert_int_equal(p.allowed.n, 2);
	assert_true(seccomp_profile_allows(&p, "a") && seccomp_profile_allows(&p, "b"));
	assert_false(seccomp_profile_allows(&p, "c") || seccomp_profile_allows(&p, "d"));
	seccomp_profile_done(&p);
	assert_int_equal(
		read_text("{\"ociVersion\":\"1\",\"linux\":{\"seccomp\":{\"defaultAction\":"
			  "\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"c\"],\"action\":"
			  "\"SCMP_ACT_ERRNO\"}]}}}",
			  &p),
		0);
	assert_true(seccomp_profile_allows(&p, "d"));
	assert_false(seccomp_profile_allows(&p, "c"));
	seccomp_profile_done(&p);
}

static void bad_profiles(void **state)
{
	static const struct {
		const char *text;
		int code;
	} cases[] = {
		{"", -EBADMSG},
		{"[]", -EBADMSG},
		{"{}", -EBADMSG},
		{"{\"ociVersion\":\"1\"}", -ENOENT},
		{"{\"linux\":{}}", -ENOENT},
		{"{\"defaultAction\":5}", -EBADMSG},
		{"{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"syscalls\":[{\"names\":[5]}]}", -EBADMSG},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct seccomp_profile p = {0};

		assert_int_equal(read_text(cases[i].text, &p), cases[i].code);
	}
}

/* ---- where was written
 * --------------------------------------------------------------------------- */

static void joined_paths(void **state)
{
	static const struct {
		const char *dir, *path, *whole;
	} cases[] = {
		{"/a/b", "c", "/a/b/c"},	 {"/a/b", "/c", "/c"}, {"/", "c", "/c"},
		{"/a", "../../c/./d//", "/c/d"}, {"", "", "/"},	       {"/a", "..", "/"},
		{"/a", "...", "/a/..."},	 {"a", "b/", "/a/b"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		_cleanup_(freep) char *whole = path_join(cases[i].dir, cases[i].path);

		assert_string_equal(whole, cases[i].whole);
	}
}

static const struct folder *folder_at(const struct places *p, const char *path)
{
	for (size_t i = 0; i < p->n_folders; i++)
		if (!strcmp(p->folders[i].path, path))
			return &p->folders[i];
	return NULL;
}

static void folders_are_put_where_they_lie(void **state)
{
	struct places p = {0};

	places_mount(&p, "/", "overlay", false);
	places_mount(&p, "/var/lib", "ext4", false);
	places_mount(&p, "/tmp", "tmpfs", false);
	assert_int_equal(places_write(&p, "/var/lib/db/f", CREATED, BY_PATH, false), 0);
	assert_int_equal(places_write(&p, "/var/library/f", CREATED, BY_PATH, false), 0);
	assert_int_equal(places_write(&p, "/var/library/f", OPENED, ON_ROOT, false), 0);
	assert_int_equal(places_write(&p, "/var/library/deep/f", OPENED, ON_ROOT, true), 0);
	assert_int_equal(places_write(&p, "/tmp", CREATED, BY_PATH, false), 0);
	assert_int_equal(places_write(&p, "/top", CREATED, BY_PATH, false), 0);
	places_settle(&p);
	assert_int_equal(folder_at(&p, "/var/lib/db")->place, ELSEWHERE);
	assert_int_equal(folder_at(&p, "/var/library")->place, ON_ROOT);
	assert_int_equal(folder_at(&p, "/var/library")->how, 1 << CREATED | 1 << OPENED);
	assert_true(folder_at(&p, "/var/library/deep")->covered);
	assert_true(folder_at(&p, "/var/library/deep")->refused);
	assert_false(folder_at(&p, "/var/library")->covered);
	assert_true(folder_has_content(folder_at(&p, "/var/library/deep")));
	assert_int_equal(p.n_folders, 5); /* "/" twice: what is made in it, and a mount's top */
	assert_int_equal(p.folders[0].place + p.folders[1].place, ON_ROOT + ELSEWHERE);
	places_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups_have_names),
		cmocka_unit_test(too_many_groups),
		cmocka_unit_test(names_of_objects),
		cmocka_unit_test(a_view_writes_the_report),
		cmocka_unit_test(what_a_view_refuses),
		cmocka_unit_test(rows_of_something_else),
		cmocka_unit_test(noise),
		cmocka_unit_test(names_of_reports),
		cmocka_unit_test(profiles),
		cmocka_unit_test(bad_profiles),
		cmocka_unit_test(joined_paths),
		cmocka_unit_test(folders_are_put_where_they_lie),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
