// SPDX-License-Identifier: Apache-2.0
/* Several record files: merged in order of time, and written one after the other in a directory. */
#include "record_file.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "recorder/merge.h"
#include "recorder/set.h"

/* ---- merging --------------------------------------------------------------------- */

/* Rows of one container at the given Unix times, on a machine whose clock has this base. */
static int file_at(int64_t boot_to_real_ns, const char *name, const struct schema *s,
		   const int64_t *times, size_t n)
{
	const struct clock_base clock = {boot_to_real_ns};
	_cleanup_(container_unrefp) struct container *c = sample_container();
	int fd = memory_file(), keep = dup(fd);
	struct record_writer *w;
	unsigned int source;
	struct err err;

	free(c->name);
	c->name = xstrdup(name);
	c->version = 1;
	assert_int_equal(record_writer_new(fd, &clock, &w, &err), 0);
	assert_int_equal(record_writer_source(w, s, SOURCE_TRACER, &source, &err), 0);
	for (size_t i = 0; i < n; i++) {
		struct sample sample = {.timestamp = (uint64_t)(times[i] - boot_to_real_ns)};
		struct row row = {.part = {&sample, c}, .size = {sizeof(sample), sizeof(*c)}};

		assert_int_equal(record_writer_row(w, source, &row), 0);
	}
	assert_int_equal(record_writer_close(w, &err), 0);
	lseek(keep, 0, SEEK_SET);
	return keep;
}

static struct record_merge *merge_of_two(const struct schema *a, const struct schema *b)
{
	static const int64_t here[] = {5000, 7000, 7001, 9000}, there[] = {6000, 7000, 8000};
	struct record_merge *m = record_merge_new();
	struct err err;

	assert_int_equal(record_merge_add(m, "here", file_at(1000, "here", a, here, 4), &err), 0);
	assert_int_equal(record_merge_add(m, "there", file_at(-500, "there", b, there, 3), &err),
			 0);
	return m;
}

static void test_order(void **state)
{
	static const char *const names[] = {"here", "there", "here", "there",
					    "here", "there", "here"};
	_cleanup_(schema_unrefp) struct schema *a = sample_schema(), *b = sample_schema();
	struct record_merge *m = merge_of_two(a, b);
	struct record_span span;
	int64_t before = 0;
	uint64_t versions[2] = {0};
	struct record_event ev;
	struct err err;

	assert_int_equal(record_merge_span(m, &span), 0);
	assert_int_equal(span.first_ns, 5000);
	assert_int_equal(span.last_ns, 9000);
	assert_int_equal(record_merge_next(m, &ev, &err), RECORD_SOURCE); /* both have the same */
	for (size_t i = 0; i < array_size(names); i++) {
		assert_int_equal(record_merge_next(m, &ev, &err), RECORD_ROW);
		assert_int_equal(ev.source, 0);
		assert_true(ev.time_ns >= before);
		before = ev.time_ns;
		assert_int_equal(row_time(a, &ev.row) + (uint64_t)ev.row.clock->boot_to_real_ns,
				 ev.time_ns);
		if (ev.time_ns != 7000)
			assert_string_equal(ev.container->name, names[i]);
		versions[!strcmp(ev.container->name, "there")] = ev.row.container_version;
	}
	assert_int_equal(record_merge_next(m, &ev, &err), RECORD_END);
	assert_int_not_equal(versions[0], versions[1]); /* the same key, another container */
	record_merge_free(m);
}

static void test_selected(void **state)
{
	_cleanup_(schema_unrefp) struct schema *s = sample_schema();
	struct record_merge *m = merge_of_two(s, s);
	uint32_t rows = 0;
	struct record_event ev;
	struct err err;
	int item;

	record_merge_select(m, &(struct record_selection){.from_ns = 7000, .to_ns = 8000});
	while ((item = record_merge_next(m, &ev, &err)) > 0)
		rows += item == RECORD_ROW;
	assert_int_equal(item, 0);
	assert_int_equal(rows, 4);
	record_merge_free(m);
	m = record_merge_new();
	assert_int_equal(record_merge_next(m, &ev, &err), RECORD_END);
	record_merge_free(m);
}

/* One file is cut short: it ends there, the other goes on, and then the fault is told. */
static void test_a_fault(void **state)
{
	_cleanup_(schema_unrefp) struct schema *s = sample_schema();
	struct record_merge *m = merge_of_two(s, s);
	int fd = sample_file(100);
	uint32_t rows = 0;
	struct record_event ev;
	struct err err = {0};
	int item;

	assert_int_equal(record_merge_add(m, "cut", copy_of(fd, 1000), &err), 0);
	close(fd);
	while ((item = record_merge_next(m, &ev, &err)) > 0)
		rows += item == RECORD_ROW;
	assert_int_equal(item, -EBADMSG);
	assert_non_null(strstr(err.text, "cut: record file, byte"));
	assert_true(rows >= 7);
	assert_int_equal(record_merge_next(m, &ev, &err), -EBADMSG);
	record_merge_free(m);
}

/* ---- sets ------------------------------------------------------------------------ */

struct removed {
	size_t n;
	char last[64];
};

static void on_removed(void *ctx, const char *name, uint64_t bytes)
{
	struct removed *r = ctx;

	r->n++;
	assert_true(bytes > 0);
	assert_true(strcmp(name, r->last) > 0); /* the oldest first */
	snprintf(r->last, sizeof(r->last), "%s", name);
}

static int make_folder(char *path)
{
	int fd;

	assert_non_null(mkdtemp(path));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void remove_folder(const char *path, int dir_fd)
{
	struct record_set_file *files;
	size_t n;

	assert_int_equal(record_set_list(dir_fd, &files, &n), 0);
	for (size_t i = 0; i < n; i++)
		unlinkat(dir_fd, files[i].name, 0);
	record_set_list_free(files, n);
	unlinkat(dir_fd, "notes.txt", 0);
	close(dir_fd);
	assert_int_equal(rmdir(path), 0);
}

/* All rows of the folder's files in their order; their numbers go on without a gap. */
static uint32_t read_folder(int dir_fd, uint32_t *ret_last, uint64_t *ret_bytes, uint64_t *ret_most)
{
	struct record_set_file *files;
	uint32_t rows = 0, number = 0;
	size_t n;

	*ret_bytes = *ret_most = 0;
	assert_int_equal(record_set_list(dir_fd, &files, &n), 0);
	for (size_t i = 0; i < n; i++) {
		struct record_reader *r =
			open_file(openat(dir_fd, files[i].name, O_RDONLY | O_CLOEXEC));
		struct record_event ev;
		struct err err;
		int item;

		*ret_bytes += files[i].bytes;
		*ret_most = files[i].bytes > *ret_most ? files[i].bytes : *ret_most;
		while ((item = record_reader_next(r, &ev, &err)) > 0) {
			if (item != RECORD_ROW)
				continue;
			number = ((const struct sample *)ev.row.part[PART_RECORD])->number;
			assert_true(!rows || number == *ret_last + 1);
			*ret_last = number;
			rows++;
		}
		assert_int_equal(item, 0);
		record_reader_free(r);
	}
	record_set_list_free(files, n);
	return rows;
}

/* Rows that hardly pack. */
static void put_random(struct record_set *s, unsigned int source, uint32_t number)
{
	struct {
		struct sample s;
		unsigned char tail[200];
	} r = {.s = {.timestamp = 1000 + number, .number = number}};
	struct row row = {.part = {&r}, .size = {sizeof(r)}};

	for (size_t i = 0; i < sizeof(r.tail); i++)
		r.tail[i] = (unsigned char)rand();
	assert_int_equal(record_writer_row(record_set_writer(s), source, &row), 0);
}

static void test_rotation(void **state)
{
	enum { N = 20000 };
	char path[] = "/tmp/ig-set-XXXXXX";
	_cleanup_(schema_unrefp) struct schema *schema = sample_schema();
	struct removed removed = {0};
	const struct record_set_options o = {
		.dir_fd = make_folder(path),
		.clock = base,
		.rotate_bytes = 512 << 10,
		.keep_bytes = 2 << 20,
		.removed = on_removed,
		.ctx = &removed,
	};
	uint32_t rows, last;
	uint64_t bytes, most;
	struct record_set *s;
	unsigned int source;
	struct err err;
	int other = openat(o.dir_fd, "notes.txt", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	close(other);
	assert_int_equal(record_set_new(&o, &s, &err), 0);
	assert_int_equal(record_set_source(s, schema, SOURCE_TRACER, &source, &err), 0);
	for (uint32_t i = 0; i < N; i++)
		put_random(s, source, i);
	assert_int_equal(record_set_close(s, &err), 0);
	rows = read_folder(o.dir_fd, &last, &bytes, &most);
	assert_int_equal(last, N - 1);
	assert_true(rows < N);
	assert_true(removed.n >= 4);
	assert_true(most <= o.rotate_bytes && most > o.rotate_bytes / 2);
	assert_true(bytes <= o.keep_bytes && bytes > o.keep_bytes / 2);
	assert_int_equal(faccessat(o.dir_fd, "notes.txt", F_OK, 0), 0);
	remove_folder(path, o.dir_fd);
}

/* By age and number; and again in the same folder, where the earlier run's files count as well. */
static void test_rotation_by_age(void **state)
{
	char path[] = "/tmp/ig-set-XXXXXX";
	_cleanup_(schema_unrefp) struct schema *schema = sample_schema();
	const struct record_set_options o = {
		.dir_fd = make_folder(path), .clock = base, .rotate_ns = 1, .keep_files = 3};
	struct record_set_file *files;
	uint32_t last;
	uint64_t bytes, most;
	struct record_set *s;
	unsigned int source;
	struct err err;
	size_t n;

	for (uint32_t run = 0; run < 2; run++) {
		assert_int_equal(record_set_new(&o, &s, &err), 0);
		assert_int_equal(record_set_source(s, schema, SOURCE_TRACER, &source, &err), 0);
		assert_int_equal(record_set_flush(s), 0); /* no file yet */
		for (uint32_t i = 0; i < 5; i++) {
			put_random(s, source, run * 5 + i);
			assert_int_equal(record_set_flush(s), 0);
		}
		assert_int_equal(record_set_close(s, &err), 0);
		assert_int_equal(record_set_list(o.dir_fd, &files, &n), 0);
		assert_int_equal(n, 3);
		record_set_list_free(files, n);
	}
	assert_int_equal(read_folder(o.dir_fd, &last, &bytes, &most), 3);
	assert_int_equal(last, 9);
	remove_folder(path, o.dir_fd);
}

/* Its end is in the same file, however small that shall be. */
static void test_a_table_is_not_divided(void **state)
{
	char path[] = "/tmp/ig-set-XXXXXX";
	_cleanup_(schema_unrefp) struct schema *schema = sample_schema();
	const struct record_set_options o = {
		.dir_fd = make_folder(path), .clock = base, .rotate_bytes = SET_LEAST_BYTES};
	struct record_set_file *files;
	struct record_set *s;
	unsigned int source;
	struct err err;
	size_t n;

	assert_int_equal(record_set_new(&o, &s, &err), 0);
	assert_int_equal(record_set_source(s, schema, SOURCE_TOP, &source, &err), 0);
	for (uint32_t i = 0; i < 5000; i++)
		put_random(s, source, i);
	assert_int_equal(record_writer_table_end(record_set_writer(s), source, 1), 0);
	put_random(s, source, 5000);
	assert_int_equal(record_set_close(s, &err), 0);
	assert_int_equal(record_set_list(o.dir_fd, &files, &n), 0);
	assert_int_equal(n, 2);
	assert_true(files[0].bytes > SET_LEAST_BYTES);
	record_set_list_free(files, n);
	remove_folder(path, o.dir_fd);
}

static void test_bad_options(void **state)
{
	const struct record_set_options bad[] = {
		{.rotate_bytes = 1000},
		{.rotate_bytes = 2 << 20, .keep_bytes = 1 << 20},
		{.keep_bytes = 1000},
	};
	struct record_set_options gone = {.dir_fd = -1, .clock = base};
	struct record_set *s;
	struct err err;

	for (size_t i = 0; i < array_size(bad); i++)
		assert_int_equal(record_set_new(&bad[i], &s, &err), -EINVAL);
	assert_int_equal(record_set_new(&gone, &s, &err), 0);
	assert_null(record_set_writer(s));
	assert_int_equal(record_set_flush(s), -EBADF);
	assert_int_equal(record_set_close(s, &err), -EBADF);
	assert_int_equal(record_set_close(NULL, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_selected),
		cmocka_unit_test(test_a_fault),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_rotation_by_age),
		cmocka_unit_test(test_a_table_is_not_divided),
		cmocka_unit_test(test_bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
