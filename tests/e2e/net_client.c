// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: the clients of src/net.
 *
 *   net_client unary ADDRESS METHOD TEXT N DEADLINE_MS     N calls at once, TEXT is the request
 *   net_client stream ADDRESS METHOD TEXT N DEADLINE_MS    the same, of calls that stream
 *   net_client talk ADDRESS METHOD TEXT N DEADLINE_MS      one call; TEXT is sent after each answer
 *   net_client get ADDRESS PATH MAX_BYTES DEADLINE_MS
 *
 * Calls use TLS where the environment says CA, and CERTIFICATE, KEY and HOST.
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
#include "net/address.h"
#include "net/grpc.h"
#include "net/http1.h"
#include "net/tls.h"

struct call {
	struct grpc_call *open; /* `talk` */
	const char *text;
	unsigned int left;
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

static void on_talk(void *ctx, const void *bytes, size_t len)
{
	struct call *c = ctx;

	on_message(ctx, bytes, len);
	if (--c->left)
		grpc_call_send(c->open, c->text, strlen(c->text));
	else
		grpc_call_half_close(c->open);
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

static struct tls *client_tls(void)
{
	const struct tls_files files = {getenv("CA"), getenv("CERTIFICATE"), getenv("KEY")};
	struct tls *tls = NULL;
	struct err err;

	if (files.ca && tls_client_new(&files, getenv("HOST"), &tls, &err)) {
		fprintf(stderr, "%s\n", err.text);
		exit(1);
	}
	return tls;
}

static struct grpc_channel *start_calls(struct reactor *r, int fd, struct tls *tls, char **argv,
					struct call *calls)
{
	const struct grpc_metadata metadata[] = {{"containerd-namespace", "k8s.io"}};
	const struct grpc_channel_options options = {.tls = tls, .on_broken = on_broken};
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
	if (!strcmp(argv[1], "talk")) {
		calls[0].text = argv[4];
		calls[0].left = (unsigned int)open_calls;
		calls[0].open = grpc_call_open(ch, &request, on_talk, on_reply, &calls[0]);
		open_calls = 1;
		return ch;
	}
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
	struct tls *tls = client_tls();
	struct address address;
	struct reactor *r;
	struct err err;
	int fd;

	if (!get && argc != 7)
		return 2;
	if (address_parse(argv[2], &address, &err) ||
	    (fd = address_connect(&address, 5000000000, &err)) < 0 || reactor_new(&r, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	address_done(&address);
	begun = now_ns();
	calls = xnew_n(struct call, get ? 1 : number(argv[5]));
	if (get) {
		open_calls = 1;
		http1_get(r, fd, argv[3], number(argv[4]), number(argv[5]) * 1000000, on_answer,
			  calls);
	} else {
		ch = start_calls(r, fd, tls, argv, calls);
	}
	while (open_calls) {
		struct pollfd p = {.fd = reactor_fd(r), .events = POLLIN};

		poll(&p, 1, -1);
		reactor_dispatch(r);
	}
	grpc_channel_free(ch);
	tls_free(tls);
	reactor_free(r);
	return 0;
}
