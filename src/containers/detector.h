/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container detector's BPF program (src/bpf/detector.bpf.c) as an object: load, attach, its
 * maps, its events. What a container is and what its keys mean is the collection's affair
 * (containers.c).
 */
#pragma once

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "columns/types.h"
#include "containers/detector_event.h"
#include "gadget/cost.h"

struct detector;
struct err;

typedef void detector_fn(void *ctx, const struct detector_event *e, size_t size);

struct detector_options {
	uint64_t host_mntns, host_netns; /* the host's own namespaces */
	int containers_fd; /* map of all containers, as g_containers of gadget.bpf.h; borrowed */
	int additions_fd;  /* containers_additions_fd(); borrowed */
};

/* Loads and attaches. -EPERM: not allowed; -ENOTSUP: the kernel lacks BTF or a tracepoint. */
int detector_new(const struct detector_options *o, detector_fn *fn, void *ctx,
		 struct detector **ret, struct err *err);
struct detector *detector_free(struct detector *d); /* NULL is fine; returns NULL */

int detector_fd(const struct detector *d); /* readable: detector_read() */
void detector_read(struct detector *d);
uint64_t detector_lost(const struct detector *d); /* events that found no room, ever */

/* Keys for containers to come. -E2BIG: enough of them are there. */
int detector_give_key(struct detector *d, uint64_t key);
bool detector_take_key(struct detector *d, uint64_t *ret);

/* First processes, whose end is told. */
int detector_watch(struct detector *d, uint32_t pid, uint64_t key);
void detector_unwatch(struct detector *d, uint32_t pid, uint64_t key);
bool detector_watches(const struct detector *d, uint32_t pid, uint64_t *ret_key);

/*
 * Tracers' maps that the kernel side keeps filled: slot < MAX_WANTED_MAPS, without a gap before it;
 * fd -1 takes it out.
 */
int detector_set_map(struct detector *d, uint32_t slot, int fd);

uint64_t detector_map_bytes(const struct detector *d); /* kernel memory of its maps */
struct gadget_runtime detector_runtime(const struct detector *d);
