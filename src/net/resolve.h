/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of hosts, by /etc/hosts and DNS (/etc/resolv.conf): what a static program can ask without
 * the shared libraries that getaddrinfo() of glibc loads at run time.
 */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

struct err;

#define RESOLVE_MAX 8

/*
 * The addresses of a host, which may be written as one itself, IPv6 ones first; their number, at
 * least 1. -ENOENT: there is no such host. Blocks while servers are asked.
 */
int resolve(const char *host, uint16_t port, struct sockaddr_storage ret[RESOLVE_MAX],
	    struct err *err);
