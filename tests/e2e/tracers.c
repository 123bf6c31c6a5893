// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: tracers and a set, as told on stdin. Commands in one line, with `;` between them, are
 * carried out without reading any record in between; a line is answered by one for each command.
 *
 *   tracers WINDOW_NS
 *
 *   add GADGET BUFFER_BYTES SHARE NAMES   answer: its number, or what failed
 *   start                                 the containers and the tracers
 *   finish N                              answer: what N's reader was told, and N's totals
 *   remove N
 *   set NAMES CGROUPS MNTNS               makes a set and pins it there
 *   members                               names of those that are in the set
 *   unset
 *
 * At the end of stdin it stops and tells of each tracer that was not removed, as one JSON object a
 * line.
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
#include "traces/set.h"
#include "traces/traces.h"

#define MOST 300

struct told { /* by the reader's calls, under one container's name */
	char *name;
	uint64_t rows, lost;
};

struct tracer {
	struct trace *trace; /* NULL: not there, or removed */
	struct selector *selector;
	struct told *told;
	size_t n, room;
	uint64_t in, out, late, unordered;
	const char *comma;
};

static struct containers *cs;
static struct traces *ts;
static struct tracer tracers[MOST];
static size_t n_tracers;
static struct selector *set_selector;
static struct set *set;
static uint64_t last_time; /* of the merged stream */

/* ---- what readers are told ------------------------------------------------------- */

static struct told *told(struct tracer *t, const struct container *c)
{
	const char *name = c ? c->name : "";

	for (size_t i = 0; i < t->n; i++)
		if (!strcmp(t->told[i].name, name))
			return &t->told[i];
	*grow(&t->told, &t->n, &t->room) = (struct told){.name = xstrdup(name)};
	return &t->told[t->n - 1];
}

static enum row_fate on_row(void *ctx, struct trace *trace, unsigned int source,
			    const struct row *row, bool late)
{
	struct tracer *t = ctx;
	uint64_t time = row_time(gadget_source(trace_gadget(trace), source)->schema, row);

	t->late += late;
	t->unordered += !late && time < last_time;
	last_time = late ? last_time : time;
	told(t, row->part[PART_CONTAINER])->rows++;
	return ROW_DELIVERED;
}

static void on_lost(void *ctx, struct trace *trace, struct container *c, struct loss loss)
{
	told(ctx, c)->lost += loss.count;
}

static void on_container(void *ctx, struct trace *trace, bool in, struct container *c)
{
	struct tracer *t = ctx;

	*(in ? &t->in : &t->out) += 1;
}

/* ---- what is printed ------------------------------------------------------------- */

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

static void print_member(void *ctx, struct container *c)
{
	printf(" %s", c->name);
}

/* ---- commands -------------------------------------------------------------------- */

/* Each is given its words. */
static int by_names(const char *names, struct selector **ret, struct err *err)
{
	return selector_new(&(struct selector_options){.container_name = names}, ret, err);
}

static int add(char **w, struct err *err)
{
	const struct gadget_open_options with_names = {.enrich = container_add_fields};
	struct tracer *t = &tracers[n_tracers];
	struct trace_options o = {.reader = {t, on_row, NULL, on_lost, on_container},
				  .share = *w[3] == '1'};
	struct gadget *g;
	int r = by_names(w[4], &t->selector, err);

	r = r ?: gadget_open(w[1], &with_names, &g, err);
	if (r)
		return r;
	gadget_load_options_init(&o.load);
	o.selector = t->selector;
	r = parse_u64(w[2], &o.load.buffer_bytes);
	r = r ?: traces_add(ts, g, &o, &t->trace, err);
	if (r)
		t->selector = selector_free(t->selector);
	else
		printf("%zu\n", n_tracers++);
	return r;
}

static int start(char **w, struct err *err)
{
	int r = containers_start(cs, err) ?: traces_start(ts, err);

	return r ?: puts("ok") < 0;
}

static int number(char **w, struct tracer **ret, struct err *err)
{
	uint64_t i;

	if (parse_u64(w[1], &i) || i >= n_tracers || !tracers[i].trace)
		return err_set(err, -EINVAL, "there is no tracer '%s'", w[1]);
	*ret = &tracers[i];
	return 0;
}

static int finish(char **w, struct err *err)
{
	struct tracer *t;
	int r = number(w, &t, err);

	if (r)
		return r;
	traces_finish(ts, t->trace);
	print(t);
	return 0;
}

static int remove_tracer(char **w, struct err *err)
{
	struct tracer *t;
	int r = number(w, &t, err);

	if (r)
		return r;
	traces_remove(ts, t->trace);
	t->trace = NULL;
	return puts("ok") < 0;
}

static int make_set(char **w, struct err *err)
{
	int r = by_names(w[1], &set_selector, err);

	r = r ?: set_new(cs, set_selector, &set, err);
	r = r ?: set_pin(set, w[2], w[3], err);
	return r ?: puts("ok") < 0;
}

static int members(char **w, struct err *err)
{
	printf("%zu", set_count(set));
	set_each(set, print_member, NULL);
	return puts("") < 0;
}

static int unset(char **w, struct err *err)
{
	set = set_free(set);
	set_selector = selector_free(set_selector);
	return puts("ok") < 0;
}

static const struct command {
	const char *word;
	int (*fn)(char **w, struct err *err);
} commands[] = {{"add", add},	   {"start", start}, {"finish", finish},  {"remove", remove_tracer},
		{"set", make_set}, {"unset", unset}, {"members", members}};

static int carry_out(char *command, struct err *err)
{
	char *w[5], *rest = NULL;

	for (size_t n = 0; n < array_size(w); n++)
		w[n] = strtok_r(n ? NULL : command, " \n", &rest) ?: "";
	for (size_t i = 0; i < array_size(commands); i++)
		if (!strcmp(w[0], commands[i].word))
			return commands[i].fn(w, err);
	return err_set(err, -EINVAL, "what is '%s'?", w[0]);
}

static bool read_line(void)
{
	_cleanup_(freep) char *line = NULL;
	char *command, *rest;
	size_t room = 0;

	if (getline(&line, &room, stdin) < 0)
		return false;
	for (command = line; command; command = rest) {
		struct err err = {0};

		rest = strchr(command, ';');
		if (rest)
			*rest++ = '\0';
		if (carry_out(command, &err))
			printf("failed: %s\n", err.text);
	}
	fflush(stdout);
	return true;
}

static void follow(void)
{
	struct pollfd fds[] = {{.fd = traces_fd(ts), .events = POLLIN},
			       {.fd = STDIN_FILENO, .events = POLLIN}};

	do {
		poll(fds, 2, -1);
		if (fds[0].revents)
			traces_dispatch(ts);
	} while (!fds[1].revents || read_line());
	traces_stop(ts);
}

int main(int argc, char **argv)
{
	struct traces_options o = {0};
	struct err err = {0};

	if (argc != 2 || parse_u64(argv[1], &o.window_ns))
		return 2;
	if (containers_new(NULL, &cs, &err) || traces_new(cs, &o, &ts, &err)) {
		fprintf(stderr, "tracers: %s\n", err.text);
		return 1;
	}
	follow();
	for (size_t i = 0; i < n_tracers; i++) {
		struct tracer *t = &tracers[i];

		if (t->trace)
			print(t);
		for (size_t j = 0; j < t->n; j++)
			free(t->told[j].name);
		free(t->told);
	}
	set_free(set);
	selector_free(set_selector);
	traces_free(ts);
	for (size_t i = 0; i < n_tracers; i++)
		selector_free(tracers[i].selector);
	containers_free(cs);
	return 0;
}
