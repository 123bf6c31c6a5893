// SPDX-License-Identifier: Apache-2.0
#include "recorder/merge.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "recorder/sources.h"

#define VERSION_BITS 40 /* of a container's version, for the file's own */

struct merged_file {
	char *name;
	struct record_reader *reader;
	struct source_map map;
	struct record_event event; /* the next one, which its reader holds */
	int item;		   /* what it is; RECORD_END: none was read */
	bool ended;
};

struct record_merge {
	struct merged_file *files;
	size_t n, room;
	struct record_sources sources;
	size_t prepared;     /* files that are */
	size_t current;	     /* the file that gave the last event */
	bool chosen;	     /* once */
	int64_t others_from; /* time of the first event of all others */
	struct err fault;    /* the first; code 0: none */
};

struct record_merge *record_merge_new(void)
{
	return xnew(struct record_merge);
}

struct record_merge *record_merge_free(struct record_merge *m)
{
	if (!m)
		return NULL;
	for (size_t i = 0; i < m->n; i++) {
		record_reader_free(m->files[i].reader);
		free(m->files[i].map.numbers);
		free(m->files[i].name);
	}
	free(m->files);
	record_sources_done(&m->sources);
	free(m);
	return NULL;
}

static int add(struct record_merge *m, const char *name, int fd,
	       int (*open)(int fd, struct record_reader **ret, struct err *err), struct err *err)
{
	struct record_reader *reader;
	int r;

	if (m->n == MAX_RECORD_FILES) {
		close(fd);
		return err_set(err, -E2BIG, "more than %d record files", MAX_RECORD_FILES);
	}
	r = open(fd, &reader, err);
	if (r)
		return err_wrap(err, r, "%s", name);
	*grow(&m->files, &m->n, &m->room) =
		(struct merged_file){.name = xstrdup(name), .reader = reader};
	return 0;
}

int record_merge_add(struct record_merge *m, const char *name, int fd, struct err *err)
{
	return add(m, name, fd, record_reader_open, err);
}

int record_merge_begin(struct record_merge *m, const char *name, int fd, struct err *err)
{
	return add(m, name, fd, record_reader_begin, err);
}

bool record_merge_prepare(struct record_merge *m)
{
	if (m->prepared < m->n && !record_reader_prepare(m->files[m->prepared].reader))
		m->prepared++;
	return m->prepared < m->n;
}

int record_merge_span(const struct record_merge *m, struct record_span *ret)
{
	struct record_span all = {INT64_MAX, INT64_MIN};

	for (size_t i = 0; i < m->n; i++) {
		struct record_span its;
		int r = record_reader_span(m->files[i].reader, &its);

		if (r)
			return r;
		all.first_ns = its.first_ns < all.first_ns ? its.first_ns : all.first_ns;
		all.last_ns = its.last_ns > all.last_ns ? its.last_ns : all.last_ns;
	}
	if (!m->n)
		return -ENODATA;
	*ret = all;
	return 0;
}

void record_merge_select(struct record_merge *m, const struct record_selection *s)
{
	for (size_t i = 0; i < m->n; i++)
		record_reader_select(m->files[i].reader, s);
}

/* ---- events ---------------------------------------------------------------------- */

/* It gave its end, or a fault, of which the first is kept. */
static void end_file(struct record_merge *m, struct merged_file *f, struct err *err)
{
	if (f->item < 0 && !m->fault.code) {
		err_wrap(err, f->item, "%s", f->name);
		m->fault = *err;
	}
	f->item = RECORD_END;
	f->ended = true;
}

/* A source is new: *ret says it. False: another file has it as well. */
static bool join_source(struct record_merge *m, struct merged_file *f, struct record_event *ret)
{
	f->item = RECORD_END;
	if (record_sources_join(&m->sources, &f->map, f->event.schema, f->event.kind))
		return false;
	*ret = f->event;
	ret->source = (unsigned int)m->sources.n - 1;
	return true;
}

/* Reads the file's next event. RECORD_SOURCE: one that is new; RECORD_LATER; else 0. */
static int fetch(struct record_merge *m, struct merged_file *f, struct record_event *ret)
{
	struct err err = {0};

	while (!f->ended && f->item == RECORD_END) {
		f->item = record_reader_next(f->reader, &f->event, &err);
		if (f->item <= 0) {
			end_file(m, f, &err);
		} else if (f->item == RECORD_LATER) {
			f->item = RECORD_END;
			return RECORD_LATER;
		} else if (f->item == RECORD_SOURCE && join_source(m, f, ret)) {
			return RECORD_SOURCE;
		}
	}
	return 0;
}

/* The file whose event comes first, NULL where all have ended; and when the others' come. */
static struct merged_file *choose(struct record_merge *m)
{
	struct merged_file *first = NULL;

	m->others_from = INT64_MAX;
	for (size_t i = 0; i < m->n; i++) {
		struct merged_file *f = &m->files[i];

		if (f->item == RECORD_END)
			continue;
		if (!first || f->event.time_ns < first->event.time_ns) {
			m->others_from = first ? first->event.time_ns : INT64_MAX;
			first = f;
		} else if (f->event.time_ns < m->others_from) {
			m->others_from = f->event.time_ns;
		}
	}
	m->current = first ? (size_t)(first - m->files) : 0;
	m->chosen = m->n > 0;
	return first;
}

static int fetch_all(struct record_merge *m, struct record_event *ret)
{
	int item = 0;

	for (size_t i = 0; !item && i < m->n; i++)
		item = fetch(m, &m->files[i], ret);
	return item;
}

static int give(const struct record_merge *m, struct merged_file *f, struct record_event *ret)
{
	int item = f->item;

	*ret = f->event;
	if (item != RECORD_RING)
		ret->source = f->map.numbers[f->event.source];
	if (ret->row.container_version)
		ret->row.container_version |= (uint64_t)m->current << VERSION_BITS;
	f->item = RECORD_END;
	return item;
}

int record_merge_next(struct record_merge *m, struct record_event *ret, struct err *err)
{
	struct merged_file *f = NULL;
	int item = m->chosen ? fetch(m, &m->files[m->current], ret) : fetch_all(m, ret);

	if (item)
		return item;
	if (m->chosen)
		f = &m->files[m->current];
	if (!f || f->ended || f->event.time_ns > m->others_from)
		f = choose(m);
	if (f)
		return give(m, f, ret);
	if (m->fault.code && err)
		*err = m->fault;
	return m->fault.code;
}
