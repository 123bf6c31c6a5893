/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Where messages of HTTP/1.x (RFC 9112) begin and end in a stream, a line at a time: of each its
 * first and last sixteen bytes tell what matters here. Of a body only its length counts, so that no
 * text in one is taken for a message.
 *
 * What is known of a stream lies in a map and is volatile, so that the verifier does not follow
 * each value that it may have.
 */
#pragma once

#include <gadget/packet.bpf.h>

enum message_state {
	MESSAGE_START, /* where `skip` ends a message begins */
	MESSAGE_HEAD,
	MESSAGE_CHUNK,	 /* where `skip` ends there is a line with a chunk's size */
	MESSAGE_TRAILER, /* lines behind the last chunk */
	MESSAGE_LOST,	 /* a segment that begins like a message is one */
	MESSAGE_NONE,	 /* no more messages */
};

enum message_event {
	EVENT_NONE,
	EVENT_LINE, /* a line has come to its end */
	EVENT_HEAD, /* a head, or a trailer, has */
	EVENT_BAD,  /* this is no HTTP/1.x */
};

enum { HEAD_BYTES_MAX = 1 << 16, PIECE = 256 /* is looked at in one go */ };

/* Sixteen characters, the first one highest. */
struct characters {
	__u64 high, low;
};

struct message {
	__u64 skip;   /* bytes of a body, or of a part of one, that come before the state holds */
	__u64 number; /* Content-Length */
	__u64 since;  /* when its first byte came */
	__u32 next;   /* sequence number of what comes next */
	__u32 known;  /* false: `next` is not */
	__u32 state, event;
	__u32 line, column; /* column: bytes of the line, as far as it came */
	char first[16];	    /* of that line */
	struct characters last;
	__u32 at, left; /* what the packet has for it, behind what was looked at */
	__u32 found;
	__u32 length; /* of the head as far as it came */
	__u32 status;
	__u8 chunked, has_length;
	__u8 is_head, is_connect; /* its method */
};

/* ---- how messages begin --------------------------------------------------------------------- */

/* Characters as a number, the last one lowest. */
#define BE4(a, b, c, d) ((__u64)(a) << 24 | (__u64)(b) << 16 | (__u64)(c) << 8 | (__u64)(d))
#define BE8(a, b, c, d, e, f, g, h) (BE4(a, b, c, d) << 32 | BE4(e, f, g, h))

enum message_kind { KIND_OTHER, KIND_REQUEST, KIND_ANSWER, KIND_EITHER, KIND_BLANK };

static __always_inline enum message_kind kind_of_word(__u32 word)
{
	switch (bpf_ntohl(word)) {
	case BE4('H', 'T', 'T', 'P'):
		return KIND_ANSWER;
	case BE4('G', 'E', 'T', ' '):
	case BE4('P', 'O', 'S', 'T'):
	case BE4('H', 'E', 'A', 'D'):
	case BE4('P', 'U', 'T', ' '):
	case BE4('D', 'E', 'L', 'E'):
	case BE4('P', 'A', 'T', 'C'):
	case BE4('O', 'P', 'T', 'I'):
	case BE4('C', 'O', 'N', 'N'):
	case BE4('T', 'R', 'A', 'C'):
	case BE4('P', 'R', 'O', 'P'): /* WebDAV: PROPFIND, PROPPATCH … */
	case BE4('M', 'K', 'C', 'O'):
	case BE4('C', 'O', 'P', 'Y'):
	case BE4('M', 'O', 'V', 'E'):
	case BE4('L', 'O', 'C', 'K'):
	case BE4('U', 'N', 'L', 'O'):
	case BE4('R', 'E', 'P', 'O'):
	case BE4('S', 'E', 'A', 'R'):
	case BE4('P', 'U', 'R', 'G'):
		return KIND_REQUEST;
	}
	return KIND_OTHER;
}

/*
 * What seems to begin at `at`. With fewer than four bytes there it is taken for what may still
 * become one: its first line decides.
 */
static __always_inline enum message_kind kind_at(struct __sk_buff *skb, __u32 at, __u32 left)
{
	__u32 word = 0;
	__u8 first;

	if (left >= sizeof(word)) {
		if (bpf_skb_load_bytes(skb, at, &word, sizeof(word)))
			return KIND_OTHER;
		first = (__u8)word;
	} else if (bpf_skb_load_bytes(skb, at, &first, 1)) {
		return KIND_OTHER;
	}
	if (first == '\r' || first == '\n')
		return KIND_BLANK;
	if (left >= sizeof(word))
		return kind_of_word(word);
	if (first == 'H') /* HTTP or HEAD */
		return KIND_EITHER;
	return first >= 'A' && first <= 'Z' ? KIND_REQUEST : KIND_OTHER;
}

/* ---- line for line -------------------------------------------------------------------------- */

static __always_inline void message_begin(volatile struct message *m)
{
	m->state = MESSAGE_HEAD;
	m->since = bpf_ktime_get_boot_ns();
	m->number = m->last.high = m->last.low = 0;
	m->line = m->column = m->length = m->status = 0;
	m->chunked = m->has_length = m->is_head = m->is_connect = 0;
}

static __always_inline void drop_first(struct characters *c)
{
	c->high = c->high << 8 | c->low >> 56;
	c->low <<= 8;
}

static __always_inline void drop_last(struct characters *c)
{
	c->low = c->low >> 8 | c->high << 56;
	c->high >>= 8;
}

/* Letters, that is; some other characters change as well. */
static __always_inline __u64 lower(__u64 characters)
{
	return characters | 0x2020202020202020;
}

/* Two 64-bit words, as they lie in memory. */
static __always_inline struct characters characters_at(const char *bytes)
{
	return (struct characters){bpf_be64_to_cpu(*(const __u64 *)bytes),
				   bpf_be64_to_cpu(*(const __u64 *)(bytes + 8))};
}

static __always_inline bool has_line_end(__u64 word)
{
	__u64 zero = word ^ 0x0a0a0a0a0a0a0a0a;

	return (zero - 0x0101010101010101) & ~zero & 0x8080808080808080;
}

/*
 * How many of the n bytes belong to the line that goes on there, with its end. There are PIECE
 * bytes to look at, which n is not above.
 */
static __always_inline __u32 line_bytes(volatile struct message *m, const char *bytes, __u32 n)
{
	__u64 i;

	for (i = 0; i < PIECE - 8; i += 8)
		if (i >= n || has_line_end(*(const __u64 *)(bytes + i)))
			break;
	m->found = i; /* read back: the verifier need not go on from each */
	i = m->found;
	barrier_var(i);
	if (i > PIECE - 8)
		return 0;
	for (int k = 0; k < 8; k++) {
		if (bytes[i + k] == '\n') {
			m->found = i + k + 1;
			break;
		}
		m->found = i + k + 1;
	}
	return m->found < n ? m->found : n;
}

/* These n bytes, 1 to PIECE, belong to the line. */
static __always_inline void line_grows(volatile struct message *m, const char *bytes, __u64 n)
{
	__u32 column = m->column;
	__u64 rest;

	if (!column) {
		*(volatile __u64 *)m->first = *(const __u64 *)bytes;
		*(volatile __u64 *)(m->first + 8) = *(const __u64 *)(bytes + 8);
	} else if (column < 16) {
		for (__u32 i = 0; i < 16; i++)
			if (i < n && column + i < 16)
				m->first[(column + i) & 15] = bytes[i];
	}
	m->column = column + n;
	rest = n - 16;
	barrier_var(rest);
	if (rest <= PIECE - 16) {
		struct characters last = characters_at(bytes + rest);

		m->last.high = last.high;
		m->last.low = last.low;
		return;
	}
	for (__u32 i = 0; i < 16; i++) {
		if (i >= n)
			break;
		m->last.high = m->last.high << 8 | m->last.low >> 56;
		m->last.low = m->last.low << 8 | (__u8)bytes[i];
	}
}

/*
 * Looks at up to n bytes, no further than to a line's end. How many; m->event says whether there is
 * one.
 */
static __always_inline __u32 look_for_line(volatile struct message *m, const char *bytes, __u32 n)
{
	__u32 took = n ? line_bytes(m, bytes, n) : 0;

	if (!took)
		return 0;
	line_grows(m, bytes, took);
	if ((__u8)m->last.low == '\n')
		m->event = EVENT_LINE;
	return took;
}

/* A number that the line ends with. False: it does not. */
static __always_inline bool last_number(struct characters c, volatile __u64 *ret)
{
	__u64 number = 0, scale = 1;

	for (int i = 0; i < 16; i++) {
		__u8 digit = (__u8)c.low - '0';

		if (digit > 9)
			break;
		number += digit * scale;
		scale *= 10;
		drop_last(&c);
	}
	*ret = number;
	return scale > 1;
}

/* A hexadecimal one that it begins with. */
static __always_inline __u64 first_number(struct characters c)
{
	__u64 number = 0;

	for (int i = 0; i < 16; i++) {
		__u8 byte = c.high >> 56, digit = byte - '0', letter = (byte | 0x20) - 'a';

		if (digit > 9 && letter > 5)
			break;
		number = number << 4 | (digit <= 9 ? digit : letter + 10);
		drop_first(&c);
	}
	return number;
}

static __always_inline bool is_version(__u64 characters)
{
	return characters >> 8 == BE8(0, 'H', 'T', 'T', 'P', '/', '1', '.');
}

/* "HTTP/1.1 200 OK": true, if it is one. */
static __always_inline bool read_status_line(volatile struct message *m, struct characters first)
{
	__u8 a = (first.low >> 48) - '0', b = (first.low >> 40) - '0', c = (first.low >> 32) - '0';

	m->status = a * 100 + b * 10 + c;
	return is_version(first.high) && first.low >> 56 == ' ' && a <= 9 && b <= 9 && c <= 9;
}

/* "GET /path HTTP/1.1": likewise. */
static __always_inline bool read_request_line(volatile struct message *m, struct characters first,
					      struct characters last)
{
	m->is_head = first.high >> 24 == BE8(0, 0, 0, 'H', 'E', 'A', 'D', ' ');
	m->is_connect = first.high == BE8('C', 'O', 'N', 'N', 'E', 'C', 'T', ' ');
	return is_version(last.low);
}

static __always_inline void read_header(volatile struct message *m, struct characters first,
					struct characters last)
{
	first.high = lower(first.high);
	first.low = lower(first.low);
	if (first.high == BE8('c', 'o', 'n', 't', 'e', 'n', 't', '-') &&
	    first.low >> 8 == BE8(0, 'l', 'e', 'n', 'g', 't', 'h', ':'))
		m->has_length = last_number(last, &m->number);
	else if (first.high == BE8('t', 'r', 'a', 'n', 's', 'f', 'e', 'r') &&
		 first.low == BE8('-', 'e', 'n', 'c', 'o', 'd', 'i', 'n'))
		m->chunked = (lower(last.low) & 0xffffffffffffff) ==
			     BE8(0, 'c', 'h', 'u', 'n', 'k', 'e', 'd');
}

/* A line's end has come: m->event says what it ends. */
static __always_inline void read_line(volatile struct message *m, bool answer)
{
	struct characters first = characters_at((const char *)m->first),
			  last = {m->last.high, m->last.low};
	__u32 column = m->column, ends = 1;
	bool good = true;

	drop_last(&last);
	if ((__u8)last.low == '\r') {
		drop_last(&last);
		ends++;
	}
	m->event = EVENT_NONE;
	if (m->state == MESSAGE_CHUNK) {
		m->skip = first_number(first);
		if (m->skip)
			m->skip += 2; /* the line's end behind it */
		else
			m->state = MESSAGE_TRAILER;
	} else if (column == ends) {
		m->event = EVENT_HEAD;
	} else if (m->state == MESSAGE_HEAD && m->line) {
		read_header(m, first, last);
	} else if (m->state == MESSAGE_HEAD) {
		good = answer ? read_status_line(m, first) : read_request_line(m, first, last);
	}
	if (!good)
		m->event = EVENT_BAD;
	m->last.high = m->last.low = 0;
	m->column = 0;
	m->line++;
}

/* What follows the head: a body of chunks, of a length, or the next message. */
static __always_inline void message_body(volatile struct message *m)
{
	m->state = m->chunked ? MESSAGE_CHUNK : MESSAGE_START;
	m->skip = m->chunked || !m->has_length ? 0 : m->number;
}
