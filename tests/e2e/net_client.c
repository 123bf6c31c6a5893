// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: the clients of src/net on a unix socket.
 *
 *   net_client unary SOCKET METHOD TEXT N DEADLINE_MS     N calls at once, TEXT is the request
 *   net_client stream SOCKET METHOD TEXT N DEADLINE_MS    the same, of calls that stream
 *   net_client get SOCKET PATH MAX_BYTES DEADLINE_MS
 *
 * Prints for each answer, as it comes: status, messages, bytes, their CRC32, ns since the start,
 * and text, with tabs between.
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/reactor.h"
#include "net/grpc.h"
#include "net/http1.h"
#include "net/unix.h"

struct call {
	unsigned int messages;
	size_t bytes;
	uLong crc;
};

static uint64_t begun;
static size_t open_calls;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void print(const char *status, const struct call *c, const char *text)
{
	printf("%s\t%u\t%zu\t%lu\t%llu\t%s\n", status, c->messages, c->bytes, c->crc,
	       (unsigned long long)(now_ns() - begun), text);
	fflush(stdout);
	open_calls--;
}

static void on_message(void *ctx, const void *bytes, size_t len)
{
	struct call *c = ctx;

	c->messages++;
	c->bytes += len;
	c->crc = crc32_z(c->crc, bytes, len);
}

static void on_reply(void *ctx, const struct grpc_reply *reply)
{
	if (reply->bytes)
		on_message(ctx, reply->bytes, reply->len);
	print(grpc_status_name(reply->status), ctx, reply->text);
}

static void on_answer(void *ctx, const struct err *err, unsigned int status, struct buf *body)
{
	char number[8];

	if (err) {
		print(strerrorname_np(-err->code), ctx, err->text);
		return;
	}
	on_message(ctx, body->data, body->len);
	snprintf(number, sizeof(number), "%u", status);
	print(number, ctx, "");
}

static void on_broken(void *ctx, const struct err *err)
{
	fprintf(stderr, "broken: %s\n", err->text);
}

static uint64_t number(const char *s)
{
	uint64_t value;

	if (parse_u64(s, &value))
		exit(2);
	return value;
}

static struct grpc_channel *start_calls(struct reactor *r, int fd, char **argv, struct call *calls)
{
	const struct grpc_metadata metadata[] = {{"containerd-namespace", "k8s.io"}};
	const struct grpc_channel_options options = {.on_broken = on_broken};
	const struct grpc_request request = {
		.method = argv[3],
		.metadata = metadata,
		.n_metadata = array_size(metadata),
		.bytes = argv[4],
		.len = strlen(argv[4]),
		.deadline_ns = number(argv[6]) * 1000000,
	};
	struct grpc_channel *ch;
	struct err err;

	if (grpc_channel_new(r, fd, &options, &ch, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	open_calls = number(argv[5]);
	for (size_t i = 0; i < open_calls; i++)
		if (!strcmp(argv[1], "stream"))
			grpc_call_stream(ch, &request, on_message, on_reply, &calls[i]);
		else
			grpc_call_unary(ch, &request, on_reply, &calls[i]);
	return ch;
}

int main(int argc, char **argv)
{
	bool get = argc == 6 && !strcmp(argv[1], "get");
	_cleanup_(freep) struct call *calls = NULL;
	struct grpc_channel *ch = NULL;
	struct reactor *r;
	int fd;

	if (!get && argc != 7)
		return 2;
	fd = unix_connect_path(argv[2]);
	if (fd < 0 || reactor_new(&r, NULL)) {
		fprintf(stderr, "%s: %s\n", argv[2], strerror(-fd));
		return 1;
	}
	begun = now_ns();
	calls = xnew_n(struct call, get ? 1 : number(argv[5]));
	if (get) {
		open_calls = 1;
		http1_get(r, fd, argv[3], number(argv[4]), number(argv[5]) * 1000000, on_answer,
			  calls);
	} else {
		ch = start_calls(r, fd, argv, calls);
	}
	while (open_calls) {
		struct pollfd p = {.fd = reactor_fd(r), .events = POLLIN};

		poll(&p, 1, -1);
		reactor_dispatch(r);
	}
	grpc_channel_free(ch);
	reactor_free(r);
	return 0;
}
