// SPDX-License-Identifier: Apache-2.0
/* ig record: the flight recorder on this machine. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/reactor.h"
#include "cmd/container_flags.h"
#include "cmd/flags.h"
#include "cmd/gadget_flags.h"
#include "cmd/loop.h"
#include "cmd/recorder_flags.h"
#include "cmd/selector_flags.h"
#include "recorder/recording.h"

static struct {
	const char *dir;
	bool all;
	uint64_t timeout_ns, rotate_bytes, rotate_ns, keep_bytes;
} opt = {.dir = ".", .rotate_bytes = 64 << 20, .rotate_ns = 3600 * 1000000000ull};

static const struct flag flag_list[] = {
	{"out", 0, "DIR", "Where dumps go (default: this folder)", flag_text, &opt.dir, NULL},
	{"all", 0, NULL, "Write all records to DIR as well, into files that follow each other",
	 flag_on, &opt.all, NULL},
	{"rotate-size", 0, "BYTES",
	 "With --all: a file is followed by another at this size (64MiB)", flag_bytes,
	 &opt.rotate_bytes, NULL},
	{"rotate-age", 0, "TIME", "And at this age (default 1h)", flag_duration, &opt.rotate_ns,
	 NULL},
	{"keep", 0, "BYTES", "And the oldest files go, so that all are not more (default: any)",
	 flag_bytes, &opt.keep_bytes, NULL},
	{"timeout", 't', "TIME", "Stop after so many seconds (or 500ms, 2m …)", flag_duration,
	 &opt.timeout_ns, NULL},
	{0},
};
static const struct flag_table own_flags = {"Record", flag_list};

struct record {
	struct loop loop;
	struct reactor *reactor;
	struct containers *containers;
	struct selector *selector;
	struct traces *traces;
	struct recording *recording;
};

static void say(void *ctx, const char *text)
{
	fprintf(stderr, "%s\n", text);
}

static void fault(void *ctx, const char *text)
{
	log_error("%s", text);
}

/* ---- dumps that are asked for, and the end --------------------------------------- */

static void dump_ring(void *ctx, struct flight_ring *ring)
{
	struct record *r = ctx;
	_cleanup_(freep) char *name = NULL;
	struct err err = {0};

	if (recording_dump(r->recording, ring, "asked", &name, &err))
		log_error("%s", err.text);
	else
		fprintf(stderr, "asked: %s\n", name);
}

static void on_dump_signal(void *ctx)
{
	struct record *r = ctx;

	flight_each(recording_flight(r->recording), dump_ring, r);
}

static void say_ring(void *ctx, struct flight_ring *ring)
{
	struct flight_facts f;

	flight_facts(ring, &f);
	fprintf(stderr,
		"%s: last %" PRIu64 " = kept %" PRIu64 " + overwritten %" PRIu64 " + lost %" PRIu64
		"\n",
		f.container ? f.container->name : "(host)", f.last, f.kept, f.overwritten, f.lost);
}

static void on_traces(void *ctx)
{
	traces_dispatch(((struct record *)ctx)->traces);
}

static void on_reactor(void *ctx)
{
	reactor_dispatch(((struct record *)ctx)->reactor);
}

/* ---- all of it ------------------------------------------------------------------- */

static int set_up(struct record *r, struct gadget_flags *gadgets, struct err *err)
{
	struct recording_options o;
	struct containers_options co;
	int code;

	container_flags_options(&co);
	recorder_flags_options(&o);
	o.dir = opt.dir;
	o.all = opt.all;
	o.rotate_bytes = opt.rotate_bytes;
	o.rotate_ns = opt.rotate_ns;
	o.keep_bytes = opt.keep_bytes;
	o.say = say;
	o.fault = fault;
	code = selector_flags_new(&r->selector, err);
	o.selector = r->selector;
	code = code ?: reactor_new(&r->reactor, err);
	code = code ?: containers_new(&co, &r->containers, err);
	code = code ?: traces_new(r->containers, NULL, &r->traces, err);
	code = code ?: recording_new(r->reactor, r->traces, &o, &r->recording, err);
	for (size_t i = 0; !code && i < gadgets->n; i++)
		code = recording_add(r->recording, offer_take_gadget(gadgets->offers[i]), err);
	return code ?: recording_start(r->recording, err);
}

static int record(struct record *r, struct gadget_flags *gadgets, struct err *err)
{
	int code = loop_init(&r->loop, err);

	code = code ?: set_up(r, gadgets, err);
	code = code ?: containers_start(r->containers, err);
	code = code ?: traces_start(r->traces, err);
	code = code ?: loop_add_fd(&r->loop, traces_fd(r->traces), on_traces, r, err);
	code = code ?: loop_add_fd(&r->loop, reactor_fd(r->reactor), on_reactor, r, err);
	code = code ?: loop_add_signal(&r->loop, SIGUSR1, on_dump_signal, r, err);
	if (!code && opt.timeout_ns)
		code = loop_timeout(&r->loop, opt.timeout_ns, err);
	if (code)
		return code;
	loop_run(&r->loop);
	traces_stop(r->traces);
	recording_stop(r->recording);
	flight_each(recording_flight(r->recording), say_ring, r);
	return 0;
}

static int record_main(int argc, char **argv)
{
	struct gadget_flags gadgets = {0};
	struct record r = {0};
	struct err err = {0};
	struct flags flags;
	int exit_code, code;

	flags_init(&flags, command_find("record"));
	gadget_flags_init(&gadgets, &flags, NULL);
	if (flags_begin(&flags, argc, argv, &exit_code)) {
		code = gadgets.n ? 0
				 : err_set(&err, -EINVAL, "name a gadget; `ig list` shows them");
		if (!code && geteuid())
			code = err_set(&err, -EPERM, "not root: only root may load eBPF programs");
		code = code ?: record(&r, &gadgets, &err);
		recording_free(r.recording);
		traces_free(r.traces);
		containers_free(r.containers);
		selector_free(r.selector);
		reactor_free(r.reactor);
		loop_done(&r.loop);
		exit_code = code ? command_fail(code, &err) : EXIT_OK;
	}
	gadget_flags_done(&gadgets);
	return exit_code;
}

static const struct flag_table *const tables[] = {&selector_flags, &recorder_flags, &own_flags,
						  &container_flags, NULL};
static const struct command command = {
	.name = "record",
	.summary = "Record what containers do, for when something goes wrong",
	.usage = "GADGET… [FLAGS]",
	.description = "Keeps each container's last records in memory, and writes them to a file "
		       "when a trigger says so, for\n"
		       "`ig replay`; SIGUSR1 has all written. Recorded is what happened before, "
		       "also of a container that is gone.",
	.tables = tables,
	.run = record_main,
	.complete = gadget_flags_complete,
};
COMMAND(&command);
