// SPDX-License-Identifier: Apache-2.0
/* The handshake (RFC 6455, 4); see websocket.h. */
#include <openssl/evp.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "net/http1.h"
#include "net/websocket.h"

#define KEY_BYTES 16
#define SHA1_BYTES 20
#define BASE64(n) (((n) + 2) / 3 * 4 + 1)

struct websocket_dial {
	struct http1_get *get;
	char accept[BASE64(SHA1_BYTES)]; /* what the server must answer to our key */
	bool upgrades, connects, accepts;
	char *offered, *protocol;
	websocket_dial_fn *fn;
	void *ctx;
};

static void destroy(struct websocket_dial *d)
{
	free(d->offered);
	free(d->protocol);
	free(d);
}

struct websocket_dial *websocket_cancel(struct websocket_dial *d)
{
	if (d) {
		http1_cancel(d->get);
		destroy(d);
	}
	return NULL;
}

/* ---- keys ------------------------------------------------------------------------ */

static void make_key(char ret[BASE64(KEY_BYTES)])
{
	uint8_t key[KEY_BYTES];

	while (getrandom(key, sizeof(key), 0) != sizeof(key))
		;
	EVP_EncodeBlock((unsigned char *)ret, key, sizeof(key));
}

/* -ENOSYS: OpenSSL has no SHA-1, as one that was made to obey a policy. */
static int answer_to(const char *key, char ret[BASE64(SHA1_BYTES)])
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	_cleanup_(freep) char *text = xasprintf("%s%s", key, guid);
	uint8_t digest[SHA1_BYTES];

	if (!EVP_Digest(text, strlen(text), digest, NULL, EVP_sha1(), NULL))
		return -ENOSYS;
	EVP_EncodeBlock((unsigned char *)ret, digest, sizeof(digest));
	return 0;
}

/* ---- the answer ------------------------------------------------------------------ */

/* A word of a comma list, whatever its case: "keep-alive, Upgrade". */
static bool has_word(const char *list, const char *word)
{
	size_t n = strlen(word);

	while (*list) {
		size_t length;

		list += strspn(list, ", \t");
		length = strcspn(list, ", \t");
		if (length == n && !strncasecmp(list, word, n))
			return true;
		list += length;
	}
	return false;
}

static void on_header(void *ctx, const char *name, const char *value)
{
	struct websocket_dial *d = ctx;

	if (!strcasecmp(name, "Upgrade"))
		d->upgrades = has_word(value, "websocket");
	else if (!strcasecmp(name, "Connection"))
		d->connects = d->connects || has_word(value, "upgrade");
	else if (!strcasecmp(name, "Sec-WebSocket-Accept"))
		d->accepts = *d->accept && !strcmp(value, d->accept);
	else if (!strcasecmp(name, "Sec-WebSocket-Protocol") && !d->protocol)
		d->protocol = xstrdup(value);
}

static int check(const struct websocket_dial *d, struct err *err)
{
	if (!d->upgrades || !d->connects || !d->accepts)
		return err_set(err, -EBADMSG, "the server does not speak WebSocket");
	if (d->protocol && !has_word(d->offered, d->protocol))
		return err_set(err, -EBADMSG, "the server speaks '%.100s', which was not asked for",
			       d->protocol);
	return 0;
}

static void on_answer(void *ctx, const struct err *err, unsigned int status, struct buf *body)
{
	struct websocket_dial *d = ctx;
	struct websocket_answer a = {.fd = -1, .status = status, .body = body};
	struct err wrong;

	a.protocol = d->protocol ?: "";
	if (!err && status == 101 && check(d, &wrong))
		err = &wrong;
	if (!err && status == 101)
		a.fd = http1_take_fd(d->get);
	d->fn(d->ctx, err, err ? NULL : &a);
	destroy(d);
}

struct websocket_dial *websocket_dial(struct reactor *r, int fd, const struct websocket_request *q,
				      websocket_dial_fn *fn, void *ctx)
{
	struct websocket_dial *d = xnew(struct websocket_dial);
	_cleanup_(freep) char *headers = NULL;
	char key[BASE64(KEY_BYTES)];

	make_key(key);
	if (answer_to(key, d->accept))
		d->accept[0] = '\0'; /* no answer is the right one */
	d->offered = xstrdup(q->protocols);
	d->fn = fn;
	d->ctx = ctx;
	headers = xasprintf("Connection: Upgrade\r\nUpgrade: websocket\r\n"
			    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n"
			    "Sec-WebSocket-Protocol: %s\r\n",
			    key, q->protocols);
	d->get = http1_upgrade(r, fd,
			       &(struct http1_upgrade){.path = q->path,
						       .headers = headers,
						       .max_body = q->max_body,
						       .deadline_ns = q->deadline_ns,
						       .on_header = on_header},
			       on_answer, d);
	return d;
}
