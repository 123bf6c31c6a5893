// SPDX-License-Identifier: Apache-2.0
/* net/grpc_server, grpc_served, grpc_queue: by our own client, and by frames that no client sends.
 */
#include "net/grpc_server.h"

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "h2_frames.h"
#include "net/grpc.h"
#include "net/grpc_queue.h"
#include "net/grpc_wire.h"
#include "net/unix.h"

#define MS 1000000ull
#define MAX_MESSAGE 100

/* ---- the server ------------------------------------------------------------------ */

/* What one call has come to; also what its callbacks do. */
struct served {
	struct lab *lab;
	struct grpc_served *call;
	struct buf messages; /* each with a comma behind */
	unsigned int half_closed, drained, gone;
	void (*then)(struct served *s); /* at each message, half_closed and drained */
	void (*at_gone)(struct served *s);
};

struct lab {
	struct reactor *reactor;
	struct grpc_server *server;
	char path[64];
	struct buf warnings;
	unsigned int shut;
	struct served calls[200];
	size_t n_calls;
	void (*at_begin)(struct served *s);
	void (*then)(struct served *s);
	void (*at_gone)(struct served *s);
};

static void on_message(void *ctx, struct grpc_served *call, const void *bytes, size_t len)
{
	struct served *s = ctx;

	assert_ptr_equal(call, s->call);
	assert_int_equal(s->gone, 0);
	buf_add(&s->messages, bytes, len);
	buf_char(&s->messages, ',');
	if (s->then)
		s->then(s);
}

static void on_half_closed(void *ctx, struct grpc_served *call)
{
	struct served *s = ctx;

	assert_int_equal(s->gone, 0);
	s->half_closed++;
	if (s->then)
		s->then(s);
}

static void on_drained(void *ctx, struct grpc_served *call)
{
	struct served *s = ctx;

	s->drained++;
	if (s->then)
		s->then(s);
}

static void on_gone(void *ctx, struct grpc_served *call)
{
	struct served *s = ctx;

	s->gone++;
	if (s->at_gone)
		s->at_gone(s);
}

static void begin(void *ctx, struct grpc_served *call)
{
	static const struct grpc_served_events events = {on_message, on_half_closed, on_drained,
							 on_gone};
	struct lab *l = ctx;
	struct served *s = &l->calls[l->n_calls++];

	assert_true(l->n_calls < array_size(l->calls));
	*s = (struct served){
		.lab = l,
		.call = call,
		.messages = {.max = 1 << 20},
		.then = l->then,
		.at_gone = l->at_gone,
	};
	grpc_served_start(call, &events, s);
	if (l->at_begin)
		l->at_begin(s);
}

static void forget(void *ctx, struct grpc_served *call)
{
}

static int echo(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	if (len == 4 && !memcmp(bytes, "fail", 4))
		return err_set(err, -EEXIST, "100%% of\n\u00e4 is there");
	if (len == 4 && !memcmp(bytes, "mute", 4))
		return -EACCES;
	buf_add(reply, bytes, len);
	return 0;
}

static const struct grpc_method methods[] = {
	{"/t.T/Echo", .unary = echo},
	{"/t.T/Call", .begin = begin},
	{NULL},
};
static const struct grpc_method others[] = {{"/t.O/Forget", .begin = forget}, {NULL}};

static void on_warning(void *ctx, const char *text)
{
	struct lab *l = ctx;

	buf_printf(&l->warnings, "%s\n", text);
}

static void setup_with(struct lab *l, size_t max_connections)
{
	const struct grpc_server_options o = {MAX_MESSAGE, max_connections, on_warning, l};
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	*l = (struct lab){.warnings = {.max = 1 << 20}};
	snprintf(l->path, sizeof(l->path), "/tmp/test_grpc_server.%d", getpid());
	unlink(l->path);
	strcpy(at.sun_path, l->path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 100), 0);
	assert_int_equal(reactor_new(&l->reactor, NULL), 0);
	assert_int_equal(grpc_server_new(l->reactor, &o, &l->server, NULL), 0);
	assert_int_equal(grpc_server_listen(l->server, fd, NULL, NULL), 0);
	grpc_server_add(l->server, methods, l);
	grpc_server_add(l->server, others, l);
}

static void setup(struct lab *l)
{
	setup_with(l, 0);
}

static void teardown(struct lab *l)
{
	grpc_server_free(l->server);
	reactor_free(l->reactor);
	unlink(l->path);
	buf_done(&l->warnings);
	for (size_t i = 0; i < l->n_calls; i++)
		buf_done(&l->calls[i].messages);
}

static void dispatch(struct lab *l)
{
	struct pollfd p = {.fd = reactor_fd(l->reactor), .events = POLLIN};

	while (poll(&p, 1, 0) == 1)
		reactor_dispatch(l->reactor);
}

static void wait_until(struct lab *l, const unsigned int *what)
{
	struct pollfd p = {.fd = reactor_fd(l->reactor), .events = POLLIN};

	while (!*what) {
		assert_int_equal(poll(&p, 1, 5000), 1);
		reactor_dispatch(l->reactor);
	}
	dispatch(l);
}

/* ---- our own client -------------------------------------------------------------- */

struct asked {
	struct grpc_call *call;
	unsigned int done;
	enum grpc_status status;
	char text[300];
	struct buf messages;
};

static void on_answer(void *ctx, const void *bytes, size_t len)
{
	struct asked *a = ctx;

	buf_add(&a->messages, bytes, len);
	buf_char(&a->messages, ',');
}

static void on_done(void *ctx, const struct grpc_reply *reply)
{
	struct asked *a = ctx;

	a->done++;
	a->status = reply->status;
	snprintf(a->text, sizeof(a->text), "%s", reply->text);
	if (reply->bytes)
		on_answer(a, reply->bytes, reply->len);
}

static struct grpc_channel *join(struct lab *l)
{
	struct grpc_channel *ch;
	int fd = unix_connect_path(l->path);

	assert_true(fd >= 0);
	assert_int_equal(grpc_channel_new(l->reactor, fd, NULL, &ch, NULL), 0);
	return ch;
}

static void ask(struct grpc_channel *ch, struct asked *a, const char *method, const char *message)
{
	const struct grpc_request q = {.method = method, .bytes = message, .len = strlen(message)};

	*a = (struct asked){.messages = {.max = 8 << 20}};
	a->call = grpc_call_unary(ch, &q, on_done, a);
}

static void open_call(struct grpc_channel *ch, struct asked *a, uint64_t deadline_ns)
{
	const struct grpc_request q = {.method = "/t.T/Call", .deadline_ns = deadline_ns};

	*a = (struct asked){.messages = {.max = 8 << 20}};
	a->call = grpc_call_open(ch, &q, on_answer, on_done, a);
}

static void expect(struct lab *l, struct asked *a, enum grpc_status status, const char *text)
{
	wait_until(l, &a->done);
	if (a->status != status || strcmp(a->text, text) != 0)
		print_error("%s '%s', not %s '%s'\n", grpc_status_name(a->status), a->text,
			    grpc_status_name(status), text);
	assert_int_equal(a->status, status);
	assert_string_equal(a->text, text);
	buf_done(&a->messages);
}

static void test_unary(void **state)
{
	char too_long[MAX_MESSAGE + 2] = {0};
	struct grpc_channel *ch;
	struct asked a;
	struct lab l;

	memset(too_long, 'x', MAX_MESSAGE + 1);
	setup(&l);
	ch = join(&l);
	ask(ch, &a, "/t.T/Echo", "hello");
	wait_until(&l, &a.done);
	assert_string_equal(buf_cstr(&a.messages), "hello,");
	expect(&l, &a, GRPC_OK, "");
	ask(ch, &a, "/t.T/Echo", "");
	expect(&l, &a, GRPC_OK, "");
	ask(ch, &a, "/t.T/Echo", "fail");
	expect(&l, &a, GRPC_ALREADY_EXISTS, "100% of\n\u00e4 is there");
	ask(ch, &a, "/t.T/Echo", "mute");
	expect(&l, &a, GRPC_PERMISSION_DENIED, "Permission denied");
	ask(ch, &a, "/t.T/Ech", "x");
	expect(&l, &a, GRPC_UNIMPLEMENTED, "no such method");
	ask(ch, &a, "/t.O/Forget", "x");
	expect(&l, &a, GRPC_INTERNAL, "the method was not begun");
	ask(ch, &a, "/t.T/Echo", too_long + 1);
	expect(&l, &a, GRPC_OK, "");
	ask(ch, &a, "/t.T/Echo", too_long);
	expect(&l, &a, GRPC_RESOURCE_EXHAUSTED, "the message is too long");
	assert_int_equal(grpc_server_connections(l.server), 1);
	grpc_channel_free(ch);
	dispatch(&l);
	assert_int_equal(grpc_server_connections(l.server), 0);
	assert_int_equal(l.warnings.len, 0);
	teardown(&l);
}

/* ---- calls that stream ----------------------------------------------------------- */

static void test_both_ways(void **state)
{
	struct grpc_channel *ch;
	struct served *s;
	struct asked a;
	struct lab l;

	setup(&l);
	ch = join(&l);
	open_call(ch, &a, 0);
	dispatch(&l);
	s = &l.calls[0];
	assert_int_equal(l.n_calls, 1);
	grpc_call_send(a.call, "one", 3);
	dispatch(&l);
	grpc_call_send(a.call, "", 0);
	grpc_call_send(a.call, "two", 3);
	dispatch(&l);
	assert_string_equal(buf_cstr(&s->messages), "one,,two,");
	grpc_served_send(s->call, "eins", 4);
	dispatch(&l);
	assert_string_equal(buf_cstr(&a.messages), "eins,");
	assert_int_equal(grpc_served_queued(s->call), 0);
	assert_int_equal(s->half_closed, 0);
	grpc_call_half_close(a.call);
	grpc_call_send(a.call, "late", 4);
	dispatch(&l);
	assert_int_equal(s->half_closed, 1);
	assert_string_equal(buf_cstr(&s->messages), "one,,two,");
	grpc_served_send(s->call, "zwei", 4);
	grpc_served_finish(s->call, GRPC_OK, NULL);
	wait_until(&l, &a.done);
	assert_string_equal(buf_cstr(&a.messages), "eins,zwei,");
	expect(&l, &a, GRPC_OK, "");
	assert_int_equal(s->gone, 0);
	grpc_channel_free(ch);
	teardown(&l);
}

static void finish_busy(struct served *s)
{
	grpc_served_send(s->call, "no", 2);
	grpc_served_finish(s->call, GRPC_FAILED_PRECONDITION, "busy");
}

/* The end comes before the client has said all. */
static void test_early_end(void **state)
{
	struct grpc_channel *ch;
	struct asked a, next;
	struct lab l;

	for (int at_begin = 0; at_begin < 2; at_begin++) {
		setup(&l);
		if (at_begin)
			l.at_begin = finish_busy;
		else
			l.then = finish_busy;
		ch = join(&l);
		open_call(ch, &a, 0);
		for (int i = 0; i < 10; i++)
			grpc_call_send(a.call, "message", 7);
		wait_until(&l, &a.done);
		assert_string_equal(buf_cstr(&a.messages), "no,");
		assert_string_equal(buf_cstr(&l.calls[0].messages), at_begin ? "" : "message,");
		expect(&l, &a, GRPC_FAILED_PRECONDITION, "busy");
		assert_int_equal(l.calls[0].gone + l.calls[0].half_closed, 0);
		ask(ch, &next, "/t.T/Echo", "next");
		expect(&l, &next, GRPC_OK, "");
		grpc_channel_free(ch);
		teardown(&l);
	}
}

static void test_gone(void **state)
{
	struct grpc_channel *ch;
	struct asked a, b;
	struct lab l;

	setup(&l);
	ch = join(&l);
	/* cancelled */
	open_call(ch, &a, 0);
	dispatch(&l);
	grpc_call_cancel(a.call);
	dispatch(&l);
	assert_int_equal(l.calls[0].gone, 1);
	/* its deadline */
	open_call(ch, &a, 30 * MS);
	dispatch(&l);
	wait_until(&l, &l.calls[1].gone);
	wait_until(&l, &a.done);
	assert_int_equal(a.status, GRPC_DEADLINE_EXCEEDED);
	/* the connection, with one that has finished but has not been sent */
	open_call(ch, &a, 0);
	open_call(ch, &b, 0);
	dispatch(&l);
	grpc_served_send(l.calls[3].call, "x", 1);
	grpc_served_finish(l.calls[3].call, GRPC_OK, NULL);
	grpc_channel_free(ch);
	dispatch(&l);
	assert_int_equal(l.calls[2].gone, 1);
	assert_int_equal(l.calls[3].gone, 0);
	assert_int_equal(grpc_server_connections(l.server), 0);
	/* the server's end */
	ch = join(&l);
	open_call(ch, &a, 0);
	dispatch(&l);
	l.server = grpc_server_free(l.server);
	assert_int_equal(l.calls[4].gone, 1);
	expect(&l, &a, GRPC_UNAVAILABLE, "the peer closed the connection");
	grpc_channel_free(ch);
	teardown(&l);
}

/* ---- callbacks that do things ---------------------------------------------------- */

static void free_server(struct served *s)
{
	s->lab->server = grpc_server_free(s->lab->server);
}

static void test_callbacks_that_free(void **state)
{
	for (int i = 0; i < 3; i++) {
		struct grpc_channel *ch, *other;
		struct asked a, b, c;
		struct lab l;

		setup(&l);
		ch = join(&l);
		other = join(&l);
		open_call(other, &c, 0);
		dispatch(&l);
		l.at_begin = i == 0 ? free_server : NULL;
		l.then = i == 1 ? free_server : NULL;
		l.at_gone = i == 2 ? free_server : NULL;
		open_call(ch, &a, 0);
		open_call(ch, &b, 0);
		grpc_call_send(a.call, "x", 1);
		grpc_call_send(a.call, "y", 1);
		dispatch(&l);
		if (i == 2) {
			grpc_channel_free(ch);
			dispatch(&l);
		}
		assert_null(l.server);
		for (size_t n = 0; n < l.n_calls; n++)
			assert_int_equal(l.calls[n].gone, 1);
		dispatch(&l);
		if (i != 2)
			grpc_channel_free(ch);
		grpc_channel_free(other);
		assert_int_equal(a.done + b.done + c.done, 3);
		teardown(&l);
	}
}

/* ---- what is queued -------------------------------------------------------------- */

enum { PIECE = 10000, PIECES = 2000, FULL = 20 * PIECE };

static unsigned int pieces_sent;

static void send_pieces(struct served *s)
{
	static const char piece[PIECE];

	while (pieces_sent < PIECES && grpc_served_queued(s->call) < FULL) {
		grpc_served_send(s->call, piece, PIECE);
		pieces_sent++;
	}
	if (pieces_sent == PIECES)
		grpc_served_finish(s->call, GRPC_OK, NULL);
}

static void send_pieces_from_now(struct served *s)
{
	s->then = s->half_closed ? send_pieces : s->then;
	if (s->half_closed)
		send_pieces(s);
}

static void count(void *ctx, const void *bytes, size_t len)
{
	unsigned int *n = ctx;

	++*n;
	assert_int_equal(len, PIECE);
}

static void note_done(void *ctx, const struct grpc_reply *reply)
{
	unsigned int *n = ctx;

	assert_int_equal(reply->status, GRPC_OK);
	*n += 1000000;
}

static void test_drained(void **state)
{
	const struct grpc_request q = {.method = "/t.T/Call", .bytes = "x", .len = 1};
	struct pollfd p = {.events = POLLIN};
	struct grpc_channel *ch;
	unsigned int n = 0;
	struct lab l;

	setup(&l);
	pieces_sent = 0;
	l.then = send_pieces_from_now;
	ch = join(&l);
	grpc_call_stream(ch, &q, count, note_done, &n);
	p.fd = reactor_fd(l.reactor);
	while (n < 1000000) {
		assert_int_equal(poll(&p, 1, 5000), 1);
		reactor_dispatch(l.reactor);
	}
	assert_int_equal(n, 1000000 + PIECES);
	assert_true(l.calls[0].drained > 10);
	grpc_channel_free(ch);
	teardown(&l);
}

static void test_queue(void **state)
{
	uint8_t to[10];
	struct grpc_queue q;
	uint32_t flags = 0;
	size_t taken = 0;

	grpc_queue_init(&q);
	assert_int_equal(grpc_queue_read(&q, to, 10, &flags), NGHTTP2_ERR_DEFERRED);
	for (int i = 0; i < 1000; i++) {
		grpc_queue_put(&q, "1234567890", 10);
		taken += (size_t)grpc_queue_read(&q, to, 10, &flags);
	}
	assert_int_equal(taken, 10000);
	assert_int_equal(grpc_queue_left(&q), 5000);
	assert_true(q.bytes.room < 32768);
	grpc_queue_close(&q);
	while (!(flags & NGHTTP2_DATA_FLAG_EOF))
		assert_int_equal(grpc_queue_read(&q, to, 10, &flags), 10);
	assert_int_equal(grpc_queue_left(&q), 0);
	grpc_queue_done(&q);
}

/* ---- shutdown -------------------------------------------------------------------- */

static void on_shut(void *ctx)
{
	struct lab *l = ctx;

	l->shut++;
}

static void test_shutdown(void **state)
{
	struct grpc_channel *ch, *idle;
	struct asked a, late;
	struct lab l;

	setup(&l);
	ch = join(&l);
	idle = join(&l);
	open_call(ch, &a, 0);
	dispatch(&l);
	assert_int_equal(grpc_server_connections(l.server), 2);
	grpc_server_shutdown(l.server, 60000 * MS, on_shut, &l);
	assert_true(unix_connect_path(l.path) < 0);
	dispatch(&l);
	grpc_channel_free(idle);
	ask(ch, &late, "/t.T/Echo", "x");
	wait_until(&l, &late.done);
	assert_int_equal(late.status, GRPC_UNAVAILABLE);
	assert_int_equal(l.shut, 0);
	grpc_served_send(l.calls[0].call, "last", 4);
	grpc_served_finish(l.calls[0].call, GRPC_OK, NULL);
	wait_until(&l, &a.done);
	assert_string_equal(buf_cstr(&a.messages), "last,");
	expect(&l, &a, GRPC_OK, "");
	wait_until(&l, &l.shut);
	assert_int_equal(grpc_server_connections(l.server), 0);
	grpc_channel_free(ch);
	assert_int_equal(l.shut, 1);
	teardown(&l);

	/* Nobody is there; somebody stays. */
	setup(&l);
	grpc_server_shutdown(l.server, 60000 * MS, on_shut, &l);
	assert_int_equal(l.shut, 0);
	wait_until(&l, &l.shut);
	teardown(&l);
	setup(&l);
	ch = join(&l);
	open_call(ch, &a, 0);
	dispatch(&l);
	grpc_server_shutdown(l.server, 20 * MS, on_shut, &l);
	wait_until(&l, &l.shut);
	assert_int_equal(l.calls[0].gone, 0);
	l.server = grpc_server_free(l.server);
	assert_int_equal(l.calls[0].gone, 1);
	grpc_channel_free(ch);
	teardown(&l);
}

/* ---- clients of raw bytes -------------------------------------------------------- */

#define REQUEST(path) ":method: POST\n:scheme: http\n:path: " path "\n:authority: a\n"
#define GRPC "content-type: application/grpc\n"
#define ECHO REQUEST("/t.T/Echo") GRPC
#define CALL REQUEST("/t.T/Call") GRPC

struct raw {
	struct lab *lab;
	int fd;
	struct buf out, in;
	bool closed;
};

static void raw_open(struct lab *l, struct raw *w)
{
	*w = (struct raw){.lab = l, .out = {.max = 16 << 20}, .in = {.max = 16 << 20}};
	w->fd = unix_connect_path(l->path);
	assert_true(w->fd >= 0);
	buf_str(&w->out, NGHTTP2_CLIENT_MAGIC);
	put_settings(&w->out);
}

static void raw_close(struct raw *w)
{
	close(w->fd);
	buf_done(&w->out);
	buf_done(&w->in);
	dispatch(w->lab);
}

static void raw_read(struct raw *w)
{
	char bytes[4096];
	ssize_t n;

	dispatch(w->lab);
	while ((n = recv(w->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		buf_add(&w->in, bytes, (size_t)n);
		dispatch(w->lab);
	}
	w->closed = !n || errno != EAGAIN;
}

/* Sends what is in `out`; deaf: and reads nothing. */
static void raw_send(struct raw *w, bool deaf)
{
	size_t done = 0;

	while (done < w->out.len) {
		ssize_t n = send(w->fd, w->out.data + done, w->out.len - done,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN) {
			w->closed = true;
			break;
		}
		done += n < 0 ? 0 : (size_t)n;
		dispatch(w->lab);
		if (!deaf)
			raw_read(w);
	}
	buf_clear(&w->out);
	if (!deaf)
		raw_read(w);
}

/* The headers that came on a stream, as text, "END" behind the last. */
static void raw_headers(struct raw *w, uint8_t stream, struct buf *ret)
{
	const uint8_t *at = (const uint8_t *)w->in.data, *end = at + w->in.len;
	nghttp2_hd_inflater *inflater;

	assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
	for (size_t n; at + 9 <= end; at += 9 + n) {
		const uint8_t *block = at + 9;
		int flags = 0;
		size_t left;

		n = left = (size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2];
		if (at[3] == NGHTTP2_RST_STREAM && at[8] == stream)
			buf_printf(ret, "RESET %u\n", at[12]);
		while (at[3] == NGHTTP2_HEADERS && !(flags & NGHTTP2_HD_INFLATE_FINAL)) {
			nghttp2_nv nv;
			ssize_t used =
				nghttp2_hd_inflate_hd2(inflater, &nv, &flags, block, left, 1);

			assert_true(used >= 0);
			block += used;
			left -= (size_t)used;
			if (flags & NGHTTP2_HD_INFLATE_EMIT && at[8] == stream)
				buf_printf(ret, "%s: %s\n", nv.name, nv.value);
		}
		nghttp2_hd_inflate_end_headers(inflater);
		if (at[3] == NGHTTP2_HEADERS && at[8] == stream && at[4] & NGHTTP2_FLAG_END_STREAM)
			buf_str(ret, "END\n");
	}
	nghttp2_hd_inflate_del(inflater);
}

#define M(text) "\0\0\0\0" text
#define HEAD ":status: 200\ncontent-type: application/grpc\ngrpc-accept-encoding: identity\n"
#define SAYS(status, message) "grpc-status: " status "\ngrpc-message: " message "\n"
#define REFUSED(status, message) HEAD SAYS(status, message) "END\n"

static const struct request {
	const char *headers, *bytes;
	size_t n;
	const char *answer;
} requests[] = {
	{ECHO, M("\2hi"), 7, HEAD "grpc-status: 0\nEND\n"},
	{ECHO "grpc-timeout: 99999999H\n", M("\2hi"), 7, HEAD "grpc-status: 0\nEND\n"},
	{ECHO, M("\4fail"), 9, REFUSED("6", "100%25 of%0A%C3%A4 is there")},
	/* not one whole message */
	{ECHO, "", 0, REFUSED("12", "no message is sent")},
	{ECHO, M("\1x") M("\1y"), 12, REFUSED("12", "more than one message is sent")},
	{ECHO, M("\2x"), 6, REFUSED("13", "the last message is cut")},
	{ECHO, "\0\0", 2, REFUSED("13", "the last message is cut")},
	{ECHO, "\1\0\0\0\1x", 6, REFUSED("12", "messages must not be compressed")},
	{ECHO, M("\x65"), 5, REFUSED("8", "the message is too long")},
	{ECHO, "\0\xff\xff\xff\xff", 5, REFUSED("8", "the message is too long")},
	{CALL, "\1\0\0\0\1x", 6, REFUSED("12", "messages must not be compressed")},
	/* headers */
	{REQUEST("/t.T/Nothing") GRPC, M("\0"), 5, REFUSED("12", "no such method")},
	{REQUEST("") GRPC, M("\0"), 5, "RESET 1\n"},
	{REQUEST("/t.T/Echo"), M("\0"), 5,
	 ":status: 415\ncontent-type: application/grpc\ngrpc-accept-encoding: identity\n" SAYS(
		 "13", "gRPC's content-type is application/grpc") "END\n"},
	{REQUEST("/t.T/Echo") "content-type: application/grpc-web\n", M("\0"), 5,
	 ":status: 415\ncontent-type: application/grpc\ngrpc-accept-encoding: identity\n" SAYS(
		 "13", "gRPC's content-type is application/grpc") "END\n"},
	{":method: GET\n:scheme: http\n:path: /t.T/Echo\n:authority: a\n" GRPC, M("\0"), 5,
	 ":status: 405\ncontent-type: application/grpc\ngrpc-accept-encoding: identity\n" SAYS(
		 "13", "gRPC's method is POST") "END\n"},
	{ECHO "grpc-timeout: 1\n", M("\0"), 5, REFUSED("3", "grpc-timeout is malformed")},
	{ECHO "grpc-timeout: 1x\n", M("\0"), 5, REFUSED("3", "grpc-timeout is malformed")},
	{ECHO "grpc-timeout: 123456789S\n", M("\0"), 5, REFUSED("3", "grpc-timeout is malformed")},
	{CALL "grpc-timeout: 0S\n", M("\0"), 5, REFUSED("4", "the client's deadline has passed")},
	{"a: b\n", M("\0"), 5, "RESET 1\n"},
	{ECHO "Upper: x\n", M("\0"), 5, "RESET 1\n"},
};

static void raw_expect(struct raw *w, uint8_t stream, const char *answer)
{
	_cleanup_(buf_done) struct buf got = {.max = 1 << 20};
	struct pollfd p = {.fd = reactor_fd(w->lab->reactor), .events = POLLIN};

	for (;;) {
		raw_read(w);
		buf_clear(&got);
		raw_headers(w, stream, &got);
		if (strstr(buf_cstr(&got), "END") || strstr(buf_cstr(&got), "RESET"))
			break;
		assert_int_equal(poll(&p, 1, 5000), 1);
	}
	if (strncmp(buf_cstr(&got), answer, strlen(answer)) != 0)
		print_error("%s\nis not\n%s", buf_cstr(&got), answer);
	assert_int_equal(strncmp(buf_cstr(&got), answer, strlen(answer)), 0);
}

static void test_requests(void **state)
{
	for (size_t i = 0; i < 2 * array_size(requests); i++) {
		const struct request *q = &requests[i / 2];
		bool bytewise = i % 2;
		struct raw w;
		struct lab l;

		setup(&l);
		raw_open(&l, &w);
		put_headers(&w.out, 1, q->headers, false);
		for (size_t at = 0; bytewise && at < q->n; at++)
			put_frame(&w.out, NGHTTP2_DATA, 0, 1, q->bytes + at, 1);
		put_frame(&w.out, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 1, q->bytes,
			  bytewise ? 0 : q->n);
		raw_send(&w, false);
		raw_expect(&w, 1, q->answer);
		assert_false(w.closed);
		put_headers(&w.out, 3, ECHO, false);
		put_message(&w.out, 3, "next");
		put_frame(&w.out, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, 3, NULL, 0);
		raw_send(&w, false);
		raw_expect(&w, 3, HEAD "grpc-status: 0\nEND\n");
		raw_close(&w);
		assert_int_equal(grpc_server_connections(l.server), 0);
		teardown(&l);
	}
}

/* Who has not said all when the answer ends is told to stop. */
static void test_stop_sending(void **state)
{
	struct raw w;
	struct lab l;

	setup(&l);
	l.at_begin = finish_busy;
	raw_open(&l, &w);
	put_headers(&w.out, 1, CALL, false);
	raw_send(&w, false);
	raw_expect(&w, 1, HEAD SAYS("9", "busy") "END\nRESET 0\n");
	put_message(&w.out, 1, "unheard");
	raw_send(&w, false);
	assert_false(w.closed);
	assert_int_equal(l.calls[0].messages.len, 0);
	raw_close(&w);
	teardown(&l);
}

/* The peer's window is shut: what is queued waits, and goes with the call. */
static void test_no_window(void **state)
{
	static const char no_window[] = {0, NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0, 0, 0, 0};
	struct raw w;
	struct lab l;

	setup(&l);
	raw_open(&l, &w);
	put_frame(&w.out, NGHTTP2_SETTINGS, 0, 0, no_window, sizeof(no_window));
	put_headers(&w.out, 1, CALL, false);
	put_headers(&w.out, 3, CALL "grpc-timeout: 20m\n", false);
	raw_send(&w, false);
	assert_int_equal(l.n_calls, 2);
	grpc_served_send(l.calls[0].call, "waits", 5);
	grpc_served_send(l.calls[1].call, "waits", 5);
	raw_read(&w);
	assert_int_equal(grpc_served_queued(l.calls[0].call), 10);
	wait_until(&l, &l.calls[1].gone);
	put_reset(&w.out, 1, NGHTTP2_CANCEL);
	raw_send(&w, false);
	assert_int_equal(l.calls[0].gone, 1);
	raw_close(&w);
	teardown(&l);
}

static void test_too_many_calls(void **state)
{
	struct raw w;
	struct lab l;

	setup(&l);
	raw_open(&l, &w);
	put_frame(&w.out, NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, NULL, 0);
	for (uint32_t i = 0; i < MAX_SERVED_CALLS; i++)
		put_headers(&w.out, 1 + 2 * i, CALL, false);
	raw_send(&w, false);
	assert_int_equal(l.n_calls, MAX_SERVED_CALLS);
	put_headers(&w.out, 1 + 2 * MAX_SERVED_CALLS, CALL, false);
	raw_send(&w, false);
	assert_int_equal(l.n_calls, MAX_SERVED_CALLS);
	raw_close(&w);
	for (size_t i = 0; i < l.n_calls; i++)
		assert_int_equal(l.calls[i].gone, 1);
	teardown(&l);
}

static void test_too_many_clients(void **state)
{
	struct raw clients[5];
	struct lab l;

	setup_with(&l, 3);
	for (int i = 0; i < 5; i++) {
		raw_open(&l, &clients[i]);
		raw_send(&clients[i], false);
		assert_int_equal(clients[i].closed, i >= 3);
	}
	assert_int_equal(grpc_server_connections(l.server), 3);
	assert_string_equal(buf_cstr(&l.warnings), "more than 3 clients: one more is sent away\n");
	raw_close(&clients[0]);
	raw_open(&l, &clients[0]);
	raw_send(&clients[0], false);
	assert_false(clients[0].closed);
	for (int i = 0; i < 5; i++)
		raw_close(&clients[i]);
	assert_int_equal(grpc_server_connections(l.server), 0);
	teardown(&l);
}

/* Answers that a deaf client makes us owe are bounded: it is cut off. */
static void put_ping(struct buf *b, uint32_t i)
{
	put_frame(b, NGHTTP2_PING, 0, 0, "12345678", 8);
}

static void put_empty_settings(struct buf *b, uint32_t i)
{
	put_settings(b);
}

static void put_call_and_reset(struct buf *b, uint32_t i)
{
	put_headers(b, 3 + 2 * i, REQUEST("/t.T/Nothing") GRPC, true);
	put_reset(b, 3 + 2 * i, NGHTTP2_CANCEL);
}

static void put_bad_call(struct buf *b, uint32_t i)
{
	put_headers(b, 3 + 2 * i, "a: b\n", true);
}

static void put_empty_data(struct buf *b, uint32_t i)
{
	put_frame(b, NGHTTP2_DATA, 0, 3 + 2 * i, NULL, 0);
}

static const struct flood {
	void (*put)(struct buf *b, uint32_t i);
	bool deaf;
} floods[] = {
	{put_ping, true},	    {put_empty_settings, true},
	{put_call_and_reset, true}, {put_call_and_reset, false},
	{put_bad_call, true},	    {put_empty_data, false},
};

static void test_floods(void **state)
{
	for (size_t i = 0; i < array_size(floods); i++) {
		struct raw w;
		struct lab l;
		uint32_t n = 0;

		setup(&l);
		raw_open(&l, &w);
		put_headers(&w.out, 1, CALL, false);
		raw_send(&w, false);
		assert_int_equal(l.n_calls, 1);
		while (!w.closed && n < 20000) {
			for (int k = 0; k < 100; k++)
				floods[i].put(&w.out, n++);
			raw_send(&w, floods[i].deaf);
		}
		raw_read(&w); /* one that was refused may have to be told first */
		if (!w.closed)
			print_error("flood %zu is borne\n", i);
		assert_true(w.closed);
		dispatch(&l);
		assert_int_equal(grpc_server_connections(l.server), 0);
		assert_int_equal(l.calls[0].gone, 1);
		assert_non_null(strstr(buf_cstr(&l.warnings), "HTTP/2: "));
		raw_close(&w);
		teardown(&l);
	}
}

static void test_header_flood(void **state)
{
	_cleanup_(buf_done) struct buf headers = {.max = 1 << 20};
	struct raw w;
	struct lab l;

	buf_str(&headers, CALL);
	for (int i = 0; i < 35; i++)
		buf_printf(&headers, "a: %02000d\n", i);
	setup(&l);
	raw_open(&l, &w);
	put_headers(&w.out, 1, buf_cstr(&headers), false);
	raw_send(&w, false);
	raw_expect(&w, 1, REFUSED("8", "the headers are too long"));
	assert_int_equal(l.n_calls, 0);
	assert_false(w.closed);
	raw_close(&w);
	teardown(&l);
}

static void test_not_http2(void **state)
{
	static const char *const scripts[] = {
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"\x16\x03\x01\x02\x02garbage that is a hello of TLS",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	};
	struct lab l;

	setup(&l);
	for (size_t i = 0; i < array_size(scripts); i++) {
		struct raw w;

		raw_open(&l, &w);
		buf_clear(&w.out);
		buf_str(&w.out, scripts[i]);
		raw_send(&w, false);
		assert_true(w.closed);
		assert_int_equal(grpc_server_connections(l.server), 0);
		assert_non_null(strstr(buf_cstr(&l.warnings), "a client's connection: HTTP/2: "));
		buf_clear(&l.warnings);
		raw_close(&w);
	}
	teardown(&l);
}

/* ---- what is written ------------------------------------------------------------- */

static void test_parse_timeout(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns;
	} good[] = {
		{"1n", 1}, {"99999999u", 99999999000}, {"5m", 5000000},
		{"0S", 0}, {"2M", 120000000000},       {"99999999H", INT64_MAX / 2},
	};
	static const char *const bad[] = {"", "1", "S", "-1S", "1s", "123456789S", "1 S", "1SS"};
	uint64_t ns;

	for (size_t i = 0; i < array_size(good); i++) {
		assert_int_equal(grpc_parse_timeout(good[i].text, strlen(good[i].text), &ns), 0);
		assert_int_equal(ns, good[i].ns);
	}
	for (size_t i = 0; i < array_size(bad); i++)
		assert_int_equal(grpc_parse_timeout(bad[i], strlen(bad[i]), &ns), -EINVAL);
}

static void test_percent(void **state)
{
	static const char text[] = "100% \u00e4\n~\x7f ok";
	_cleanup_(buf_done) struct buf out = {.max = 100}, back = {.max = 100};

	grpc_percent_encode(text, strlen(text), &out);
	assert_string_equal(buf_cstr(&out), "100%25 %C3%A4%0A~%7F ok");
	grpc_percent_decode(out.data, out.len, &back);
	assert_string_equal(buf_cstr(&back), text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unary),
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_early_end),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_callbacks_that_free),
		cmocka_unit_test(test_drained),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_shutdown),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_stop_sending),
		cmocka_unit_test(test_no_window),
		cmocka_unit_test(test_too_many_calls),
		cmocka_unit_test(test_too_many_clients),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_header_flood),
		cmocka_unit_test(test_not_http2),
		cmocka_unit_test(test_parse_timeout),
		cmocka_unit_test(test_percent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
