/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several record files as one stream in order of time, whatever machine and boot each is of. A file
 * keeps its own order; where several have the same source, it is one. Versions of containers are
 * those of the merge, not of a file.
 *
 * Life: record_merge_new(), record_merge_add() for each file, record_merge_select() where not all
 * is wanted, then record_merge_next() as record_reader_next().
 */
#pragma once

#include "recorder/file.h"

struct record_merge;

struct record_merge *record_merge_new(void);
struct record_merge *record_merge_free(struct record_merge *m); /* NULL is fine; returns NULL */

/* name: for messages; copied. Takes fd over, also when it fails. At most MAX_RECORD_FILES. */
int record_merge_add(struct record_merge *m, const char *name, int fd, struct err *err);
/* The same in slices, as record_reader_begin() and record_reader_prepare(). */
int record_merge_begin(struct record_merge *m, const char *name, int fd, struct err *err);
bool record_merge_prepare(struct record_merge *m);

/* As record_reader_span(), of all files; -ENODATA where one of them cannot tell. */
int record_merge_span(const struct record_merge *m, struct record_span *ret);
void record_merge_select(struct record_merge *m, const struct record_selection *s);

/*
 * As record_reader_next(). A file with a fault ends there, and the others go on; the first fault is
 * what is returned in place of the end.
 */
int record_merge_next(struct record_merge *m, struct record_event *ret, struct err *err);
