/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The record file's bytes, as docs/record-file.md states them: what writer.c and reader.c share.
 * Everything is little endian, as are all machines that ig runs on.
 */
#pragma once

#include <stdint.h>

#define FILE_MAGIC "\x89IGR\r\n\x1a\n" /* 8 bytes: a transfer as text would break them */
#define FILE_VERSION 1
#define FILE_BYTE_ORDER 0x01020304u

struct file_head {
	char magic[8];
	uint32_t version;
	uint32_t byte_order;
};

enum chunk_type {
	CHUNK_CLOCK = 1, /* i64 boot_to_real_ns, JSON */
	CHUNK_SOURCE,	 /* u32 source, u32 kind, JSON: the schema */
	CHUNK_CONTAINER, /* u64 key, JSON */
	CHUNK_ROWS,	 /* struct row_head and bytes, each padded to 8 */
	CHUNK_TABLE_END, /* u32 source, u32 0, u64 boot_ns */
	CHUNK_LOSS,	 /* u32 source, u32 0, u64 key, u64 count */
	CHUNK_TOTALS,	 /* u32 source, u32 0, u64 seen, delivered, discarded, lost */
	CHUNK_END,	 /* u64 rows */
};

struct chunk_head {
	uint32_t type, length; /* of the payload; the CRC-32 of head and payload follows it */
};

struct row_head {
	uint32_t size, source;
	uint64_t key; /* 0: no container */
};

struct source_head {
	uint32_t source, kind; /* kind: CHUNK_SOURCE only, else 0 */
};

#define CHUNK_MAX_BYTES (1u << 20) /* payload */
#define BLOCK_BYTES 65536u	   /* a chunk of rows is written when it holds this much */
#define ROW_MAX_BYTES 65536u	   /* one row */
#define FILE_MAX_SOURCES 256u
#define FILE_MAX_CONTAINER_BYTES (64u << 20) /* JSON of all containers known at a time */

static inline uint32_t row_padded(uint32_t size)
{
	return (size + 7) & ~7u;
}
