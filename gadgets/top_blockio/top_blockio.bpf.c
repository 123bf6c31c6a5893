// SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
/* Requests to block devices, by process. */
#include <gadget/blk.bpf.h>

GADGET("Show which processes use block devices\n"
       "For each interval, the requests that devices were done with, their bytes and the time that "
       "the device took, by process, device and kind of request.",
       ALIAS("biotop") LIMITS(
	       "Writes go through the page cache unless they are direct: then the process is the "
	       "kernel's worker that writes them back, and the container is told only where its "
	       "cgroup has the io controller of cgroup v2; else it is the host's. A request that "
	       "others were merged into is the first one's. Linux 5.10 before "
	       "5.10.137 shows nothing.")
	       SELFTEST("dd if=/bin/dd of=/dev/null bs=4096 count=8 iflag=direct; sleep 1",
			"proc.comm==dd,rw==read"));

struct blockio_key {
	g_container container;
	struct g_process proc;
	__u32 major DOC("Major number of the device") COL(width=5);
	__u32 minor DOC("Minor number of the device") COL(width=5);
	enum blk_op rw DOC("read, write, flush, discard …") COL(width=8);
};

struct blockio_value {
	g_bytes bytes DOC("Bytes read or written in the interval");
	__u64 us DOC("Microseconds that the device took for all of them together") COL(width=10);
	__u64 io DOC("Requests that were done in the interval") COL(width=7);
};
TOP(blockio, blockio_key, blockio_value, 10240, SORT("-io,-bytes,-us"));

static __always_inline void request_done(const struct request *rq, const struct g_request *r,
					 __u32 bytes, bool last)
{
	g_dev dev = request_dev(rq);
	struct blockio_value *v;
	struct blockio_key key;

	top_key_clear(key);
	key.container = r->container;
	key.proc = r->proc;
	key.rw = request_op(rq);
	key.major = dev >> 20;
	key.minor = dev & 0xfffff;
	v = top_entry(blockio, &key);
	if (!v)
		return;
	__sync_fetch_and_add(&v->bytes, bytes);
	if (!last)
		return;
	__sync_fetch_and_add(&v->us, (bpf_ktime_get_ns() - r->issued) / 1000);
	__sync_fetch_and_add(&v->io, 1);
}
