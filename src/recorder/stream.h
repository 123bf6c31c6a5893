/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that a recorder is given, in record files that follow each other (set.h), beside the
 * rings. Rows are on the disk a second after they came.
 */
#pragma once

#include "gadget/gadget.h"
#include "recorder/set.h"

struct reactor;
struct stream;

/*
 * dir_fd of *o is borrowed. failed is told once, of the first failure, after which nothing is
 * written; ctx is o->ctx.
 */
int stream_new(struct reactor *r, const struct record_set_options *o,
	       void (*failed)(void *ctx, const char *text), struct stream **ret, struct err *err);
struct stream *stream_free(struct stream *s); /* writes the rest; NULL is fine; returns NULL */

/* Sources are numbered from 0 in the order in which they are added; all before the first row. */
int stream_source(struct stream *s, const struct gadget_source *source, struct err *err);

void stream_row(struct stream *s, unsigned int source, const struct row *row);
void stream_lost(struct stream *s, unsigned int source, const struct container *c, uint64_t count);
void stream_totals(struct stream *s, unsigned int source, struct record_totals n);
