/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of a connected stream socket that does not block: as they are, or within TLS
 * (net/tls.h). Who uses one waits for the events that it names, and calls by its table.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct err;
struct transport;

struct transport_ops {
	/*
	 * The bytes read or written, at least one; recv: 0 at their end. -EAGAIN: not before the
	 * socket has what recv_on or send_on says now; other -errno are in err as well. A recv
	 * takes all that no event would tell of again if `room` is at least TRANSPORT_ROOM.
	 */
	ssize_t (*recv)(struct transport *t, void *bytes, size_t room, struct err *err);
	ssize_t (*send)(struct transport *t, const void *bytes, size_t n, struct err *err);
	void (*end)(struct transport *t);  /* the peer is to see the end of what is sent */
	void (*free)(struct transport *t); /* closes the socket */
};

#define TRANSPORT_ROOM 16384 /* a record of TLS */

struct transport {
	const struct transport_ops *ops;
	int fd;
	uint32_t recv_on, send_on; /* EPOLLIN, EPOLLOUT: what each waits for */
};

struct transport *transport_plain(int fd); /* takes over fd */
