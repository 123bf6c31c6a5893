// SPDX-License-Identifier: Apache-2.0
/* Each format: what a value looks like, and that what it looks like is read back in filters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <jansson.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/digits.h"
#include "columns/format.h"
#include "base/owners.h"
#include "columns/format_internal.h"
#include "columns/json.h"
#include "columns/labels.h"
#include "columns/types.h"

static const struct clock_base clock_base = {.boot_to_real_ns = 1700000000000000000};

static struct field make_field(const char *type, enum kind kind, uint32_t size)
{
	struct field f = {.name = "f", .type = type, .kind = kind, .size = size};

	f.format = format_find(type, kind, size);
	return f;
}

static void expect_text(struct field *f, const void *bytes, const char *text)
{
	struct row row = {.part = {bytes}, .size = {f->size}};
	struct buf out;

	buf_init(&out, 4096);
	f->format->text(f, &row, &clock_base, &out);
	if (strcmp(buf_cstr(&out), text))
		fail_msg("%s: '%s', not '%s'", f->type ? f->type : "plain", buf_cstr(&out), text);
	buf_done(&out);
}

#ifdef __aarch64__
enum { NATIVE_ARCH = 0xc00000b7 };
#else
enum { NATIVE_ARCH = 0xc000003e };
#endif
#define OPENAT ((int64_t)((uint64_t)NATIVE_ARCH << 32 | SYS_openat))

struct number_case {
	const char *type;
	enum kind kind;
	uint32_t size;
	int64_t value;
	const char *text;
	bool one_way; /* the text says less than the number */
};

static void named_numbers(void **state)
{
	static const struct number_case cases[] = {
		{"g_errno", KIND_INT, 4, 0, "", false},
		{"g_errno", KIND_INT, 4, 2, "ENOENT", false},
		{"g_errno", KIND_INT, 4, 11, "EAGAIN", false},
		{"g_errno", KIND_INT, 4, 512, "512", false},
		{"g_errno", KIND_INT, 4, -5, "-5", false},
		{"g_signal", KIND_UINT, 4, 9, "SIGKILL", false},
		{"g_signal", KIND_UINT, 4, 0, "", false},
		{"g_signal", KIND_UINT, 4, 35, "SIGRTMIN+1", false},
		{"g_signal", KIND_UINT, 4, 99, "99", false},
		{"g_signal_code", KIND_INT, 4, 0, "SI_USER", false},
		{"g_signal_code", KIND_INT, 4, -6, "SI_TKILL", false},
		{"g_signal_code", KIND_INT, 4, 128, "SI_KERNEL", false},
		{"g_signal_code", KIND_INT, 4, 11 << 16 | 1, "SEGV_MAPERR", false},
		{"g_signal_code", KIND_INT, 4, 17 << 16 | 1, "CLD_EXITED", false},
		{"g_signal_code", KIND_INT, 4, 17 << 16 | 99, "1114211", false},
		{"g_syscall", KIND_UINT, 8, OPENAT, "openat", false},
		{"g_syscall", KIND_UINT, 8, (int64_t)(0x40000003ull << 32 | 11), "execve", true},
		{"g_syscall", KIND_UINT, 8, (int64_t)(0xc00000b7ull << 32 | 221), "execve",
		 NATIVE_ARCH != 0xc00000b7},
		{"g_syscall", KIND_UINT, 8, (int64_t)(0xc000003eull << 32 | 9999), "9999", true},
		{"g_syscall", KIND_UINT, 8, (int64_t)G_NO_SYSCALL, "", false},
		{"g_capability", KIND_UINT, 4, 0, "CAP_CHOWN", false},
		{"g_capability", KIND_UINT, 4, 21, "CAP_SYS_ADMIN", false},
		{"g_capability", KIND_UINT, 4, 63, "63", true},
		{"g_capability_set", KIND_UINT, 8, 0, "", false},
		{"g_capability_set", KIND_UINT, 8, 1 | 1 << 21, "CAP_CHOWN|CAP_SYS_ADMIN", false},
		{"g_open_flags", KIND_UINT, 4, 0, "O_RDONLY", false},
		{"g_open_flags", KIND_UINT, 4, O_RDWR | O_CREAT | O_EXCL, "O_RDWR|O_CREAT|O_EXCL",
		 false},
		{"g_open_flags", KIND_UINT, 4, O_WRONLY | O_SYNC | O_CLOEXEC,
		 "O_WRONLY|O_SYNC|O_CLOEXEC", false},
		{"g_open_flags", KIND_UINT, 4, O_DSYNC, "O_RDONLY|O_DSYNC", false},
		{"g_open_flags", KIND_UINT, 4, O_RDWR | O_TMPFILE, "O_RDWR|O_TMPFILE", false},
		{"g_open_flags", KIND_UINT, 4, O_DIRECTORY, "O_RDONLY|O_DIRECTORY", false},
		{"g_open_flags", KIND_UINT, 4, 3, "0x3", false},
		{"g_open_flags", KIND_UINT, 4, 0x40000000, "O_RDONLY|0x40000000", false},
		{"g_file_mode", KIND_UINT, 4, 0644, "0644", false},
		{"g_file_mode", KIND_UINT, 4, 0, "0000", false},
		{"g_dev", KIND_UINT, 4, 8 << 20 | 1, "8:1", false},
		{"g_tty", KIND_UINT, 4, 0, "", false},
		{"g_tty", KIND_UINT, 4, 136 << 8 | 3, "pts/3", false},
		{"g_tty", KIND_UINT, 4, 137 << 8 | 1, "pts/257", false},
		{"g_tty", KIND_UINT, 4, 4 << 8 | 1, "tty1", false},
		{"g_tty", KIND_UINT, 4, 4 << 8 | 64, "ttyS0", false},
		{"g_tty", KIND_UINT, 4, 5 << 8 | 1, "console", false},
		{"g_tty", KIND_UINT, 4, 200 << 8 | 7, "200:7", false},
		{"g_ipproto", KIND_UINT, 1, 6, "TCP", false},
		{"g_ipproto", KIND_UINT, 1, 200, "200", false},
		{"g_tcp_state", KIND_UINT, 1, 1, "ESTABLISHED", false},
		{"g_tcp_state", KIND_UINT, 1, 10, "LISTEN", false},
		{"g_bool", KIND_UINT, 1, 1, "true", false},
		{"g_bool", KIND_UINT, 1, 0, "false", false},
		{"g_bool", KIND_BOOL, 1, 1, "true", false},
		{"g_fd", KIND_INT, 4, -1, "-1", false},
		{"g_pid", KIND_UINT, 4, 4294967295, "4294967295", false},
		{"g_user", KIND_UINT, 4, 0, "root", true},
		{"g_group", KIND_UINT, 4, 0, "root", true},
		{"g_user", KIND_UINT, 4, 4294967295, "4294967295", false}, /* nobody's id */
		{"g_group", KIND_UINT, 4, 4294967295, "4294967295", false},
		{"g_cgroup", KIND_UINT, 8, -1, "18446744073709551615", true},
		{"g_duration", KIND_UINT, 8, 0, "0ns", false},
		{"g_duration", KIND_UINT, 8, 999, "999ns", false},
		{"g_duration", KIND_UINT, 8, 10000000, "10ms", false},
		{"g_duration", KIND_UINT, 8, 1234567, "1.234ms", true},
		{"g_duration", KIND_UINT, 8, 90500000000, "90.5s", false},
		{"g_bytes", KIND_UINT, 8, 0, "0B", false},
		{"g_bytes", KIND_UINT, 8, 1023, "1023B", false},
		{"g_bytes", KIND_UINT, 8, 1536, "1.5KiB", false},
		{"g_bytes", KIND_UINT, 8, 1 << 20, "1MiB", false},
		{"g_bytes", KIND_UINT, 8, -1, "16777215.9TiB", true},
		{"g_milli", KIND_UINT, 8, 1500, "1.5", false},
		{"g_milli", KIND_UINT, 8, 5, "0.005", false},
		{"g_percent", KIND_UINT, 8, 0, "0", false},
		{"g_percent", KIND_UINT, 8, 12500000, "1.25", false},
		{"g_percent", KIND_UINT, 8, 1234567890, "123.456", true},
		{"g_hex", KIND_UINT, 8, 31, "0x1f", false},
		{"g_hex", KIND_UINT, 8, -1, "0xffffffffffffffff", true},
		{NULL, KIND_INT, 8, INT64_MIN, "-9223372036854775808", false},
		{"unknown_t", KIND_UINT, 2, 65535, "65535", false},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		const struct number_case *c = &cases[i];
		struct field f = make_field(c->type, c->kind, c->size);
		int64_t value = 0;

		expect_text(&f, &c->value, c->text);
		if (c->one_way)
			continue;
		if (f.format->parse
			    ? f.format->parse(&f, c->text, &value) && parse_i64(c->text, &value)
			    : parse_i64(c->text, &value))
			fail_msg("%s: '%s' is not read", c->type, c->text);
		assert_true(value == c->value);
	}
}

static void times(void **state)
{
	static const struct {
		int64_t boot;
		const char *text;
	} cases[] = {
		{0, ""},
		{1, "2023-11-14T22:13:20.000000001Z"},
		{8985600000000000, "2024-02-26T22:13:20.000000000Z"},
		{9244800999999999, "2024-02-29T22:13:20.999999999Z"}, /* leap day */
		{2592000000000000, "2023-12-14T22:13:20.000000000Z"},
		{4153599000000000, "2024-01-01T23:59:59.000000000Z"},
		{-1700000000000000001, "1969-12-31T23:59:59.999999999Z"},
	};
	struct field f = make_field("g_time", KIND_UINT, 8);

	for (size_t i = 0; i < array_size(cases); i++)
		expect_text(&f, &cases[i].boot, cases[i].text);
}

/* Of files: nothing to do with this machine's clocks. */
static void walltimes(void **state)
{
	static const struct {
		int64_t ns;
		const char *text, *json;
	} cases[] = {
		{0, "", "null"},
		{1700000000000000001, "2023-11-14T22:13:20.000000001Z",
		 "\"2023-11-14T22:13:20.000000001Z\""},
		{-1, "1969-12-31T23:59:59.999999999Z", "\"1969-12-31T23:59:59.999999999Z\""},
	};
	struct field f = make_field("g_walltime", KIND_INT, 8);
	struct row row = {.size = {8}};
	struct buf out;
	int64_t ns = 0;

	buf_init(&out, 4096);
	for (size_t i = 0; i < array_size(cases); i++) {
		expect_text(&f, &cases[i].ns, cases[i].text);
		row.part[0] = &cases[i].ns;
		buf_clear(&out);
		f.format->json(&f, &row, &clock_base, &out);
		assert_string_equal(buf_cstr(&out), cases[i].json);
		if (!*cases[i].text)
			continue;
		assert_int_equal(f.format->date, DATE_REAL);
		assert_int_equal(parse_time(cases[i].text, &ns), 0);
		assert_true(ns == cases[i].ns);
	}
	buf_done(&out);
}

static void addresses(void **state)
{
	struct field f = make_field("g_addr", KIND_BYTES, 16);
	struct field e = make_field("g_endpoint", KIND_NONE, 20);
	struct g_endpoint v4 = {
		.addr = {[10] = 255, [11] = 255, 127, 0, 0, 1}, .port = 65535, .version = 4};
	struct g_endpoint v6 = {.addr = {[0] = 0xfe, 0x80, [15] = 1}, .port = 53, .version = 6};
	struct g_endpoint none = {.port = 1};
	unsigned char parsed[16];

	expect_text(&f, &v4, "127.0.0.1");
	expect_text(&f, &v6, "fe80::1");
	expect_text(&f, &none, "::");
	expect_text(&e, &v4, "127.0.0.1:65535");
	expect_text(&e, &v6, "[fe80::1]:53");
	expect_text(&e, &none, ""); /* was not filled */

	assert_int_equal(f.format->parse_bytes(&f, "127.0.0.1", parsed), 0);
	assert_memory_equal(parsed, v4.addr, 16);
	assert_int_equal(f.format->parse_bytes(&f, "fe80::1", parsed), 0);
	assert_memory_equal(parsed, v6.addr, 16);
	assert_int_not_equal(f.format->parse_bytes(&f, "localhost", parsed), 0);
}

static void enums(void **state)
{
	static const struct enum_value values[] = {{"READ", 1}, {"WRITE", 2}, {"MINUS", -1}};
	struct field f = make_field("enum", KIND_INT, 4);
	int64_t value;

	f.enum_values = values;
	f.n_enum_values = array_size(values);
	expect_text(&f, &(int32_t){2}, "WRITE");
	expect_text(&f, &(int32_t){-1}, "MINUS");
	expect_text(&f, &(int32_t){3}, "3");
	f.type = "access_set";
	expect_text(&f, &(int32_t){3}, "READ|WRITE");
	expect_text(&f, &(int32_t){5}, "READ|4");
	expect_text(&f, &(int32_t){0}, "0");
	assert_int_equal(f.format->parse(&f, "READ|WRITE", &value), 0);
	assert_int_equal(value, 3);
	assert_int_not_equal(f.format->parse(&f, "READ|NOTHING", &value), 0);
}

static void other_kinds(void **state)
{
	struct field hex = make_field("digest", KIND_BYTES, 4),
		     chars = make_field("char", KIND_CHARS, 4);

	expect_text(&hex, "\x00\xff\x10\x0a", "00ff100a");
	expect_text(&chars, "abcd", "abcd"); /* no NUL: ends at its size */
	expect_text(&chars, "a\0cd", "a");
	/* a type's name on bytes that cannot be it has the plain format */
	assert_ptr_equal(format_find("g_errno", KIND_CHARS, 4), format_find(NULL, KIND_CHARS, 4));
	assert_ptr_equal(format_find("g_addr", KIND_BYTES, 4), format_find(NULL, KIND_BYTES, 4));
}

struct list_record {
	g_args args;
	char tail[16];
};

static void expect_list(const char *bytes, uint32_t len, const char *text, const char *json)
{
	struct field f = make_field("g_args", KIND_LIST, 8);
	struct list_record r = {.args = {.offset = 8, .length = len}};
	struct row row = {.part = {&r}, .size = {8 + len}};
	struct buf out;

	if (len)
		memcpy(r.tail, bytes, len);
	buf_init(&out, 4096);
	f.format->text(&f, &row, NULL, &out);
	assert_string_equal(buf_cstr(&out), text);
	buf_clear(&out);
	f.format->json(&f, &row, NULL, &out);
	assert_string_equal(buf_cstr(&out), json);
	buf_done(&out);
}

static void lists(void **state)
{
	expect_list("ls\0-l\0", 6, "ls -l", "[\"ls\",\"-l\"]");
	expect_list("ls\0-l", 5, "ls -l", "[\"ls\",\"-l\"]"); /* cut before its NUL */
	expect_list("a\0\0b\0", 5, "a  b", "[\"a\",\"\",\"b\"]");
	expect_list("\0", 1, "", "[\"\"]");
	expect_list("", 0, "", "[]");
}

static void expect_labels(const struct labels *l, const char *text, const char *json)
{
	struct field f = make_field(NULL, KIND_LABELS, sizeof(*l));
	struct row row = {.part = {l}, .size = {sizeof(*l)}};
	struct buf out;

	expect_text(&f, l, text);
	buf_init(&out, 4096);
	f.format->json(&f, &row, NULL, &out);
	assert_string_equal(buf_cstr(&out), json);
	buf_done(&out);
}

static void labels(void **state)
{
	struct labels l = {0}, taken;

	expect_labels(&l, "", "{}");
	labels_add(&l, "app", "db");
	labels_add(&l, "app.kubernetes.io/name", "");
	labels_add(&l, "app", "web");
	expect_labels(&l, "app=web,app.kubernetes.io/name=",
		      "{\"app\":\"web\",\"app.kubernetes.io/name\":\"\"}");
	assert_string_equal(labels_get(&l, "app"), "web");
	assert_string_equal(labels_get(&l, "app.kubernetes.io/name"), "");
	assert_null(labels_get(&l, "app.kubernetes.io"));
	taken = labels_take(&l);
	assert_null(labels_get(&l, "app"));
	labels_done(&l);
	labels_add(&l, "\"a\"\033\xff", "1,b=2\n");
	expect_labels(&l, "\"a\"\033\xff=1,b=2\n",
		      "{\"\\\"a\\\"\\u001b\xef\xbf\xbd\":\"1,b=2\\n\"}");
	labels_done(&l);
	labels_done(&taken);
	assert_int_equal(taken.n, 0);
}

/* A field for one label reads rows as any text field does; its name may be printed. */
static void one_label(void **state)
{
	struct field set = make_field(NULL, KIND_LABELS, sizeof(struct labels));
	struct field *app = label_field(&set, "app"), *odd = label_field(&set, "\033.\"x");
	struct labels l = {0};
	struct row row = {.part = {&l}, .size = {sizeof(l)}};

	assert_string_equal(app->name, "f.app");
	assert_string_equal(odd->name, "f.\\x1b.\"x");
	assert_string_equal(odd->label, "\033.\"x");
	assert_false(row_has(&row, app));
	expect_text(app, &l, "");
	labels_add(&l, "app", "web");
	labels_add(&l, "\033.\"x", "y");
	assert_true(row_has(&row, app));
	expect_text(app, &l, "web");
	expect_text(odd, &l, "y");
	row.size[0]--; /* a part that is too short has no such field */
	assert_false(row_has(&row, app));
	assert_false(row_has(&row, &set));
	assert_false(row_labels(&row, &set, &(struct labels){0}));
	labels_done(&l);
	free(app);
	free(odd);
}

/* Of passwd(5) and what may stand there instead. */
static void owners(void **state)
{
	static const char text[] = "root:x:0:0:root:/root:/bin/sh\n"
				   "toor::0:0::/:\n"
				   "+@netgroup::7:::\n-x:x:8:\n:x:9:9\n\nalone\nhalf:x\n"
				   "minus:x:-5:\nempty:x::\nword:x:ten:\n"
				   "huge:x:4294967296:\nlast:x:4294967295:\n"
				   "root:x:12:12\n\033[1m:x:13:\nzeroes:x:0014:\nwww-data:x:33";
	static const char map[] = "         0     100000         10\n"
				  "        33       1000          1\n";
	struct owner_names *names = owner_names_new();
	struct owners o, none;
	uint64_t version;
	uint32_t id;

	owners_parse(&o, text, sizeof(text) - 1);
	owners_parse(&none, "", 0);
	assert_string_equal(owners_name(&o, 0), "root");
	assert_string_equal(owners_name(&o, 12), "root");
	assert_string_equal(owners_name(&o, 13), "\033[1m"); /* whoever shows it escapes it */
	assert_string_equal(owners_name(&o, 33), "www-data");
	assert_string_equal(owners_name(&o, 4294967295), "last");
	for (id = 1; id < 12; id++)
		assert_null(owners_name(&o, id));
	assert_int_equal(o.n, 7);
	assert_int_equal(owners_id(&o, "root", &id), 0);
	assert_int_equal(id, 0);
	assert_int_equal(owners_id(&o, "toor", &id), 0);
	assert_int_equal(owners_id(&o, "nobody", &id), -EINVAL);
	assert_int_equal(owners_id(&none, "root", &id), -EINVAL);
	assert_null(owners_name(&none, 0));
	owners_map(&o, map); /* of a user namespace */
	assert_int_equal(o.n, 3);
	assert_string_equal(owners_name(&o, 100000), "root");
	assert_string_equal(owners_name(&o, 1000), "www-data");
	names->users = o;
	version = names->version;
	owner_names_set(names, &names->users, 5, "five", 4);
	owner_names_set(names, &names->users, 1000, "web", 3);
	owner_names_set(names, &names->groups, 7, "seven", 5);
	assert_true(names->version > version);
	o = names->users;
	none = names->groups;
	assert_string_equal(owners_name(&o, 5), "five");
	assert_string_equal(owners_name(&o, 1000), "web");
	assert_string_equal(owners_name(&none, 7), "seven");
	owner_names_unref(names);
}

static void digits(void **state)
{
	static const uint64_t values[] = {0,
					  9,
					  10,
					  99,
					  100,
					  101,
					  999999999,
					  4294967295,
					  4294967296,
					  9999999999,
					  10000000000,
					  10000000001,
					  1000000000000000000,
					  100000000000000000,
					  UINT64_MAX};
	char ours[32], theirs[32];

	for (size_t i = 0; i < array_size(values) + 100000; i++) {
		uint64_t value = i < array_size(values) ? values[i]
							: i * i * i * 1009 * (i & 7 ? 1 : 977777);

		*put_u64(ours, value) = '\0';
		snprintf(theirs, sizeof(theirs), "%llu", (unsigned long long)value);
		assert_string_equal(ours, theirs);
	}
	*put_i64(ours, INT64_MIN) = '\0';
	assert_string_equal(ours, "-9223372036854775808");
}

/* Each byte value at each place of short texts: a real parser reads back what was meant. */
static void json_strings_of_any_bytes(void **state)
{
	struct buf out;

	buf_init(&out, 4096);
	for (size_t len = 1; len <= 17; len++)
		for (size_t at = 0; at < len; at++)
			for (int byte = 1; byte < 256; byte++) {
				char text[17];
				json_t *j;

				memset(text, 'x', sizeof(text));
				text[at] = (char)byte;
				buf_clear(&out);
				json_quote(&out, text, len);
				j = json_loadb(out.data, out.len, JSON_DECODE_ANY, NULL);
				assert_non_null(j);
				if (byte < 0x80) {
					assert_int_equal(json_string_length(j), len);
					assert_memory_equal(json_string_value(j), text, len);
				} else {
					assert_memory_equal(json_string_value(j) + at,
							    "\xef\xbf\xbd", 3);
				}
				json_decref(j);
			}
	buf_done(&out);
}

static void json_strings(void **state)
{
	static const struct {
		const char *bytes, *json;
	} cases[] = {
		{"", "\"\""},
		{"say \"hi\"\\", "\"say \\\"hi\\\"\\\\\""},
		{"\b\t\n\f\r\x01\x1f\x7f", "\"\\b\\t\\n\\f\\r\\u0001\\u001f\\u007f\""},
		{"日本 é 🦆", "\"日本 é 🦆\""},
		{"\xc2\x9b"
		 "2J",
		 "\"\\u009b2J\""},
		{"\xe2\x80\xae", "\"\\u202e\""},
		{"\xf3\xa0\x80\x81", "\"\\udb40\\udc01\""},
		{"\xe6\x97", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
		{"12345678901234567890\xff", "\"12345678901234567890\xef\xbf\xbd\""},
	};
	struct buf out;

	for (size_t i = 0; i < array_size(cases); i++) {
		buf_init(&out, 4096);
		json_quote(&out, cases[i].bytes, strlen(cases[i].bytes));
		assert_string_equal(buf_cstr(&out), cases[i].json);
		buf_done(&out);
	}
	buf_init(&out, 22); /* exactly what fits, near the maximum */
	json_quote(&out, "12345678901234567890", 20);
	assert_int_equal(out.len, 22);
	assert_false(out.failed);
	json_quote(&out, "1", 1);
	assert_true(out.failed);
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(named_numbers), cmocka_unit_test(times),
		cmocka_unit_test(addresses),	 cmocka_unit_test(enums),
		cmocka_unit_test(other_kinds),	 cmocka_unit_test(lists),
		cmocka_unit_test(labels),	 cmocka_unit_test(one_label),
		cmocka_unit_test(digits),	 cmocka_unit_test(json_strings_of_any_bytes),
		cmocka_unit_test(json_strings),	 cmocka_unit_test(owners),
		cmocka_unit_test(walltimes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
