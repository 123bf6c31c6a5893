// SPDX-License-Identifier: Apache-2.0
/* net/http1: answers as they should be and as they should not, and a GET whose peer is a socket
 * pair. */
#include "net/http1.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/reactor.h"

#define MS 1000000ull
#define MAX_BODY 40
#define OK "HTTP/1.1 200 OK\r\n"
#define CHUNKED OK "Transfer-Encoding: chunked\r\n\r\n"

/* ---- the parser ------------------------------------------------------------------ */

/* The peer closes behind the bytes. */
struct answer {
	const char *bytes;
	unsigned int status;
	const char *body;
};

static const struct answer answers[] = {
	{OK "Content-Length: 5\r\n\r\nhello", 200, "hello"},
	{OK "content-length:5 \t\r\n\r\nhelloMORE", 200, "hello"},
	{"HTTP/1.0 404\nContent-Length: 2\n\nno", 404, "no"},
	{OK "Content-Length: 0\r\n\r\n", 200, ""},
	{OK "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"},
	{"HTTP/1.1 204 No Content\r\n\r\n", 204, ""},
	{"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, ""},
	{"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\nx", 200, "x"},
	{OK "Server: x\r\nEmpty:\r\nBlank:   \r\n\r\nuntil\nclose", 200, "until\nclose"},
	{CHUNKED "5\r\nhello\r\n1;a=b\r\n,\r\n0006 \r\n world\r\n0\r\n\r\n", 200, "hello, world"},
	{CHUNKED "A\n0123456789\n0\nTrailer: x\n\n", 200, "0123456789"},
	{CHUNKED "0\r\n\r\n", 200, ""},
};

static const struct {
	const char *bytes;
	int r;
} refused[] = {
	/* Too long. */
	{OK "Content-Length: 41\r\n\r\n", -EMSGSIZE},
	{OK "Content-Length: 123456789012345678\r\n\r\n", -EMSGSIZE},
	{CHUNKED "20\r\n01234567890123456789012345678901\r\n9\r\n", -EMSGSIZE},
	{CHUNKED "2fffffffffffffff\r\n", -EMSGSIZE},
	{OK "\r\n01234567890123456789012345678901234567890", -EMSGSIZE},
	/* Broken. */
	{"SSH-2.0-OpenSSH_9.2\r\n", -EBADMSG},
	{"HTTP/2.0 200 OK\r\n", -EBADMSG},
	{"HTTP/1.1  200 OK\r\n", -EBADMSG},
	{"HTTP/1.1 2000 OK\r\n", -EBADMSG},
	{"HTTP/1.1 600 Odd\r\n", -EBADMSG},
	{"HTTP/1.1 099 Odd\r\n", -EBADMSG},
	{"HTTP/1.1 101 Switching Protocols\r\n", -EBADMSG},
	{"\r\n", -EBADMSG},
	{OK "Content-Length: -1\r\n", -EBADMSG},
	{OK "Content-Length: 5, 5\r\n", -EBADMSG},
	{OK "Content-Length: 0x5\r\n", -EBADMSG},
	{OK "Content-Length:\r\n", -EBADMSG},
	{OK "Content-Length: 99999999999999999999\r\n", -EBADMSG},
	{OK "Content-Length: 1\r\nContent-Length: 2\r\n", -EBADMSG},
	{OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", -EBADMSG},
	{OK "Transfer-Encoding: gzip, chunked\r\n", -EBADMSG},
	{OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", -EBADMSG},
	{OK "no colon\r\n", -EBADMSG},
	{OK "Content-Length : 5\r\n", -EBADMSG},
	{OK "A: b\r\n folded\r\n", -EBADMSG},
	{OK ": nameless\r\n", -EBADMSG},
	{OK "A: b\rContent-Length: 5\r\n", -EBADMSG},
	{"HTTP/1.1 100 Continue\r\nContent-Length: 1\r\n\r\n", -EBADMSG},
	{CHUNKED "5\r\nhelloo\r\n", -EBADMSG},
	{CHUNKED "\r\n", -EBADMSG},
	{CHUNKED "5 hello\r\nx", -ECONNRESET}, /* may be an extension */
	{CHUNKED "-5\r\n", -EBADMSG},
	{CHUNKED "0x5\r\n", -EBADMSG},
	{CHUNKED "ffffffffffffffffff\r\n", -EBADMSG},
	/* Cut off. */
	{"", -ECONNRESET},
	{"HTTP/1.1 2", -ECONNRESET},
	{OK "Content-Le", -ECONNRESET},
	{OK "Content-Length: 5\r\n\r\nhell", -ECONNRESET},
	{CHUNKED "5\r\nhel", -ECONNRESET},
	{CHUNKED "5\r\nhello\r\n", -ECONNRESET},
	{CHUNKED "5\r\nhello\r\n0\r\n", -ECONNRESET},
};

/* Feeds `first` bytes, then `step` at a time, and closes. 1: an answer. */
static int feed(struct http1 *p, const char *bytes, size_t first, size_t step, struct err *err)
{
	size_t left = strlen(bytes), n = first;
	int r = 0;

	for (; left && !r; n = step) {
		_cleanup_(freep) char *copy = NULL; /* so that a read behind it is found */

		n = n < left ? n : left;
		copy = xstrndup(bytes, n);
		r = http1_feed(p, copy, n, err);
		bytes += n;
		left -= n;
	}
	return r ?: http1_end(p, err) ?: 1;
}

static void check(const char *bytes, int r, unsigned int status, const char *body, size_t first,
		  size_t step)
{
	struct err err = {0};
	struct http1 p;
	int got;

	http1_init(&p, MAX_BODY);
	got = feed(&p, bytes, first, step, &err);
	if (got != r)
		print_error("%s\n(%zu, then %zu at a time): %d %s\n", bytes, first, step, got,
			    err.text);
	assert_int_equal(got, r);
	assert_int_equal(err.code, r < 0 ? r : 0);
	assert_true(!err.code == !err.text[0]);
	if (r == 1) {
		assert_int_equal(p.status, status);
		assert_string_equal(buf_cstr(&p.body), body);
	}
	http1_done(&p);
}

static void check_splits(const char *bytes, int r, unsigned int status, const char *body)
{
	size_t n = strlen(bytes);

	for (size_t first = 1; first < n; first++)
		check(bytes, r, status, body, first, n);
	check(bytes, r, status, body, n, n);
	check(bytes, r, status, body, 1, 1);
}

/* Whole, cut in two at every byte, and byte by byte. */
static void test_answers(void **state)
{
	for (size_t i = 0; i < array_size(answers); i++)
		check_splits(answers[i].bytes, 1, answers[i].status, answers[i].body);
	for (size_t i = 0; i < array_size(refused); i++)
		check_splits(refused[i].bytes, refused[i].r, 0, NULL);
}

static int feed_text(struct http1 *p, const char *s, size_t n)
{
	return http1_feed(p, s, n, NULL);
}

/* Lines without end, lines without number, and lines that hold a NUL. */
static void test_header_limits(void **state)
{
	static const char line[] = "A: 1\r\n";
	char many[4096];
	struct http1 p;
	int r = 0;

	memset(many, 'x', sizeof(many));
	http1_init(&p, MAX_BODY);
	assert_int_equal(feed_text(&p, OK, strlen(OK)), 0);
	for (int i = 0; i < MAX_HTTP_HEADERS; i++)
		assert_int_equal(feed_text(&p, line, strlen(line)), 0);
	assert_int_equal(feed_text(&p, line, strlen(line)), -EBADMSG);
	http1_done(&p);

	http1_init(&p, MAX_BODY);
	for (int i = 0; i < 17 && !r; i++)
		r = feed_text(&p, many, sizeof(many));
	assert_int_equal(r, -EBADMSG);
	http1_done(&p);

	http1_init(&p, MAX_BODY); /* a chunk's size without end */
	assert_int_equal(feed_text(&p, CHUNKED "0;", strlen(CHUNKED) + 2), 0);
	for (r = 0; !r;)
		r = feed_text(&p, many, sizeof(many));
	assert_int_equal(r, -EBADMSG);
	http1_done(&p);

	http1_init(&p, MAX_BODY); /* trailers count as headers do */
	assert_int_equal(feed_text(&p, CHUNKED "0\r\n", strlen(CHUNKED) + 3), 0);
	for (r = 0; !r;)
		r = feed_text(&p, line, strlen(line));
	assert_int_equal(r, -EBADMSG);
	http1_done(&p);

	http1_init(&p, MAX_BODY);
	assert_int_equal(feed_text(&p, OK "A: \0\r\n", strlen(OK) + 6), -EBADMSG);
	http1_done(&p);
}

/* ---- over a socket --------------------------------------------------------------- */

struct get {
	struct reactor *reactor;
	int peer;
	struct http1_get *get;
	unsigned int calls, status;
	struct err err;
	struct buf body;
	struct buf parts;
	bool cancels; /* itself, from within its callback */
};

static void on_answer(void *ctx, const struct err *err, unsigned int status, struct buf *body)
{
	struct get *g = ctx;

	g->calls++;
	g->status = status;
	if (err) {
		assert_null(body);
		g->err = *err;
	} else {
		g->body = *body;
		*body = (struct buf){0};
	}
	if (g->cancels)
		assert_null(http1_cancel(g->get));
}

static void begin_path(struct get *g, uint64_t deadline_ns, const char *path)
{
	int fds[2];

	*g = (struct get){0};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	g->peer = fds[1];
	assert_int_equal(reactor_new(&g->reactor, NULL), 0);
	g->get = http1_get(g->reactor, fds[0], path, 1000, deadline_ns, on_answer, g);
	assert_int_equal(g->calls, 0);
}

static void begin(struct get *g, uint64_t deadline_ns)
{
	begin_path(g, deadline_ns, "/info");
}

static void end(struct get *g)
{
	buf_done(&g->body);
	close(g->peer);
	reactor_free(g->reactor);
}

static void say(struct get *g, const char *bytes)
{
	assert_int_equal(send(g->peer, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

static void run(struct get *g)
{
	while (!g->calls) {
		struct pollfd p = {.fd = reactor_fd(g->reactor), .events = POLLIN};

		assert_int_equal(poll(&p, 1, 5000), 1);
		reactor_dispatch(g->reactor);
	}
	reactor_dispatch(g->reactor);
	assert_int_equal(g->calls, 1);
}

static void expect_error(struct get *g, int code)
{
	run(g);
	assert_int_equal(g->err.code, code);
	assert_true(g->err.text[0]);
	assert_int_equal(g->status, 0);
	end(g);
}

static void test_get(void **state)
{
	char request[1000] = "";
	struct get g;

	begin(&g, 5000 * MS);
	reactor_dispatch(g.reactor);
	assert_true(recv(g.peer, request, sizeof(request) - 1, 0) > 0);
	assert_ptr_equal(strstr(request, "GET /info HTTP/1.1\r\nHost: "), request);
	assert_string_equal(request + strlen(request) - 4, "\r\n\r\n");
	assert_non_null(strstr(request, "\r\nConnection: close\r\n"));
	say(&g, OK "Content-Length: 5\r\n");
	reactor_dispatch(g.reactor);
	say(&g, "\r\nhello");
	run(&g);
	assert_int_equal(g.status, 200);
	assert_string_equal(buf_cstr(&g.body), "hello");
	assert_int_equal(recv(g.peer, request, sizeof(request), 0), 0); /* closed by us */
	end(&g);

	begin(&g, 5000 * MS); /* answered and closed before the request is read */
	say(&g, "HTTP/1.1 400 Bad Request\r\n\r\nno");
	shutdown(g.peer, SHUT_WR);
	run(&g);
	assert_int_equal(g.status, 400);
	assert_string_equal(buf_cstr(&g.body), "no");
	end(&g);
}

static void on_part(void *ctx, const char *bytes, size_t n)
{
	struct get *g = ctx;

	buf_add(&g->parts, bytes, n);
}

static void begin_stream(struct get *g)
{
	int fds[2];

	*g = (struct get){.parts = {.max = 1000}};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	g->peer = fds[1];
	assert_int_equal(reactor_new(&g->reactor, NULL), 0);
	g->get = http1_stream(g->reactor, fds[0], "/events", 10, on_part, on_answer, g);
}

static void test_stream(void **state)
{
	struct get g;

	begin_stream(&g);
	say(&g, CHUNKED "5\r\nhello\r\n");
	reactor_dispatch(g.reactor);
	assert_string_equal(buf_cstr(&g.parts), "hello");
	for (int i = 0; i < 10; i++) { /* more in all than a part may have */
		say(&g, "3\r\n, a\r\n");
		reactor_dispatch(g.reactor);
	}
	assert_int_equal(g.parts.len, 35);
	assert_int_equal(g.calls, 0);
	say(&g, "0\r\n\r\n");
	run(&g);
	assert_int_equal(g.status, 200);
	assert_int_equal(g.body.len, 0);
	buf_done(&g.parts);
	end(&g);

	begin_stream(&g); /* what comes with another status is no part */
	say(&g, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnone");
	run(&g);
	assert_int_equal(g.status, 404);
	assert_string_equal(buf_cstr(&g.body), "none");
	assert_int_equal(g.parts.len, 0);
	end(&g);

	begin_stream(&g);
	say(&g, CHUNKED "b\r\n");
	expect_error(&g, -EMSGSIZE);

	begin_stream(&g);
	say(&g, CHUNKED "5\r\nhel");
	reactor_dispatch(g.reactor);
	assert_string_equal(buf_cstr(&g.parts), "hel");
	buf_done(&g.parts);
	shutdown(g.peer, SHUT_RDWR);
	expect_error(&g, -ECONNRESET);

	begin_stream(&g);
	assert_null(http1_cancel(g.get));
	end(&g);
}

static void test_cut_off(void **state)
{
	struct get g;

	begin(&g, 5000 * MS);
	shutdown(g.peer, SHUT_RDWR);
	expect_error(&g, -ECONNRESET);

	begin(&g, 5000 * MS);
	say(&g, OK "Content-Length: 500\r\n\r\nhello");
	shutdown(g.peer, SHUT_WR); /* half-closed: it would still read */
	expect_error(&g, -ECONNRESET);

	begin(&g, 5000 * MS);
	shutdown(g.peer, SHUT_RD); /* the other half */
	expect_error(&g, -EPIPE);

	begin(&g, 5000 * MS);
	say(&g, "\x16\x03\x01\x02\x03garbage\n\n");
	expect_error(&g, -EBADMSG);

	begin(&g, 5000 * MS);
	say(&g, CHUNKED "fff\r\n");
	expect_error(&g, -EMSGSIZE);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* A byte now and then does not prolong it. */
static void test_slow(void **state)
{
	uint64_t start = now_ns();
	struct get g;

	begin(&g, 100 * MS);
	say(&g, OK "Content-Length: 900\r\n\r\n");
	while (!g.calls) {
		struct pollfd p = {.fd = reactor_fd(g.reactor), .events = POLLIN};

		say(&g, "x");
		poll(&p, 1, 10);
		reactor_dispatch(g.reactor);
		assert_true(now_ns() - start < 5000 * MS);
		usleep(5000);
	}
	assert_true(now_ns() - start >= 100 * MS);
	expect_error(&g, -ETIMEDOUT);

	begin(&g, 20 * MS);
	expect_error(&g, -ETIMEDOUT); /* silent */
}

static void test_paths(void **state)
{
	static const char *const bad[] = {"", "info", "/a b", "/a\r\nX: y", "/\xc3\xa4", "/\x7f"};
	char longest[9000];
	struct get g;

	for (size_t i = 0; i < array_size(bad); i++) {
		begin_path(&g, 5000 * MS, bad[i]);
		expect_error(&g, -EINVAL);
	}
	memset(longest, '/', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	begin_path(&g, 5000 * MS, longest);
	expect_error(&g, -EINVAL);
}

static void test_cancel(void **state)
{
	struct get g;
	char byte;

	begin(&g, 10 * MS);
	assert_null(http1_cancel(g.get));
	assert_int_equal(recv(g.peer, &byte, 1, 0), 0);
	usleep(20000);
	reactor_dispatch(g.reactor);
	assert_int_equal(g.calls, 0);
	end(&g);
	assert_null(http1_cancel(NULL));

	begin(&g, 5000 * MS);
	g.cancels = true;
	say(&g, OK "\r\n");
	shutdown(g.peer, SHUT_WR);
	run(&g);
	end(&g);

	g = (struct get){.peer = -1};
	assert_int_equal(reactor_new(&g.reactor, NULL), 0);
	g.get = http1_get(g.reactor, -1, "/", 10, MS, on_answer, &g); /* no descriptor at all */
	expect_error(&g, -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers), cmocka_unit_test(test_header_limits),
		cmocka_unit_test(test_get),	cmocka_unit_test(test_stream),
		cmocka_unit_test(test_cut_off), cmocka_unit_test(test_slow),
		cmocka_unit_test(test_paths),	cmocka_unit_test(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
