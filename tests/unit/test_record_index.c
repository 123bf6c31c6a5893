// SPDX-License-Identifier: Apache-2.0
/*
 * What is wanted of a record file is found without the rest being read; files are gone on with;
 * files of version 1 are read.
 */
#include "record_file.h"

#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buf.h"

enum { ROWS = 20000 };

static const struct clock_base later = {2000000000000000000};

/* What a reader gave. */
struct given {
	uint32_t rows, first, last; /* by their number */
	unsigned int sources;
	int end; /* 0, or the fault */
	struct err err;
};

static struct given read_selected(int fd, const struct record_selection *s)
{
	struct given g = {0};
	struct record_reader *r = open_file(fd);
	struct record_event ev;

	record_reader_select(r, s);
	while ((g.end = record_reader_next(r, &ev, &g.err)) > 0) {
		const struct sample *sample = ev.row.part[PART_RECORD];

		g.sources += g.end == RECORD_SOURCE;
		if (g.end != RECORD_ROW)
			continue;
		if (!g.rows++)
			g.first = sample->number;
		g.last = sample->number;
	}
	record_reader_free(r);
	return g;
}

/* Unix time of the row with that number in a sample file. */
static int64_t time_of(uint32_t number)
{
	return base.boot_to_real_ns + 1000 + number;
}

static struct record_selection between(uint32_t first, uint32_t last)
{
	return (struct record_selection){.from_ns = time_of(first), .to_ns = time_of(last)};
}

static void damage(int fd, off_t at)
{
	unsigned char byte;

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x55;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static int pipe_of(int fd)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	if (!fork()) {
		char bytes[65536];
		ssize_t n;

		close(ends[0]);
		while ((n = read(fd, bytes, sizeof(bytes))) > 0)
			if (write(ends[1], bytes, (size_t)n) != n)
				break;
		_exit(0);
	}
	close(fd);
	close(ends[1]);
	return ends[0];
}

static void test_by_time(void **state)
{
	const struct record_selection some = between(12000, 12099),
				      none = between(ROWS + 10, ROWS + 20);
	struct given g = read_selected(sample_file(ROWS), &some);
	struct record_selection open_end = {.from_ns = time_of(ROWS - 1)};

	assert_int_equal(g.end, 0);
	assert_int_equal(g.rows, 100);
	assert_int_equal(g.first, 12000);
	assert_int_equal(g.last, 12099);
	g = read_selected(pipe_of(sample_file(ROWS)), &some);
	assert_int_equal(g.end, 0);
	assert_int_equal(g.rows, 100);
	g = read_selected(sample_file(ROWS), &none);
	assert_int_equal(g.end, 0);
	assert_int_equal(g.rows, 0);
	g = read_selected(sample_file(ROWS), &open_end);
	assert_int_equal(g.rows, 1);
}

/* Small blocks, each with a row before the time that is asked for and one behind it; cut short. */
static int file_of_blocks(uint32_t blocks)
{
	_cleanup_(schema_unrefp) struct schema *s = sample_schema();
	int fd = memory_file(), cut;
	struct record_writer *w;
	unsigned int source;
	struct stat st;

	assert_int_equal(record_writer_new(dup(fd), &base, &w, NULL), 0);
	assert_int_equal(record_writer_source(w, s, SOURCE_TRACER, &source, NULL), 0);
	for (uint32_t i = 0; i < blocks; i++) {
		put_sample(w, source, i % 100, NULL);
		put_sample(w, source, 200 + i % 100, NULL);
		assert_int_equal(record_writer_flush(w), 0);
	}
	assert_int_equal(fstat(fd, &st), 0);
	cut = copy_of(fd, (size_t)st.st_size);
	assert_int_equal(record_writer_close(w, NULL), 0);
	close(fd);
	return cut;
}

/* A long file of which nothing is wanted does not keep its reader for long at a time. */
static void test_slices(void **state)
{
	const struct record_selection none = between(120, 180);
	uint32_t slices = 0, later = 0, rows = 0;
	struct record_reader *r;
	struct record_span span;
	struct record_event ev;
	struct err err = {0};
	int item;

	assert_int_equal(record_reader_begin(file_of_blocks(5000), &r, &err), 0);
	while (record_reader_prepare(r))
		slices++;
	assert_in_range(slices, 4, 20);
	assert_int_equal(record_reader_span(r, &span), 0);
	assert_int_equal(span.first_ns, time_of(0));
	assert_int_equal(span.last_ns, time_of(299));
	record_reader_select(r, &none);
	while ((item = record_reader_next(r, &ev, &err)) > 0) {
		later += item == RECORD_LATER;
		rows += item == RECORD_ROW;
	}
	assert_int_equal(item, -EBADMSG); /* it is cut short */
	assert_int_equal(rows, 0);
	assert_in_range(later, 5000 / 32, 5000 / 8);
	record_reader_free(r);
}

/* Also where the file has no end, and so no index. */
static void test_the_rest_is_not_read(void **state)
{
	const struct record_selection some = between(12000, 12099);
	int fd = sample_file(ROWS);
	off_t size = lseek(fd, 0, SEEK_END);
	struct given g;

	damage(fd, 4000); /* in the first block */
	g = read_selected(copy_of(fd, (size_t)size), &(struct record_selection){0});
	assert_int_equal(g.end, -EBADMSG);
	assert_int_equal(g.rows, 0);
	g = read_selected(copy_of(fd, (size_t)size), &some);
	assert_int_equal(g.end, 0);
	assert_int_equal(g.rows, 100);
	g = read_selected(copy_of(fd, (size_t)size - 5), &some);
	assert_int_equal(g.end, -EBADMSG);
	assert_non_null(strstr(g.err.text, "cut short"));
	assert_int_equal(g.rows, 100);
	close(fd);
}

static bool is_db(void *ctx, const struct container *c)
{
	return c && !strcmp(c->name, "db");
}

/* Blocks of which none is wanted's are skipped: the damage is in one. */
static void test_by_container(void **state)
{
	_cleanup_(schema_unrefp) struct schema *s = sample_schema();
	_cleanup_(container_unrefp) struct container *web = sample_container(),
						     *db = sample_container();
	int fd = memory_file(), keep = dup(fd);
	struct record_writer *w;
	unsigned int source;
	struct given g;
	struct err err;

	db->key++;
	free(db->name);
	db->name = xstrdup("db");
	assert_int_equal(record_writer_new(fd, &base, &w, &err), 0);
	assert_int_equal(record_writer_source(w, s, SOURCE_TRACER, &source, &err), 0);
	for (uint32_t i = 0; i < ROWS; i++)
		put_sample(w, source, i, i < ROWS / 2 ? web : i % 2 ? db : NULL);
	assert_int_equal(record_writer_loss(w, source, web, 1), 0);
	assert_int_equal(record_writer_close(w, &err), 0);
	lseek(keep, 0, SEEK_SET);
	damage(keep, 4000);
	g = read_selected(keep, &(struct record_selection){.wanted = is_db});
	assert_int_equal(g.end, 0);
	assert_int_equal(g.rows, ROWS / 4);
	assert_int_equal(g.first, ROWS / 2 + 1);
}

/* A table is in or out as a whole, by the time of its end. */
static void test_tables(void **state)
{
	_cleanup_(schema_unrefp) struct schema *s = sample_schema();
	const struct record_selection second = {.from_ns = time_of(600), .to_ns = time_of(1400)};
	int fd = memory_file(), keep = dup(fd), item;
	uint32_t rows = 0, inside = 0;
	struct record_reader *r;
	struct record_writer *w;
	struct record_event ev;
	unsigned int source;
	struct err err;

	assert_int_equal(record_writer_new(fd, &base, &w, &err), 0);
	assert_int_equal(record_writer_source(w, s, SOURCE_TOP, &source, &err), 0);
	for (uint32_t table = 0; table < 3; table++) {
		for (uint32_t i = 0; i < 5000; i++)
			put_sample(w, source, i, NULL);
		assert_true(record_writer_amid_table(w));
		assert_int_equal(record_writer_table_end(w, source, 1000 + table * 1000), 0);
		assert_false(record_writer_amid_table(w));
	}
	assert_int_equal(record_writer_close(w, &err), 0);
	lseek(keep, 0, SEEK_SET);
	r = open_file(keep);
	record_reader_select(r, &second);
	while ((item = record_reader_next(r, &ev, &err)) > 0) {
		rows += item == RECORD_ROW;
		if (item != RECORD_TABLE_END)
			continue;
		assert_int_equal(ev.outside, ev.boot_ns != 2000);
		inside += ev.outside ? 0 : rows;
		rows = 0;
	}
	assert_int_equal(item, 0);
	assert_int_equal(inside, 5000);
	record_reader_free(r);
}

/* ---- appending ------------------------------------------------------------------- */

/* The file at fd, with `rows` more rows in a section of its own. */
static int append_to(int fd, const struct schema *s, uint32_t rows, uint64_t *ret_dropped)
{
	_cleanup_(container_unrefp) struct container *c = sample_container();
	int keep = dup(fd);
	struct record_writer *w;
	unsigned int source;
	struct err err;

	free(c->name);
	c->name = xstrdup("other");
	lseek(fd, 0, SEEK_SET);
	if (record_writer_append(fd, &later, &w, ret_dropped, &err))
		fail_msg("%s", err.text);
	assert_int_equal(record_writer_source(w, s, SOURCE_TRACER, &source, &err), 0);
	assert_int_equal(source, 0);
	for (uint32_t i = 0; i < rows; i++)
		put_sample(w, source, i, c);
	assert_int_equal(record_writer_close(w, &err), 0);
	lseek(keep, 0, SEEK_SET);
	return keep;
}

static void check_sections(int fd, uint32_t first, uint32_t second, unsigned int second_source)
{
	struct record_reader *r = open_file(fd);
	uint32_t of_first = 0, of_second = 0;
	struct record_event ev;
	struct err err;
	int item;

	while ((item = record_reader_next(r, &ev, &err)) > 0) {
		if (item == RECORD_SOURCE)
			assert_true(!of_first && !of_second);
		if (item != RECORD_ROW)
			continue;
		if (ev.row.clock->boot_to_real_ns == base.boot_to_real_ns) {
			of_first++;
			assert_int_equal(ev.source, 0);
			continue;
		}
		assert_int_equal(ev.row.clock->boot_to_real_ns, later.boot_to_real_ns);
		assert_int_equal(ev.time_ns, later.boot_to_real_ns + 1000 + of_second);
		assert_int_equal(ev.source, second_source);
		assert_string_equal(ev.container->name, "other");
		of_second++;
	}
	if (item < 0)
		fail_msg("%s", err.text);
	assert_int_equal(of_first, first);
	assert_int_equal(of_second, second);
	record_reader_free(r);
}

static void test_append(void **state)
{
	_cleanup_(schema_unrefp) struct schema *s = sample_schema();
	_cleanup_(schema_unrefp) struct schema *other = schema_new("other", "sample", 8);
	const struct field field = {.name = "a", .kind = KIND_UINT, .size = 8};
	const struct record_selection second = {.from_ns = later.boot_to_real_ns};
	struct record_span span;
	uint64_t dropped;
	struct given g;
	struct err err;
	int fd;

	check_sections(append_to(memory_file(), s, 3000, &dropped), 0, 3000, 0);
	check_sections(append_to(sample_file(3000), s, 3000, &dropped), 3000, 3000, 0);
	assert_int_equal(dropped, 0);
	g = read_selected(append_to(sample_file(3000), s, 2000, &dropped), &second);
	if (g.end)
		fail_msg("%s", g.err.text);
	assert_int_equal(g.rows, 2000);
	assert_int_equal(g.sources, 1);
	schema_add(other, &field, &err);
	assert_int_equal(schema_finish(other, &err), 0);
	fd = append_to(append_to(sample_file(10), s, 5, &dropped), other, 7, &dropped);
	{
		struct record_reader *r = open_file(fd);

		assert_int_equal(record_reader_span(r, &span), 0);
		assert_int_equal(span.first_ns, time_of(0));
		assert_int_equal(span.last_ns, later.boot_to_real_ns + 1004);
		record_reader_free(r);
	}
}

/* Cut anywhere: what was whole stays, and the file has its end and its index again. */
static void test_append_to_a_cut_file(void **state)
{
	_cleanup_(schema_unrefp) struct schema *s = sample_schema();
	const struct record_selection second = {.from_ns = later.boot_to_real_ns};
	int fd = sample_file(ROWS);
	size_t size = (size_t)lseek(fd, 0, SEEK_END);
	uint32_t before = 0, rows;
	uint64_t dropped;
	struct given g;
	struct err err;

	for (size_t cut = 16; cut < size; cut += 1009) {
		int copy;

		read_all(copy_of(fd, cut), &before, &err);
		copy = append_to(copy_of(fd, cut), s, 100, &dropped);
		assert_true(dropped < cut);
		assert_int_equal(
			read_all(copy_of(copy, (size_t)lseek(copy, 0, SEEK_END)), &rows, &err), 0);
		assert_int_equal(rows, before + 100);
		lseek(copy, 0, SEEK_SET);
		g = read_selected(copy, &second);
		assert_int_equal(g.end, 0);
		assert_int_equal(g.rows, 100);
	}
	close(fd);
}

static void refuse(int fd, int code, const char *says)
{
	int keep = dup(fd);
	off_t size = lseek(fd, 0, SEEK_END);
	struct record_writer *w;
	struct err err = {0};
	uint64_t dropped;

	lseek(fd, 0, SEEK_SET);
	assert_int_equal(record_writer_append(fd, &base, &w, &dropped, &err), code);
	if (!strstr(err.text, says))
		fail_msg("it says: %s", err.text);
	assert_int_equal(lseek(keep, 0, SEEK_END), size);
	close(keep);
}

static int file_of(const char *bytes, size_t n)
{
	int fd = memory_file();

	assert_int_equal(write(fd, bytes, n), n);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void test_append_refused(void **state)
{
	int fd = sample_file(100), other;
	size_t size = (size_t)lseek(fd, 0, SEEK_END);
	char path[64];

	refuse(file_of("#!/bin/sh\necho 1\n", 17), -EBADMSG, "not a record file");
	refuse(file_of(FILE_MAGIC "\1\0\0\0\4\3\2\1", 16), -EBADMSG, "version 1");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	refuse(open(path, O_RDWR | O_CLOEXEC), -EBUSY, "writing it"); /* as fd's writer would */
	/* More than one chunk is behind what is good: that is no mere crash. */
	other = copy_of(fd, size - 1);
	assert_int_equal(ftruncate(other, (off_t)size + CHUNK_MAX_BYTES + 1), 0);
	refuse(other, -EBADMSG, "broken at byte");
	close(fd);
}

/* ---- version 1 ------------------------------------------------------------------- */

static int old_file(uint32_t rows)
{
	_cleanup_(schema_unrefp) struct schema *s = sample_schema();
	struct file_head head = {FILE_MAGIC, 1, FILE_BYTE_ORDER};
	_cleanup_(buf_done) struct buf source = {.max = 4096};
	int fd = memory_file();
	uint64_t n = rows;

	buf_add(&source, &(struct source_head){0, SOURCE_TRACER}, sizeof(struct source_head));
	schema_to_json(s, &source);
	assert_int_equal(write(fd, &head, sizeof(head)), sizeof(head));
	append_chunk(fd, CHUNK_CLOCK, &base, sizeof(base), NULL, 0);
	append_chunk(fd, CHUNK_SOURCE, source.data, (uint32_t)source.len, NULL, 0);
	append_chunk(fd, CHUNK_CONTAINER, "\3\0\0\0\7\0\0\0{\"name\":\"web\"}", 22, NULL, 0);
	for (uint32_t i = 0; i < rows; i++) {
		struct {
			struct row_head_1 head;
			struct sample s;
		} row = {{sizeof(struct sample), 0, i % 2 ? 0x700000003 : 0},
			 {.timestamp = 1000 + i, .number = i}};

		append_chunk(fd, CHUNK_ROWS, &row, sizeof(row), NULL, 0);
	}
	append_chunk(fd, CHUNK_RING, "of a later version", 18, NULL, 0);
	append_chunk(fd, CHUNK_END, &n, sizeof(n), NULL, 0);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void test_version_1(void **state)
{
	const struct record_selection some = between(10, 19);
	struct given g = read_selected(old_file(100), &(struct record_selection){0});
	struct record_reader *r = open_file(old_file(1));
	struct record_span span;

	assert_int_equal(g.end, 0);
	assert_int_equal(g.rows, 100);
	g = read_selected(old_file(100), &some);
	assert_int_equal(g.end, 0);
	assert_int_equal(g.first, 10);
	assert_int_equal(g.rows, 10);
	assert_int_equal(record_reader_span(r, &span), -ENODATA);
	record_reader_free(r);
}

/* ---- hostile files --------------------------------------------------------------- */

static int headed_file(void)
{
	struct file_head head = {FILE_MAGIC, FILE_VERSION, FILE_BYTE_ORDER};
	int fd = memory_file();

	assert_int_equal(write(fd, &head, sizeof(head)), sizeof(head));
	append_chunk(fd, CHUNK_CLOCK, &base, sizeof(base), "{}", 2);
	return fd;
}

/* A frame of some bytes that says it holds a gibibyte, and one that holds more than a chunk may. */
static void test_bombs(void **state)
{
	static const unsigned char gibibyte[] = {0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0,
						 0,    0,    0x40, 1,	 0,    0};
	const size_t much = CHUNK_MAX_BYTES + 1;
	_cleanup_(freep) char *zeroes = xcalloc(1, much);
	struct chunk_head head = {CHUNK_ROWS, sizeof(struct block_head)};
	struct block_head block = {0};
	uint32_t rows;
	struct err err;
	int fd = headed_file();
	char payload[100];

	memcpy(payload, &block, sizeof(block));
	memcpy(payload + sizeof(block), gibibyte, sizeof(gibibyte));
	append_chunk(fd, head.type, payload, sizeof(block) + sizeof(gibibyte), NULL, 0);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(read_all(fd, &rows, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "1073741824 bytes are packed"));
	fd = headed_file();
	append_chunk(fd, head.type, &block, sizeof(block), zeroes, (uint32_t)much);
	lseek(fd, 0, SEEK_SET);
	assert_int_equal(read_all(fd, &rows, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "1048577 bytes are packed"));
}

/* An index that leads in circles, backwards, out of the file or to what is no index is not used. */
static void test_bad_indexes(void **state)
{
	const struct index_entry wild[] = {{.offset = 1u << 30, .type = CHUNK_ROWS},
					   {.offset = 16, .type = CHUNK_SOURCE}};
	const struct record_selection some = between(0, 10);

	for (int i = 0; i < 5; i++) {
		int fd = headed_file();
		uint64_t at = (uint64_t)lseek(fd, 0, SEEK_END);
		struct index_head head = {i == 0 ? at : i == 1 ? at + 500 : 0};
		struct end_chunk end = {0, i == 2 ? 16 : i == 3 ? 1u << 30 : at};
		struct given g;

		append_chunk(fd, CHUNK_INDEX, &head, sizeof(head), wild, sizeof(wild));
		append_chunk(fd, CHUNK_END, &end, sizeof(end), NULL, 0);
		lseek(fd, 0, SEEK_SET);
		g = read_selected(fd, &some);
		assert_int_equal(g.end, 0);
		assert_int_equal(g.rows, 0);
	}
}

static void test_rings(void **state)
{
	_cleanup_(schema_unrefp) struct schema *s = sample_schema();
	_cleanup_(container_unrefp) struct container *c = sample_container();
	struct sample sample = {.timestamp = 5};
	struct row row = {.part = {&sample, c}, .size = {sizeof(sample), sizeof(*c)}};
	int fd = memory_file(), keep = dup(fd);
	struct record_reader *r;
	struct record_writer *w;
	struct record_event ev;
	unsigned int source;
	struct err err;

	assert_int_equal(record_writer_new(fd, &base, &w, &err), 0);
	assert_int_equal(record_writer_source(w, s, SOURCE_TRACER, &source, &err), 0);
	assert_int_equal(record_writer_row_as(w, source, &row, 1ull << 40, true), 0);
	assert_int_equal(record_writer_row(w, source, &row), 0);
	assert_int_equal(record_writer_ring(w, c, (struct record_ring){10, 2, 7, 1}), 0);
	assert_int_equal(record_writer_close(w, &err), 0);
	lseek(keep, 0, SEEK_SET);
	r = open_file(keep);
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_SOURCE);
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_ROW);
	assert_int_equal(ev.sequence, 1ull << 40);
	assert_true(ev.late);
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_ROW);
	assert_int_equal(ev.sequence, 0);
	assert_false(ev.late);
	assert_int_equal(record_reader_next(r, &ev, &err), RECORD_RING);
	assert_int_equal(ev.container->key, c->key);
	assert_int_equal(ev.ring.last, 10);
	assert_int_equal(ev.ring.kept, 2);
	assert_int_equal(ev.ring.overwritten, 7);
	assert_int_equal(ev.ring.lost, 1);
	record_reader_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_time),	       cmocka_unit_test(test_the_rest_is_not_read),
		cmocka_unit_test(test_by_container),   cmocka_unit_test(test_tables),
		cmocka_unit_test(test_append),	       cmocka_unit_test(test_append_to_a_cut_file),
		cmocka_unit_test(test_append_refused), cmocka_unit_test(test_version_1),
		cmocka_unit_test(test_bombs),	       cmocka_unit_test(test_bad_indexes),
		cmocka_unit_test(test_rings),	       cmocka_unit_test(test_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
