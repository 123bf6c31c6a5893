// SPDX-License-Identifier: Apache-2.0
/* Loads a described gadget: constants, sizes of maps, the callers' maps, and libbpf's answer. */
#include "gadget/run.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/mem.h"
#include "base/parse.h"
#include "gadget/kernel_btf.h"
#include "gadget/libbpf_log.h"
#include "gadget/packet_filter.h"

#define MAX_RING_BYTES (1u << 30)
#define WAKE_BYTES (64u << 10) /* gadget.bpf.h's G_WAKE_BYTES */

void gadget_load_options_init(struct gadget_load_options *o)
{
	*o = (struct gadget_load_options){
		.wanted_fd = -1,
		.containers_fd = -1,
		.cgroup2_fd = -1,
		.process = { .pid = -1, .tid = -1, .uid = -1, .gid = -1 },
	};
}

/* ---- maps -------------------------------------------------------------------------------- */

static struct bpf_map *map_named(const struct bpf_object *object, const char *prefix,
				 const char *suffix)
{
	_cleanup_(freep) char *name = xasprintf("%s%s", prefix, suffix);

	return bpf_object__find_map_by_name(object, name);
}

struct bpf_map *source_map(const struct gadget *g, unsigned int source, const char *suffix)
{
	return map_named(g->run->object, g->sources[source].prefix, suffix);
}

/* The kernel wants a power of two of whole pages. */
static int ring_bytes(uint64_t wanted, uint32_t *ret)
{
	uint64_t bytes = (uint64_t)sysconf(_SC_PAGESIZE);

	if (wanted > MAX_RING_BYTES)
		return -ERANGE;
	while (bytes < wanted)
		bytes *= 2;
	*ret = bytes;
	return 0;
}

/* *ret_smallest: bytes of the smallest ring. */
static int set_rings(struct gadget *g, const struct gadget_load_options *o, uint32_t *ret_smallest,
		     struct err *err)
{
	uint32_t smallest = MAX_RING_BYTES, bytes;

	for (unsigned int i = 0; i < g->n_sources; i++) {
		struct bpf_map *m = source_map(g, i, "_ring");

		if (g->sources[i].pub.kind != SOURCE_TRACER)
			continue;
		if (!m || bpf_map__type(m) != BPF_MAP_TYPE_RINGBUF)
			return err_set(err, -EBADMSG, "%s: source %s has no ring", g->name,
				       g->sources[i].pub.name);
		if (ring_bytes(o->buffer_bytes ? o->buffer_bytes : bpf_map__max_entries(m), &bytes))
			return err_set(err, -EINVAL, "%s: a ring has at most 1 GiB", g->name);
		bpf_map__set_max_entries(m, bytes);
		smallest = bytes < smallest ? bytes : smallest;
	}
	*ret_smallest = smallest;
	return 0;
}

static int reuse(struct gadget *g, const char *name, int fd, struct err *err)
{
	struct bpf_map *m = bpf_object__find_map_by_name(g->run->object, name);
	int rc = m ? bpf_map__reuse_fd(m, fd) : 0;

	return rc ? err_set(err, rc, "%s: cannot use the given map as %s", g->name, name) : 0;
}

static int set_shared_maps(struct gadget *g, const struct gadget_load_options *o, struct err *err)
{
	struct bpf_map *all = bpf_object__find_map_by_name(g->run->object, "g_containers");
	int rc = 0;

	if (o->wanted_fd >= 0)
		rc = reuse(g, "g_wanted", o->wanted_fd, err);
	if (!rc && o->containers_fd >= 0)
		rc = reuse(g, "g_containers", o->containers_fd, err);
	else if (!rc && all)
		bpf_map__set_max_entries(all, 1); /* nobody fills it */
	return rc;
}

/*
 * The programs decide by this enumerator of the kernel's (CO-RE folds the other branch away), so
 * the choice of the map must come from the same place.
 */
static bool kernel_has_task_storage(const struct kernel_btf *types)
{
	struct btf *btf = types->fd >= 0 ? btf__parse(types->path, NULL) : btf__load_vmlinux_btf();
	int id = btf ? btf__find_by_name_kind(btf, "bpf_map_type", BTF_KIND_ENUM) : -1;
	bool found = false;

	if (id > 0) {
		const struct btf_type *t = btf__type_by_id(btf, id);

		for (int i = 0; i < btf_vlen(t) && !found; i++)
			found = btf_enum(t)[i].val == BPF_MAP_TYPE_TASK_STORAGE;
	}
	btf__free(btf);
	return found;
}

/* PENDING() declares two maps, NAME_task and NAME_lru; the one that is not used is not made. */
static void set_pending_maps(struct gadget *g, const struct kernel_btf *types)
{
	static const char task[] = "_task";
	int has = -1;
	struct bpf_map *m;

	bpf_object__for_each_map(m, g->run->object) {
		const char *name = bpf_map__name(m);
		size_t n = strlen(name);

		if (n <= sizeof(task) - 1 || strcmp(name + n - (sizeof(task) - 1), task) ||
		    bpf_map__type(m) != BPF_MAP_TYPE_TASK_STORAGE)
			continue;
		_cleanup_(freep) char *stem = xstrndup(name, n - (sizeof(task) - 1));
		struct bpf_map *lru = map_named(g->run->object, stem, "_lru");

		if (!lru)
			continue;
		if (has < 0)
			has = kernel_has_task_storage(types);
		bpf_map__set_autocreate(has ? lru : m, false);
	}
}

/* Maps that are of use only with a parameter, ROOM_IF(). */
static void set_rooms(struct gadget *g)
{
	struct bpf_map *m;

	bpf_object__for_each_map(m, g->run->object) {
		const char *param =
			object_tag(g->run->object, BTF_KIND_VAR, bpf_map__name(m), "room:");

		if (param && !param_is_true(g, param))
			bpf_map__set_max_entries(m, 1);
	}
}

/* ---- constants --------------------------------------------------------------------------- */

struct rodata {
	struct bpf_object *object;
	struct bpf_map *map;
	unsigned char *bytes;
	size_t size;
};

int64_t variable_offset(const struct bpf_object *object, const char *section, const char *name,
			size_t size)
{
	const struct btf *btf = bpf_object__btf(object);
	int id = btf ? btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC) : -1;
	const struct btf_type *s = id < 0 ? NULL : btf__type_by_id(btf, id);
	const struct bpf_map *map = bpf_object__find_map_by_name(object, section);

	for (int i = 0; map && s && i < btf_vlen(s); i++) {
		const struct btf_var_secinfo *v = btf_var_secinfos(s) + i;
		const struct btf_type *t = btf__type_by_id(btf, v->type);

		if (!strcmp(btf__name_by_offset(btf, t->name_off), name))
			return v->size == size && v->offset + size <= bpf_map__value_size(map)
				       ? (int64_t)v->offset
				       : -1;
	}
	return -1;
}

/* A constant of gadget.bpf.h's own; one that the compiler found unused is not there. */
static void put_constant(struct rodata *r, const char *name, const void *value, size_t size)
{
	int64_t at = variable_offset(r->object, ".rodata", name, size);

	if (at >= 0 && (uint64_t)at + size <= r->size)
		memcpy(r->bytes + at, value, size);
}

static void put_own_constants(struct rodata *r, const struct gadget_load_options *o,
			      uint32_t smallest_ring)
{
	const struct gadget_process_filter *f = &o->process;
	uint8_t host = o->host;
	uint32_t pid = f->pid > 0 ? f->pid : 0, tid = f->tid > 0 ? f->tid : 0;
	uint32_t wake = smallest_ring / 4 < WAKE_BYTES ? smallest_ring / 4 : WAKE_BYTES;
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
	uint32_t cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t ram = (uint64_t)sysconf(_SC_PHYS_PAGES) * page;
	int64_t uid = f->uid >= 0 ? f->uid : -1, gid = f->gid >= 0 ? f->gid : -1;

	put_constant(r, "g_host", &host, sizeof(host));
	put_constant(r, "g_target_pid", &pid, sizeof(pid));
	put_constant(r, "g_target_tid", &tid, sizeof(tid));
	put_constant(r, "g_target_uid", &uid, sizeof(uid));
	put_constant(r, "g_target_gid", &gid, sizeof(gid));
	put_constant(r, "g_target_comm", f->comm, sizeof(f->comm));
	put_constant(r, "g_wake_bytes", &wake, sizeof(wake));
	put_constant(r, "g_page_bytes", &page, sizeof(page));
	put_constant(r, "g_cpus", &cpus, sizeof(cpus));
	put_constant(r, "g_ram_bytes", &ram, sizeof(ram));
}

static int set_constants(struct gadget *g, const struct gadget_load_options *o,
			 uint32_t smallest_ring, struct err *err)
{
	struct rodata r = { .object = g->run->object,
			    .map = bpf_object__find_map_by_name(g->run->object, ".rodata") };
	const void *initial = r.map ? bpf_map__initial_value(r.map, &r.size) : NULL;

	if (!initial)
		return err_set(err, -EBADMSG, "%s: not made with gadget.bpf.h: no constants",
			       g->name);
	_cleanup_(freep) unsigned char *bytes = xcalloc(1, r.size);
	memcpy(bytes, initial, r.size);
	r.bytes = bytes;
	put_own_constants(&r, o, smallest_ring);
	for (size_t i = 0; i < g->n_params; i++) {
		const struct param *p = &g->params[i];

		if (!p->value)
			continue;
		if (p->place.offset > r.size || p->place.size > r.size - p->place.offset)
			return err_set(err, -EBADMSG, "%s: parameter %s lies outside the constants",
				       g->name, p->pub.name);
		memcpy(bytes + p->place.offset, p->value, p->place.size);
	}
	int rc = bpf_map__set_initial_value(r.map, bytes, r.size);
	return rc ? err_set(err, rc, "%s: cannot set the parameters", g->name) : 0;
}

/* ---- programs, rings --------------------------------------------------------------------- */

/* A source whose rows iterators write. */
static bool is_found(const struct gadget_source *s)
{
	return s->kind == SOURCE_SNAPSHOT || s->sampled;
}

static int feeds(const struct gadget *g, const struct bpf_program *prog)
{
	const char *name = program_tag(g->run->object, prog, "feeds:");

	for (size_t i = 0; i < g->n_sources; i++) {
		if (is_found(&g->sources[i].pub) &&
		    (!name || !strcmp(name, g->sources[i].prefix)))
			return i;
	}
	return -1;
}

static void list_programs(struct gadget *g)
{
	struct running *run = g->run;
	struct bpf_program *prog;
	size_t room = 0;

	bpf_object__for_each_program(prog, run->object) {
		if (!bpf_program__autoload(prog))
			continue;
		struct program *p = grow(&run->programs, &run->n_programs, &room);
		p->prog = prog;
		p->event_fd = -1;
		p->hook = hook_find(bpf_program__section_name(prog), &p->target);
		p->at_attach = hook_is_iterator(p->hook) &&
			       program_tag(run->object, prog, "at-attach") != NULL;
		p->feeds = hook_is_iterator(p->hook) && !p->at_attach ? feeds(g, prog) : -1;
		p->last = program_tag(run->object, prog, "last") != NULL;
		const char *frequency = program_tag(run->object, prog, "frequency:");
		p->frequency = frequency ? param_number(g, frequency) : 0;
	}
}

static int watch_ring(struct running *run, const struct ring *r, struct err *err)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };

	return epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, r->fd, &e)
		       ? err_set(err, -errno, "cannot watch a ring")
		       : 0;
}

static int open_rings(struct gadget *g, struct err *err)
{
	struct running *run = g->run;
	int rc;

	run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (run->epoll_fd < 0)
		return err_set(err, -errno, "cannot make an epoll descriptor");
	for (unsigned int i = 0; i < g->n_sources; i++) {
		struct bpf_map *m = source_map(g, i, "_ring");

		if (g->sources[i].pub.kind != SOURCE_TRACER)
			continue;
		rc = ring_open(&run->rings[i], bpf_map__fd(m), bpf_map__max_entries(m), err);
		if (rc)
			return rc;
		rc = watch_ring(run, &run->rings[i], err);
		if (rc)
			return rc;
	}
	rc = bell_open(run, err);
	return rc || run->bell.fd < 0 ? rc : watch_ring(run, &run->bell, err);
}

/* ---- what went wrong --------------------------------------------------------------------- */

int load_needs_root(const char *gadget, struct err *err)
{
	return err_set(err, -EPERM, "%s: not allowed to load BPF programs: this needs root",
		       gadget);
}

static int load_failed(const struct gadget *g, int rc, struct libbpf_log *log, struct err *err)
{
	_cleanup_(buf_done) struct buf reason, program;
	bool verifier;

	buf_init(&reason, 400);
	buf_init(&program, 128);
	libbpf_log_reason(log, &reason, &program, &verifier);
	const char *why = reason.len ? buf_cstr(&reason) : strerror(-rc);

	if (verifier)
		return err_set(err, -EBADMSG, "%s: the kernel's verifier refused program %s: %s",
			       g->name, buf_cstr(&program), why);
	switch (rc) {
	case -EPERM:
		if (geteuid())
			return load_needs_root(g->name, err);
		return err_set(err, rc, "%s: the kernel does not allow %s%s here (%s)", g->name,
			       program.len ? "program " : "its BPF maps", buf_cstr(&program), why);
	case -ESRCH:
	case -ENOENT:
	case -EOPNOTSUPP:
		return err_set(err, -ENOTSUP, "%s: this kernel lacks what it needs: %s", g->name,
			       why);
	}
	/* The object is wrong, not what the user asked for; libbpf's own errors say so as well. */
	if (rc == -EINVAL || rc <= -__LIBBPF_ERRNO__START)
		rc = -ENOEXEC;
	return err_set(err, rc, "%s: cannot load: %s", g->name, why);
}

/* ---- life -------------------------------------------------------------------------------- */

static int prepare(struct gadget *g, const struct gadget_load_options *o,
		   const struct kernel_btf *types, struct libbpf_log *log, struct err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = g->name,
		    .btf_custom_path = kernel_btf_path(types));
	_cleanup_(freep) unsigned char *filtered = NULL;
	uint32_t smallest_ring = 0;
	int rc;

	rc = packet_filter_apply(g, &filtered, err);
	if (rc)
		return rc;
	g->run->object = bpf_object__open_mem(filtered ?: g->elf, g->elf_size, &opts);
	if (!g->run->object)
		return load_failed(g, -errno, log, err);
	rc = rungs_choose(g->run->object, g, err);
	if (rc)
		return rc;
	list_programs(g);
	probes_find(g);
	twins_find(g);
	rc = set_rings(g, o, &smallest_ring, err);
	if (rc)
		return rc;
	rc = set_shared_maps(g, o, err);
	if (rc)
		return rc;
	set_pending_maps(g, types);
	set_rooms(g);
	stacks_prepare(g);
	sampling_prepare(g);
	bell_prepare(g->run);
	return set_constants(g, o, smallest_ring, err);
}

static int load(struct gadget *g, const struct gadget_load_options *o, struct libbpf_log *log,
		struct err *err)
{
	_cleanup_(kernel_btf_close) struct kernel_btf types;
	int rc = kernel_btf_open(g->elf, g->elf_size, &types, err);

	if (rc)
		return rc;
	rc = prepare(g, o, &types, log, err);
	if (rc)
		return rc;
	rc = bpf_object__load(g->run->object);
	if (rc)
		return load_failed(g, rc, log, err);
	rc = counters_open(g->run, g->name, err);
	if (!rc)
		rc = programs_open(g->run, err);
	return rc ? rc : open_rings(g, err);
}

int gadget_load(struct gadget *g, const struct gadget_load_options *o, struct err *err)
{
	struct libbpf_log log;

	if (g->run)
		return err_set(err, -EBUSY, "%s: loaded already", g->name);
	g->run = xnew(struct running);
	g->run->epoll_fd = g->run->stats_fd = g->run->bell.fd = -1;
	g->run->cgroup2_fd = o->cgroup2_fd < 0 ? -1 : fcntl(o->cgroup2_fd, F_DUPFD_CLOEXEC, 0);
	g->run->rings = xnew_n(struct ring, g->n_sources);
	g->run->table_now = xnew_n(uint8_t, g->n_sources);
	g->run->table_since = xnew_n(uint64_t, g->n_sources);
	for (size_t i = 0; i < g->n_sources; i++)
		g->run->rings[i].fd = -1;
	libbpf_log_begin(&log);
	int rc = load(g, o, &log, err);
	libbpf_log_end(&log);
	if (rc)
		gadget_unload(g);
	return rc;
}

void gadget_unload(struct gadget *g)
{
	struct running *run = g->run;

	if (!run)
		return;
	gadget_detach(g);
	probes_free(run);
	events_close(run->programs, run->n_programs);
	for (size_t i = 0; i < g->n_sources; i++)
		ring_close(&run->rings[i]);
	bell_close(run);
	counters_close(run);
	closep(&run->epoll_fd);
	closep(&run->stats_fd);
	closep(&run->cgroup2_fd);
	bpf_object__close(run->object);
	free(run->programs);
	free(run->rings);
	free(run->table_now);
	free(run->table_since);
	free(run);
	g->run = NULL;
}

int gadget_wanted_fd(const struct gadget *g)
{
	struct bpf_map *m =
		g->run ? bpf_object__find_map_by_name(g->run->object, "g_wanted") : NULL;

	return m ? bpf_map__fd(m) : -1;
}
