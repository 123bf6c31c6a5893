// SPDX-License-Identifier: Apache-2.0
// link: -lssl -lcrypto
/*
 * ssl_ways read-write|ex|big|fail: a client and a server of OpenSSL's in one process. The client
 * asks, the server answers; `ex` uses the functions of that name; `big` asks with 20,000 bytes;
 * `fail` speaks no TLS.
 */
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *way;
static int sockets[2];

static void check(int good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "ssl_ways: %s\n", what);
	exit(1);
}

static void say(SSL *s, const char *text, size_t len)
{
	size_t n = 0;

	if (strcmp(way, "ex"))
		check(SSL_write(s, text, (int)len) == (int)len, "write");
	else
		check(SSL_write_ex(s, text, len, &n) && n == len, "write_ex");
}

static void hear(SSL *s, size_t len)
{
	char text[20000];

	for (size_t n = 0; len; len -= n) {
		n = 0;
		if (strcmp(way, "ex"))
			n = (size_t)SSL_read(s, text, sizeof(text));
		else
			SSL_read_ex(s, text, sizeof(text), &n);
		check(n > 0 && n <= len, "read");
	}
}

static void use_certificate(SSL_CTX *context)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();

	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	X509_sign(certificate, key, EVP_sha256());
	check(SSL_CTX_use_certificate(context, certificate) && SSL_CTX_use_PrivateKey(context, key),
	      "certificate");
}

static void *serve(void *question_bytes)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	SSL *s;

	use_certificate(context);
	s = SSL_new(context);
	SSL_set_fd(s, sockets[1]);
	check(SSL_accept(s) == 1, "accept");
	hear(s, *(size_t *)question_bytes);
	say(s, "the answer", 10);
	return NULL;
}

int main(int argc, char **argv)
{
	static char big[20000];
	const char *question = "the question";
	size_t bytes = strlen(question);
	SSL *s = SSL_new(SSL_CTX_new(TLS_client_method()));
	pthread_t server;

	check(argc == 2 && !socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), "usage");
	way = argv[1];
	SSL_set_fd(s, sockets[0]);
	if (!strcmp(way, "fail")) {
		check(write(sockets[1], "no TLS at all", 13) == 13, "write");
		return SSL_connect(s) == 1;
	}
	if (!strcmp(way, "big")) {
		memset(big, 'x', sizeof(big));
		question = big;
		bytes = sizeof(big);
	}
	pthread_create(&server, NULL, serve, &bytes);
	check(SSL_connect(s) == 1, "connect");
	say(s, question, bytes);
	hear(s, 10);
	pthread_join(server, NULL);
	return 0;
}
