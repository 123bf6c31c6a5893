// SPDX-License-Identifier: Apache-2.0
/* Words and numbers: what is read, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"

struct number_case {
	const char *text;
	int result;
	uint64_t value;
};

static void check_numbers(int (*parse)(const char *s, uint64_t *ret),
			  const struct number_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t value = 77;

		if (parse(cases[i].text, &value) != cases[i].result ||
		    value != (cases[i].result ? 77 : cases[i].value))
			fail_msg("'%s' gave %llu", cases[i].text, (unsigned long long)value);
	}
}

static void unsigned_numbers(void **state)
{
	static const struct number_case cases[] = {
		{"0", 0, 0},
		{"18446744073709551615", 0, UINT64_MAX},
		{"18446744073709551616", -ERANGE, 0},
		{"0x10", 0, 16},
		{"0644", 0, 0644},
		{"", -EINVAL, 0},
		{"-1", -EINVAL, 0},
		{"+1", -EINVAL, 0},
		{" 1", -EINVAL, 0},
		{"1 ", -EINVAL, 0},
		{"12x", -EINVAL, 0},
		{"0x", -EINVAL, 0},
		{"089", -EINVAL, 0},
	};

	check_numbers(parse_u64, cases, array_size(cases));
}

static void signed_numbers(void **state)
{
	int64_t value;

	assert_int_equal(parse_i64("-9223372036854775808", &value), 0);
	assert_true(value == INT64_MIN);
	assert_int_equal(parse_i64("9223372036854775807", &value), 0);
	assert_true(value == INT64_MAX);
	assert_int_equal(parse_i64("9223372036854775808", &value), -ERANGE);
	assert_int_equal(parse_i64("-9223372036854775809", &value), -ERANGE);
	assert_int_equal(parse_i64("+7", &value), 0);
	assert_int_equal(value, 7);
	assert_int_equal(parse_i64("--7", &value), -EINVAL);
	assert_int_equal(parse_i64("-", &value), -EINVAL);
}

static void booleans(void **state)
{
	bool value = false;

	assert_int_equal(parse_bool("Yes", &value), 0);
	assert_true(value);
	assert_int_equal(parse_bool("off", &value), 0);
	assert_false(value);
	assert_int_equal(parse_bool("maybe", &value), -EINVAL);
	assert_int_equal(parse_bool("", &value), -EINVAL);
}

static void sizes(void **state)
{
	static const struct number_case cases[] = {
		{"4096", 0, 4096},
		{"64k", 0, 65536},
		{"1MiB", 0, 1048576},
		{"1.5MiB", 0, 1572864},
		{"2GB", 0, 2000000000},
		{"1kB", 0, 1000},
		{"0.5K", 0, 512},
		{"3B", 0, 3},
		{"0x100", 0, 256},
		{"17179869184G", -ERANGE, 0},
		{"16777215T", 0, 16777215ull << 40},
		{"1.", -EINVAL, 0},
		{".5M", -EINVAL, 0},
		{"1Mi", -EINVAL, 0},
		{"1 M", -EINVAL, 0},
		{"-1M", -EINVAL, 0},
		{"", -EINVAL, 0},
		{"99999999999999999999999999999999999999999", -ERANGE, 0},
	};

	check_numbers(parse_bytes, cases, array_size(cases));
}

static void durations(void **state)
{
	static const struct number_case cases[] = {
		{"10ms", 0, 10000000},
		{"1.5s", 0, 1500000000},
		{"2m", 0, 120000000000},
		{"1h", 0, 3600000000000},
		{"250us", 0, 250000},
		{"7ns", 0, 7},
		{"42", 0, 42},
		{"0.0000000009s", 0, 0},
		{"0.000000001s", 0, 1},
		{"1.000000000000000000000000000001s", 0, 1000000000},
		{"10sec", -EINVAL, 0},
		{"s", -EINVAL, 0},
		{"99999999999h", -ERANGE, 0},
	};

	check_numbers(parse_duration, cases, array_size(cases));
}

static void times(void **state)
{
	static const struct {
		const char *text;
		int result;
		int64_t ns;
	} cases[] = {
		{"2026-11-22T10:58:02.119552Z", 0, 1795345082119552000},
		{"2026-11-22T12:58:02+02:00", 0, 1795345082000000000},
		{"2026-11-22T05:28:02.5-05:30", 0, 1795345082500000000},
		{"2026-11-22T10:58:02.1234567891234Z", 0, 1795345082123456789},
		{"2026-11-22T10:58:02", 0, 1795345082000000000},
		{"2026-11-22", 0, 1795305600000000000},
		{"2024-02-29", 0, 1709164800000000000},
		{"1970-01-01T00:00:01Z", 0, 1000000000},
		{"1969-12-31T23:59:59.5Z", 0, -500000000},
		{"1677-01-01", -ERANGE, 0},
		{"9999-01-01T00:00:00Z", -ERANGE, 0},
		{"2026-02-29", -EINVAL, 0},
		{"2026-11-00", -EINVAL, 0},
		{"2026-00-22", -EINVAL, 0},
		{"2026-13-22", -EINVAL, 0},
		{"2026-11-22T24:00:00Z", -EINVAL, 0},
		{"2026-11-22T10:60:00Z", -EINVAL, 0},
		{"2026-11-22T10:58:60Z", -EINVAL, 0},
		{"2026-11-22T10:58Z", -EINVAL, 0},
		{"2026-11-22T10:58:02.Z", -EINVAL, 0},
		{"2026-11-22T10:58:02+0200", -EINVAL, 0},
		{"2026-11-22T10:58:02+24:00", -EINVAL, 0},
		{"2026-11-22T10:58:02Z ", -EINVAL, 0},
		{"2026-11-22 10:58:02Z", -EINVAL, 0},
		{"2026-11-22Z", -EINVAL, 0},
		{"2026-11-2", -EINVAL, 0},
		{"2026-11-22T", -EINVAL, 0},
		{"yesterday", -EINVAL, 0},
		{"", -EINVAL, 0},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		int64_t ns = 77;

		if (parse_time(cases[i].text, &ns) != cases[i].result ||
		    ns != (cases[i].result ? 77 : cases[i].ns))
			fail_msg("'%s' gave %lld", cases[i].text, (long long)ns);
	}
}

static void globs(void **state)
{
	static const struct {
		const char *pattern, *text;
		bool match;
	} cases[] = {
		{"", "", true},
		{"", "a", false},
		{"*", "", true},
		{"*", "any/thing", true},
		{"web-*", "web-1", true},
		{"web-*", "xweb-1", false},
		{"*-1", "a-1-1", true},
		{"a*b*c", "aXbYbZc", true},
		{"a*b*c", "aXbYbZ", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"[a-c]x", "bx", true},
		{"[a-c]x", "dx", false},
		{"[!a-c]x", "dx", true},
		{"[^a]", "a", false},
		{"[]]", "]", true},
		{"[a", "[a", true},
		{"\\*", "*", true},
		{"\\*", "x", false},
		{"[\\]]", "]", true},
		{"a\\", "a\\", true},
		{"*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
	};

	for (size_t i = 0; i < array_size(cases); i++)
		if (glob_matches(cases[i].pattern, cases[i].text) != cases[i].match)
			fail_msg("glob '%s' on '%s'", cases[i].pattern, cases[i].text);
}

static void expect_split(const char *text, bool escapes, size_t n, const char *const *words)
{
	char **got;

	assert_int_equal(split(text, ',', escapes, &got), n);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(got[i], words[i]);
	free(got);
}

static void splitting(void **state)
{
	expect_split("", false, 0, NULL);
	expect_split("a", false, 1, (const char *[]){"a"});
	expect_split("a,,b,", false, 4, (const char *[]){"a", "", "b", ""});
	expect_split("a\\,b,c\\\\,d\\x", true, 3, (const char *[]){"a,b", "c\\", "d\\x"});
	expect_split("a\\,b", false, 2, (const char *[]){"a\\", "b"});
	expect_split("end\\", true, 1, (const char *[]){"end\\"});
}

static const char *nth(const void *ctx, size_t i)
{
	return ((const char *const *)ctx)[i];
}

static void suggestions(void **state)
{
	static const char *const gadgets[] = {"trace_exec", "trace_open", "trace_tcp", "top_tcp",
					      NULL};

	assert_string_equal(nearest("trace_opne", nth, gadgets), "trace_open");
	assert_string_equal(nearest("tracetcp", nth, gadgets), "trace_tcp");
	assert_string_equal(nearest("TOP_TCP", nth, gadgets), "top_tcp");
	assert_string_equal(
		nearest("fild", nth, (const char *const[]){"pid", "fields", "tid", NULL}), "fields");
	assert_null(nearest("flamegraph", nth, gadgets));
	assert_null(nearest("", nth, gadgets));
	assert_null(nearest("xy", nth, (const char *const[]){"ab", NULL})); /* nothing in common */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unsigned_numbers),
		cmocka_unit_test(signed_numbers),
		cmocka_unit_test(booleans),
		cmocka_unit_test(sizes),
		cmocka_unit_test(durations),
		cmocka_unit_test(times),
		cmocka_unit_test(globs),
		cmocka_unit_test(splitting),
		cmocka_unit_test(suggestions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
