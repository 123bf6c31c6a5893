// SPDX-License-Identifier: Apache-2.0
/* Loading, attaching and reading the container detector. */
#include "containers/detector.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "detector.skel.h"
#include "gadget/kernel_btf.h"
#include "gadget/libbpf_log.h"

_Static_assert(DETECTOR_MAPS == MAX_WANTED_MAPS, "a place for each map that is kept filled");

struct detector {
	struct detector_bpf *bpf;
	struct ring_buffer *ring;
	detector_fn *fn;
	void *ctx;
	int containers_fd; /* borrowed */
};

static int on_event(void *ctx, void *data, size_t size)
{
	struct detector *d = ctx;

	if (size >= sizeof(struct detector_event))
		d->fn(d->ctx, data, size);
	return 0;
}

static int explain(int r, const char *what, struct libbpf_log *log, struct err *err)
{
	_cleanup_(buf_done) struct buf reason = {.max = 400}, program = {.max = 64};
	bool verifier;

	libbpf_log_reason(log, &reason, &program, &verifier);
	if (verifier) /* it says EACCES, too */
		return err_set(err, -EINVAL, "%s the container detector: %s: %s", what,
			       buf_cstr(&program), buf_cstr(&reason));
	if (r == -EPERM || r == -EACCES)
		return err_set(err, -EPERM, "%s the container detector: not allowed: %s", what,
			       geteuid() || !reason.len ? "root is needed" : buf_cstr(&reason));
	if (r == -ENOENT || r == -ESRCH || r == -EOPNOTSUPP)
		return err_set(err, -ENOTSUP,
			       "%s the container detector: the kernel lacks BTF or a tracepoint",
			       what);
	return err_set(err, r, "%s the container detector: %s", what,
		       reason.len ? buf_cstr(&reason) : strerror(-r));
}

static int load(struct detector *d, const struct detector_options *o, struct libbpf_log *log,
		struct err *err)
{
	struct kernel_btf types = {.fd = -1};
	const void *elf;
	size_t size;
	int r;

	elf = detector_bpf__elf_bytes(&size);
	r = kernel_btf_open(elf, size, &types, err);
	if (!r) {
		LIBBPF_OPTS(bpf_object_open_opts, open, .btf_custom_path = kernel_btf_path(&types));

		d->bpf = detector_bpf__open_opts(&open);
		r = d->bpf ? bpf_map__reuse_fd(d->bpf->maps.containers, o->containers_fd) : -errno;
		r = r ?: bpf_map__reuse_fd(d->bpf->maps.data_additions, o->additions_fd);
		if (!r) {
			d->bpf->rodata->host_mntns = (uint32_t)o->host_mntns;
			d->bpf->rodata->host_netns = (uint32_t)o->host_netns;
			r = detector_bpf__load(d->bpf);
		}
		if (r)
			r = explain(r, "loading", log, err);
	}
	kernel_btf_close(&types);
	return r;
}

static int start(struct detector *d, const struct detector_options *o, struct libbpf_log *log,
		 struct err *err)
{
	int r = load(d, o, log, err);

	if (r)
		return r;
	d->ring = ring_buffer__new(bpf_map__fd(d->bpf->maps.events), on_event, d, NULL);
	if (!d->ring)
		return err_set(err, -errno, "mapping the container detector's ring: %s",
			       strerror(errno));
	r = detector_bpf__attach(d->bpf);
	return r ? explain(r, "attaching", log, err) : 0;
}

int detector_new(const struct detector_options *o, detector_fn *fn, void *ctx,
		 struct detector **ret, struct err *err)
{
	struct detector *d = xnew(struct detector);
	struct libbpf_log log;
	int r;

	d->fn = fn;
	d->ctx = ctx;
	d->containers_fd = o->containers_fd;
	libbpf_log_begin(&log);
	r = start(d, o, &log, err);
	libbpf_log_end(&log);
	if (r) {
		detector_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

struct detector *detector_free(struct detector *d)
{
	if (!d)
		return NULL;
	if (d->bpf)
		detector_bpf__detach(d->bpf);
	ring_buffer__free(d->ring);
	detector_bpf__destroy(d->bpf);
	free(d);
	return NULL;
}

int detector_fd(const struct detector *d)
{
	return ring_buffer__epoll_fd(d->ring);
}

void detector_read(struct detector *d)
{
	ring_buffer__consume(d->ring);
}

uint64_t detector_lost(const struct detector *d)
{
	return __atomic_load_n(&d->bpf->bss->lost, __ATOMIC_RELAXED);
}

int detector_give_key(struct detector *d, uint64_t key)
{
	return bpf_map_update_elem(bpf_map__fd(d->bpf->maps.free_keys), NULL, &key, BPF_ANY);
}

bool detector_take_key(struct detector *d, uint64_t *ret)
{
	return !bpf_map_lookup_and_delete_elem(bpf_map__fd(d->bpf->maps.free_keys), NULL, ret);
}

int detector_watch(struct detector *d, uint32_t pid, uint64_t key)
{
	return bpf_map_update_elem(bpf_map__fd(d->bpf->maps.inits), &pid, &key, BPF_ANY);
}

void detector_unwatch(struct detector *d, uint32_t pid, uint64_t key)
{
	int fd = bpf_map__fd(d->bpf->maps.inits);
	uint64_t now;

	if (!bpf_map_lookup_elem(fd, &pid, &now) && now == key)
		bpf_map_delete_elem(fd, &pid);
}

bool detector_watches(const struct detector *d, uint32_t pid, uint64_t *ret_key)
{
	return !bpf_map_lookup_elem(bpf_map__fd(d->bpf->maps.inits), &pid, ret_key);
}

int detector_set_map(struct detector *d, uint32_t slot, int fd)
{
	int tracers = bpf_map__fd(d->bpf->maps.tracers);

	return fd >= 0 ? bpf_map_update_elem(tracers, &slot, &fd, BPF_ANY)
		       : bpf_map_delete_elem(tracers, &slot);
}

uint64_t detector_map_bytes(const struct detector *d)
{
	uint64_t bytes = 0;
	struct bpf_map *map;

	bpf_object__for_each_map(map, d->bpf->obj)
		bytes += map_bytes(bpf_map__fd(map));
	return bytes;
}

struct gadget_runtime detector_runtime(const struct detector *d)
{
	struct gadget_runtime sum = {0};
	struct bpf_program *p;

	bpf_object__for_each_program(p, d->bpf->obj)
		program_runtime_add(bpf_program__fd(p), &sum);
	return sum;
}
