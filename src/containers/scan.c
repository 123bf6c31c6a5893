// SPDX-License-Identifier: Apache-2.0
/*
 * Containers that run already. The detector is attached by now: what starts during the scan is
 * seen twice, and known by its ids in the map of all containers.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/parse.h"
#include "containers/identify.h"
#include "containers/internal.h"
#include "containers/proc.h"

#define MAX_CGROUP_DEPTH 64 /* below a container's */
#define ROOT_CGROUP_ID 1

/* A process that may be a container's first. */
struct candidate {
	uint32_t pid, ppid;
	bool sure;   /* first of a pid namespace; else a runtime named it, or its cgroup's name */
	bool shared; /* cgroup v2 does not tell it from its parent */
	uint64_t mntns, start_ticks;
	char *cgroup2, *cgroup1; /* paths; cgroup1 only if shared */
	size_t depth;
};

struct candidates {
	struct containers *cs;
	struct candidate *items;
	size_t n, room;
	/* The parent that was looked at last: many containers have the same. */
	uint32_t ppid;
	struct buf parents; /* its cgroups */
};

static void candidates_done(struct candidates *a)
{
	for (size_t i = 0; i < a->n; i++) {
		free(a->items[i].cgroup2);
		free(a->items[i].cgroup1);
	}
	free(a->items);
	buf_done(&a->parents);
}

static size_t count_slashes(const char *path)
{
	size_t n = 0;

	for (; path && *path; path++)
		n += *path == '/' && path[1];
	return n;
}

/* ---- finding processes ----------------------------------------------------------- */

static const char *parents_cgroups(struct candidates *a, uint32_t ppid)
{
	if (a->ppid != ppid) {
		buf_done(&a->parents);
		buf_init(&a->parents, MAX_PROC_FILE_BYTES);
		a->ppid = proc_cgroups(a->cs->proc_fd, ppid, &a->parents) ? 0 : ppid;
	}
	return a->ppid ? buf_cstr(&a->parents) : NULL;
}

/* Fills its cgroups. False: it is in its parent's, thus no container's first process. */
static bool look_at_cgroups(struct candidates *a, struct candidate *c)
{
	_cleanup_(buf_done) struct buf own = {.max = MAX_PROC_FILE_BYTES};
	const char *parents = parents_cgroups(a, c->ppid);
	_cleanup_(freep) char *above = NULL;

	if (!parents || proc_cgroups(a->cs->proc_fd, c->pid, &own) ||
	    !strcmp(buf_cstr(&own), parents))
		return false;
	c->cgroup2 = proc_parse_cgroup2(buf_cstr(&own));
	above = proc_parse_cgroup2(parents);
	c->shared = !c->cgroup2 || !strcmp(c->cgroup2, "/") || str_equal(c->cgroup2, above);
	if (c->shared)
		c->cgroup1 = proc_parse_cgroup1(buf_cstr(&own), parents);
	c->depth = count_slashes(c->cgroup2);
	return true;
}

/* listed: a runtime says so, of a process that began then (0: not told). */
static void look_at(struct candidates *a, uint32_t pid, bool listed, uint64_t start_ticks)
{
	struct containers *cs = a->cs;
	struct candidate c = {.pid = pid};
	struct proc_nspid pids;
	struct proc_stat stat;

	if (proc_namespace(cs->proc_fd, pid, "mnt", &c.mntns) ||
	    (c.mntns == cs->host_mntns && !listed) || a->n >= 2 * MAX_CONTAINERS)
		return;
	if (proc_nspid(cs->proc_fd, pid, &pids) || proc_stat(cs->proc_fd, pid, &stat) ||
	    !stat.ppid || (start_ticks && start_ticks != stat.start_ticks))
		return;
	c.sure = pids.levels > 1 && pids.inner == 1;
	c.ppid = stat.ppid;
	c.start_ticks = stat.start_ticks;
	if (look_at_cgroups(a, &c) && (c.sure || listed || identify_has_full_id(c.cgroup2))) {
		*grow(&a->items, &a->n, &a->room) = c;
		return;
	}
	free(c.cgroup1);
	free(c.cgroup2);
}

/* Is it a known container's first process? */
static bool is_watched(const struct containers *cs, uint32_t pid, uint64_t start_ticks)
{
	const struct entry *e;
	uint64_t key;

	if (!detector_watches(cs->detector, pid, &key))
		return false;
	e = slots_entry(&cs->slots, key);
	return e && e->container->pid == pid &&
	       start_ticks == proc_ns_to_ticks(e->container->started_boot_ns);
}

/* Most of a runtime's list is known by now. */
static void look_at_listed(void *arg, uint32_t pid, uint64_t start_ticks)
{
	struct candidates *a = arg;

	if (!is_watched(a->cs, pid, start_ticks))
		look_at(a, pid, true, start_ticks);
}

/*
 * Those that are surely first processes come first: what is only in a cgroup of such a name may be
 * a child of one, which moved on into a cgroup below. Then by depth.
 */
static int compare_candidates(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

	if (x->sure != y->sure)
		return x->sure ? -1 : 1;
	return x->depth != y->depth ? (x->depth < y->depth ? -1 : 1) : 0;
}

static void find_candidates(struct candidates *a)
{
	int fd = openat(a->cs->proc_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t pid;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(dir)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    !parse_u64(entry->d_name, &pid))
			look_at(a, (uint32_t)pid, false, 0);
	closedir(dir);
}

/* ---- cgroups --------------------------------------------------------------------- */

/* The id of a cgroup v2 is its folder's inode number. */
uint64_t scan_cgroup_id(const struct containers *cs, const char *path)
{
	struct stat st;

	if (!path || !strcmp(path, "/"))
		return cs->cgroup2_fd < 0 || fstat(cs->cgroup2_fd, &st) ? ROOT_CGROUP_ID
									: st.st_ino;
	if (cs->cgroup2_fd < 0 || fstatat(cs->cgroup2_fd, path + 1, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	return st.st_ino;
}

/* The path comes from outside: it must lead to a folder, and not out of the hierarchy. */
uint64_t containers_cgroup_id(const struct containers *cs, const char *path)
{
	const struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				     .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	_cleanup_(closep) int fd = -1;
	struct stat st;

	if (*path != '/')
		return 0;
	if (!path[1])
		return scan_cgroup_id(cs, path);
	fd = (int)syscall(SYS_openat2, cs->cgroup2_fd, path + 1, &how, sizeof(how));
	return fd < 0 || fstat(fd, &st) ? 0 : st.st_ino;
}

/* A cgroup's folder has two links, and one more for each cgroup in it: most need not be read. */
static bool has_children(const struct stat *st)
{
	return st->st_nlink != 2;
}

/*
 * Enters the cgroups below; the kernel side enters those that are made from now on. Takes dir_fd
 * over.
 */
static void walk(struct containers *cs, struct entry *e, int dir_fd, unsigned int depth)
{
	DIR *dir = fdopendir(dir_fd);
	struct dirent *entry;
	struct stat st;

	if (!dir) {
		close(dir_fd);
		return;
	}
	while ((entry = readdir(dir))) {
		int fd;

		if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
			continue;
		fd = openat(dirfd(dir), entry->d_name,
			    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st)) {
			closep(&fd);
			continue;
		}
		if (maps_enter_child(cs, e, st.st_ino) && depth < MAX_CGROUP_DEPTH &&
		    has_children(&st))
			walk(cs, e, fd, depth + 1);
		else
			close(fd);
	}
	closedir(dir);
}

static void walk_children(struct containers *cs, struct entry *e)
{
	const char *path = e->container->cgroup_path;
	struct stat st;
	int fd;

	if (e->container->by_namespace || cs->cgroup2_fd < 0 || !path || !path[1])
		return;
	if (fstatat(cs->cgroup2_fd, path + 1, &st, AT_SYMLINK_NOFOLLOW) || !has_children(&st))
		return;
	fd = openat(cs->cgroup2_fd, path + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		walk(cs, e, fd, 1);
}

/* ---- making containers of them --------------------------------------------------- */

/*
 * Is its cgroup, or where that is shared its mount namespace, in the map of all containers? One
 * that lies in another's cgroup is a container in it if it is surely one, and is told apart by a
 * cgroup below the other's own.
 */
bool scan_is_known(struct containers *cs, struct container *c, bool sure, uint64_t *ret)
{
	struct entry *e;

	if (maps_lookup(cs, c->cgroup_id, ret)) {
		if (*ret != G_BY_NAMESPACE) {
			e = slots_entry(&cs->slots, *ret);
			if (!e || !sure || c->by_namespace || e->container->pid == c->pid ||
			    e->container->pidns == c->pidns ||
			    e->container->cgroup_id == c->cgroup_id)
				return true;
			container_set_outer(c, e->container);
			cs->has_inner = true;
			return false;
		}
		c->by_namespace = true;
	}
	return c->by_namespace && maps_lookup(cs, c->mntns | G_NAMESPACE_KEY, ret);
}

static struct container *make_container(struct containers *cs, const struct candidate *from)
{
	struct container *c = container_new();

	c->pid = from->pid;
	c->mntns = from->mntns;
	c->by_namespace = from->shared;
	c->cgroup_id = scan_cgroup_id(cs, from->cgroup2);
	c->cgroup_path = xstrdup(from->cgroup1 ?: from->cgroup2);
	c->started_boot_ns = proc_ticks_to_ns(from->start_ticks);
	c->started_real_ns = boot_to_real(c->started_boot_ns);
	if (!c->cgroup_id || proc_namespace(cs->proc_fd, c->pid, "net", &c->netns) ||
	    proc_namespace(cs->proc_fd, c->pid, "pid", &c->pidns))
		return container_unref(c);
	return c;
}

/*
 * A process of a container whose first process went into a cgroup below its own: systemd, say. The
 * container's cgroup is the one that has the id for its name.
 */
static void find_top(struct containers *cs, struct container *c)
{
	_cleanup_(freep) char *top =
		c->by_namespace || c->outer ? NULL : identify_top(c->cgroup_path);
	uint64_t id = top ? scan_cgroup_id(cs, top) : 0;

	if (!id)
		return;
	c->cgroup_id = id;
	free(c->cgroup_path);
	c->cgroup_path = take(top);
}

void scan_rise(struct containers *cs, struct entry *e)
{
	struct container *c = e->container;
	uint64_t id = c->by_namespace ? 0 : scan_cgroup_id(cs, c->cgroup_path);
	size_t last;

	if (!id || id == c->cgroup_id || !maps_enter_child(cs, e, id))
		return;
	last = e->n_cgroups - 1;
	e->cgroups[last] = e->cgroups[0];
	e->cgroups[0] = c->cgroup_id = id;
	walk_children(cs, e);
}

int scan_enter(struct containers *cs, struct container *c, struct entry **ret)
{
	struct entry *e;
	int r;

	if (!take_key(cs, &c->key)) {
		container_unref(c);
		return -ENOSPC;
	}
	e = entry_new(cs, c);
	r = maps_enter(cs, e);
	if (!r && c->pid) {
		detector_watch(cs->detector, c->pid, c->key);
		r = container_runs(cs, c) ? 0 : -ESRCH; /* before it was watched */
	}
	if (r) {
		entry_drop(cs, e);
		return r == -E2BIG || r == -ENOMEM ? -ENOSPC : r;
	}
	walk_children(cs, e);
	*ret = e;
	return 0;
}

static void add(struct containers *cs, const struct candidate *from)
{
	_cleanup_(container_unrefp) struct container *c = make_container(cs, from);
	struct entry *e;
	uint64_t key;

	if (!c || scan_is_known(cs, c, from->sure, &key))
		return;
	find_top(cs, c);
	if (scan_enter(cs, take(c), &e))
		return;
	e->sure = from->sure;
	e->ppid = from->ppid;
	resolve_later(cs, e);
}

struct container *scan_process(struct containers *cs, uint32_t pid, uint32_t *ret_parent)
{
	_cleanup_(candidates_done) struct candidates a = {.cs = cs};

	look_at(&a, pid, true, 0);
	if (!a.n)
		return NULL;
	*ret_parent = a.items[0].ppid;
	return make_container(cs, &a.items[0]);
}

/* What lies in another container's cgroup is in that container: the outer ones come first. */
static void add_all(struct candidates *a)
{
	if (a->n)
		qsort(a->items, a->n, sizeof(*a->items), compare_candidates);
	for (size_t i = 0; i < a->n; i++)
		add(a->cs, &a->items[i]);
}

/* Of what was announced without a process there is only the cgroup. */
static bool runs(const struct containers *cs, const struct entry *e)
{
	const struct container *c = e->container;

	return e->init_pid ? container_runs(cs, c)
			   : !c->cgroup_path || scan_cgroup_id(cs, c->cgroup_path) == c->cgroup_id;
}

void scan(struct containers *cs)
{
	_cleanup_(candidates_done) struct candidates a = {.cs = cs};
	struct entry *e, *next;

	for (e = TAILQ_FIRST(&cs->live); e; e = next) {
		next = TAILQ_NEXT(e, link);
		if (runs(cs, e))
			walk_children(cs, e);
		else
			entry_end(cs, e, proc_boot_ns());
	}
	find_candidates(&a);
	add_all(&a);
	cs->want_list = true;
}

void scan_lists(struct containers *cs)
{
	_cleanup_(candidates_done) struct candidates a = {.cs = cs};

	for_each_registered(ig_runtimes, r)
		if ((*r)->list)
			(*r)->list(&cs->context, look_at_listed, &a);
	add_all(&a);
}
