/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Requests to block devices, from where they are made to where they are done. The programs stand
 * here; a gadget that includes this defines what happens at the end:
 *
 *   static __always_inline void request_done(const struct request *rq,
 *                                            const struct g_request *r, __u32 bytes, bool last);
 *
 * `last` is false where the device is done with a part only. It runs in interrupts as well.
 *
 * Whose a request is: of the container of the process that makes it, unless its data is charged to
 * another cgroup than the process is in (data that the kernel writes back); then of the container
 * of that cgroup, which v2 alone can tell. A request may be given to the device by any task: so
 * those that nobody wants are remembered, too.
 */
#pragma once

#include <gadget/gadget.bpf.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct gendisk {
	int major, first_minor;
};
struct request_queue {
	struct gendisk *disk; /* since 5.15 */
};
struct blkcg {
	struct cgroup_subsys_state css;
};
struct blkcg_gq {
	struct blkcg *blkcg;
};
struct blk_mq_hw_ctx {
	struct request_queue *queue;
};
struct bio {
	struct blkcg_gq *bi_blkg;
};
struct request {
	struct request_queue *q;
	struct blk_mq_hw_ctx *mq_hctx;
	unsigned int cmd_flags, __data_len;
	struct bio *bio;
};
struct request___5_16 {
	struct gendisk *rq_disk;
};
#pragma clang attribute pop

enum cgroup_subsys_id {
	io_cgrp_id = 4,
};

/* REQ_OP_… */
enum blk_op {
	read,
	write,
	flush,
	discard,
	secure_erase = 5,
	write_same = 7,
	write_zeroes = 9,
	zone_open = 10,
	zone_close = 11,
	zone_finish = 12,
	zone_append = 13,
	zone_reset = 15,
	zone_reset_all = 17,
	driver_in = 34,
	driver_out = 35,
};
#define G_BLK_OP_MASK 0xff

struct g_request {
	g_container container; /* G_NOBODY: not wanted */
	__u64 inserted;	       /* into the queue; 0: not, or not yet */
	__u64 issued;	       /* given to the device; 0: not yet */
	struct g_process proc;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 16384);
	__type(key, __u64); /* struct request * */
	__type(value, struct g_request);
} g_requests SEC(".maps");

static __always_inline void request_done(const struct request *rq, const struct g_request *r,
					 __u32 bytes, bool last);

static __always_inline g_dev request_dev(const struct request *rq)
{
	struct request___5_16 *old = (void *)rq;
	struct gendisk *disk;

	if (bpf_core_field_exists(rq->q->disk))
		disk = BPF_CORE_READ(rq, q, disk);
	else
		disk = BPF_CORE_READ(old, rq_disk);
	return (__u32)BPF_CORE_READ(disk, major) << 20 |
	       (BPF_CORE_READ(disk, first_minor) & 0xfffff);
}

static __always_inline enum blk_op request_op(const struct request *rq)
{
	return BPF_CORE_READ(rq, cmd_flags) & G_BLK_OP_MASK;
}

/* The container that the cgroup is of, if it is wanted. */
static __always_inline bool g_wanted_blkcg(struct cgroup *cgroup, g_container *ret)
{
	__u64 id = BPF_CORE_READ(cgroup, kn, id);
	bool v2 = !BPF_CORE_READ(cgroup, root, hierarchy_id);
	g_container *c = v2 ? bpf_map_lookup_elem(&g_wanted, &id) : NULL;

	if (c && *c != G_BY_NAMESPACE) {
		*ret = *c;
		return true;
	}
	if (c || !g_host || (v2 && bpf_map_lookup_elem(&g_containers, &id)))
		return false;
	*ret = G_HOST;
	return true;
}

static __always_inline bool g_wanted_request(const struct request *rq, g_container *ret)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct blkcg *charged = BPF_CORE_READ(rq, bio, bi_blkg, blkcg);
	struct css_set *cgroups = BPF_CORE_READ(task, cgroups);
	__u32 io = bpf_core_enum_value(enum cgroup_subsys_id, io_cgrp_id);
	struct cgroup_subsys_state *own = NULL;

	bpf_probe_read_kernel(&own, sizeof(own), &cgroups->subsys[io]);
	if (!charged || own == &charged->css)
		return wanted(ret);
	return g_wanted_blkcg(BPF_CORE_READ(charged, css.cgroup), ret) && process_wanted();
}

static __noinline int g_request_begins(const struct request *rq, __u64 inserted, __u64 issued)
{
	struct g_request r = {.inserted = inserted, .issued = issued};
	__u64 key = (__u64)rq;

	if (g_wanted_request(rq, &r.container))
		process_fill(&r.proc);
	else
		r.container = G_NOBODY;
	if (bpf_map_update_elem(&g_requests, &key, &r, BPF_ANY) && r.container != G_NOBODY)
		record_lost(r.container);
	return 0;
}

/*
 * The first argument of the hooks. Linux 5.10 had the queue there, up to 5.10.136; what is none has
 * no business here.
 */
static __always_inline const struct request *g_request_of(struct bpf_raw_tracepoint_args *ctx)
{
	const struct request *rq = (const void *)ctx->args[0];

	return BPF_CORE_READ(rq, q) == BPF_CORE_READ(rq, mq_hctx, queue) ? rq : NULL;
}

SEC("raw_tp/block_io_start")
OPTIONAL CANNOT_TELL("The process of a request that the kernel put into the queue on its "
		     "behalf") int request_created(struct bpf_raw_tracepoint_args *ctx)
{
	return g_request_begins((const void *)ctx->args[0], 0, 0);
}

SEC("raw_tp/block_rq_insert")
int request_inserted(struct bpf_raw_tracepoint_args *ctx)
{
	const struct request *rq = g_request_of(ctx);
	__u64 key = (__u64)rq, now = bpf_ktime_get_ns();
	struct g_request *r = bpf_map_lookup_elem(&g_requests, &key);

	if (!rq || (r && r->issued)) /* the device would not have it: it waits again */
		return 0;
	if (r && !r->inserted)
		r->inserted = now;
	else /* new, or in the place of one that was merged into another */
		g_request_begins(rq, now, 0);
	return 0;
}

SEC("raw_tp/block_rq_issue")
int request_issued(struct bpf_raw_tracepoint_args *ctx)
{
	const struct request *rq = g_request_of(ctx);
	__u64 key = (__u64)rq, now = bpf_ktime_get_ns();
	struct g_request *r = bpf_map_lookup_elem(&g_requests, &key);

	if (r)
		r->issued = now;
	else if (rq)
		g_request_begins(rq, 0, now);
	return 0;
}

/* Since 5.11. */
SEC("raw_tp/block_rq_merge")
OPTIONAL int request_merged(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 key = ctx->args[0];

	bpf_map_delete_elem(&g_requests, &key);
	return 0;
}

/* args: struct request, error, bytes that are done */
SEC("raw_tp/block_rq_complete")
int request_completed(struct bpf_raw_tracepoint_args *ctx)
{
	const struct request *rq = (const void *)ctx->args[0];
	__u32 bytes = ctx->args[2];
	__u64 key = (__u64)rq;
	struct g_request *r = bpf_map_lookup_elem(&g_requests, &key);
	bool last = bytes >= BPF_CORE_READ(rq, __data_len);

	if (!r)
		return 0;
	if (r->container != G_NOBODY && r->issued)
		request_done(rq, r, bytes, last);
	if (last)
		bpf_map_delete_elem(&g_requests, &key);
	return 0;
}
