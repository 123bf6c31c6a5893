// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* Which system calls each container makes: each is told once. advise_seccomp.c makes a profile. */
#include <gadget/gadget.bpf.h>
#include <gadget/entered.bpf.h>
#include <gadget/once.bpf.h>
#include <gadget/syscall.bpf.h>

GADGET("Make a seccomp profile of the system calls that containers make\n"
       "Let a container do all that it should be able to do, from its start, then end the run: "
       "the profile lets through what it did and refuses the rest. What the runtime does on its "
       "way into the container is not counted; what runc and crun need themselves, once they have "
       "loaded the profile, stands in a list of its own. With several containers the output has a "
       "profile for each; --merge puts them together. Rows (-o columns, -o json) are each "
       "container's system calls, once each, with the process that made it first. --diff compares "
       "with a profile that is there, or in force.",
       ALIAS("advise_seccomp_profile") ALIAS("seccomp_profile") ALIAS("seccomp_advisor")
	       ALONE LIMITS("A system call that the container did not make in the run is not in "
			    "the profile, "
			    "whatever else it may do on another day. One that a profile in force "
			    "refuses does "
			    "not happen: see audit_seccomp. Arguments are not looked at. A "
			    "container without a "
			    "cgroup of its own is known by its namespaces: what a runtime does "
			    "there before its "
			    "exec is counted; of one that shares the host's mount namespace "
			    "nothing is told.") SELFTEST("cat /dev/null; true", "syscall==openat"));

struct syscall_event {
	g_time timestamp;
	g_container container;
	struct g_process proc;
	g_syscall syscall DOC("System call that the container had not made before in this run")
		COL(width=24);
};
TRACER(syscalls, syscall_event, 0);

struct call_key {
	g_container container;
	g_syscall call;
};
ONCE(calls, call_key, 65536);

/* args: registers, number */
SEC("raw_tp/sys_enter")
int entered(struct bpf_raw_tracepoint_args *ctx)
{
	struct call_key key = {};
	struct syscall_event *e;

	if (!wanted(&key.container))
		return 0;
	key.call = syscall_current(ctx->args[1]);
	if (bpf_map_lookup_elem(&calls_once, &key) || is_entering() || !once(calls, &key))
		return 0;
	e = record_begin(syscalls, key.container);
	if (!e)
		return 0;
	process_fill(&e->proc);
	e->syscall = key.call;
	record_submit(syscalls, e);
	return 0;
}

ENTERED_HOOKS();
