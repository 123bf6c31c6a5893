// SPDX-License-Identifier: Apache-2.0
#include "recorder/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

#define LEVEL 1 /* the quickest but for those that hardly pack */

void chunk_output_init(struct chunk_output *o, int fd)
{
	memset(o, 0, sizeof(*o));
	o->fd = fd;
	o->zstd = ZSTD_createCCtx();
	if (!o->zstd)
		o->error = -ENOMEM;
}

int chunk_output_done(struct chunk_output *o)
{
	if (o->fd >= 0 && close(o->fd) < 0 && !o->error)
		o->error = -errno;
	ZSTD_freeCCtx(o->zstd);
	free(o->chunk);
	return o->error;
}

int output_bytes(struct chunk_output *o, const void *bytes, size_t n)
{
	const char *at = bytes;

	while (!o->error && n) {
		ssize_t done = write(o->fd, at, n);

		if (done >= 0) {
			at += done;
			n -= (size_t)done;
			o->offset += (size_t)done;
		} else if (errno != EINTR) {
			o->error = -errno;
		}
	}
	return o->error;
}

static bool make_room(struct chunk_output *o, size_t n)
{
	unsigned char *chunk = n <= o->room ? o->chunk : realloc(o->chunk, n);

	if (!chunk) {
		o->error = -ENOMEM;
		return false;
	}
	o->chunk = chunk;
	o->room = n > o->room ? n : o->room;
	return true;
}

/* Builds the chunk and writes it. */
static int put_unlisted(struct chunk_output *o, enum chunk_type type, const void *fixed, size_t n,
			const void *content, size_t length)
{
	size_t packed = content ? ZSTD_compressBound(length) : 0;
	struct chunk_head head;
	unsigned char *payload;
	uint32_t sum;

	if (o->error)
		return o->error;
	if (length > PACKED_MAX_BYTES)
		return o->error = -E2BIG;
	if (!make_room(o, sizeof(head) + n + packed + sizeof(sum)))
		return o->error;
	payload = o->chunk + sizeof(head);
	memcpy(payload, fixed, n);
	if (content)
		packed = ZSTD_compressCCtx(o->zstd, payload + n, packed, content, length, LEVEL);
	if (ZSTD_isError(packed))
		return o->error = -ENOMEM; /* it has room, and nothing else can be wrong */
	head = (struct chunk_head){(uint32_t)type, (uint32_t)(n + packed)};
	memcpy(o->chunk, &head, sizeof(head));
	sum = (uint32_t)crc32_z(0, o->chunk, sizeof(head) + head.length);
	memcpy(payload + head.length, &sum, sizeof(sum));
	return output_bytes(o, o->chunk, sizeof(head) + head.length + sizeof(sum));
}

static int put_index(struct chunk_output *o)
{
	const struct index_head head = {o->last_index};
	size_t n = o->n_entries;

	if (!n)
		return o->error;
	o->last_index = o->offset;
	o->n_entries = 0;
	return put_unlisted(o, CHUNK_INDEX, &head, sizeof(head), o->entries,
			    n * sizeof(*o->entries));
}

void output_list(struct chunk_output *o, const struct index_entry *entry)
{
	if (o->n_entries == INDEX_ENTRIES)
		put_index(o);
	o->entries[o->n_entries++] = *entry;
}

/* Lists the chunk that comes next; the index may go before it. */
static struct index_entry *list_next(struct chunk_output *o, enum chunk_type type)
{
	output_list(o, &(struct index_entry){.type = type});
	o->entries[o->n_entries - 1].offset = o->offset;
	return &o->entries[o->n_entries - 1];
}

int output_chunk(struct chunk_output *o, enum chunk_type type, const void *fixed, size_t n,
		 const void *content, size_t length)
{
	list_next(o, type);
	return put_unlisted(o, type, fixed, n, content, length);
}

int output_rows(struct chunk_output *o, const struct block_head *head, const void *rows,
		size_t length)
{
	struct index_entry *entry = list_next(o, CHUNK_ROWS);

	entry->rows = head->rows;
	entry->span = head->span;
	o->rows += head->rows;
	return put_unlisted(o, CHUNK_ROWS, head, sizeof(*head), rows, length);
}

int output_end(struct chunk_output *o)
{
	struct end_chunk end;

	put_index(o);
	end = (struct end_chunk){o->rows, o->last_index};
	o->rows = 0;
	return put_unlisted(o, CHUNK_END, &end, sizeof(end), NULL, 0);
}

enum { FRAME_BYTES = sizeof(struct chunk_head) + sizeof(uint32_t) };

size_t output_rows_bytes(size_t length)
{
	return length ? FRAME_BYTES + sizeof(struct block_head) + ZSTD_compressBound(length) : 0;
}

size_t output_end_bytes(const struct chunk_output *o)
{
	return 2 * FRAME_BYTES + sizeof(struct index_head) + sizeof(struct end_chunk) +
	       ZSTD_compressBound((o->n_entries + 1) * sizeof(*o->entries));
}
