// SPDX-License-Identifier: Apache-2.0
/*
 * A peer's bytes as an answer of HTTP/1.1. The first byte says how many come at once; however they
 * come, the outcome is the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/http1.h"

#define MAX_BODY 3000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	int r;
	struct http1 parser;
};

static void feed(struct outcome *o, const uint8_t *data, size_t size, size_t step)
{
	struct err err = {0};

	http1_init(&o->parser, MAX_BODY);
	for (o->r = 0; size && !o->r;) {
		size_t n = size < step ? size : step;

		o->r = http1_feed(&o->parser, (const char *)data, n, &err);
		data += n;
		size -= n;
	}
	if (!o->r)
		o->r = http1_end(&o->parser, &err) ?: 1;
	if (o->r < 0 && (!err.text[0] || err.code != o->r))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct outcome whole, pieces;
	const struct buf *a = &whole.parser.body, *b = &pieces.parser.body;

	if (!size)
		return 0;
	feed(&whole, data + 1, size - 1, size);
	feed(&pieces, data + 1, size - 1, 1 + data[0] % 64u);
	if (whole.r != pieces.r || whole.parser.status != pieces.parser.status)
		abort();
	if (whole.r == 1 && (a->len != b->len || (a->len && memcmp(a->data, b->data, a->len))))
		abort();
	if (a->len > MAX_BODY || (whole.r == 1 && whole.parser.status < 200))
		abort();
	http1_done(&whole.parser);
	http1_done(&pieces.parser);
	return 0;
}
