// SPDX-License-Identifier: Apache-2.0
/* What stands in the frames that tcpdump.bpf.c has taken; they stay as they are. */
#include "columns/decoder.h"
#include "summary.h"
#include "tcpdump.h"

static void decode(struct decoding *d)
{
	struct tcpdump_event *e = d->fixed;
	struct summary s;
	size_t n = 0;
	const char *frame = decoding_bytes(d, &e->frame, &n);

	summary_init(&s);
	summary_make(&s, frame, n);
	e->src = s.src;
	e->dst = s.dst;
	decoding_keep(d, &e->frame);
	decoding_text(d, &e->proto, buf_cstr(&s.proto), s.proto.len, false);
	decoding_text(d, &e->info, buf_cstr(&s.info), s.info.len, false);
	summary_done(&s);
}

static const struct decoder decoder = {.gadget = "tcpdump",
				       .source = "packets",
				       .fixed_size = sizeof(struct tcpdump_event),
				       .decode = decode};
GADGET_DECODER(&decoder);
