/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a server is: "unix:///run/x.socket" (also "unix:PATH" and a bare absolute path) or
 * "tcp://HOST:PORT" (HOST a name, an IPv4 address or an IPv6 one in brackets); as gRPC's clients
 * write them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct address {
	char *path;	/* of a unix socket; NULL: TCP */
	char *host;	/* of TCP, without brackets; empty: all addresses when listening */
	uint16_t port;	/* 0: any that is free, when listening */
};

/* -EINVAL for what is none of these. */
int address_parse(const char *text, struct address *ret, struct err *err);
void address_done(struct address *a);
bool address_is_loopback(const struct address *a); /* a unix socket, 127.0.0.0/8, ::1, localhost */

struct listen_options {
	mode_t folder_mode; /* of the socket's folder, if it has to be made, or is like that already */
	mode_t socket_mode;
	gid_t group; /* of both; (gid_t)-1: as they come */
};

/*
 * A listening socket, not blocking, or -errno. A socket file that nobody listens on any more is
 * replaced; -EADDRINUSE: somebody listens.
 */
int address_listen(const struct address *a, const struct listen_options *o, struct err *err);

/*
 * A connected socket, not blocking, or -errno: -ETIMEDOUT after timeout_ns (of each address that a
 * name has), -ECONNREFUSED, -ENOENT for no such socket file. Blocks meanwhile.
 */
int address_connect(const struct address *a, uint64_t timeout_ns, struct err *err);

/*
 * The same without waiting: a TCP socket that is being connected. Its first use waits for that, and
 * tells what became of it. -EINVAL: the host is a name, which would have to be looked up.
 */
int address_connect_begin(const struct address *a, struct err *err);

/*
 * A connected socket of either side: on TCP small messages are sent at once, and a peer that has
 * vanished is noticed by the kernel within a minute. False: it is not TCP, and nothing was to do.
 */
bool address_tune(int fd);
