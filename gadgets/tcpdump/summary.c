// SPDX-License-Identifier: Apache-2.0
#include "summary.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include "base/mem.h"

enum {
	TYPE_IP = 0x0800,
	TYPE_ARP = 0x0806,
	TYPE_VLAN = 0x8100,
	TYPE_QINQ = 0x88a8,
	TYPE_IPV6 = 0x86dd
};
enum { SMALLEST_TYPE = 0x600 /* below it is a length: IEEE 802.3 */, MAX_TAGS = 4 };
enum { MORE_FRAGMENTS = 0x2000, FRAGMENT_OFFSET = 0x1fff, MAX_EXTENSIONS = 8 };

void summary_init(struct summary *s)
{
	*s = (struct summary){0};
	buf_init(&s->proto, SUMMARY_PROTO_MAX);
	buf_init(&s->info, SUMMARY_INFO_MAX);
}

void summary_done(struct summary *s)
{
	buf_done(&s->proto);
	buf_done(&s->info);
}

/* ---- bytes that may end anywhere ------------------------------------------------------------ */

struct bytes {
	const uint8_t *at;
	size_t n;
};

/* The next n bytes; NULL: they are not there. */
static const uint8_t *next_bytes(struct bytes *in, size_t n)
{
	const uint8_t *at = in->at;

	if (in->n < n)
		return NULL;
	in->at += n;
	in->n -= n;
	return at;
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)be16(p) << 16 | be16(p + 2);
}

static void add_ipv4(struct buf *out, const uint8_t *addr)
{
	buf_printf(out, "%u.%u.%u.%u", addr[0], addr[1], addr[2], addr[3]);
}

static void add_mac(struct buf *out, const uint8_t *mac)
{
	for (int i = 0; i < 6; i++)
		buf_printf(out, "%s%02x", i ? ":" : "", mac[i]);
}

/* ---- above IP ------------------------------------------------------------------------------- */

/* `length`: bytes of the whole payload, as the headers say; fewer may be there. */
static void tcp(struct summary *s, struct bytes in, uint32_t length)
{
	static const struct {
		uint8_t flag;
		char letter;
	} flags[] = {{2, 'S'},	{1, 'F'},  {4, 'R'},   {8, 'P'},
		     {32, 'U'}, {64, 'E'}, {128, 'W'}, {16, '.'}};
	const uint8_t *h = next_bytes(&in, 20);
	uint32_t header;

	if (!h)
		return;
	header = (uint32_t)(h[12] >> 4) * 4;
	s->src.port = be16(h);
	s->dst.port = be16(h + 2);
	buf_str(&s->info, "Flags [");
	for (size_t i = 0; i < array_size(flags); i++)
		if (h[13] & flags[i].flag)
			buf_char(&s->info, flags[i].letter);
	buf_printf(&s->info, "], seq %" PRIu32, be32(h + 4));
	if (h[13] & 16)
		buf_printf(&s->info, ", ack %" PRIu32, be32(h + 8));
	buf_printf(&s->info, ", win %u, length %" PRIu32, be16(h + 14),
		   length > header ? length - header : 0);
}

static void udp(struct summary *s, struct bytes in, uint32_t length)
{
	const uint8_t *h = next_bytes(&in, 8);

	if (!h)
		return;
	s->src.port = be16(h);
	s->dst.port = be16(h + 2);
	buf_printf(&s->info, "length %" PRIu32, length > 8 ? length - 8 : 0);
}

struct named {
	uint8_t type;
	const char *name;
	bool echo;
};

static void icmp_message(struct summary *s, struct bytes in, uint32_t length,
			 const struct named *names, size_t n)
{
	const uint8_t *h = next_bytes(&in, 8);
	const struct named *is = NULL;

	if (!h)
		return;
	for (size_t i = 0; i < n; i++)
		if (names[i].type == h[0])
			is = &names[i];
	if (is)
		buf_str(&s->info, is->name);
	else
		buf_printf(&s->info, "type %u", h[0]);
	if (is && is->echo)
		buf_printf(&s->info, ", id %u, seq %u", be16(h + 4), be16(h + 6));
	else if (h[1])
		buf_printf(&s->info, ", code %u", h[1]);
	buf_printf(&s->info, ", length %" PRIu32, length);
}

static void icmp(struct summary *s, struct bytes in, uint32_t length)
{
	static const struct named names[] = {{0, "echo reply", true},
					     {3, "unreachable", false},
					     {5, "redirect", false},
					     {8, "echo request", true},
					     {11, "time exceeded", false}};

	icmp_message(s, in, length, names, array_size(names));
}

static void icmp6(struct summary *s, struct bytes in, uint32_t length)
{
	static const struct named names[] = {{1, "unreachable", false},
					     {2, "packet too big", false},
					     {3, "time exceeded", false},
					     {128, "echo request", true},
					     {129, "echo reply", true},
					     {133, "router solicitation", false},
					     {134, "router advertisement", false},
					     {135, "neighbor solicitation", false},
					     {136, "neighbor advertisement", false},
					     {143, "multicast listener report v2", false}};

	icmp_message(s, in, length, names, array_size(names));
}

static const struct {
	uint8_t number;
	const char *name;
	void (*tell)(struct summary *s, struct bytes in, uint32_t length); /* NULL: its length */
} protocols[] = {{IPPROTO_ICMP, "ICMP", icmp}, {IPPROTO_IGMP, "IGMP", NULL},
		 {IPPROTO_TCP, "TCP", tcp},    {IPPROTO_UDP, "UDP", udp},
		 {IPPROTO_GRE, "GRE", NULL},   {IPPROTO_ESP, "ESP", NULL},
		 {IPPROTO_AH, "AH", NULL},     {IPPROTO_ICMPV6, "ICMP6", icmp6},
		 {IPPROTO_SCTP, "SCTP", NULL}};

/* offset: of a fragment in its packet; only the first one has the headers. */
static void payload(struct summary *s, uint8_t number, struct bytes in, uint32_t length,
		    uint32_t offset)
{
	size_t i = 0;

	s->src.proto = s->dst.proto = number;
	while (i < array_size(protocols) && protocols[i].number != number)
		i++;
	if (i == array_size(protocols))
		buf_printf(&s->proto, "IP %u", number);
	else
		buf_str(&s->proto, protocols[i].name);
	if (!offset && i < array_size(protocols) && protocols[i].tell)
		protocols[i].tell(s, in, length);
	else
		buf_printf(&s->info, "length %" PRIu32, length);
}

/* ---- below ---------------------------------------------------------------------------------- */

static void fragment(struct summary *s, uint32_t id, uint32_t offset, bool more)
{
	if (offset || more)
		buf_printf(&s->info, "frag %" PRIu32 ":%" PRIu32 "%s, ", id, offset,
			   more ? "+" : "");
}

static void endpoint_ipv4(struct g_endpoint *e, const uint8_t *addr)
{
	e->addr[10] = e->addr[11] = 0xff;
	memcpy(e->addr + 12, addr, 4);
	e->version = 4;
}

static void ipv4(struct summary *s, struct bytes in)
{
	const uint8_t *h = next_bytes(&in, 20);
	uint32_t header, length, offset;

	if (!h || h[0] >> 4 != 4) {
		buf_str(&s->proto, "IP");
		return;
	}
	header = (uint32_t)(h[0] & 15) * 4;
	length = be16(h + 2);
	offset = (uint32_t)(be16(h + 6) & FRAGMENT_OFFSET) * 8;
	endpoint_ipv4(&s->src, h + 12);
	endpoint_ipv4(&s->dst, h + 16);
	fragment(s, be16(h + 4), offset, be16(h + 6) & MORE_FRAGMENTS);
	if (header < 20 || !next_bytes(&in, header - 20))
		in.n = 0;
	payload(s, h[9], in, length > header ? length - header : 0, offset);
}

/* Past the extension headers; the protocol behind them. */
static uint8_t ipv6_extensions(struct summary *s, struct bytes *in, uint8_t next, uint32_t *length,
			       uint32_t *ret_offset)
{
	for (int i = 0; i < MAX_EXTENSIONS; i++) {
		const uint8_t *h = in->at;
		uint32_t size;

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING &&
		    next != IPPROTO_FRAGMENT && next != IPPROTO_DSTOPTS)
			break;
		if (in->n < 8)
			break;
		size = next == IPPROTO_FRAGMENT ? 8 : (uint32_t)(h[1] + 1) * 8;
		if (next == IPPROTO_FRAGMENT) {
			*ret_offset = be16(h + 2) & 0xfff8;
			fragment(s, be32(h + 4), *ret_offset, h[3] & 1);
		}
		next = h[0];
		*length = *length > size ? *length - size : 0;
		if (!next_bytes(in, size)) {
			in->n = 0;
			break;
		}
		if (*ret_offset)
			break;
	}
	return next;
}

static void ipv6(struct summary *s, struct bytes in)
{
	const uint8_t *h = next_bytes(&in, 40);
	uint32_t length, offset = 0;
	uint8_t next;

	if (!h || h[0] >> 4 != 6) {
		buf_str(&s->proto, "IP6");
		return;
	}
	length = be16(h + 4);
	memcpy(s->src.addr, h + 8, 16);
	memcpy(s->dst.addr, h + 24, 16);
	s->src.version = s->dst.version = 6;
	next = ipv6_extensions(s, &in, h[6], &length, &offset);
	payload(s, next, in, length, offset);
}

/* Addresses of IPv4 on Ethernet (RFC 826). */
static void arp(struct summary *s, struct bytes in)
{
	enum { REQUEST = 1, REPLY = 2 };
	const uint8_t *h = next_bytes(&in, 28);

	buf_str(&s->proto, "ARP");
	if (!h || be16(h) != 1 || be16(h + 2) != TYPE_IP || h[4] != 6 || h[5] != 4)
		return;
	if (be16(h + 6) == REQUEST) {
		buf_str(&s->info, "Request who-has ");
		add_ipv4(&s->info, h + 24);
		buf_str(&s->info, " tell ");
		add_ipv4(&s->info, h + 14);
	} else if (be16(h + 6) == REPLY) {
		buf_str(&s->info, "Reply ");
		add_ipv4(&s->info, h + 14);
		buf_str(&s->info, " is-at ");
		add_mac(&s->info, h + 8);
	} else {
		buf_printf(&s->info, "operation %u", be16(h + 6));
	}
}

void summary_make(struct summary *s, const void *frame, size_t n)
{
	struct bytes in = {frame, n};
	const uint8_t *type;

	if (!next_bytes(&in, 12))
		return;
	type = next_bytes(&in, 2);
	for (int i = 0; i < MAX_TAGS && type; i++) {
		const uint8_t *tag;

		if (be16(type) != TYPE_VLAN && be16(type) != TYPE_QINQ)
			break;
		tag = next_bytes(&in, 2);
		if (tag)
			buf_printf(&s->info, "vlan %u, ", be16(tag) & 0xfff);
		type = next_bytes(&in, 2);
	}
	if (!type)
		return;
	switch (be16(type)) {
	case TYPE_IP:
		ipv4(s, in);
		return;
	case TYPE_IPV6:
		ipv6(s, in);
		return;
	case TYPE_ARP:
		arp(s, in);
		return;
	}
	if (be16(type) < SMALLEST_TYPE)
		buf_str(&s->proto, "802.3");
	else
		buf_printf(&s->proto, "0x%04x", be16(type));
}
