// SPDX-License-Identifier: Apache-2.0
/* What stands in the ClientHellos that trace_sni.bpf.c has copied to where the name will be. */
#include "base/limits.h"
#include "base/mem.h"
#include "columns/decoder.h"
#include "tls.h"
#include "trace_sni.h"

static void version_name(uint16_t version, struct buf *out)
{
	static const char *const names[] = {"SSL 3.0", "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3"};
	uint16_t minor = version - 0x300;

	if (version >= 0x300 && minor < array_size(names))
		buf_str(out, names[minor]);
	else
		buf_printf(out, "0x%04x", version);
}

/* The highest into e->version, and all into e->versions. */
static void put_versions(struct decoding *d, struct sni_event *e, const struct tls_hello *h)
{
	_cleanup_(buf_done) struct buf all, highest;
	struct tls_bytes list = h->versions;
	uint16_t version, best = 0;

	buf_init(&all, MAX_RECORD_BYTES);
	buf_init(&highest, 16);
	if (!list.n)
		best = h->version;
	while (tls_next_version(&list, &version)) {
		if (tls_is_grease(version))
			continue;
		best = version > best ? version : best;
		version_name(version, &all);
		buf_add(&all, "", 1);
	}
	if (best)
		version_name(best, &highest);
	if (!all.len && best) {
		version_name(best, &all);
		buf_add(&all, "", 1);
	}
	decoding_text(d, &e->version, buf_cstr(&highest), highest.len, false);
	decoding_text(d, &e->versions, buf_cstr(&all), all.len, false);
}

static void put_protocols(struct decoding *d, struct sni_event *e, struct tls_bytes list)
{
	_cleanup_(buf_done) struct buf all;
	struct tls_bytes name;

	buf_init(&all, MAX_RECORD_BYTES);
	while (tls_next_name(&list, &name)) {
		/* Strings end with a NUL here, so that a name with one would be two. */
		for (size_t i = 0; i < name.n; i++)
			buf_char(&all, name.bytes[i] ? (char)name.bytes[i] : '?');
		buf_add(&all, "", 1);
	}
	decoding_text(d, &e->alpn, buf_cstr(&all), all.len, false);
}

static void decode(struct decoding *d)
{
	_cleanup_(buf_done) struct buf handshake;
	struct sni_event *e = d->fixed;
	bool cut = e->name.length & G_TRUNCATED;
	size_t n = 0;
	const char *bytes = decoding_bytes(d, &e->name, &n);
	struct tls_hello h;
	bool ok;

	buf_init(&handshake, MAX_RECORD_BYTES);
	ok = tls_unwrap(bytes, n, &handshake);
	ok = tls_hello(buf_cstr(&handshake), handshake.len, &h) && ok;
	e->malformed = !ok && !cut;
	e->ciphers = h.ciphers;
	e->ech = h.ech;
	decoding_text(d, &e->name, (const char *)h.name.bytes ?: "", h.name.n, false);
	put_versions(d, e, &h);
	put_protocols(d, e, h.alpn);
}

static const struct decoder decoder = {.gadget = "trace_sni",
				       .source = "sni",
				       .fixed_size = sizeof(struct sni_event),
				       .decode = decode};
GADGET_DECODER(&decoder);
