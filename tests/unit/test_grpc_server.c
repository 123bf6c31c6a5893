// SPDX-License-Identifier: Apache-2.0
/* net/grpc_server, grpc_served, grpc_queue: by our own client. */
#include "net/grpc_server.h"

#include "grpc_lab.h"
#include "net/grpc.h"
#include "net/grpc_queue.h"
#include "net/grpc_wire.h"

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

static void send_much(struct served *s)
{
	static const char much[4 * GRPC_DRAINED_BYTES];

	grpc_served_send(s->call, much, sizeof(much));
}

/* From within nghttp2, which fetches what was queued. */
static void test_drained_that_frees(void **state)
{
	struct grpc_channel *ch;
	struct asked a;
	struct lab l;

	setup(&l);
	l.at_begin = send_much;
	l.then = free_server;
	ch = join(&l);
	open_call(ch, &a, 0);
	dispatch(&l);
	assert_null(l.server);
	assert_int_equal(l.calls[0].drained, 1);
	assert_int_equal(l.calls[0].gone, 1);
	wait_until(&l, &a.done);
	assert_int_equal(a.status, GRPC_UNAVAILABLE);
	buf_done(&a.messages);
	grpc_channel_free(ch);
	teardown(&l);
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
		cmocka_unit_test(test_drained_that_frees),
		cmocka_unit_test(test_drained),
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_shutdown),
		cmocka_unit_test(test_parse_timeout),
		cmocka_unit_test(test_percent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
