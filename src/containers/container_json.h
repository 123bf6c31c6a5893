/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container as one JSON object and back, for record files and the wire: every member that says
 * something of the container, and none that is of this process (its key, its version).
 */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "containers/container.h"

#define CONTAINER_MAX_LABELS 4096u /* in each of its sets */

enum container_json {
	CONTAINER_ALL,
	CONTAINER_SHOWN, /* without annotations, which may be large and are in no column */
};

/* Sets of labels that do not fit out->max are left out. */
void container_to_json(const struct container *c, enum container_json what, struct buf *out);

/* A new container, but without key. -EBADMSG with *ret_fault for what is not one. */
int container_from_json(const char *text, size_t len, struct container **ret,
			const char **ret_fault);

/* The members; ends with an empty one. */
enum member_type { MEMBER_TEXT, MEMBER_U64, MEMBER_U32, MEMBER_BOOL, MEMBER_LABELS };
extern const struct member {
	const char *name;
	enum member_type type;
	size_t offset;
} container_members[];
