// SPDX-License-Identifier: Apache-2.0
/*
 * What is recorded is replayed as it was: random rows of random schemas and containers, in files of
 * one section or several, give the same bytes, and through any filter, the same output as live. The
 * seed of what failed is in the message; SEED=n runs that one alone.
 */
#include "record_file.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/parse.h"
#include "columns/view.h"
#include "gadget_rows.h"

enum { SEEDS = 40, MAX_SCHEMAS = 3, MOST_ROWS = 600, FILTERS = 8 };

static uint64_t seed, state;

#define check(condition)                                                                 \
	do {                                                                             \
		if (!(condition))                                                        \
			fail_msg("seed %llu: %s", (unsigned long long)seed, #condition); \
	} while (0)

/* splitmix64 */
static uint32_t dice(uint32_t sides)
{
	uint64_t z = state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return (uint32_t)((z ^ z >> 31) % sides);
}

/* ---- a run ----------------------------------------------------------------------- */

/* What happens, in its order: rows, and of tables their ends. */
struct happening {
	unsigned int source, section;
	bool table_end, late;
	struct buf record;
	struct container *container; /* NULL: none; owned */
	uint64_t sequence, boot_ns;
};

struct run {
	struct schema *schemas[MAX_SCHEMAS];
	unsigned int kinds[MAX_SCHEMAS];
	unsigned int n_schemas, n_sections;
	struct clock_base clocks[4];
	struct happening *what;
	size_t n, room;
};

static struct schema *random_schema(unsigned int number)
{
	static const struct {
		const char *type;
		enum kind kind;
		uint32_t size;
	} sorts[] = {
		{"g_time", KIND_UINT, 8},     {"g_walltime", KIND_UINT, 8},
		{"g_errno", KIND_INT, 4},     {"g_bytes", KIND_UINT, 8},
		{"g_duration", KIND_UINT, 8}, {NULL, KIND_INT, 2},
		{NULL, KIND_UINT, 1},	      {NULL, KIND_BOOL, 1},
		{"g_comm", KIND_CHARS, 16},   {"g_addr", KIND_BYTES, 16},
		{"g_text", KIND_TEXT, 8},     {"g_args", KIND_LIST, 8},
		{"g_pid", KIND_UINT, 4},
	};
	_cleanup_(freep) char *name = xasprintf("source%u", number);
	struct schema *s = schema_new("made", name, 400);
	uint32_t offset = dice(8), n = 1 + dice(10);
	struct err err;

	for (uint32_t i = 0; i < n; i++) {
		/* The first is a time more often than not. */
		uint32_t sort = !i && dice(4) ? 0 : dice(array_size(sorts));
		_cleanup_(freep) char *field = xasprintf(dice(4) ? "f%u" : "group.f%u", i);
		const struct field f = {
			.name = field,
			.type = sorts[sort].type,
			.kind = sorts[sort].kind,
			.offset = offset,
			.size = sorts[sort].size,
		};

		assert_int_equal(schema_add(s, &f, &err), 0);
		offset += f.size + dice(8);
	}
	assert_int_equal(container_add_fields(s, &err), 0);
	assert_int_equal(schema_finish(s, &err), 0);
	return s;
}

static void add_row(struct run *run, unsigned int source, unsigned int section)
{
	struct happening *h = grow(&run->what, &run->n, &run->room);

	h->source = source;
	h->section = section;
	h->late = run->kinds[source] == SOURCE_TRACER && !dice(10);
	h->sequence = dice(3) ? run->n : 0;
	h->container = made_container(dice(MADE_CONTAINERS));
	if (h->container) /* its start is told by the section's clock */
		h->container->version += 100 * section;
	buf_init(&h->record, ROW_MAX_BYTES);
	made_record(run->schemas[source], dice(1000), &h->record);
	if (!dice(20)) /* cut off within the record */
		h->record.len = dice((uint32_t)h->record.len + 1);
}

static void add_table_end(struct run *run, unsigned int source, unsigned int section)
{
	*grow(&run->what, &run->n, &run->room) = (struct happening){
		.source = source, .section = section, .table_end = true, .boot_ns = dice(1000)};
}

static struct run random_run(void)
{
	struct run run = {.n_schemas = 1 + dice(MAX_SCHEMAS), .n_sections = 1 + dice(3)};

	for (unsigned int i = 0; i < run.n_schemas; i++) {
		run.schemas[i] = random_schema(i);
		run.kinds[i] = dice(3) ? SOURCE_TRACER : SOURCE_TOP;
	}
	for (unsigned int section = 0; section < run.n_sections; section++) {
		uint32_t rows = dice(MOST_ROWS);

		run.clocks[section].boot_to_real_ns =
			1700000000000000000 + 1000000007 * (int64_t)dice(1000);
		for (uint32_t i = 0; i < rows; i++) {
			unsigned int source = dice(run.n_schemas);

			if (run.kinds[source] != SOURCE_TRACER && !dice(20))
				add_table_end(&run, source, section);
			add_row(&run, source, section);
		}
		for (unsigned int i = 0; i < run.n_schemas; i++)
			if (run.kinds[i] != SOURCE_TRACER)
				add_table_end(&run, i, section);
	}
	return run;
}

static void free_run(struct run *run)
{
	for (unsigned int i = 0; i < run->n_schemas; i++)
		schema_unref(run->schemas[i]);
	for (size_t i = 0; i < run->n; i++) {
		container_unref(run->what[i].container);
		buf_done(&run->what[i].record);
	}
	free(run->what);
}

static struct row row_of(const struct run *run, const struct happening *h)
{
	struct row row = made_row(&h->record, h->container);

	if (run->n_sections > 1) /* else it is the view's */
		row.clock = &run->clocks[h->section];
	return row;
}

/* ---- recording ------------------------------------------------------------------- */

static struct record_writer *open_section(const struct run *run, int fd, unsigned int section)
{
	struct record_writer *w;
	uint64_t dropped;
	struct err err;

	lseek(fd, 0, SEEK_SET);
	check(!record_writer_append(dup(fd), &run->clocks[section], &w, &dropped, &err));
	for (unsigned int i = 0; i < run->n_schemas; i++) {
		unsigned int number;

		check(!record_writer_source(w, run->schemas[i], run->kinds[i], &number, &err));
		check(number == i);
	}
	return w;
}

static int record(const struct run *run)
{
	int fd = memory_file();
	struct record_writer *w = NULL;
	unsigned int section = 0;

	for (size_t i = 0; i < run->n; i++) {
		const struct happening *h = &run->what[i];
		struct row row;

		while (!w || section < h->section) {
			section += w != NULL;
			check(!record_writer_close(w, NULL));
			w = open_section(run, fd, section);
		}
		if (h->table_end) {
			check(!record_writer_table_end(w, h->source, h->boot_ns));
			continue;
		}
		row = row_of(run, h);
		check(!record_writer_row_as(w, h->source, &row, h->sequence, h->late));
		if (!dice(100))
			record_writer_flush(w);
	}
	if (!w)
		w = open_section(run, fd, 0);
	check(!record_writer_close(w, NULL));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

/* At once, or in slices. */
static struct record_reader *open_either(int fd)
{
	struct record_reader *r;

	if (dice(2))
		return open_file(fd);
	check(!record_reader_begin(fd, &r, NULL));
	while (record_reader_prepare(r))
		;
	return r;
}

static void check_bytes(const struct run *run, int fd)
{
	struct record_reader *r = open_either(dup(fd));
	struct record_event ev;
	struct err err;
	size_t i = 0;
	int item;

	while ((item = record_reader_next(r, &ev, &err)) > 0) {
		const struct happening *h = &run->what[i];

		if (item == RECORD_SOURCE || item == RECORD_LATER)
			continue;
		check(i++ < run->n);
		check(item == (h->table_end ? RECORD_TABLE_END : RECORD_ROW));
		check(ev.source == h->source);
		if (h->table_end) {
			check(ev.boot_ns == h->boot_ns);
			continue;
		}
		check(ev.late == h->late && ev.sequence == h->sequence);
		check(ev.row.size[PART_RECORD] == h->record.len);
		check(!h->record.len ||
		      !memcmp(ev.row.part[PART_RECORD], h->record.data, h->record.len));
		check(ev.row.clock->boot_to_real_ns == run->clocks[h->section].boot_to_real_ns);
		check((ev.container ? ev.container->key : 0) ==
		      (h->container ? h->container->key : 0));
	}
	check(!item);
	check(i == run->n);
	record_reader_free(r);
	lseek(fd, 0, SEEK_SET);
}

/* ---- filters --------------------------------------------------------------------- */

/* A condition on a field that some row fulfils, often; NULL: none came to mind. */
static char *random_filter(const struct run *run)
{
	static const char *const ops[] = {"==", "!=", ">", "<=", "~"};
	const struct happening *h = run->n ? &run->what[dice((uint32_t)run->n)] : NULL;
	const struct schema *s = h ? run->schemas[h->source] : NULL;
	_cleanup_(buf_done) struct buf value = {.max = 4096};
	const struct field *f;
	struct row row;

	if (!h || h->table_end)
		return NULL;
	do
		f = &s->fields[dice((uint32_t)s->n_fields)];
	while (f->part == PART_CONTAINER && dice(10)); /* which has many */
	if (field_is_mere_group(f) || f->flags & FIELD_INTERNAL)
		return NULL;
	row = row_of(run, h);
	field_text(f, &row, &run->clocks[h->section], &value);
	for (size_t i = 0; i < value.len; i++)
		if (value.data[i] == ',' || value.data[i] == '\\')
			return NULL;
	return xasprintf("%s%s%s", f->name, ops[dice(array_size(ops))], buf_cstr(&value));
}

/* clock: of rows that have none. */
static struct view *open_view(const struct run *run, const char *filter, struct clock_base clock,
			      int fd)
{
	const char *filters[] = {filter};
	const struct view_options o = {.output = "json",
				       .filters = filters,
				       .n_filters = !!filter,
				       .fd = fd,
				       .err_fd = -1,
				       .clock = clock};
	unsigned int number;
	struct view *v;
	struct err err;

	if (view_new(&o, &v, &err))
		return NULL;
	for (unsigned int i = 0; i < run->n_schemas; i++)
		check(!view_add(v, run->schemas[i],
				run->kinds[i] == SOURCE_TRACER ? VIEW_STREAM : VIEW_TABLE, &number,
				&err));
	return view_start(v, &err) ? view_free(v) : v;
}

/* All of what a view wrote, which ends it. */
static void close_view(struct view *v, int fd, struct buf *ret)
{
	view_flush(v);
	view_free(v);
	lseek(fd, 0, SEEK_SET);
	buf_init(ret, 64 << 20);
	check(!buf_read_fd(ret, fd));
	close(fd);
}

static bool is_chosen(void *ctx, const struct container *c)
{
	uint64_t keys = *(const uint64_t *)ctx;

	return keys >> (c ? container_slot(c->key) : 0) & 1;
}

static void show_live(const struct run *run, struct view *v, uint64_t keys)
{
	for (size_t i = 0; i < run->n; i++) {
		const struct happening *h = &run->what[i];
		struct row row;

		if (h->table_end) {
			view_table_end(v, h->source);
		} else if (is_chosen(&keys, h->container)) {
			row = row_of(run, h);
			view_row(v, h->source, &row, h->late);
		}
	}
}

static void show_replay(int file, struct view *v, uint64_t *keys)
{
	struct record_reader *r = open_either(dup(file));
	struct record_event ev;
	struct err err;
	int item;

	if (~*keys)
		record_reader_select(r,
				     &(struct record_selection){.wanted = is_chosen, .ctx = keys});
	while ((item = record_reader_next(r, &ev, &err)) > 0) {
		if (item == RECORD_ROW)
			view_row(v, ev.source, &ev.row, ev.late);
		else if (item == RECORD_TABLE_END)
			view_table_end(v, ev.source);
	}
	check(!item);
	record_reader_free(r);
	lseek(file, 0, SEEK_SET);
}

/* keys: bits of the containers' slots that are shown. */
static void check_output(const struct run *run, int file, const char *filter, uint64_t keys)
{
	int live_fd = memory_file(), replay_fd = memory_file();
	struct view *live = open_view(run, filter, run->clocks[0], live_fd);
	struct view *replayed = open_view(run, filter, (struct clock_base){0}, replay_fd);
	struct buf live_text, replay_text;

	check(!live == !replayed);
	if (!live) { /* it is no filter */
		close(live_fd);
		close(replay_fd);
		return;
	}
	show_live(run, live, keys);
	show_replay(file, replayed, &keys);
	close_view(live, live_fd, &live_text);
	close_view(replayed, replay_fd, &replay_text);
	check(live_text.len == replay_text.len);
	check(!live_text.len || !memcmp(live_text.data, replay_text.data, live_text.len));
	buf_done(&live_text);
	buf_done(&replay_text);
}

static void one_seed(uint64_t number)
{
	struct run run;
	int fd;

	seed = state = number;
	run = random_run();
	fd = record(&run);
	check_bytes(&run, fd);
	check_output(&run, fd, NULL, ~0ull);
	for (uint32_t i = 0; i < FILTERS; i++) {
		_cleanup_(freep) char *filter = random_filter(&run);

		if (filter)
			check_output(&run, fd, filter, ~0ull);
	}
	check_output(&run, fd, NULL, dice(1 << MADE_CONTAINERS));
	close(fd);
	free_run(&run);
}

static void test_same(void **unused)
{
	const char *only = getenv("SEED");
	uint64_t number;

	if (only && !parse_u64(only, &number)) {
		one_seed(number);
		return;
	}
	for (number = 1; number <= SEEDS; number++)
		one_seed(number);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_same)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
