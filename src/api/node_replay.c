// SPDX-License-Identifier: Apache-2.0
/*
 * ig.v1.Node/Replay: record files of the daemon's folder as one stream, or a ring of its flight
 * recorder, as fast as the client reads. A file may be long, and little of it wanted: it is read in
 * slices, between which the daemon does what else it has to do.
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
#include "base/limits.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "containers/selector.h"
#include "recorder/merge.h"
#include "wire/node.pb-c.h"

#define AHEAD_BYTES (4 * GRPC_DRAINED_BYTES) /* what is read before the client has taken it */
#define SLICE 4096			     /* rows at a time, wanted or not */

struct replaying {
	const struct api *api;
	struct grpc_served *call;
	Ig__V1__ReplayRequest *request; /* NULL: it has not come */
	struct record_merge *files;
	bool prepared;
	struct timer turn; /* the next slice */
	struct selector *selector;
	struct gadget_source *sources; /* schemas are referenced */
	size_t n_sources, room_sources;
	struct rows rows;
	bool started;
	struct clock_base clock; /* of the rows that were sent */
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

static const char *name_of(const struct replaying *p)
{
	return *p->request->ring ? p->request->ring : p->request->files[0];
}

/* clock: of the first row; NULL: no row comes first. */
static void start(struct replaying *p, const struct clock_base *clock)
{
	_cleanup_(freep) const struct gadget_source **list =
		xnew_n(const struct gadget_source *, p->n_sources + 1);

	if (clock)
		p->clock = *clock;
	for (size_t i = 0; i < p->n_sources; i++)
		list[i] = &p->sources[i];
	rows_start(&p->rows, p->call,
		   &(struct rows_meaning){.about = {.name = name_of(p), .image = "replay"},
					  .sources = list,
					  .n_sources = p->n_sources,
					  .compact = true,
					  .clock = &p->clock});
	p->started = true;
}

static void give_row(struct replaying *p, const struct record_event *e)
{
	if (e->row.clock->boot_to_real_ns != p->clock.boot_to_real_ns) {
		p->clock = *e->row.clock;
		rows_clock(&p->rows, &p->clock);
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
		start(p, item == RECORD_ROW ? e->row.clock : NULL);
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
	timer_stop(&p->turn);
	record_merge_free(p->files);
	selector_free(p->selector);
	if (p->request)
		ig__v1__replay_request__free_unpacked(p->request, NULL);
	free(p);
}

static void finish(struct replaying *p, int code, struct err *err)
{
	api_finish(p->call, code, err);
	replaying_free(p);
}

static void on_turn(void *ctx);

static void go_on_later(struct replaying *p)
{
	timer_start(&p->turn, manager_reactor(p->api->manager), 0, on_turn, p);
}

/* What the client has room for. p is gone where that was all. */
static void read_on(struct replaying *p)
{
	struct record_event e = {0};
	struct err err = {0};

	for (unsigned int n = 0; grpc_served_queued(p->call) < AHEAD_BYTES; n++) {
		int item = n < SLICE ? record_merge_next(p->files, &e, &err) : RECORD_LATER, code;

		if (item == RECORD_LATER) {
			go_on_later(p);
			return;
		}
		code = item > 0 ? give(p, item, &e, &err) : item;
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

static int select_records(struct replaying *p, struct err *err)
{
	struct record_selection selection = {.ctx = p};
	struct record_span span;
	bool known = !record_merge_span(p->files, &span);
	int r = record_times(p->request->from, p->request->to, known ? &span : NULL, &selection,
			     err);

	if (!selector_is_all(p->selector))
		selection.wanted = is_wanted;
	record_merge_select(p->files, &selection);
	return r;
}

static void on_turn(void *ctx)
{
	struct replaying *p = ctx;
	struct err err = {0};
	int code;

	if (!p->prepared && record_merge_prepare(p->files)) {
		go_on_later(p);
		return;
	}
	code = p->prepared ? 0 : select_records(p, &err);
	p->prepared = true;
	if (code)
		finish(p, code, &err);
	else
		read_on(p);
}

/* ---- the request ----------------------------------------------------------------- */

static int add_file(struct replaying *p, const char *name, int fd, struct err *err)
{
	return fd < 0 ? fd : record_merge_begin(p->files, name, fd, err);
}

static int open_all(struct replaying *p, struct err *err)
{
	const Ig__V1__ReplayRequest *m = p->request;
	int r = 0;

	if (!*m->ring == !m->n_files)
		return err_set(err, -EINVAL, "a replay is of record files, or of a ring");
	if (m->n_files > MAX_REPLAY_FILES)
		return err_set(err, -E2BIG, "more than %d record files at a daemon",
			       MAX_REPLAY_FILES);
	p->files = record_merge_new();
	if (*m->ring)
		r = add_file(p, m->ring, ring_as_file(p->api, m->ring, err), err);
	for (size_t i = 0; !r && i < m->n_files; i++)
		r = add_file(p, m->files[i], open_file(p->api->record_dir, m->files[i], err), err);
	return r ?: api_selector(m->containers, &p->selector, err);
}

static void on_replay_message(void *ctx, struct grpc_served *call, const void *bytes, size_t len)
{
	struct replaying *p = ctx;
	struct err err = {0};
	int code;

	if (p->request) {
		code = err_set(&err, -EINVAL, "one request at a time");
	} else {
		p->request = ig__v1__replay_request__unpack(NULL, len, bytes);
		code = p->request ? open_all(p, &err) : api_malformed(&err);
	}
	if (code)
		finish(p, code, &err);
	else
		go_on_later(p);
}

static void on_replay_drained(void *ctx, struct grpc_served *call)
{
	struct replaying *p = ctx;

	if (p->prepared && !p->turn.reactor)
		read_on(p);
}

static void on_replay_half_closed(void *ctx, struct grpc_served *call)
{
	struct replaying *p = ctx;
	struct err err = {0};

	if (!p->request)
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
