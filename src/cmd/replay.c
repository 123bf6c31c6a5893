// SPDX-License-Identifier: Apache-2.0
/* ig replay: the records of a file, here or at a daemon, through every filter and output of `ig
 * run`. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "client/remote_run.h"
#include "cmd/flags.h"
#include "cmd/remote_flags.h"
#include "cmd/selector_flags.h"
#include "cmd/sink.h"
#include "cmd/view_flags.h"
#include "recorder/merge.h"
#include "recorder/set.h"

static struct {
	const char *from, *to, *ring;
} opt;

/* By source: what this replay delivered and discarded; of tables also up to the last one. */
struct shown {
	struct record_totals n, before;
};

struct replay {
	const char **paths;
	size_t n_paths, room_paths;
	const struct selector *selector;
	struct record_merge *files; /* NULL: a daemon reads them */
	struct sink sink;
	bool started;
	bool ended;	    /* the daemon has told all */
	struct err failure; /* what ended it before; code 0: nothing */
	struct shown *shown;
	size_t n_shown, room_shown;
};

static int add_path(void *ctx, const char *word, struct err *err)
{
	struct replay *p = ctx;

	*grow(&p->paths, &p->n_paths, &p->room_paths) = word;
	return 0;
}

/* ---- what a file holds ----------------------------------------------------------- */

static void on_cut(void *ctx, unsigned int source, const struct row *row)
{
	struct replay *p = ctx;

	p->shown[source].n.delivered--;
	p->shown[source].n.discarded++;
}

/* clock: of rows that have none of their own; NULL: all have. */
static int open_sink(struct replay *p, const struct clock_base *clock, struct err *err)
{
	_cleanup_(freep) char *fields = NULL;
	struct view_options vo;

	view_flags_options(&vo);
	vo.fields = fields = selector_flags_fields(vo.fields, vo.output);
	if (clock)
		vo.clock = *clock;
	vo.redraw = false; /* tables of the past scroll by */
	vo.cut = on_cut;
	vo.cut_ctx = p;
	return sink_init(&p->sink, &vo, NULL, false, err);
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

static bool is_wanted(void *ctx, const struct container *c)
{
	const struct replay *p = ctx;

	return c ? selector_matches(p->selector, c) : selector_is_all(p->selector);
}

static void one_row(struct replay *p, unsigned int source, const struct row *row, bool late)
{
	struct record_totals *n = &p->shown[source].n;

	if (sink_row(&p->sink, source, row, late))
		n->delivered++;
	else
		n->discarded++;
}

static void one_table_end(struct replay *p, unsigned int source, bool outside)
{
	struct shown *shown = &p->shown[source];

	if (outside) {
		sink_table_drop(&p->sink, source);
		shown->before.lost = shown->n.lost;
		shown->n = shown->before;
		return;
	}
	sink_table_end(&p->sink, source);
	shown->before = shown->n;
}

static void one_loss(struct replay *p, unsigned int source, const struct container *c,
		     uint64_t count)
{
	p->shown[source].n.lost += count;
	sink_lost(&p->sink, source, c, count);
}

static void say_totals(struct replay *p)
{
	for (size_t i = 0; i < p->n_shown; i++) {
		struct record_totals n = p->shown[i].n;

		n.seen = n.delivered + n.discarded + n.lost;
		sink_totals(&p->sink, i, p->sink.sources[i].gadget, n);
	}
}

/* A file may be cut short: what was read up to the fault is shown all the same. */
static int finish(struct replay *p, int r, struct err *err)
{
	if (p->started) {
		r = sink_end(&p->sink, r ? NULL : err) ?: r;
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
		return err_set(err, -EBADMSG,
			       "a data source behind the first record; a file that "
			       "can be sought in may have one");
	if (item == RECORD_SOURCE)
		return add_source(p, &source, err);
	r = start(p, err);
	if (r)
		return r;
	if (item == RECORD_ROW)
		one_row(p, e->source, &e->row, e->late);
	else if (item == RECORD_TABLE_END)
		one_table_end(p, e->source, e->outside);
	else if (item == RECORD_LOSS)
		one_loss(p, e->source, e->container, e->count);
	return 0;
}

static int read_all(struct replay *p, struct err *err)
{
	struct record_event e = {0};

	while (!sink_full(&p->sink)) {
		int r, item = record_merge_next(p->files, &e, err);

		if (item <= 0)
			return item;
		r = one_event(p, item, &e, err);
		if (r)
			return r;
	}
	return 0;
}

/* A folder's files, as a set of them is named. */
static int add_folder(struct replay *p, const char *path, int dir_fd, struct err *err)
{
	struct record_set_file *files;
	size_t n;
	int r = record_set_list(dir_fd, &files, &n);

	if (r)
		return err_set(err, r, "cannot read %s: %s", path, strerror(-r));
	for (size_t i = 0; !r && i < n; i++) {
		_cleanup_(freep) char *name = xasprintf("%s/%s", path, files[i].name);
		int fd = openat(dir_fd, files[i].name, O_RDONLY | O_CLOEXEC);

		if (fd >= 0)
			r = record_merge_add(p->files, name, fd, err);
		else if (errno != ENOENT) /* the oldest may just go */
			r = err_set(err, -errno, "cannot read %s: %s", name, strerror(errno));
	}
	if (!r && !n)
		r = err_set(err, -ENOENT, "no record files that follow each other in %s", path);
	record_set_list_free(files, n);
	return r;
}

static int add_file(struct replay *p, const char *path, struct err *err)
{
	_cleanup_(closep) int fd =
		strcmp(path, "-") ? open(path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	struct stat st;

	if (fd < 0)
		return err_set(err, -errno, "cannot read %s: %s", path, strerror(errno));
	if (!fstat(fd, &st) && S_ISDIR(st.st_mode))
		return add_folder(p, path, fd, err);
	return record_merge_add(p->files, path, take_fd(&fd), err);
}

static int select_records(struct replay *p, struct err *err)
{
	struct record_selection s = {.ctx = p};
	struct record_span span;
	bool known = !record_merge_span(p->files, &span);
	int r = record_times(opt.from, opt.to, known ? &span : NULL, &s, err);

	if (!selector_is_all(p->selector))
		s.wanted = is_wanted;
	record_merge_select(p->files, &s);
	return r;
}

static int replay_here(struct replay *p, struct err *err)
{
	int r = 0;

	p->files = record_merge_new();
	for (size_t i = 0; !r && i < p->n_paths; i++)
		r = add_file(p, p->paths[i], err);
	r = r ?: select_records(p, err);
	r = r ?: open_sink(p, NULL, err);
	return r ?: finish(p, read_all(p, err), err);
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
	struct replay *p = ctx;

	if (takes(p))
		one_row(p, source, row, false);
}

static void on_table_end(void *ctx, unsigned int source)
{
	struct replay *p = ctx;

	if (takes(p))
		one_table_end(p, source, false);
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
	const struct remote_request request = {.files = p->paths,
					       .n_files = p->n_paths,
					       .ring = opt.ring,
					       .from = opt.from,
					       .to = opt.to,
					       .containers = selector_flags_options()};
	struct remote_run *run;
	struct remote *remote;
	int r = remote_flags_open(&remote, err);

	if (r)
		return r;
	run = remote_run_new(remote, &request, &reader);
	r = remote_wait(remote, is_over, p);
	remote_run_free(run);
	remote_close(remote);
	if (p->failure.code)
		*err = p->failure;
	else if (r < 0)
		err_set(err, r, "waiting for the daemon: %s", strerror(-r));
	return finish(p, p->failure.code ?: r < 0 ? r : 0, err);
}

static bool is_there(void)
{
	return !command_is_kubectl() && (remote_flags_given() || opt.ring);
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
	flags.word = add_path;
	flags.ctx = &p;
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	if (command_is_kubectl()) /* its files have nodes */
		selector_flags_of_cluster(NULL);
	r = !p.n_paths == !opt.ring ? err_set(&err, -EINVAL, "name record files%s",
					      command_is_kubectl() ? "" : ", or --ring")
				    : selector_flags_new(&selector, &err);
	p.selector = selector;
	r = r ?: is_there() ? replay_there(&p, &err) : replay_here(&p, &err);
	r = sink_done(&p.sink, r ? NULL : &err) ?: r;
	record_merge_free(p.files);
	free(p.paths);
	selector_free(selector);
	free(p.shown);
	return r ? command_fail(r, &err) : EXIT_OK;
}

static const struct flag replay_flag_list[] = {
	{"from", 0, "TIME",
	 "Only records from then on: 2026-11-22T10:00:00Z; -10m: so long before the last record; "
	 "+10m: behind the first",
	 flag_text, &opt.from, NULL},
	{"to", 0, "TIME", "Only records up to then", flag_text, &opt.to, NULL},
	{0},
};
static const struct flag_table replay_flags = {"Replay", replay_flag_list};

static const struct flag ring_flag_list[] = {
	{"ring", 0, "CONTAINER",
	 "No file, but what a daemon's flight recorder has now of this container: its name or id",
	 flag_text, &opt.ring, NULL},
	{0},
};
static const struct flag_table ring_flags = {"The flight recorder", ring_flag_list};

static const struct flag_table *const tables[] = {&replay_flags, &ring_flags,	&selector_flags,
						  &view_flags,	 &remote_flags, NULL};
static const struct command replay = {
	.name = "replay",
	.summary = "Show the records of files that `ig run --record` wrote",
	.usage = "FILE… | --ring CONTAINER [FLAGS]",
	.description =
		"Needs neither root nor BPF, nor the machine that a file comes from. FILE may be "
		"`-`, or a folder\nof files that are named by when they were begun. Several files "
		"give one stream in order of time.\nOf a daemon: one of the files in its folder "
		"of them, --record-dir.",
	.tables = tables,
	.of_any_report = true,
	.run = replay_main,
};
COMMAND(&replay);

static const struct flag_table *const kubectl_tables[] = {&replay_flags, &selector_flags,
							  &view_flags, NULL};
static const struct command of_kubectl = {
	.name = "replay",
	.summary = "Show the records of files that `kubectl gadget run --record` wrote",
	.usage = "FILE… [FLAGS]",
	.description = "Needs neither the cluster nor root. Several files give one stream in order "
		       "of time.",
	.tables = kubectl_tables,
	.of_kubectl = true,
	.of_any_report = true,
	.run = replay_main,
};
COMMAND(&of_kubectl);
