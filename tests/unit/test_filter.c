// SPDX-License-Identifier: Apache-2.0
/* Filter expressions on rows like trace_open's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "columns/filter.h"
#include "open_row.h"

/* boot: 2001-09-09T01:46:40Z */
static const struct clock_base clock_base = {.boot_to_real_ns = 1000000000000000000};
static struct schema *schema;
static struct open_record record;
static struct test_container container;

static int setup(void **state)
{
	schema = open_schema();
	container = test_container();
	container.labels = test_labels();
	open_fill(&record);
	record.event.error = 2;
	record.event.latency = 10000000;
	record.event.peer = (struct g_endpoint){.addr = {[10] = 255, [11] = 255, 10, 0, 0, 1},
						.port = 80,
						.proto = 6,
						.version = 4};
	open_text(&record, &record.event.args, "sh\0-c\0a, b\\c\0", 13);
	return 0;
}

static int teardown(void **state)
{
	schema_unref(schema);
	return 0;
}

static bool matches(const char *text, const struct test_container *c)
{
	struct row row = open_row(&record, c);
	struct bound_filter *b = NULL;
	struct filter *f = NULL;
	struct err err = {0};
	size_t known;
	bool result;

	if (filter_parse(text, &f, &err) ||
	    filter_bind(f, schema, &clock_base, true, &b, &known, &err))
		fail_msg("'%s': %s", text, err.text);
	filter_free(f); /* a bound filter does not need it any more */
	result = filter_match(b, &row);
	bound_filter_free(b);
	return result;
}

static void conditions(void **state)
{
	static const struct {
		const char *text;
		bool match;
	} cases[] = {
		{"error==ENOENT", true},
		{"error!=ENOENT", false},
		{"error==2", true},
		{"error==enoent", true},
		{"error!=", true}, /* not "no error" */
		{"latency>=10ms", true},
		{"latency>10ms", false},
		{"latency<0.0101s", true},
		{"size>=4KiB", true},
		{"size==4096", true},
		{"size>1MiB", false},
		{"proc.comm==nginx", true},
		{"proc.comm==ngin", false},
		{"proc.comm>ngin", true},
		{"comm==nginx", true}, /* the name's last part */
		{" comm == nginx ", true},
		{"proc.parent.comm~shim$", true},
		{"proc.comm!~^n", false},
		{"path~\\.so\\.[0-9]+$", true},
		{"path~^/etc", false},
		{"flags==O_CLOEXEC", true},
		{"flags~O_CLOEXEC", true},
		{"flags==O_RDONLY|O_CLOEXEC", true},
		{"mode==0644", true},
		{"fd<0", false},
		{"fd>-1", true},
		{"peer.addr==10.0.0.1", true},
		{"peer.addr==::ffff:10.0.0.1", true},
		{"peer.addr>10.0.0.0", true},
		{"peer.port==80", true},
		{"peer.proto==tcp", true},
		{"peer==10.0.0.1:80", true},
		{"peer~:80$", true},
		{"args==sh -c a\\, b\\\\c", true},
		{"args~a\\, b", true},
		{"runtime.containerName==web", true},
		{"containerName==db", false},
		{"runtime.cgroupId==8123", true},
		{"error==ENOENT,comm==nginx", true},
		{"error==ENOENT,comm==bash", false},
		{"open:error==ENOENT", true},
		{"trace_open:error!=ENOENT", false},
		{"trace_exec:error!=ENOENT", true}, /* says nothing about these rows */
		{"timestamp>=1000000000123456789", true},
		{"timestamp==2033-05-18T03:33:20.123456789Z", true},
		{"timestamp>2033-05-18T03:33:20.123456788Z", true},
		{"timestamp>2033-05-18T03:33:20.123456789Z", false},
		{"timestamp>2033-05-18T03:33:20", true},
		{"timestamp<2033-05-18T05:33:20+02:00", false},
		{"timestamp<2033-05-18T05:33:21+02:00", true},
		{"timestamp>=2033-05-18,timestamp<2033-05-19", true},
		{"timestamp>1999-01-01", true}, /* before boot */
		{"timestamp<1999-01-01", false},
		{"timestamp~^2033-05-18T03:33", true},
		{"path!=,fd==5", true},
		{"path~^(/[[:alnum:]_-]+){3}/lib[a-z]+\\.so(\\.[0-9]+)*$", true},
		{"path~[]]|[^]/]*libc", true},
		{"path~^/\\w+(?=/)(?i).*LIBC", true},
		{"k8s.podLabels.tier==front", true},
		{"k8s.podLabels.tier!=front", false},
		{"k8s.podLabels.tier==back", false},
		{"podLabels.tier~^fr", true},
		{"podlabels.tier!~^fr", false},
		{"podLabels.Tier==front", false}, /* a key's letters count */
		{"k8s.podLabels.app.kubernetes.io/name==shop", true},
		{" podLabels.app.kubernetes.io/name == shop ", true},
		{"k8s.podLabels.app.kubernetes.io==shop", false},
		{"podLabels.empty==", true},
		{"podLabels.absent==", true}, /* the same as empty */
		{"podLabels.absent!=web", true},
		{"podLabels.absent!~.", true},
		{"podLabels.absent~.", false},
		{"podLabels.tier>f,podLabels.tier<g", true},
		{"k8s.podLabels~tier", true},
		{"k8s.podLabels~(^|\\,)tier=front(\\,|$)", true},
		{"podLabels==app.kubernetes.io/name=shop\\,tier=front\\,empty=", true},
		{"podLabels!=", true},
		{"trace_open:podLabels.tier==front", true},
		{"trace_exec:podLabels.tier==back", true},
	};

	for (size_t i = 0; i < array_size(cases); i++)
		if (matches(cases[i].text, &container) != cases[i].match)
			fail_msg("'%s'", cases[i].text);
}

static void absent_values(void **state)
{
	struct test_container nameless = {0};

	assert_false(matches("runtime.containerName==web", NULL));
	assert_true(matches("runtime.containerName!=web", NULL));
	assert_true(matches("runtime.containerName==", &nameless));
	assert_false(matches("runtime.containerPid>=0", NULL));
	assert_true(matches("runtime.containerPid!=1", NULL));
	assert_false(matches("podLabels.tier==front", NULL));
	assert_true(matches("podLabels.tier!=front", NULL));
	assert_true(matches("podLabels==", &nameless));
	assert_true(matches("podLabels==,podLabels.tier==", NULL));
}

/* A time that is 0 is shown as nothing: it is before no date and after none. */
static void absent_times(void **state)
{
	g_time saved = record.event.timestamp;

	record.event.timestamp = 0;
	assert_false(matches("timestamp<2033-05-18", &container));
	assert_false(matches("timestamp>1999-01-01", &container));
	assert_true(matches("timestamp!=2033-05-18", &container));
	assert_true(matches("timestamp<1", &container)); /* the raw number */
	record.event.timestamp = saved;
}

static void expect_error(const char *text, int result, const char *why)
{
	struct bound_filter *b = NULL;
	struct filter *f = NULL;
	struct err err = {0};
	size_t known;
	int r = filter_parse(text, &f, &err);

	if (!r)
		r = filter_bind(f, schema, &clock_base, true, &b, &known, &err);
	assert_int_equal(r, result);
	if (!strstr(err.text, why))
		fail_msg("'%s' says: %s", text, err.text);
	filter_free(f);
	assert_null(b);
}

static void errors(void **state)
{
	expect_error("", -EINVAL, "name is missing");
	expect_error("comm", -EINVAL, "must follow");
	expect_error("comm=nginx", -EINVAL, "write ==");
	expect_error("==x", -EINVAL, "name is missing");
	expect_error("comm==a,,fd==1", -EINVAL, "name is missing");
	expect_error("com==nginx", -ENOENT, "did you mean 'comm'");
	expect_error("error==ENOTHING", -EINVAL, "'ENOTHING' is not a value of field 'error'");
	expect_error("fd==many", -EINVAL, "not a value");
	expect_error("size==-1", -EINVAL, "not a value");
	expect_error("timestamp>yesterday", -EINVAL, "not a value of field 'timestamp'");
	expect_error("timestamp>2026-02-30", -EINVAL, "not a value");
	expect_error("timestamp>9999-01-01", -EINVAL, "not a value");
	expect_error("latency>2026-11-22", -EINVAL, "not a value");
	expect_error("latency>fast", -EINVAL, "not a value");
	expect_error("peer.addr==example.org", -EINVAL, "not a value");
	expect_error("path~(", -EINVAL, "no regular expression");
	expect_error("path~((a{1\\,200}){1\\,200}){200}", -EINVAL, "too large");
	expect_error("path~a\\X", -EINVAL, "\\X is not supported");
	expect_error("path~(*UTF)a", -EINVAL, "no regular expression");
	expect_error("proc==1", -EINVAL, "group");
	expect_error("container==1", -ENOENT, "no field");
	expect_error("podLables.app==web", -ENOENT, "did you mean 'podLabels.app'");
	expect_error("k8s.podLabels.==web", -ENOENT, "did you mean 'k8s.podLabels'");
	expect_error("podLabels.app=web", -EINVAL, "write ==");
	expect_error("podLabels.app~(", -EINVAL, "no regular expression");
}

static void hostile_texts(void **state)
{
	struct open_record saved = record;

	/*
	 * bytes that are not UTF-8, a NUL within, no NUL at the end: nothing is read beyond the
	 * text
	 */
	record.used = 0;
	open_text(&record, &record.event.path, "\xff\0tail", 6);
	assert_true(matches("path~tail$", &container));
	assert_false(matches("path==\xff", &container));
	assert_true(matches("path>\xff", &container));
	record.event.path = (g_text){.offset = 0xfffffff0, .length = 0x7fffffff};
	assert_true(matches("path==", &container));
	assert_false(matches("path~.", &container));
	/* an expression that would take until tomorrow: the row is shown either way */
	record.used = 0;
	open_text(&record, &record.event.path, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", 41);
	assert_true(matches("path~(a|a)+[bd]", &container));
	assert_true(matches("path!~(a|a)+[bd]", &container));
	assert_false(matches("path~a+b", &container));
	record = saved;
}

static void unsigned_numbers(void **state)
{
	uint64_t saved = container.cgroup_id;

	container.cgroup_id = UINT64_MAX;
	assert_true(matches("runtime.cgroupId>1", &container));
	assert_true(matches("runtime.cgroupId==18446744073709551615", &container));
	assert_true(matches("runtime.cgroupId>9223372036854775807", &container));
	container.cgroup_id = saved;
}

static void schemas_that_lack_a_field(void **state)
{
	struct schema *other = schema_new("trace_exec", "exec", 8);
	static const uint64_t pid = 7;
	struct row row = {.part = {&pid}, .size = {8}};
	struct bound_filter *b = NULL;
	struct filter *f = NULL;
	size_t known = 99;

	schema_add(other, &(struct field){.name = "proc.pid", .kind = KIND_UINT, .size = 4}, NULL);
	schema_finish(other, NULL);
	assert_int_equal(filter_parse("pid==7,path~x", &f, NULL), 0);
	assert_true(filter_knows(f, 0, other));
	assert_false(filter_knows(f, 1, other));
	assert_string_equal(filter_field(f, 1), "path");
	assert_null(filter_field(f, 2));
	assert_int_equal(filter_bind(f, other, NULL, true, &b, &known, NULL), -ENOENT);
	assert_int_equal(filter_bind(f, other, NULL, false, &b, &known, NULL), 0);
	assert_int_equal(known, 1);
	assert_false(filter_match(b, &row));
	bound_filter_free(b);
	filter_free(f);

	assert_int_equal(filter_parse("pid==7,open:path~x", &f, NULL), 0);
	assert_int_equal(filter_bind(f, other, NULL, true, &b, &known, NULL), 0);
	assert_true(filter_match(b, &row)); /* the second condition is about another source */
	bound_filter_free(b);
	filter_free(f);

	assert_int_equal(filter_parse("pid==7,podLabels.app!=x", &f, NULL), 0);
	assert_false(filter_knows(f, 1, other));
	assert_true(filter_knows(f, 1, schema));
	assert_int_equal(filter_bind(f, other, NULL, false, &b, &known, NULL), 0);
	assert_int_equal(known, 1);
	assert_false(filter_match(b, &row));
	bound_filter_free(b);
	filter_free(f);
	schema_unref(other);
}

static void limits(void **state)
{
	char *text = malloc(MAX_FILTER_BYTES + 2);
	struct filter *f;

	memset(text, 'a', MAX_FILTER_BYTES + 1);
	text[MAX_FILTER_BYTES + 1] = '\0';
	memcpy(text, "path==", 6);
	assert_int_equal(filter_parse(text, &f, NULL), -EINVAL);
	for (size_t i = 0; i + 5 < MAX_FILTER_BYTES; i += 5)
		memcpy(text + i, "a==1,", 5);
	text[MAX_FILTER_BYTES - 6] = '\0';
	assert_int_equal(filter_parse(text, &f, NULL), -EINVAL);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conditions),
		cmocka_unit_test(absent_values),
		cmocka_unit_test(absent_times),
		cmocka_unit_test(errors),
		cmocka_unit_test(hostile_texts),
		cmocka_unit_test(unsigned_numbers),
		cmocka_unit_test(schemas_that_lack_a_field),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
