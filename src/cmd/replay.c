// SPDX-License-Identifier: Apache-2.0
/* ig replay: the records of a file, through every filter and output of `ig run`. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/flags.h"
#include "cmd/selector_flags.h"
#include "cmd/sink.h"
#include "cmd/view_flags.h"
#include "recorder/file.h"

struct replay {
	const char *path;
	const struct selector *selector;
	struct record_reader *reader;
	struct sink sink;
	bool started;
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

static int add_source(struct replay *p, const struct record_event *e, struct err *err)
{
	const struct gadget_source source = {
		.kind = e->kind, .name = e->schema->name, .schema = e->schema};

	if (p->started)
		return err_set(err, -EBADMSG, "%s: a data source behind the first record", p->path);
	grow(&p->shown, &p->n_shown, &p->room_shown);
	return sink_add(&p->sink, &source, err);
}

static void on_cut(void *ctx, unsigned int source, const struct row *row)
{
	struct replay *p = ctx;

	p->shown[source].delivered--;
	p->shown[source].discarded++;
}

static void one_row(struct replay *p, const struct record_event *e)
{
	struct record_totals *n = &p->shown[e->source];
	bool wanted = e->container ? selector_matches(p->selector, e->container)
				   : selector_is_all(p->selector);

	if (wanted && sink_row(&p->sink, e->source, &e->row, false))
		n->delivered++;
	else
		n->discarded++;
}

static int one_event(struct replay *p, int item, const struct record_event *e, struct err *err)
{
	int r = 0;

	if (item == RECORD_SOURCE)
		return add_source(p, e, err);
	if (!p->started) {
		r = sink_start(&p->sink, err);
		p->started = true;
	}
	if (r)
		return r;
	switch (item) {
	case RECORD_ROW:
		one_row(p, e);
		break;
	case RECORD_TABLE_END:
		sink_table_end(&p->sink, e->source);
		break;
	case RECORD_LOSS:
		p->shown[e->source].lost += e->count;
		sink_lost(&p->sink, e->source, e->container, e->count);
		break;
	}
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

static void say_totals(struct replay *p)
{
	for (size_t i = 0; i < p->n_shown; i++) {
		struct record_totals n = p->shown[i];

		n.seen = n.delivered + n.discarded + n.lost;
		sink_totals(&p->sink, i, p->sink.sources[i].gadget, n);
	}
}

static int replay_file(struct replay *p, struct err *err)
{
	_cleanup_(freep) char *fields = NULL;
	struct view_options vo;
	int fd, r;

	fd = strcmp(p->path, "-") ? open(p->path, O_RDONLY | O_CLOEXEC) : dup(STDIN_FILENO);
	if (fd < 0)
		return err_set(err, -errno, "cannot read %s: %s", p->path, strerror(errno));
	r = record_reader_open(fd, &p->reader, err);
	if (r)
		return err_wrap(err, r, "%s", p->path);
	view_flags_options(&vo);
	vo.fields = fields = selector_flags_fields(vo.fields);
	vo.clock = *record_reader_clock(p->reader);
	vo.redraw = false; /* tables of the past scroll by */
	vo.cut = on_cut;
	vo.cut_ctx = p;
	r = sink_init(&p->sink, &vo, NULL, err);
	if (r)
		return r;
	/* A file may be cut short: what was read up to the fault is shown all the same. */
	r = read_all(p, err);
	if (p->started) {
		sink_flush(&p->sink);
		say_totals(p);
	}
	return r;
}

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
	r = p.path ? selector_flags_new(&selector, &err)
		   : err_set(&err, -EINVAL, "name a record file");
	p.selector = selector;
	r = r ?: replay_file(&p, &err);
	r = sink_done(&p.sink, r ? NULL : &err) ?: r;
	record_reader_free(p.reader);
	selector_free(selector);
	free(p.shown);
	return r ? command_fail(r, &err) : EXIT_OK;
}

static const struct flag_table *const tables[] = {&selector_flags, &view_flags, NULL};
static const struct command replay = {
	.name = "replay",
	.summary = "Show the records of a file that `ig run --record` wrote",
	.usage = "FILE [FLAGS]",
	.description = "Needs neither root nor BPF, nor the machine that the file comes from. FILE "
		       "may be `-`.",
	.tables = tables,
	.run = replay_main,
};
COMMAND(&replay);
