/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Record files in a directory, each named by when it was begun: 20261122T100000.000000Z.rec. A
 * file is followed by another when it has its size or age, and the oldest go so that not more is
 * kept than was asked for. Other files in the directory are left alone.
 *
 * Life: record_set_new(), record_set_source() for each schema, then for whatever comes
 * `record_writer_row(record_set_writer(s), …)`, record_set_flush() about once a second,
 * record_set_close(). Sources have the same numbers in each file.
 */
#pragma once

#include "recorder/file.h"

#define SET_LEAST_BYTES (256u << 10)

struct record_set_options {
	int dir_fd; /* borrowed as long as the set lives */
	struct clock_base clock;
	/*
	 * A file is not larger than this, but for the description of a last container. At least
	 * SET_LEAST_BYTES; 0: any, or an eighth of keep_bytes.
	 */
	uint64_t rotate_bytes;
	uint64_t rotate_ns;  /* nor is anything written into it that long after its begin; 0: any */
	uint64_t keep_bytes; /* all files together, the one that is written included; 0: any */
	size_t keep_files;
	void (*removed)(void *ctx, const char *name, uint64_t bytes); /* may be NULL */
	void *ctx;
};

struct record_set;

/* -EINVAL where less is to be kept than a file may have. Writes nothing yet. */
int record_set_new(const struct record_set_options *o, struct record_set **ret, struct err *err);
int record_set_source(struct record_set *s, const struct schema *schema, unsigned int kind,
		      unsigned int *ret_source, struct err *err);

/*
 * The file for the next one item, which is begun where it has to be; a table is not divided. NULL
 * after a failure, which record_set_flush() and record_set_close() tell.
 */
struct record_writer *record_set_writer(struct record_set *s);

/* Writes out what waits, and ends a file that is old enough. The first failure. */
int record_set_flush(struct record_set *s);
int record_set_close(struct record_set *s, struct err *err); /* NULL is fine (0) */

struct record_set_file {
	char *name;
	uint64_t bytes;
};

/* A directory's files of that kind, oldest first. -errno. */
int record_set_list(int dir_fd, struct record_set_file **ret, size_t *ret_n);
void record_set_list_free(struct record_set_file *files, size_t n);
