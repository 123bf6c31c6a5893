/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decoder: host code of a gadget that makes fields of bytes which its program only copied, such
 * as a packet's. It is gadgets/NAME/NAME.c (or lies beside it) and ends with GADGET_DECODER(&name);
 * the record's struct stands in a header that the program and it share.
 *
 * It is called once for each record, when that is read: columns, filters, record files and clients
 * see the fields, and never the bytes. The record that goes on is the fixed part with what texts
 * the decoder put behind it; what it does not keep is gone.
 *
 * The bytes come from whoever sent them. A decoder reads them in one pass, within their bounds,
 * and has a fuzzer (tests/fuzz).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/registry.h"
#include "columns/types.h"

struct decoding {
	const char *record; /* as the program made it, `size` bytes */
	uint32_t size;
	void *fixed; /* a copy of its fixed part: fields are filled here */
	uint32_t fixed_size;
	struct buf *tail; /* the texts behind it */
};

struct decoder {
	const char *gadget, *source; /* "trace_dns", "dns" */
	uint32_t fixed_size;	     /* of the struct: records of another are not its own */
	void (*decode)(struct decoding *d);
};

/* The bytes of a field of d->fixed, as they came; NULL where there are none. */
const char *decoding_bytes(const struct decoding *d, const g_text *field, size_t *ret_n);

/*
 * Sets a text, or (g_args) strings with a NUL behind each. `field` lies in d->fixed. cut: it is not
 * all; what finds no room in a record is cut as well.
 */
void decoding_text(struct decoding *d, g_text *field, const char *text, size_t n, bool cut);

/* The bytes of `field` go on as they are. */
void decoding_keep(struct decoding *d, g_text *field);

#define GADGET_DECODER(d) REGISTER(ig_decoders, struct decoder, d)
REGISTERED(ig_decoders, struct decoder);

/* NULL: its records need none. fixed_size: of its records. */
const struct decoder *decoder_find(const char *gadget, const char *source, uint32_t fixed_size);

/*
 * Puts the decoded record into `out`, which is emptied first; tail is its working memory. False:
 * the record is too short to be one, and stays as it is.
 */
bool decoder_run(const struct decoder *decoder, const void *record, uint32_t size, struct buf *out,
		 struct buf *tail);
