// SPDX-License-Identifier: Apache-2.0
/*
 * All four packages together: what every container opens, as JSON with the container's name, then
 * what was seen and lost. A small `ig run`.
 *
 *   traces [SECONDS]
 */
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/parse.h"
#include "columns/view.h"
#include "containers/containers.h"
#include "traces/traces.h"

static bool on_row(void *v, struct trace *t, unsigned int source, const struct row *row, bool late)
{
	return view_row(v, source, row, late);
}

static void follow(struct traces *ts, struct view *v, uint64_t seconds)
{
	for (time_t end = time(NULL) + (time_t)seconds; time(NULL) < end;) {
		poll(&(struct pollfd){ .fd = traces_fd(ts), .events = POLLIN }, 1, 1000);
		traces_dispatch(ts);
		view_flush(v);
	}
	traces_stop(ts);
	view_flush(v);
}

int main(int argc, char **argv)
{
	const struct gadget_open_options with_names = { .enrich = container_add_fields };
	struct view_options vo = { .output = "json", .fd = STDOUT_FILENO, .err_fd = STDERR_FILENO };
	struct trace_options to = { .reader.row = on_row };
	uint64_t seconds = 5;
	struct containers *cs = NULL;
	struct traces *ts = NULL;
	struct gadget *g = NULL;
	struct view *v = NULL;
	struct err err = { 0 };
	struct trace *t;
	unsigned int source;
	int r;

	if (argc > 1 && parse_u64(argv[1], &seconds))
		return 2;
	clock_base_now(&vo.clock);
	gadget_load_options_init(&to.load);
	r = gadget_open("trace_open", &with_names, &g, &err);
	r = r ?: view_new(&vo, &v, &err);
	r = r ?: view_add(v, gadget_source(g, 0)->schema, VIEW_STREAM, &source, &err);
	r = r ?: view_start(v, &err);
	r = r ?: containers_new(NULL, &cs, &err);
	r = r ?: traces_new(cs, NULL, &ts, &err);
	if (!r) {
		to.reader.ctx = v;
		r = traces_add(ts, g, &to, &t, &err);
		g = NULL; /* its tracer has it now */
	}
	r = r ?: containers_start(cs, &err); /* before the gadget: no first exec is missed */
	r = r ?: traces_start(ts, &err);
	if (!r) {
		follow(ts, v, seconds);
		struct totals n = trace_totals(t);
		fprintf(stderr, "seen %ju, delivered %ju, lost %ju\n", n.seen, n.delivered, n.lost);
	} else {
		fprintf(stderr, "traces: %s\n", err.text);
	}
	traces_free(ts);
	containers_free(cs);
	gadget_free(g);
	view_free(v);
	return r ? 1 : 0;
}
