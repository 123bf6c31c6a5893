// SPDX-License-Identifier: Apache-2.0
/* ig run: gadgets follow containers, and their records go to the screen, a pipe or a file. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cmd/config.h"
#include "cmd/container_flags.h"
#include "cmd/detach.h"
#include "cmd/flags.h"
#include "cmd/gadget_flags.h"
#include "cmd/remote_flags.h"
#include "cmd/run_flags.h"
#include "cmd/selector_flags.h"
#include "cmd/show.h"
#include "cmd/traceloop.h"
#include "cmd/view_flags.h"

static struct {
	bool detach, append;
	uint64_t history;
	const char *record, *name, *tracer;
} opt;

static const struct flag own_flag_list[] = {
	{"record", 'r', "FILE",
	 "Also write the records that pass the filters to FILE, for `ig replay`; of tables all "
	 "rows",
	 flag_text, &opt.record, NULL},
	{"append", 0, NULL, "With --record: behind what FILE has", flag_on, &opt.append, NULL},
	{"tracer", 0, "ID", "At the daemon: follow the containers of its tracer ID, and tell it",
	 flag_text, &opt.tracer, NULL},
	{"detach", 'd', NULL, "At the daemon: run on, also without a reader; shows the id", flag_on,
	 &opt.detach, NULL},
	{"name", 0, "NAME", "With --detach: what it is called (default: as the gadget)", flag_text,
	 &opt.name, NULL},
	{"history", 0, "N", "With --detach: how many of the last records are kept (default 100)",
	 flag_number, &opt.history, NULL},
	{0},
};
static const struct flag_table own_flags = {"Records and the daemon", own_flag_list};

static bool shows_rows(void)
{
	struct view_options o;

	view_flags_options(&o);
	return o.output || o.fields || o.sort || o.n_filters || o.max_entries;
}

static int check(const struct gadget_flags *gadgets, struct err *err)
{
	if (!gadgets->n)
		return err_set(err, -EINVAL, "name a gadget; `ig list` shows them");
	if ((opt.name || opt.history) && !opt.detach)
		return err_set(err, -EINVAL, "--name and --history go with --detach");
	if (opt.detach && (opt.record || shows_rows()))
		return err_set(err, -EINVAL,
			       "--detach shows no rows; filters and outputs are for `ig attach`");
	if (opt.append && !opt.record)
		return err_set(err, -EINVAL, "--append goes with --record");
	if (!gadgets->remote && geteuid())
		return err_set(err, -EPERM, "not root: only root may load eBPF programs");
	return 0;
}

static int run(struct gadget_flags *gadgets, struct err *err)
{
	const struct run_flags *o = run_flags_options();
	const struct show_options so = {
		.record = opt.record, .append = opt.append, .timeout_ns = o->timeout_ns};
	struct feed_options feed = o->feed;
	int r = check(gadgets, err);

	if (r)
		return r;
	feed.selector = *selector_flags_options();
	feed.tracer = opt.tracer;
	if (opt.detach)
		return detach(gadgets, &feed,
			      &(struct detach_options){.name = opt.name,
						       .history = opt.history,
						       .timeout_ns = o->timeout_ns},
			      err);
	return show(gadgets, &feed, &so, err);
}

static bool has_word(int argc, char **argv, const char *flag, const char *letter)
{
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], flag) || !strcmp(argv[i], letter))
			return true;
	return false;
}

/* What only a daemon can do is asked of this node's where no other was named. */
static bool wants_daemon(int argc, char **argv)
{
	return remote_flags_given() || config_option(argc, argv, "tracer") ||
	       has_word(argc, argv, "--detach", "-d");
}

static int run_main(int argc, char **argv)
{
	struct gadget_flags gadgets = {0};
	struct remote *remote = NULL;
	struct err err = {0};
	struct flags flags;
	int exit_code, r = 0;

	if (argc > 1 && !strcmp(argv[1], "traceloop")) /* no gadget, but run like one */
		return traceloop_main(argc - 1, argv + 1);
	remote_flags_look(argc, argv);
	if (wants_daemon(argc, argv))
		r = remote_flags_open(&remote, &err);
	if (r && !has_word(argc, argv, "--help", "-h")) /* which is of what is here, then */
		return command_fail(r, &err);
	flags_init(&flags, command_find("run"));
	gadget_flags_init(&gadgets, &flags, remote);
	if (flags_begin(&flags, argc, argv, &exit_code)) {
		r = run(&gadgets, &err);
		exit_code = r ? command_fail(r, &err) : EXIT_OK;
	}
	gadget_flags_done(&gadgets);
	remote_close(remote);
	return exit_code;
}

static const struct flag_table *const tables[] = {
	&selector_flags, &process_flags,   &view_flags,	  &run_flags,
	&own_flags,	 &container_flags, &remote_flags, NULL};
static const struct command command = {
	.name = "run",
	.summary = "Run gadgets and show what they tell of the containers",
	.usage = "GADGET… [FLAGS]",
	.description = "A gadget is a name of `ig list` or the path of an object file that `ig "
		       "build` made. Several, with\n"
		       "spaces or commas between them, give one stream in order of time. A "
		       "gadget's own flags stand\n"
		       "behind its name; `ig run GADGET --help` shows them.",
	.tables = tables,
	.run = run_main,
	.complete = gadget_flags_complete,
};
COMMAND(&command);
