// SPDX-License-Identifier: Apache-2.0
/* What sockets take and give: addresses, messages, options. */
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/buf.h"
#include "traceloop/flags.h"
#include "traceloop/kinds.h"

/* ---- addresses ------------------------------------------------------------------- */

static void put_unix(struct buf *out, const struct sockaddr_un *a, uint32_t size)
{
	uint32_t n = size - (uint32_t)offsetof(struct sockaddr_un, sun_path);

	if (size <= offsetof(struct sockaddr_un, sun_path))
		return;
	buf_str(out, ", sun_path=");
	if (a->sun_path[0]) {
		put_quoted(out, a->sun_path, (uint32_t)strnlen(a->sun_path, n), false);
		return;
	}
	buf_char(out, '@');
	put_quoted(out, a->sun_path + 1, n - 1, false);
}

static void put_inet(struct buf *out, const struct sockaddr_in *a)
{
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &a->sin_addr, text, sizeof(text));
	buf_printf(out, ", sin_port=htons(%u), sin_addr=inet_addr(\"%s\")", ntohs(a->sin_port),
		   text);
}

static void put_inet6(struct buf *out, const struct sockaddr_in6 *a)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, &a->sin6_addr, text, sizeof(text));
	buf_printf(out, ", sin6_port=htons(%u), sin6_flowinfo=htonl(%u), ", ntohs(a->sin6_port),
		   ntohl(a->sin6_flowinfo));
	buf_printf(out, "inet_pton(AF_INET6, \"%s\", &sin6_addr), sin6_scope_id=%u", text,
		   a->sin6_scope_id);
}

void value_address(const struct value *v, struct buf *out)
{
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_nl nl;
	} a = {0};
	uint32_t size = v->size < sizeof(a) ? v->size : (uint32_t)sizeof(a);

	if (size < sizeof(a.any.sa_family)) {
		put_pointer(out, value_raw(v));
		return;
	}
	memcpy(&a, v->bytes, size);
	buf_str(out, "{sa_family=");
	flags_text(FLAGS_family, a.any.sa_family, out);
	if (a.any.sa_family == AF_UNIX)
		put_unix(out, &a.un, size);
	else if (a.any.sa_family == AF_INET && size >= sizeof(a.in))
		put_inet(out, &a.in);
	else if (a.any.sa_family == AF_INET6 && size >= sizeof(a.in6))
		put_inet6(out, &a.in6);
	else if (a.any.sa_family == AF_NETLINK && size >= sizeof(a.nl))
		buf_printf(out, ", nl_pid=%u, nl_groups=%08x", a.nl.nl_pid, a.nl.nl_groups);
	buf_char(out, '}');
}

/* ---- options --------------------------------------------------------------------- */

/* Of socket(): what a protocol's number means hangs on the family. */
void value_protocol(const struct value *v, struct buf *out)
{
	uint32_t family = (uint32_t)v->args[0], protocol = (uint32_t)value_raw(v);

	if (family == AF_INET || family == AF_INET6)
		flags_text(FLAGS_protocol, protocol, out);
	else if (family == AF_NETLINK)
		flags_text(FLAGS_netlink, protocol, out);
	else
		buf_u64(out, protocol);
}

void value_sock_option(const struct value *v, struct buf *out)
{
	uint32_t level = (uint32_t)v->args[1], option = (uint32_t)value_raw(v);

	if (level == SOL_SOCKET)
		flags_text(FLAGS_so_option, option, out);
	else if (level == IPPROTO_TCP)
		flags_text(FLAGS_tcp_option, option, out);
	else
		buf_u64(out, option);
}

/* Most are an int. */
void value_option(const struct value *v, struct buf *out)
{
	int32_t value;

	if (v->size != sizeof(value)) {
		put_quoted(out, v->bytes, v->size, v->cut);
		return;
	}
	memcpy(&value, v->bytes, sizeof(value));
	buf_char(out, '[');
	buf_i64(out, value);
	buf_char(out, ']');
}

/* ---- vectors --------------------------------------------------------------------- */

/* The first one's bytes were kept; of what was read there are no more than the call returned. */
static void put_first(const struct value *v, bool more, struct buf *out)
{
	const struct keep *k = &kinds[v->call->args[v->index].kind].keep;
	uint32_t size = v->size;
	bool cut = v->cut;

	if (k->at_exit && v->ret < (int64_t)size) {
		size = v->ret > 0 ? (uint32_t)v->ret : 0;
		cut = false;
	} else if (k->at_exit && v->ret == (int64_t)size) {
		cut = false;
	}
	buf_str(out, "[{iov_base=");
	put_quoted(out, v->bytes, size, cut);
	buf_str(out, ", iov_len=");
	buf_u64(out, v->whole);
	buf_str(out, more ? "}, ...]" : "}]");
}

void value_vector(const struct value *v, struct buf *out)
{
	put_first(v, v->args[v->index + 1] > 1, out);
}

void value_message(const struct value *v, struct buf *out)
{
	buf_str(out, "{msg_iov=");
	put_first(v, false, out);
	buf_str(out, ", ...}");
}
