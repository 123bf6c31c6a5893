/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What traceloop's HTTP service (api/traceloop.h) says, of one daemon or of many: its list of rings
 * as rows, and its errors.
 *
 * Life of rows: zeroed, then traceloop_rows_read() for each answer; traceloop_rows_done().
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct selector;

struct traceloop_row {
	const char *name, *state, *namespace_, *pod, *container, *cgroup, *trace_id, *node;
	uint64_t id, index;
	int64_t created, deleted; /* Unix time, ns */
	json_t *of;		  /* whose texts these are */
};

struct traceloop_rows {
	struct traceloop_row *items;
	size_t n, room;
};

/*
 * Adds the rings of an answer to "/list?format=json". node: borrowed; NULL: what the service says.
 * -EBADMSG: it is none.
 */
int traceloop_rows_read(struct traceloop_rows *rows, const struct buf *body, const char *node,
			struct err *err);
/* Lets go of those of containers that are not selected, by their names, pods and pods' labels. */
void traceloop_rows_select(struct traceloop_rows *rows, const struct selector *s);
void traceloop_rows_done(struct traceloop_rows *rows);

/* As a table or what else the view flags say; of a cluster each with its node. */
int traceloop_rows_show(const struct traceloop_rows *rows, bool of_cluster, struct err *err);

/* 0: a good answer. The service says what is wrong in a line of text. */
int traceloop_judge(unsigned int status, const struct buf *body, struct err *err);

/* Appends "?name=value", or with & where there is a parameter already. path is not empty. */
void traceloop_put_parameter(struct buf *path, const char *name, const char *value, size_t n);
