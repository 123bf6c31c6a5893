// SPDX-License-Identifier: GPL-2.0
#include <gadget/samples.bpf.h>

GADGET("Nothing, 99 times a second on each CPU: what profile_cpu is measured beside");
PARAM(__u32, frequency, 99, "Samples a second of each CPU");

struct nothing {
	g_time timestamp;
	g_container container;
};
TRACER(nothing, nothing, 0);

SEC("perf_event") EVERY_CPU_AT(frequency)
int sample(struct bpf_perf_event_data *ctx)
{
	return 0;
}
