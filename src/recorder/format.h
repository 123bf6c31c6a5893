/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record file's bytes, as docs/record-file.md states them: what writing and reading share.
 * Everything is little endian, as are all machines that ig runs on.
 */
#pragma once

#include <stdint.h>

#define FILE_MAGIC "\x89IGR\r\n\x1a\n" /* 8 bytes: a transfer as text would break them */
#define FILE_VERSION 2
#define FILE_BYTE_ORDER 0x01020304u

struct file_head {
	char magic[8];
	uint32_t version;
	uint32_t byte_order;
};

/* What follows a chunk's fixed part is packed: one zstd frame that says what it holds. */
enum chunk_type {
	CHUNK_CLOCK = 1, /* i64 boot_to_real_ns, packed JSON; begins a section */
	CHUNK_SOURCE,	 /* struct source_head, packed JSON: the schema */
	CHUNK_CONTAINER, /* u64 key, packed JSON */
	CHUNK_ROWS,	 /* struct block_head, packed: struct row_head and bytes, padded to 8 */
	CHUNK_TABLE_END, /* struct table_end_chunk */
	CHUNK_LOSS,	 /* struct loss_chunk */
	CHUNK_TOTALS,	 /* struct totals_chunk */
	CHUNK_END,	 /* struct end_chunk; ends a section */
	CHUNK_INDEX,	 /* struct index_head, packed: struct index_entry */
	CHUNK_RING,	 /* struct ring_chunk */
	CHUNK_OWNER,	 /* struct owner_head, packed: the name */
};

struct chunk_head {
	uint32_t type, length; /* of the payload; the CRC-32 of head and payload follows it */
};

/* Which rows a block has, so that it can be left out without being unpacked. */
struct block_span {
	uint64_t first, last; /* boot ns; 0 and UINT64_MAX: not known */
	uint64_t slots;	      /* bit (slot & 63) of each row's container, bit 0 for none */
};

struct block_head {
	struct block_span span;
	uint32_t rows, zero;
};

enum row_flags { ROW_LATE = 1 /* it was shown after newer ones */ };

struct row_head {
	uint32_t size;
	uint16_t source, flags;
	uint64_t key;	   /* 0: no container */
	uint64_t sequence; /* in its ring; 0: not numbered */
};

struct source_head {
	uint32_t source, kind; /* kind: CHUNK_SOURCE only, else 0 */
};

struct table_end_chunk {
	struct source_head head;
	uint64_t boot_ns;
};

struct loss_chunk {
	struct source_head head;
	uint64_t key, count;
};

struct totals_chunk {
	struct source_head head;
	uint64_t seen, delivered, discarded, lost;
};

/* A user's or group's name, of the container that was described last for this key, or the host's.
 */
struct owner_head {
	uint64_t key; /* 0: the host */
	uint32_t id;
	uint32_t kind; /* enum owner_kind: 1 a user, 2 a group */
};

struct ring_chunk {
	uint64_t key, last, kept, overwritten, lost;
};

struct end_chunk {
	uint64_t rows;	/* of the section */
	uint64_t index; /* where the file's last index chunk begins; 0: there is none */
};

/* The index lists each chunk but index and end; each part of it those since the part before. */
struct index_head {
	uint64_t previous; /* where that begins; 0: there is none */
};

struct index_entry {
	uint64_t offset; /* of the chunk */
	uint32_t type;
	uint32_t rows; /* CHUNK_ROWS only, as is the span */
	struct block_span span;
};

/* Version 1, which packs nothing. */
struct row_head_1 {
	uint32_t size, source;
	uint64_t key;
};

struct end_chunk_1 {
	uint64_t rows;
};

#define CHUNK_MAX_BYTES (1u << 20)		   /* payload, and what is packed in it */
#define PACKED_MAX_BYTES (CHUNK_MAX_BYTES - 8192u) /* written; less, as zstd may add a little */
#define BLOCK_BYTES 65536u	     /* rows are packed when this much of them is together */
#define ROW_MAX_BYTES 65536u	     /* one row */
#define INDEX_ENTRIES 256u	     /* entries of one index chunk, at most */
#define INDEX_MAX_ENTRIES (1u << 20) /* in memory; a larger index is not used */
#define FILE_MAX_SOURCES 256u	     /* of all sections together */
#define FILE_MAX_CONTAINER_BYTES (64u << 20) /* JSON of all containers known at a time */

static inline uint32_t row_padded(uint32_t size)
{
	return (size + 7) & ~7u;
}

/* The bit of a block's span that stands for a container's key. */
static inline uint64_t slot_bit(uint64_t key)
{
	return 1ull << (key & 63);
}
