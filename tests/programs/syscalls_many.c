// SPDX-License-Identifier: Apache-2.0
/*
 * syscalls_many: makes some 90 kinds of system calls, in an order that is always the same, between
 * write(-1, "begin", 5) and write(-1, "end", 3). What traceloop says of it is compared with what
 * strace says. Works in a folder of its own below /tmp.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/stat.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define FOLDER "/tmp/syscalls_many"

static char bytes[4096];

static void files(void)
{
	struct iovec vectors[] = {{"first ", 6}, {"second\n", 7}};
	struct timespec times[2] = {{.tv_sec = 1000000000}, {.tv_nsec = UTIME_NOW}};
	struct statfs fs;
	struct stat st;
	int fd, other;

	mkdirat(AT_FDCWD, FOLDER, 0755);
	chdir(FOLDER);
	getcwd(bytes, sizeof(bytes));
	fd = openat(AT_FDCWD, "file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	write(fd, "a \"line\" with \t and \001\n", 22);
	writev(fd, vectors, 2);
	pwrite64(fd, "A", 1, 0);
	lseek(fd, 0, SEEK_SET);
	read(fd, bytes, sizeof(bytes));
	pread64(fd, bytes, 5, 2);
	vectors[0] = (struct iovec){bytes, 100};
	lseek(fd, -7, SEEK_END);
	readv(fd, vectors, 1);
	memset(bytes, 'x', 1000);
	write(fd, bytes, 1000);
	fstat(fd, &st);
	fstatat(AT_FDCWD, "file", &st, AT_SYMLINK_NOFOLLOW);
	fstatat(AT_FDCWD, "/dev/null", &st, 0);
	fstatat(AT_FDCWD, "no such file", &st, 0);
	statfs("/proc", &fs);
	ftruncate(fd, 100);
	fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 8192);
	fsync(fd);
	fdatasync(fd);
	flock(fd, LOCK_EX | LOCK_NB);
	fcntl(fd, F_GETFD);
	fcntl(fd, F_SETFD, 0);
	fcntl(fd, F_GETFL);
	fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK);
	other = dup(fd);
	dup3(fd, other, O_CLOEXEC);
	fchmod(fd, 0600);
	fchown(fd, -1, -1);
	posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	close(other);
	close(fd);
	close(999);
	faccessat(AT_FDCWD, "file", R_OK | W_OK, 0);
	linkat(AT_FDCWD, "file", AT_FDCWD, "hard", 0);
	symlinkat("file", AT_FDCWD, "soft");
	readlinkat(AT_FDCWD, "soft", bytes, sizeof(bytes));
	utimensat(AT_FDCWD, "file", times, 0);
	renameat2(AT_FDCWD, "hard", AT_FDCWD, "harder", RENAME_NOREPLACE);
	fchmodat(AT_FDCWD, "file", 0400, 0);
	fchownat(AT_FDCWD, "file", -1, -1, 0);
	setxattr("file", "user.name", "value", 5, XATTR_CREATE);
	getxattr("file", "user.none", bytes, sizeof(bytes));
	unlinkat(AT_FDCWD, "harder", 0);
	unlinkat(AT_FDCWD, "soft", 0);
	umask(022);
	mknodat(AT_FDCWD, "pipe", S_IFIFO | 0600, 0);
	unlinkat(AT_FDCWD, "pipe", 0);
	mount("none", "/no/such", "tmpfs", MS_NOSUID | MS_RDONLY, "size=1m");
	umount2("/no/such", MNT_DETACH);
	openat(AT_FDCWD, "/etc", O_RDONLY | O_DIRECTORY | O_PATH);
	openat(AT_FDCWD, "missing", O_WRONLY | O_NOFOLLOW | O_NONBLOCK);
}

static void memory(void)
{
	char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd;

	mprotect(p, 4096, PROT_READ);
	mprotect(p, 4096, PROT_NONE);
	mprotect(p, 4096, PROT_READ | PROT_WRITE);
	madvise(p, 8192, MADV_DONTNEED);
	p = mremap(p, 8192, 16384, MREMAP_MAYMOVE);
	msync(p + 4096, 4096, MS_SYNC);
	munmap(p, 16384);
	mmap(NULL, 0, PROT_READ, MAP_SHARED, -1, 0);
	fd = memfd_create("memory", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	close(fd);
	getrandom(bytes, 0, GRND_NONBLOCK);
}

static void sockets(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
				 .sin_port = htons(9),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = FOLDER "/socket"}, peer;
	struct iovec v = {"message", 7};
	struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
	socklen_t size = sizeof(peer);
	int pair[2], fd, client, on = 1;

	socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
	sendto(pair[0], "hello", 5, MSG_NOSIGNAL, NULL, 0);
	recvfrom(pair[1], bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT, NULL, NULL);
	recvfrom(pair[1], bytes, sizeof(bytes), 0, NULL, NULL);
	recvfrom(pair[1], bytes, sizeof(bytes), MSG_DONTWAIT, NULL, NULL);
	sendmsg(pair[0], &m, 0);
	v.iov_base = bytes;
	v.iov_len = 100;
	recvmsg(pair[1], &m, 0);
	shutdown(pair[0], SHUT_WR);
	close(pair[0]);
	close(pair[1]);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(fd, (void *)&un, sizeof(un.sun_family) + strlen(un.sun_path) + 1);
	listen(fd, 5);
	client = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	connect(client, (void *)&un, sizeof(un.sun_family) + strlen(un.sun_path) + 1);
	close(accept4(fd, NULL, NULL, SOCK_CLOEXEC));
	getsockname(fd, (void *)&peer, &size);
	getpeername(fd, (void *)&peer, &size);
	close(client);
	close(fd);
	unlinkat(AT_FDCWD, "socket", 0);
	fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDP);
	sendto(fd, "x", 1, MSG_DONTWAIT, (void *)&in, sizeof(in));
	close(fd);
	fd = socket(AF_INET, SOCK_STREAM, IPPROTO_TCP);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, SOL_TCP, TCP_NODELAY, &on, sizeof(on));
	size = sizeof(on);
	getsockopt(fd, SOL_SOCKET, SO_TYPE, &on, &size);
	in.sin_port = htons(1);
	connect(fd, (void *)&in, sizeof(in));
	close(fd);
}

static void waiting(void)
{
	struct epoll_event e = {.events = EPOLLIN | EPOLLET, .data.u64 = 7}, got[4];
	struct itimerspec timer = {.it_value.tv_sec = 100};
	struct timespec little = {.tv_nsec = 1000};
	struct pollfd p;
	int pipes[2], epoll, fd;
	unsigned int word = 1;
	sigset_t set;

	pipe2(pipes, O_CLOEXEC | O_NONBLOCK);
	p = (struct pollfd){pipes[1], POLLOUT | POLLIN, 0};
	ppoll(&p, 1, &little, NULL);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &e);
	epoll_pwait(epoll, got, 4, 0, NULL);
	write(pipes[1], "!", 1);
	epoll_pwait(epoll, got, 4, 0, NULL);
	close(epoll);
	close(pipes[0]);
	close(pipes[1]);
	fd = eventfd(3, EFD_CLOEXEC | EFD_NONBLOCK);
	close(fd);
	fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	timerfd_settime(fd, TFD_TIMER_ABSTIME, &timer, NULL);
	close(fd);
	fd = inotify_init1(IN_NONBLOCK);
	inotify_add_watch(fd, "/tmp", IN_CREATE | IN_DELETE);
	close(fd);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	close(fd);
	syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	syscall(SYS_futex, &word, FUTEX_WAIT, 2, NULL, NULL, 0);
	nanosleep(&little, &little);
	clock_nanosleep(CLOCK_MONOTONIC, 0, &little, NULL);
	syscall(SYS_clock_getres, CLOCK_REALTIME, &little);
	sched_yield();
}

static void processes(void)
{
	static char *const args[] = {"nothing", NULL};
	struct rlimit limit;
	struct sigaction act = {.sa_handler = SIG_IGN, .sa_flags = SA_RESTART};
	struct utsname uts;
	sigset_t set;
	int status;

	sigaction(SIGUSR2, &act, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigprocmask(SIG_SETMASK, NULL, &set);
	kill(getpid(), 0);
	kill(getpid(), SIGUSR2);
	getuid();
	geteuid();
	getgid();
	getegid();
	getpgid(0);
	prlimit(0, RLIMIT_NOFILE, NULL, &limit);
	uname(&uts);
	if (!fork())
		_exit(7);
	wait4(-1, &status, 0, NULL);
	wait4(-1, &status, WNOHANG, NULL);
	syscall(SYS_execve, "/no/such/program", args, NULL);
	ioctl(0, TIOCGWINSZ, bytes);
	syscall(SYS_setpriority, PRIO_PROCESS, 0, 1);
	syscall(SYS_personality, 0xffffffff);
	syscall(SYS_sched_getparam, 0, bytes);
	syscall(SYS_membarrier, 0, 0, 0);
	syscall(SYS_kill, -1, 99);
}

int main(void)
{
	write(-1, "begin", 5);
	files();
	memory();
	sockets();
	waiting();
	processes();
	unlinkat(AT_FDCWD, "file", 0);
	chdir("/");
	unlinkat(AT_FDCWD, FOLDER, AT_REMOVEDIR);
	write(-1, "end", 3);
	return 0;
}
