// SPDX-License-Identifier: GPL-2.0
/* What CPUs are doing, looked at many times a second. */
#include <gadget/samples.bpf.h>
#include <gadget/stack.bpf.h>

GADGET("Profile what CPUs spend their time on, by stacks\n"
       "Looks at each CPU --frequency times a second, and counts by container, process, user and "
       "kernel stack. -o flamegraph draws the profile as a page for browsers, -o pprof writes it "
       "for pprof and its like, -o folded as lines; they are of the whole run, the table is of "
       "each interval. It works without hardware counters, and so in virtual machines.",
       ALIAS("profile") LIMITS(
	       "User stacks are followed by frame pointers: of code compiled without them the "
	       "innermost functions are right and callers may be missing. Of a stack the 60 "
	       "innermost frames are told, and before Linux 6.1 of the different stacks of an "
	       "interval 1024 of each kind; there a new container is sampled some milliseconds "
	       "after its start, and cgroups that it makes itself are not. A CPU that comes is "
	       "sampled from the next interval "
	       "on. What runs with interrupts off is seen when they are on again, and BPF programs "
	       "not at all; a virtual CPU that waits for its turn misses samples. Interrupts count "
	       "for the process that they interrupted.")
	       SELFTEST("i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done", "samples>0"));

PARAM(__u32, frequency, 99, "Samples a second of each CPU");
PARAM(bool, kernel_stacks_only, false, "Take no user stacks");
PARAM(bool, user_stacks_only, false, "Take no kernel stacks");
PARAM(bool, include_idle, false, "With --host, count the time in which a CPU has nothing to do");
USER_STACKS(!kernel_stacks_only);
KERNEL_STACKS(!user_stacks_only);

struct cpu_key {
	g_container container;
	struct g_process proc;
	g_ustack_id ustack DOC("User stack, innermost function first") COL(width=40);
	g_kstack_id kstack DOC("Kernel stack, likewise; empty: the program's own code was running")
		COL(width=40);
};

struct cpu_value {
	__u64 samples DOC("How often it was met") COL(width=7);
	g_duration cpu DOC("CPU time that these stand for") COL(width=8);
	g_ustack_files files DOC("Files of the user stack, with their build ids")
		COL(hidden, skip-empty);
};
TOP(cpu, cpu_key, cpu_value, 16384, SORT("-samples"));

SEC("perf_event") EVERY_CPU_AT(frequency) int sample(struct bpf_perf_event_data *ctx)
{
	struct cpu_key key = {};
	struct cpu_value *v;

	if ((!include_idle && sample_is_idle()) || !wanted(&key.container))
		return 0;
	process_fill(&key.proc);
	if (sample_has_user_stack())
		key.ustack = user_stack(ctx);
	if (!sample_is_user(ctx))
		key.kstack = kernel_stack(ctx);
	v = top_entry(cpu, &key);
	if (!v)
		return 0;
	__sync_fetch_and_add(&v->samples, 1);
	__sync_fetch_and_add(&v->cpu, 1000000000ull / frequency);
	v->files = key.ustack;
	return 0;
}
