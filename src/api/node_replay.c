// SPDX-License-Identifier: Apache-2.0
/*
 * ig.v1.Node/Replay: a record file of the daemon's folder, or a ring of its flight recorder, as
 * fast as the client reads.
 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api/rings.h"
#include "api/rows.h"
#include "api/service.h"
#include "base/mem.h"
#include "containers/selector.h"
#include "recorder/file.h"
#include "wire/node.pb-c.h"

#define AHEAD_BYTES (4 * GRPC_DRAINED_BYTES) /* what is read before the client has taken it */

struct replaying {
	const struct api *api;
	struct grpc_served *call;
	struct record_reader *reader; /* NULL: no file is named yet */
	struct selector *selector;
	char *file;
	struct gadget_source *sources; /* schemas are referenced */
	size_t n_sources, room_sources;
	struct rows rows;
	bool started;
	const struct clock_base *clock; /* of the rows that were sent */
};

/* ---- the file -------------------------------------------------------------------- */

static int open_beneath(int dir, const char *file)
{
	/* Not to wait for the writer of a pipe. */
	const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				     .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
	int fd = (int)syscall(SYS_openat2, dir, file, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

static int open_file(const char *folder, const char *file, struct err *err)
{
	_cleanup_(closep) int dir = folder ? open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	_cleanup_(closep) int fd = dir < 0 ? -ENOENT : open_beneath(dir, file);
	struct stat st;

	if (fd == -ENOENT)
		return err_set(err, -ENOENT, "no record file '%s' at the daemon", file);
	if (fd == -EXDEV || fd == -ELOOP)
		return err_set(err, -EACCES, "%s lies outside of the daemon's folder of records",
			       file);
	if (fd < 0)
		return err_set(err, fd, "cannot read %s: %s", file, strerror(-fd));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return err_set(err, -EINVAL, "%s is no record file", file);
	return take_fd(&fd);
}

/* ---- events ---------------------------------------------------------------------- */

static void add_source(struct replaying *p, const struct record_event *e)
{
	*grow(&p->sources, &p->n_sources, &p->room_sources) = (struct gadget_source){
		.kind = e->kind, .name = e->schema->name, .schema = schema_ref(e->schema)};
}

static void start(struct replaying *p)
{
	_cleanup_(freep) const struct gadget_source **list =
		xnew_n(const struct gadget_source *, p->n_sources + 1);

	for (size_t i = 0; i < p->n_sources; i++)
		list[i] = &p->sources[i];
	rows_start(&p->rows, p->call,
		   &(struct rows_meaning){.about = {.name = p->file, .image = "replay"},
					  .sources = list,
					  .n_sources = p->n_sources,
					  .compact = true,
					  .clock = record_reader_clock(p->reader)});
	p->clock = record_reader_clock(p->reader);
	p->started = true;
}

static void give_row(struct replaying *p, const struct record_event *e)
{
	if (e->row.clock != p->clock) {
		p->clock = e->row.clock;
		rows_clock(&p->rows, p->clock);
	}
	if (!rows_row(&p->rows, e->source, &e->row))
		rows_lost(&p->rows, e->source, e->container, 1);
}

static int give(struct replaying *p, int item, const struct record_event *e, struct err *err)
{
	if (item == RECORD_SOURCE && p->started)
		return err_set(err, -EBADMSG, "a data source behind the first record");
	if (item == RECORD_SOURCE) {
		add_source(p, e);
		return 0;
	}
	if (!p->started)
		start(p);
	if (item == RECORD_ROW)
		give_row(p, e);
	else if (item == RECORD_TABLE_END && e->outside)
		rows_table_drop(&p->rows, e->source);
	else if (item == RECORD_TABLE_END)
		rows_table_end(&p->rows, e->source);
	else if (item == RECORD_LOSS)
		rows_lost(&p->rows, e->source, e->container, e->count);
	return 0;
}

/* ---- life ------------------------------------------------------------------------ */

static void replaying_free(struct replaying *p)
{
	rows_done(&p->rows);
	for (size_t i = 0; i < p->n_sources; i++)
		schema_unref(p->sources[i].schema);
	free(p->sources);
	record_reader_free(p->reader);
	selector_free(p->selector);
	free(p->file);
	free(p);
}

static void finish(struct replaying *p, int code, struct err *err)
{
	if (code && p->file)
		err_wrap(err, code, "%s", p->file);
	api_finish(p->call, code, err);
	replaying_free(p);
}

/* What the client has room for. p is gone where that was all. */
static void read_on(struct replaying *p)
{
	struct record_event e = {0};
	struct err err = {0};

	while (grpc_served_queued(p->call) < AHEAD_BYTES) {
		int item = record_reader_next(p->reader, &e, &err);
		int code = item > 0 ? give(p, item, &e, &err) : item;

		if (item == RECORD_END || code) {
			finish(p, code, &err);
			return;
		}
	}
}

static bool is_wanted(void *ctx, const struct container *c)
{
	const struct replaying *p = ctx;

	return c && selector_matches(p->selector, c);
}

static int open_reader(struct replaying *p, const Ig__V1__ReplayRequest *m, struct err *err)
{
	struct record_selection selection = {.ctx = p};
	struct record_span span;
	bool known;
	int r, fd = *m->ring ? ring_as_file(p->api, m->ring, err)
			     : open_file(p->api->record_dir, m->file, err);

	if (fd < 0)
		return fd;
	p->file = xstrdup(*m->ring ? m->ring : m->file);
	r = record_reader_open(fd, &p->reader, err);
	if (r)
		return r;
	known = !record_reader_span(p->reader, &span);
	r = record_times(m->from, m->to, known ? &span : NULL, &selection, err);
	r = r ?: api_selector(m->containers, &p->selector, err);
	if (r)
		return r;
	if (!selector_is_all(p->selector))
		selection.wanted = is_wanted;
	record_reader_select(p->reader, &selection);
	return 0;
}

static void on_replay_message(void *ctx, struct grpc_served *call, const void *bytes, size_t len)
{
	struct replaying *p = ctx;
	Ig__V1__ReplayRequest *m = ig__v1__replay_request__unpack(NULL, len, bytes);
	struct err err = {0};
	int code;

	if (p->reader)
		code = err_set(&err, -EINVAL, "one file at a time");
	else
		code = m ? open_reader(p, m, &err) : api_malformed(&err);
	if (m)
		ig__v1__replay_request__free_unpacked(m, NULL);
	if (code)
		finish(p, code, &err);
	else
		read_on(p);
}

static void on_replay_drained(void *ctx, struct grpc_served *call)
{
	read_on(ctx);
}

static void on_replay_half_closed(void *ctx, struct grpc_served *call)
{
	struct replaying *p = ctx;
	struct err err = {0};

	if (!p->reader)
		finish(p, api_no_request(&err), &err);
}

static void on_replay_stopping(void *ctx, struct grpc_served *call)
{
	struct err err = {0};

	finish(ctx, api_stopping(&err), &err);
}

static void on_replay_gone(void *ctx, struct grpc_served *call)
{
	replaying_free(ctx);
}

static void replay(void *ctx, struct grpc_served *call)
{
	static const struct grpc_served_events events = {.message = on_replay_message,
							 .half_closed = on_replay_half_closed,
							 .stopping = on_replay_stopping,
							 .drained = on_replay_drained,
							 .gone = on_replay_gone};
	struct replaying *p = xnew(struct replaying);

	p->api = ctx;
	p->call = call;
	grpc_served_start(call, &events, p);
}

static const struct grpc_method methods[] = {
	{"/ig.v1.Node/Replay", NULL, replay},
	{0},
};
static const struct api_service node_replay = {methods};
API_SERVICE(&node_replay);
