/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The container collection: all containers of this host, kept current without a runtime's help. An
 * eBPF detector sees each container's first process before its first instruction, puts its cgroup
 * into the maps of every tracer that follows containers, and tells this side, which finds the
 * names: in the runtime's state on disk, and from its daemon where the disk does not tell all.
 *
 * A container is found first and named afterwards. FOUND says that it is there, `pending`; ADDED
 * that all that can be known is, or that resolve_timeout_ns has passed. Most names are on disk, and
 * then ADDED comes at once, without FOUND. What was found may turn out to be no container: DROPPED.
 * Who does not hold records back for a name needs to look at ADDED and REMOVED only.
 *
 * Life: containers_new(), subscribers, containers_start() (finds those that run already and
 * publishes them), then containers_dispatch() whenever containers_fd() is readable;
 * containers_free().
 *
 * A container that ends is published as removed, and stays findable by key and in the maps until
 * containers_forget() – its records may not all be read yet. (When no slot is left, the one that
 * ended first is forgotten.) Keys are never used twice in a run; slots are, after
 * containers_forget().
 */
#pragma once

#include "containers/container.h"
#include "gadget/cost.h"

struct containers;
struct err;

/* The socket of a runtime's daemon. */
struct runtime_socket {
	const char *runtime; /* "containerd", "docker" …; NULL: the end of a list */
	const char *path;    /* below the host's root */
};

/* All texts are copied, but not `sockets`: they stay the caller's while the collection lives. */
struct containers_options {
	const char *host_root; /* "" or where the host's root is mounted */
	const char *const
		*runc_roots; /* extra state roots (runc --root), NULL-terminated; NULL: none */
	const struct runtime_socket *sockets; /* others than the usual; NULL: none */
	uint64_t resolve_timeout_ns;	      /* how long names are waited for; 0: 1 s */
	/* Something that is not as it should be, once each: a runtime does not answer. NULL: nobody
	 * is told. */
	void (*warn)(void *ctx, const char *text);
	void *warn_ctx;
};

int containers_new(const struct containers_options *o, struct containers **ret, struct err *err);
struct containers *containers_free(struct containers *cs);
void containers_freep(struct containers **cs);

enum container_event {
	CONTAINER_FOUND,   /* ADDED or DROPPED follows */
	CONTAINER_DROPPED, /* it is none; its pointer and key are valid during this call */
	CONTAINER_ADDED,   /* with its names; `resolved` is false where some could not be learned */
	CONTAINER_CHANGED, /* names came after all */
	CONTAINER_REMOVED, /* it ended; never before ADDED */
};
typedef void container_event_fn(void *ctx, enum container_event event, struct container *c);

/*
 * Called for each change from then on; those already known are given at once as FOUND or ADDED.
 * Returns a handle for unsubscribe.
 */
unsigned int containers_subscribe(struct containers *cs, container_event_fn *fn, void *ctx);
void containers_unsubscribe(struct containers *cs, unsigned int handle);

/*
 * Loads and attaches the detector, then looks for running containers. Tracers' maps may be added
 * before or after. Errors as gadget_load()'s.
 */
int containers_start(struct containers *cs, struct err *err);

int containers_fd(const struct containers *cs);	 /* readable: dispatch soon */
void containers_dispatch(struct containers *cs); /* reads what the detector found, publishes */

/*
 * By a record's g_container. Reads the detector's ring first where the key is new, so that a record
 * is never ahead of its container. NULL: no such container (0 is the host: NULL too).
 */
struct container *containers_find(struct containers *cs, uint64_t key);

/*
 * The container of a cgroup (v2 id), a child's as well, as far as is known without reading what the
 * detector has found since. NULL: none, or the cgroup holds several.
 */
struct container *containers_find_cgroup(const struct containers *cs, uint64_t cgroup);

/*
 * Before rows of c: looks at its users' and groups' names, c->owners, where that is due. now: boot
 * clock. c NULL: returns the host's, which are the collection's.
 */
struct owner_names *containers_owners(struct containers *cs, struct container *c, uint64_t now);

/* Those whose names are looked for. While there are some, they are found by dispatching. */
size_t containers_pending(const struct containers *cs);
/* Waits no longer: all that are pending are published with what is known of them. */
void containers_give_up(struct containers *cs);

/* How many files of runtimes were not what they should be; the first ones were told by `warn`. */
size_t containers_trouble(const struct containers *cs);
/* Has `warn` tell something else that the user should know once. */
void containers_warn(struct containers *cs, const char *text);

/*
 * A container that somebody tells of, such as a hook that its runtime runs before its first
 * instruction. NULL or 0: not said; all is copied.
 */
struct container_notice {
	const char *id;
	uint32_t pid;		/* its first process; also one that is still the runtime's */
	const char *oci_config; /* its config.json */
	/* Where `pod` is said, `name` is the container's in it, and the labels are the pod's. */
	const char *namespace_, *pod, *name;
	const struct labels *labels;
	/* Read where there is no pid; the path is one below the root of cgroup v2. */
	uint64_t cgroup_id, mntns, netns;
	const char *cgroup_path;
};

/*
 * After containers_start(). Publishes the container, FOUND or ADDED, so that on return the map of
 * every tracer that follows it has it. It is the same container that the detector would have
 * found; one that was found already learns what it lacks. Its names are looked for as any other's.
 * It ends with its first process, without pid with its cgroup.
 *
 * -EINVAL: no id, or neither pid nor a cgroup of its own; -EEXIST: there is one of this id;
 * -ESRCH: no such process; -ENOSPC.
 */
int containers_announce(struct containers *cs, const struct container_notice *n, struct err *err);

/*
 * It ends now, as if its first process had; nothing happens where that is so. -EINVAL: no id;
 * -ENOENT: no such container, or it is forgotten.
 */
int containers_retract(struct containers *cs, const char *id, struct err *err);

/* A pod of this node, by whoever knows: NULL where it is not told. All of it is copied. */
struct pod_facts {
	const char *uid, *ip;
	const char *owner_kind, *owner_name; /* "Deployment", "web" */
	struct labels labels;
};

/*
 * Fills in what the pod's containers lack, those that there are and those to come; who has got
 * something is CHANGED. A list of all pods is told between begin and end: those that it does not
 * name are gone.
 */
void containers_pod(struct containers *cs, const struct pod_facts *facts);
void containers_pod_gone(struct containers *cs, const char *uid);
void containers_pods_begin(struct containers *cs);
void containers_pods_end(struct containers *cs);

size_t containers_count(const struct containers *cs); /* not ended ones */
typedef void container_fn(void *ctx, struct container *c);
void containers_each(struct containers *cs, container_fn *fn,
		     void *ctx); /* not ended ones, oldest first */

/*
 * A tracer's map of wanted containers (types.h: g_wanted). While it is attached here the kernel
 * itself adds new containers and new child cgroups of containers that are in it. -ENOSPC past
 * MAX_WANTED_MAPS.
 */
int containers_attach_map(struct containers *cs, int wanted_fd, struct err *err);
void containers_detach_map(struct containers *cs, int wanted_fd);

/* Puts all cgroups and namespaces of a container into such a map, or takes them out. */
int containers_map_add(struct containers *cs, int wanted_fd, const struct container *c);
void containers_map_remove(struct containers *cs, int wanted_fd, const struct container *c);
/* A cgroup that is in no container. */
int containers_map_add_cgroup(struct containers *cs, int wanted_fd, uint64_t cgroup, uint64_t key);

/* Map of one u64: how often anything came into such a map, as additions.h says. It exists from
 * containers_new() on. */
int containers_additions_fd(const struct containers *cs);

/* Map of every container's cgroups, in no selection; for gadget_load_options.containers_fd. It
 * exists from containers_new() on. */
int containers_all_fd(const struct containers *cs);

/* The root of the host's cgroup v2, which stays the collection's; -1: not mounted. */
int containers_cgroup2_fd(const struct containers *cs);

/* How long and how often the detector's programs ran while the kernel counted that. */
struct gadget_runtime containers_runtime(const struct containers *cs);

/* The id of a cgroup v2 by its path below the root, "/a/b"; 0: there is none. */
uint64_t containers_cgroup_id(const struct containers *cs, const char *path);

/* Inode numbers of the host's mount and network namespaces; 0 before containers_start(). */
uint64_t containers_host_mntns(const struct containers *cs);
uint64_t containers_host_netns(const struct containers *cs);

/* A descriptor of the host's /proc, which stays the collection's. */
int containers_proc_fd(const struct containers *cs);

/* No record of this ended container will come any more: its slot may be used again. */
void containers_forget(struct containers *cs, struct container *c);
