/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for the addresses in the records of a cluster's nodes: those of client/endpoints.h, by the
 * pods and services that the user may see (kube/names.h).
 *
 * Life: cluster_names_new(), cluster_names_wait(), then rows; cluster_names_free() before the
 * cluster is closed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "columns/schema.h"

struct cluster;
struct cluster_names;

/*
 * sources: what rows come of. namespaces: a comma list as a selector has it, in which to look where
 * the user may not look into all; may be NULL. warn: what is not as it should be. NULL: no source
 * has addresses, and nothing is watched.
 */
struct cluster_names *cluster_names_new(struct cluster *c, struct schema *const *sources, size_t n,
					const char *namespaces,
					void (*warn)(void *ctx, const char *text), void *ctx);
struct cluster_names *cluster_names_free(struct cluster_names *n); /* NULL is fine; returns NULL */

/* Until the names are known, but at most so long: a large cluster's come by and by. */
void cluster_names_wait(struct cluster_names *n, uint64_t ns);

/* As endpoints_name(). */
void cluster_names_row(struct cluster_names *n, unsigned int source, struct row *row);
