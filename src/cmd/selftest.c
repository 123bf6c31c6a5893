// SPDX-License-Identifier: Apache-2.0
/*
 * ig selftest: makes what each gadget tells of, in a container made for it, and waits for the
 * record. What is made and what must come stand in the gadget (SELFTEST()).
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/container_flags.h"
#include "cmd/flags.h"
#include "cmd/own_rows.h"
#include "cmd/throwaway.h"
#include "columns/filter.h"
#include "containers/container.h"
#include "containers/containers.h"
#include "gadget/gadget.h"
#include "traces/traces.h"

#define MS_NS 1000000ull
#define NAMES_NS (50 * MS_NS)	  /* nobody can name our container: no need to wait for it long */
#define INTERVAL_NS (200 * MS_NS) /* of tables */
#define COMMAND_NS (10000 * MS_NS)
#define BETWEEN_LOOKS_MS 100
#define AFTER_NS (1500 * MS_NS) /* from the command's end until the record must be there */

static struct {
	const char **gadgets; /* none: all built-in ones */
	size_t n_gadgets, room;
} opt;

static volatile sig_atomic_t interrupted;

static int add_gadget(void *ctx, const char *word, struct err *err)
{
	*grow(&opt.gadgets, &opt.n_gadgets, &opt.room) = word;
	return 0;
}

/* ---- rows -------------------------------------------------------------------------------- */

struct selftest_row {
	const char *gadget, *result, *reason;
	uint64_t took_ns;
};

static const struct field fields[] = {
	{.name = "gadget",
	 .doc = "Name for `ig run`",
	 .kind = KIND_CSTR,
	 .parent = -1,
	 .width = 20,
	 .offset = offsetof(struct selftest_row, gadget),
	 .size = sizeof(const char *)},
	{.name = "result",
	 .doc = "ok: the record came; failed: it did not; untried: see reason",
	 .kind = KIND_CSTR,
	 .parent = -1,
	 .width = 8,
	 .offset = offsetof(struct selftest_row, result),
	 .size = sizeof(const char *)},
	{.name = "took",
	 .doc = "From the container's making to the record",
	 .kind = KIND_UINT,
	 .type = "g_duration",
	 .parent = -1,
	 .width = 8,
	 .flags = FIELD_SKIP_EMPTY,
	 .offset = offsetof(struct selftest_row, took_ns),
	 .size = sizeof(uint64_t)},
	{.name = "reason",
	 .doc = "Why not",
	 .kind = KIND_CSTR,
	 .parent = -1,
	 .width = 80,
	 .offset = offsetof(struct selftest_row, reason),
	 .size = sizeof(const char *)},
};

/* ---- one gadget -------------------------------------------------------------------------- */

enum verdict { OK, FAILED, UNTRIED };
static const char *const verdicts[] = {[OK] = "ok", [FAILED] = "failed", [UNTRIED] = "untried"};

struct bench {
	struct containers *containers;
	struct traces *traces;
	struct own_rows rows;
	size_t n_failed;
};

struct attempt {
	struct bench *bench;
	const char *name; /* of the gadget, for gadget_open() */
	bool is_snapshot;
	struct throwaway container;
	struct filter *filter;
	struct bound_filter **bound; /* one for each source */
	size_t n_bound;
	struct trace *trace;
	bool came;
};

static const struct gadget_open_options with_names = {.enrich = container_add_fields};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static enum row_fate on_row(void *ctx, struct trace *t, unsigned int source, const struct row *row,
			    bool late)
{
	struct attempt *a = ctx;
	const struct container *c = row->part[PART_CONTAINER];

	if (c && c->cgroup_id == a->container.cgroup_id && filter_match(a->bound[source], row))
		a->came = true;
	return ROW_DELIVERED;
}

static bool has_snapshot(const struct gadget *g)
{
	for (size_t i = 0; i < gadget_n_sources(g); i++)
		if (gadget_source(g, i)->kind == SOURCE_SNAPSHOT)
			return true;
	return false;
}

static void dispatch(struct bench *b, int timeout_ms)
{
	struct pollfd ready = {.fd = traces_fd(b->traces), .events = POLLIN};

	poll(&ready, 1, timeout_ms);
	traces_dispatch(b->traces);
}

/* What a snapshot is to find must be there before it. */
static void wait_found(struct attempt *a)
{
	uint64_t end = now_ns() + AFTER_NS;

	while (!containers_find_cgroup(a->bench->containers, a->container.cgroup_id) &&
	       now_ns() < end)
		dispatch(a->bench, 10);
}

static int add_trace(struct attempt *a, struct gadget **g, struct err *err)
{
	struct trace_options o = {.interval_ns = INTERVAL_NS, .reader = {.ctx = a, .row = on_row}};
	struct gadget *given = take(*g);

	gadget_load_options_init(&o.load);
	return traces_add(a->bench->traces, given, &o, &a->trace, err);
}

static void unbind_filter(struct attempt *a)
{
	for (size_t i = 0; i < a->n_bound; i++)
		bound_filter_free(a->bound[i]);
	a->n_bound = 0;
	free(take(a->bound));
}

static int bind_filter(struct attempt *a, const struct gadget *g, struct err *err)
{
	size_t known;
	int r = 0;

	a->n_bound = gadget_n_sources(g);
	a->bound = xnew_n(struct bound_filter *, a->n_bound);
	for (size_t i = 0; !r && i < a->n_bound; i++)
		r = filter_bind(a->filter, gadget_source(g, i)->schema, NULL, false, &a->bound[i],
				&known, err);
	return r;
}

/* A snapshot that has looked looks again: a slow command may not have done it by then. */
static int look_again(struct attempt *a, struct err *err)
{
	_cleanup_(gadget_freep) struct gadget *g = NULL;
	int r;

	if (!traces_finished(a->bench->traces))
		return 0;
	traces_remove(a->bench->traces, take(a->trace));
	unbind_filter(a);
	r = gadget_open(a->name, &with_names, &g, err);
	r = r ?: bind_filter(a, g, err);
	return r ?: add_trace(a, &g, err);
}

/* Until the record came, or must have come. */
static enum verdict watch(struct attempt *a, struct err *why)
{
	uint64_t end = now_ns() + COMMAND_NS;
	bool ended = false;
	char said[160];
	int status = 0;

	while (!a->came && !interrupted && now_ns() < end) {
		dispatch(a->bench, a->is_snapshot ? BETWEEN_LOOKS_MS : 10);
		if (a->is_snapshot && !a->came && look_again(a, why))
			return FAILED;
		if (ended || !throwaway_ended(&a->container, &status, said, sizeof(said)))
			continue;
		ended = true;
		end = now_ns() + AFTER_NS;
	}
	if (a->came)
		return OK;
	if (interrupted) {
		err_set(why, -EINTR, "interrupted");
		return UNTRIED;
	}
	if (!ended) {
		err_set(why, -ETIMEDOUT, "its command did not end, and no such record came");
		return FAILED;
	}
	if (status == 125 || status == 126 || status == 127) {
		err_set(why, -ENOENT, "its command could not run here: %s", said);
		return UNTRIED;
	}
	err_set(why, -ENODATA, "its command ended with %d, and no such record came%s%s", status,
		*said ? ": " : "", said);
	return FAILED;
}

static enum verdict attempt(struct attempt *a, struct gadget **g, struct err *why)
{
	const char *filter, *command = gadget_selftest(*g, &filter);

	if (!command) {
		err_set(why, -ENOENT, "the gadget does not say how");
		return UNTRIED;
	}
	if (filter_parse(filter, &a->filter, why) || bind_filter(a, *g, why))
		return FAILED;
	if (!a->is_snapshot && add_trace(a, g, why))
		return UNTRIED;
	if (throwaway_start(&a->container, command, why))
		return UNTRIED;
	if (a->is_snapshot) {
		wait_found(a);
		if (add_trace(a, g, why))
			return UNTRIED;
	}
	return watch(a, why);
}

static int one(struct bench *b, const char *name, struct err *err)
{
	struct attempt a = {.bench = b, .name = name, .container = THROWAWAY_INIT};
	_cleanup_(gadget_freep) struct gadget *g = NULL;
	_cleanup_(freep) char *own_name = NULL;
	struct err why = {0};
	uint64_t began = now_ns();
	enum verdict verdict;
	int r = gadget_open(name, &with_names, &g, err);

	if (r)
		return r;
	own_name = xstrdup(gadget_name(g));
	a.is_snapshot = has_snapshot(g);
	verdict = attempt(&a, &g, &why);
	own_row(&b->rows, &(struct selftest_row){
				  .gadget = own_name,
				  .result = verdicts[verdict],
				  .took_ns = verdict == OK ? now_ns() - began : 0,
				  .reason = why.text,
			  });
	b->n_failed += verdict == FAILED;
	if (a.trace)
		traces_remove(b->traces, a.trace);
	throwaway_end(&a.container);
	unbind_filter(&a);
	filter_free(a.filter);
	return 0;
}

/* ---- the command ------------------------------------------------------------------------- */

static int all(struct bench *b, struct err *err)
{
	int r = 0;

	for (size_t i = 0; !r && !interrupted && i < opt.n_gadgets; i++)
		r = one(b, opt.gadgets[i], err);
	for (size_t i = 0; !r && !interrupted && !opt.n_gadgets && i < gadget_builtin_count(); i++)
		r = one(b, gadget_builtin(i)->name, err);
	return r;
}

static void on_signal(int signal)
{
	interrupted = 1;
}

/* What was made is removed before we go. */
static void catch_signals(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal};

	for (size_t i = 0; i < array_size(signals); i++)
		sigaction(signals[i], &action, NULL);
}

static int begin(struct bench *b, struct err *err)
{
	struct containers_options co;
	int r;

	container_flags_options(&co);
	co.resolve_timeout_ns = NAMES_NS;
	r = containers_new(&co, &b->containers, err);
	r = r ?: traces_new(b->containers, NULL, &b->traces, err);
	r = r ?: containers_start(b->containers, err);
	r = r ?: traces_start(b->traces, err);
	return r
		       ?: own_rows_open(&b->rows, VIEW_TABLE_ONCE, "selftest", fields,
					array_size(fields), sizeof(struct selftest_row), err);
}

static int test(struct err *err)
{
	struct bench b = {0};
	int r;

	if (geteuid())
		return err_set(err, -EPERM, "making containers and tracing them needs root");
	catch_signals();
	r = begin(&b, err);
	r = r ?: all(&b, err);
	r = r ?: own_rows_end(&b.rows, err);
	if (!r && interrupted)
		r = err_set(err, -EINTR, "interrupted");
	if (!r && b.n_failed)
		r = err_set(err, -EIO, "%zu gadgets did not tell what happened", b.n_failed);
	own_rows_done(&b.rows);
	traces_free(b.traces);
	containers_free(b.containers);
	return r;
}

static int selftest_main(int argc, char **argv)
{
	struct err err = {0};
	struct flags flags;
	int exit_code, r;

	flags_init(&flags, command_find("selftest"));
	flags.word = add_gadget;
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	r = test(&err);
	free(opt.gadgets);
	return r ? command_fail(r, &err) : EXIT_OK;
}

static void complete(int argc, char **argv)
{
	for (size_t i = 0; i < gadget_builtin_count(); i++)
		puts(gadget_builtin(i)->name);
}

static const struct flag_table *const tables[] = {&view_flags, NULL};
static const struct command selftest = {
	.name = "selftest",
	.summary = "Try gadgets: make what each tells of, in a container made for it",
	.usage = "[GADGET…] [FLAGS]",
	.description = "The container is made without a runtime, has the machine's programs "
		       "(read-only) and no network but loopback, and is gone afterwards. "
		       "Exits with 1 where a record did not come.",
	.tables = tables,
	.run = selftest_main,
	.complete = complete,
};
COMMAND(&selftest);
