// SPDX-License-Identifier: Apache-2.0
#include "cmd/throwaway.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "containers/hostfs.h"
#include "containers/proc.h"

#define CANNOT_MAKE 125	      /* exit status, as of docker run */
#define PREFIX "ig-selftest-" /* of its cgroup; its maker's process id follows */
#define MEMORY_LIMIT "67108864"
#define CGROUP_V1_MEMORY "/sys/fs/cgroup/memory"

/* ---- in the container: a child that ends with what it cannot do -------------------------- */

#define NEW_ROOT "/tmp" /* in its own mount namespace it may hide the host's */

static void must(bool done, const char *what)
{
	if (done)
		return;
	dprintf(STDERR_FILENO, "%s: %s\n", what, strerror(errno));
	_exit(CANNOT_MAKE);
}

/* A folder of the host's root, or its link (/bin -> usr/bin); one that the host lacks is left out.
 */
static void lend(const char *name)
{
	_cleanup_(freep) char *from = xasprintf("/%s", name);
	_cleanup_(freep) char *to = xasprintf(NEW_ROOT "/%s", name);
	char target[256] = "";
	struct stat st;

	if (lstat(from, &st))
		return;
	if (S_ISLNK(st.st_mode)) {
		must(readlink(from, target, sizeof(target) - 1) > 0 && !symlink(target, to), from);
		return;
	}
	must(!mkdir(to, 0755) && !mount(from, to, NULL, MS_BIND, NULL), from);
	must(!mount(NULL, to, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), to);
}

static void lend_device(const char *name)
{
	_cleanup_(freep) char *from = xasprintf("/dev/%s", name);
	_cleanup_(freep) char *to = xasprintf(NEW_ROOT "/dev/%s", name);
	_cleanup_(closep) int fd = open(to, O_CREAT | O_WRONLY | O_CLOEXEC, 0666);

	must(fd >= 0 && !mount(from, to, NULL, MS_BIND, NULL), from);
}

static void make_root(void)
{
	static const char *const folders[] = {"bin",   "sbin",	 "lib", "lib32",
					      "lib64", "libx32", "usr", "etc"};
	static const char *const devices[] = {"null", "zero", "full", "random", "urandom", "tty"};
	static const char *const empty[] = {"/proc", "/dev", "/dev/pts", "/dev/shm", "/tmp",
					    "/root", "/run", "/sys",	 "/var"};

	must(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mounts of its own");
	must(!mount("tmpfs", NEW_ROOT, "tmpfs", 0, "mode=755"), "a root in memory");
	for (size_t i = 0; i < array_size(folders); i++)
		lend(folders[i]);
	for (size_t i = 0; i < array_size(empty); i++) {
		_cleanup_(freep) char *path = xasprintf(NEW_ROOT "%s", empty[i]);

		must(!mkdir(path, 0755), empty[i]);
	}
	must(!mount("proc", NEW_ROOT "/proc", "proc", 0, NULL), "/proc");
	must(!mount("devpts", NEW_ROOT "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666"),
	     "/dev/pts");
	must(!symlink("pts/ptmx", NEW_ROOT "/dev/ptmx"), "/dev/ptmx");
	for (size_t i = 0; i < array_size(devices); i++)
		lend_device(devices[i]);
	must(!chmod(NEW_ROOT "/tmp", 01777), "/tmp");
	must(!chdir(NEW_ROOT) && !syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(!umount2(".", MNT_DETACH) && !chdir("/"), "leaving the host's root");
}

static void loopback_up(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	_cleanup_(closep) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(fd >= 0 && !ioctl(fd, SIOCSIFFLAGS, &lo), "loopback interface");
}

static _Noreturn void be_container(const char *command, int said)
{
	static char *const environment[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
		"LC_ALL=C", NULL};
	char *const argv[] = {"sh", "-c", (char *)command, NULL};
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t none;

	/* Its maker may be killed: then it goes, too. */
	must(!prctl(PR_SET_PDEATHSIG, SIGKILL), "its end with its maker");
	dup2(said, STDERR_FILENO);
	must(null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(null, STDOUT_FILENO) >= 0,
	     "/dev/null");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	make_root();
	loopback_up();
	execve("/bin/sh", argv, environment);
	must(false, "/bin/sh");
	_exit(CANNOT_MAKE);
}

/* ---- outside ----------------------------------------------------------------------------- */

static int write_file(const char *folder, const char *name, const char *text)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s", folder, name);
	_cleanup_(closep) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

/* Folders of those whose maker was killed. */
static int remove_stale(void *arg, const char *name)
{
	const char *folder = arg;
	uint64_t maker;

	if (!str_starts(name, PREFIX) || parse_u64(name + strlen(PREFIX), &maker) ||
	    maker > INT_MAX || !kill((pid_t)maker, 0) || errno != ESRCH)
		return 0;
	_cleanup_(freep) char *path = xasprintf("%s/%s", folder, name);
	rmdir(path); /* one that is in use stays */
	return 0;
}

/* Without a bound a command that is to run out of memory would take the machine's. */
static void bound_memory(struct throwaway *t)
{
	_cleanup_(freep) char *folder = xasprintf(CGROUP_V1_MEMORY "/" PREFIX "%d", getpid());

	if (!write_file(t->cgroup, "memory.max", MEMORY_LIMIT))
		return;
	host_each("", CGROUP_V1_MEMORY, remove_stale, CGROUP_V1_MEMORY);
	if (mkdir(folder, 0755))
		return;
	t->memory = take(folder);
	write_file(t->memory, "memory.limit_in_bytes", MEMORY_LIMIT);
}

static int make_cgroup(struct throwaway *t, int *ret_fd, struct err *err)
{
	_cleanup_(buf_done) struct buf mounts;
	_cleanup_(freep) char *root = NULL;
	struct stat st;
	int r;

	buf_init(&mounts, 1u << 20);
	r = buf_read_file(&mounts, AT_FDCWD, "/proc/self/mountinfo");
	if (!r)
		root = proc_parse_cgroup2_mount(buf_cstr(&mounts));
	if (!root)
		return err_set(err, -ENOTSUP, "no cgroup v2 is mounted to make a container in");
	host_each("", root, remove_stale, root);
	t->cgroup = xasprintf("%s/" PREFIX "%d", root, getpid());
	if (mkdir(t->cgroup, 0755) || stat(t->cgroup, &st)) {
		r = err_set(err, -errno, "cannot make the cgroup %s: %s", t->cgroup,
			    strerror(errno));
		return r;
	}
	t->cgroup_id = st.st_ino;
	bound_memory(t);
	*ret_fd = open(t->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? err_set(err, -errno, "cannot open %s", t->cgroup) : 0;
}

/* The child waits at `go` until it is in all its cgroups. */
static pid_t clone_into(struct throwaway *t, int cgroup)
{
	struct clone_args args = {
		.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
			 CLONE_INTO_CGROUP | CLONE_PIDFD,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cgroup,
		.pidfd = (uintptr_t)&t->pidfd,
	};

	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

static void join_memory(const struct throwaway *t)
{
	_cleanup_(freep) char *pid = xasprintf("%d", t->pid);

	if (t->memory)
		write_file(t->memory, "cgroup.procs", pid);
}

int throwaway_start(struct throwaway *t, const char *command, struct err *err)
{
	_cleanup_(closep) int cgroup = -1;
	int said[2], go[2], r;
	char byte = 0;

	r = make_cgroup(t, &cgroup, err);
	if (r)
		return r;
	if (pipe2(said, O_CLOEXEC | O_NONBLOCK))
		return err_set(err, -errno, "cannot make a pipe");
	t->said_fd = said[0];
	_cleanup_(closep) int said_to = said[1];
	if (pipe2(go, O_CLOEXEC))
		return err_set(err, -errno, "cannot make a pipe");
	_cleanup_(closep) int wait = go[0];
	_cleanup_(closep) int let_go = go[1];
	t->pid = clone_into(t, cgroup);
	if (t->pid < 0) {
		r = -errno;
		t->pid = 0;
		return err_set(err, r, "cannot make a container: %s", strerror(-r));
	}
	if (!t->pid) {
		closep(&let_go);
		must(read(wait, &byte, 1) == 1, "its start");
		be_container(command, said_to);
	}
	join_memory(t);
	return write(let_go, &byte, 1) == 1 ? 0 : err_set(err, -errno, "cannot start it");
}

bool throwaway_ended(struct throwaway *t, int *ret_status, char *said, size_t room)
{
	struct pollfd end = {.fd = t->pidfd, .events = POLLIN};
	ssize_t n;
	int status;

	if (poll(&end, 1, 0) <= 0 || waitpid(t->pid, &status, 0) != t->pid)
		return false;
	t->pid = 0;
	*ret_status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	n = read(t->said_fd, said, room - 1);
	said[n > 0 ? n : 0] = '\0';
	said[strcspn(said, "\n")] = '\0';
	return true;
}

static void remove_folder(char *folder)
{
	/* Its last process may still be on its way out. */
	for (int i = 0; folder && rmdir(folder) && errno == EBUSY && i < 100; i++)
		usleep(10000);
	free(folder);
}

void throwaway_end(struct throwaway *t)
{
	if (t->pid > 0) {
		kill(t->pid, SIGKILL); /* process 1: all others go with it */
		waitpid(t->pid, NULL, 0);
	}
	closep(&t->pidfd);
	closep(&t->said_fd);
	remove_folder(t->cgroup);
	remove_folder(t->memory);
	*t = (struct throwaway)THROWAWAY_INIT;
}
