// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: the server of src/net.
 *
 *   net_server ADDRESS [CA CERTIFICATE KEY]
 *
 * Prints "ready", with the port of TCP behind, then what it warns of. SIGTERM: it shuts down within
 * 5 s and prints "bye". Methods of /test.Test/:
 *
 *   Echo, Fail, Size    unary: the request; NOT_FOUND; the request's length
 *   Seen                unary: clients, calls begun, calls gone, most bytes queued, times drained
 *   Many                N: N messages, in step with the client
 *   Sum                 any number of messages: how many there were
 *   Talk                each message back, at once
 *   Wait                no answer, until the client gives up
 *   Leave               NOT_FOUND at the first message
 */
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/reactor.h"
#include "net/address.h"
#include "net/grpc_server.h"
#include "net/tls.h"

#define FULL_BYTES (1u << 20)

struct call {
	unsigned int n, wanted;
};

static struct grpc_server *server;
static unsigned int begun, gone, drained;
static size_t most_queued;
static bool ended;

/* ---- unary ----------------------------------------------------------------------- */

static int echo(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	buf_add(reply, bytes, len);
	return 0;
}

static int fail(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	return err_set(err, -ENOENT, "no 100%% \u00e4\u6f22");
}

static int size(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	buf_printf(reply, "%zu", len);
	return 0;
}

static int seen(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	buf_printf(reply, "%zu %u %u %zu %u", grpc_server_connections(server), begun, gone,
		   most_queued, drained);
	return 0;
}

/* ---- streams --------------------------------------------------------------------- */

static void end(struct call *c, struct grpc_served *call, enum grpc_status status, const char *text)
{
	grpc_served_finish(call, status, text);
	free(c);
}

static void on_gone(void *ctx, struct grpc_served *call)
{
	gone++;
	free(ctx);
}

static void send_more(void *ctx, struct grpc_served *call)
{
	struct call *c = ctx;
	char text[32];

	while (c->n < c->wanted && grpc_served_queued(call) < FULL_BYTES) {
		int n = snprintf(text, sizeof(text), "message %u", c->n++);

		grpc_served_send(call, text, (size_t)n);
	}
	if (most_queued < grpc_served_queued(call))
		most_queued = grpc_served_queued(call);
	if (c->n == c->wanted)
		end(c, call, GRPC_OK, NULL);
}

static void on_drained(void *ctx, struct grpc_served *call)
{
	drained++;
	send_more(ctx, call);
}

static void many_message(void *ctx, struct grpc_served *call, const void *bytes, size_t len)
{
	_cleanup_(freep) char *text = xstrndup(bytes, len);
	struct call *c = ctx;
	uint64_t wanted = 0;

	parse_u64(text, &wanted);
	c->wanted = (unsigned int)wanted;
	send_more(c, call);
}

static void sum_message(void *ctx, struct grpc_served *call, const void *bytes, size_t len)
{
	struct call *c = ctx;

	c->n++;
}

static void sum_whole(void *ctx, struct grpc_served *call)
{
	struct call *c = ctx;
	char text[16];

	grpc_served_send(call, text, (size_t)snprintf(text, sizeof(text), "%u", c->n));
	end(c, call, GRPC_OK, NULL);
}

static void talk_message(void *ctx, struct grpc_served *call, const void *bytes, size_t len)
{
	grpc_served_send(call, bytes, len);
}

static void talk_whole(void *ctx, struct grpc_served *call)
{
	end(ctx, call, GRPC_OK, NULL);
}

static void wait_message(void *ctx, struct grpc_served *call, const void *bytes, size_t len)
{
}

static void leave_message(void *ctx, struct grpc_served *call, const void *bytes, size_t len)
{
	end(ctx, call, GRPC_NOT_FOUND, "nobody is here");
}

#define STREAM(name, ...)                                                         \
	static void name##_begin(void *ctx, struct grpc_served *call)             \
	{                                                                         \
		static const struct grpc_served_events events = {                 \
			.message = name##_message, .gone = on_gone, __VA_ARGS__}; \
		begun++;                                                          \
		grpc_served_start(call, &events, xnew(struct call));              \
	}
STREAM(many, .drained = on_drained)
STREAM(sum, .half_closed = sum_whole)
STREAM(talk, .half_closed = talk_whole)
STREAM(wait, )
STREAM(leave, )

static const struct grpc_method methods[] = {
	{"/test.Test/Echo", .unary = echo},	    {"/test.Test/Fail", .unary = fail},
	{"/test.Test/Size", .unary = size},	    {"/test.Test/Seen", .unary = seen},
	{"/test.Test/Many", .begin = many_begin},   {"/test.Test/Sum", .begin = sum_begin},
	{"/test.Test/Talk", .begin = talk_begin},   {"/test.Test/Wait", .begin = wait_begin},
	{"/test.Test/Leave", .begin = leave_begin}, {NULL},
};

/* ---- life ------------------------------------------------------------------------ */

static void die(const struct err *err)
{
	fprintf(stderr, "%s\n", err->text);
	exit(1);
}

static void on_warning(void *ctx, const char *text)
{
	printf("%s\n", text);
	fflush(stdout);
}

static void on_end(void *ctx)
{
	ended = true;
}

static void on_signal(void *ctx, uint32_t events)
{
	struct watch *w = ctx;

	watch_remove(w);
	grpc_server_shutdown(server, 5000000000, on_end, NULL);
}

static void start(struct reactor *r, char **argv, struct tls *tls)
{
	const struct grpc_server_options options = {.warn = on_warning};
	const struct listen_options modes = {0700, 0600, (gid_t)-1};
	struct sockaddr_in6 at = {0};
	socklen_t n = sizeof(at);
	struct address a;
	struct err err;
	int fd;

	if (address_parse(argv[1], &a, &err))
		die(&err);
	fd = address_listen(&a, &modes, &err);
	address_done(&a);
	if (fd < 0 || grpc_server_new(r, &options, &server, &err) ||
	    grpc_server_listen(server, fd, tls, &err))
		die(&err);
	grpc_server_add(server, methods, NULL);
	getsockname(fd, (struct sockaddr *)&at, &n);
	printf("ready %u\n", ntohs(at.sin6_port));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct tls *tls = NULL;
	struct watch signal = {0};
	struct reactor *r;
	struct err err;
	sigset_t set;

	if (argc != 2 && argc != 5)
		return 2;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (argc == 5 && tls_server_new(&(struct tls_files){argv[2], argv[3], argv[4]}, &tls, &err))
		die(&err);
	if (reactor_new(&r, &err))
		die(&err);
	watch_add(&signal, r, signalfd(-1, &set, SFD_CLOEXEC), EPOLLIN, on_signal, &signal);
	start(r, argv, tls);
	while (!ended) {
		struct pollfd p = {.fd = reactor_fd(r), .events = POLLIN};

		poll(&p, 1, -1);
		reactor_dispatch(r);
	}
	grpc_server_free(server);
	tls_free(tls);
	reactor_free(r);
	printf("bye\n");
	return 0;
}
