/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with a mandatory maximum: text from outside never grows it past what its
 * owner allowed. An append that does not fit sets `failed` and is left out whole; callers may
 * append many times and look at `failed` once. The bytes are always followed by a NUL that is not
 * counted, once something was appended or buf_cstr() was called.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct buf {
	char *data;
	size_t len;
	size_t room; /* allocated bytes */
	size_t max;  /* bytes that len may reach */
	bool failed; /* an append did not fit */
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b); /* releases the bytes; b may be initialised again */
void buf_clear(struct buf *b); /* empty, `failed` forgotten, memory kept */

/* Makes room for n more bytes. False (and `failed`) where that passes the maximum. */
bool buf_reserve_slow(struct buf *b, size_t n);

static inline bool buf_reserve(struct buf *b, size_t n)
{
	return b->room - b->len > n || buf_reserve_slow(b, n);
}

static inline void buf_add(struct buf *b, const void *bytes, size_t n)
{
	if (!n || !buf_reserve(b, n))
		return;
	memcpy(b->data + b->len, bytes, n);
	b->len += n;
	b->data[b->len] = '\0';
}

static inline void buf_char(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_str(struct buf *b, const char *s); /* NULL adds nothing */
void buf_u64(struct buf *b, uint64_t value); /* decimal */
void buf_i64(struct buf *b, int64_t value);
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *fmt, ...);

const char *buf_cstr(struct buf *b); /* never NULL; valid until the next change */

/*
 * Reads all of a file below dir_fd (AT_FDCWD for the current directory) of at most b->max bytes.
 * -EFBIG where it is longer; else what open and read say. Works for /proc files, whose size is 0.
 */
int buf_read_file(struct buf *b, int dir_fd, const char *path);
int buf_read_fd(struct buf *b, int fd);
