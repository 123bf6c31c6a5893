// SPDX-License-Identifier: Apache-2.0
/* DNS messages, byte by byte: names and their pointers, records, data as text, all cut anywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "../../gadgets/trace_dns/dns.h"
#include "base/mem.h"

#define BYTES(text) text, sizeof(text) - 1

static const char *name_at(const char *bytes, size_t n, size_t at, struct buf *name,
			   size_t *ret_end)
{
	struct dns_reader r = {.bytes = (const uint8_t *)bytes, .n = n, .at = at};
	bool ok = dns_name(&r, name);

	*ret_end = r.at;
	return ok ? buf_cstr(name) : NULL;
}

static void test_names(void **state)
{
	_cleanup_(buf_done) struct buf name;
	size_t end;

	buf_init(&name, DNS_NAME_MAX);
	assert_string_equal(name_at(BYTES("\3www\1a\0x"), 0, &name, &end), "www.a.");
	assert_int_equal(end, 7);
	assert_string_equal(name_at(BYTES("\0"), 0, &name, &end), ".");
	assert_string_equal(name_at(BYTES("\4a.\\ \0"), 0, &name, &end), "a\\.\\\\\\032.");
	/* A pointer to what stands before, behind a label. */
	assert_string_equal(name_at(BYTES("\1a\0\1b\300\0zz"), 3, &name, &end), "b.a.");
	assert_int_equal(end, 7);
	/* To itself, forward, to a pointer that leads back to it, past the end, kinds that there
	 * are not. */
	assert_null(name_at(BYTES("\300\0"), 0, &name, &end));
	assert_null(name_at(BYTES("\300\2\1a\0"), 0, &name, &end));
	assert_null(name_at(BYTES("\300\2\300\0"), 2, &name, &end));
	assert_null(name_at(BYTES("\1a\300\0"), 0, &name, &end));
	assert_null(name_at(BYTES("\300"), 0, &name, &end));
	assert_null(name_at(BYTES("\100a\0"), 0, &name, &end));
	assert_null(name_at(BYTES("\5abc"), 0, &name, &end));
	assert_null(name_at(BYTES("\3abc"), 0, &name, &end));
}

static void test_longest_name(void **state)
{
	_cleanup_(buf_done) struct buf name;
	char bytes[300] = {0};
	size_t end;

	buf_init(&name, DNS_NAME_MAX);
	/* 127 labels of a byte and the root: 255 bytes; each as \DDD. */
	for (size_t i = 0; i < 127; i++)
		memcpy(bytes + 2 * i, "\1\377", 2);
	assert_non_null(name_at(bytes, sizeof(bytes), 0, &name, &end));
	assert_int_equal(name.len, 127 * 5);
	assert_false(name.failed);
	memcpy(bytes + 254, "\1\377", 2);
	assert_null(name_at(bytes, sizeof(bytes), 0, &name, &end));
}

static const char *data(uint16_t type, const char *bytes, size_t n, struct buf *out)
{
	struct dns_record rr = {.type = type, .n = n};
	struct dns_reader r = {.bytes = (const uint8_t *)bytes, .n = n};

	buf_clear(out);
	return dns_data(&r, &rr, out) ? buf_cstr(out) : NULL;
}

static void test_data(void **state)
{
	_cleanup_(buf_done) struct buf out;

	buf_init(&out, 1024);
	assert_string_equal(data(1, BYTES("\1\2\3\4"), &out), "1.2.3.4");
	assert_string_equal(data(15, BYTES("\0\12\1m\0"), &out), "10 m.");
	assert_string_equal(data(16, BYTES("\2a\"\1 "), &out), "\"a\\\"\" \" \"");
	assert_string_equal(data(257, BYTES("\200\5issueca"), &out), "128 \"issue\" 6361");
	assert_string_equal(data(43, BYTES("\1\2\3\4\253\315"), &out), "258 3 4 abcd");
	assert_string_equal(data(65400, BYTES("\253"), &out), "\\# 1 ab");
	assert_string_equal(data(65400, BYTES(""), &out), "\\# 0");
	/* Too short, too long. */
	assert_null(data(1, BYTES("\1\2\3"), &out));
	assert_null(data(1, BYTES("\1\2\3\4\5"), &out));
	assert_null(data(16, BYTES("\5ab"), &out));
	assert_null(data(16, BYTES(""), &out));
}

static void test_numbers(void **state)
{
	_cleanup_(buf_done) struct buf out;

	buf_init(&out, 256);
	dns_type_name(28, &out);
	dns_type_name(54, &out);
	dns_type_name(32769, &out);
	dns_class_name(1, &out);
	dns_class_name(7, &out);
	dns_rcode_name(3, &out);
	dns_rcode_name(24, &out);
	assert_string_equal(buf_cstr(&out), "AAAATYPE54DLVINCLASS7NXDOMAINRCODE24");
}

/* A record is whole, or it is none. */
static void test_records_that_are_cut(void **state)
{
	static const char message[] =
		"\0\7\201\200\0\0\0\1\0\0\0\0\1a\0\0\1\0\1\0\0\0\74\0\4\1\2\3\4";
	_cleanup_(buf_done) struct buf name;
	struct dns_header h;
	struct dns_reader r;
	struct dns_record rr;

	buf_init(&name, DNS_NAME_MAX);
	for (size_t n = 0; n < sizeof(message) - 1; n++)
		assert_false(dns_begin(&r, message, n, &h) && dns_record(&r, &name, &rr));
	assert_true(dns_begin(&r, message, sizeof(message) - 1, &h) && dns_record(&r, &name, &rr));
	assert_int_equal(h.id, 7);
	assert_int_equal(rr.ttl, 60);
	assert_int_equal(rr.n, 4);
	assert_int_equal(r.at, r.n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_longest_name),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_records_that_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
