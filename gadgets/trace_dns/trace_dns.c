// SPDX-License-Identifier: Apache-2.0
/* What stands in the messages that trace_dns.bpf.c has copied to where the name will be. */
#include <arpa/inet.h>
#include <string.h>

#include "base/mem.h"
#include "columns/decoder.h"
#include "dns.h"
#include "trace_dns.h"

enum { LIST_MAX = 16 * 1024, MDNS_UNICAST = 0x8000, EDNS_SUBNET = 8, EDNS_DO = 0x8000 };

/* The parts of a message that become texts, each string of the lists with a NUL behind. */
struct texts {
	struct buf name, other, type, class, rcode, subnet, addresses, cnames, answers;
};

static void texts_init(struct texts *t)
{
	buf_init(&t->name, DNS_NAME_MAX);
	buf_init(&t->other, DNS_NAME_MAX);
	buf_init(&t->type, 32);
	buf_init(&t->class, 32);
	buf_init(&t->rcode, 32);
	buf_init(&t->subnet, 64);
	buf_init(&t->addresses, LIST_MAX);
	buf_init(&t->cnames, LIST_MAX);
	buf_init(&t->answers, LIST_MAX);
}

static void texts_done(struct texts *t)
{
	buf_done(&t->name);
	buf_done(&t->other);
	buf_done(&t->type);
	buf_done(&t->class);
	buf_done(&t->rcode);
	buf_done(&t->subnet);
	buf_done(&t->addresses);
	buf_done(&t->cnames);
	buf_done(&t->answers);
}

static void read_flags(struct dns_event *e, const struct dns_header *h)
{
	e->id = h->id;
	e->aa = !!(h->flags & DNS_AA);
	e->tc = !!(h->flags & DNS_TC);
	e->rd = !!(h->flags & DNS_RD);
	e->ra = !!(h->flags & DNS_RA);
	e->ad = !!(h->flags & DNS_AD);
	e->cd = !!(h->flags & DNS_CD);
	e->num_questions = h->questions;
	e->num_answers = h->answers;
}

static bool read_questions(struct dns_reader *r, unsigned int n, struct texts *t)
{
	for (unsigned int i = 0; i < n; i++) {
		struct dns_question q;

		if (!dns_question(r, i ? &t->other : &t->name, &q))
			return false;
		if (i)
			continue;
		dns_type_name(q.type, &t->type);
		dns_class_name(q.class & ~MDNS_UNICAST ?: q.class, &t->class);
	}
	return true;
}

/* "example. 300 MX 10 mail.example." */
static bool add_answer(const struct dns_reader *r, const struct dns_record *rr, struct texts *t)
{
	size_t start = t->answers.len, data;
	struct buf *list = NULL;
	bool ok;

	buf_printf(&t->answers, "%s %u ", buf_cstr(&t->other), rr->ttl);
	dns_type_name(rr->type, &t->answers);
	buf_char(&t->answers, ' ');
	data = t->answers.len;
	ok = dns_data(r, rr, &t->answers);
	buf_add(&t->answers, "", 1);
	if (t->answers.failed) { /* no half of one */
		t->answers.len = start;
		return ok;
	}
	if (rr->type == DNS_A || rr->type == DNS_AAAA)
		list = &t->addresses;
	else if (rr->type == DNS_CNAME || rr->type == DNS_DNAME)
		list = &t->cnames;
	if (ok && list)
		buf_add(list, t->answers.data + data, t->answers.len - data);
	return ok;
}

static bool read_answers(struct dns_reader *r, unsigned int n, struct texts *t)
{
	for (unsigned int i = 0; i < n; i++) {
		struct dns_record rr;

		if (!dns_record(r, &t->other, &rr) || !add_answer(r, &rr, t))
			return false;
		/* mDNS answers without a question. */
		if (!t->name.len) {
			buf_add(&t->name, t->other.data, t->other.len);
			dns_type_name(rr.type, &t->type);
			dns_class_name(rr.class & ~MDNS_UNICAST, &t->class);
		}
	}
	return true;
}

/* RFC 7871: family, bits, scope, and as many bytes of the address as the bits need. */
static bool read_subnet(struct dns_reader *r, size_t end, struct buf *out)
{
	uint8_t address[16] = {0}, bits, scope;
	char text[INET6_ADDRSTRLEN];
	uint16_t family;

	if (!dns_u16(r, &family) || !dns_u8(r, &bits) || !dns_u8(r, &scope) || r->at > end ||
	    end - r->at > sizeof(address))
		return false;
	memcpy(address, r->bytes + r->at, end - r->at);
	if (family != 1 && family != 2)
		return false;
	buf_clear(out);
	buf_printf(out, "%s/%u",
		   inet_ntop(family == 1 ? AF_INET : AF_INET6, address, text, sizeof(text)), bits);
	return true;
}

/* EDNS keeps the sender's size where the class is, and flags in place of the time to live. */
static bool read_edns(const struct dns_reader *message, const struct dns_record *rr,
		      struct dns_event *e, struct buf *subnet)
{
	struct dns_reader r = {.bytes = message->bytes, .n = rr->at + rr->n, .at = rr->at};
	uint16_t option, n;

	e->edns = true;
	e->udp_size = rr->class;
	e->dnssec = !!(rr->ttl & EDNS_DO);
	while (r.at < r.n) {
		if (!dns_u16(&r, &option) || !dns_u16(&r, &n) || n > r.n - r.at)
			return false;
		size_t end = r.at + n;

		if (option == EDNS_SUBNET && !read_subnet(&r, end, subnet))
			return false;
		r.at = end;
	}
	return true;
}

/* What stands behind the answers is read for EDNS; *rcode gets its upper bits. */
static bool read_rest(struct dns_reader *r, unsigned int n, struct dns_event *e, struct texts *t,
		      uint16_t *rcode)
{
	for (unsigned int i = 0; i < n; i++) {
		struct dns_record rr;

		if (!dns_record(r, &t->other, &rr))
			return false;
		if (rr.type != DNS_OPT)
			continue;
		*rcode |= (uint16_t)(rr.ttl >> 24 << 4);
		if (!read_edns(r, &rr, e, &t->subnet))
			return false;
	}
	return true;
}

static bool read_message(const void *bytes, size_t n, struct dns_event *e, struct texts *t)
{
	struct dns_header h;
	struct dns_reader r;
	uint16_t rcode;
	bool ok;

	if (!dns_begin(&r, bytes, n, &h))
		return false;
	rcode = h.flags & DNS_RCODE;
	read_flags(e, &h);
	ok = read_questions(&r, h.questions, t) && read_answers(&r, h.answers, t) &&
	     read_rest(&r, (unsigned int)h.authorities + h.additional, e, t, &rcode);
	if (h.flags & DNS_RESPONSE)
		dns_rcode_name(rcode, &t->rcode);
	return ok;
}

static void put(struct decoding *d, g_text *field, const struct buf *text)
{
	decoding_text(d, field, text->data ?: "", text->len, text->failed);
}

static void decode(struct decoding *d)
{
	_cleanup_(texts_done) struct texts t;
	struct dns_event *e = d->fixed;
	bool cut = e->name.length & G_TRUNCATED;
	size_t n = 0;
	const char *bytes = decoding_bytes(d, &e->name, &n);

	texts_init(&t);
	e->malformed = !read_message(bytes, n, e, &t) && !cut;
	decoding_keep(d, &e->exepath);
	decoding_keep(d, &e->cwd);
	put(d, &e->name, &t.name);
	put(d, &e->qtype, &t.type);
	put(d, &e->qclass, &t.class);
	put(d, &e->rcode, &t.rcode);
	put(d, &e->client_subnet, &t.subnet);
	put(d, &e->addresses, &t.addresses);
	put(d, &e->cnames, &t.cnames);
	t.answers.failed |= cut;
	put(d, &e->answers, &t.answers);
}

static const struct decoder decoder = {.gadget = "trace_dns",
				       .source = "dns",
				       .fixed_size = sizeof(struct dns_event),
				       .decode = decode};
GADGET_DECODER(&decoder);
