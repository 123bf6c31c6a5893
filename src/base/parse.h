/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words and numbers from outside. Numbers are in one unit inside the program (bytes, nanoseconds);
 * suffixes exist only here, at the edge. All parsers read the whole text or refuse it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int parse_u64(const char *s, uint64_t *ret); /* decimal, 0x… or 0…; -EINVAL, -ERANGE */
int parse_i64(const char *s, int64_t *ret);  /* the same with a sign */
int parse_bool(const char *s, bool *ret);    /* true/false, yes/no, on/off, 1/0 */

/* 4096, 64k, 1MiB, 2GB, 1.5MiB, 0x1000: k, M, G, T and KiB … are binary; kB, MB, GB, TB decimal. */
int parse_bytes(const char *s, uint64_t *ret);

/* In ns: 10ms, 1.5s, 2m, 1h, 250us, 7ns; a bare number is ns. */
int parse_duration(const char *s, uint64_t *ret);

/*
 * RFC 3339 to Unix time in ns: 2026-11-22T10:00:00.5+01:00; also a date alone, and without a zone:
 * UTC. -EINVAL, -ERANGE.
 */
int parse_time(const char *s, int64_t *ret);

bool str_starts(const char *s, const char *prefix);
bool str_equal(const char *a, const char *b); /* NULL equals only NULL */

/* Shell-like glob on whole strings: * and ? and [a-z]; `\` escapes. */
bool glob_matches(const char *pattern, const char *s);

/*
 * A list of words cut at `separator`; "\separator" stands for the separator itself and "\\" for a
 * backslash when escapes is set. Empty text gives no words. words and their bytes are one
 * allocation, freed by free(words).
 */
size_t split(const char *text, char separator, bool escapes, char ***ret_words);

/*
 * The candidate nearest to `word` by edit distance, then by how much of its start is the same; NULL
 * where none is near enough to be meant. next(ctx, i) gives the i-th candidate, NULL at the end.
 */
const char *nearest(const char *word, const char *(*next)(const void *ctx, size_t i),
		    const void *ctx);
