// SPDX-License-Identifier: Apache-2.0
/* ig cost: what a daemon and its gadgets take of the node, anew each second. */
#include <signal.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/flags.h"
#include "cmd/loop.h"
#include "cmd/own_rows.h"
#include "cmd/remote_command.h"
#include "wire/node.pb-c.h"

#define SECOND_NS 1000000000ull

static struct {
	bool once;
	uint64_t interval_ns, timeout_ns;
} opt = {.interval_ns = SECOND_NS};

static const struct flag flag_list[] = {
	{"once", 0, NULL, "One table, of the first interval", flag_on, &opt.once, NULL},
	{"interval", 0, "TIME", "Time that a table is of (default 1s)", flag_duration,
	 &opt.interval_ns, NULL},
	{"timeout", 't', "TIME", "Stop after so many seconds (or 500ms, 2m …)", flag_duration,
	 &opt.timeout_ns, NULL},
	{0},
};
static const struct flag_table own_flags = {"Cost", flag_list};

/* ---- rows ------------------------------------------------------------------------ */

/* Of the interval, by the second. */
struct cost_row {
	const char *what;
	uint64_t tracers, cpu_ns, run_ns, runs, records, lost, memory;
};

#define NUMBER(name_, member_, doc_, width_)                                          \
	.name = name_, .doc = doc_, .kind = KIND_UINT, .parent = -1, .width = width_, \
	.offset = offsetof(struct cost_row, member_), .size = sizeof(uint64_t)
static const struct field fields[] = {
	{.name = "what",
	 .doc = "A gadget; (detector), which finds the containers; (traceloop); (daemon), the process",
	 .kind = KIND_CSTR,
	 .parent = -1,
	 .width = 18,
	 .offset = offsetof(struct cost_row, what),
	 .size = sizeof(const char *)},
	{NUMBER("tracers", tracers, "Runs that share the loaded gadget", 7),
	 .flags = FIELD_SKIP_EMPTY},
	{NUMBER("cpu", cpu_ns, "Percent of one CPU; of gadgets, in their hooks", 7),
	 .type = "g_percent"},
	{NUMBER("nsPerRun", run_ns, "Mean time of one run of a program, ns", 8),
	 .flags = FIELD_SKIP_EMPTY},
	{NUMBER("runs", runs, "Runs of its programs a second", 9), .flags = FIELD_SKIP_EMPTY},
	{NUMBER("records", records, "Records a second", 9)},
	{NUMBER("lost", lost, "Records lost a second", 6)},
	{NUMBER("memory", memory, "Of its maps; of the daemon, resident", 9), .type = "g_bytes"},
};

struct costs {
	struct remote *remote;
	struct own_rows rows;
	struct loop loop;
	int timer_fd;
	Ig__V1__CostResponse *before; /* the last answer, NULL: none yet */
	struct err err;		      /* code 0: all went well */
};

/* A counter's growth by the second: 0 where it began anew. */
static uint64_t rate(uint64_t before, uint64_t now, uint64_t ns)
{
	return now > before ? (uint64_t)((unsigned __int128)(now - before) * SECOND_NS / ns) : 0;
}

static uint64_t mean(uint64_t ns_before, uint64_t ns, uint64_t runs_before, uint64_t runs)
{
	return runs > runs_before && ns > ns_before ? (ns - ns_before) / (runs - runs_before) : 0;
}

/* The same gadget in the last answer: of those of its name, the one with as many before it. */
static const Ig__V1__GadgetCost *earlier(const Ig__V1__CostResponse *before,
					 const Ig__V1__CostResponse *now, size_t at)
{
	static const Ig__V1__GadgetCost none = IG__V1__GADGET_COST__INIT;
	const char *name = now->gadgets[at]->gadget;
	size_t nth = 0;

	for (size_t i = 0; i < at; i++)
		nth += !strcmp(now->gadgets[i]->gadget, name);
	for (size_t i = 0; i < before->n_gadgets; i++)
		if (!strcmp(before->gadgets[i]->gadget, name) && !nth--)
			return before->gadgets[i];
	return &none;
}

static void show_gadget(struct costs *c, const Ig__V1__GadgetCost *from,
			const Ig__V1__GadgetCost *to, uint64_t ns)
{
	own_row(&c->rows,
		&(struct cost_row){
			.what = to->gadget,
			.tracers = to->tracers,
			.cpu_ns = rate(from->bpf_ns, to->bpf_ns, ns),
			.run_ns = mean(from->bpf_ns, to->bpf_ns, from->bpf_runs, to->bpf_runs),
			.runs = rate(from->bpf_runs, to->bpf_runs, ns),
			.records = rate(from->seen, to->seen, ns),
			.lost = rate(from->lost, to->lost, ns),
			.memory = to->map_bytes,
		});
}

static void show_table(struct costs *c, const Ig__V1__CostResponse *from,
		       const Ig__V1__CostResponse *to)
{
	uint64_t ns = to->boot_ns > from->boot_ns ? to->boot_ns - from->boot_ns : SECOND_NS;

	for (size_t i = 0; i < to->n_gadgets; i++)
		show_gadget(c, earlier(from, to, i), to->gadgets[i], ns);
	own_row(&c->rows, &(struct cost_row){
				  .what = "(detector)",
				  .cpu_ns = rate(from->detector_ns, to->detector_ns, ns),
				  .run_ns = mean(from->detector_ns, to->detector_ns,
						 from->detector_runs, to->detector_runs),
				  .runs = rate(from->detector_runs, to->detector_runs, ns),
			  });
	own_row(&c->rows, &(struct cost_row){
				  .what = "(daemon)",
				  .cpu_ns = rate(from->cpu_ns, to->cpu_ns, ns),
				  .memory = to->resident_bytes,
			  });
}

/* ---- in time --------------------------------------------------------------------- */

static int ask(struct costs *c, Ig__V1__CostResponse **ret)
{
	Ig__V1__CostRequest request = IG__V1__COST_REQUEST__INIT;

	*ret = remote_ask(c->remote, "/ig.v1.Node/Cost", &request.base,
			  &ig__v1__cost_response__descriptor, &c->err);
	return *ret ? 0 : c->err.code;
}

static void replace(struct costs *c, Ig__V1__CostResponse *by)
{
	if (c->before)
		ig__v1__cost_response__free_unpacked(c->before, NULL);
	c->before = by;
}

static void on_time(void *ctx)
{
	struct costs *c = ctx;
	Ig__V1__CostResponse *now;
	uint64_t times;

	if (read(c->timer_fd, &times, sizeof(times)) < 0)
		return;
	if (ask(c, &now)) {
		if (c->err.code == -EINTR) /* a signal, which is looked at next */
			c->err = (struct err){0};
		else
			loop_stop(&c->loop);
		return;
	}
	show_table(c, c->before, now);
	replace(c, now);
	if (own_rows_end(&c->rows, &c->err) || view_flush(c->rows.view) || opt.once)
		loop_stop(&c->loop);
}

static void on_resize(void *ctx)
{
	struct costs *c = ctx;

	view_flags_resize(c->rows.view);
}

static int start_timer(struct costs *c, struct err *err)
{
	const struct timespec t = {(time_t)(opt.interval_ns / SECOND_NS),
				   (long)(opt.interval_ns % SECOND_NS)};

	c->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->timer_fd < 0 || timerfd_settime(c->timer_fd, 0, &(struct itimerspec){t, t}, NULL))
		return err_set(err, -errno, "no timer: %s", strerror(errno));
	return loop_add_fd(&c->loop, c->timer_fd, on_time, c, err);
}

static int watch(struct costs *c, struct err *err)
{
	int r = loop_init(&c->loop, err);

	r = r ?: start_timer(c, err);
	r = r ?: loop_add_signal(&c->loop, SIGWINCH, on_resize, c, err);
	if (!r && opt.timeout_ns)
		r = loop_timeout(&c->loop, opt.timeout_ns, err);
	if (r)
		return r;
	loop_run(&c->loop);
	*err = c->err;
	return c->err.code;
}

static int show_costs(struct remote *remote, const struct words *words, struct err *err)
{
	struct costs c = {.remote = remote, .timer_fd = -1};
	Ig__V1__CostResponse *first;
	int r;

	if (!opt.interval_ns)
		return err_set(err, -EINVAL, "--interval 0 is no time");
	r = own_rows_open(&c.rows, opt.once ? VIEW_TABLE_ONCE : VIEW_TABLE, "cost", fields,
			  array_size(fields), sizeof(struct cost_row), err);
	if (!r && ask(&c, &first)) {
		*err = c.err;
		r = err->code;
	}
	if (!r) {
		if (!first->bpf_statistics)
			log_warn("the kernel does not count the time of the gadgets' programs");
		replace(&c, first);
		r = watch(&c, err);
	}
	loop_done(&c.loop);
	closep(&c.timer_fd);
	replace(&c, NULL);
	own_rows_done(&c.rows);
	return r;
}

static int cost_main(int argc, char **argv)
{
	return remote_command("cost", argc, argv, NULL, show_costs);
}

static const struct flag_table *const tables[] = {&own_flags, &view_flags, &remote_flags, NULL};
static const struct command command = {
	.name = "cost",
	.summary = "Show what a daemon and its gadgets cost the node",
	.usage = "[FLAGS]",
	.description = "While it is asked, the kernel measures each run of the gadgets' programs, "
		       "which takes some 50 ns of it.",
	.tables = tables,
	.run = cost_main,
};
COMMAND(&command);
