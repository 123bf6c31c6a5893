// SPDX-License-Identifier: Apache-2.0
/*
 * A server's bytes as frames of a WebSocket. The first byte says how many come at once; however
 * they come, what is told is the same.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "net/websocket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_data(void *ctx, const uint8_t *bytes, size_t n, bool begins)
{
	if (!n)
		abort();
	if (begins)
		buf_str(ctx, "<<");
	buf_add(ctx, bytes, n);
}

static void on_control(void *ctx, enum websocket_opcode opcode, const uint8_t *bytes, size_t n)
{
	if (opcode < WEBSOCKET_CLOSE || opcode > WEBSOCKET_PONG || n > WEBSOCKET_CONTROL_BYTES)
		abort();
	buf_printf(ctx, ">>%d", opcode);
	buf_add(ctx, bytes, n);
}

static int feed(const uint8_t *data, size_t size, size_t step, struct buf *told)
{
	static const struct websocket_events events = {on_data, on_control};
	struct websocket_reader w = {0};
	struct err err = {0};
	int r = 0;

	while (size && !r) {
		size_t n = size < step ? size : step;

		r = websocket_feed(&w, data, n, &events, told, &err);
		data += n;
		size -= n;
	}
	if (!r != !err.text[0])
		abort();
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole = {.max = 1 << 20}, pieces = {.max = 1 << 20};

	if (!size)
		return 0;
	if (feed(data + 1, size - 1, size, &whole) !=
	    feed(data + 1, size - 1, 1 + data[0] % 64u, &pieces))
		abort();
	if (whole.len != pieces.len || memcmp(buf_cstr(&whole), buf_cstr(&pieces), whole.len))
		abort();
	buf_done(&whole);
	buf_done(&pieces);
	return 0;
}
