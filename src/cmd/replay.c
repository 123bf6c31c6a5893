// SPDX-License-Identifier: Apache-2.0
/* ig replay: the records of a file, here or at a daemon, through every filter and output of `ig
 * run`. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "client/remote_run.h"
#include "cmd/flags.h"
#include "cmd/remote_flags.h"
#include "cmd/selector_flags.h"
#include "cmd/sink.h"
#include "cmd/view_flags.h"
#include "recorder/file.h"

static const char *opt_ring;

static const struct flag flag_list[] = {
	{"ring", 0, "CONTAINER",
	 "No file, but what a daemon's flight recorder has now of this container: its name or id",
	 flag_text, &opt_ring, NULL},
	{0},
};
static const struct flag_table own_flags = {"Replay", flag_list};

struct replay {
	const char *path;
	const struct selector *selector;
	struct record_reader *reader; /* NULL: a daemon reads it */
	struct sink sink;
	bool started;
	bool ended;		     /* the daemon has told all */
	struct err failure;	     /* what ended it before; code 0: nothing */
	struct record_totals *shown; /* by source: what this replay delivered and discarded */
	size_t n_shown, room_shown;
};

static int set_path(void *ctx, const char *word, struct err *err)
{
	struct replay *p = ctx;

	if (p->path)
		return err_set(err, -EINVAL, "one file at a time, not '%s' as well", word);
	p->path = word;
	return 0;
}

/* ---- what a file holds ----------------------------------------------------------- */

static void on_cut(void *ctx, unsigned int source, const struct row *row)
{
	struct replay *p = ctx;

	p->shown[source].delivered--;
	p->shown[source].discarded++;
}

static int open_sink(struct replay *p, const struct clock_base *clock, struct err *err)
{
	_cleanup_(freep) char *fields = NULL;
	struct view_options vo;

	view_flags_options(&vo);
	vo.fields = fields = selector_flags_fields(vo.fields);
	vo.clock = *clock;
	vo.redraw = false; /* tables of the past scroll by */
	vo.cut = on_cut;
	vo.cut_ctx = p;
	return sink_init(&p->sink, &vo, NULL, err);
}

static int add_source(struct replay *p, const struct gadget_source *source, struct err *err)
{
	grow(&p->shown, &p->n_shown, &p->room_shown);
	return sink_add(&p->sink, source, err);
}

static int start(struct replay *p, struct err *err)
{
	int r = p->started ? 0 : sink_start(&p->sink, err);

	p->started = true;
	return r;
}

static void one_row(struct replay *p, unsigned int source, const struct row *row)
{
	const struct container *c = row->part[PART_CONTAINER];
	bool wanted = c ? selector_matches(p->selector, c) : selector_is_all(p->selector);
	struct record_totals *n = &p->shown[source];

	if (wanted && sink_row(&p->sink, source, row, false))
		n->delivered++;
	else
		n->discarded++;
}

static void one_loss(struct replay *p, unsigned int source, const struct container *c,
		     uint64_t count)
{
	p->shown[source].lost += count;
	sink_lost(&p->sink, source, c, count);
}

static void say_totals(struct replay *p)
{
	for (size_t i = 0; i < p->n_shown; i++) {
		struct record_totals n = p->shown[i];

		n.seen = n.delivered + n.discarded + n.lost;
		sink_totals(&p->sink, i, p->sink.sources[i].gadget, n);
	}
}

/* A file may be cut short: what was read up to the fault is shown all the same. */
static int finish(struct replay *p, int r)
{
	if (p->started) {
		sink_flush(&p->sink);
		say_totals(p);
	}
	return r;
}

/* ---- here ------------------------------------------------------------------------ */

static int one_event(struct replay *p, int item, const struct record_event *e, struct err *err)
{
	const struct gadget_source source = {
		.kind = e->kind, .name = e->schema ? e->schema->name : "", .schema = e->schema};
	int r;

	if (item == RECORD_SOURCE && p->started)
		return err_set(err, -EBADMSG, "%s: a data source behind the first record", p->path);
	if (item == RECORD_SOURCE)
		return add_source(p, &source, err);
	r = start(p, err);
	if (r)
		return r;
	if (item == RECORD_ROW)
		one_row(p, e->source, &e->row);
	else if (item == RECORD_TABLE_END)
		sink_table_end(&p->sink, e->source);
	else if (item == RECORD_LOSS)
		one_loss(p, e->source, e->container, e->count);
	return 0;
}

static int read_all(struct replay *p, struct err *err)
{
	struct record_event e = {0};

	while (!sink_full(&p->sink)) {
		int r, item = record_reader_next(p->reader, &e, err);

		if (item < 0)
			return err_wrap(err, item, "%s", p->path);
		if (item == RECORD_END)
			return 0;
		r = one_event(p, item, &e, err);
		if (r)
			return r;
	}
	return 0;
}

static int replay_here(struct replay *p, struct err *err)
{
	int fd = strcmp(p->path, "-") ? open(p->path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	int r;

	if (fd < 0)
		return err_set(err, -errno, "cannot read %s: %s", p->path, strerror(errno));
	r = record_reader_open(fd, &p->reader, err);
	if (r)
		return err_wrap(err, r, "%s", p->path);
	r = open_sink(p, record_reader_clock(p->reader), err);
	return r ?: finish(p, read_all(p, err));
}

/* ---- at a daemon ----------------------------------------------------------------- */

static void on_started(void *ctx, const struct wire_gadget *g)
{
	struct replay *p = ctx;
	int r = open_sink(p, &g->clock, &p->failure);

	for (size_t i = 0; !r && i < g->n_sources; i++)
		r = add_source(p, &g->sources[i], &p->failure);
	if (!r)
		start(p, &p->failure);
}

static bool takes(const struct replay *p)
{
	return !p->failure.code && !sink_full(&p->sink);
}

static void on_row(void *ctx, unsigned int source, const struct row *row)
{
	if (takes(ctx))
		one_row(ctx, source, row);
}

static void on_table_end(void *ctx, unsigned int source)
{
	struct replay *p = ctx;

	if (takes(p))
		sink_table_end(&p->sink, source);
}

static void on_lost(void *ctx, unsigned int source, const struct container *c, uint64_t count)
{
	if (takes(ctx))
		one_loss(ctx, source, c, count);
}

static void on_ended(void *ctx, const struct err *err)
{
	struct replay *p = ctx;

	p->ended = true;
	if (err && !p->failure.code)
		p->failure = *err;
}

static int is_over(void *ctx)
{
	const struct replay *p = ctx;

	return p->ended || p->failure.code || (p->started && sink_full(&p->sink));
}

static int replay_there(struct replay *p, struct err *err)
{
	const struct remote_reader reader = {.ctx = p,
					     .started = on_started,
					     .row = on_row,
					     .table_end = on_table_end,
					     .lost = on_lost,
					     .ended = on_ended};
	struct remote_run *run;
	struct remote *remote;
	int r = remote_flags_open(&remote, err);

	if (r)
		return r;
	run = remote_run_new(remote, &(struct remote_request){.file = p->path, .ring = opt_ring},
			     &reader);
	r = remote_wait(remote, is_over, p);
	remote_run_free(run);
	remote_close(remote);
	if (p->failure.code)
		*err = p->failure;
	else if (r < 0)
		err_set(err, r, "waiting for the daemon: %s", strerror(-r));
	return finish(p, p->failure.code ?: r < 0 ? r : 0);
}

/* ---- the command ----------------------------------------------------------------- */

static int replay_main(int argc, char **argv)
{
	struct replay p = {0};
	struct selector *selector = NULL;
	struct err err = {0};
	struct flags flags;
	int exit_code, r;

	flags_init(&flags, command_find("replay"));
	flags.word = set_path;
	flags.ctx = &p;
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	r = !p.path == !opt_ring ? err_set(&err, -EINVAL, "name a record file, or --ring")
				 : selector_flags_new(&selector, &err);
	p.selector = selector;
	r = r ?: remote_flags_given() || opt_ring ? replay_there(&p, &err) : replay_here(&p, &err);
	r = sink_done(&p.sink, r ? NULL : &err) ?: r;
	record_reader_free(p.reader);
	selector_free(selector);
	free(p.shown);
	return r ? command_fail(r, &err) : EXIT_OK;
}

static const struct flag_table *const tables[] = {&own_flags, &selector_flags, &view_flags,
						  &remote_flags, NULL};
static const struct command replay = {
	.name = "replay",
	.summary = "Show the records of a file that `ig run --record` wrote",
	.usage = "FILE | --ring CONTAINER [FLAGS]",
	.description =
		"Needs neither root nor BPF, nor the machine that the file comes from. FILE "
		"may be `-`.\nOf a daemon: one of the files in its folder of them, --record-dir.",
	.tables = tables,
	.run = replay_main,
};
COMMAND(&replay);
