// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * The container detector: sees containers start and end without their runtime's help.
 *
 * A container starts when a process execs that has another mount namespace than the host and other
 * cgroups than its parent. It is put into the map of every tracer here and now, so that not even
 * its first exec is missed; the host side learns of it through the ring, finds its name, and takes
 * it out of the maps of those tracers that do not want it.
 *
 * Further signs: the first process of a pid namespace that lies in a cgroup of its own below a
 * container's is a container in that container; and whoever runs in a cgroup that an OCI runtime
 * has made is in a container, even where it shares all namespaces with the host.
 *
 * Raw tracepoints need no BTF ids, thus no reading of the kernel's whole BTF; their arguments are
 * not trusted pointers and are read with BPF_CORE_READ.
 */
#include <gadget/kernel.h>

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>

#include <gadget/types.h>

#include "../containers/additions.h"
#include "../containers/detector_event.h"

enum {
	MAX_SUBSYSTEMS = 16, /* cgroup v1 controllers looked at */
	MAPS_AT_ONCE = 16,   /* of those that are kept filled, in one step of a walk */
};

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Every container's cgroups and namespaces (keys and values as types.h says of g_wanted). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, g_container);
} containers SEC(".maps");

/* The first process of each container: tgid -> g_container. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, g_container);
} inits SEC(".maps");

struct wanted_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, g_container);
};

/* The maps that are kept filled: tracers' g_wanted, and sets. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, DETECTOR_MAPS);
	__type(key, __u32);
	__array(values, struct wanted_map);
} tracers SEC(".maps");

/* Cgroups that an OCI runtime has made. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, __u8);
} made SEC(".maps");

/* Keys for containers to come. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 512);
	__type(value, g_container);
} free_keys SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 512 * 1024);
} events SEC(".maps");

const volatile __u32 host_mntns;
const volatile __u32 host_netns;
__u64 lost; /* events that found no room: the host side must look for itself */
__u64 additions SEC(".data.additions"); /* to the maps in `tracers`; the host's as well */

/* Fields that only this program reads. */
struct css_set___subsys {
	struct cgroup_subsys_state *subsys[1];
} __attribute__((preserve_access_index));
struct signal_struct___live {
	struct {
		int counter;
	} live;
} __attribute__((preserve_access_index));

static __always_inline __u64 namespace_key(__u32 inum)
{
	return inum | G_NAMESPACE_KEY;
}

/*
 * A process's name. crun and runc execute copies of themselves by descriptor, and kernels before
 * 6.14 call such a process by the descriptor's number: then it is the name of its file, which is
 * "crun", or "memfd:crun_cloned:…".
 */
static __always_inline void name_of(struct task_struct *task, char name[16])
{
	const char *file;

	__builtin_memset(name, 0, 16);
	bpf_core_read_str(name, 16, &task->comm);
	if (name[0] < '0' || name[0] > '9')
		return;
	file = (const char *)BPF_CORE_READ(task, mm, exe_file, f_path.dentry, d_name.name);
	bpf_probe_read_kernel_str(name, 16, file);
	if (name[0] == 'm' && name[5] == ':')
		bpf_probe_read_kernel_str(name, sizeof("crun"), file + sizeof("memfd:") - 1);
}

/* Is the current process an OCI runtime, by its name: runc, crun, runc-wrapper … */
static __always_inline bool is_runtime(void)
{
	union {
		char comm[16];
		__u32 first;
	} name;

	name_of((struct task_struct *)bpf_get_current_task(), name.comm);
	return name.first == *(const __u32 *)"runc" || name.first == *(const __u32 *)"crun";
}

/*
 * The three walks through the maps that are kept filled, of which those in use stand together at
 * the front. Global functions are verified once, and not again at each call: so a walk in steps of
 * a few maps each costs little when it is loaded, and one over no maps costs nothing.
 */
static __always_inline void *filled_map(__u32 slot)
{
	return bpf_map_lookup_elem(&tracers, &slot);
}

/* From step to step until one finds the end. */
#define WALK(STEP, ...)                                                  \
	do {                                                             \
		__u32 at_ = 0;                                           \
                                                                         \
		barrier_var(at_); /* not unrolled: that makes it dear */ \
		while (at_ < DETECTOR_MAPS && STEP(at_, __VA_ARGS__))    \
			at_ += MAPS_AT_ONCE;                             \
	} while (0)

__noinline int insert_step(__u32 first, __u64 key, __u64 value)
{
	for (__u32 i = 0; i < MAPS_AT_ONCE; i++) {
		void *map = filled_map(first + i);

		if (!map)
			return 0;
		bpf_map_update_elem(map, &key, &value, BPF_ANY);
	}
	return 1;
}

__noinline int spread_insert(__u64 key, __u64 value)
{
	WALK(insert_step, key, value);
	__sync_fetch_and_add(&additions, ADDITION);
	return 0;
}

__noinline int delete_step(__u32 first, __u64 key)
{
	for (__u32 i = 0; i < MAPS_AT_ONCE; i++) {
		void *map = filled_map(first + i);

		if (!map)
			return 0;
		bpf_map_delete_elem(map, &key);
	}
	return 1;
}

__noinline int spread_delete(__u64 key)
{
	bpf_map_delete_elem(&containers, &key);
	WALK(delete_step, key);
	return 0;
}

/* A child cgroup goes into those maps that have its parent. */
__noinline int child_step(__u32 first, __u64 parent, __u64 child)
{
	for (__u32 i = 0; i < MAPS_AT_ONCE; i++) {
		void *map = filled_map(first + i);
		g_container *value;

		if (!map)
			return 0;
		value = bpf_map_lookup_elem(map, &parent);
		if (value)
			bpf_map_update_elem(map, &child, value, BPF_ANY);
	}
	return 1;
}

__noinline int spread_child(__u64 parent, __u64 child)
{
	WALK(child_step, parent, child);
	__sync_fetch_and_add(&additions, ADDITION);
	return 0;
}

static __always_inline void tell(__u32 type, g_container key, __u64 cgroup)
{
	struct detector_event *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e) {
		__sync_fetch_and_add(&lost, 1);
		return;
	}
	e->type = type;
	e->flags = 0;
	e->key = key;
	e->cgroup = cgroup;
	e->time = bpf_ktime_get_boot_ns();
	bpf_ringbuf_submit(e, 0);
}

/* ---- start ----------------------------------------------------------------------- */

/* The first v1 cgroup in which the process is and its parent is not; NULL: none. */
static __noinline struct cgroup *v1_cgroup(struct css_set *set, struct css_set *parents)
{
	__u32 offset = bpf_core_field_offset(struct css_set___subsys, subsys);
	__u32 n = bpf_core_field_size(struct css_set___subsys, subsys) / sizeof(void *);

	for (__u32 i = 0; i < MAX_SUBSYSTEMS; i++) {
		struct cgroup_subsys_state *own = NULL, *other = NULL;

		if (i >= n)
			break;
		bpf_probe_read_kernel(&own, sizeof(own), (char *)set + offset + i * sizeof(void *));
		bpf_probe_read_kernel(&other, sizeof(other),
				      (char *)parents + offset + i * sizeof(void *));
		if (own != other)
			return BPF_CORE_READ(own, cgroup);
	}
	return NULL;
}

static __always_inline void fill_names(struct detector_start *e, struct cgroup *cgroup)
{
	e->level = BPF_CORE_READ(cgroup, level);
	for (int i = 0; i < DETECTOR_NAMES; i++) {
		struct cgroup *parent = BPF_CORE_READ(cgroup, self.parent, cgroup);

		e->names[i][0] = '\0';
		if (!parent) /* the root, which has no name */
			continue;
		bpf_probe_read_kernel_str(e->names[i], DETECTOR_NAME,
					  BPF_CORE_READ(cgroup, kn, name));
		cgroup = parent;
	}
}

/* Is it the first process of a pid namespace that is not the host's? */
static __always_inline bool is_first(struct pid *pid, __u32 *ret_pidns)
{
	unsigned int level = BPF_CORE_READ(pid, level);
	struct upid *place = (void *)((char *)pid + bpf_core_field_offset(struct pid, numbers) +
				      level * bpf_core_type_size(struct upid));

	*ret_pidns = BPF_CORE_READ(place, ns, ns.inum);
	return level > 0 && BPF_CORE_READ(place, nr) == 1;
}

/* Enters the container into the maps. False: it is known by now, or there is no room. */
static __always_inline bool enter(struct detector_start *e)
{
	__u64 by_mntns = namespace_key(e->mntns), by_netns = namespace_key(e->netns);
	g_container shared = G_BY_NAMESPACE, key = e->event.key;
	__u64 cgroup = e->event.cgroup;
	__u32 pid = e->pid; /* 5.10 takes no key from within the ring */

	bpf_map_update_elem(&inits, &pid, &key, BPF_ANY);
	if (!(e->event.flags & DETECTOR_SHARED)) {
		/* Until now an inner one's cgroup was its outer container's. */
		if (bpf_map_update_elem(&containers, &cgroup, &key,
					e->outer ? BPF_ANY : BPF_NOEXIST))
			return false;
		spread_insert(cgroup, key);
		return true;
	}
	if (bpf_map_update_elem(&containers, &by_mntns, &key, BPF_NOEXIST))
		return false;
	bpf_map_update_elem(&containers, &cgroup, &shared, BPF_NOEXIST);
	spread_insert(by_mntns, key);
	spread_insert(cgroup, shared);
	/* Of containers that share a network namespace the first has it. */
	if (e->netns != host_netns &&
	    !bpf_map_update_elem(&containers, &by_netns, &key, BPF_NOEXIST)) {
		e->event.flags |= DETECTOR_NETNS;
		spread_insert(by_netns, key);
	}
	return true;
}

/*
 * A process in a known container's cgroup: does it start a container within that one? It must be
 * the first of its pid namespace, other than the known one's own first process, and its cgroup must
 * lie below the known one's own.
 */
static __noinline bool is_inner(struct task_struct *task, struct cgroup *cgroup, __u64 outer)
{
	__u32 pid = BPF_CORE_READ(task, tgid), pidns;
	__u64 parent = BPF_CORE_READ(cgroup, self.parent, cgroup, kn, id);
	g_container *above;

	if (bpf_map_lookup_elem(&inits, &pid) || !is_first(BPF_CORE_READ(task, thread_pid), &pidns))
		return false;
	above = bpf_map_lookup_elem(&containers, &parent);
	return above && *above == outer;
}

/*
 * Does this process start a container that is not known yet? *ret_outer: the container in which it
 * does.
 */
static __always_inline bool is_new(struct task_struct *task, __u32 mntns, bool *ret_shared,
				   __u64 *ret_outer)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct css_set *parents = BPF_CORE_READ(task, real_parent, cgroups);
	struct cgroup *cgroup = BPF_CORE_READ(set, dfl_cgrp);
	__u64 id = BPF_CORE_READ(cgroup, kn, id), by_mntns = namespace_key(mntns);
	g_container *known;

	if (set == parents)
		return false;
	known = bpf_map_lookup_elem(&containers, &id);
	if (known && *known != G_BY_NAMESPACE) {
		*ret_outer = *known;
		return cgroup != BPF_CORE_READ(parents, dfl_cgrp) && is_inner(task, cgroup, *known);
	}
	*ret_shared = known || BPF_CORE_READ(cgroup, level) == 0 ||
		      cgroup == BPF_CORE_READ(parents, dfl_cgrp);
	return !*ret_shared || !bpf_map_lookup_elem(&containers, &by_mntns);
}

static __always_inline void fill_start(struct detector_start *e, struct task_struct *task,
				       __u32 mntns, bool shared)
{
	struct css_set *set = BPF_CORE_READ(task, cgroups);
	struct css_set *parents = BPF_CORE_READ(task, real_parent, cgroups);
	struct cgroup *cgroup = BPF_CORE_READ(set, dfl_cgrp), *named = NULL;

	e->event.type = DETECTOR_STARTED;
	e->event.flags = shared ? DETECTOR_SHARED : 0;
	e->event.cgroup = BPF_CORE_READ(cgroup, kn, id);
	e->event.time = bpf_ktime_get_boot_ns();
	e->started = BPF_CORE_READ(task, start_boottime);
	e->pid = BPF_CORE_READ(task, tgid);
	e->mntns = mntns;
	e->netns = BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
	e->ppid = BPF_CORE_READ(task, real_parent, tgid);
	name_of(BPF_CORE_READ(task, real_parent), e->parent);
	if (is_first(BPF_CORE_READ(task, thread_pid), &e->pidns))
		e->event.flags |= DETECTOR_SURE;
	if (shared)
		named = v1_cgroup(set, parents);
	fill_names(e, named ?: cgroup);
}

/* The host side learns from it where the runtime keeps its state, and its container's bundle. */
static __noinline int tell_runtime(struct task_struct *task, __u32 mntns)
{
	unsigned long from = BPF_CORE_READ(task, mm, arg_start);
	unsigned long size = BPF_CORE_READ(task, mm, arg_end) - from;
	struct detector_runtime *e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);

	if (!e)
		return 0; /* its container will be found all the same */
	e->event.type = DETECTOR_RUNTIME;
	e->event.flags = 0;
	e->event.key = 0;
	e->event.cgroup = 0;
	e->event.time = bpf_ktime_get_boot_ns();
	e->pid = BPF_CORE_READ(task, tgid);
	e->mntns = mntns;
	if (size > DETECTOR_ARGS)
		size = DETECTOR_ARGS;
	e->size = bpf_probe_read_user(e->args, size, (void *)from) ? 0 : size;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

/*
 * `runc init` executes itself anew from memory, sometimes when it is in the container's cgroup
 * already: it is not yet the container. Its command line ends with that word. runc may itself be in
 * a container, or in a mount namespace of its own.
 */
static __noinline bool is_runc_init(struct task_struct *task)
{
	unsigned long end = BPF_CORE_READ(task, mm, arg_end);
	static const char init[] = "\0init";
	char last[sizeof(init)] = {};

	bpf_probe_read_user(last, sizeof(last), (void *)(end - sizeof(last)));
	for (unsigned int i = 0; i < sizeof(init); i++)
		if (last[i] != init[i])
			return false;
	return true;
}

SEC("raw_tp/sched_process_exec")
int detect_start(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	__u32 mntns = BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum);
	__u64 cgroup = bpf_get_current_cgroup_id(), outer = 0;
	bool is_made = bpf_map_lookup_elem(&made, &cgroup), shared = false, runtime = is_runtime();
	struct detector_start *e;
	g_container key;
	__u32 pid;

	if (runtime)
		tell_runtime(task, mntns);
	if (mntns == host_mntns && !is_made)
		return 0;
	/* Elsewhere a container's own command may end with that word. */
	if ((mntns == host_mntns || runtime) && is_runc_init(task))
		return 0;
	if (!is_new(task, mntns, &shared, &outer))
		return 0;
	e = bpf_ringbuf_reserve(&events, sizeof(*e), 0);
	if (!e) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	fill_start(e, task, mntns, shared);
	e->outer = outer;
	if (is_made && !shared)
		e->event.flags |= DETECTOR_SURE;
	if (bpf_map_pop_elem(&free_keys, &key)) {
		e->event.type = DETECTOR_RESCAN;
		e->event.key = 0;
		bpf_ringbuf_submit(e, 0);
		return 0;
	}
	e->event.key = key;
	if (enter(e)) {
		bpf_ringbuf_submit(e, 0);
		return 0;
	}
	pid = e->pid;
	bpf_map_delete_elem(&inits, &pid);
	bpf_ringbuf_discard(e, 0);
	bpf_map_push_elem(&free_keys, &key, BPF_ANY);
	__sync_fetch_and_add(&lost, 1);
	return 0;
}

/* ---- end ------------------------------------------------------------------------- */

/* Namespaces' numbers are used again at once: a container's must be out of the maps before that. */
static __always_inline void leave_namespace(__u32 inum, g_container key)
{
	__u64 by = namespace_key(inum);
	g_container *value = bpf_map_lookup_elem(&containers, &by);

	if (value && *value == key)
		spread_delete(by);
}

SEC("raw_tp/sched_process_exit")
int detect_end(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (struct task_struct *)ctx->args[0];
	__u32 pid = BPF_CORE_READ(task, tgid);
	g_container *value = bpf_map_lookup_elem(&inits, &pid);
	struct signal_struct___live *signal;
	g_container key;

	if (!value)
		return 0;
	key = *value;
	signal = (void *)BPF_CORE_READ(task, signal);
	if (BPF_CORE_READ(signal, live.counter)) /* other threads go on */
		return 0;
	bpf_map_delete_elem(&inits, &pid);
	leave_namespace(BPF_CORE_READ(task, nsproxy, mnt_ns, ns.inum), key);
	leave_namespace(BPF_CORE_READ(task, nsproxy, net_ns, ns.inum), key);
	tell(DETECTOR_ENDED, key, BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id));
	return 0;
}

/* ---- child cgroups --------------------------------------------------------------- */

SEC("raw_tp/cgroup_mkdir")
int detect_mkdir(struct bpf_raw_tracepoint_args *ctx)
{
	struct cgroup *cgroup = (struct cgroup *)ctx->args[0];
	__u64 parent, id;
	g_container *value, key;

	if (BPF_CORE_READ(cgroup, root, hierarchy_id))
		return 0;
	id = BPF_CORE_READ(cgroup, kn, id);
	if (is_runtime())
		bpf_map_update_elem(&made, &id, &(__u8){1}, BPF_ANY);
	parent = BPF_CORE_READ(cgroup, self.parent, cgroup, kn, id);
	value = bpf_map_lookup_elem(&containers, &parent);
	if (!value || *value == G_BY_NAMESPACE)
		return 0;
	key = *value;
	if (bpf_map_update_elem(&containers, &id, &key, BPF_ANY)) {
		__sync_fetch_and_add(&lost, 1);
		return 0;
	}
	spread_child(parent, id);
	tell(DETECTOR_CHILD, key, id);
	return 0;
}

SEC("raw_tp/cgroup_rmdir")
int detect_rmdir(struct bpf_raw_tracepoint_args *ctx)
{
	struct cgroup *cgroup = (struct cgroup *)ctx->args[0];
	__u64 parent, id;
	g_container *value, *above, key;

	if (BPF_CORE_READ(cgroup, root, hierarchy_id))
		return 0;
	id = BPF_CORE_READ(cgroup, kn, id);
	bpf_map_delete_elem(&made, &id);
	value = bpf_map_lookup_elem(&containers, &id);
	if (!value)
		return 0;
	key = *value;
	parent = BPF_CORE_READ(cgroup, self.parent, cgroup, kn, id);
	above = bpf_map_lookup_elem(&containers, &parent);
	/*
	 * A container's own cgroup stays in the maps until the host side forgets the container: its
	 * sockets may outlive it, and a cgroup's id is never used again.
	 */
	if (key == G_BY_NAMESPACE || (above && *above == key))
		spread_delete(id);
	if (key != G_BY_NAMESPACE)
		tell(DETECTOR_GONE, key, id);
	return 0;
}
