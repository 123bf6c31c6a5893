/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the runtimes' files share: finding the state of a container among a runtime's state folders,
 * and an id where nothing but the cgroup's name is left.
 */
#pragma once

#include "containers/oci.h"
#include "containers/runtime.h"

/*
 * The id that runtimes make a cgroup's name of: `/docker/ID`, `/…/libpod-ID.scope`,
 * `/lxc.payload.NAME`. A new string; NULL where the path names nothing.
 */
char *identify_id(const char *cgroup_path);

/*
 * A runtime's state folder: `root` may have one `*` for any one name; ROOT/ID/file is parsed by
 * `parse`.
 */
struct state_place {
	const char *root, *file;
	int (*parse)(const char *text, size_t len, struct oci_state *ret);
	const char *runtime;
};

/*
 * The state that is c's: that of its first process, or else of its cgroup. First where the id
 * leads, then everywhere. *ret_id is the folder's name. Returns false where there is none.
 */
bool identify_state(const struct runtime_context *ctx, const struct state_place *place,
		    const struct container *c, struct oci_state *ret, char **ret_id);

/* Fills c from its state, which is consumed. */
void identify_fill(struct container *c, struct oci_state *s, const char *id, const char *runtime);

/* Calls fn for the pid of each state whose process runs. */
void identify_list(const struct runtime_context *ctx, const struct state_place *place,
		   void (*fn)(void *arg, uint32_t pid), void *arg);

/*
 * Asks every runtime, in order. False: no runtime's state knows c; then it has no id and no name
 * yet.
 */
bool identify(const struct runtime_context *ctx, struct container *c);
