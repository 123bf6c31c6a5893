// SPDX-License-Identifier: Apache-2.0
#include "manager/cost.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "manager/internal.h"

#define STATISTICS_NS (10 * 1000000000ull)

static void stop_statistics(void *ctx)
{
	struct manager *m = ctx;

	closep(&m->statistics_fd);
	m->statistics_fd = -1;
}

static bool keep_statistics(struct manager *m)
{
	if (m->statistics_fd < 0)
		m->statistics_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (m->statistics_fd < 0)
		return false;
	timer_start(&m->statistics_timer, m->reactor, STATISTICS_NS, stop_statistics, m);
	return true;
}

/* Tracers that share a gadget are one line. */
static struct gadget_cost *cost_of(struct manager_cost *c, const struct gadget *g,
				   const struct gadget **seen)
{
	for (size_t i = 0; i < c->n; i++)
		if (seen[i] == g)
			return &c->gadgets[i];
	seen[c->n] = g;
	return NULL;
}

struct adding {
	struct manager_cost *cost;
	const struct gadget *seen[MAX_TRACERS * 2];
};

static void add_run(void *ctx, struct run *r)
{
	struct adding *a = ctx;
	struct trace *t = run_trace(r);
	struct gadget_cost *c;
	struct totals n;

	if (!t || a->cost->n == array_size(a->seen))
		return;
	c = cost_of(a->cost, trace_loaded(t), a->seen);
	if (!c) {
		c = grow(&a->cost->gadgets, &a->cost->n, &a->cost->room);
		*c = (struct gadget_cost){
			.name = xstrdup(gadget_name(trace_gadget(t))),
			.programs = gadget_runtime(trace_loaded(t)),
			.map_bytes = gadget_map_bytes(trace_loaded(t)),
		};
	}
	n = trace_totals(t);
	c->tracers++;
	c->totals.seen += n.seen;
	c->totals.delivered += n.delivered;
	c->totals.discarded += n.discarded;
	c->totals.lost += n.lost;
}

/* The second number of /proc/self/statm is resident pages. */
static uint64_t resident_bytes(void)
{
	_cleanup_(buf_done) struct buf b = {.max = 256};
	_cleanup_(freep) char **words = NULL;
	uint64_t pages;

	if (buf_read_file(&b, AT_FDCWD, "/proc/self/statm") ||
	    split(buf_cstr(&b), ' ', false, &words) < 2 || parse_u64(words[1], &pages))
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t ns_of(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_usec * 1000;
}

void manager_cost(struct manager *m, struct manager_cost *ret)
{
	struct adding a = {.cost = ret};
	struct timespec now;
	struct rusage used;

	clock_gettime(CLOCK_BOOTTIME, &now);
	getrusage(RUSAGE_SELF, &used);
	*ret = (struct manager_cost){
		.bpf_statistics = keep_statistics(m),
		.detector = containers_runtime(m->containers),
		.resident_bytes = resident_bytes(),
		.cpu_ns = ns_of(used.ru_utime) + ns_of(used.ru_stime),
		.boot_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec,
	};
	manager_each_run(m, add_run, &a);
}

void manager_cost_done(struct manager_cost *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->gadgets[i].name);
	free(c->gadgets);
}
