// SPDX-License-Identifier: Apache-2.0
/*
 * What a server says: u32 length, a GadgetInfo of that length, then payloads of events, each behind
 * a u8 data source and a u24 length. Each row that comes is written as JSON.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "columns/json.h"
#include "wire/wire.h"

enum { MAX_SOURCES = 64, MAX_ROWS = 200 };

struct reader {
	struct json_plan *plans[MAX_SOURCES];
	struct buf out;
	unsigned int rows;
};

static void read_row(void *ctx, unsigned int source, const struct row *row)
{
	struct reader *r = ctx;

	buf_clear(&r->out);
	if (r->rows++ < MAX_ROWS)
		json_plan_row(r->plans[source], row, false, &r->out);
}

static void end_table(void *ctx, unsigned int source)
{
}

static void read_events(struct wire_gadget *g, struct reader *r, const uint8_t *at, size_t left)
{
	const struct wire_rows rows = {r, read_row, end_table};

	while (left >= 4) {
		size_t len = at[1] | (size_t)at[2] << 8 | (size_t)at[3] << 16;
		struct err err = {0};

		if (len > left - 4)
			len = left - 4;
		if (wire_rows_unpack(g, at[0], at + 4, len, &rows, &err) < 0 && !err.text[0])
			abort(); /* a fault without a word */
		at += 4 + len;
		left -= 4 + len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = {.out = {.max = 1 << 22}};
	struct wire_gadget *g;
	struct err err = {0};
	uint32_t len;

	if (size < sizeof(len))
		return 0;
	memcpy(&len, data, sizeof(len));
	data += sizeof(len);
	size -= sizeof(len);
	if (len > size)
		len = (uint32_t)size;
	if (wire_gadget_unpack(data, len, &g, &err)) {
		if (!err.text[0])
			abort();
		return 0;
	}
	for (size_t i = 0; i < g->n_sources; i++)
		r.plans[i] = json_plan_new(g->sources[i].schema, NULL, "", &g->clock);
	read_events(g, &r, data + len, size - len);
	for (size_t i = 0; i < g->n_sources; i++)
		json_plan_free(r.plans[i]);
	wire_gadget_free(g);
	buf_done(&r.out);
	return 0;
}
