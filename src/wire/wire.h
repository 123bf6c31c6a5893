/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Data sources and rows as messages of the package `api` (api.proto), for servers and clients
 * alike. It is what clients of the ecosystem read; what they have no word for is in annotations
 * `ig.…` (wire/internal.h lists them), by which our own client rebuilds schema and rows, so that it
 * prints the same bytes as on the node.
 *
 * A row's payload 0 is the record as it is, tail included; its fields of fixed size are members of
 * it. Texts, lists, and whatever has a readable form other than its number (g_errno, g_addr,
 * g_time …) have a payload of their own with the text; the number is then the member NAME_raw.
 * Fields of the container have a payload each, zero or empty where there is no container.
 *
 * A client that says so (igCompact of its request) gets compact rows: payload 0, and the whole
 * container as payload 1. It makes all else itself. Names of users and groups are then those of the
 * client's machine.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "columns/format.h"
#include "columns/schema.h"
#include "gadget/gadget.h"

struct err;

/* What a GadgetEvent has as payload, by its type. */
enum wire_event {
	WIRE_DATA = 0,	    /* a GadgetData or GadgetDataArray */
	WIRE_INFO = 4,	    /* a GadgetInfo */
	WIRE_LOSS = 1000,   /* ours, to clients that take compact rows: an ig.v1.Loss */
	WIRE_CLOCK = 1001,  /* as above: an ig.v1.Clock, by which the times of later rows go */
	WIRE_LOG = 1 << 16, /* from here on: a line of text, its severity in the upper 16 bits */
};

/* ---- the side that has schemas --------------------------------------------------- */

struct wire_source; /* how one data source's rows are packed; what it last packed, to be quick */

/*
 * The source's schema is referenced, its texts are copied. Containers of rows, if the schema has
 * fields of them, are struct container.
 */
struct wire_source *wire_source_new(unsigned int id, const struct gadget_source *source,
				    bool compact, const struct clock_base *clock);
struct wire_source *wire_source_free(struct wire_source *s); /* NULL is fine; returns NULL */

bool wire_source_is_table(const struct wire_source *s);

/* What is told of a gadget beside its sources. */
struct wire_about {
	const struct gadget *gadget; /* NULL: the sources are no gadget's; then name says whose */
	const char *name;
	const char *image;
	const char *id; /* of an instance or a run; NULL: none */
};

/*
 * Appends a packed GadgetInfo: name, image, parameters, sources (ids 0 … n-1, in their order), text
 * of the gadget.
 */
void wire_info_pack(const struct wire_about *about, struct wire_source *const *sources,
		    size_t n_sources, struct buf *out);

/*
 * Appends a row of a stream as a packed GadgetEvent of type 0. False, with nothing appended, where
 * it does not fit into out or is larger than any row may be (2 MiB): count it as lost.
 */
bool wire_row_pack(struct wire_source *s, const struct row *row, uint32_t seq, struct buf *out);

/*
 * Rows of a table, added one by one, then packed as one GadgetEvent, which begins the next table.
 * An event is as large as other clients take (4 MiB; compact: MAX_GRPC_MESSAGE_BYTES);
 * wire_table_add() is false for a row that does not fit: count it as lost.
 */
bool wire_table_add(struct wire_source *s, const struct row *row);
bool wire_table_pack(struct wire_source *s, uint32_t seq, struct buf *out);
void wire_table_drop(struct wire_source *s); /* forgets the rows instead */

/* ---- the side that gets them ----------------------------------------------------- */

/* A gadget as a server describes it, ours or another one. Its texts have no control characters. */
struct wire_gadget {
	char *name, *image, *doc, *id; /* "" where the server does not say */
	struct gadget_param *params;   /* as of a gadget that is here */
	size_t n_params;
	struct gadget_source *sources; /* schemas with their container's fields */
	size_t n_sources;
	struct clock_base clock; /* of the server; zero of other servers, which send dates */
	struct wire_decoder *decoder;
};

/* -EBADMSG: it is none. */
int wire_gadget_unpack(const void *bytes, size_t len, struct wire_gadget **ret, struct err *err);
struct wire_gadget *wire_gadget_free(struct wire_gadget *g); /* NULL is fine; returns NULL */

/* `same`, which schema_same() says of it, takes the place of the source's schema: a thousand
 * servers' gadgets have one. Referenced. */
void wire_gadget_share(struct wire_gadget *g, size_t source, struct schema *same);

/*
 * Rows of an event's payload, given one after the other, valid during the call; of a table followed
 * by its end. source: index into sources. A row's container is a struct container that may be
 * referenced; its version is one of this wire_gadget's own. late is not in the protocol. -EBADMSG
 * (rows before the fault were given), -ENOENT: no such source.
 */
struct wire_rows {
	void *ctx;
	void (*row)(void *ctx, unsigned int source, const struct row *row);
	void (*table_end)(void *ctx, unsigned int source); /* may be NULL */
};
int wire_rows_unpack(struct wire_gadget *g, uint32_t data_source, const void *payload, size_t len,
		     const struct wire_rows *rows, struct err *err);
