// SPDX-License-Identifier: Apache-2.0
/* Buffers, errors, UTF-8 and log lines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/status.h"
#include "base/utf8.h"

static void buf_keeps_its_maximum(void **state)
{
	struct buf b;

	buf_init(&b, 10);
	buf_str(&b, "12345678");
	buf_str(&b, "90a"); /* does not fit: left out whole */
	assert_true(b.failed);
	assert_string_equal(buf_cstr(&b), "12345678");
	buf_str(&b, "90");
	assert_string_equal(buf_cstr(&b), "1234567890");
	buf_clear(&b);
	assert_false(b.failed);
	assert_string_equal(buf_cstr(&b), "");
	buf_done(&b);
}

static void buf_numbers(void **state)
{
	struct buf b;

	buf_init(&b, 200);
	buf_i64(&b, INT64_MIN);
	buf_char(&b, ' ');
	buf_u64(&b, UINT64_MAX);
	buf_char(&b, ' ');
	buf_u64(&b, 0);
	buf_printf(&b, " %s%d", "x", -5);
	assert_string_equal(buf_cstr(&b), "-9223372036854775808 18446744073709551615 0 x-5");
	buf_done(&b);
}

static void buf_reads_files(void **state)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct buf b;

	for (int i = 0; i < 1000; i++)
		assert_int_equal(write(fd, "0123456789", 10), 10);
	buf_init(&b, 10000);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(buf_read_fd(&b, fd), 0);
	assert_int_equal(b.len, 10000);
	buf_done(&b);

	buf_init(&b, 9999);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(buf_read_fd(&b, fd), -EFBIG);
	buf_done(&b);
	close(fd);

	buf_init(&b, 1 << 20);
	assert_int_equal(buf_read_file(&b, AT_FDCWD, "/proc/self/status"), 0);
	assert_non_null(strstr(buf_cstr(&b), "Pid:"));
	buf_clear(&b);
	assert_int_equal(buf_read_file(&b, AT_FDCWD, "/proc/none"), -ENOENT);
	buf_done(&b);
}

static void errors_wrap(void **state)
{
	struct err err = {0};
	char longer[600];

	assert_int_equal(err_set(&err, -ENOENT, "no '%s'", "x"), -ENOENT);
	assert_int_equal(err_wrap(&err, -EINVAL, "file %d", 3), -EINVAL);
	assert_string_equal(err.text, "file 3: no 'x'");
	assert_int_equal(err.code, -EINVAL);

	err = (struct err){0};
	err_wrap(&err, -ENOENT, "open");
	assert_string_equal(err.text, "open: No such file or directory");

	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	err_set(&err, -EINVAL, "%s", longer);
	err_wrap(&err, -EINVAL, "%s", longer);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_int_equal(err_set(NULL, -EPERM, "nobody reads this"), -EPERM);
}

static void utf8_strict(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		uint32_t c;
	} good[] = {
		{"a", 1, 'a'},
		{"\xc2\x80", 2, 0x80},
		{"\xdf\xbf", 2, 0x7ff},
		{"\xe0\xa0\x80", 3, 0x800},
		{"\xef\xbf\xbf", 3, 0xffff},
		{"\xf0\x90\x80\x80", 4, 0x10000},
		{"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
	};
	static const char *const bad[] = {
		"\x80",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc2",
		"\xc2,",
		"\xe0\x9f\xbf",
		"\xed\xa0\x80" /* surrogate */,
		"\xe2\x82",
		"\xf0\x8f\xbf\xbf",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
	};
	uint32_t c;
	char back[4];

	for (size_t i = 0; i < array_size(good); i++) {
		assert_int_equal(utf8_decode(good[i].bytes, good[i].len, &c), good[i].len);
		assert_int_equal(c, good[i].c);
		assert_int_equal(utf8_put(c, back), good[i].len);
		assert_memory_equal(back, good[i].bytes, good[i].len);
		if (good[i].len > 1) /* cut short */
			assert_int_equal(utf8_decode(good[i].bytes, good[i].len - 1, &c), 0);
	}
	for (size_t i = 0; i < array_size(bad); i++)
		assert_int_equal(utf8_decode(bad[i], strlen(bad[i]), &c), 0);
	assert_int_equal(utf8_decode("", 0, &c), 0);
}

static void widths(void **state)
{
	assert_int_equal(text_width("abc", 3), 3);
	assert_int_equal(text_width("日本", 6), 4);
	assert_int_equal(text_width("e\xcc\x81", 3), 1); /* e and a combining acute */
	assert_int_equal(text_width("🦆", 4), 2);
	assert_int_equal(text_width("ａ", 3), 2); /* fullwidth a */
	assert_int_equal(text_width("é", 2), 1);
}

static void escapes(void **state)
{
	static const struct {
		const char *bytes, *shown;
	} cases[] = {
		{"plain/path with spaces", "plain/path with spaces"},
		{"\033[2J", "\\x1b[2J"},
		{"a\nb\tc\rd", "a\\nb\\tc\\rd"},
		{"\x7f", "\\x7f"},
		{"\xc2\x9b"
		 "31m",
		 "\\x9b31m"}, /* C1 CSI in UTF-8 */
		{"\x9b"
		 "31m",
		 "\\x9b31m"}, /* and as a bare byte */
		{"\xe2\x80\xae"
		 "gpj.exe",
		 "\\u202egpj.exe"}, /* right-to-left override */
		{"\xff\xfe", "\\xff\\xfe"},
		{"日本", "日本"},
		{"back\\slash", "back\\slash"},
		{"\xf3\xa0\x80\x81", "\\U000e0001"},
	};
	struct buf b;

	for (size_t i = 0; i < array_size(cases); i++) {
		buf_init(&b, 1000);
		escape_text(&b, cases[i].bytes, strlen(cases[i].bytes));
		assert_string_equal(buf_cstr(&b), cases[i].shown);
		buf_done(&b);
	}
}

/* Runs log_line() with stderr in a file and compares what came. */
static void expect_log(enum log_level level, const char *message, const char *line)
{
	int fd = memfd_create("log", MFD_CLOEXEC), saved = dup(STDERR_FILENO);
	char text[4096] = "";

	dup2(fd, STDERR_FILENO);
	log_line(level, "%s", message);
	dup2(saved, STDERR_FILENO);
	assert_true(pread(fd, text, sizeof(text) - 1, 0) >= 0);
	assert_string_equal(text, line);
	close(fd);
	close(saved);
}

static void log_lines(void **state)
{
	enum log_level level;

	expect_log(LOG_WARN, "hello", "level=warn msg=hello\n");
	expect_log(LOG_ERROR, "two words", "level=error msg=\"two words\"\n");
	expect_log(LOG_ERROR, "say \"a=b\"", "level=error msg=\"say \\\"a=b\\\"\"\n");
	expect_log(LOG_ERROR, "evil \033]0;x\a\nlevel=error",
		   "level=error msg=\"evil \\x1b]0;x\\x07\\nlevel=error\"\n");
	expect_log(LOG_ERROR, "", "level=error msg=\"\"\n");
	expect_log(LOG_INFO, "too low", "");
	assert_int_equal(log_level_parse("debug", &log_level), 0);
	expect_log(LOG_DEBUG, "now", "level=debug msg=now\n");
	log_level = LOG_WARN;
	assert_int_equal(log_level_parse("loud", &level), -EINVAL);
}

static void statuses(void **state)
{
	assert_int_equal(status_exit_code(0), EXIT_OK);
	assert_int_equal(status_exit_code(-ENOENT), EXIT_USAGE);
	assert_int_equal(status_exit_code(-ETIMEDOUT), EXIT_FAILED);
	assert_int_equal(status_exit_code(-EXDEV), EXIT_FAILED);
	assert_int_equal(status_grpc(0), GRPC_OK);
	assert_int_equal(status_grpc(-EPERM), GRPC_PERMISSION_DENIED);
	assert_int_equal(status_grpc(-EXDEV), GRPC_UNKNOWN);
	assert_int_equal(status_errno(GRPC_OK), 0);
	assert_int_equal(status_errno(GRPC_UNKNOWN), -EIO);
	/* What has an errno comes back from it, and each has a name of its own. */
	for (unsigned int i = 0; i <= GRPC_UNAUTHENTICATED; i++) {
		int err = status_errno((enum grpc_status)i);

		if (err != -EIO)
			assert_int_equal(status_grpc(err), i);
		assert_int_equal(!strcmp(grpc_status_name(i), "UNKNOWN"), i == GRPC_UNKNOWN);
	}
	assert_string_equal(grpc_status_name(GRPC_UNAUTHENTICATED), "UNAUTHENTICATED");
	assert_string_equal(grpc_status_name(GRPC_UNAUTHENTICATED + 1), "UNKNOWN");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buf_keeps_its_maximum),
		cmocka_unit_test(buf_numbers),
		cmocka_unit_test(buf_reads_files),
		cmocka_unit_test(errors_wrap),
		cmocka_unit_test(utf8_strict),
		cmocka_unit_test(widths),
		cmocka_unit_test(escapes),
		cmocka_unit_test(log_lines),
		cmocka_unit_test(statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
