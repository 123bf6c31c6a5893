// SPDX-License-Identifier: Apache-2.0
/*
 * See tls.h. OpenSSL reads and writes the socket through a BIO of ours, since its own would let a
 * peer that is gone kill us by SIGPIPE. It is told to read no configuration, so nothing of it
 * depends on the machine.
 */
#include "net/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/transport.h"

/* What RFC 9113 allows of TLS 1.2; those of 1.3 are all good. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

static const unsigned char h2_protocol[] = {2, 'h', '2'};

struct tls {
	SSL_CTX *ctx;
	BIO_METHOD *method;
	bool is_server;
	char *name; /* asked of the server; NULL: it is an address, or we are the server */
};

struct session {
	struct transport t;
	SSL *ssl;
	bool shaken, failed, ended;
	int error; /* errno of the socket */
};

/* ---- the socket ------------------------------------------------------------------ */

static int finish_io(BIO *bio, struct session *s, ssize_t n)
{
	BIO_clear_retry_flags(bio);
	s->error = n < 0 ? errno : 0;
	return (int)n;
}

static int socket_read(BIO *bio, char *bytes, int room)
{
	struct session *s = BIO_get_data(bio);
	int n = finish_io(bio, s, recv(s->t.fd, bytes, (size_t)room, MSG_DONTWAIT));

	if (n < 0 && (s->error == EAGAIN || s->error == EINTR))
		BIO_set_retry_read(bio);
	s->ended = !n;
	return n;
}

static int socket_write(BIO *bio, const char *bytes, int size)
{
	struct session *s = BIO_get_data(bio);
	int n = finish_io(bio, s, send(s->t.fd, bytes, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT));

	if (n < 0 && (s->error == EAGAIN || s->error == EINTR))
		BIO_set_retry_write(bio);
	return n;
}

static long socket_ctrl(BIO *bio, int command, long number, void *pointer)
{
	const struct session *s = BIO_get_data(bio);

	if (command == BIO_CTRL_EOF)
		return s->ended;
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *socket_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");

	if (!m || !BIO_meth_set_read(m, socket_read) || !BIO_meth_set_write(m, socket_write) ||
	    !BIO_meth_set_ctrl(m, socket_ctrl))
		abort(); /* out of memory, as in xnew() */
	return m;
}

/* ---- bytes ----------------------------------------------------------------------- */

static const char *reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text ? text : "unknown error";
}

/* An alert about our certificate: RFC 8446, 6.2. */
static bool is_refusal(unsigned long error)
{
	static const int alerts[] = {
		SSL_AD_BAD_CERTIFICATE,	    SSL_AD_UNSUPPORTED_CERTIFICATE,
		SSL_AD_CERTIFICATE_REVOKED, SSL_AD_CERTIFICATE_EXPIRED,
		SSL_AD_CERTIFICATE_UNKNOWN, SSL_AD_UNKNOWN_CA,
		SSL_AD_ACCESS_DENIED,	    TLS13_AD_CERTIFICATE_REQUIRED,
	};

	for (size_t i = 0; i < array_size(alerts); i++)
		if (ERR_GET_LIB(error) == ERR_LIB_SSL &&
		    ERR_GET_REASON(error) == SSL_AD_REASON_OFFSET + alerts[i])
			return true;
	return false;
}

static int broken(struct session *s, struct err *err)
{
	long verified = SSL_get_verify_result(s->ssl);
	unsigned long error = ERR_peek_last_error();

	s->failed = true;
	if (verified != X509_V_OK)
		return err_set(err, -EKEYREJECTED, "TLS: the peer's certificate: %s",
			       X509_verify_cert_error_string(verified));
	if (ERR_GET_REASON(error) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
		return err_set(err, -EKEYREJECTED, "TLS: the peer has no certificate");
	if (is_refusal(error))
		return err_set(err, -EKEYREJECTED, "TLS: the peer refuses our certificate: %s",
			       reason());
	return err_set(err, -EPROTO, "TLS: %s", reason());
}

/* After a call that gave r: what to wait for, or what went wrong; 0 is the end of bytes. */
static int failed(struct session *s, int r, uint32_t *wait_for, struct err *err)
{
	switch (SSL_get_error(s->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		*wait_for = EPOLLIN;
		return -EAGAIN;
	case SSL_ERROR_WANT_WRITE:
		*wait_for = EPOLLOUT;
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		s->failed = true;
		return s->error ? err_set(err, -s->error, "TLS: %s", strerror(s->error)) : 0;
	default:
		return broken(s, err);
	}
}

/* 1: done; else as failed(). */
static int shake_hands(struct session *s, uint32_t *wait_for, struct err *err)
{
	const unsigned char *protocol;
	unsigned int n;
	int r;

	if (s->shaken)
		return 1;
	r = SSL_do_handshake(s->ssl);
	if (r != 1)
		return failed(s, r, wait_for, err);
	SSL_get0_alpn_selected(s->ssl, &protocol, &n);
	if (n != 2 || memcmp(protocol, "h2", 2))
		return err_set(err, -EPROTO, "TLS: the peer does not speak HTTP/2");
	s->shaken = true;
	return 1;
}

static ssize_t tls_recv(struct transport *t, void *bytes, size_t room, struct err *err)
{
	struct session *s = container_of(t, struct session, t);
	int r;

	ERR_clear_error();
	t->recv_on = EPOLLIN;
	r = shake_hands(s, &t->recv_on, err);
	if (r != 1)
		return r;
	r = SSL_read(s->ssl, bytes, (int)room);
	return r > 0 ? r : failed(s, r, &t->recv_on, err);
}

static ssize_t tls_send(struct transport *t, const void *bytes, size_t n, struct err *err)
{
	struct session *s = container_of(t, struct session, t);
	int r;

	ERR_clear_error();
	t->send_on = EPOLLOUT;
	r = shake_hands(s, &t->send_on, err);
	if (r == 1) {
		r = SSL_write(s->ssl, bytes, (int)n);
		if (r > 0)
			return r;
		r = failed(s, r, &t->send_on, err);
	}
	return r ? r : err_set(err, -ECONNRESET, "TLS: the peer closed the connection");
}

static void tls_end(struct transport *t)
{
	struct session *s = container_of(t, struct session, t);

	if (s->shaken && !s->failed)
		SSL_shutdown(s->ssl); /* a word of farewell, if there is room for it */
	ERR_clear_error();
	shutdown(t->fd, SHUT_WR);
}

static void tls_transport_free(struct transport *t)
{
	struct session *s = container_of(t, struct session, t);

	tls_end(t);
	SSL_free(s->ssl);
	closep(&s->t.fd);
	free(s);
}

int tls_transport(struct tls *tls, int fd, struct transport **ret, struct err *err)
{
	static const struct transport_ops ops = {tls_recv, tls_send, tls_end, tls_transport_free};
	struct session *s = xnew(struct session);
	BIO *bio = BIO_new(tls->method);

	s->t = (struct transport){.ops = &ops, .fd = fd, .recv_on = EPOLLIN, .send_on = EPOLLOUT};
	s->ssl = SSL_new(tls->ctx);
	if (!bio || !s->ssl)
		abort(); /* out of memory, as in xnew() */
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	SSL_set_bio(s->ssl, bio, bio);
	if (tls->is_server)
		SSL_set_accept_state(s->ssl);
	else
		SSL_set_connect_state(s->ssl);
	if (tls->name)
		SSL_set_tlsext_host_name(s->ssl, tls->name);
	*ret = &s->t;
	return 0;
}

/* ---- life ------------------------------------------------------------------------ */

static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_n,
			   const unsigned char *offered, unsigned int n, void *arg)
{
	unsigned char *chosen;

	if (SSL_select_next_proto(&chosen, ret_n, h2_protocol, sizeof(h2_protocol), offered, n) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static int bad_file(const char *what, const char *path, struct err *err)
{
	unsigned long error = ERR_peek_error();

	if (ERR_GET_LIB(error) == ERR_LIB_SYS)
		return err_set(err, -ERR_GET_REASON(error), "%s %s: %s", what, path,
			       strerror(ERR_GET_REASON(error)));
	return err_set(err, -EINVAL, "%s %s: %s", what, path, reason());
}

static int read_files(SSL_CTX *ctx, const struct tls_files *f, struct err *err)
{
	if (SSL_CTX_load_verify_file(ctx, f->ca) != 1)
		return bad_file("certificates", f->ca, err);
	if (!f->certificate)
		return 0;
	if (SSL_CTX_use_certificate_chain_file(ctx, f->certificate) != 1)
		return bad_file("certificate", f->certificate, err);
	if (SSL_CTX_use_PrivateKey_file(ctx, f->key, SSL_FILETYPE_PEM) != 1)
		return bad_file("key", f->key, err);
	return 0;
}

static struct tls *new_tls(bool is_server)
{
	struct tls *t = xnew(struct tls);

	OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	ERR_clear_error();
	t->is_server = is_server;
	t->method = socket_method();
	t->ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
	if (!t->ctx || !SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION) ||
	    !SSL_CTX_set_cipher_list(t->ctx, CIPHERS) ||
	    SSL_CTX_set_alpn_protos(t->ctx, h2_protocol, sizeof(h2_protocol)))
		abort(); /* out of memory, as in xnew() */
	SSL_CTX_set_alpn_select_cb(t->ctx, choose_protocol, NULL);
	/* Each session proves its certificates anew. */
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(t->ctx, 0);
	SSL_CTX_set_options(t->ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
					    SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(t->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
					 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
					 SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return t;
}

int tls_server_new(const struct tls_files *files, struct tls **ret, struct err *err)
{
	struct tls *t;
	int r;

	if (!files->ca || !files->certificate || !files->key)
		return err_set(err, -EINVAL,
			       "TLS: certificates of a CA, a certificate and its key "
			       "must be given");
	t = new_tls(true);
	r = read_files(t->ctx, files, err);
	if (r) {
		tls_free(t);
		return r;
	}
	SSL_CTX_set_client_CA_list(t->ctx, SSL_load_client_CA_file(files->ca));
	*ret = t;
	return 0;
}

static bool is_address(const char *host)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

int tls_client_new(const struct tls_files *files, const char *host, struct tls **ret,
		   struct err *err)
{
	X509_VERIFY_PARAM *param;
	struct tls *t;
	int r;

	if (!files->ca || !files->certificate != !files->key)
		return err_set(err, -EINVAL,
			       "TLS: certificates of a CA, and of a certificate and "
			       "its key both or none must be given");
	t = new_tls(false);
	r = read_files(t->ctx, files, err);
	param = SSL_CTX_get0_param(t->ctx);
	if (!r && is_address(host))
		r = X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1 ? 0 : -EINVAL;
	else if (!r && (t->name = xstrdup(host)))
		r = *host && X509_VERIFY_PARAM_set1_host(param, host, 0) == 1
			    ? 0
			    : err_set(err, -EINVAL, "TLS: no host '%s'", host);
	if (r) {
		tls_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

struct tls *tls_free(struct tls *t)
{
	if (!t)
		return NULL;
	SSL_CTX_free(t->ctx);
	BIO_meth_free(t->method);
	free(t->name);
	free(t);
	return NULL;
}
