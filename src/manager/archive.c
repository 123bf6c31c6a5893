// SPDX-License-Identifier: Apache-2.0
#include "manager/archive.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/reactor.h"
#include "recorder/file.h"

#define FLUSH_NS 1000000000ull

struct archive {
	struct reactor *reactor;
	struct archive_options o;
	char *name;
	struct record_writer *writer; /* NULL: no row came yet, or it failed */
	struct archived {
		struct schema *schema;
		enum source_kind kind;
		unsigned int number; /* in the file */
	} * sources;
	size_t n_sources, rows, bytes;
	struct timer flush;
	struct err error;
};

static char *file_name(const char *name, bool older)
{
	return xasprintf("%s.rows%s", name, older ? ".1" : "");
}

/* ---- reading --------------------------------------------------------------------- */

struct reading {
	const struct archive_options *o;
	uint64_t shift; /* makes its times ones of this boot's clock */
	struct history *to;
	int *sources; /* of the file: which of the gadget's; -1: none that it has now */
	size_t n, room;
};

/* The gadget's source with the very same fields; -1: there is none. */
static int source_like(struct gadget *g, const struct schema *s)
{
	for (size_t i = 0; i < gadget_n_sources(g); i++)
		if (schema_same(gadget_source(g, i)->schema, s))
			return (int)i;
	return -1;
}

/* Versions name containers for all who read rows; those of living ones have no such bit. */
#define OLD_VERSION (1ull << 63)

static void name_version(const struct reading *r, struct record_event *e)
{
	struct container *c = e->container;

	if (c && !(c->version & OLD_VERSION))
		c->version = OLD_VERSION | ++*r->o->versions;
	e->row.container_version = c ? c->version : 0;
}

static void take_row(const struct reading *r, unsigned int source, struct record_event *e)
{
	const struct schema *s = gadget_source(r->o->gadget, source)->schema;
	size_t size = e->row.size[PART_RECORD];
	_cleanup_(freep) uint64_t *record = xnew_n(uint64_t, size / sizeof(uint64_t) + 1);

	name_version(r, e);
	memcpy(record, e->row.part[PART_RECORD], size);
	schema_shift_times(s, record, size, (int64_t)r->shift);
	e->row.part[PART_RECORD] = record;
	history_add(r->to, source, &e->row, false);
}

static void take_event(struct reading *r, enum record_item item, struct record_event *e)
{
	int source;

	if (item == RECORD_SOURCE) {
		*grow(&r->sources, &r->n, &r->room) = source_like(r->o->gadget, e->schema);
		return;
	}
	source = e->source < r->n ? r->sources[e->source] : -1;
	if (source < 0)
		return;
	if (item == RECORD_ROW)
		take_row(r, (unsigned int)source, e);
	if (item == RECORD_TABLE_END)
		history_table_end(r->to, (unsigned int)source);
}

static void read_file(const struct archive_options *o, const char *name, struct history *to)
{
	struct reading r = {.o = o, .to = to};
	struct record_reader *reader = NULL;
	struct record_event event;
	int item, fd = openat(o->dir_fd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || record_reader_open(fd, &reader, NULL))
		return;
	r.shift = (uint64_t)record_reader_clock(reader)->boot_to_real_ns -
		  (uint64_t)o->clock->boot_to_real_ns;
	/* A file that was cut short by a crash is good up to there. */
	while ((item = record_reader_next(reader, &event, NULL)) > 0)
		take_event(&r, (enum record_item)item, &event);
	record_reader_free(reader);
	free(r.sources);
}

void archive_read(const struct archive_options *o, struct history *to)
{
	for (int older = 1; older >= 0; older--) {
		_cleanup_(freep) char *name = file_name(o->name, older);

		read_file(o, name, to);
	}
}

/* ---- writing --------------------------------------------------------------------- */

static void fail(struct archive *a, int r)
{
	if (!r)
		return;
	err_set(&a->error, r, "keeping the last records: %s", strerror(-r));
	record_writer_close(a->writer, NULL);
	a->writer = NULL;
}

/* The newer file becomes the older one. */
static void start_file(struct archive *a)
{
	_cleanup_(freep) char *name = file_name(a->name, false), *older = file_name(a->name, true);
	int fd, r = 0;

	renameat(a->o.dir_fd, name, a->o.dir_fd, older);
	fd = openat(a->o.dir_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		fail(a, -errno);
		return;
	}
	a->rows = a->bytes = 0;
	r = record_writer_new(fd, a->o.clock, &a->writer, NULL);
	for (size_t i = 0; !r && i < a->n_sources; i++) {
		struct archived *s = &a->sources[i];

		r = record_writer_source(a->writer, s->schema, s->kind, &s->number, NULL);
	}
	fail(a, r);
}

static void on_flush(void *ctx)
{
	struct archive *a = ctx;

	if (a->writer)
		fail(a, record_writer_flush(a->writer));
}

struct archive *archive_new(struct reactor *r, const struct archive_options *o)
{
	struct archive *a = xnew(struct archive);

	a->reactor = r;
	a->o = *o;
	a->o.name = a->name = xstrdup(o->name);
	a->n_sources = gadget_n_sources(o->gadget);
	a->sources = xnew_n(struct archived, a->n_sources);
	for (size_t i = 0; i < a->n_sources; i++) {
		const struct gadget_source *s = gadget_source(o->gadget, i);

		a->sources[i] = (struct archived){schema_ref(s->schema), s->kind, 0};
	}
	return a;
}

struct archive *archive_free(struct archive *a)
{
	if (!a)
		return NULL;
	timer_stop(&a->flush);
	record_writer_close(a->writer, NULL);
	for (size_t i = 0; i < a->n_sources; i++)
		schema_unref(a->sources[i].schema);
	free(a->sources);
	free(a->name);
	free(a);
	return NULL;
}

void archive_row(struct archive *a, unsigned int source, const struct row *row)
{
	if (a->error.code)
		return;
	if (!a->writer || a->rows >= a->o.max_rows || a->bytes >= MAX_HISTORY_BYTES) {
		record_writer_close(take(a->writer), NULL);
		start_file(a);
		if (!a->writer)
			return;
	}
	a->rows++;
	a->bytes += row->size[PART_RECORD];
	fail(a, record_writer_row(a->writer, a->sources[source].number, row));
	if (!a->flush.reactor)
		timer_start(&a->flush, a->reactor, FLUSH_NS, on_flush, a);
}

void archive_table_end(struct archive *a, unsigned int source)
{
	struct timespec now;

	if (!a->writer)
		return;
	clock_gettime(CLOCK_BOOTTIME, &now);
	fail(a, record_writer_table_end(a->writer, a->sources[source].number,
					(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec));
}

const char *archive_error(const struct archive *a)
{
	return a->error.code ? a->error.text : NULL;
}

/* ---- the files ------------------------------------------------------------------- */

void archive_remove(int dir_fd, const char *name)
{
	for (int older = 0; older <= 1; older++) {
		_cleanup_(freep) char *file = file_name(name, older);

		unlinkat(dir_fd, file, 0);
	}
}

int64_t archive_written(int dir_fd, const char *name)
{
	_cleanup_(freep) char *file = file_name(name, false);
	struct stat st;

	return fstatat(dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) ? 0 : st.st_mtim.tv_sec;
}
