/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to daemons that speak HTTP/1.1: one GET after the other, each on a connection of its
 * own. */
#pragma once

#include "containers/daemon.h"

enum rest { REST_UNKNOWN, REST_KNOWN, REST_MORE /* rest_get() was called again */ };

/* Reads the body of an answer with status 200; fills q->container. text NULL: there is no such
 * thing (404). */
typedef enum rest rest_fill_fn(struct question *q, const char *text, size_t len);

/* Begins, or goes on with, q's work, which ends with its answer. */
void rest_get(struct question *q, const char *path, rest_fill_fn *fill);

/* For a struct daemon_kind. */
void rest_forget(struct daemon *d, struct question *q);
