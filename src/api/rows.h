/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows to one client as a stream of api.GadgetEvent: first what they mean, then the rows, numbered
 * without a gap; what the client is too slow for is left out, and its number with it.
 */
#pragma once

#include "columns/format.h"
#include "gadget/gadget.h"
#include "net/grpc_server.h"
#include "wire/wire.h"

struct rows {
	struct grpc_served *call;
	struct wire_source **sources;
	size_t n_sources;
	uint32_t seq; /* of the last event */
	bool past;    /* rows of a history come, which is bounded itself: all have room */
	struct buf out;
};

/* What is told of the rows before they come. */
struct rows_meaning {
	struct wire_about about;
	const struct gadget_source *const *sources;
	size_t n_sources;
	bool compact;
	const struct clock_base *clock;
};

/* The GadgetInfo alone, appended. */
void rows_describe(const struct rows_meaning *m, struct buf *out);

void rows_start(struct rows *r, struct grpc_served *call, const struct rows_meaning *m);
void rows_done(struct rows *r); /* zeroed is fine */

/* False: it was lost. */
bool rows_row(struct rows *r, unsigned int source, const struct row *row);
bool rows_table_end(struct rows *r, unsigned int source); /* the same, of the table */
void rows_table_drop(struct rows *r, unsigned int source); /* forgets it instead */

/* Records were lost before they came here; c: NULL where it is not known whose. */
struct container;
void rows_lost(struct rows *r, unsigned int source, const struct container *c, uint64_t count);

/* The times of what follows are by this clock. */
void rows_clock(struct rows *r, const struct clock_base *clock);

/* A line for the client's log: the severity as the ecosystem's clients number it. */
enum rows_severity { ROWS_ERROR = 2, ROWS_WARNING = 3, ROWS_INFO = 4, ROWS_DEBUG = 5 };
void rows_log(struct rows *r, enum rows_severity severity, const char *text);
