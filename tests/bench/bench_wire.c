// SPDX-License-Identifier: Apache-2.0
/*
 * How fast rows are packed for the wire and read again: trace_open's with their containers, on one
 * core; the best of five runs, by CPU time. Prints rows a second and bytes of one, or with the
 * argument "json" the same as lines of JSON.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../unit/gadget_rows.h"
#include "base/err.h"
#include "wire/internal.h"
#include "wire/wire.h"

enum { RECORDS = 64, RUNS = 5, ROWS = 500000 };

static struct gadget *gadget;
static struct buf records[RECORDS];
static struct container *containers[MADE_CONTAINERS];

static double cpu_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void fail(const struct err *err)
{
	fprintf(stderr, "%s\n", err->text);
	_exit(1);
}

static void make_rows(void)
{
	const struct gadget_open_options o = {.enrich = container_add_fields};
	struct err err;

	if (gadget_open_builtin("trace_open", &o, &gadget, &err))
		fail(&err);
	for (unsigned int i = 0; i < RECORDS; i++) {
		buf_init(&records[i], 1 << 16);
		made_record(gadget_source(gadget, 0)->schema, i, &records[i]);
	}
	for (unsigned int i = 0; i < MADE_CONTAINERS; i++)
		containers[i] = made_container(i);
}

static struct row row_of(size_t i)
{
	return made_row(&records[i % RECORDS], containers[i / 7 % MADE_CONTAINERS]);
}

static void ignore(void *ctx, unsigned int source, const struct row *row)
{
}

/* CPU seconds of ROWS rows; *bytes: of one. */
static double pack(bool compact, size_t *bytes)
{
	const struct clock_base clock = {1700000000123450000};
	struct wire_source *s = wire_source_new(0, gadget_source(gadget, 0), compact, &clock);
	struct buf event = {.max = 1 << 22};
	double start = cpu_seconds();

	*bytes = 0;
	for (size_t i = 0; i < ROWS; i++) {
		struct row row = row_of(i);

		buf_clear(&event);
		wire_row_pack(s, &row, (uint32_t)i, &event);
		*bytes += event.len;
	}
	start = cpu_seconds() - start;
	*bytes /= ROWS;
	wire_source_free(s);
	buf_done(&event);
	return start;
}

/* The same for reading, of RECORDS events again and again. */
static double unpack(bool compact, size_t *bytes)
{
	const struct clock_base clock = {1700000000123450000};
	const struct wire_rows rows = {.row = ignore};
	struct wire_source *s = wire_source_new(0, gadget_source(gadget, 0), compact, &clock);
	struct buf info = {.max = 1 << 20}, event = {.max = 1 << 20};
	Api__GadgetEvent *events[RECORDS];
	struct wire_gadget *g;
	struct err err;
	double start;

	wire_info_pack(&(struct wire_about){.gadget = gadget, .image = "trace_open"}, &s, 1, &info);
	if (wire_gadget_unpack(info.data, info.len, &g, &err))
		fail(&err);
	for (size_t i = 0; i < RECORDS; i++) {
		struct row row = row_of(i);

		buf_clear(&event);
		wire_row_pack(s, &row, 1, &event);
		events[i] = api__gadget_event__unpack(NULL, event.len, (uint8_t *)event.data);
	}
	*bytes = event.len;
	start = cpu_seconds();
	for (size_t i = 0; i < ROWS; i++) {
		const ProtobufCBinaryData *data = &events[i % RECORDS]->payload;

		if (wire_rows_unpack(g, 0, data->data, data->len, &rows, &err))
			fail(&err);
	}
	start = cpu_seconds() - start;
	for (size_t i = 0; i < RECORDS; i++)
		api__gadget_event__free_unpacked(events[i], NULL);
	wire_gadget_free(g);
	wire_source_free(s);
	buf_done(&info);
	buf_done(&event);
	return start;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		double (*run)(bool compact, size_t *bytes);
		bool compact;
	} cases[] = {
		{"pack, compact", pack, true},
		{"pack", pack, false},
		{"unpack, compact", unpack, true},
		{"unpack", unpack, false},
	};
	bool json = argc > 1 && !strcmp(argv[1], "json");

	make_rows();
	for (size_t i = 0; i < array_size(cases); i++) {
		double best = 0;
		size_t bytes;

		for (int n = 0; n < RUNS; n++) {
			double took = cases[i].run(cases[i].compact, &bytes);

			best = !n || took < best ? took : best;
		}
		if (json)
			printf("{\"bench\":\"wire\",\"case\":\"%s\",\"records_per_second\":%.0f,"
			       "\"bytes\":%zu}\n",
			       cases[i].name, ROWS / best, bytes);
		else
			printf("%-16s %12.0f rows/s %5.0f ns %6zu bytes each\n", cases[i].name,
			       ROWS / best, best / ROWS * 1e9, bytes);
	}
	return 0;
}
