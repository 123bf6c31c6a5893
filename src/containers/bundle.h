/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a container's OCI bundle, config.json: annotations, which tell of pods and images.
 */
#pragma once

#include "containers/oci.h"
#include "containers/runtime.h"

/* Annotations of c->bundle's config.json; nothing where there is none, or c has annotations. */
void bundle_read(const struct runtime_context *ctx, struct container *c);

/* All of it that is asked for anywhere. -errno: it cannot be read. oci_state_done() after use. */
int bundle_config(const struct runtime_context *ctx, const char *bundle, struct oci_state *ret);

/* The hostname there, as a new string; NULL: it has none. */
char *bundle_hostname(const struct runtime_context *ctx, const char *bundle);

/* Those of a state become c's, if c has none. */
void bundle_take_annotations(struct container *c, struct oci_state *s);
