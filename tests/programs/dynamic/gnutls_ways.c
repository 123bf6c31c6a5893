// SPDX-License-Identifier: Apache-2.0
// link: -lgnutls
/* gnutls_ways: a client and a server of GnuTLS's in one process, without certificates. */
#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

static const char priority[] = "NORMAL:-VERS-ALL:+VERS-TLS1.2:+ANON-ECDH:%ALLOW_SMALL_RECORDS";
static int sockets[2];

static void check(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "gnutls_ways: %s\n", what);
	exit(1);
}

static gnutls_session_t session(unsigned int kind, void *credentials, int fd)
{
	gnutls_session_t s;

	gnutls_init(&s, kind);
	check(gnutls_priority_set_direct(s, priority, NULL) == 0, "priority");
	gnutls_credentials_set(s, GNUTLS_CRD_ANON, credentials);
	gnutls_transport_set_int(s, fd);
	check(gnutls_handshake(s) == 0, "handshake");
	return s;
}

static void *serve(void *unused)
{
	gnutls_anon_server_credentials_t credentials;
	gnutls_session_t s;
	char text[64];

	gnutls_anon_allocate_server_credentials(&credentials);
	s = session(GNUTLS_SERVER, credentials, sockets[1]);
	check(gnutls_record_recv(s, text, sizeof(text)) == 12, "recv");
	check(gnutls_record_send(s, "the answer", 10) == 10, "send");
	return NULL;
}

int main(void)
{
	gnutls_anon_client_credentials_t credentials;
	gnutls_session_t s;
	pthread_t server;
	char text[64];

	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), "socketpair");
	pthread_create(&server, NULL, serve, NULL);
	gnutls_anon_allocate_client_credentials(&credentials);
	s = session(GNUTLS_CLIENT, credentials, sockets[0]);
	check(gnutls_record_send(s, "the question", 12) == 12, "send");
	check(gnutls_record_recv(s, text, sizeof(text)) == 10, "recv");
	pthread_join(server, NULL);
	return 0;
}
