// SPDX-License-Identifier: Apache-2.0
/* Frames; see websocket.h. Debian has libwslay, but no static library of it. */
#include "net/websocket.h"

#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/err.h"

#define FIN 0x80
#define RESERVED 0x70 /* bits of extensions, and we ask for none */
#define MASKED 0x80

/* ---- reading --------------------------------------------------------------------- */

static bool is_control(uint8_t opcode)
{
	return opcode & 8;
}

/* Bytes of the head, as far as the first two tell. */
static unsigned int head_length(const struct websocket_reader *w)
{
	uint8_t length;

	if (w->n_head < 2)
		return 2;
	length = w->head[1] & (uint8_t)~MASKED;
	return length < 126 ? 2 : length == 126 ? 4 : 10;
}

static uint64_t payload_length(const struct websocket_reader *w)
{
	uint64_t n = 0;

	if (w->n_head == 2)
		return w->head[1] & (uint8_t)~MASKED;
	for (unsigned int i = 2; i < w->n_head; i++)
		n = n << 8 | w->head[i];
	return n;
}

/* What a server may not send (RFC 6455, 5.1, 5.2, 5.4, 5.5); NULL: it is fine. */
static const char *fault(const struct websocket_reader *w, uint64_t length)
{
	uint8_t opcode = w->head[0] & 15;

	if (w->head[0] & RESERVED || w->head[1] & MASKED)
		return "a frame has bits that nobody has asked for";
	if (length >> 63)
		return "a frame is longer than any may be";
	if (is_control(opcode))
		return opcode > WEBSOCKET_PONG		  ? "a frame is of no known kind"
		       : length > WEBSOCKET_CONTROL_BYTES ? "a control frame is too long"
		       : w->head[0] & FIN		  ? NULL
							  : "a control frame is in pieces";
	if (opcode > WEBSOCKET_BINARY)
		return "a frame is of no known kind";
	if (w->in_message != (opcode == WEBSOCKET_CONTINUATION))
		return "a message begins within another, or goes on after its end";
	return NULL;
}

static int begin_frame(struct websocket_reader *w, struct err *err)
{
	uint64_t length = payload_length(w);
	const char *what = fault(w, length);

	if (what)
		return err_set(err, -EPROTO, "WebSocket: %s", what);
	w->opcode = w->head[0] & 15;
	w->is_last = w->head[0] & FIN;
	w->left = length;
	w->in_frame = true;
	w->n_head = w->n_control = 0;
	if (!is_control(w->opcode)) {
		w->is_begun = w->is_begun && w->in_message;
		w->in_message = true;
	}
	return 0;
}

static void end_frame(struct websocket_reader *w, const struct websocket_events *events, void *ctx)
{
	w->in_frame = false;
	if (is_control(w->opcode))
		events->control(ctx, w->opcode, w->control, w->n_control);
	else if (w->is_last)
		w->in_message = false;
}

static void take_payload(struct websocket_reader *w, const uint8_t *bytes, size_t n,
			 const struct websocket_events *events, void *ctx)
{
	w->left -= n;
	if (is_control(w->opcode)) {
		memcpy(w->control + w->n_control, bytes, n);
		w->n_control += (unsigned int)n;
	} else if (n) {
		events->data(ctx, bytes, n, !w->is_begun);
		w->is_begun = true;
	}
}

int websocket_feed(struct websocket_reader *w, const void *bytes, size_t n,
		   const struct websocket_events *events, void *ctx, struct err *err)
{
	const uint8_t *at = bytes, *end = at + n;

	while (at < end) {
		if (!w->in_frame) {
			w->head[w->n_head++] = *at++;
			if (w->n_head == head_length(w) && begin_frame(w, err))
				return -EPROTO;
		} else {
			size_t piece = (size_t)(end - at);

			piece = piece < w->left ? piece : (size_t)w->left;
			take_payload(w, at, piece, events, ctx);
			at += piece;
		}
		if (w->in_frame && !w->left)
			end_frame(w, events, ctx);
	}
	return 0;
}

/* ---- writing --------------------------------------------------------------------- */

static void put_head(struct buf *out, enum websocket_opcode opcode, uint64_t length)
{
	unsigned int n = length < 126 ? 0 : length < 65536 ? 2 : 8;

	buf_char(out, (char)(FIN | opcode));
	buf_char(out, (char)(MASKED | (n == 8 ? 127 : n == 2 ? 126 : length)));
	while (n)
		buf_char(out, (char)(length >> 8 * --n));
}

/* No proxy on the way is to see bytes that somebody has chosen (RFC 6455, 10.3). */
static void put_mask(struct buf *out, uint8_t ret[4])
{
	while (getrandom(ret, 4, 0) != 4)
		;
	buf_add(out, ret, 4);
}

void websocket_put(struct buf *out, enum websocket_opcode opcode, const struct iovec *parts,
		   size_t n)
{
	size_t length = 0, at = 0;
	uint8_t mask[4];

	for (size_t i = 0; i < n; i++)
		length += parts[i].iov_len;
	if (!buf_reserve(out, length + 14))
		return;
	put_head(out, opcode, length);
	put_mask(out, mask);
	for (size_t i = 0; i < n; i++) {
		const char *bytes = parts[i].iov_base;

		for (size_t j = 0; j < parts[i].iov_len; j++, at++)
			out->data[out->len + at] = (char)(bytes[j] ^ mask[at & 3]);
	}
	out->len += length;
}
