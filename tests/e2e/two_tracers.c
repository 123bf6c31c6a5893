// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: two tracers of one gadget at once, each with a selector of its own, in one merged
 * stream, until stdin ends.
 *
 *   two_tracers GADGET BUFFER_BYTES WINDOW_NS NAMES_A NAMES_B
 *
 * Prints what the readers were told and what the collection says, as one JSON object for each
 * tracer.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/format.h"
#include "containers/containers.h"
#include "traces/traces.h"

struct told { /* by the reader's calls, under one container's name */
	char *name;
	uint64_t rows, lost;
};

struct tracer {
	struct trace *trace;
	struct selector *selector;
	struct told *told;
	size_t n, room;
	uint64_t in, out, late, unordered;
	const char *comma;
};

static uint64_t last_time; /* of the merged stream */

static struct told *told(struct tracer *t, const struct container *c)
{
	const char *name = c ? c->name : "";

	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->told[i].name, name))
			return &t->told[i];
	*grow(&t->told, &t->n, &t->room) = (struct told){ .name = xstrdup(name) };
	return &t->told[t->n - 1];
}

static bool on_row(void *ctx, struct trace *trace, unsigned int source, const struct row *row,
		   bool late)
{
	struct tracer *t = ctx;
	uint64_t time = row_time(gadget_source(trace_gadget(trace), source)->schema, row);

	t->late += late;
	t->unordered += !late && time < last_time;
	last_time = late ? last_time : time;
	told(t, row->part[PART_CONTAINER])->rows++;
	return true;
}

static void on_lost(void *ctx, struct trace *trace, struct container *c, uint64_t count)
{
	told(ctx, c)->lost += count;
}

static void on_container(void *ctx, struct trace *trace, bool in, struct container *c)
{
	struct tracer *t = ctx;

	*(in ? &t->in : &t->out) += 1;
}

static void print_totals(const char *name, struct totals n)
{
	printf("\"%s\":[%ju,%ju,%ju,%ju]", name, n.seen, n.delivered, n.discarded, n.lost);
}

static void print_container(void *ctx, struct container *c, struct totals n)
{
	struct tracer *t = ctx;

	printf("%s", t->comma);
	print_totals(c ? c->name : "", n);
	t->comma = ",";
}

static void print(struct tracer *t)
{
	printf("{");
	print_totals("totals", trace_totals(t->trace));
	printf(",\"containers\":{");
	t->comma = "";
	trace_each_total(t->trace, print_container, t);
	printf("},\"told\":{");
	for (size_t i = 0; i < t->n; i++)
		printf("%s\"%s\":[%ju,%ju]", i ? "," : "", t->told[i].name, t->told[i].rows,
		       t->told[i].lost);
	printf("},\"in\":%ju,\"out\":%ju,\"late\":%ju,\"unordered\":%ju,\"wanted\":%zu,"
	       "\"unaccounted\":%ju}\n",
	       t->in, t->out, t->late, t->unordered, trace_n_containers(t->trace),
	       trace_unaccounted(t->trace));
}

static int add(struct traces *ts, struct tracer *t, const char *gadget, uint64_t buffer,
	       const char *names, struct err *err)
{
	const struct gadget_open_options with_names = { .enrich = container_add_fields };
	const struct selector_options so = { .container_name = names };
	struct trace_options o = { .reader = { t, on_row, NULL, on_lost, on_container } };
	struct gadget *g;
	int r = selector_new(&so, &t->selector, err);

	r = r ?: gadget_open(gadget, &with_names, &g, err);
	if (r)
		return r;
	gadget_load_options_init(&o.load);
	o.load.buffer_bytes = buffer;
	o.selector = t->selector;
	return traces_add(ts, g, &o, &t->trace, err);
}

static void follow(struct traces *ts)
{
	struct pollfd fds[] = { { .fd = traces_fd(ts), .events = POLLIN },
				{ .fd = STDIN_FILENO, .events = POLLIN } };

	puts("ready");
	fflush(stdout);
	do {
		poll(fds, 2, 1000);
		traces_dispatch(ts);
	} while (!fds[1].revents);
	traces_stop(ts);
}

int main(int argc, char **argv)
{
	struct traces_options o = { 0 };
	struct tracer t[2] = { 0 };
	struct containers *cs = NULL;
	struct traces *ts = NULL;
	struct err err = { 0 };
	uint64_t buffer;
	int r;

	if (argc != 6 || parse_u64(argv[2], &buffer) || parse_u64(argv[3], &o.window_ns))
		return 2;
	r = containers_new(NULL, &cs, &err);
	r = r ?: traces_new(cs, &o, &ts, &err);
	for (int i = 0; !r && i < 2; i++)
		r = add(ts, &t[i], argv[1], buffer, argv[4 + i], &err);
	r = r ?: containers_start(cs, &err);
	r = r ?: traces_start(ts, &err);
	if (!r)
		follow(ts);
	else
		fprintf(stderr, "two_tracers: %s\n", err.text);
	for (int i = 0; i < 2; i++) {
		if (!r)
			print(&t[i]);
		selector_free(t[i].selector);
		for (size_t j = 0; j < t[i].n; j++)
			free(t[i].told[j].name);
		free(t[i].told);
	}
	traces_free(ts);
	containers_free(cs);
	return r ? 1 : 0;
}
