/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An instance's last rows on disk, so that they outlive the daemon: two record files, of which the
 * older goes when the newer is full. Rows are in the file at most a second after they came.
 */
#pragma once

#include "columns/format.h"
#include "gadget/gadget.h"
#include "manager/history.h"

struct archive;
struct reactor;

struct archive_options {
	int dir_fd;	       /* borrowed as long as the archive lives */
	const char *name;      /* NAME.rows and NAME.rows.1; copied */
	size_t max_rows;       /* of one file, which has at most MAX_HISTORY_BYTES besides */
	struct gadget *gadget; /* asked for its sources at the call */
	const struct clock_base *clock;
	uint64_t *versions; /* how many containers were read by now, from all archives */
};

/* What is there of an earlier life, as far as this version of the gadget can read it. */
void archive_read(const struct archive_options *o, struct history *to);

/*
 * Goes on after what is there. A failure to write ends the archive's work, and is told by
 * archive_error().
 */
struct archive *archive_new(struct reactor *r, const struct archive_options *o);
struct archive *archive_free(struct archive *a); /* writes the rest; NULL is fine; returns NULL */

void archive_row(struct archive *a, unsigned int source, const struct row *row);
void archive_table_end(struct archive *a, unsigned int source);
const char *archive_error(const struct archive *a); /* NULL: none */

void archive_remove(int dir_fd, const char *name);
/* Unix time, s, when something was written last; 0: never. */
int64_t archive_written(int dir_fd, const char *name);
