// SPDX-License-Identifier: Apache-2.0
/*
 * The ids of containers (cgroups, or namespaces where the cgroup is shared) in the map of all
 * containers and in the tracers' maps. The kernel side adds to these maps at the same time; what it
 * adds is always something new, so nothing that is taken out here can be its.
 *
 * Each addition to a tracer's map is counted when it is done (additions.h).
 */
#include "containers/internal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "containers/additions.h"
#include "gadget/sampling.h"

/* ---- life ------------------------------------------------------------------------ */

static int make_map(const char *name, enum bpf_map_type type, size_t key_size, uint32_t n,
		    uint32_t flags, int *ret_fd, struct err *err)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = flags);
	int fd = bpf_map_create(type, name, (uint32_t)key_size, sizeof(uint64_t), n, &o);

	if (fd == -EPERM || fd == -EACCES)
		return err_set(err, -EPERM, "making the map %s: not allowed (root is needed)",
			       name);
	if (fd < 0)
		return err_set(err, fd, "making the map %s: %s", name, strerror(-fd));
	*ret_fd = fd;
	return 0;
}

int maps_open(struct containers *cs, struct err *err)
{
	int r = make_map("ig_containers", BPF_MAP_TYPE_HASH, sizeof(uint64_t), MAX_CGROUPS,
			 sampling_map_flags(), &cs->all_fd, err);
	void *memory;

	if (!r)
		r = make_map("ig_additions", BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), 1,
			     BPF_F_MMAPABLE, &cs->additions_fd, err);
	if (r)
		return r;
	memory = mmap(NULL, (size_t)getpagesize(), PROT_READ | PROT_WRITE, MAP_SHARED,
		      cs->additions_fd, 0);
	if (memory == MAP_FAILED)
		return err_set(err, -errno, "mapping ig_additions: %s", strerror(errno));
	cs->additions = memory;
	*cs->additions = ADDITION; /* with 0 nothing could be told from an empty place */
	return 0;
}

void maps_close(struct containers *cs)
{
	if (cs->additions)
		munmap(cs->additions, (size_t)getpagesize());
	closep(&cs->additions_fd);
	closep(&cs->all_fd);
}

static void count_addition(struct containers *cs)
{
	__atomic_fetch_add(cs->additions, ADDITION, __ATOMIC_SEQ_CST);
}

/* ---- the map of all --------------------------------------------------------------- */

static uint64_t namespace_key(uint64_t inum)
{
	return inum | G_NAMESPACE_KEY;
}

void maps_namespaces(const struct entry *e, uint64_t ret[2])
{
	const struct container *c = e->container;

	ret[0] = c->by_namespace ? namespace_key(c->mntns) : 0;
	ret[1] = c->by_namespace && e->has_netns ? namespace_key(c->netns) : 0;
}

bool maps_lookup(const struct containers *cs, uint64_t id, uint64_t *ret)
{
	return !bpf_map_lookup_elem(cs->all_fd, &id, ret);
}

static void leave_if(int fd, uint64_t id, uint64_t value)
{
	uint64_t now;

	if (!bpf_map_lookup_elem(fd, &id, &now) && now == value)
		bpf_map_delete_elem(fd, &id);
}

void maps_take_over(struct containers *cs, struct entry *e, uint64_t cgroup)
{
	const struct container *c = e->container;
	struct entry *outer = slots_entry(&cs->slots, c->outer->key);
	uint64_t value;

	bpf_map_update_elem(cs->all_fd, &cgroup, &c->key, BPF_ANY);
	for (size_t i = 0; i < MAX_WANTED_MAPS; i++)
		if (cs->maps[i] >= 0 && !bpf_map_lookup_elem(cs->maps[i], &cgroup, &value) &&
		    value == c->outer->key)
			bpf_map_update_elem(cs->maps[i], &cgroup, &c->key, BPF_EXIST);
	if (outer)
		maps_remove_child(outer, cgroup);
}

int maps_enter(struct containers *cs, struct entry *e)
{
	struct container *c = e->container;
	uint64_t id = c->by_namespace ? namespace_key(c->mntns) : c->cgroup_id;
	uint64_t shared = G_BY_NAMESPACE, netns = namespace_key(c->netns);
	int r;

	if (c->outer) {
		maps_take_over(cs, e, id);
		return 0;
	}
	r = bpf_map_update_elem(cs->all_fd, &id, &c->key, BPF_NOEXIST);
	if (r || !c->by_namespace)
		return r;
	bpf_map_update_elem(cs->all_fd, &c->cgroup_id, &shared, BPF_NOEXIST);
	if (c->netns != cs->host_netns)
		e->has_netns = !bpf_map_update_elem(cs->all_fd, &netns, &c->key, BPF_NOEXIST);
	return 0;
}

/* From the map of all and from each tracer's. */
static void leave_everywhere(struct containers *cs, uint64_t id, uint64_t value)
{
	leave_if(cs->all_fd, id, value);
	for (size_t i = 0; i < MAX_WANTED_MAPS; i++)
		if (cs->maps[i] >= 0)
			leave_if(cs->maps[i], id, value);
}

void maps_leave_namespaces(struct containers *cs, struct entry *e)
{
	uint64_t namespaces[2];

	maps_namespaces(e, namespaces);
	for (size_t i = 0; i < 2; i++)
		if (namespaces[i])
			leave_everywhere(cs, namespaces[i], e->container->key);
}

void maps_leave(struct containers *cs, struct entry *e)
{
	for (size_t i = 0; i < e->n_cgroups; i++)
		leave_everywhere(cs, e->cgroups[i], e->container->key);
	maps_leave_namespaces(cs, e);
}

void maps_add_child(struct containers *cs, struct entry *e, uint64_t cgroup)
{
	const struct container *c = e->container;
	uint64_t value;

	if (c->by_namespace || e->n_cgroups >= MAX_CGROUPS)
		return;
	if (maps_lookup(cs, cgroup, &value) && value != c->key)
		return;
	for (size_t i = 0; i < e->n_cgroups; i++)
		if (e->cgroups[i] == cgroup)
			return;
	*grow(&e->cgroups, &e->n_cgroups, &e->room_cgroups) = cgroup;
	/*
	 * The kernel side may have looked at a tracer's map just before c came into it, or went. An
	 * inner container that has started in that cgroup meanwhile keeps it.
	 */
	for (size_t i = 0; i < MAX_WANTED_MAPS; i++) {
		if (cs->maps[i] < 0)
			continue;
		if (!bpf_map_lookup_elem(cs->maps[i], &c->cgroup_id, &value))
			bpf_map_update_elem(cs->maps[i], &cgroup, &c->key, BPF_NOEXIST);
		else
			leave_if(cs->maps[i], cgroup, c->key);
	}
	count_addition(cs);
}

bool maps_enter_child(struct containers *cs, struct entry *e, uint64_t cgroup)
{
	const struct container *c = e->container;
	uint64_t value;

	if (bpf_map_update_elem(cs->all_fd, &cgroup, &c->key, BPF_NOEXIST) &&
	    (!maps_lookup(cs, cgroup, &value) || value != c->key)) {
		if (!c->outer || value != c->outer->key)
			return false;
		maps_take_over(cs, e, cgroup);
	}
	maps_add_child(cs, e, cgroup);
	return true;
}

void maps_remove_child(struct entry *e, uint64_t cgroup)
{
	for (size_t i = 1; i < e->n_cgroups; i++)
		if (e->cgroups[i] == cgroup) {
			memmove(&e->cgroups[i], &e->cgroups[i + 1],
				(--e->n_cgroups - i) * sizeof(*e->cgroups));
			return;
		}
}

/* ---- tracers' maps --------------------------------------------------------------- */

int containers_attach_map(struct containers *cs, int wanted_fd, struct err *err)
{
	for (uint32_t i = 0; i < MAX_WANTED_MAPS; i++) {
		int r = 0;

		if (cs->maps[i] >= 0)
			continue;
		if (cs->detector)
			r = detector_set_map(cs->detector, i, wanted_fd);
		if (r)
			return err_set(err, r, "adding a tracer's map: %s", strerror(-r));
		cs->maps[i] = wanted_fd;
		return 0;
	}
	return err_set(err, -ENOSPC, "more than %d tracers and sets at a time", MAX_WANTED_MAPS);
}

/* The last one takes its place: the kernel side stops at the first gap. Being there twice does no
 * harm. */
void containers_detach_map(struct containers *cs, int wanted_fd)
{
	uint32_t slot = 0, last = 0;

	while (slot < MAX_WANTED_MAPS && cs->maps[slot] != wanted_fd)
		slot++;
	if (slot == MAX_WANTED_MAPS || wanted_fd < 0)
		return;
	while (last + 1 < MAX_WANTED_MAPS && cs->maps[last + 1] >= 0)
		last++;
	if (cs->detector) {
		if (last != slot)
			detector_set_map(cs->detector, slot, cs->maps[last]);
		detector_set_map(cs->detector, last, -1);
	}
	cs->maps[slot] = cs->maps[last];
	cs->maps[last] = -1;
}

int containers_additions_fd(const struct containers *cs)
{
	return cs->additions_fd;
}

static int map_add(int wanted_fd, const struct entry *e)
{
	const struct container *c = e->container;
	uint64_t namespaces[2], shared = G_BY_NAMESPACE;
	int r = 0;

	for (size_t i = 0; !r && i < e->n_cgroups; i++)
		r = bpf_map_update_elem(wanted_fd, &e->cgroups[i], &c->key, BPF_ANY);
	if (!c->by_namespace || c->ended) /* an ended one's namespaces may be another's by now */
		return r;
	maps_namespaces(e, namespaces);
	for (size_t i = 0; !r && i < 2; i++)
		if (namespaces[i])
			r = bpf_map_update_elem(wanted_fd, &namespaces[i], &c->key, BPF_ANY);
	return r ?: bpf_map_update_elem(wanted_fd, &c->cgroup_id, &shared, BPF_ANY);
}

int containers_map_add(struct containers *cs, int wanted_fd, const struct container *c)
{
	struct entry *e = slots_entry(&cs->slots, c->key);
	int r = e ? map_add(wanted_fd, e) : -ENOENT;

	count_addition(cs);
	return r;
}

int containers_map_add_cgroup(struct containers *cs, int wanted_fd, uint64_t cgroup, uint64_t key)
{
	int r = bpf_map_update_elem(wanted_fd, &cgroup, &key, BPF_ANY);

	count_addition(cs);
	return r;
}

void containers_map_remove(struct containers *cs, int wanted_fd, const struct container *c)
{
	struct entry *e = slots_entry(&cs->slots, c->key);
	uint64_t namespaces[2];

	if (!e)
		return;
	/* Its own cgroup first: the kernel side adds no child of it from then on. */
	for (size_t i = 0; i < e->n_cgroups; i++)
		leave_if(wanted_fd, e->cgroups[i], c->key);
	/*
	 * G_BY_NAMESPACE of a shared cgroup stays until the cgroup goes: the kernel side may just
	 * be adding another container that is in it.
	 */
	maps_namespaces(e, namespaces);
	for (size_t i = 0; i < 2; i++)
		if (namespaces[i])
			leave_if(wanted_fd, namespaces[i], c->key);
}
