/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses in a gadget's records, and columns that say whose they are in the cluster. Of an
 * endpoint X these are X.k8s.kind (pod, svc or raw), X.k8s.name and X.k8s.namespace, a part of the
 * row of their own, and X itself is shown by name: p/shop/web-1:80, s/shop/web:80. A struct g_peer
 * has such fields already, which the node filled as far as it could: what it could not is filled in
 * the record.
 *
 * Life: endpoints_add_fields() before the schema is shown; endpoints_new() when it is constant;
 * endpoints_name() for each row; endpoints_free().
 */
#pragma once

#include <stdbool.h>

#include "columns/schema.h"

struct endpoints;
struct err;
struct kube_addresses;

/* And finishes it again. Errors as schema_add()'s. */
int endpoints_add_fields(struct schema *s, struct err *err);

/* NULL: it has no addresses. s need not outlive it. */
struct endpoints *endpoints_new(const struct schema *s);
struct endpoints *endpoints_free(struct endpoints *e); /* NULL is fine; returns NULL */

bool endpoints_want_labels(const struct endpoints *e); /* of pods */

/* The row's parts are valid as they were, those that are made until the next row. */
void endpoints_name(struct endpoints *e, const struct kube_addresses *of, struct row *row);
