/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS 1.2 and later by OpenSSL, for HTTP/2 ("h2" by ALPN) on TCP, in both roles. A server demands
 * a certificate of the client that its CA signed, and a client one of the server that names its
 * host.
 *
 * Life: tls_server_new() or tls_client_new() (files are read then), given to what makes sessions;
 * tls_free() after the last of them. Nothing here blocks but the reading of files.
 */
#pragma once

struct err;
struct tls;
struct transport;

struct tls_files {
	const char *ca;		 /* PEM: who may sign the peer's certificate */
	const char *certificate; /* PEM: ours, with its chain */
	const char *key;	 /* PEM */
};

/* All three files must be given. -EINVAL, or -errno of the file; err names it and the fault. */
int tls_server_new(const struct tls_files *files, struct tls **ret, struct err *err);
/* certificate and key may be NULL. host: the name, or address, that the server must prove. */
int tls_client_new(const struct tls_files *files, const char *host, struct tls **ret,
		   struct err *err);
struct tls *tls_free(struct tls *t); /* NULL is fine; returns NULL */

/*
 * A session of TLS on fd, a connected socket, which is taken over, also on failure. It shakes hands
 * when it is first used. -EKEYREJECTED: one of both does not like the other's certificate; -EPROTO.
 */
int tls_transport(struct tls *t, int fd, struct transport **ret, struct err *err);
