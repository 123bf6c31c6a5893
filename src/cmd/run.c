// SPDX-License-Identifier: Apache-2.0
/* ig run: gadgets follow containers, and their records go to the screen, a pipe or a file. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cmd/container_flags.h"
#include "cmd/detach.h"
#include "cmd/flags.h"
#include "cmd/gadget_flags.h"
#include "cmd/remote_flags.h"
#include "cmd/run_flags.h"
#include "cmd/selector_flags.h"
#include "cmd/show_flags.h"
#include "cmd/traceloop.h"
#include "cmd/view_flags.h"

static const char *opt_tracer;

static const struct flag own_flag_list[] = {
	{"tracer", 0, "ID", "At the daemon: follow the containers of its tracer ID, and tell it",
	 flag_text, &opt_tracer, NULL},
	{0},
};
static const struct flag_table own_flags = {"Tracers", own_flag_list};

/*
 * What only a daemon can do is asked of this node's where no other was named. Gadgets are opened
 * there as the command line names them, so this is known before it is parsed.
 */
static bool wants_daemon(const struct command *c, int argc, char **argv)
{
	return remote_flags_given() || flags_peek(c, argc, argv, "tracer") ||
	       flags_peek(c, argc, argv, "detach");
}

static int check(const struct gadget_flags *gadgets, struct err *err)
{
	if (!gadgets->n)
		return err_set(err, -EINVAL, "name a gadget; `ig list` shows them");
	if (!gadgets->remote && (detach_wanted() || opt_tracer)) /* flags_peek() missed it */
		return err_set(err, -EINVAL,
			       "--detach and --tracer stand before a gadget's own flags");
	if (!gadgets->remote && geteuid())
		return err_set(err, -EPERM, "not root: only root may load eBPF programs");
	return detach_check(gadgets, err) ?: show_flags_check(err);
}

static int run(struct gadget_flags *gadgets, struct err *err)
{
	const struct show_options *so = show_flags_options();
	struct feed_options feed = *run_flags_options();
	int r = check(gadgets, err);

	if (r)
		return r;
	feed.selector = *selector_flags_options();
	feed.tracer = opt_tracer;
	return detach_wanted() ? detach(gadgets, &feed, so->timeout_ns, NULL, err)
			       : show(gadgets, &feed, so, err);
}

static int run_main(int argc, char **argv)
{
	const struct command *c = command_find("run");
	struct gadget_flags gadgets = {0};
	struct remote *remote = NULL;
	struct err err = {0};
	struct flags flags;
	int exit_code, r = 0;

	if (argc > 1 && !strcmp(argv[1], "traceloop")) /* no gadget, but run like one */
		return traceloop_main(argc - 1, argv + 1);
	remote_flags_look(c, argc, argv);
	if (wants_daemon(c, argc, argv))
		r = remote_flags_open(&remote, &err);
	if (r && !flags_peek(c, argc, argv, "help")) /* which is of what is here, then */
		return command_fail(r, &err);
	flags_init(&flags, c);
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
	&selector_flags, &process_flags, &view_flags,	   &run_flags,	  &show_flags,
	&detach_flags,	 &own_flags,	 &container_flags, &remote_flags, NULL};
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
