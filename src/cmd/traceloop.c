// SPDX-License-Identifier: Apache-2.0
/* ig traceloop: records the last system calls of containers, and shows them at the end. */
#include "cmd/traceloop.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/reactor.h"
#include "cmd/container_flags.h"
#include "cmd/flags.h"
#include "cmd/loop.h"
#include "cmd/selector_flags.h"
#include "containers/containers.h"
#include "traceloop/traceloop.h"
#include "traces/traces.h"

#define LOOK_NS 100000000ull /* how often --follow looks for what is new */

static struct {
	uint64_t timeout_ns;
	const char *output;
	bool each_end, follow;
	struct traceloop_options loop;
} opt;

static const char *const outputs[] = {"text", "json", NULL};

static const struct flag flag_list[] = {
	{"timeout", 't', "TIME", "Stop after so many seconds (or 500ms, 2m …)", flag_duration,
	 &opt.timeout_ns, NULL},
	{"output", 'o', "MODE", "text (default; as strace shows it), json (one object a call)",
	 flag_text, &opt.output, outputs},
	{"each-end", 0, NULL, "Show a container's calls when it ends, and not only at the very end",
	 flag_on, &opt.each_end, NULL},
	{"follow", 'f', NULL, "Show calls as they are made", flag_on, &opt.follow, NULL},
	{"per-container", 0, "SIZE", "Ring of a container, all CPUs together (default 1MiB)",
	 flag_bytes, &opt.loop.ring_bytes, NULL},
	{"budget", 0, "SIZE",
	 "Of all rings: beyond it those of ended containers go, oldest first (default 256MiB)",
	 flag_bytes, &opt.loop.budget_bytes, NULL},
	{"syscalls", 0, "LIST", "Record only these system calls: openat,read,…", flag_text,
	 &opt.loop.syscalls, NULL},
	{0},
};
static const struct flag_table own_flags = {"Traceloop", flag_list};

struct run {
	struct loop loop;
	struct reactor *reactor;
	struct containers *containers;
	struct traces *traces; /* lets containers be forgotten that ended */
	struct selector *selector;
	struct traceloop *traceloop;
	struct watch traces_watch;
	struct timer look; /* for what is new */
	uint64_t shown;	   /* id of the ring whose calls were shown last, + 1; 0: none were */
	struct buf out;
	bool failed;
};

/* ---- what is shown --------------------------------------------------------------- */

static void put_heading(struct buf *out, const struct tracelet_facts *f)
{
	const struct container *c = f->container;

	buf_str(out, "# ");
	if (c && c->k8s_pod)
		buf_printf(out, "%s/%s ", c->k8s_namespace ?: "", c->k8s_pod);
	buf_printf(out, "%s (%s)\n", f->name, f->ended ? "ended" : "running");
}

static void write_all(struct run *r)
{
	for (size_t at = 0; at < r->out.len;) {
		ssize_t n = write(STDOUT_FILENO, r->out.data + at, r->out.len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r->failed = errno != EPIPE;
			loop_stop(&r->loop);
			break;
		}
		at += (size_t)n;
	}
	buf_clear(&r->out);
}

static void show(void *ctx, struct tracelet *l)
{
	bool json = str_equal(opt.output, "json");
	struct run *r = ctx;
	struct tracelet_facts f;

	tracelet_facts(r->traceloop, l, &f);
	if (!json)
		put_heading(&r->out, &f);
	if (tracelet_dump(r->traceloop, l, json ? TRACELET_JSON : TRACELET_TEXT, &r->out))
		log_warn("%s: its calls are too many to be shown", f.name);
	write_all(r);
}

static void show_ended(void *ctx, struct tracelet *l)
{
	struct run *r = ctx;
	struct tracelet_facts f;

	tracelet_facts(r->traceloop, l, &f);
	if (!f.ended)
		return;
	show(r, l);
	tracelet_close(r->traceloop, l);
}

/* The heading stands where another one's calls came before, as tail(1) has it. */
static void show_new(struct run *r, struct tracelet *l, const struct tracelet_facts *f, bool last)
{
	bool json = str_equal(opt.output, "json");
	size_t heading = 0;

	if (!json && r->shown != f->id + 1) {
		put_heading(&r->out, f);
		heading = r->out.len;
	}
	if (tracelet_follow(r->traceloop, l, json ? TRACELET_JSON : TRACELET_TEXT, last, &r->out))
		log_warn("%s: its calls are too many to be shown", f->name);
	if (r->out.len == heading) {
		buf_clear(&r->out);
		return;
	}
	r->shown = f->id + 1;
	write_all(r);
}

static void follow_one(void *ctx, struct tracelet *l)
{
	struct run *r = ctx;
	struct tracelet_facts f;

	tracelet_facts(r->traceloop, l, &f);
	show_new(r, l, &f, f.ended);
	if (f.ended)
		tracelet_close(r->traceloop, l);
}

static void follow_to_end(void *ctx, struct tracelet *l)
{
	struct run *r = ctx;
	struct tracelet_facts f;

	tracelet_facts(r->traceloop, l, &f);
	show_new(r, l, &f, true);
}

static void on_look(void *ctx)
{
	struct run *r = ctx;

	traceloop_each(r->traceloop, follow_one, r);
	timer_start(&r->look, r->reactor, LOOK_NS, on_look, r);
}

static void on_dispatched(void *ctx)
{
	struct run *r = ctx;

	reactor_dispatch(r->reactor);
	if (opt.each_end)
		traceloop_each(r->traceloop, show_ended, r);
}

/* ---- life ------------------------------------------------------------------------ */

static void warn(void *ctx, const char *text)
{
	log_warn("%s", text);
}

static void on_traces(void *ctx, uint32_t events)
{
	struct run *r = ctx;

	traces_dispatch(r->traces);
}

static int start(struct run *r, struct err *err)
{
	struct containers_options co;
	int code;

	container_flags_options(&co);
	opt.loop.warn = warn;
	code = selector_flags_new(&r->selector, err);
	opt.loop.selector = r->selector;
	code = code ?: loop_init(&r->loop, err);
	code = code ?: reactor_new(&r->reactor, err);
	code = code ?: containers_new(&co, &r->containers, err);
	code = code ?: traces_new(r->containers, &(struct traces_options){0}, &r->traces, err);
	code = code ?: traceloop_new(r->reactor, r->containers, &opt.loop, &r->traceloop, err);
	code = code ?: containers_start(r->containers, err);
	code = code ?: traces_start(r->traces, err);
	if (code)
		return code;
	code = watch_add(&r->traces_watch, r->reactor, traces_fd(r->traces), EPOLLIN, on_traces, r);
	if (code)
		return err_set(err, code, "waiting for containers: %s", strerror(-code));
	if (opt.follow)
		on_look(r);
	code = loop_add_fd(&r->loop, reactor_fd(r->reactor), on_dispatched, r, err);
	return code || !opt.timeout_ns ? code : loop_timeout(&r->loop, opt.timeout_ns, err);
}

static int record(struct run *r, struct err *err)
{
	int code;

	if (opt.output && !str_equal(opt.output, "text") && !str_equal(opt.output, "json"))
		return err_set(err, -EINVAL, "--output is text or json, not '%s'", opt.output);
	if (opt.follow && opt.each_end)
		return err_set(err, -EINVAL, "--follow shows calls before the end: no --each-end");
	if (geteuid())
		return err_set(err, -EPERM, "not root: only root may load eBPF programs");
	code = start(r, err);
	if (code)
		return code;
	log_info("recording");
	loop_run(&r->loop);
	traces_dispatch(r->traces);
	containers_give_up(r->containers); /* who came last is shown with what is known */
	traceloop_each(r->traceloop, opt.follow ? follow_to_end : show, r);
	return r->failed ? err_set(err, -EIO, "writing the output failed") : 0;
}

int traceloop_main(int argc, char **argv)
{
	struct run r = {.out = {.max = MAX_DUMP_BYTES}};
	struct err err = {0};
	struct flags flags;
	int exit_code, code;

	if (argc > 1 && *argv[1] != '-')
		return traceloop_rings_main(argc, argv);
	flags_init(&flags, command_find("traceloop"));
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	code = record(&r, &err);
	watch_remove(&r.traces_watch);
	timer_stop(&r.look);
	traceloop_free(r.traceloop);
	traces_free(r.traces);
	containers_free(r.containers);
	selector_free(r.selector);
	reactor_free(r.reactor);
	loop_done(&r.loop);
	buf_done(&r.out);
	return code ? command_fail(code, &err) : EXIT_OK;
}

static const struct flag_table *const tables[] = {&own_flags, &selector_flags, &container_flags,
						  NULL};
static const struct command command = {
	.name = "traceloop",
	.summary = "Record the last system calls of containers, and show them at the end",
	.usage = "[FLAGS] | list | dump RING | close RING",
	.description =
		"Each container's calls are kept in a ring in memory, the newest in place of "
		"the oldest, and shown\nwhen the command ends (Ctrl-C, --timeout). `ig run "
		"traceloop` is the same. The daemon does it all the\ntime with `ig daemon "
		"--traceloop`; list, dump and close are of its rings (`ig traceloop list "
		"--help`).",
	.tables = tables,
	.run = traceloop_main,
	.complete = traceloop_complete,
};
COMMAND(&command);
