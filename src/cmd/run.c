// SPDX-License-Identifier: Apache-2.0
/* ig run: gadgets follow containers, and their records go to the screen, a pipe or a file. */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cmd/container_flags.h"
#include "cmd/flags.h"
#include "cmd/gadget_flags.h"
#include "cmd/loop.h"
#include "cmd/selector_flags.h"
#include "cmd/sink.h"
#include "cmd/view_flags.h"
#include "containers/containers.h"
#include "traces/traces.h"

#define FEW_CONTAINERS 20 /* whose totals are shown unasked */

static struct {
	bool host, totals;
	uint64_t buffer_bytes, timeout_ns, interval_ns, window_ns;
	const char *record;
	struct gadget_process_filter process;
} opt = {.window_ns = 100 * 1000 * 1000, .process = {-1, -1, -1, -1, ""}};

static int set_id(const struct flag *f, const char *value, struct err *err)
{
	uint64_t id;

	if (parse_u64(value, &id) || id > UINT32_MAX)
		return err_set(err, -EINVAL, "--%s wants a number up to %u, not '%s'", f->name,
			       UINT32_MAX, value);
	*(int64_t *)f->to = (int64_t)id;
	return 0;
}

/* No process is 0, and the kernel's side takes 0 for any. */
static int set_pid(const struct flag *f, const char *value, struct err *err)
{
	int r = set_id(f, value, err);

	return r || *(int64_t *)f->to ? r : err_set(err, -EINVAL, "--%s: no process is 0", f->name);
}

static int set_comm(const struct flag *f, const char *value, struct err *err)
{
	if (strlen(value) >= sizeof(opt.process.comm))
		return err_set(err, -EINVAL, "--%s is at most 15 bytes, as the kernel keeps it",
			       f->name);
	memset(opt.process.comm, 0, sizeof(opt.process.comm));
	memcpy(opt.process.comm, value, strlen(value));
	return 0;
}

static const struct flag process_flag_list[] = {
	{"host", 0, NULL, "Follow the host's own processes as well", flag_on, &opt.host, NULL},
	{"pid", 0, "PID", "Only this process (as the host numbers it)", set_pid, &opt.process.pid,
	 NULL},
	{"tid", 0, "TID", "Only this thread", set_pid, &opt.process.tid, NULL},
	{"uid", 0, "UID", "Only this user", set_id, &opt.process.uid, NULL},
	{"gid", 0, "GID", "Only this group", set_id, &opt.process.gid, NULL},
	{"comm", 0, "NAME", "Only processes of this name", set_comm, NULL, NULL},
	{0},
};
static const struct flag_table process_flags = {"Processes (filtered in the kernel)",
						process_flag_list};

static const struct flag run_flag_list[] = {
	{"timeout", 't', "TIME", "Stop after so many seconds (or 500ms, 2m …)", flag_duration,
	 &opt.timeout_ns, NULL},
	{"interval", 0, "TIME", "Interval of top gadgets (default 1s)", flag_duration,
	 &opt.interval_ns, NULL},
	{"buffer-size", 0, "BYTES",
	 "Ring of each stream, rounded up to a power of two (default: the gadget's)", flag_bytes,
	 &opt.buffer_bytes, NULL},
	{"window", 0, "TIME",
	 "Sort several gadgets' records within this time (default 100ms, 0: as read)",
	 flag_duration, &opt.window_ns, NULL},
	{"totals", 0, NULL, "At the end, show the totals of each container, however many there are",
	 flag_on, &opt.totals, NULL},
	{"record", 'r', "FILE",
	 "Also write the records that pass the filters to FILE, for `ig replay`; of tables all "
	 "rows",
	 flag_text, &opt.record, NULL},
	{0},
};
static const struct flag_table run_flags = {"Run", run_flag_list};

struct run {
	struct loop loop;
	struct sink sink;
	struct containers *containers;
	struct selector *selector;
	struct traces *traces;
	struct trace **tracers;	    /* in the order of the command line */
	unsigned int *first_source; /* each tracer's first source in the sink */
	size_t n_tracers;
	bool said_if_none;
};

/* A row that --max-entries cut off a table: taken, and not shown. */
static void on_cut(void *ctx, unsigned int source, const struct row *row)
{
	struct run *run = ctx;
	size_t i = run->n_tracers;

	while (i && run->first_source[i - 1] > source)
		i--;
	if (i)
		trace_take_back(run->tracers[i - 1], row->part[PART_CONTAINER]);
}

static unsigned int sink_source(struct run *run, struct trace *t, unsigned int source)
{
	for (size_t i = 0; i < run->n_tracers; i++)
		if (run->tracers[i] == t)
			return run->first_source[i] + source;
	return 0;
}

static enum row_fate on_row(void *ctx, struct trace *t, unsigned int source, const struct row *row,
			    bool late)
{
	struct run *run = ctx;
	bool delivered = sink_row(&run->sink, sink_source(run, t, source), row, late);

	if (sink_full(&run->sink))
		loop_stop(&run->loop);
	return delivered ? ROW_DELIVERED : ROW_DISCARDED;
}

static void on_table_end(void *ctx, struct trace *t, unsigned int source)
{
	struct run *run = ctx;

	sink_table_end(&run->sink, sink_source(run, t, source));
}

static void on_lost(void *ctx, struct trace *t, struct container *c, uint64_t count)
{
	struct run *run = ctx;

	sink_lost(&run->sink, sink_source(run, t, 0), c, count);
}

/* Everything that the command line can get wrong shows here, before anything is loaded. */
static int open_output(struct run *run, struct gadget_flags *gadgets, struct err *err)
{
	_cleanup_(freep) char *fields = NULL;
	struct view_options vo;
	int r;

	view_flags_options(&vo);
	vo.fields = fields = selector_flags_fields(vo.fields);
	vo.cut = on_cut;
	vo.cut_ctx = run;
	r = selector_flags_new(&run->selector, err);
	r = r ?: sink_init(&run->sink, &vo, opt.record, err);
	run->first_source = xnew_n(unsigned int, gadgets->n);
	for (size_t i = 0; !r && i < gadgets->n; i++) {
		run->first_source[i] = (unsigned int)run->sink.n_sources;
		for (size_t s = 0; !r && s < gadget_n_sources(gadgets->gadgets[i]); s++)
			r = sink_add(&run->sink, gadget_source(gadgets->gadgets[i], s), err);
	}
	return r ?: sink_start(&run->sink, err);
}

static int load_tracers(struct run *run, struct gadget_flags *gadgets, struct err *err)
{
	struct traces_options to = {.window_ns = opt.window_ns};
	struct containers_options co;
	struct trace_options o = {
		.selector = run->selector,
		.interval_ns = opt.interval_ns,
		.reader = {.ctx = run, .row = on_row, .table_end = on_table_end, .lost = on_lost},
	};
	int r;

	container_flags_options(&co);
	gadget_load_options_init(&o.load);
	o.load.host = opt.host;
	o.load.buffer_bytes = opt.buffer_bytes;
	o.load.process = opt.process;
	r = containers_new(&co, &run->containers, err);
	r = r ?: traces_new(run->containers, &to, &run->traces, err);
	run->tracers = xnew_n(struct trace *, gadgets->n);
	for (size_t i = 0; !r && i < gadgets->n; i++) {
		r = traces_add(run->traces, take(gadgets->gadgets[i]), &o, &run->tracers[i], err);
		run->n_tracers += !r;
	}
	return r;
}

/* Once, as soon as the names of those that ran already are known. */
static void say_if_none(struct run *run)
{
	size_t n = 0;

	if (run->said_if_none || containers_pending(run->containers))
		return;
	run->said_if_none = true;
	for (size_t i = 0; i < run->n_tracers; i++)
		n += trace_n_containers(run->tracers[i]);
	if (!opt.host && !n)
		log_warn("no container %s; new ones are followed as they start, and --host shows "
			 "the host's own processes",
			 selector_is_all(run->selector) ? "found" : "matches");
}

static void on_traces(void *ctx)
{
	struct run *run = ctx;

	traces_dispatch(run->traces);
	say_if_none(run);
	if (sink_flush(&run->sink) || traces_finished(run->traces))
		loop_stop(&run->loop);
}

static void on_resize(void *ctx)
{
	struct run *run = ctx;

	view_flags_resize(run->sink.view);
}

static struct record_totals record_totals(struct totals n)
{
	return (struct record_totals){n.seen, n.delivered, n.discarded, n.lost};
}

static void count_container(void *ctx, struct container *c, struct totals n)
{
	*(size_t *)ctx += n.delivered > 0;
}

/* ctx: whether all are shown, or only those that lost something. */
static void say_container(void *ctx, struct container *c, struct totals n)
{
	/* One that gave nothing, since its name was not asked for, is worth no line. */
	bool told = opt.totals ? n.seen : n.delivered;

	if ((*(bool *)ctx && told) || n.lost)
		sink_container_totals(c ? c->name : "(no container)", record_totals(n));
}

/* A tracer's totals, then those of its containers, where they are few or lost something. */
static void say_totals(struct run *run, size_t i)
{
	struct trace *t = run->tracers[i];
	const char *name = gadget_name(trace_gadget(t));
	size_t containers = 0;
	bool all;

	sink_totals(&run->sink, run->first_source[i], name, record_totals(trace_totals(t)));
	trace_each_total(t, count_container, &containers);
	all = opt.totals || (containers > 1 && containers <= FEW_CONTAINERS);
	trace_each_total(t, say_container, &all);
	if (trace_unaccounted(t))
		log_warn("%s: the kernel's counters and the records read differ by %" PRIu64
			 "; the totals take the difference as lost or seen",
			 name, trace_unaccounted(t));
}

static void say_naming(struct run *run)
{
	struct naming n = traces_naming(run->traces);

	log_info("names were waited for with records of %" PRIu64 " of %" PRIu64
		 " containers, at most %" PRIu64 " us",
		 n.waited_for, n.containers, n.longest_ns / 1000);
	if (containers_trouble(run->containers))
		log_warn("%zu files of runtimes could not be used",
			 containers_trouble(run->containers));
}

static int follow(struct run *run, struct err *err)
{
	int r = loop_init(&run->loop, err);

	r = r ?: containers_start(run->containers, err);
	r = r ?: traces_start(run->traces, err);
	if (r)
		return r;
	say_if_none(run);
	r = loop_add_fd(&run->loop, traces_fd(run->traces), on_traces, run, err);
	r = r ?: loop_add_signal(&run->loop, SIGWINCH, on_resize, run, err);
	if (!r && opt.timeout_ns)
		r = loop_timeout(&run->loop, opt.timeout_ns, err);
	if (!r)
		loop_run(&run->loop);
	traces_stop(run->traces);
	sink_flush(&run->sink);
	for (size_t i = 0; i < run->n_tracers; i++)
		say_totals(run, i);
	say_naming(run);
	return r;
}

static int run_main(int argc, char **argv)
{
	struct gadget_flags gadgets = {0};
	struct run run = {0};
	struct err err = {0};
	struct flags flags;
	int exit_code, r;

	flags_init(&flags, command_find("run"));
	gadget_flags_init(&gadgets, &flags);
	if (flags_begin(&flags, argc, argv, &exit_code)) {
		r = gadgets.n ? 0 : err_set(&err, -EINVAL, "name a gadget; `ig list` shows them");
		if (!r && geteuid())
			r = err_set(&err, -EPERM, "not root: only root may load eBPF programs");
		r = r ?: open_output(&run, &gadgets, &err);
		r = r ?: load_tracers(&run, &gadgets, &err);
		r = r ?: follow(&run, &err);
		traces_free(run.traces);
		containers_free(run.containers);
		selector_free(run.selector);
		r = sink_done(&run.sink, r ? NULL : &err) ?: r;
		loop_done(&run.loop);
		free(run.tracers);
		free(run.first_source);
		exit_code = r ? command_fail(r, &err) : EXIT_OK;
	}
	gadget_flags_done(&gadgets);
	return exit_code;
}

static const struct flag_table *const tables[] = {&selector_flags, &process_flags,   &view_flags,
						  &run_flags,	   &container_flags, NULL};
static const struct command run = {
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
COMMAND(&run);
