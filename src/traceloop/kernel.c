// SPDX-License-Identifier: Apache-2.0
#include "traceloop/kernel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "gadget/kernel_btf.h"
#include "gadget/libbpf_log.h"
#include "traceloop.skel.h"

struct sheaf {
	int fd;
	char *memory; /* NULL: nobody holds any of its rings */
	unsigned int holders;
};

/* A ring that nobody has any more, and into which somebody may just be writing. */
struct settling {
	uint32_t ring;
	uint64_t since; /* boot clock */
};

struct loop_kernel {
	struct traceloop_bpf *bpf;
	unsigned int n_cpus;
	size_t lane_bytes, element_bytes;
	struct sheaf sheaves[LOOP_SHEAVES + 1]; /* from 1 on */
	size_t n_sheaves;
	struct settling *settling; /* oldest first */
	size_t n_settling, room_settling;
};

/* ---- rings ----------------------------------------------------------------------- */

static size_t sheaf_bytes(const struct loop_kernel *k)
{
	size_t page = (size_t)getpagesize();

	return (k->element_bytes * k->n_cpus * LOOP_SHEAF + page - 1) / page * page;
}

static int make_map(const struct loop_kernel *k)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_MMAPABLE);

	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "traceloop_rings", sizeof(__u32),
			      (__u32)k->element_bytes, k->n_cpus * LOOP_SHEAF, &o);
}

static int make_sheaf(struct loop_kernel *k)
{
	_cleanup_(closep) int fd = make_map(k);
	__u32 number = (__u32)k->n_sheaves + 1;
	int r;

	if (fd < 0)
		return fd;
	r = bpf_map_update_elem(bpf_map__fd(k->bpf->maps.sheaves), &number, &fd, BPF_ANY);
	if (r)
		return r;
	k->sheaves[number] = (struct sheaf){.fd = take_fd(&fd)};
	k->n_sheaves++;
	return 0;
}

int loop_kernel_hold(struct loop_kernel *k, uint32_t ring)
{
	struct sheaf *s = &k->sheaves[ring / LOOP_SHEAF];

	if (!s->holders) {
		void *memory =
			mmap(NULL, sheaf_bytes(k), PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, 0);

		if (memory == MAP_FAILED)
			return -errno;
		s->memory = memory;
	}
	s->holders++;
	return 0;
}

void loop_kernel_let_go(struct loop_kernel *k, uint32_t ring)
{
	struct sheaf *s = &k->sheaves[ring / LOOP_SHEAF];

	if (--s->holders)
		return;
	munmap(s->memory, sheaf_bytes(k));
	s->memory = NULL;
}

static void lay_ready(const struct loop_kernel *k, uint32_t ring)
{
	bpf_map_update_elem(bpf_map__fd(k->bpf->maps.spares), NULL, &ring, BPF_ANY);
}

int loop_kernel_prepare(struct loop_kernel *k, struct err *err)
{
	int r = k->n_sheaves < LOOP_SHEAVES ? make_sheaf(k) : -ENOSPC;

	if (r)
		return err_set(err, r, "making rings of traceloop: %s", strerror(-r));
	for (uint32_t i = 0; i < LOOP_SHEAF; i++)
		lay_ready(k, (uint32_t)k->n_sheaves * LOOP_SHEAF + i);
	return 0;
}

static struct loop_lane *lane_of(const struct loop_kernel *k, uint32_t ring, unsigned int cpu)
{
	size_t at = ring % LOOP_SHEAF * k->n_cpus + cpu;

	return (void *)(k->sheaves[ring / LOOP_SHEAF].memory + at * k->element_bytes);
}

const struct loop_lane *loop_kernel_lane(const struct loop_kernel *k, uint32_t ring,
					 unsigned int cpu)
{
	return lane_of(k, ring, cpu);
}

/* ---- whose they are -------------------------------------------------------------- */

uint32_t loop_kernel_claimed(const struct loop_kernel *k, uint64_t key)
{
	uint32_t ring;

	return bpf_map_lookup_elem(bpf_map__fd(k->bpf->maps.claims), &key, &ring) ? 0 : ring;
}

/* A program that is just running takes no ring any more. */
static void close_seat(const struct loop_kernel *k, uint64_t key)
{
	struct loop_seat seat = {.owner = key >> 32 << 32 | LOOP_CLOSED};
	uint32_t slot = (uint32_t)key;

	bpf_map_update_elem(bpf_map__fd(k->bpf->maps.seats), &slot, &seat, BPF_ANY);
}

/* Its programs find the claim themselves: their seat has what they missed before. */
uint32_t loop_kernel_claim(struct loop_kernel *k, uint64_t key)
{
	int spares = bpf_map__fd(k->bpf->maps.spares);
	uint32_t ring = loop_kernel_claimed(k, key);

	if (ring || bpf_map_lookup_and_delete_elem(spares, NULL, &ring))
		return ring;
	if (!bpf_map_update_elem(bpf_map__fd(k->bpf->maps.claims), &key, &ring, BPF_NOEXIST))
		return ring;
	lay_ready(k, ring);
	return loop_kernel_claimed(k, key); /* the kernel side was first */
}

void loop_kernel_release(struct loop_kernel *k, uint64_t key, uint64_t now)
{
	uint32_t ring = loop_kernel_claimed(k, key);

	close_seat(k, key);
	bpf_map_delete_elem(bpf_map__fd(k->bpf->maps.claims), &key);
	if (ring)
		*grow(&k->settling, &k->n_settling, &k->room_settling) =
			(struct settling){ring, now};
}

void loop_kernel_settle(struct loop_kernel *k, uint64_t now)
{
	size_t n = 0;

	for (; n < k->n_settling && k->settling[n].since + LOOP_SETTLE_NS <= now; n++) {
		uint32_t ring = k->settling[n].ring;

		if (loop_kernel_hold(k, ring))
			continue; /* no memory: a ring fewer */
		for (unsigned int cpu = 0; cpu < k->n_cpus; cpu++)
			memset(lane_of(k, ring, cpu), 0, sizeof(struct loop_lane));
		loop_kernel_let_go(k, ring);
		lay_ready(k, ring);
	}
	k->n_settling -= n;
	if (n)
		memmove(k->settling, k->settling + n, k->n_settling * sizeof(*k->settling));
}

uint64_t loop_kernel_settles_at(const struct loop_kernel *k)
{
	return k->n_settling ? k->settling[0].since + LOOP_SETTLE_NS : 0;
}

size_t loop_kernel_settling(const struct loop_kernel *k)
{
	return k->n_settling;
}

uint64_t loop_kernel_missed(const struct loop_kernel *k, uint64_t key)
{
	uint32_t slot = (uint32_t)key;
	struct loop_seat seat = {0};

	bpf_map_lookup_elem(bpf_map__fd(k->bpf->maps.seats), &slot, &seat);
	return seat.owner >> 32 == key >> 32 ? seat.missed : 0;
}

/* ---- life ------------------------------------------------------------------------ */

static int explain(int r, const char *what, struct libbpf_log *log, struct err *err)
{
	_cleanup_(buf_done) struct buf reason = {.max = 400}, program = {.max = 64};
	bool verifier;

	libbpf_log_reason(log, &reason, &program, &verifier);
	if (!verifier && (r == -EPERM || r == -EACCES))
		return err_set(err, -EPERM, "%s traceloop: not allowed: %s", what,
			       geteuid() || !reason.len ? "root is needed" : buf_cstr(&reason));
	if (!verifier && (r == -ENOENT || r == -ESRCH || r == -EOPNOTSUPP))
		return err_set(err, -ENOTSUP,
			       "%s traceloop: the kernel lacks BTF or the tracepoints sys_enter "
			       "and sys_exit",
			       what);
	return err_set(err, verifier ? -EINVAL : r, "%s traceloop: %s%s%s", what,
		       buf_cstr(&program), program.len ? ": " : "",
		       reason.len ? buf_cstr(&reason) : strerror(-r));
}

/* A map that only shows how large the rings are. */
static int load_with(struct loop_kernel *k, const struct loop_kernel_options *options,
		     struct kernel_btf *types)
{
	LIBBPF_OPTS(bpf_object_open_opts, o, .btf_custom_path = kernel_btf_path(types));
	_cleanup_(closep) int shape = make_map(k);
	int r;

	if (shape < 0)
		return shape;
	k->bpf = traceloop_bpf__open_opts(&o);
	if (!k->bpf)
		return -errno;
	k->bpf->rodata->loop_mask = (__u32)k->lane_bytes - 1;
	k->bpf->rodata->loop_cpus = k->n_cpus;
	r = bpf_map__set_inner_map_fd(k->bpf->maps.sheaves, shape);
	r = r ?: bpf_map__reuse_fd(k->bpf->maps.data_additions, options->additions_fd);
	return r ?: traceloop_bpf__load(k->bpf);
}

static int fill_calls(struct loop_kernel *k, const struct loop_call *calls)
{
	int fd = bpf_map__fd(k->bpf->maps.calls), r = 0;

	for (__u32 i = 0; !r && i <= LOOP_CALLS; i++)
		r = bpf_map_update_elem(fd, &i, &calls[i], BPF_ANY);
	return r;
}

static int load(struct loop_kernel *k, const struct loop_kernel_options *o, struct libbpf_log *log,
		struct err *err)
{
	struct kernel_btf types = {.fd = -1};
	const void *elf;
	size_t size;
	int r;

	elf = traceloop_bpf__elf_bytes(&size);
	r = kernel_btf_open(elf, size, &types, err);
	if (!r) {
		r = load_with(k, o, &types);
		r = r ?: fill_calls(k, o->calls);
		if (r)
			r = explain(r, "loading", log, err);
	}
	kernel_btf_close(&types);
	return r;
}

static size_t lane_bytes_of(uint64_t ring_bytes, unsigned int n_cpus)
{
	size_t lane = LOOP_LANE_MIN;

	while (lane * 2 * n_cpus <= ring_bytes && lane < LOOP_LANE_MAX)
		lane *= 2;
	return lane;
}

int loop_kernel_new(const struct loop_kernel_options *o, struct loop_kernel **ret, struct err *err)
{
	struct loop_kernel *k = xnew(struct loop_kernel);
	struct libbpf_log log;
	int r;

	k->n_cpus = (unsigned int)libbpf_num_possible_cpus();
	k->lane_bytes = lane_bytes_of(o->ring_bytes, k->n_cpus);
	k->element_bytes = sizeof(struct loop_lane) + k->lane_bytes + LOOP_RECORD;
	libbpf_log_begin(&log);
	r = load(k, o, &log, err);
	libbpf_log_end(&log);
	if (r) {
		loop_kernel_free(k);
		return r;
	}
	*ret = k;
	return 0;
}

int loop_kernel_attach(struct loop_kernel *k, struct err *err)
{
	struct libbpf_log log;
	int r;

	libbpf_log_begin(&log);
	r = traceloop_bpf__attach(k->bpf);
	if (r)
		r = explain(r, "attaching", &log, err);
	libbpf_log_end(&log);
	return r;
}

struct loop_kernel *loop_kernel_free(struct loop_kernel *k)
{
	if (!k)
		return NULL;
	if (k->bpf)
		traceloop_bpf__detach(k->bpf);
	for (size_t i = 1; i <= k->n_sheaves; i++) {
		if (k->sheaves[i].memory)
			munmap(k->sheaves[i].memory, sheaf_bytes(k));
		close(k->sheaves[i].fd);
	}
	traceloop_bpf__destroy(k->bpf);
	free(k->settling);
	free(k);
	return NULL;
}

/* ---- facts ----------------------------------------------------------------------- */

int loop_kernel_wanted_fd(const struct loop_kernel *k)
{
	return bpf_map__fd(k->bpf->maps.wanted);
}

unsigned int loop_kernel_cpus(const struct loop_kernel *k)
{
	return k->n_cpus;
}

size_t loop_kernel_lane_bytes(const struct loop_kernel *k)
{
	return k->lane_bytes;
}

size_t loop_kernel_ring_bytes(const struct loop_kernel *k)
{
	return k->element_bytes * k->n_cpus;
}

size_t loop_kernel_rings(const struct loop_kernel *k)
{
	return k->n_sheaves * LOOP_SHEAF;
}

size_t loop_kernel_map_bytes(const struct loop_kernel *k)
{
	size_t bytes = 0;
	struct bpf_map *map;

	bpf_object__for_each_map(map, k->bpf->obj)
		bytes += map_bytes(bpf_map__fd(map));
	return bytes;
}

struct gadget_runtime loop_kernel_runtime(const struct loop_kernel *k)
{
	struct gadget_runtime sum = {0};
	struct bpf_program *p;

	bpf_object__for_each_program(p, k->bpf->obj)
		program_runtime_add(bpf_program__fd(p), &sum);
	return sum;
}
