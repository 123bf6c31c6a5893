// SPDX-License-Identifier: Apache-2.0
/*
 * All four packages together: what the containers of some names execute within five seconds, from
 * their first program on, as JSON; then what was seen and lost. A small `ig run`.
 *
 *   trace_exec_in [NAMES]      web,db-* …; without NAMES: all
 */
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "base/err.h"
#include "columns/view.h"
#include "containers/containers.h"
#include "traces/traces.h"

static enum row_fate on_row(void *v, struct trace *t, unsigned int i, const struct row *r, bool late)
{
	return view_row(v, i, r, late) ? ROW_DELIVERED : ROW_DISCARDED;
}

static void follow(struct traces *ts, struct view *v)
{
	for (time_t end = time(NULL) + 5; time(NULL) < end;) {
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
	struct view_options vo = { .output = "json", .fd = 1, .err_fd = 2 };
	struct trace_options to = { .reader.row = on_row };
	struct selector_options so = { .container_name = argc > 1 ? argv[1] : "" };
	struct selector *selector = NULL;
	struct containers *cs = NULL;
	struct traces *ts = NULL;
	struct gadget *g = NULL;
	struct view *v = NULL;
	struct err err = { 0 };
	struct trace *t;
	unsigned int source;
	int r;

	clock_base_now(&vo.clock);
	gadget_load_options_init(&to.load);
	r = selector_new(&so, &selector, &err);
	r = r ?: gadget_open("trace_exec", &with_names, &g, &err);
	r = r ?: view_new(&vo, &v, &err);
	r = r ?: view_add(v, gadget_source(g, 0)->schema, VIEW_STREAM, &source, &err);
	r = r ?: view_start(v, &err);
	r = r ?: containers_new(NULL, &cs, &err);
	r = r ?: traces_new(cs, NULL, &ts, &err);
	if (!r) {
		to.reader.ctx = v;
		to.selector = selector;
		r = traces_add(ts, g, &to, &t, &err);
		g = NULL; /* its tracer has it now */
	}
	r = r ?: containers_start(cs, &err); /* before the gadget: no first exec is missed */
	r = r ?: traces_start(ts, &err);
	if (!r) {
		follow(ts, v);
		struct totals n = trace_totals(t);
		fprintf(stderr, "seen %ju, delivered %ju, lost %ju\n", n.seen, n.delivered, n.lost);
	} else {
		fprintf(stderr, "trace_exec_in: %s\n", err.text);
	}
	traces_free(ts);
	containers_free(cs);
	gadget_free(g);
	view_free(v);
	selector_free(selector);
	return r ? 1 : 0;
}
