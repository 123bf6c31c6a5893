// SPDX-License-Identifier: Apache-2.0
#include "pcapng.h"

#include <string.h>

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, COUNTS = 5, PACKET = 6 };
enum { END = 0, COMMENT = 1 };
enum { SECTION_APPLICATION = 4 };
enum { IF_NAME = 2, IF_DESCRIPTION = 3, IF_RESOLUTION = 9 };
enum { PACKET_FLAGS = 2, INBOUND = 1, OUTBOUND = 2 };
enum { COUNT_RECEIVED = 4, COUNT_DROPPED = 5 };
enum { ETHERNET = 1, NANOSECONDS = 9 };

static void put16(struct buf *out, uint16_t value)
{
	buf_add(out, &value, sizeof(value));
}

static void put32(struct buf *out, uint32_t value)
{
	buf_add(out, &value, sizeof(value));
}

static void put_time(struct buf *out, uint64_t ns)
{
	put32(out, (uint32_t)(ns >> 32));
	put32(out, (uint32_t)ns);
}

static void put_padded(struct buf *out, const void *bytes, size_t n)
{
	buf_add(out, bytes, n);
	buf_add(out, "\0\0\0", -n & 3);
}

static void option(struct buf *out, uint16_t code, const void *bytes, size_t n)
{
	put16(out, code);
	put16(out, (uint16_t)n);
	put_padded(out, bytes, n);
}

static void text_option(struct buf *out, uint16_t code, const char *text)
{
	size_t n = text ? strlen(text) : 0;

	if (n)
		option(out, code, text, n < UINT16_MAX ? n : UINT16_MAX);
}

/* Its length stands behind its type and at its end; end_block() writes both. */
static size_t begin_block(struct buf *out, uint32_t type)
{
	size_t start = out->len;

	put32(out, type);
	put32(out, 0);
	return start;
}

static void end_block(struct buf *out, size_t start)
{
	uint32_t length;

	option(out, END, NULL, 0);
	length = (uint32_t)(out->len - start + sizeof(length));
	put32(out, length);
	if (!out->failed)
		memcpy(out->data + start + sizeof(uint32_t), &length, sizeof(length));
}

void pcapng_section(struct buf *out, const char *application)
{
	static const uint32_t magic = 0x1a2b3c4d;
	size_t start = begin_block(out, SECTION);

	put32(out, magic);
	put16(out, 1);
	put16(out, 0);
	put32(out, UINT32_MAX); /* how long it is, is not known */
	put32(out, UINT32_MAX);
	text_option(out, SECTION_APPLICATION, application);
	end_block(out, start);
}

void pcapng_interface(struct buf *out, const char *name, const char *description)
{
	static const uint8_t resolution = NANOSECONDS;
	size_t start = begin_block(out, INTERFACE);

	put16(out, ETHERNET);
	put16(out, 0);
	put32(out, 0); /* no limit */
	text_option(out, IF_NAME, name);
	text_option(out, IF_DESCRIPTION, description);
	option(out, IF_RESOLUTION, &resolution, sizeof(resolution));
	end_block(out, start);
}

void pcapng_packet(struct buf *out, const struct pcapng_packet *p)
{
	uint32_t flags = p->out ? OUTBOUND : INBOUND;
	size_t start = begin_block(out, PACKET);

	put32(out, p->interface);
	put_time(out, p->time_ns);
	put32(out, p->n);
	put32(out, p->length);
	put_padded(out, p->bytes, p->n);
	text_option(out, COMMENT, p->comment);
	option(out, PACKET_FLAGS, &flags, sizeof(flags));
	end_block(out, start);
}

void pcapng_counts(struct buf *out, uint32_t interface, uint64_t time_ns, uint64_t received,
		   uint64_t dropped, const char *comment)
{
	size_t start = begin_block(out, COUNTS);

	put32(out, interface);
	put_time(out, time_ns);
	text_option(out, COMMENT, comment);
	option(out, COUNT_RECEIVED, &received, sizeof(received));
	if (dropped != UINT64_MAX)
		option(out, COUNT_DROPPED, &dropped, sizeof(dropped));
	end_block(out, start);
}
