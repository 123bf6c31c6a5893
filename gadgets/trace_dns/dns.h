/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS messages (RFC 1035, 2535, 6891) from whoever sent them, read in one pass within their bounds.
 * A pointer in a name leads back to before the name, and each further one before that, so that none
 * can loop.
 *
 *   struct dns_reader r;
 *   dns_begin(&r, bytes, n, &header);
 *   while (questions--) dns_question(&r, &name, &q);
 *   while (answers--) { dns_record(&r, &name, &rr); dns_data(&r, &rr, &text); }
 *
 * Each of these returns false where the message ends too early or is not as it should be; the rest
 * of it cannot be read then.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

enum { DNS_NAME_MAX = 4 * 255 + 1 }; /* as text, each byte as \DDD */

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_AAAA = 28, DNS_DNAME = 39, DNS_OPT = 41 };

enum dns_flag {
	DNS_RESPONSE = 1 << 15,
	DNS_AA = 1 << 10,
	DNS_TC = 1 << 9,
	DNS_RD = 1 << 8,
	DNS_RA = 1 << 7,
	DNS_AD = 1 << 5,
	DNS_CD = 1 << 4,
	DNS_RCODE = 15,
};

struct dns_header {
	uint16_t id, flags, questions, answers, authorities, additional;
};

struct dns_reader {
	const uint8_t *bytes;
	size_t n, at;
};

struct dns_question {
	uint16_t type, class;
};

struct dns_record {
	uint16_t type, class;
	uint32_t ttl;
	size_t at, n; /* its data in the message */
};

bool dns_begin(struct dns_reader *r, const void *bytes, size_t n, struct dns_header *ret);

/* Names are put into `name`, which is emptied first and has room for DNS_NAME_MAX: "a.example." */
bool dns_question(struct dns_reader *r, struct buf *name, struct dns_question *ret);
bool dns_record(struct dns_reader *r, struct buf *name, struct dns_record *ret);

/* What follows at r->at: for data of records. */
bool dns_name(struct dns_reader *r, struct buf *name);
bool dns_u8(struct dns_reader *r, uint8_t *ret);
bool dns_u16(struct dns_reader *r, uint16_t *ret);
bool dns_u32(struct dns_reader *r, uint32_t *ret);

/* dns_data.c: a record's data as in a zone file, behind what is in `out`. */
bool dns_data(const struct dns_reader *r, const struct dns_record *rr, struct buf *out);
/* Bytes between quotation marks, or of a label: what is not printable is \DDD. */
void dns_escape(struct buf *out, const uint8_t *bytes, size_t n, bool quoted);

/* dns_names.c: behind what is in `out`; a number has a name of its own, as RFC 3597 has it. */
void dns_type_name(uint16_t type, struct buf *out);
void dns_class_name(uint16_t class, struct buf *out);
void dns_rcode_name(uint16_t rcode, struct buf *out);
