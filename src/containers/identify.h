/* SPDX-License-Identifier: Apache-2.0 */
/* Which container is it? What all runtimes know together, and ids out of cgroups' names. */
#pragma once

#include "containers/runtime.h"

/*
 * The id that runtimes make a cgroup's name of: `/docker/ID`, `/…/libpod-ID.scope`,
 * `/lxc.payload.NAME`. A new string; NULL where the path names nothing.
 */
char *identify_id(const char *cgroup_path);

/*
 * The innermost cgroup on the path that has such an id for its name, as a new string; NULL: there is
 * none, or it is the whole path.
 */
char *identify_top(const char *cgroup_path);

/* Who makes cgroups of such names: "docker", "podman" …, a constant; NULL: not known. */
const char *identify_runtime(const char *cgroup_path);

/* An id as runtimes draw them, of 64 digits? NULL is none. */
bool identify_is_full_id(const char *id);

/* Is that what the cgroup's name tells? */
bool identify_has_full_id(const char *cgroup_path);

/*
 * Asks every runtime, in order. False: no runtime's state knows c; then it has no id and no name
 * yet.
 */
bool identify(const struct runtime_context *ctx, struct container *c, const struct clues *clues);
