/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the container collection share. containers.c: life, events, publishing;
 * slots.c: keys; maps.c: ids in the kernel's maps; scan.c: containers that run already.
 */
#pragma once

#include <sys/queue.h>
#include <time.h>

#include "base/limits.h"
#include "containers/containers.h"
#include "containers/detector.h"
#include "containers/runtime.h"

/* A container that is known, or ended and not yet forgotten. */
struct entry {
	TAILQ_ENTRY(entry) link; /* in `live` or `ended`, oldest first */
	struct container *container;
	uint64_t *cgroups; /* its own, then those that were made below it; none where it has none of
			      its own */
	size_t n_cgroups, room_cgroups;
	bool has_netns;	   /* its network namespace is under its key */
	uint32_t init_pid; /* watched by the detector */
};
TAILQ_HEAD(entries, entry);

struct slot {
	uint32_t generation;
	struct entry *entry; /* NULL: free, or given to the detector */
};

/* Keys: slots.c. Slot 0 is the host's. */
struct slots {
	struct slot *slots; /* MAX_SLOTS */
	uint32_t fresh;	    /* slots from here on were never used */
	uint32_t *freed;    /* ring of MAX_SLOTS: slots that came back, longest free first */
	uint32_t first, n_freed;
	uint32_t waiting; /* keys that the detector holds ready, as far as is known */
};

struct subscriber {
	unsigned int handle;
	container_event_fn *fn;
	void *ctx;
};

struct containers {
	char *host_root;
	char **runc_roots;
	struct runtime_context context;
	struct detector *detector;
	uint64_t detector_lost; /* of its losses, those that a scan has made good */
	bool want_scan;
	bool reading; /* in containers_dispatch(): callbacks must not come back to it */
	int all_fd, epoll_fd;
	int proc_fd;	/* the host's /proc */
	int cgroup2_fd; /* root of cgroup v2; -1: not mounted */
	uint64_t host_mntns, host_netns;
	int maps[MAX_TRACERS]; /* tracers' maps; -1 */
	struct slots slots;
	struct entries live, ended;
	size_t n_live;
	struct subscriber *subscribers;
	size_t n_subscribers, room_subscribers;
	unsigned int next_handle;
};

/* ---- slots.c --------------------------------------------------------------------- */

void slots_init(struct slots *s);
void slots_done(struct slots *s);
bool slots_take(struct slots *s, uint64_t *ret_key);		/* false: all are in use */
void slots_give(struct slots *s, uint64_t key);			/* the slot gets a new generation */
struct entry *slots_entry(const struct slots *s, uint64_t key); /* NULL: no such container */
void slots_set(struct slots *s, uint64_t key,
	       struct entry *e); /* a key that the detector handed out is in use */

/* ---- maps.c: ids of containers in the map of all and in the tracers' ------------- */

/* The namespaces that e's container is found by, as keys; 0 where there is none. */
void maps_namespaces(const struct entry *e, uint64_t ret[2]);

/* Enters e into the map of all. -EEXIST: one of its ids is there. */
int maps_enter(struct containers *cs, struct entry *e);
/* Takes e out of the map of all and out of the tracers'. */
void maps_leave(struct containers *cs, struct entry *e);
/* Of a container known by its namespaces: these are used again at once. */
void maps_leave_namespaces(struct containers *cs, struct entry *e);

/* A cgroup below e's: it follows e's own into each tracer's map, or out of it. */
void maps_add_child(struct containers *cs, struct entry *e, uint64_t cgroup);
void maps_remove_child(struct entry *e, uint64_t cgroup);
/* The same for one that the kernel side did not see made. False: it is another container's. */
bool maps_enter_child(struct containers *cs, struct entry *e, uint64_t cgroup);

bool maps_lookup(const struct containers *cs, uint64_t id, uint64_t *ret);

/* ---- containers.c ---------------------------------------------------------------- */

/* Takes c over, which has a key. It is not published yet. */
struct entry *entry_new(struct containers *cs, struct container *c);
void entry_drop(struct containers *cs,
		struct entry *e); /* takes it from everywhere; nobody is told */
void entry_publish(struct containers *cs, struct entry *e); /* subscribers are told */
void entry_end(struct containers *cs, struct entry *e, uint64_t boot_ns);
bool take_key(struct containers *cs, uint64_t *ret);

uint64_t clock_ns(clockid_t clock);
uint64_t boot_to_real(uint64_t boot_ns); /* Unix time */

/* Is c's first process running? */
bool container_runs(const struct containers *cs, const struct container *c);

/* c->id and c->name from its runtime or, if sure, from its cgroup. False: it is no container. */
bool entry_identify(struct containers *cs, struct container *c, bool sure);

/* ---- scan.c ---------------------------------------------------------------------- */

/* Finds containers that the detector did not see start, and those that ended unseen. */
void scan(struct containers *cs);
