// SPDX-License-Identifier: Apache-2.0
/* What stands in the heads that trace_http.bpf.c has copied to where path and reason will be. */
#include "base/mem.h"
#include "columns/decoder.h"
#include "head.h"
#include "trace_http.h"

static void put(struct decoding *d, g_text *field, struct head_text t)
{
	decoding_text(d, field, t.bytes ?: "", t.n, t.cut);
}

/* Content-Length; -1: it is none. */
static int64_t length_of(struct head_text t)
{
	int64_t value = 0;

	if (!t.n || t.cut)
		return -1;
	for (size_t i = 0; i < t.n; i++) {
		if (t.bytes[i] < '0' || t.bytes[i] > '9' || value > INT64_MAX / 10 - 1)
			return -1;
		value = value * 10 + (t.bytes[i] - '0');
	}
	return value;
}

static void decode(struct decoding *d)
{
	struct http_event *e = d->fixed;
	size_t asked = 0, answered = 0;
	const char *request = decoding_bytes(d, &e->path, &asked);
	const char *answer = decoding_bytes(d, &e->reason, &answered);
	struct http_head h;

	head_read_request(request, asked, &h);
	put(d, &e->method, h.first[0]);
	put(d, &e->path, h.first[1]);
	put(d, &e->version, h.first[2]);
	put(d, &e->host, h.host);
	put(d, &e->request_type, h.content_type);
	e->request_length = length_of(h.content_length);
	head_read_answer(answer, answered, &h);
	put(d, &e->reason, h.first[2]);
	put(d, &e->content_type, h.content_type);
}

static const struct decoder decoder = {.gadget = "trace_http",
				       .source = "http",
				       .fixed_size = sizeof(struct http_event),
				       .decode = decode};
GADGET_DECODER(&decoder);
