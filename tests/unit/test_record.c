// SPDX-License-Identifier: Apache-2.0
/*
 * Record files: what is written is read again, and every kind of damage is named after all that was
 * good.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "columns/filter.h"
#include "columns/labels.h"
#include "columns/types.h"
#include "containers/container_json.h"
#include "gadget/gadget.h"
#include "recorder/file.h"
#include "recorder/format.h"

struct sample {
	g_time timestamp;
	g_container container;
	uint32_t number;
	g_text path;
};

static const struct clock_base base = { 1234567890123456789 };

static struct schema *sample_schema(void)
{
	const struct field fields[] = {
		{ .name = "timestamp",
		  .type = "g_time",
		  .kind = KIND_UINT,
		  .offset = 0,
		  .size = 8 },
		{ .name = "container",
		  .type = "g_container",
		  .kind = KIND_UINT,
		  .offset = 8,
		  .size = 8,
		  .flags = FIELD_INTERNAL },
		{ .name = "number", .doc = "A number", .kind = KIND_UINT, .offset = 16, .size = 4 },
		{ .name = "path",
		  .type = "g_text",
		  .kind = KIND_TEXT,
		  .offset = offsetof(struct sample, path),
		  .size = sizeof(g_text) },
	};
	struct schema *s = schema_new("trace_sample", "sample", sizeof(struct sample));
	struct err err;

	assert_int_equal(schema_add_table(s, fields, array_size(fields), &err), 0);
	assert_int_equal(container_add_fields(s, &err), 0);
	assert_int_equal(schema_finish(s, &err), 0);
	return s;
}

static struct container *sample_container(void)
{
	struct container *c = container_new();

	c->key = (uint64_t)7 << 32 | 3;
	c->id = xstrdup("0123abcd");
	c->name = xstrdup("we\"b\n\xff");
	c->runtime = xstrdup("runc");
	c->cgroup_id = 4711;
	c->mntns = 4026532176;
	c->pid = 99;
	c->started_real_ns = 1700000000000000000;
	labels_add(&c->annotations, "a", "1");
	labels_add(&c->annotations, "b", "");
	return c;
}

static int memory_file(void)
{
	int fd = memfd_create("record", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void put_sample(struct record_writer *w, unsigned int source, uint32_t number,
		       const struct container *c)
{
	struct {
		struct sample s;
		char tail[40];
	} r = { .s = { .timestamp = 1000 + number, .number = number } };
	uint32_t length = number % sizeof(r.tail);
	struct row row = { .part = { &r, c },
			   .size = { (uint32_t)sizeof(r.s) + length, c ? sizeof(*c) : 0 } };

	memset(r.tail, 'x', length);
	r.s.path = (g_text){ sizeof(r.s), length };
	assert_int_equal(record_writer_row(w, source, &row), 0);
}

/*
 * A file with one source, `rows` rows (every second one of a container), loss, a table's end,
 * totals. Returns its fd at 0.
 */
static int sample_file(uint32_t rows)
{
	_cleanup_(schema_unrefp) struct schema *s = sample_schema();
	_cleanup_(container_unrefp) struct container *c = sample_container();
	int fd = memory_file(), keep = dup(fd);
	struct record_writer *w;
	unsigned int source;
	struct err err;

	assert_int_equal(record_writer_new(fd, &base, &w, &err), 0);
	assert_int_equal(record_writer_source(w, s, SOURCE_TRACER, &source, &err), 0);
	for (uint32_t i = 0; i < rows; i++)
		put_sample(w, source, i, i % 2 ? c : NULL);
	assert_int_equal(record_writer_loss(w, source, c, 12), 0);
	assert_int_equal(record_writer_loss(w, source, NULL, 1), 0);
	assert_int_equal(record_writer_table_end(w, source, 5000), 0);
	assert_int_equal(record_writer_totals(w, source, (struct record_totals){ 10, 4, 3, 3 }), 0);
	assert_int_equal(record_writer_close(w, &err), 0);
	assert_int_equal(lseek(keep, 0, SEEK_SET), 0);
	return keep;
}

static struct record_reader *open_file(int fd)
{
	struct record_reader *r;
	struct err err;

	assert_int_equal(record_reader_open(fd, &r, &err), 0);
	return r;
}

static void check_row(const struct record_event *ev, const struct schema *s, uint32_t number)
{
	const char *text;
	size_t len;
	bool cut;
	int64_t n;

	assert_true(row_number(&ev->row, schema_field(s, "number"), &n));
	assert_int_equal(n, number);
	assert_int_equal(row_time(s, &ev->row), 1000 + number);
	assert_true(row_text(&ev->row, schema_field(s, "path"), &text, &len, &cut));
	assert_int_equal(len, number % 40);
	if (number % 2 == 0) {
		assert_null(ev->container);
		return;
	}
	assert_ptr_equal(ev->row.part[PART_CONTAINER], ev->container);
	assert_string_equal(ev->container->id, "0123abcd");
}

static void test_round_trip(void **state)
{
	enum { ROWS = 5000 };
	struct record_reader *r = open_file(sample_file(ROWS));
	struct schema *s;
	struct record_event ev;
	struct err err;

	assert_true(record_reader_clock(r)->boot_to_real_ns == base.boot_to_real_ns);
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_SOURCE);
	s = ev.schema;
	assert_string_equal(s->gadget, "trace_sample");
	assert_string_equal(schema_field(s, "number")->doc, "A number");
	assert_non_null(schema_field(s, "runtime.containerName"));
	for (uint32_t i = 0; i < ROWS; i++) {
		assert_int_equal(record_reader_next(r, &ev, &err), RECORD_ROW);
		check_row(&ev, s, i);
	}
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_LOSS);
	assert_int_equal(ev.count, 12);
	assert_non_null(ev.container);
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_LOSS);
	assert_null(ev.container);
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_TABLE_END);
	assert_int_equal(ev.boot_ns, 5000);
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_TOTALS);
	assert_int_equal(ev.totals.discarded, 3);
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_END);
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_END);
	record_reader_free(r);
}

static void test_container_fields(void **state)
{
	_cleanup_(container_unrefp) struct container *c = sample_container(), *back = NULL;
	_cleanup_(container_unrefp) struct container *outer = container_new();
	const char *why;
	struct buf json;

	outer->name = xstrdup("kind");
	container_set_outer(c, outer);
	c->k8s_pod_ip = xstrdup("10.1.0.7");
	c->k8s_hostnetwork = c->sandbox = true;
	c->resolved = false;
	labels_add(&c->k8s_labels, "app.kubernetes.io/name", "shop");
	labels_add(&c->labels, "say \"hi\"", "\n");
	buf_init(&json, 4096);
	container_to_json(c, CONTAINER_ALL, &json);
	assert_false(json.failed);
	assert_int_equal(container_from_json(json.data, json.len, &back, &why), 0);
	assert_string_equal(back->name, "we\"b\n\xef\xbf\xbd"); /* what is not UTF-8 is replaced */
	assert_string_equal(back->runtime, "runc");
	assert_null(back->bundle);
	assert_int_equal(back->cgroup_id, 4711);
	assert_int_equal(back->mntns, 4026532176);
	assert_int_equal(back->started_real_ns, c->started_real_ns);
	assert_int_equal(back->annotations.n, 2);
	assert_string_equal(container_annotation(back, "a"), "1");
	assert_string_equal(labels_get(&back->k8s_labels, "app.kubernetes.io/name"), "shop");
	assert_string_equal(labels_get(&back->labels, "say \"hi\""), "\n");
	assert_string_equal(back->k8s_pod_ip, "10.1.0.7");
	assert_true(back->k8s_hostnetwork);
	assert_true(back->sandbox);
	assert_false(back->resolved);
	assert_string_equal(back->outer_name, "kind");
	assert_string_equal(back->outer->name, "kind");
	container_set_outer(back, NULL);
	assert_null(back->outer_name);
	buf_done(&json);
}

/* The name of a container becomes known later: rows behind it have it, those before do not. */
static void test_container_again(void **state)
{
	_cleanup_(schema_unrefp) struct schema *s = sample_schema();
	_cleanup_(container_unrefp) struct container *c = sample_container();
	static const char *const names[] = {"0123abcd", "0123abcd", "web", "web"};
	int fd = memory_file(), keep = dup(fd);
	struct record_writer *w;
	struct record_reader *r;
	struct record_event ev;
	unsigned int source;
	uint64_t version = 0;
	struct err err;

	assert_int_equal(record_writer_new(fd, &base, &w, &err), 0);
	assert_int_equal(record_writer_source(w, s, SOURCE_TRACER, &source, &err), 0);
	for (uint32_t i = 0; i < array_size(names); i++) {
		if (i == 0 || i == 2) {
			free(c->name);
			c->name = xstrdup(names[i]);
			c->resolved = i == 2;
			c->version += 10;
		}
		put_sample(w, source, i, c);
	}
	assert_int_equal(record_writer_close(w, &err), 0);
	lseek(keep, 0, SEEK_SET);
	r = open_file(keep);
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_SOURCE);
	for (uint32_t i = 0; i < array_size(names); i++) {
		assert_int_equal(record_reader_next(r, &ev, &err), RECORD_ROW);
		assert_string_equal(ev.container->name, names[i]);
		assert_int_equal(ev.container->resolved, i >= 2);
		assert_int_equal(ev.container->key, c->key);
		assert_int_equal(ev.container->version, ev.row.container_version);
		assert_int_equal(ev.row.container_version != version, i == 0 || i == 2);
		version = ev.row.container_version;
	}
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_END);
	record_reader_free(r);
}

/* Filters on labels work on a file's rows as on live ones. */
static void test_filter_by_label(void **state)
{
	_cleanup_(schema_unrefp) struct schema *s = sample_schema();
	_cleanup_(container_unrefp) struct container *c = sample_container();
	int fd = memory_file(), keep = dup(fd);
	struct bound_filter *b;
	struct record_writer *w;
	struct record_reader *r;
	struct record_event ev;
	unsigned int source;
	struct filter *f;
	struct err err;
	size_t known;

	labels_add(&c->k8s_labels, "app.kubernetes.io/name", "shop");
	assert_int_equal(record_writer_new(fd, &base, &w, &err), 0);
	assert_int_equal(record_writer_source(w, s, SOURCE_TRACER, &source, &err), 0);
	put_sample(w, source, 0, NULL);
	put_sample(w, source, 1, c);
	assert_int_equal(record_writer_close(w, &err), 0);
	lseek(keep, 0, SEEK_SET);
	r = open_file(keep);
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_SOURCE);
	assert_int_equal(filter_parse("k8s.podLabels.app.kubernetes.io/name==shop", &f, &err), 0);
	assert_int_equal(filter_bind(f, ev.schema, NULL, true, &b, &known, &err), 0);
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_ROW);
	assert_false(filter_match(b, &ev.row));
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_ROW);
	assert_true(filter_match(b, &ev.row));
	bound_filter_free(b);
	filter_free(f);
	record_reader_free(r);
}

/* A set of labels that does not fit is left out whole; the rest is still there. */
static void test_container_too_big(void **state)
{
	_cleanup_(container_unrefp) struct container *c = sample_container(), *back = NULL;
	char value[5000];
	const char *why;
	struct buf json;

	memset(value, 'v', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	labels_add(&c->k8s_labels, "a", value);
	buf_init(&json, 4096);
	container_to_json(c, CONTAINER_ALL, &json);
	assert_false(json.failed);
	assert_int_equal(container_from_json(json.data, json.len, &back, &why), 0);
	assert_string_equal(back->id, "0123abcd");
	assert_int_equal(back->k8s_labels.n, 0);
	assert_int_equal(back->annotations.n, 2);
	buf_done(&json);
}

static void test_bad_containers(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"{",
		"{\"id\":5}",
		"{\"pid\":-1}",
		"{\"pid\":4294967296}",
		"{\"mntns\":1.5}",
		"{\"byNamespace\":0}",
		"{\"annotations\":[]}",
		"{\"annotations\":{\"a\":1}}",
		"{\"k8sLabels\":\"a\"}",
		"{\"labels\":{\"a\":\"\",\"a\":\"\"}}",
		"{\"outer\":{}}",
		"{\"id\":\"a\",\"id\":\"b\"}",
	};
	struct container *c = NULL;
	const char *why;

	for (size_t i = 0; i < array_size(bad); i++)
		assert_int_equal(container_from_json(bad[i], strlen(bad[i]), &c, &why), -EBADMSG);
	assert_int_equal(container_from_json("{\"later\":[1]}", 13, &c, &why), 0);
	assert_string_equal(c->name, "");
	assert_true(c->resolved); /* files of an earlier version do not say so */
	container_unref(c);
}

/* Reads to the end or the fault; returns the code and the number of rows before it. */
static int read_all(int fd, uint32_t *ret_rows, struct err *err)
{
	struct record_reader *r;
	struct record_event ev;
	int e = record_reader_open(fd, &r, err);

	*ret_rows = 0;
	if (e < 0)
		return e;
	while ((e = record_reader_next(r, &ev, err)) > 0)
		*ret_rows += e == RECORD_ROW;
	if (e < 0) { /* the fault is said again */
		struct err again;

		assert_int_equal(record_reader_next(r, &ev, &again), e);
		assert_string_equal(again.text, err->text);
	}
	record_reader_free(r);
	return e;
}

/* The first n bytes of a file as a new one. */
static int copy_of(int fd, size_t n)
{
	int copy = memory_file();
	off_t from = 0;

	while (n) {
		ssize_t done = sendfile(copy, fd, &from, n);

		assert_true(done > 0);
		n -= (size_t)done;
	}
	lseek(copy, 0, SEEK_SET);
	return copy;
}

/* Cut at any byte: never a crash, never a false end, rows only grow with the length. */
static void test_cut_short(void **state)
{
	int fd = sample_file(3000);
	size_t size = (size_t)lseek(fd, 0, SEEK_END);
	uint32_t rows, before = 0;
	struct err err;

	for (size_t cut = 0; cut < size; cut += cut < 1000 || cut + 1000 > size ? 1 : 997) {
		assert_int_equal(read_all(copy_of(fd, cut), &rows, &err), -EBADMSG);
		assert_non_null(strstr(err.text, "byte "));
		assert_true(rows >= before);
		before = rows;
	}
	assert_int_equal(before, 3000);
	close(fd);
}

/* Any one bit changed is found. */
static void test_flipped_bits(void **state)
{
	int fd = sample_file(200);
	size_t size = (size_t)lseek(fd, 0, SEEK_END);
	uint32_t rows;
	struct err err;

	for (size_t at = 0; at < size; at += 3) {
		int copy = copy_of(fd, size);
		unsigned char byte;

		assert_int_equal(pread(copy, &byte, 1, (off_t)at), 1);
		byte ^= (unsigned char)(1u << at % 8);
		assert_int_equal(pwrite(copy, &byte, 1, (off_t)at), 1);
		assert_int_equal(read_all(copy, &rows, &err), -EBADMSG);
	}
	close(fd);
}

static void put_chunk(int fd, uint32_t type, const void *payload, uint32_t length)
{
	struct chunk_head head = { type, length };
	uint32_t sum =
		(uint32_t)crc32(crc32(0, (const void *)&head, sizeof(head)), payload, length);

	assert_int_equal(write(fd, &head, sizeof(head)), sizeof(head));
	assert_int_equal(write(fd, payload, length), length);
	assert_int_equal(write(fd, &sum, sizeof(sum)), sizeof(sum));
}

/* Well-formed chunks with lies inside, appended behind a good source and container. */
static void test_hostile_chunks(void **state)
{
	static const struct {
		uint32_t type;
		const char *payload;
		uint32_t length;
		const char *says;
	} cases[] = {
		{ CHUNK_ROWS, "\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0", 16, "a row says" },
		{ CHUNK_ROWS, "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, "a row says" },
		{ CHUNK_ROWS, "\0\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0", 16, "not described" },
		{ CHUNK_ROWS, "\0\0\0\0\0\0\0\0\5\0\0\0\1\0\0\0", 16, "not described" },
		{ CHUNK_ROWS, "\0\0\0\0\0\0\0\0\377\377\377\377\1\0\0\0", 16, "not described" },
		{ CHUNK_ROWS, "\0\0\0", 3, "row's head" },
		{ CHUNK_SOURCE, "\0\0\0\0\0\0\0\0{}", 10, "data source 0" },
		{ CHUNK_SOURCE, "\1\0\0\0\11\0\0\0{}", 10, "kind 9" },
		{ CHUNK_SOURCE, "\1\0\0\0\0\0\0\0{}", 10, "schema" },
		{ CHUNK_SOURCE, "\1\0", 2, "2 bytes" },
		{ CHUNK_CONTAINER, "\0\0\0\0\0\0\0\0{}", 10, "no possible key" },
		{ CHUNK_CONTAINER, "\377\377\0\0\1\0\0\0{}", 10, "no possible key" },
		{ CHUNK_CONTAINER, "\1\0\0\0\1\0\0\0[", 9, "not a JSON object" },
		{ CHUNK_LOSS, "\0\0\0\0\0\0\0\0\5\0\0\0\1\0\0\0\1\0\0\0\0\0\0\0", 24,
		  "not described" },
		{ CHUNK_LOSS, "", 0, "0 bytes instead of 24" },
		{ CHUNK_TOTALS,
		  "\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		  "\0",
		  40, "not described" },
		{ CHUNK_CLOCK, "\0\0\0\0\0\0\0\0", 8, "second clock" },
		{ CHUNK_END, "\1\0\0\0\0\0\0\0", 8, "end says 1 rows" },
		{ CHUNK_END, "\0", 1, "end of 1 bytes" },
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		_cleanup_(schema_unrefp) struct schema *s = sample_schema();
		int fd = memory_file(), keep = dup(fd);
		struct record_writer *w;
		unsigned int source;
		struct err err = { 0 };
		uint32_t rows;

		assert_int_equal(record_writer_new(fd, &base, &w, &err), 0);
		assert_int_equal(record_writer_source(w, s, SOURCE_TRACER, &source, &err), 0);
		put_chunk(keep, 1000, "from a later version", 20); /* unknown: skipped */
		put_chunk(keep, cases[i].type, cases[i].payload, cases[i].length);
		assert_int_equal(record_writer_close(w, &err), 0);
		lseek(keep, 0, SEEK_SET);
		assert_int_equal(read_all(keep, &rows, &err), -EBADMSG);
		if (!strstr(err.text, cases[i].says))
			fail_msg("case %zu says: %s", i, err.text);
	}
}

static void test_not_a_record_file(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *says;
	} cases[] = {
		{ "", 0, "not a record file" },
		{ "#!/bin/sh\necho hello\n", 21, "not a record file" },
		{ FILE_MAGIC "\1\0\0\0\4\3\2", 15, "cut short" },
		{ FILE_MAGIC "\2\0\0\0\4\3\2\1", 16, "version 2" },
		{ FILE_MAGIC "\0\0\0\1\1\2\3\4", 16, "little endian" },
		{ FILE_MAGIC "\1\0\0\0\4\3\2\1", 16, "not the clock" },
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		int fd = memory_file();
		struct err err = { 0 };
		uint32_t rows;

		assert_int_equal(write(fd, cases[i].bytes, cases[i].n), cases[i].n);
		lseek(fd, 0, SEEK_SET);
		assert_int_equal(read_all(fd, &rows, &err), -EBADMSG);
		assert_non_null(strstr(err.text, cases[i].says));
	}
}

/* A full disk: the first error stays, and close says it. */
static void test_write_error(void **state)
{
	_cleanup_(schema_unrefp) struct schema *s = sample_schema();
	char record[sizeof(struct sample)] = { 0 };
	struct row row = { .part = { record }, .size = { sizeof(record) } };
	int fd = memory_file();
	struct record_writer *w;
	unsigned int source;
	struct err err;

	assert_int_equal(record_writer_new(fd, &base, &w, &err), 0);
	assert_int_equal(record_writer_source(w, s, SOURCE_TRACER, &source, &err), 0);
	assert_int_equal(record_writer_row(w, 99, &row), -EINVAL); /* no such source */
	assert_int_equal(record_writer_row(w, source, &row), -EINVAL);
	assert_int_equal(record_writer_close(w, &err), -EINVAL);
	assert_int_equal(record_writer_close(NULL, &err), 0);

	fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(record_writer_new(fd, &base, &w, &err), -ENOSPC);
	assert_non_null(strstr(err.text, "No space left"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),	  cmocka_unit_test(test_container_fields),
		cmocka_unit_test(test_container_too_big), cmocka_unit_test(test_bad_containers),
		cmocka_unit_test(test_cut_short),	  cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_hostile_chunks),	  cmocka_unit_test(test_not_a_record_file),
		cmocka_unit_test(test_write_error),	  cmocka_unit_test(test_container_again),
		cmocka_unit_test(test_filter_by_label),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
