/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the container collection share. containers.c: life, events, publishing;
 * resolve.c: from found to named; slots.c: keys; maps.c: ids in the kernel's maps; scan.c:
 * containers that run already; announce.c: those that somebody tells of.
 */
#pragma once

#include <sys/queue.h>
#include <sys/stat.h>
#include <time.h>

#include "base/limits.h"
#include "base/reactor.h"
#include "containers/containers.h"
#include "containers/daemon.h"
#include "containers/detector.h"
#include "containers/makers.h"
#include "containers/pods.h"
#include "containers/runtime.h"

/* /etc/passwd and /etc/group of a container or of the host: owners.c. */
struct owner_files {
	struct owner_names *names; /* NULL: not read yet */
	struct stat seen[2];	   /* as they were then; zeroed: none */
	uint64_t due, wait;	   /* boot clock when they are looked at again; ns */
};

/* A container that is known, or ended and not yet forgotten. */
struct entry {
	TAILQ_ENTRY(entry) link; /* in `live` or `ended`, oldest first */
	struct container *container;
	uint64_t *cgroups; /* its own, then those that were made below it; none where it has none of
			      its own */
	size_t n_cgroups, room_cgroups;
	bool has_netns;	   /* its network namespace is under its key */
	uint32_t init_pid; /* watched by the detector */

	/* While it is pending: */
	TAILQ_ENTRY(entry) of_pending; /* in `todo` or `asked`, the one found first is first */
	bool todo;		       /* the disk was not looked at yet */
	bool sure;		       /* it is a container, whatever the runtimes say */
	bool announced;		       /* so said who makes it */
	bool unknown;		       /* somebody could not tell what he was asked */
	bool absent;		       /* a daemon that should be asked was not found */
	bool asking;		       /* daemons are just being asked */
	bool end_waits;		       /* it ended, which will be published after ADDED */
	char parent[16];	       /* comm of the process above it */
	uint32_t ppid;
	uint64_t found_boot_ns, deadline_boot_ns;
	struct questions questions; /* also afterwards */
	struct owner_files owners;
	struct containers *cs;
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
	struct reactor *reactor;
	struct watch detector_watch;
	struct trouble *trouble;
	struct pods pods;
	struct states *states;
	struct makers makers; /* runtimes of the host's mount namespace */
	struct runtime_context context;
	struct daemons *daemons;
	struct entries todo, asked;
	size_t n_pending;
	bool want_list; /* runtimes' lists were not looked at yet */
	uint64_t resolve_timeout_ns;
	struct timer todo_timer, deadline_timer;
	bool has_inner;	   /* there are containers in containers, or were */
	uint64_t versions; /* of containers' contents, handed out so far */
	struct detector *detector;
	uint64_t detector_lost; /* of its losses, those that a scan has made good */
	bool want_scan;
	bool reading; /* in containers_dispatch(): callbacks must not come back to it */
	int all_fd;
	int additions_fd;
	uint64_t *additions; /* mapped: additions.h */
	int proc_fd;	     /* the host's /proc */
	int cgroup2_fd;	     /* root of cgroup v2; -1: not mounted */
	uint64_t host_mntns, host_netns;
	int maps[MAX_WANTED_MAPS]; /* tracers' maps; -1 */
	struct slots slots;
	struct entries live, ended;
	size_t n_live;
	struct owner_files owners; /* the host's */
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

int maps_open(struct containers *cs, struct err *err);
void maps_close(struct containers *cs);

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
/* A cgroup of e's outer container is e's: in the map of all, and in those tracers' maps that have
 * it.
 */
void maps_take_over(struct containers *cs, struct entry *e, uint64_t cgroup);
/* The same for one that the kernel side did not see made. False: it is another container's. */
bool maps_enter_child(struct containers *cs, struct entry *e, uint64_t cgroup);

bool maps_lookup(const struct containers *cs, uint64_t id, uint64_t *ret);

/* ---- containers.c ---------------------------------------------------------------- */

/* Takes c over, which has a key. It is not published yet. */
struct entry *entry_new(struct containers *cs, struct container *c);
void entry_drop(struct containers *cs,
		struct entry *e); /* takes it from everywhere; nobody is told */
void entry_publish(struct containers *cs, enum container_event event,
		   struct entry *e); /* subscribers are told */
void entry_end(struct containers *cs, struct entry *e, uint64_t boot_ns);
bool take_key(struct containers *cs, uint64_t *ret);

uint64_t boot_to_real(uint64_t boot_ns); /* Unix time */

/* Is c's first process running? */
bool container_runs(const struct containers *cs, const struct container *c);

/* ---- resolve.c ------------------------------------------------------------------- */

/* A new entry, with its facts; nobody was told of it. The disk is looked at now, and the daemons
 * are asked. False: it is no container, and e is gone. */
bool resolve_now(struct containers *cs, struct entry *e);
/* More is known of an entry than before; if it has its names already, subscribers are told. */
void resolve_more(struct containers *cs, struct entry *e);
/* The same by and by, from resolve_some(). */
void resolve_later(struct containers *cs, struct entry *e);
void resolve_some(struct containers *cs);		     /* for some milliseconds */
void resolve_forget(struct containers *cs, struct entry *e); /* e goes */

/* ---- owners.c -------------------------------------------------------------------- */

/* Reads names of e's users and groups where they are not as they were. */
void owners_look(struct containers *cs, struct entry *e, uint64_t now);
/* Of one that had ended before that: by its bundle, which says where its root is on the host. */
void owners_look_in_bundle(struct containers *cs, struct entry *e);

/* ---- scan.c ---------------------------------------------------------------------- */

/* Finds containers that the detector did not see start, and those that ended unseen. */
void scan(struct containers *cs);

/*
 * The container that a process makes with its cgroups and namespaces, without a key; *ret_parent is
 * the process above it. NULL: it has ended, or is in its parent's cgroups.
 */
struct container *scan_process(struct containers *cs, uint32_t pid, uint32_t *ret_parent);
uint64_t scan_cgroup_id(const struct containers *cs, const char *path); /* 0: there is none */

/*
 * Is c a known container's? *ret is its key then. Else c's outer container is set, if c is `sure`
 * to be a container and lies in another's cgroup.
 */
bool scan_is_known(struct containers *cs, struct container *c, bool sure, uint64_t *ret);

/*
 * An entry for c, which is taken over, with its ids in the map of all and its end watched.
 * -ENOSPC; -EEXIST: the detector was faster; -ESRCH: it has ended.
 */
int scan_enter(struct containers *cs, struct container *c, struct entry **ret);
/* e's cgroup is the one that its path names now, above the one that it was known by. */
void scan_rise(struct containers *cs, struct entry *e);
/* Those that only a runtime's list tells of. */
void scan_lists(struct containers *cs);
