// SPDX-License-Identifier: Apache-2.0
#include "traces/set.h"

#include <bpf/bpf.h>
#include <linux/types.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"

struct set {
	struct containers *containers;
	const struct selector *selector;
	unsigned int subscription;
	int cgroups_fd, mntns_fd;
	char *cgroups_path, *mntns_path; /* NULL: not pinned */
	struct container **members;	 /* references */
	size_t n_members, room_members;
};

/* ---- members --------------------------------------------------------------------- */

static bool has_mntns(const struct set *s, const struct container *c)
{
	return c->mntns && c->mntns != containers_host_mntns(s->containers);
}

static size_t find(const struct set *s, const struct container *c)
{
	size_t i = 0;

	while (i < s->n_members && s->members[i] != c)
		i++;
	return i;
}

static void put(struct set *s, struct container *c)
{
	__u32 one = 1;

	if (find(s, c) == s->n_members)
		*grow(&s->members, &s->n_members, &s->room_members) = container_ref(c);
	containers_map_add(s->containers, s->cgroups_fd, c);
	if (has_mntns(s, c))
		bpf_map_update_elem(s->mntns_fd, &c->mntns, &one, BPF_ANY);
}

/* One that is in it no more may share its mount namespace with one that is. */
static void take_mntns(struct set *s, const struct container *c)
{
	for (size_t i = 0; i < s->n_members; i++)
		if (s->members[i]->mntns == c->mntns)
			return;
	bpf_map_delete_elem(s->mntns_fd, &c->mntns);
}

/* The kernel side may have put in its cgroup, whether we knew of it or not. */
static void take_out(struct set *s, struct container *c)
{
	size_t at = find(s, c);

	containers_map_remove(s->containers, s->cgroups_fd, c);
	if (at == s->n_members)
		return;
	memmove(&s->members[at], &s->members[at + 1], (--s->n_members - at) * sizeof(*s->members));
	take_mntns(s, c);
	container_unref(c);
}

static void on_event(void *ctx, enum container_event event, struct container *c)
{
	struct set *s = ctx;
	bool named = event == CONTAINER_ADDED || event == CONTAINER_CHANGED;
	bool meant = named && (!s->selector || selector_matches(s->selector, c));

	if (!c->ended && (event == CONTAINER_FOUND || meant))
		put(s, c);
	else
		take_out(s, c);
}

/* ---- life ------------------------------------------------------------------------ */

static int make_map(const char *name, __u32 value_size, __u32 room, int *ret, struct err *err)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_NO_PREALLOC);
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, name, sizeof(__u64), value_size, room, &o);

	if (fd < 0)
		return err_set(err, fd, "making the map %s: %s", name, strerror(-fd));
	*ret = fd;
	return 0;
}

int set_new(struct containers *cs, const struct selector *selector, struct set **ret,
	    struct err *err)
{
	struct set *s = xnew(struct set);
	int r;

	s->containers = cs;
	s->selector = selector;
	s->cgroups_fd = s->mntns_fd = -1;
	r = make_map("cgroupidset", sizeof(__u64), MAX_CGROUPS, &s->cgroups_fd, err);
	r = r ?: make_map("mntnsset", sizeof(__u32), MAX_CONTAINERS, &s->mntns_fd, err);
	/* First the kernel adds what comes, then we what is there: nothing falls between. */
	r = r ?: containers_attach_map(cs, s->cgroups_fd, err);
	if (r) {
		set_free(s);
		return r;
	}
	s->subscription = containers_subscribe(cs, on_event, s);
	*ret = s;
	return 0;
}

static void unpin(char **path)
{
	if (*path)
		unlink(*path);
	free(*path);
	*path = NULL;
}

struct set *set_free(struct set *s)
{
	if (!s)
		return NULL;
	unpin(&s->cgroups_path);
	unpin(&s->mntns_path);
	containers_unsubscribe(s->containers, s->subscription);
	containers_detach_map(s->containers, s->cgroups_fd);
	for (size_t i = 0; i < s->n_members; i++)
		container_unref(s->members[i]);
	free(s->members);
	closep(&s->cgroups_fd);
	closep(&s->mntns_fd);
	free(s);
	return NULL;
}

/* ---- for others ------------------------------------------------------------------ */

int set_cgroups_fd(const struct set *s)
{
	return s->cgroups_fd;
}

int set_mntns_fd(const struct set *s)
{
	return s->mntns_fd;
}

static int pin(int fd, const char *path, char **ret, struct err *err)
{
	int r = bpf_obj_pin(fd, path);

	if (r == -EEXIST && !unlink(path))
		r = bpf_obj_pin(fd, path);
	if (r)
		return err_set(err, r, "pinning a map at %s: %s", path, strerror(-r));
	*ret = xstrdup(path);
	return 0;
}

int set_pin(struct set *s, const char *cgroups, const char *mntns, struct err *err)
{
	int r = s->cgroups_path ? err_set(err, -EALREADY, "it is pinned at %s", s->cgroups_path)
				: pin(s->cgroups_fd, cgroups, &s->cgroups_path, err);

	if (r)
		return r;
	r = pin(s->mntns_fd, mntns, &s->mntns_path, err);
	if (r)
		unpin(&s->cgroups_path);
	return r;
}

size_t set_count(const struct set *s)
{
	return s->n_members;
}

void set_each(const struct set *s, container_fn *fn, void *ctx)
{
	for (size_t i = 0; i < s->n_members; i++)
		fn(ctx, s->members[i]);
}
