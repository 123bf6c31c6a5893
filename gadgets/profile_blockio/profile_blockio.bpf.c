// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* How long requests to block devices wait, and how long the devices take. */
#include <gadget/blk.bpf.h>
#include <gadget/histogram.bpf.h>

GADGET("Profile how long block devices take, and how long requests wait for them\n"
       "Histograms of each request's time in the queue of its scheduler and of the device's own "
       "time, by container, device and kind of request. -o histogram draws them; with --fields "
       "queue,device all in two.",
       ALIAS("biolatency") LIMITS(
	       "A request that goes to its device without the queue counts there as 0. What the "
	       "kernel writes back later is its container's only where the container's cgroup has "
	       "the io controller of cgroup v2; else it is the host's. A request that others were "
	       "merged into is the first one's. Linux 5.10 before "
	      "5.10.137 shows nothing.")
	       SELFTEST("dd if=/bin/dd of=/dev/null bs=4096 count=8 iflag=direct; sleep 1",
			"rw==read"));

PARAM(bool, ms, false, "Histograms in milliseconds, not microseconds");

struct blockio_key {
	g_container container;
	g_dev dev DOC("Device, major:minor");
	enum blk_op rw DOC("read, write, flush, discard …") COL(width=8);
};

struct blockio_value {
	struct g_histogram queue DOC("Time in the queue of the scheduler");
	struct g_histogram device DOC("Time that the device took");
};
TOP(blockio, blockio_key, blockio_value, 4096);

static __always_inline void request_done(const struct request *rq, const struct g_request *r,
					 __u32 bytes, bool last)
{
	struct blockio_key key = {.container = r->container};
	struct blockio_value *v;

	if (!last)
		return;
	key.dev = request_dev(rq);
	key.rw = request_op(rq);
	v = top_entry(blockio, &key);
	if (!v)
		return;
	histogram_add_time(&v->queue, ms, r->inserted ? r->issued - r->inserted : 0);
	histogram_add_time(&v->device, ms, bpf_ktime_get_ns() - r->issued);
}
