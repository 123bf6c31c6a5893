// SPDX-License-Identifier: Apache-2.0
#include "cmd/sink.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "cmd/view_flags.h"
#include "containers/container.h"
#include "traces/note.h"

int sink_init(struct sink *s, const struct view_options *o, const char *record, bool append,
	      struct err *err)
{
	int r;

	*s = (struct sink){.record_fd = -1, .flush_fd = -1, .append = append, .clock = o->clock};
	clock_base_now(&s->own);
	r = view_new(o, &s->view, err);
	if (r || !record)
		return r;
	s->record_fd = open(record, (append ? O_RDWR : O_WRONLY) | O_CREAT | O_CLOEXEC, 0600);
	return s->record_fd < 0
		       ? err_set(err, -errno, "cannot write %s: %s", record, strerror(errno))
		       : 0;
}

int sink_done(struct sink *s, struct err *err)
{
	int r = view_flags_finish(s->view, err);
	uint64_t unwritten = s->view ? view_unwritten(s->view) : 0;

	if (unwritten)
		fprintf(stderr, "%" PRIu64 " of the delivered records could not be written\n",
			unwritten);
	r = record_writer_close(s->file, r ? NULL : err) ?: r;
	if (s->view) { /* a zeroed one has no descriptor 0 */
		closep(&s->record_fd);
		closep(&s->flush_fd);
	}
	view_free(s->view);
	for (size_t i = 0; i < s->n_sources; i++)
		schema_unref(s->sources[i].schema);
	free(s->sources);
	*s = (struct sink){0};
	return r;
}

static enum view_source_kind view_kind(enum source_kind kind)
{
	static const enum view_source_kind kinds[] = {
		[SOURCE_TRACER] = VIEW_STREAM,
		[SOURCE_TOP] = VIEW_TABLE,
		[SOURCE_SNAPSHOT] = VIEW_TABLE_ONCE,
	};

	return kinds[kind];
}

int sink_add(struct sink *s, const struct gadget_source *source, struct err *err)
{
	struct sink_source *to = grow(&s->sources, &s->n_sources, &s->room_sources);
	int r;

	to->schema = schema_ref(source->schema);
	to->gadget = source->schema->gadget ?: source->schema->name;
	to->kind = source->kind;
	r = view_add(s->view, source->schema, view_kind(source->kind), &to->view, err);
	if (!r)
		view_default_sort(s->view, to->view, source->sort ?: source->schema->sort);
	return r;
}

static int append_to_file(struct sink *s, int fd, struct err *err)
{
	uint64_t dropped = 0;
	int r = record_writer_append(fd, &s->clock, &s->file, &dropped, err);

	if (dropped)
		log_warn("the record file was cut short: its last %" PRIu64
			 " bytes, which were no whole chunk, are gone",
			 dropped);
	return r ? err_wrap(err, r, "appending to the record file") : 0;
}

static int new_file(struct sink *s, int fd, struct err *err)
{
	if (ftruncate(fd, 0) && errno != EINVAL) { /* a pipe or device has no length */
		int r = err_set(err, -errno, "cannot empty the record file: %s", strerror(errno));

		close(fd);
		return r;
	}
	return record_writer_new(fd, &s->clock, &s->file, err);
}

static int start_file(struct sink *s, struct err *err)
{
	int r, fd = take_fd(&s->record_fd);

	r = s->append ? append_to_file(s, fd, err) : new_file(s, fd, err);
	if (!r) {
		s->flush_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		if (s->flush_fd < 0)
			r = err_set(err, -errno, "cannot make a timer: %s", strerror(errno));
	}
	for (size_t i = 0; !r && i < s->n_sources; i++)
		r = record_writer_source(s->file, s->sources[i].schema, s->sources[i].kind,
					 &s->sources[i].file, err);
	return r;
}

int sink_start(struct sink *s, struct err *err)
{
	int r = view_start(s->view, err);

	return r || s->record_fd < 0 ? r : start_file(s, err);
}

int sink_flush_fd(const struct sink *s)
{
	return s->flush_fd;
}

void sink_flush_file(struct sink *s)
{
	uint64_t times;

	if (read(s->flush_fd, &times, sizeof(times)) != sizeof(times))
		return;
	s->flush_due = false;
	record_writer_flush(s->file);
}

/* Rows wait for others at most a second: together they are packed better. */
static inline void set_flush(struct sink *s)
{
	static const struct itimerspec second = {.it_value.tv_sec = 1};

	if (s->flush_due || !record_writer_waiting(s->file))
		return;
	s->flush_due = !timerfd_settime(s->flush_fd, 0, &second, NULL);
}

bool sink_row(struct sink *s, unsigned int source, const struct row *row, bool late)
{
	const struct sink_source *from = &s->sources[source];
	bool delivered = view_row(s->view, from->view, row, late);

	if (delivered && s->file) {
		record_writer_row_as(s->file, from->file, row, 0, late);
		set_flush(s);
	}
	return delivered;
}

/* By the clock of the rows, which may be another machine's. */
static uint64_t boot_now(const struct sink *s)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)((int64_t)now.tv_sec * 1000000000 + now.tv_nsec + s->own.boot_to_real_ns -
			  s->clock.boot_to_real_ns);
}

void sink_table_end(struct sink *s, unsigned int source)
{
	view_table_end(s->view, s->sources[source].view);
	if (s->file)
		record_writer_table_end(s->file, s->sources[source].file, boot_now(s));
}

void sink_table_drop(struct sink *s, unsigned int source)
{
	view_table_drop(s->view, s->sources[source].view);
}

void sink_lost(struct sink *s, unsigned int source, const struct container *c, uint64_t count)
{
	const char *name = c ? c->name : "", *node = c ? c->k8s_node : NULL;
	const char *gadget = s->sources[source].gadget;
	struct buf json, text;

	buf_init(&json, 65536);
	buf_init(&text, 65536);
	view_lost(s->view, s->sources[source].view, count);
	note_lost(&json, gadget, c, count);
	buf_printf(&text, "%s: lost %" PRIu64 " records%s%s%s%s", gadget, count,
		   *name ? " of container " : "", name, node ? " on node " : "", node ?: "");
	view_note(s->view, buf_cstr(&json), buf_cstr(&text));
	if (s->file)
		record_writer_loss(s->file, s->sources[source].file, c, count);
	buf_done(&json);
	buf_done(&text);
}

static void say_sum(const char *what, struct record_totals n)
{
	fprintf(stderr,
		"%s: seen %" PRIu64 " = delivered %" PRIu64 " + discarded %" PRIu64
		" + lost %" PRIu64 "\n",
		what, n.seen, n.delivered, n.discarded, n.lost);
}

void sink_totals(struct sink *s, unsigned int source, const char *gadget, struct record_totals n)
{
	say_sum(gadget, n);
	if (s->file && source < s->n_sources)
		record_writer_totals(s->file, s->sources[source].file, n);
}

void sink_container_totals(const char *container, struct record_totals n)
{
	struct buf name;

	buf_init(&name, 4096);
	escape_text(&name, container, strlen(container));
	fputs("  ", stderr);
	say_sum(buf_cstr(&name), n);
	buf_done(&name);
}

int sink_end(struct sink *s, struct err *err)
{
	return view_end(s->view, err);
}

bool sink_full(const struct sink *s)
{
	return view_full(s->view);
}

int sink_flush(struct sink *s)
{
	return view_flush(s->view);
}
