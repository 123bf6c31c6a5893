// SPDX-License-Identifier: Apache-2.0
/*
 * Data of records as text. A form says what stands in it, one letter for each part:
 *   n name   1 2 4 number of so many bytes   s string   S strings up to the end
 *   a b IPv4 and IPv6 address   t type by name   x the rest as hex
 */
#include <arpa/inet.h>

#include "base/mem.h"
#include "dns.h"

struct form {
	uint16_t type;
	const char *parts;
};

static const struct form forms[] = {
	{1, "a"},	   /* A */
	{2, "n"},	   /* NS */
	{5, "n"},	   /* CNAME */
	{6, "nn44444"},	   /* SOA */
	{12, "n"},	   /* PTR */
	{13, "ss"},	   /* HINFO */
	{15, "2n"},	   /* MX */
	{16, "S"},	   /* TXT */
	{17, "nn"},	   /* RP */
	{18, "2n"},	   /* AFSDB */
	{28, "b"},	   /* AAAA */
	{33, "222n"},	   /* SRV */
	{35, "22sssn"},	   /* NAPTR */
	{36, "2n"},	   /* KX */
	{39, "n"},	   /* DNAME */
	{43, "211x"},	   /* DS */
	{44, "11x"},	   /* SSHFP */
	{46, "t114442nx"}, /* RRSIG */
	{48, "211x"},	   /* DNSKEY */
	{52, "111x"},	   /* TLSA */
	{99, "S"},	   /* SPF */
	{256, "22x"},	   /* URI */
	{257, "1sx"},	   /* CAA */
};

static const char *parts_of(uint16_t type)
{
	for (size_t i = 0; i < array_size(forms); i++)
		if (forms[i].type == type)
			return forms[i].parts;
	return NULL;
}

static bool number(struct dns_reader *r, char part, struct buf *out)
{
	uint32_t value = 0;
	uint16_t two = 0;
	uint8_t one = 0;
	bool ok = part == '1'	? dns_u8(r, &one)
		  : part == '4' ? dns_u32(r, &value)
				: dns_u16(r, &two);

	if (part == 't')
		dns_type_name(two, out);
	else
		buf_u64(out, value + two + one);
	return ok;
}

static bool string(struct dns_reader *r, struct buf *out)
{
	uint8_t n;

	if (!dns_u8(r, &n) || n > r->n - r->at)
		return false;
	buf_char(out, '"');
	dns_escape(out, r->bytes + r->at, n, true);
	buf_char(out, '"');
	r->at += n;
	return true;
}

static bool strings(struct dns_reader *r, struct buf *out)
{
	while (string(r, out)) {
		if (r->at == r->n)
			return true;
		buf_char(out, ' ');
	}
	return false;
}

static bool address(struct dns_reader *r, int family, struct buf *out)
{
	size_t n = family == AF_INET ? 4 : 16;
	char text[INET6_ADDRSTRLEN];

	if (r->n - r->at < n || !inet_ntop(family, r->bytes + r->at, text, sizeof(text)))
		return false;
	buf_str(out, text);
	r->at += n;
	return true;
}

static bool name(struct dns_reader *r, struct buf *out)
{
	_cleanup_(buf_done) struct buf text;
	bool ok;

	buf_init(&text, DNS_NAME_MAX);
	ok = dns_name(r, &text);
	if (ok)
		buf_add(out, text.data, text.len);
	return ok;
}

static bool hex(struct dns_reader *r, struct buf *out)
{
	for (; r->at < r->n; r->at++)
		buf_printf(out, "%02x", r->bytes[r->at]);
	return true;
}

static bool part(struct dns_reader *r, char which, struct buf *out)
{
	switch (which) {
	case 'n':
		return name(r, out);
	case 's':
		return string(r, out);
	case 'S':
		return strings(r, out);
	case 'a':
		return address(r, AF_INET, out);
	case 'b':
		return address(r, AF_INET6, out);
	case 'x':
		return hex(r, out);
	}
	return number(r, which, out);
}

bool dns_data(const struct dns_reader *r, const struct dns_record *rr, struct buf *out)
{
	/* Pointers lead back into the message; what is read ends with the record. */
	struct dns_reader in = {.bytes = r->bytes, .n = rr->at + rr->n, .at = rr->at};
	const char *parts = parts_of(rr->type);

	if (!parts) { /* RFC 3597 */
		buf_printf(out, "\\# %zu%s", rr->n, rr->n ? " " : "");
		return hex(&in, out);
	}
	for (size_t i = 0; parts[i]; i++) {
		if (i)
			buf_char(out, ' ');
		if (!part(&in, parts[i], out))
			return false;
	}
	return in.at == in.n;
}
