/* SPDX-License-Identifier: Apache-2.0 */
/* What programs share that write messages by hand: their bytes, and where the server is. */
#pragma once

#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct bytes {
	size_t n;
	unsigned char b[65536];
};

static inline void put8(struct bytes *m, unsigned int v)
{
	m->b[m->n++] = (unsigned char)v;
}

static inline void put16(struct bytes *m, unsigned int v)
{
	put8(m, v >> 8);
	put8(m, v);
}

static inline void put_string(struct bytes *m, const char *s, size_t n)
{
	put8(m, (unsigned int)n);
	memcpy(m->b + m->n, s, n);
	m->n += n;
}

static inline void put_name(struct bytes *m, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		put_string(m, name, n);
		name += n + (name[n] == '.');
	}
	put8(m, 0);
}

static inline void put_header(struct bytes *m, unsigned int id, unsigned int flags,
			      unsigned int questions, unsigned int answers, unsigned int additional)
{
	put16(m, id);
	put16(m, flags);
	put16(m, questions);
	put16(m, answers);
	put16(m, 0);
	put16(m, additional);
}

/* Name, type, class IN, time to live; what follows is the length of its data. */
static inline void put_record(struct bytes *m, const char *name, unsigned int type)
{
	put_name(m, name);
	put16(m, type);
	put16(m, 1);
	put16(m, 0);
	put16(m, 60);
}

static inline struct addrinfo *find(const char *address, const char *port, int type)
{
	struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = type},
			*found;

	if (getaddrinfo(address, port, &hints, &found))
		exit(2);
	return found;
}

/* Exactly n bytes; 0: the other end is gone. */
static inline int read_all(int fd, void *to, size_t n)
{
	return recv(fd, to, n, MSG_WAITALL) == (ssize_t)n;
}
