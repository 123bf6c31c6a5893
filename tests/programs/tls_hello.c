// SPDX-License-Identifier: Apache-2.0
/*
 * tls_hello ADDRESS NAME PIECE RECORD [EXTRA]: sends a TLS 1.3 ClientHello for NAME (ALPN h2 and
 * http/1.1, EXTRA bytes of padding) to a listener of its own on port 4433, in pieces of PIECE bytes
 * and records of RECORD bytes; 0: in one. NAME `-`: none, TLS 1.2 and no ALPN; `bad`: an extension
 * that is longer than the rest; `other`: bytes that are no ClientHello.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "wire.h"

static void put_extension(struct bytes *m, unsigned int type, const struct bytes *data)
{
	put16(m, type);
	put16(m, (unsigned int)data->n);
	memcpy(m->b + m->n, data->b, data->n);
	m->n += data->n;
}

static void put_extensions(struct bytes *m, const char *name, size_t extra)
{
	struct bytes sni = {0}, alpn = {0}, versions = {0}, padding = {.n = extra};
	size_t n = strlen(name);

	put_extension(m, 21, &padding);
	put16(&sni, (unsigned int)n + 3);
	put8(&sni, 0);
	put8(&sni, 0);
	put_string(&sni, name, n);
	put_extension(m, 0, &sni);
	put16(&alpn, 12);
	put_string(&alpn, "h2", 2);
	put_string(&alpn, "http/1.1", 8);
	put_extension(m, 16, &alpn);
	put8(&versions, 6);
	put16(&versions, 0x1a1a);
	put16(&versions, 0x0304);
	put16(&versions, 0x0303);
	put_extension(m, 43, &versions);
}

/* Everything behind the handshake's length. */
static void put_body(struct bytes *m, const char *name, size_t extra)
{
	struct bytes all = {0};

	put16(m, 0x0303);
	m->n += 32;
	put8(m, 0);
	put16(m, 4);
	put16(m, 0x1301);
	put16(m, 0x1302);
	put8(m, 1);
	put8(m, 0);
	if (!strcmp(name, "-"))
		return;
	put_extensions(&all, name, extra);
	put16(m, (unsigned int)all.n + (strcmp(name, "bad") ? 0 : 4));
	memcpy(m->b + m->n, all.b, all.n);
	m->n += all.n;
	if (strcmp(name, "bad"))
		return;
	put16(m, 99);
	put16(m, 5000);
}

static void build(struct bytes *m, const char *name, size_t record, size_t extra)
{
	struct bytes body = {0}, hello = {0};

	put_body(&body, name, extra);
	put8(&hello, strcmp(name, "other") ? 1 : 2);
	put8(&hello, 0);
	put16(&hello, (unsigned int)body.n);
	memcpy(hello.b + 4, body.b, body.n);
	hello.n += body.n;
	for (size_t at = 0, n; at < hello.n; at += n) {
		n = record && record < hello.n - at ? record : hello.n - at;
		put8(m, 22);
		put16(m, 0x0301);
		put16(m, (unsigned int)n);
		memcpy(m->b + m->n, hello.b + at, n);
		m->n += n;
		record = record ? record * 2 : 0; /* they need not be of the same length */
	}
}

int main(int argc, char **argv)
{
	struct bytes m = {0};
	int one = 1;

	if (argc < 5)
		return 2;
	struct addrinfo *at = find(argv[1], "4433", SOCK_STREAM);
	int listener = socket(at->ai_family, SOCK_STREAM, 0);
	int client = socket(at->ai_family, SOCK_STREAM, 0);
	size_t piece = strtoul(argv[3], NULL, 10);

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind(listener, at->ai_addr, at->ai_addrlen) || listen(listener, 1) ||
	    connect(client, at->ai_addr, at->ai_addrlen))
		return 1;
	int server = accept(listener, NULL, NULL);

	build(&m, argv[2], strtoul(argv[4], NULL, 10), argc > 5 ? strtoul(argv[5], NULL, 10) : 0);
	for (size_t i = 0; i < m.n; i += piece ? piece : m.n) {
		if (send(client, m.b + i, piece && piece < m.n - i ? piece : m.n - i, 0) < 0)
			return 1;
		usleep(500);
	}
	return !read_all(server, m.b, m.n);
}
