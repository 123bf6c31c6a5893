// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* The kernel's questions whether a process has a capability, and its answers. */
#include <gadget/gadget.bpf.h>
#include <gadget/capability.bpf.h>
#include <gadget/once.bpf.h>
#include <gadget/syscall.bpf.h>

GADGET("Trace checks of capabilities\n"
       "Shows each time that the kernel asks whether a process may do what needs a capability: "
       "which one, the answer, and the system call in which it was asked. A question that is "
       "answered with yes is a capability that was used; one answered with no need not be a "
       "failure, as the kernel often asks just to choose between two ways. --unique shows each "
       "capability and answer once for each container.",
       ALIAS("capable") ALIAS("capabilities") LIMITS(
	       "What asks by other means than capabilities (seccomp, a security module, file "
	       "permissions) is not seen. Each exec, and each demand for more memory, asks for "
	       "CAP_SYS_ADMIN, to use the last of the machine's memory, and goes on without.")
       SELFTEST("chown 1 /tmp", "cap==CAP_CHOWN"));

PARAM(bool, failed, false, "Show only checks that were answered with no");
PARAM(bool, audit_only, false, "Leave out checks that the kernel does not audit, where it tells");
PARAM_ALONE(bool, unique, false, "Show each capability and answer once for each container");
PARAM(bool, kstack, false, "Take the kernel stack of each check (field kstack)");
PARAM(bool, ustack, false, "Take the user stack of each check (field ustack)");

struct capability_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	g_capability cap DOC("Capability that was asked for") COL(width=20);
	g_bool capable DOC("The process has it") COL(width=7);
	g_syscall syscall DOC("System call in which it was asked; empty: in none") COL(width=16);
	enum told audit DOC("Whether a no is written to the kernel's audit log: unknown where the "
			    "kernel does not tell") COL(width=7);
	enum told insetid DOC("Asked for a change of user or group ids: unknown where the kernel "
			      "does not tell") COL(hidden);
	g_userns current_userns DOC("User namespace of the process");
	g_userns target_userns DOC("User namespace in which it was to have the capability");
	g_capability_set cap_effective DOC("Capabilities in effect for the process") COL(hidden);
	g_kstack kstack DOC("Kernel stack, innermost function first, with --kstack")
		COL(hidden, skip-empty);
	g_ustack ustack DOC("User stack, innermost function first, with --ustack")
		COL(hidden, skip-empty);
};
TRACER(capability, capability_event, G_KSTACK_BYTES + sizeof(struct g_user_stack));

struct told_key {
	g_container container;
	__u32 cap, capable;
};
ONCE(told, told_key, 16384);

static __always_inline void checked(void *ctx, g_container c, const struct capability_check *check)
{
	struct told_key key = {.container = c, .cap = check->cap, .capable = check->capable};
	const struct user_namespace *target = check->target;
	const struct cred *cred = check->cred;
	struct capability_event *e;

	if ((failed && check->capable) || (audit_only && check->audit == no))
		return;
	if (unique && !once(told, &key))
		return;
	e = record_begin(capability, c);
	if (!e)
		return;
	process_fill(&e->proc);
	e->cap = check->cap;
	e->capable = check->capable;
	e->audit = check->audit;
	e->insetid = check->insetid;
	e->syscall = syscall_of_current();
	e->current_userns = BPF_CORE_READ(cred, user_ns, ns.inum);
	e->target_userns = BPF_CORE_READ(target, ns.inum);
	e->cap_effective = capability_set(cred, cap_effective);
	if (kstack)
		text_kstack(capability, e, kstack, ctx);
	if (ustack) {
		text_ustack(capability, e, ustack, ctx);
		record_submit_now(capability, e);
	} else {
		record_submit(capability, e);
	}
}

CAPABILITY_HOOKS(checked);
