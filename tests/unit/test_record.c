// SPDX-License-Identifier: Apache-2.0
/*
 * Record files: what is written is read again, and every kind of damage is named after all that was
 * good.
 */
#include "record_file.h"

#include "columns/filter.h"
#include "containers/container_json.h"

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
	c->k8s_owner_kind = xstrdup("Job");
	c->k8s_owner_name = xstrdup("night");
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
	assert_string_equal(back->k8s_owner_kind, "Job");
	assert_string_equal(back->k8s_owner_name, "night");
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

enum { HEAD = sizeof(struct block_head), NONE = 0 };
static const char block[HEAD] = {0};
static const struct {
	uint32_t type;
	const char *fixed;
	uint32_t n;
	const char *packed; /* NULL: nothing */
	uint32_t length;
	const char *says;
} hostile[] = {
	{CHUNK_ROWS, block, HEAD, "\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24,
	 "a row says"},
	{CHUNK_ROWS, block, HEAD, "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24,
	 "a row says"},
	{CHUNK_ROWS, block, HEAD, "\0\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24,
	 "not described"},
	{CHUNK_ROWS, block, HEAD, "\0\0\0\0\0\0\0\0\5\0\0\0\1\0\0\0\0\0\0\0\0\0\0", 24,
	 "not described"},
	{CHUNK_ROWS, block, HEAD, "\0\0\0\0\0\0\0\0\377\377\377\377\1\0\0\0\0\0\0\0\0\0\0", 24,
	 "not described"},
	{CHUNK_ROWS, block, HEAD, "\0\0\0", 3, "row's head"},
	{CHUNK_ROWS, block, 31, NULL, NONE, "31 bytes"},
	{CHUNK_ROWS, block, HEAD, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24,
	 "the end says 0 rows; 1 came"},
	{CHUNK_ROWS, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2\0\0\0\0\0\0", HEAD,
	 "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24, "more than it says"},
	{CHUNK_SOURCE, "\0\0\0\0\0\0\0", 8, "{}", 2, "data source 0"},
	{CHUNK_SOURCE, "\1\0\0\0\11\0\0", 8, "{}", 2, "kind 9"},
	{CHUNK_SOURCE, "\1\0\0\0\0\0\0", 8, "{}", 2, "schema"},
	{CHUNK_SOURCE, "\1\0", 2, NULL, NONE, "2 bytes"},
	{CHUNK_SOURCE, "\1\0\0\0\0\0\0\0{}", 10, NULL, NONE, "does not say"},
	{CHUNK_CONTAINER, "\0\0\0\0\0\0\0", 8, "{}", 2, "no possible key"},
	{CHUNK_CONTAINER, "\377\377\0\0\1\0\0", 8, "{}", 2, "no possible key"},
	{CHUNK_CONTAINER, "\1\0\0\0\1\0\0", 8, "[", 1, "not a JSON object"},
	{CHUNK_LOSS, "\0\0\0\0\0\0\0\0\5\0\0\0\1\0\0\0\1\0\0\0\0\0\0", 24, NULL, NONE,
	 "not described"},
	{CHUNK_LOSS, "", 0, NULL, NONE, "0 bytes instead of 24"},
	{CHUNK_RING, "\0\0\0\0\0\0\0\0\5\0\0\0\1\0\0", 16, NULL, NONE, "16 bytes instead"},
	{CHUNK_TOTALS,
	 "\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 40, NULL,
	 NONE, "not described"},
	{CHUNK_CLOCK, "\0\0\0\0\0\0\0", 8, NULL, NONE, "second clock"},
	{CHUNK_END, "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, NULL, NONE, "end says 1 rows"},
	{CHUNK_END, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, NULL, NONE, "after the end"},
	{CHUNK_END, "\0", 1, NULL, NONE, "end of 1 bytes"},
};

/* Well-formed chunks with lies inside, appended behind a good source and container. */
static void test_hostile_chunks(void **state)
{
	for (size_t i = 0; i < array_size(hostile); i++) {
		_cleanup_(schema_unrefp) struct schema *s = sample_schema();
		int fd = memory_file(), keep = dup(fd);
		struct record_writer *w;
		unsigned int source;
		struct err err = {0};
		uint32_t rows;

		assert_int_equal(record_writer_new(fd, &base, &w, &err), 0);
		assert_int_equal(record_writer_source(w, s, SOURCE_TRACER, &source, &err), 0);
		append_chunk(keep, 1000, "from a later version", 20, NULL,
			     0); /* unknown: skipped */
		append_chunk(keep, hostile[i].type, hostile[i].fixed, hostile[i].n,
			     hostile[i].packed, hostile[i].length);
		assert_int_equal(record_writer_close(w, &err), 0);
		lseek(keep, 0, SEEK_SET);
		assert_int_equal(read_all(keep, &rows, &err), -EBADMSG);
		if (!strstr(err.text, hostile[i].says))
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
		{"", 0, "not a record file"},
		{"#!/bin/sh\necho hello\n", 21, "not a record file"},
		{FILE_MAGIC "\1\0\0\0\4\3\2", 15, "cut short"},
		{FILE_MAGIC "\3\0\0\0\4\3\2\1", 16, "version 3"},
		{FILE_MAGIC "\0\0\0\1\1\2\3\4", 16, "little endian"},
		{FILE_MAGIC "\1\0\0\0\4\3\2\1", 16, "not the clock"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		int fd = memory_file();
		struct err err = {0};
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
	char record[sizeof(struct sample)] = {0};
	struct row row = {.part = {record}, .size = {sizeof(record)}};
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
