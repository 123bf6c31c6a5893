// SPDX-License-Identifier: Apache-2.0
/* net/websocket: frames as they should be and as they should not, and a handshake over a socket
 * pair. */
#include "net/websocket.h"

#include <openssl/evp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/reactor.h"

#define MS 1000000ull

/* ---- reading --------------------------------------------------------------------- */

/* What was told: '<' begins a message, then its bytes; controls as "(9 payload)". */
static void on_data(void *ctx, const uint8_t *bytes, size_t n, bool begins)
{
	if (begins)
		buf_char(ctx, '<');
	assert_true(n > 0);
	buf_add(ctx, bytes, n);
}

static void on_control(void *ctx, enum websocket_opcode opcode, const uint8_t *bytes, size_t n)
{
	buf_printf(ctx, "(%d %.*s)", opcode, (int)n, (const char *)bytes);
}

static const struct websocket_events events = {on_data, on_control};

#define FRAMES(bytes, told)                    \
	{                                      \
		bytes, sizeof(bytes) - 1, told \
	}

static const struct {
	const char *bytes;
	size_t n;
	const char *told; /* NULL: refused */
} streams[] = {
	FRAMES("\x82\x05hello", "<hello"),
	FRAMES("\x82\x00\x82\x01x", "<x"), /* an empty message, and one that is not */
	FRAMES("\x02\x02he\x80\x03llo\x81\x01!", "<hello<!"),
	FRAMES("\x02\x00\x80\x02hi", "<hi"),
	FRAMES("\x02\x02he\x89\x04ping\x80\x01y", "<he(9 ping)y"), /* a control within a message */
	FRAMES("\x88\x02\x03\xe8", "(8 \x03\xe8)"),
	FRAMES("\x82\x7e\x00\x03"
	       "abc",
	       "<abc"), /* longer than it need be, and allowed */
	FRAMES("\x82\x7f\0\0\0\0\0\0\0\x03"
	       "abc",
	       "<abc"),
	FRAMES("\x82\x85", NULL), /* masked */
	FRAMES("\xc2\x01", NULL), /* compressed, by an extension */
	FRAMES("\x83\x01", NULL),
	FRAMES("\x8b\x00", NULL),
	FRAMES("\x80\x01", NULL), /* goes on with nothing */
	FRAMES("\x02\x01x\x82\x01", NULL),
	FRAMES("\x09\x01", NULL), /* a control in pieces */
	FRAMES("\x89\x7e\x00\x7e", NULL),
	FRAMES("\x82\x7f\x80\0\0\0\0\0\0\0", NULL),
};

static int feed(const char *bytes, size_t n, size_t step, struct buf *told)
{
	struct websocket_reader w = {0};
	struct err err = {0};
	int r = 0;

	while (n && !r) {
		size_t piece = n < step ? n : step;
		_cleanup_(freep) char *copy =
			xcalloc(1, piece); /* so that a read behind it is found */

		memcpy(copy, bytes, piece);
		r = websocket_feed(&w, copy, piece, &events, told, &err);
		bytes += piece;
		n -= piece;
	}
	assert_int_equal(!r, !err.text[0]);
	return r;
}

static void test_reading(void **state)
{
	for (size_t i = 0; i < array_size(streams); i++) {
		for (size_t step = 1; step <= streams[i].n; step++) {
			_cleanup_(buf_done) struct buf told = {.max = 1000};
			int r = feed(streams[i].bytes, streams[i].n, step, &told);

			assert_int_equal(r, streams[i].told ? 0 : -EPROTO);
			if (streams[i].told)
				assert_string_equal(buf_cstr(&told), streams[i].told);
		}
	}
}

/* ---- writing --------------------------------------------------------------------- */

/* Takes the mask off, as a server would, so that our reader takes it. */
static void unmask(struct buf *b, size_t length)
{
	size_t head = b->len - length - 4;
	char *mask = b->data + head;

	assert_true(b->data[1] & 0x80);
	for (size_t i = 0; i < length; i++)
		mask[4 + i] ^= mask[i & 3];
	b->data[1] &= 0x7f;
	memmove(mask, mask + 4, length);
	b->len -= 4;
}

static void test_writing(void **state)
{
	static const size_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, 70000};

	for (size_t i = 0; i < array_size(lengths); i++) {
		_cleanup_(buf_done) struct buf out = {.max = 200000}, told = {.max = 200000};
		_cleanup_(freep) char *bytes = xcalloc(1, lengths[i] + 1);
		const struct iovec parts[] = {
			{bytes, lengths[i] / 3},
			{bytes + lengths[i] / 3, lengths[i] - lengths[i] / 3}};

		for (size_t j = 0; j < lengths[i]; j++)
			bytes[j] = (char)('a' + j % 26);
		websocket_put(&out, WEBSOCKET_BINARY, parts, 2);
		assert_false(out.failed);
		unmask(&out, lengths[i]);
		assert_int_equal(feed(out.data, out.len, out.len, &told), 0);
		assert_int_equal(told.len, lengths[i] ? lengths[i] + 1 : 0);
		assert_memory_equal(buf_cstr(&told) + !!lengths[i], bytes, lengths[i]);
	}
}

/* ---- the handshake --------------------------------------------------------------- */

struct dialled {
	struct reactor *reactor;
	int peer;
	unsigned int calls, status;
	int fd;
	char *protocol, *body;
	struct err err;
};

static void on_dialled(void *ctx, const struct err *err, const struct websocket_answer *a)
{
	struct dialled *d = ctx;

	d->calls++;
	if (err) {
		d->err = *err;
		assert_null(a);
		return;
	}
	d->status = a->status;
	d->fd = a->fd;
	d->protocol = xstrdup(a->protocol);
	d->body = xstrndup(a->body->data ?: "", a->body->len);
}

static struct websocket_dial *begin(struct dialled *d, uint64_t deadline_ns)
{
	const struct websocket_request q = {"/exec?x=1", "v5, v4", 1000, deadline_ns};
	int fds[2];

	*d = (struct dialled){.fd = -1};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	d->peer = fds[1];
	assert_int_equal(reactor_new(&d->reactor, NULL), 0);
	return websocket_dial(d->reactor, fds[0], &q, on_dialled, d);
}

static void end(struct dialled *d)
{
	closep(&d->fd);
	close(d->peer);
	free(d->protocol);
	free(d->body);
	reactor_free(d->reactor);
}

static void run(struct dialled *d)
{
	while (!d->calls) {
		struct pollfd p = {.fd = reactor_fd(d->reactor), .events = POLLIN};

		assert_int_equal(poll(&p, 1, 5000), 1);
		reactor_dispatch(d->reactor);
	}
	assert_int_equal(d->calls, 1);
}

/* What RFC 6455 has a server answer to the key of a request. */
static char *accept_of(const char *request)
{
	const char *key = strstr(request, "Sec-WebSocket-Key: ") + strlen("Sec-WebSocket-Key: ");
	_cleanup_(freep) char *text =
		xasprintf("%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", (int)strcspn(key, "\r"), key);
	unsigned char digest[20];
	char *accept = xcalloc(1, 40);

	assert_true(EVP_Digest(text, strlen(text), digest, NULL, EVP_sha1(), NULL));
	EVP_EncodeBlock((unsigned char *)accept, digest, sizeof(digest));
	return accept;
}

/* %s: the right answer to the key. */
static void answer(struct dialled *d, const char *format)
{
	_cleanup_(freep) char *accept = NULL, *text = NULL;
	char request[2000] = "";
	char *at;

	reactor_dispatch(d->reactor);
	assert_true(recv(d->peer, request, sizeof(request) - 1, 0) > 0);
	assert_ptr_equal(strstr(request, "GET /exec?x=1 HTTP/1.1\r\nHost: localhost\r\n"), request);
	assert_non_null(strstr(request, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"));
	assert_non_null(strstr(request, "\r\nSec-WebSocket-Protocol: v5, v4\r\n\r\n"));
	accept = accept_of(request);
	text = xstrdup(format);
	at = strstr(text, "ACCEPT");
	if (at) {
		char *whole = xasprintf("%.*s%s%s", (int)(at - text), text, accept, at + 6);

		free(text);
		text = whole;
	}
	assert_int_equal(send(d->peer, text, strlen(text), 0), strlen(text));
	run(d);
}

#define SWITCH                                                                               \
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: keep-alive, " \
	"Upgrade\r\n"

/* What comes behind the head in the same packet is for who has the socket. */
static void test_connected(void **state)
{
	char byte[10] = "";
	struct dialled d;

	begin(&d, 5000 * MS);
	answer(&d,
	       SWITCH "Sec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Protocol: v4\r\n\r\nfirst");
	assert_int_equal(d.status, 101);
	assert_true(d.fd >= 0);
	assert_string_equal(d.protocol, "v4");
	assert_int_equal(recv(d.fd, byte, sizeof(byte), MSG_DONTWAIT), 5);
	assert_string_equal(byte, "first");
	end(&d);
}

static void test_refused(void **state)
{
	static const char *const broken[] = {
		SWITCH "\r\n",
		SWITCH "Sec-WebSocket-Accept: bm9wZQ==\r\n\r\n",
		SWITCH "Sec-WebSocket-Accept: ACCEPT\r\nSec-WebSocket-Protocol: v3\r\n\r\n",
		"HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
		"ACCEPT\r\n\r\n",
		"SSH-2.0-OpenSSH\r\n",
	};
	struct dialled d;

	for (size_t i = 0; i < array_size(broken); i++) {
		begin(&d, 5000 * MS);
		answer(&d, broken[i]);
		assert_int_equal(d.err.code, -EBADMSG);
		end(&d);
	}
	begin(&d, 5000 * MS);
	answer(&d, "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
	assert_int_equal(d.err.code, 0);
	assert_int_equal(d.status, 403);
	assert_int_equal(d.fd, -1);
	assert_string_equal(d.body, "no");
	end(&d);
}

static void test_silent(void **state)
{
	struct dialled d;

	begin(&d, 20 * MS);
	run(&d);
	assert_int_equal(d.err.code, -ETIMEDOUT);
	end(&d);
	websocket_cancel(begin(&d, 5000 * MS));
	reactor_dispatch(d.reactor);
	assert_int_equal(d.calls, 0);
	end(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reading),	  cmocka_unit_test(test_writing),
		cmocka_unit_test(test_connected), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_silent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
