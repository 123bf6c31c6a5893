// SPDX-License-Identifier: Apache-2.0
/* Decoders: a record's bytes become its fields, within a record's bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "columns/decoder.h"

struct event {
	uint32_t words;
	g_text path, first, message;
};

/* message: words with blanks between them. */
static void decode(struct decoding *d)
{
	struct event *e = d->fixed;
	size_t n = 0;
	const char *bytes = decoding_bytes(d, &e->message, &n);
	const char *end = bytes ? memchr(bytes, ' ', n) : NULL;

	decoding_keep(d, &e->path);
	decoding_text(d, &e->first, bytes ?: "", end ? (size_t)(end - bytes) : n, false);
	for (size_t i = 0; i < n; i++)
		e->words += bytes[i] == ' ';
	e->words += n > 0;
	decoding_text(d, &e->message, bytes ?: "", e->words == 77 ? n : 0, false);
}

static const struct decoder words = {.gadget = "trace_words",
				     .source = "words",
				     .fixed_size = sizeof(struct event),
				     .decode = decode};
GADGET_DECODER(&words);

struct made {
	struct buf out, tail;
	struct event e;
};

static bool run(struct made *m, const void *record, size_t size)
{
	*m = (struct made){0};
	buf_init(&m->out, 2 * MAX_RECORD_BYTES);
	buf_init(&m->tail, MAX_RECORD_BYTES);
	if (!decoder_run(&words, record, (uint32_t)size, &m->out, &m->tail))
		return false;
	assert_false(m->out.failed || m->tail.failed);
	assert_true(m->out.len <= MAX_RECORD_BYTES);
	memcpy(&m->e, m->out.data, sizeof(m->e));
	return true;
}

static void done(struct made *m)
{
	buf_done(&m->out);
	buf_done(&m->tail);
}

static void expect(const struct made *m, const g_text *field, const char *text, bool cut)
{
	uint32_t n = field->length & ~G_TRUNCATED;

	assert_int_equal(n, strlen(text));
	assert_true(field->offset + n <= m->out.len);
	assert_memory_equal(m->out.data + field->offset, text, n);
	assert_int_equal(!!(field->length & G_TRUNCATED), cut);
}

static void bytes_become_fields(void **state)
{
	struct {
		struct event e;
		char tail[16];
	} r = {.e = {.path = {sizeof(r.e), 5}, .message = {sizeof(r.e) + 5, 11}}};
	struct made m;

	memcpy(r.tail, "/pathone two abc", 16);
	assert_true(run(&m, &r, sizeof(r)));
	expect(&m, &m.e.path, "/path", false);
	expect(&m, &m.e.first, "one", false);
	expect(&m, &m.e.message, "", false); /* the bytes are gone */
	assert_int_equal(m.e.words, 3);
	assert_int_equal(m.out.len, sizeof(r.e) + 5 + 3);
	done(&m);
}

static void places_outside_are_no_bytes(void **state)
{
	static const g_text places[] = {
		{0, 0},
		{sizeof(struct event), 9},
		{sizeof(struct event) + 9, 1},
		{UINT32_MAX, UINT32_MAX},
		{8, G_TRUNCATED},
	};

	for (size_t i = 0; i < array_size(places); i++) {
		struct {
			struct event e;
			char tail[8];
		} r = {.e.message = places[i]};
		struct made m;

		assert_true(run(&m, &r, sizeof(r)));
		expect(&m, &m.e.first, "", false);
		assert_int_equal(m.e.words, 0);
		done(&m);
	}
}

static void what_finds_no_room_is_cut(void **state)
{
	char *bytes = xcalloc(1, MAX_RECORD_BYTES);
	struct event e = {.path = {sizeof(e), 20000}, .message = {sizeof(e), 20000}};
	struct made m;

	memset(bytes + sizeof(e), 'x', MAX_RECORD_BYTES - sizeof(e));
	memcpy(bytes, &e, sizeof(e));
	assert_true(run(&m, bytes, MAX_RECORD_BYTES));
	assert_int_equal(m.out.len, MAX_RECORD_BYTES);
	assert_int_equal(m.e.path.length, 20000);
	assert_int_equal(m.e.first.length, (MAX_RECORD_BYTES - sizeof(e) - 20000) | G_TRUNCATED);
	assert_int_equal(m.e.message.length, 0);
	done(&m);
	free(bytes);
}

static void a_short_record_stays(void **state)
{
	struct event e = {0};
	struct made m;

	assert_false(run(&m, &e, sizeof(e) - 1));
	done(&m);
}

static void found_by_name_and_size(void **state)
{
	assert_ptr_equal(decoder_find("trace_words", "words", sizeof(struct event)), &words);
	assert_null(decoder_find("trace_words", "words", sizeof(struct event) + 1));
	assert_null(decoder_find("trace_words", "others", sizeof(struct event)));
	assert_null(decoder_find("trace_word", "words", sizeof(struct event)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_become_fields),
		cmocka_unit_test(places_outside_are_no_bytes),
		cmocka_unit_test(what_finds_no_room_is_cut),
		cmocka_unit_test(a_short_record_stays),
		cmocka_unit_test(found_by_name_and_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
