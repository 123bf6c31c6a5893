// SPDX-License-Identifier: Apache-2.0
/*
 * Containers that run already. The detector is attached by now: what starts during the scan is
 * seen twice, and known by its ids in the map of all containers.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
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
	uint32_t pid;
	bool sure;   /* first of a pid namespace; else a runtime named it */
	bool shared; /* cgroup v2 does not tell it from its parent */
	uint64_t mntns, start_ticks;
	char *cgroup2, *cgroup1; /* paths; cgroup1 only if shared */
	size_t depth;
};

struct candidates {
	struct containers *cs;
	struct candidate *items;
	size_t n, room;
};

static void candidates_done(struct candidates *a)
{
	for (size_t i = 0; i < a->n; i++) {
		free(a->items[i].cgroup2);
		free(a->items[i].cgroup1);
	}
	free(a->items);
}

static size_t count_slashes(const char *path)
{
	size_t n = 0;

	for (; path && *path; path++)
		n += *path == '/' && path[1];
	return n;
}

/* ---- finding processes ----------------------------------------------------------- */

/* Fills its cgroups. False: it is in its parent's, thus no container's first process. */
static bool look_at_cgroups(int proc, struct candidate *c, uint32_t ppid)
{
	_cleanup_(buf_done) struct buf own = { .max = MAX_PROC_FILE_BYTES },
				       parents = { .max = MAX_PROC_FILE_BYTES };
	_cleanup_(freep) char *above = NULL;

	if (proc_cgroups(proc, c->pid, &own) || proc_cgroups(proc, ppid, &parents))
		return false;
	if (!strcmp(buf_cstr(&own), buf_cstr(&parents)))
		return false;
	c->cgroup2 = proc_parse_cgroup2(buf_cstr(&own));
	above = proc_parse_cgroup2(buf_cstr(&parents));
	c->shared = !c->cgroup2 || !strcmp(c->cgroup2, "/") || str_equal(c->cgroup2, above);
	if (c->shared)
		c->cgroup1 = proc_parse_cgroup1(buf_cstr(&own), buf_cstr(&parents));
	c->depth = count_slashes(c->cgroup2);
	return true;
}

static void look_at(struct candidates *a, uint32_t pid, bool listed)
{
	struct containers *cs = a->cs;
	struct candidate c = { .pid = pid };
	unsigned int levels;
	struct proc_stat stat;
	uint32_t inner;

	if (proc_namespace(cs->proc_fd, pid, "mnt", &c.mntns) || c.mntns == cs->host_mntns)
		return;
	if (proc_nspid(cs->proc_fd, pid, &levels, &inner))
		return;
	c.sure = levels > 1 && inner == 1;
	if ((!c.sure && !listed) || a->n >= 2 * MAX_CONTAINERS)
		return;
	if (proc_stat(cs->proc_fd, pid, &stat) || !stat.ppid ||
	    !look_at_cgroups(cs->proc_fd, &c, stat.ppid))
		return;
	c.start_ticks = stat.start_ticks;
	*grow(&a->items, &a->n, &a->room) = c;
}

static void look_at_listed(void *arg, uint32_t pid)
{
	struct candidates *a = arg;

	for (size_t i = 0; i < a->n; i++)
		if (a->items[i].pid == pid)
			return;
	look_at(a, pid, true);
}

static int compare_depth(const void *a, const void *b)
{
	const struct candidate *x = a, *y = b;

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
			look_at(a, (uint32_t)pid, false);
	closedir(dir);
	for_each_registered(ig_runtimes, r)
		if ((*r)->list)
			(*r)->list(&a->cs->context, look_at_listed, a);
	/*
	 * What lies in another container's cgroup is that container's: look at the outer ones
	 * first.
	 */
	if (a->n)
		qsort(a->items, a->n, sizeof(*a->items), compare_depth);
}

/* ---- cgroups --------------------------------------------------------------------- */

/* The id of a cgroup v2 is its folder's inode number. 0: it is gone. */
static uint64_t cgroup_id(const struct containers *cs, const char *path)
{
	struct stat st;

	if (!path || !strcmp(path, "/"))
		return cs->cgroup2_fd < 0 || fstat(cs->cgroup2_fd, &st) ? ROOT_CGROUP_ID
									: st.st_ino;
	if (cs->cgroup2_fd < 0 || fstatat(cs->cgroup2_fd, path + 1, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	return st.st_ino;
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
		if (maps_enter_child(cs, e, st.st_ino) && depth < MAX_CGROUP_DEPTH)
			walk(cs, e, fd, depth + 1);
		else
			close(fd);
	}
	closedir(dir);
}

static void walk_children(struct containers *cs, struct entry *e)
{
	const char *path = e->container->cgroup_path;
	int fd;

	if (e->container->by_namespace || cs->cgroup2_fd < 0 || !path || !path[1])
		return;
	fd = openat(cs->cgroup2_fd, path + 1, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		walk(cs, e, fd, 1);
}

/* ---- making containers of them --------------------------------------------------- */

/* Is its cgroup, or where that is shared its mount namespace, in the map of all containers? */
static bool is_known(const struct containers *cs, struct container *c)
{
	uint64_t value;

	if (maps_lookup(cs, c->cgroup_id, &value)) {
		if (value != G_BY_NAMESPACE)
			return true;
		c->by_namespace = true;
	}
	return c->by_namespace && maps_lookup(cs, c->mntns | G_NAMESPACE_KEY, &value);
}

static struct container *make_container(struct containers *cs, const struct candidate *from)
{
	struct container *c = container_new();

	c->pid = from->pid;
	c->mntns = from->mntns;
	c->by_namespace = from->shared;
	c->cgroup_id = cgroup_id(cs, from->cgroup2);
	c->cgroup_path = xstrdup(from->cgroup1 ?: from->cgroup2);
	c->started_boot_ns = proc_ticks_to_ns(from->start_ticks);
	c->started_real_ns = boot_to_real(c->started_boot_ns);
	if (!c->cgroup_id || proc_namespace(cs->proc_fd, c->pid, "net", &c->netns) ||
	    proc_namespace(cs->proc_fd, c->pid, "pid", &c->pidns))
		return container_unref(c);
	return c;
}

static void add(struct containers *cs, const struct candidate *from)
{
	_cleanup_(container_unrefp) struct container *c = make_container(cs, from);
	struct entry *e;
	uint64_t top;

	if (!c || is_known(cs, c) || !entry_identify(cs, c, from->sure))
		return;
	/* Its first process may be in a cgroup below the container's own. */
	top = c->by_namespace ? 0 : cgroup_id(cs, c->cgroup_path);
	if (top)
		c->cgroup_id = top;
	if (!take_key(cs, &c->key))
		return;
	e = entry_new(cs, container_ref(c));
	if (maps_enter(cs, e)) { /* the detector was faster */
		entry_drop(cs, e);
		return;
	}
	detector_watch(cs->detector, c->pid, c->key);
	if (!container_runs(cs, c)) { /* it may have ended before it was watched */
		entry_drop(cs, e);
		return;
	}
	walk_children(cs, e);
	entry_publish(cs, e);
}

void scan(struct containers *cs)
{
	_cleanup_(candidates_done) struct candidates a = { .cs = cs };
	struct entry *e, *next;

	for (e = TAILQ_FIRST(&cs->live); e; e = next) {
		next = TAILQ_NEXT(e, link);
		if (container_runs(cs, e->container))
			walk_children(cs, e);
		else
			entry_end(cs, e, clock_ns(CLOCK_BOOTTIME));
	}
	find_candidates(&a);
	for (size_t i = 0; i < a.n; i++)
		add(cs, &a.items[i]);
}
