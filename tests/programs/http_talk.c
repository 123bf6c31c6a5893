// SPDX-License-Identifier: Apache-2.0
/*
 * http_talk ADDRESS STEP…: a client and a server of its own on port 8080 say what they are told to.
 *
 *   c=TEXT    the client sends TEXT, and the server reads it; s=TEXT: the other way
 *   c7=TEXT   the same in pieces of 7 bytes
 *   C, S      the client, the server closes its end
 *   d         first of all: the server is one with TCP_DEFER_ACCEPT
 *
 * In TEXT \r and \n are what they are elsewhere, \*N; is N times the letter x.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "wire.h"

static void unescape(const char *text, struct bytes *m)
{
	for (; *text; text++) {
		if (*text != '\\') {
			put8(m, (unsigned char)*text);
		} else if (*++text == '*') {
			char *end;
			unsigned long n = strtoul(text + 1, &end, 10);

			memset(m->b + m->n, 'x', n);
			m->n += n;
			text = end;
		} else {
			put8(m, *text == 'r' ? '\r' : *text == 'n' ? '\n' : (unsigned char)*text);
		}
	}
}

/* False: it is not there in time. */
static int sends(int from, int to, const struct bytes *m, size_t piece)
{
	static unsigned char got[65536];

	for (size_t at = 0, n; at < m->n; at += n) {
		n = piece && piece < m->n - at ? piece : m->n - at;
		if (send(from, m->b + at, n, MSG_NOSIGNAL) != (ssize_t)n || !read_all(to, got, n))
			return 0;
	}
	return 1;
}

static int listener_at(const struct addrinfo *at, int deferred)
{
	int one = 1, fd = socket(at->ai_family, SOCK_STREAM, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (deferred)
		setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &one, sizeof(one));
	return bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, 1) ? -1 : fd;
}

/* One step; ends: client, server. */
static int take_step(const char *step, int ends[2])
{
	static struct bytes m;
	int who = *step == 's' || *step == 'S';
	const char *text = strchr(step, '=');

	if (!text)
		return !close(ends[who]);
	m.n = 0;
	unescape(text + 1, &m);
	usleep(2000);
	return sends(ends[who], ends[!who], &m, strtoul(step + 1, NULL, 10));
}

int main(int argc, char **argv)
{
	int one = 1, next = 2, ends[2];

	if (argc < 3)
		return 2;
	struct addrinfo *at = find(argv[1], "8080", SOCK_STREAM);
	int deferred = !strcmp(argv[next], "d"), listener = listener_at(at, deferred);

	ends[0] = socket(at->ai_family, SOCK_STREAM, 0);
	setsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(ends[0], at->ai_addr, at->ai_addrlen))
		return 1;
	next += deferred;
	/* Such a server has no connection before there is something to read. */
	if (deferred) {
		static struct bytes m;

		usleep(2000);
		unescape(argv[next++] + 2, &m);
		if (send(ends[0], m.b, m.n, 0) != (ssize_t)m.n)
			return 1;
		ends[1] = accept(listener, NULL, NULL);
		if (!read_all(ends[1], m.b, m.n))
			return 1;
	} else {
		ends[1] = accept(listener, NULL, NULL);
	}
	setsockopt(ends[1], IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (; next < argc; next++)
		if (!take_step(argv[next], ends))
			return 1;
	return 0;
}
