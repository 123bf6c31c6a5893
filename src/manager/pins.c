// SPDX-License-Identifier: Apache-2.0
#include "manager/pins.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"

/* A daemon that ends and its child, or the next daemon, want the lock at the same time. */
#define LOCK_TRIES 50
#define LOCK_PAUSE_NS 20000000

struct pins {
	char *dir;
	int dir_fd;  /* has the lock */
	pid_t child; /* clears up when `alive` is closed */
	int alive;
};

/* Ours, and no other program's. */
static bool is_pin(const char *name)
{
	return str_starts(name, "cgroupidset-") || str_starts(name, "mntnsset-");
}

static void clear(int dir_fd)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		closep(&fd);
		return;
	}
	while ((e = readdir(d)))
		if (is_pin(e->d_name))
			unlinkat(dir_fd, e->d_name, 0);
	closedir(d);
}

/* ---- the folder ------------------------------------------------------------------ */

static int mount_bpffs(const char *parent, struct err *err)
{
	struct statfs fs;

	if (!statfs(parent, &fs) && fs.f_type == BPF_FS_MAGIC)
		return 0;
	if (mount("bpf", parent, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700"))
		return err_set(err, -errno, "cannot mount a bpffs at %s: %s", parent,
			       strerror(errno));
	return 0;
}

/* The folder, and a bpffs for it. */
static int make_dir(const char *dir, struct err *err)
{
	_cleanup_(freep) char *parent = xstrdup(dir);
	struct statfs fs;
	char *slash = strrchr(parent, '/');
	int r;

	if (!slash || slash == parent)
		return err_set(err, -EINVAL, "%s is no folder below a bpffs", dir);
	*slash = '\0';
	if (statfs(dir, &fs) || fs.f_type != BPF_FS_MAGIC) {
		r = mount_bpffs(parent, err);
		if (r)
			return r;
	}
	if (mkdir(dir, 0700) && errno != EEXIST)
		return err_set(err, -errno, "cannot make %s: %s", dir, strerror(errno));
	return 0;
}

/* A folder that its last owner removed meanwhile is no lock. */
static bool is_at(int fd, const char *dir)
{
	struct stat ours, there;

	return !fstat(fd, &ours) && !stat(dir, &there) && ours.st_ino == there.st_ino &&
	       ours.st_dev == there.st_dev;
}

/* The folder with its lock; -EWOULDBLOCK: another has it; -ENOENT: it is gone. */
static int try_lock(const char *dir)
{
	_cleanup_(closep) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
		return -errno;
	return is_at(fd, dir) ? take_fd(&fd) : -ENOENT;
}

static void pause_a_little(void)
{
	nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
}

static int open_dir(const char *dir, int *ret, struct err *err)
{
	int fd = -ENOENT;

	for (int i = 0; i < LOCK_TRIES && (fd == -ENOENT || fd == -EWOULDBLOCK); i++) {
		int r = make_dir(dir, err);

		if (r)
			return r;
		fd = try_lock(dir);
		if (fd == -EWOULDBLOCK)
			pause_a_little();
	}
	if (fd >= 0) {
		*ret = fd;
		return 0;
	}
	return fd == -EWOULDBLOCK
		       ? err_set(err, -EBUSY, "another ig daemon runs on this node (it holds %s)",
				 dir)
		       : err_set(err, fd, "cannot lock %s: %s", dir, strerror(-fd));
}

/* ---- the child ------------------------------------------------------------------- */

/*
 * Waits until the daemon is gone. Its lock may be given up a little later than the pipe; the next
 * daemon, which may have it by then, clears up itself.
 */
__attribute__((noreturn)) static void wait_and_clear(int alive, const char *dir)
{
	static const int ignored[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};
	int dir_fd = -EWOULDBLOCK;
	char byte;

	for (size_t i = 0; i < array_size(ignored); i++)
		signal(ignored[i], SIG_IGN);
	prctl(PR_SET_NAME, "ig-pins");
	while (read(alive, &byte, 1) < 0 && errno == EINTR)
		;
	for (int i = 0; i < LOCK_TRIES && dir_fd == -EWOULDBLOCK; i++) {
		dir_fd = try_lock(dir);
		if (dir_fd == -EWOULDBLOCK)
			pause_a_little();
	}
	if (dir_fd >= 0) {
		clear(dir_fd);
		rmdir(dir);
	}
	_exit(0);
}

static int start_child(struct pins *p, struct err *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return err_set(err, -errno, "cannot make a pipe: %s", strerror(errno));
	p->child = fork();
	if (p->child < 0) {
		close(ends[0]);
		close(ends[1]);
		return err_set(err, -errno, "cannot start a process: %s", strerror(errno));
	}
	if (!p->child) {
		/* Not the daemon's lock, nor its sockets, nor the output that somebody reads. */
		dup2(ends[0], STDIN_FILENO);
		close_range(STDIN_FILENO + 1, ~0u, 0);
		wait_and_clear(STDIN_FILENO, p->dir);
	}
	close(ends[0]);
	p->alive = ends[1];
	return 0;
}

/* ---- life ------------------------------------------------------------------------ */

int pins_open(const char *dir, struct pins **ret, struct err *err)
{
	struct pins *p = xnew(struct pins);
	int r;

	p->dir = xstrdup(dir);
	p->dir_fd = p->alive = -1;
	r = open_dir(dir, &p->dir_fd, err);
	if (!r) {
		clear(p->dir_fd);
		r = start_child(p, err);
	}
	if (r) {
		pins_close(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct pins *pins_close(struct pins *p)
{
	if (!p)
		return NULL;
	closep(&p->dir_fd); /* first: the child takes the lock */
	closep(&p->alive);
	if (p->child > 0)
		waitpid(p->child, NULL, 0);
	free(p->dir);
	free(p);
	return NULL;
}

const char *pins_dir(const struct pins *p)
{
	return p->dir;
}
