// SPDX-License-Identifier: Apache-2.0
/* Parameters: what they say of themselves, and what gadget_set() makes of words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "gadget/internal.h"
#include "object_file.h"

static int set_up(void **state)
{
	_cleanup_(buf_done) struct buf b;
	struct gadget *g = NULL;

	object_read("sample_tracer", &b);
	assert_int_equal(gadget_open_bytes("sample", b.data, b.len, NULL, &g, NULL), 0);
	*state = g;
	return 0;
}

static int tear_down(void **state)
{
	gadget_free(*state);
	return 0;
}

static const struct param *param(const struct gadget *g, const char *name)
{
	for (size_t i = 0; i < g->n_params; i++)
		if (!strcmp(g->params[i].pub.name, name))
			return &g->params[i];
	fail_msg("no parameter %s", name);
	return NULL;
}

static void test_description(void **state)
{
	static const struct {
		const char *name, *type, *by_default;
		uint32_t size;
	} expected[] = {
		{ "failed", "bool", "false", 1 },
		{ "small", "u8", "7", 1 },
		{ "low", "i16", "-5", 2 },
		{ "huge", "u64", "18446744073709551615", 8 },
		{ "min-latency", "duration", "10ms", 8 },
		{ "min-size", "bytes", "4KiB", 8 },
		{ "error-wanted", "errno", "ENOENT", 4 },
		{ "prefix", "text", "", 16 },
	};
	const struct gadget *g = *state;

	assert_int_equal(gadget_n_params(g), array_size(expected));
	for (size_t i = 0; i < array_size(expected); i++) {
		const struct param *p = param(g, expected[i].name);

		assert_string_equal(p->pub.type, expected[i].type);
		assert_string_equal(p->pub.default_text, expected[i].by_default);
		assert_int_equal(p->place.size, expected[i].size);
		assert_null(p->value);
	}
	assert_string_equal(param(g, "min-latency")->place.symbol, "min_latency");
	assert_string_equal(param(g, "min-latency")->pub.doc, "A duration");
}

/* Each place holds the default: that is where the value will be put. */
static void test_places(void **state)
{
	const struct gadget *g = *state;
	_cleanup_(buf_done) struct buf b;
	Elf64_Shdr *rodata;
	uint64_t huge;
	int16_t low;

	object_read("sample_tracer", &b);
	rodata = object_section(&b, ".rodata");
	memcpy(&huge, b.data + rodata->sh_offset + param(g, "huge")->place.offset, sizeof(huge));
	memcpy(&low, b.data + rodata->sh_offset + param(g, "low")->place.offset, sizeof(low));
	assert_int_equal(huge, UINT64_MAX);
	assert_int_equal(low, -5);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *name, *text;
		unsigned char bytes[8];
	} good[] = {
		{ "failed", "true", { 1 } },
		{ "failed", "no", { 0 } },
		{ "small", "255", { 255 } },
		{ "small", "0x10", { 16 } },
		{ "low", "-32768", { 0x00, 0x80 } },
		{ "low", "32767", { 0xff, 0x7f } },
		{ "huge", "18446744073709551615", { 255, 255, 255, 255, 255, 255, 255, 255 } },
		{ "min-latency", "1us", { 0xe8, 0x03 } },
		{ "min-size", "64KiB", { 0, 0, 1 } },
		{ "error-wanted", "EPERM", { 1 } },
		{ "error-wanted", "2", { 2 } },
	};
	struct gadget *g = *state;

	for (size_t i = 0; i < array_size(good); i++) {
		const struct param *p;
		struct err err = {};

		if (gadget_set(g, good[i].name, good[i].text, &err))
			fail_msg("%s", err.text);
		p = param(g, good[i].name);
		assert_memory_equal(p->value, good[i].bytes, p->place.size);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *name, *text, *said;
	} bad[] = {
		{ "failed", "maybe", "not a value of its type (bool)" },
		{ "failed", "", "not a value" },
		{ "small", "256", "out of range (u8)" },
		{ "small", "-1", "not a value of its type (u8)" },
		{ "small", "1 ", "not a value" },
		{ "low", "32768", "out of range (i16)" },
		{ "low", "-32769", "out of range (i16)" },
		{ "huge", "18446744073709551616", "out of range (u64)" },
		{ "min-latency", "soon", "not a value of its type (duration)" },
		{ "min-size", "big", "not a value of its type (bytes)" },
		{ "error-wanted", "EWHAT", "not a value of its type (errno)" },
		{ "prefix", "0123456789abcdef", "at most 15 bytes" },
	};
	struct gadget *g = *state;

	for (size_t i = 0; i < array_size(bad); i++) {
		struct err err = {};

		assert_int_equal(gadget_set(g, bad[i].name, bad[i].text, &err), -EINVAL);
		if (!strstr(err.text, bad[i].said))
			fail_msg("'%s' does not say '%s'", err.text, bad[i].said);
		assert_null(param(g, bad[i].name)->value);
	}
}

static void test_text(void **state)
{
	struct gadget *g = *state;

	assert_int_equal(gadget_set(g, "prefix", "0123456789abcde", NULL), 0);
	assert_memory_equal(param(g, "prefix")->value, "0123456789abcde", 16);
	/* A shorter one leaves nothing of the longer behind. */
	assert_int_equal(gadget_set(g, "prefix", "ab", NULL), 0);
	assert_memory_equal(param(g, "prefix")->value, "ab\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
}

static void test_either_spelling(void **state)
{
	struct gadget *g = *state;

	assert_int_equal(gadget_set(g, "min_latency", "7ns", NULL), 0);
	assert_int_equal(param(g, "min-latency")->value[0], 7);
}

static void test_unknown(void **state)
{
	struct gadget *g = *state;
	struct err err = {};

	assert_int_equal(gadget_set(g, "min_latancy", "1ms", &err), -ENOENT);
	assert_string_equal(err.text,
			    "sample has no parameter 'min_latancy'; did you mean 'min-latency'?");
	assert_int_equal(gadget_set(g, "something_else_entirely", "1", &err), -ENOENT);
	assert_null(strstr(err.text, "did you mean"));
}

/* A value that is set to what it is by default is the same. */
static void test_same(void **state)
{
	void *second = NULL;
	struct gadget *g = *state, *other;

	assert_int_equal(set_up(&second), 0);
	other = second;
	assert_true(gadget_same(g, other));
	assert_int_equal(gadget_set(g, "small", "7", NULL), 0);
	assert_int_equal(gadget_set(other, "prefix", "", NULL), 0);
	assert_true(gadget_same(g, other));
	assert_int_equal(gadget_set(g, "prefix", "a", NULL), 0);
	assert_false(gadget_same(g, other));
	assert_int_equal(gadget_set(other, "prefix", "a", NULL), 0);
	assert_true(gadget_same(g, other));
	other->elf[other->elf_size - 1] ^= 1;
	assert_false(gadget_same(g, other));
	gadget_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_description, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_places, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_text, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_either_spelling, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unknown, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_same, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
