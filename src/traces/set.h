/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A selector as two maps, kept current, for BPF programs that are not ours: they look a cgroup id
 * or a mount namespace up and know whether the container is meant.
 *
 *   cgroups: hash of u64 -> u64: cgroup v2 id -> not 0. New containers and cgroups that are made
 *            within a container are put in by the kernel, before their first instruction. (It is a
 *            map like g_wanted of <gadget/types.h>: with keys of namespaces, which are no
 *            cgroup's id. Where cgroups cannot tell containers apart, on v1 alone, the cgroup that
 *            they share is in.)
 *   mntns:   hash of u64 -> u32: inode number of a mount namespace -> 1. The host's own is never
 *            in. New ones come in when we read of them, a moment after their start.
 *
 * A container whose names are looked for is in until they say no. Nothing waits for a set: it
 * keeps no container from being forgotten, and has let go of it by then.
 *
 * Life: set_new(), containers_dispatch() as always, set_free() before the container collection's
 * end.
 */
#pragma once

#include <stddef.h>

#include "containers/containers.h"
#include "containers/selector.h"

struct set;

/* The selector is borrowed for the set's life; NULL: all. -ENOSPC past MAX_WANTED_MAPS. */
int set_new(struct containers *cs, const struct selector *selector, struct set **ret,
	    struct err *err);
struct set *set_free(struct set *s); /* unpins; NULL is fine; returns NULL */

int set_cgroups_fd(const struct set *s);
int set_mntns_fd(const struct set *s);

/*
 * Pins the maps there, below a mounted bpffs, once. What a process that was killed left at these
 * paths is replaced. A failure leaves nothing pinned.
 */
int set_pin(struct set *s, const char *cgroups, const char *mntns, struct err *err);

size_t set_count(const struct set *s); /* containers that are in now */
void set_each(const struct set *s, container_fn *fn, void *ctx);
