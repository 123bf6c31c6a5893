// SPDX-License-Identifier: Apache-2.0
/*
 * dns_ask ADDRESS[:PORT] HOW NAME TYPE: one DNS query and its response, if one comes within 0.3 s.
 * HOW: udp, tcp, tcp-split (the length alone first), tcp-bytes, tcp-two (two queries at once).
 * NAME loop, short and counts are messages that are not as they should be.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "wire.h"

static unsigned int type_of(const char *name)
{
	static const struct {
		const char *name;
		unsigned int type;
	} types[] = {{"A", 1}, {"PTR", 12}, {"TXT", 16}, {"AAAA", 28}, {"TYPE65400", 65400}};

	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (!strcmp(types[i].name, name))
			return types[i].type;
	exit(2);
}

static void build(struct bytes *m, const char *name, unsigned int type)
{
	static const unsigned char subnet[] = {0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2};
	int with_subnet = !strncmp(name, "subnet.", 7);

	if (!strcmp(name, "loop")) {
		put_header(m, 1, 0x100, 1, 0, 0);
		put16(m, 0xc00c);
	} else if (!strcmp(name, "short")) {
		put_header(m, 2, 0x100, 1, 0, 0);
		put8(m, 63);
	} else {
		put_header(m, 3, 0x100, 1, !strcmp(name, "counts") ? 65535 : 0, with_subnet);
		put_name(m, name);
	}
	put16(m, type);
	put16(m, 1);
	if (!with_subnet)
		return;
	put8(m, 0);
	put16(m, 41);
	put16(m, 4096);
	put16(m, 0);
	put16(m, 0x8000);
	put16(m, sizeof(subnet));
	memcpy(m->b + m->n, subnet, sizeof(subnet));
	m->n += sizeof(subnet);
}

static void send_pieces(int fd, const unsigned char *b, size_t n, size_t piece)
{
	for (size_t at = 0; at < n; at += piece) {
		if (send(fd, b + at, n - at < piece ? n - at : piece, 0) < 0)
			exit(1);
		usleep(2000);
	}
}

static int over_tcp(int fd, const char *how, const struct bytes *m, const char *name,
		    unsigned int type)
{
	struct bytes all = {0}, second = {0};
	unsigned char got[65536];
	int one = 1, responses = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	put16(&all, (unsigned int)m->n);
	memcpy(all.b + all.n, m->b, m->n);
	all.n += m->n;
	if (!strcmp(how, "tcp-two")) {
		char other[256];

		snprintf(other, sizeof(other), "second.%s", name);
		build(&second, other, type);
		put16(&all, (unsigned int)second.n);
		memcpy(all.b + all.n, second.b, second.n);
		all.n += second.n;
		responses = 2;
	}
	if (!strcmp(how, "tcp-split"))
		send_pieces(fd, all.b, 2, 2);
	send_pieces(fd, all.b + (strcmp(how, "tcp-split") ? 0 : 2),
		    all.n - (strcmp(how, "tcp-split") ? 0 : 2),
		    strcmp(how, "tcp-bytes") ? all.n : 1);
	for (int i = 0; i < responses; i++)
		if (!read_all(fd, got, 2) || !read_all(fd, got + 2, (size_t)got[0] << 8 | got[1]))
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	struct timeval wait = {.tv_usec = 300000};
	const char *port = "53";
	struct bytes m = {0};
	char got[65536], *colon;

	if (argc != 5)
		return 2;
	colon = strchr(argv[1], ':');
	if (colon && colon == strrchr(argv[1], ':')) {
		*colon = '\0';
		port = colon + 1;
	}
	build(&m, argv[3], type_of(argv[4]));
	int tcp = strcmp(argv[2], "udp");
	struct addrinfo *to = find(argv[1], port, tcp ? SOCK_STREAM : SOCK_DGRAM);
	int fd = socket(to->ai_family, to->ai_socktype, 0);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (tcp)
		return connect(fd, to->ai_addr, to->ai_addrlen) ||
		       over_tcp(fd, argv[2], &m, argv[3], type_of(argv[4]));
	if (sendto(fd, m.b, m.n, 0, to->ai_addr, to->ai_addrlen) != (ssize_t)m.n)
		return 1;
	recv(fd, got, sizeof(got), 0);
	return 0;
}
