// SPDX-License-Identifier: Apache-2.0
/*
 * Names of a container's users and groups: its own /etc/passwd and /etc/group, through the root of
 * its first process. Everything there is the container's to choose: links lead nowhere out of its
 * root, only regular files of a modest size are opened, and none where opening could wait for
 * somebody's answer.
 *
 * A container that the kernel told of is read at once, before it can have ended; of one that has
 * ended all the same the files are found by its bundle. Others are read at their
 * first record. While records come, the files are looked at again by and by, and read where they
 * are others than before. What was read stays with the container when it has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/mounts.h"
#include "base/parse.h"
#include "containers/bundle.h"
#include "containers/hostfs.h"
#include "containers/internal.h"
#include "containers/proc.h"

/* Until they are looked at again; doubled each time that nothing has changed. */
#define FIRST_WAIT_NS 5000000ull /* while it has not got its own root */
#define NEXT_WAIT_NS 1000000000ull
#define LAST_WAIT_NS 64000000000ull

static const char *const paths[] = {"etc/passwd", "etc/group"};

/* ---- may opening a file there wait for ever? ------------------------------------------------- */

static bool is_on_the_way(const char *mounted)
{
	static const char *const places[] = {"/", "/etc", "/etc/passwd", "/etc/group"};

	for (size_t i = 0; i < array_size(places); i++)
		if (!strcmp(mounted, places[i]))
			return true;
	return false;
}

/*
 * Returns further RESOLVE_ flags: where some file system may hang, no link may lead to it. -EAGAIN:
 * one is on the way, or it cannot be told.
 */
static int look_at_mounts(const struct containers *cs, uint32_t pid)
{
	_cleanup_(buf_done) struct buf text = {.max = MAX_PROC_FILE_BYTES};
	struct remote_mount m;
	char name[32], *rest;
	int flags = 0;

	snprintf(name, sizeof(name), "%u/mountinfo", pid);
	if (buf_read_file(&text, cs->proc_fd, name))
		return -EAGAIN;
	buf_cstr(&text);
	rest = text.data;
	while (mounts_next_remote(&rest, &m)) {
		flags = RESOLVE_NO_SYMLINKS;
		if (is_on_the_way(m.mounted))
			return -EAGAIN;
	}
	return flags;
}

/* ---- the files ------------------------------------------------------------------------------- */

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/*
 * Not opened but looked at: what lies there may be a pipe or a device. -1: no file that is good to
 * be read, and *ret is zeroed.
 */
static int find_file(int root, const char *path, int resolve, size_t max, struct stat *ret)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = (uint64_t)(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | resolve),
	};
	_cleanup_(closep) int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

	if (fd >= 0 && !fstat(fd, ret) && S_ISREG(ret->st_mode) && ret->st_size <= (off_t)max)
		return take_fd(&fd);
	memset(ret, 0, sizeof(*ret));
	return -1;
}

static void read_names(int found, size_t max, struct owners *to)
{
	_cleanup_(buf_done) struct buf text = {.max = max};
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", found);
	if (!buf_read_file(&text, AT_FDCWD, path))
		owners_parse(to, buf_cstr(&text), text.len);
}

/* The files' ids are those of the container's user namespace, records have the host's. */
static bool map_ids(const struct containers *cs, uint32_t pid, const char *map, struct owners *o)
{
	_cleanup_(buf_done) struct buf text = {.max = MAX_PROC_FILE_BYTES};
	char name[32];

	snprintf(name, sizeof(name), "%u/%s", pid, map);
	if (buf_read_file(&text, cs->proc_fd, name) || !text.len)
		return false;
	owners_map(o, buf_cstr(&text));
	return true;
}

/* New names where the files are others than `seen`; NULL: they are not. */
static struct owner_names *read_files(int root, int resolve, size_t max, struct stat seen[2])
{
	_cleanup_(closep) int passwd = -1;
	_cleanup_(closep) int group = -1;
	struct owner_names *names;
	struct stat now[2];

	passwd = find_file(root, paths[0], resolve, max, &now[0]);
	group = find_file(root, paths[1], resolve, max, &now[1]);
	if (same_file(&now[0], &seen[0]) && same_file(&now[1], &seen[1]))
		return NULL;
	memcpy(seen, now, sizeof(now));
	names = owner_names_new();
	if (passwd >= 0)
		read_names(passwd, max, &names->users);
	if (group >= 0)
		read_names(group, max, &names->groups);
	return names;
}

/* ---- when ------------------------------------------------------------------------------------ */

static int open_root(const struct containers *cs, uint32_t pid, struct stat *ret)
{
	_cleanup_(closep) int fd = -1;
	char name[32];

	snprintf(name, sizeof(name), "%u/root", pid);
	fd = openat(cs->proc_fd, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && !fstat(fd, ret) ? take_fd(&fd) : -1;
}

/* A container that is being made may not have its own root yet. */
static bool has_hosts_root(const struct containers *cs, const struct stat *root)
{
	struct stat host;

	return !fstatat(cs->proc_fd, "1/root", &host, 0) && host.st_dev == root->st_dev &&
	       host.st_ino == root->st_ino;
}

/* True: the names are others now. */
static bool look(const struct containers *cs, uint32_t pid, size_t max, struct owner_files *files,
		 uint64_t now)
{
	_cleanup_(closep) int root = -1;
	struct owner_names *names = NULL;
	int resolve = look_at_mounts(cs, pid);
	struct stat st;

	if (resolve >= 0)
		root = open_root(cs, pid, &st);
	if (root >= 0)
		names = read_files(root, resolve, max, files->seen);
	if (names && (!map_ids(cs, pid, "uid_map", &names->users) ||
		      !map_ids(cs, pid, "gid_map", &names->groups))) {
		/* It has ended: whose ids they are is not known. Nothing was seen, then. */
		names = owner_names_unref(names);
		memset(files->seen, 0, sizeof(files->seen));
	}
	if (names)
		files->wait = pid != 1 && has_hosts_root(cs, &st) ? FIRST_WAIT_NS : NEXT_WAIT_NS;
	else
		files->wait = files->wait < LAST_WAIT_NS / 2 ? files->wait * 2 + FIRST_WAIT_NS
							     : LAST_WAIT_NS;
	files->due = now + files->wait;
	if (!names)
		return false;
	owner_names_unref(files->names);
	files->names = names;
	return true;
}

void owners_look(struct containers *cs, struct entry *e, uint64_t now)
{
	struct container *c = e->container;

	if (!c->pid || !container_runs(cs, c) ||
	    !look(cs, c->pid, MAX_CONTAINER_OWNERS_BYTES, &e->owners, now))
		return;
	owner_names_unref(c->owners);
	c->owners = owner_names_ref(e->owners.names);
}

/* ---- of one that is gone --------------------------------------------------------------------- */

static bool may_hang(int fd)
{
	static const uint32_t types[] = {FUSE_SUPER_MAGIC, NFS_SUPER_MAGIC, SMB2_SUPER_MAGIC,
					 CIFS_SUPER_MAGIC, V9FS_MAGIC,	    CEPH_SUPER_MAGIC,
					 AFS_SUPER_MAGIC,  CODA_SUPER_MAGIC};
	struct statfs st;

	if (fstatfs(fd, &st))
		return true;
	for (size_t i = 0; i < array_size(types); i++)
		if ((uint32_t)st.f_type == types[i])
			return true;
	return false;
}

void owners_look_in_bundle(struct containers *cs, struct entry *e)
{
	struct container *c = e->container;
	struct oci_state config = {0};
	_cleanup_(freep) char *path = NULL;
	_cleanup_(closep) int root = -1;

	if (c->owners || c->outer || !c->bundle || bundle_config(&cs->context, c->bundle, &config))
		return;
	if (config.rootfs)
		path = *config.rootfs == '/' ? xstrdup(config.rootfs)
					     : xasprintf("%s/%s", c->bundle, config.rootfs);
	root = path ? host_open(cs->host_root, path, O_PATH | O_DIRECTORY) : -1;
	if (root >= 0 && !may_hang(root)) {
		c->owners = read_files(root, RESOLVE_NO_XDEV, MAX_CONTAINER_OWNERS_BYTES,
				       e->owners.seen);
		e->owners.names = owner_names_ref(c->owners);
	}
	if (c->owners && config.uid_map)
		owners_map(&c->owners->users, config.uid_map);
	if (c->owners && config.gid_map)
		owners_map(&c->owners->groups, config.gid_map);
	oci_state_done(&config);
}

struct owner_names *containers_owners(struct containers *cs, struct container *c, uint64_t now)
{
	struct entry *e;

	if (!c) {
		if (cs->owners.due <= now)
			look(cs, 1, MAX_OWNERS_BYTES, &cs->owners, now);
		return cs->owners.names;
	}
	if (c->owners_due > now || c->ended)
		return NULL;
	e = slots_entry(&cs->slots, c->key);
	if (e && e->container == c)
		owners_look(cs, e, now);
	c->owners_due = e && e->owners.due > now ? e->owners.due : now + NEXT_WAIT_NS;
	return NULL;
}
