// SPDX-License-Identifier: Apache-2.0
/*
 * dns_serve ADDRESS: a DNS server on port 53, UDP and TCP. What it says depends on how the name
 * begins: many (all kinds of records), nxdomain, badvers (an extended code), long (4 KiB); else one
 * address.
 */
#include <poll.h>

#include "wire.h"

static void put_address(struct bytes *m, const char *name, unsigned int last)
{
	put_record(m, name, 1);
	put16(m, 4);
	put16(m, 192 << 8);
	put16(m, 2 << 8 | last);
}

static void put_alias(struct bytes *m, const char *name, const char *to)
{
	put_record(m, name, 5);
	put16(m, (unsigned int)strlen(to) + 2);
	put_name(m, to);
}

static void put_many(struct bytes *m)
{
	static const unsigned char v6[16] = {0x20, 1, 0x0d, 0xb8, [15] = 1};
	static const char one[] = "one", two[] = "two \" \\";

	put_alias(m, "many.example", "alias.example");
	put_alias(m, "alias.example", "end.example");
	put_address(m, "end.example", 1);
	put_address(m, "end.example", 2);
	put_record(m, "end.example", 28);
	put16(m, 16);
	memcpy(m->b + m->n, v6, 16);
	m->n += 16;
	put_record(m, "end.example", 15);
	put16(m, 2 + 14);
	put16(m, 10);
	put_name(m, "mail.example");
	put_record(m, "end.example", 16);
	put16(m, sizeof(one) + sizeof(two));
	put_string(m, one, sizeof(one) - 1);
	put_string(m, two, sizeof(two) - 1);
	put_record(m, "end.example", 33);
	put16(m, 6 + 13);
	put16(m, 1);
	put16(m, 2);
	put16(m, 443);
	put_name(m, "srv.example");
	put_record(m, "end.example", 65400);
	put16(m, 2);
	put16(m, 0xabcd);
}

static void put_long(struct bytes *m)
{
	char text[200];

	memset(text, 'x', sizeof(text));
	put_record(m, "long.example", 16);
	put16(m, 20 * 201);
	for (int i = 0; i < 20; i++)
		put_string(m, text, sizeof(text));
}

/* `q`: a query with one question, `end`: behind that. */
static void answer(const unsigned char *q, size_t end, struct bytes *m)
{
	const char *label = (const char *)q + 13;
	int many = !strncmp(label, "many", 4), nx = !strncmp(label, "nxdomain", 8);
	int bad = !strncmp(label, "badvers", 7), is_long = !strncmp(label, "long", 4);

	put_header(m, (unsigned int)q[0] << 8 | q[1], 0x8580 | (nx ? 3 : 0), 1,
		   nx || bad ? 0
		   : many    ? 9
			     : 1,
		   1);
	memcpy(m->b + m->n, q + 12, end - 12);
	m->n += end - 12;
	if (many)
		put_many(m);
	else if (is_long)
		put_long(m);
	else if (!nx && !bad)
		put_address(m, "end.example", 1);
	put8(m, 0);
	put16(m, 41);
	put16(m, 1232);
	put16(m, bad ? 1 << 8 : 0);
	put16(m, 0);
	put16(m, 0);
}

/* 0: no query with a question. */
static size_t end_of_question(const unsigned char *q, size_t n)
{
	size_t at = 12;

	while (at < n && q[at])
		at += q[at] + 1u;
	return at + 5 <= n ? at + 5 : 0;
}

static void serve_datagram(int fd)
{
	static struct bytes q, m;
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	ssize_t n = recvfrom(fd, q.b, sizeof(q.b), 0, (struct sockaddr *)&from, &size);
	size_t end = n > 12 ? end_of_question(q.b, (size_t)n) : 0;

	m.n = 0;
	if (!end)
		return;
	answer(q.b, end, &m);
	sendto(fd, m.b, m.n, 0, (struct sockaddr *)&from, size);
}

static void serve_connection(int listener)
{
	static struct bytes q, m, all;
	int fd = accept(listener, NULL, NULL);

	while (read_all(fd, q.b, 2)) {
		size_t n = (size_t)q.b[0] << 8 | q.b[1], end;

		if (!read_all(fd, q.b, n))
			break;
		end = end_of_question(q.b, n);
		if (!end)
			break;
		m.n = all.n = 0;
		answer(q.b, end, &m);
		put16(&all, (unsigned int)m.n);
		memcpy(all.b + 2, m.b, m.n);
		send(fd, all.b, m.n + 2, MSG_NOSIGNAL);
	}
	close(fd);
}

static int bound(const char *address, int type)
{
	struct addrinfo *at = find(address, "53", type);
	int fd = socket(at->ai_family, type, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, at->ai_addr, at->ai_addrlen) || (type == SOCK_STREAM && listen(fd, 8))) {
		perror("dns_serve");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	struct pollfd fds[] = {{.fd = bound(argv[1], SOCK_DGRAM), .events = POLLIN},
			       {.fd = bound(argv[1], SOCK_STREAM), .events = POLLIN}};

	while (poll(fds, 2, -1) > 0) {
		if (fds[0].revents)
			serve_datagram(fds[0].fd);
		if (fds[1].revents)
			serve_connection(fds[1].fd);
	}
	return 1;
}
