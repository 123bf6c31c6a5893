// SPDX-License-Identifier: Apache-2.0
/*
 * A gadget alone: every program that the whole host executes in two seconds, read by field from the
 * records. No container is known here.
 *
 *   gadget [GADGET [SECONDS [FIELD…]]]      gadget trace_open 5 proc.comm fname
 */
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/format.h"
#include "gadget/gadget.h"

struct reader {
	struct gadget *gadget;
	const struct clock_base *clock;
	const char *const *fields;
};

static void on_record(void *ctx, unsigned int source, const void *record, uint32_t size)
{
	const struct reader *r = ctx;
	const struct schema *s = gadget_source(r->gadget, source)->schema;
	const struct row row = { .part = { record }, .size = { size } };
	struct buf line;

	buf_init(&line, 1 << 20);
	for (const char *const *name = r->fields; *name; name++) {
		const struct field *f = schema_require(s, *name, NULL);

		if (f)
			field_text(f, &row, r->clock, &line);
		buf_char(&line, name[1] ? ' ' : '\n');
	}
	fputs(buf_cstr(&line), stdout);
	buf_done(&line);
}

int main(int argc, char **argv)
{
	static const char *const usual[] = { "timestamp", "proc.pid", "proc.comm", "args", NULL };
	_cleanup_(gadget_freep) struct gadget *g = NULL;
	struct gadget_load_options o;
	struct clock_base clock;
	struct err err = { 0 };
	uint64_t seconds = 2;
	int r;

	if (argc > 2 && parse_u64(argv[2], &seconds))
		return 2;
	clock_base_now(&clock);
	gadget_load_options_init(&o);
	o.host = true; /* its map of wanted containers is private and stays empty */
	r = gadget_open(argc > 1 ? argv[1] : "trace_exec", NULL, &g, &err);
	r = r ?: gadget_load(g, &o, &err);
	r = r ?: gadget_attach(g, &err);
	if (r) {
		fprintf(stderr, "gadget: %s\n", err.text);
		return 1;
	}
	struct reader reader = { g, &clock, argc > 3 ? (const char *const *)argv + 3 : usual };
	for (time_t end = time(NULL) + (time_t)seconds; time(NULL) < end;) {
		struct pollfd p = { .fd = gadget_fd(g), .events = POLLIN };

		poll(&p, 1, 25); /* the ring wakes us when it has much; what is less waits for us */
		gadget_read(g, 0, on_record, &reader);
	}
	gadget_detach(g);
	gadget_read(g, 0, on_record, &reader);
	fprintf(stderr, "seen %llu\n", (unsigned long long)gadget_counters(g, 0).seen);
	return 0;
}
