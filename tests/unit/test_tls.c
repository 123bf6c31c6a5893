// SPDX-License-Identifier: Apache-2.0
/* net/tls: our client and our server, with certificates good and bad, and a peer that lies. */
#include "net/tls.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "net/address.h"
#include "net/grpc.h"
#include "net/grpc_server.h"

/* ---- certificates ---------------------------------------------------------------- */

static char folder[] = "/tmp/test_tls.XXXXXX";

struct identity {
	char certificate[80], key[80];
	X509 *x509;
	EVP_PKEY *pkey;
};

static struct identity ca, other_ca, server_id, client_id, expired_id, stranger_id;

static void add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(e);
	assert_int_equal(X509_add_ext(x, e, -1), 1);
	X509_EXTENSION_free(e);
}

static void write_files(const struct identity *id)
{
	FILE *f = fopen(id->certificate, "we");

	assert_int_equal(PEM_write_X509(f, id->x509), 1);
	fclose(f);
	f = fopen(id->key, "we");
	assert_int_equal(PEM_write_PrivateKey(f, id->pkey, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
}

/* signer NULL: a CA. Times are seconds from now. */
static void make(struct identity *id, const char *name, const struct identity *signer, long until)
{
	X509 *x = X509_new();

	snprintf(id->certificate, sizeof(id->certificate), "%s/%s.pem", folder, name);
	snprintf(id->key, sizeof(id->key), "%s/%s.key", folder, name);
	id->x509 = x;
	id->pkey = EVP_EC_gen("P-256");
	assert_non_null(id->pkey);
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), random());
	X509_gmtime_adj(X509_getm_notBefore(x), -7200);
	X509_gmtime_adj(X509_getm_notAfter(x), until);
	X509_set_pubkey(x, id->pkey);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(signer ? signer->x509 : x));
	if (signer)
		add_extension(x, NID_subject_alt_name, "DNS:node.example,IP:127.0.0.1,IP:::1");
	else
		add_extension(x, NID_basic_constraints, "critical,CA:TRUE");
	assert_true(X509_sign(x, signer ? signer->pkey : id->pkey, EVP_sha256()) > 0);
	write_files(id);
}

static struct identity *const all[] = {&ca,	   &other_ca,	&server_id,
				       &client_id, &expired_id, &stranger_id};

static int make_all(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	make(&ca, "ca", NULL, 3600);
	make(&other_ca, "other-ca", NULL, 3600);
	make(&server_id, "server", &ca, 3600);
	make(&client_id, "client", &ca, 3600);
	make(&expired_id, "expired", &ca, -3600);
	make(&stranger_id, "stranger", &other_ca, 3600);
	return 0;
}

static int remove_all(void **state)
{
	for (size_t i = 0; i < array_size(all); i++) {
		unlink(all[i]->certificate);
		unlink(all[i]->key);
		X509_free(all[i]->x509);
		EVP_PKEY_free(all[i]->pkey);
	}
	return rmdir(folder);
}

/* ---- both sides ------------------------------------------------------------------ */

struct lab {
	struct reactor *reactor;
	struct grpc_server *server;
	struct tls *server_tls;
	struct address address;
	struct buf warnings;
};

struct call {
	unsigned int done;
	enum grpc_status status;
	char text[300];
	size_t len;
};

static int echo(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	buf_add(reply, bytes, len);
	return 0;
}

static const struct grpc_method methods[] = {{"/t.T/Echo", .unary = echo}, {NULL}};

static void on_warning(void *ctx, const char *text)
{
	struct lab *l = ctx;

	buf_printf(&l->warnings, "%s\n", text);
}

static void setup(struct lab *l, const struct identity *id)
{
	const struct tls_files files = {ca.certificate, id->certificate, id->key};
	const struct grpc_server_options o = {.warn = on_warning, .ctx = l};
	const struct listen_options modes = {0700, 0600, (gid_t)-1};
	int fd;

	*l = (struct lab){.warnings = {.max = 1 << 16}};
	l->address.path = xasprintf("%s/socket", folder);
	fd = address_listen(&l->address, &modes, NULL);
	assert_true(fd >= 0);
	assert_int_equal(reactor_new(&l->reactor, NULL), 0);
	assert_int_equal(tls_server_new(&files, &l->server_tls, NULL), 0);
	assert_int_equal(grpc_server_new(l->reactor, &o, &l->server, NULL), 0);
	assert_int_equal(grpc_server_listen(l->server, fd, l->server_tls, NULL), 0);
	grpc_server_add(l->server, methods, l);
}

static void teardown(struct lab *l)
{
	grpc_server_free(l->server);
	tls_free(l->server_tls);
	reactor_free(l->reactor);
	unlink(l->address.path);
	address_done(&l->address);
	buf_done(&l->warnings);
}

static void dispatch(struct lab *l)
{
	struct pollfd p = {.fd = reactor_fd(l->reactor), .events = POLLIN};

	while (poll(&p, 1, 0) == 1)
		reactor_dispatch(l->reactor);
}

static void on_done(void *ctx, const struct grpc_reply *reply)
{
	struct call *c = ctx;

	c->done++;
	c->status = reply->status;
	c->len = reply->len;
	snprintf(c->text, sizeof(c->text), "%s", reply->text);
}

/* One call over a connection of its own. id NULL: no certificate. */
static void call(struct lab *l, const struct identity *authority, const struct identity *id,
		 const char *host, size_t len, struct call *c)
{
	const struct tls_files files = {authority->certificate, id ? id->certificate : NULL,
					id ? id->key : NULL};
	_cleanup_(freep) char *bytes = xcalloc(1, len + 1);
	const struct grpc_request q = {.method = "/t.T/Echo", .bytes = bytes, .len = len};
	struct pollfd p = {.fd = reactor_fd(l->reactor), .events = POLLIN};
	struct grpc_channel_options o = {0};
	struct grpc_channel *ch;
	int fd = address_connect(&l->address, 0, NULL), small = 4096;

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(tls_client_new(&files, host, &o.tls, NULL), 0);
	assert_int_equal(grpc_channel_new(l->reactor, fd, &o, &ch, NULL), 0);
	*c = (struct call){0};
	grpc_call_unary(ch, &q, on_done, c);
	while (!c->done) {
		assert_int_equal(poll(&p, 1, 5000), 1);
		reactor_dispatch(l->reactor);
	}
	dispatch(l);
	grpc_channel_free(ch);
	tls_free(o.tls);
	dispatch(l);
	assert_int_equal(grpc_server_connections(l->server), 0);
}

static void test_good(void **state)
{
	static const char *const hosts[] = {"node.example", "127.0.0.1", "::1"};
	struct call c;
	struct lab l;

	setup(&l, &server_id);
	for (size_t i = 0; i < array_size(hosts); i++) {
		call(&l, &ca, &client_id, hosts[i], 5, &c);
		assert_string_equal(c.text, "");
		assert_int_equal(c.len, 5);
	}
	call(&l, &ca, &client_id, "node.example", 4 << 20, &c);
	assert_int_equal(c.status, GRPC_OK);
	assert_int_equal(c.len, 4 << 20);
	assert_int_equal(l.warnings.len, 0);
	teardown(&l);
}

static void test_bad_clients(void **state)
{
	static const struct {
		const struct identity *id;
		const char *warning;
	} cases[] = {
		{NULL, "TLS: the peer has no certificate"},
		{&expired_id, "TLS: the peer's certificate: certificate has expired"},
		{&stranger_id, "TLS: the peer's certificate: unable to get local issuer"},
		{&other_ca, "TLS: the peer's certificate: "},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct call c;
		struct lab l;

		setup(&l, &server_id);
		call(&l, &ca, cases[i].id, "node.example", 5, &c);
		assert_int_equal(c.status, GRPC_UNAVAILABLE);
		assert_non_null(strstr(c.text, "TLS: the peer refuses our certificate: "));
		assert_non_null(strstr(buf_cstr(&l.warnings), cases[i].warning));
		teardown(&l);
	}
}

static void test_bad_servers(void **state)
{
	static const struct {
		const struct identity *id, *authority;
		const char *host, *text;
	} cases[] = {
		{&server_id, &ca, "node", "hostname mismatch"},
		{&server_id, &ca, "sub.node.example", "hostname mismatch"},
		{&server_id, &ca, "127.0.0.2", "IP address mismatch"},
		{&server_id, &other_ca, "node.example", "self-signed certificate in"},
		{&expired_id, &ca, "node.example", "certificate has expired"},
		{&stranger_id, &ca, "node.example", "unable to get local issuer"},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		struct call c;
		struct lab l;

		setup(&l, cases[i].id);
		call(&l, cases[i].authority, &client_id, cases[i].host, 5, &c);
		assert_int_equal(c.status, GRPC_UNAVAILABLE);
		assert_non_null(strstr(c.text, "TLS: the peer's certificate: "));
		if (!strstr(c.text, cases[i].text))
			print_error("server %zu: %s\n", i, c.text);
		assert_non_null(strstr(c.text, cases[i].text));
		teardown(&l);
	}
}

/* What is no TLS, and what is cut off at any byte of a hello. */
static void test_bytes(void **state)
{
	static const char *const texts[] = {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
					    "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\x02\x01",
					    "\x15\x03\x01\x00\x02\x02\x28"};
	struct lab l;

	setup(&l, &server_id);
	for (size_t i = 0; i < array_size(texts); i++) {
		for (size_t n = 0; n <= strlen(texts[i]); n++) {
			int fd = address_connect(&l.address, 0, NULL);

			assert_int_equal(send(fd, texts[i], n, MSG_NOSIGNAL), n);
			dispatch(&l);
			close(fd);
			dispatch(&l);
			assert_int_equal(grpc_server_connections(l.server), 0);
		}
	}
	teardown(&l);
}

static void test_files(void **state)
{
	const struct tls_files bad_key = {ca.certificate, server_id.certificate, client_id.key};
	const struct tls_files no_key = {ca.certificate, server_id.certificate, "/nowhere"};
	const struct tls_files no_ca = {"/nowhere", server_id.certificate, server_id.key};
	const struct tls_files no_pem = {ca.certificate, "/etc/passwd", server_id.key};
	const struct tls_files half = {ca.certificate, server_id.certificate, NULL};
	const struct tls_files trust = {ca.certificate, NULL, NULL};
	struct tls *t = NULL;
	struct err err;

	assert_int_equal(tls_server_new(&bad_key, &t, &err), -EINVAL);
	assert_non_null(strstr(err.text, client_id.key));
	assert_int_equal(tls_server_new(&no_key, &t, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere: No such file"));
	assert_int_equal(tls_server_new(&no_ca, &t, &err), -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere: No such file"));
	assert_int_equal(tls_server_new(&no_pem, &t, &err), -EINVAL);
	assert_non_null(strstr(err.text, "/etc/passwd"));
	assert_int_equal(tls_server_new(&half, &t, &err), -EINVAL);
	assert_int_equal(tls_client_new(&half, "a", &t, &err), -EINVAL);
	assert_int_equal(tls_client_new(&trust, "", &t, &err), -EINVAL);
	assert_null(t);
	assert_int_equal(tls_client_new(&trust, "a", &t, &err), 0);
	assert_null(tls_free(t));
	assert_null(tls_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),	    cmocka_unit_test(test_bad_clients),
		cmocka_unit_test(test_bad_servers), cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests(tests, make_all, remove_all);
}
