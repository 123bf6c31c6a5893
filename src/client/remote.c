// SPDX-License-Identifier: Apache-2.0
#include "client/remote.h"

#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "base/utf8.h"
#include "net/address.h"
#include "net/grpc.h"

#define TIMEOUT_NS (10 * 1000000000ull)

struct remote {
	struct reactor *reactor;
	bool borrows; /* the reactor */
	struct grpc_channel *channel;
	struct tls *tls;
	uint64_t timeout_ns;
	struct err broken; /* why the connection is of no more use */
};

static void on_broken(void *ctx, const struct err *err)
{
	struct remote *r = ctx;

	r->broken = *err;
}

int remote_dial(const struct address *a, const char *name, uint64_t timeout_ns, struct err *err)
{
	int fd = address_connect(a, timeout_ns ?: TIMEOUT_NS, err);

	if (a->path && (fd == -ENOENT || fd == -ECONNREFUSED))
		return err_set(err, -ECONNREFUSED, "no daemon at %s; start one with `ig daemon`",
			       name);
	return fd < 0 ? err_wrap(err, fd, "the daemon at %s", name) : fd;
}

static int connect_to(struct remote *r, const struct remote_options *o, struct err *err)
{
	_cleanup_(address_done) struct address a = {0};
	struct grpc_channel_options co = {.on_broken = on_broken, .ctx = r};
	int fd, code = address_parse(o->address, &a, err);

	if (code)
		return code;
	if (!a.path && o->tls.ca) {
		code = tls_client_new(&o->tls, a.host, &r->tls, err);
		if (code)
			return code;
		co.tls = r->tls;
	}
	fd = remote_dial(&a, o->address, r->timeout_ns, err);
	if (fd < 0)
		return fd;
	return grpc_channel_new(r->reactor, fd, &co, &r->channel, err);
}

int remote_open(const struct remote_options *o, struct remote **ret, struct err *err)
{
	struct remote *r = xnew(struct remote);
	int code;

	r->timeout_ns = o->timeout_ns ?: TIMEOUT_NS;
	code = reactor_new(&r->reactor, err);
	code = code ?: connect_to(r, o, err);
	if (code) {
		remote_close(r);
		return code;
	}
	*ret = r;
	return 0;
}

int remote_adopt(struct reactor *reactor, struct transport *t, uint64_t timeout_ns,
		 struct remote **ret, struct err *err)
{
	struct remote *r = xnew(struct remote);
	const struct grpc_channel_options co = {.transport = t, .on_broken = on_broken, .ctx = r};
	int code;

	r->reactor = reactor;
	r->borrows = true;
	r->timeout_ns = timeout_ns ?: TIMEOUT_NS;
	code = grpc_channel_new(reactor, -1, &co, &r->channel, err);
	if (code)
		remote_close(r);
	else
		*ret = r;
	return code;
}

struct remote *remote_close(struct remote *r)
{
	if (!r)
		return NULL;
	grpc_channel_free(r->channel);
	tls_free(r->tls);
	if (!r->borrows)
		reactor_free(r->reactor);
	free(r);
	return NULL;
}

struct reactor *remote_reactor(struct remote *r)
{
	return r->reactor;
}

struct grpc_channel *remote_channel(struct remote *r)
{
	return r->channel;
}

int remote_broken(const struct remote *r, struct err *err)
{
	if (r->broken.code)
		*err = r->broken;
	return r->broken.code;
}

int remote_wait(struct remote *r, int (*until)(void *ctx), void *ctx)
{
	struct pollfd p = {.fd = reactor_fd(r->reactor), .events = POLLIN};
	int code;

	while (!(code = until(ctx))) {
		if (poll(&p, 1, -1) < 0) /* a signal: who waits in a command wants to end */
			return -errno;
		reactor_dispatch(r->reactor);
	}
	return code;
}

int remote_failure(const struct grpc_reply *reply, struct err *err)
{
	_cleanup_(buf_done) struct buf text = {.max = 65536};

	if (reply->status == GRPC_OK)
		return 0;
	escape_text(&text, reply->text, strlen(reply->text));
	return err_set(err, status_errno(reply->status), "%s",
		       text.len ? buf_cstr(&text) : grpc_status_name(reply->status));
}

/* ---- unary calls ----------------------------------------------------------------- */

struct answer {
	struct buf *reply;
	struct err err;
	int code;
	bool done;
};

static void on_done(void *ctx, const struct grpc_reply *reply)
{
	struct answer *a = ctx;

	a->done = true;
	if (reply->status == GRPC_OK) {
		buf_add(a->reply, reply->bytes, reply->len);
		if (a->reply->failed)
			a->code = err_set(&a->err, -EMSGSIZE, "the daemon's answer is too long");
		return;
	}
	a->code = remote_failure(reply, &a->err);
}

static int is_done(void *ctx)
{
	return ((struct answer *)ctx)->done;
}

void remote_pack(const ProtobufCMessage *m, struct buf *out)
{
	size_t n = protobuf_c_message_get_packed_size(m);

	if (buf_reserve(out, n))
		out->len += protobuf_c_message_pack(m, (uint8_t *)out->data + out->len);
}

int remote_call(struct remote *r, const char *method, const ProtobufCMessage *request,
		struct buf *reply, struct err *err)
{
	_cleanup_(buf_done) struct buf bytes = {.max = MAX_SERVED_MESSAGE_BYTES};
	struct answer answer = {.reply = reply};
	struct grpc_request g = {.method = method, .deadline_ns = r->timeout_ns};
	struct grpc_call *call;
	int code;

	remote_pack(request, &bytes);
	if (bytes.failed)
		return err_set(err, -EMSGSIZE, "the request is too long for the daemon");
	g.bytes = buf_cstr(&bytes);
	g.len = bytes.len;
	call = grpc_call_unary(r->channel, &g, on_done, &answer);
	code = remote_wait(r, is_done, &answer);
	if (code < 0) {
		grpc_call_cancel(call);
		return err_set(err, code, "waiting for the daemon: %s", strerror(-code));
	}
	if (answer.code && err)
		*err = answer.err;
	return answer.code;
}

void *remote_ask(struct remote *r, const char *method, const ProtobufCMessage *request,
		 const ProtobufCMessageDescriptor *answer, struct err *err)
{
	_cleanup_(buf_done) struct buf reply = {.max = MAX_GRPC_MESSAGE_BYTES};
	void *m;

	if (remote_call(r, method, request, &reply, err))
		return NULL;
	m = protobuf_c_message_unpack(answer, NULL, reply.len, (const uint8_t *)buf_cstr(&reply));
	if (!m)
		err_set(err, -EBADMSG, "the daemon's answer to %s is malformed",
			strrchr(method, '/') + 1);
	return m;
}
