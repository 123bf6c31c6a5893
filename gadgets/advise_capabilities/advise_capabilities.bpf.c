// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/*
 * Which capabilities each container uses, and which it was given. Each fact is told once;
 * advise_capabilities.c says what can be dropped.
 */
#include <gadget/gadget.bpf.h>
#include <gadget/capability.bpf.h>
#include <gadget/entered.bpf.h>
#include <gadget/once.bpf.h>
#include <gadget/syscall.bpf.h>

GADGET("Say which capabilities containers use, and which they could do without\n"
       "Let a container do all that it should be able to do, from its start, then end the run. "
       "The report compares the capabilities that it used with those that it may get (its bounding "
       "set): as a text for people, or as what a container's configuration should say. What the "
       "runtime does on its way into the container is not counted. Rows (-o columns, -o json) are "
       "each use of a capability in a system call, once for each container: used; refused, as the "
       "process had it not; reserve, which is the kernel's question whether the last of the "
       "machine's memory may be used, and needs no capability; granted, the sets that a process "
       "had at its exec.",
       ALIAS("advise_caps") ALONE LIMITS(
	       "A capability that the container did not use in the run is not in the advice, "
	       "whatever else it may do on another day. The kernel sometimes asks for one "
	       "capability "
	       "although another, or the file's owner, would do: then used does not mean needed.")
       SELFTEST("chown 1 /tmp", "cap==CAP_CHOWN"));

enum use { granted, used, refused, reserve };

struct use_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	enum use what DOC("used, refused, reserve (needs none), or granted: at an exec")
		COL(width=8);
	g_capability_set cap DOC("Capability that was asked for; of granted: the permitted set")
		COL(width=24);
	g_syscall syscall DOC("System call in which it was asked") COL(width=16);
	g_userns target_userns DOC("User namespace in which it was to have the capability");
	g_bool own_userns DOC("That is a user namespace which the container has made, where it has "
			      "all capabilities without being given any") COL(hidden);
	g_capability_set bounding DOC("Capabilities that the process may get at all") COL(hidden);
};
TRACER(uses, use_event, 0);

struct use_key {
	g_container container;
	__u64 detail; /* the system call; of granted: the bounding set */
	__u32 what, cap;
};
ONCE(uses, use_key, 16384);

static __always_inline void tell(const struct cred *cred, const struct use_key *key,
				 g_capability_set cap, const struct user_namespace *target)
{
	struct use_event *e = record_begin(uses, key->container);

	if (!e)
		return;
	process_fill(&e->proc);
	e->what = key->what;
	e->cap = cap;
	e->syscall = syscall_of_current();
	e->bounding = capability_set(cred, cap_bset);
	if (target) {
		e->target_userns = BPF_CORE_READ(target, ns.inum);
		e->own_userns = BPF_CORE_READ(target, level) > 0;
	}
	record_submit(uses, e);
}

static __always_inline void checked(void *ctx, g_container c, const struct capability_check *check)
{
	struct use_key key = {.container = c, .cap = check->cap};

	if (is_entering())
		return;
	key.detail = syscall_of_current();
	key.what = capability_is_for_reserve(check, key.detail) ? reserve
		   : check->capable				? used
								: refused;
	if (once(uses, &key))
		tell(check->cred, &key, 1ull << (check->cap & 63), check->target);
}

CAPABILITY_HOOKS(checked);
ENTERED_HOOKS();

SEC("raw_tp/sched_process_exec")
int execed(struct bpf_raw_tracepoint_args *ctx)
{
	const struct task_struct *task = (const struct task_struct *)bpf_get_current_task();
	const struct cred *cred = BPF_CORE_READ(task, cred);
	struct use_key key = {.what = granted};

	if (!wanted(&key.container))
		return 0;
	key.detail = capability_set(cred, cap_bset);
	if (once(uses, &key))
		tell(cred, &key, capability_set(cred, cap_permitted), NULL);
	return 0;
}
