// SPDX-License-Identifier: Apache-2.0
/* System calls as text and JSON: a table of calls and what they look like; the plan of what is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "columns/format.h"
#include "loop_writer.h"
#include "traceloop/kernel_structs.h"
#include "traceloop/print.h"

#define LANE 16384u

struct part {
	uint8_t arg;
	bool at_exit;
	const void *bytes;
	uint32_t size, whole;
};

struct call {
	const char *name;
	uint64_t args[LOOP_ARGS];
	int64_t ret;
	struct part parts[3];
	const char *text;
};

#define TEXT(arg, s) {arg, false, s, sizeof(s) - 1, sizeof(s) - 1}
#define CUT(arg, s, whole) {arg, false, s, sizeof(s) - 1, whole}
#define OUT(arg, s) {arg, true, s, sizeof(s) - 1, sizeof(s) - 1}
#define IN_VALUE(arg, v) {arg, false, &(v), sizeof(v), sizeof(v)}
#define OUT_VALUE(arg, v) {arg, true, &(v), sizeof(v), sizeof(v)}
#define AT (uint64_t)AT_FDCWD

static const struct stat file = {.st_mode = S_IFREG | 0644, .st_size = 840};
static const struct stat null = {.st_mode = S_IFCHR | 0666, .st_rdev = 0x103};
static const struct timespec second = {1, 500};
static const struct rlimit limit = {8192 * 1024, RLIM_INFINITY};
static const struct kernel_sigaction ignore = {.handler = 1, .flags = 0x10000000};
static const uint64_t two_signals = 1ull << 1 | 1ull << 16;
static const struct sockaddr_in local = {AF_INET, 0x5000, {0x0100007f}, {0}};
static const struct sockaddr_in6 local6 = {.sin6_family = AF_INET6, .sin6_port = 0x5000,
					   .sin6_addr.s6_addr[15] = 1};
static const struct pollfd polled = {5, POLLIN, 0};
static const struct epoll_event event = {.events = EPOLLIN, .data.u64 = 7};
static const int32_t pair[2] = {3, 4}, one = 1, exited_7 = 7 << 8, killed = 11;
static const char unix_name[] = "\1\0/run/x";

static const struct call table[] = {
	{"read", {3, 0x1000, 4096}, 5, {OUT(1, "hello")}, "read(3, \"hello\", 4096) = 5"},
	{"read", {3, 0x1000, 4096}, -9, {{0}},
	 "read(3, 0x1000, 4096) = -1 EBADF (Bad file descriptor)"},
	{"write", {1, 0x1000, 6}, 6, {TEXT(1, "a\tb\"\\\n")}, "write(1, \"a\\tb\\\"\\\\\\n\", 6) = 6"},
	{"write", {1, 0x1000, 2}, 2, {TEXT(1, "\0015")}, "write(1, \"\\0015\", 2) = 2"},
	{"write", {1, 0x1000, 900}, 900, {CUT(1, "aaaa", 900)}, "write(1, \"aaaa\"..., 900) = 900"},
	{"openat", {AT, 0x1000, O_RDONLY | O_CLOEXEC}, 3, {TEXT(1, "/etc/passwd")},
	 "openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY|O_CLOEXEC) = 3"},
	{"openat", {5, 0x1000, O_WRONLY | O_CREAT, 0600}, -2, {TEXT(1, "x")},
	 "openat(5, \"x\", O_WRONLY|O_CREAT, 0600) = -1 ENOENT (No such file or directory)"},
	{"close", {3}, 0, {{0}}, "close(3) = 0"},
	{"fstat", {3, 0x1000}, 0, {OUT_VALUE(1, file)},
	 "fstat(3, {st_mode=S_IFREG|0644, st_size=840, ...}) = 0"},
	{"newfstatat", {AT, 0x1000, 0x2000, AT_SYMLINK_NOFOLLOW}, 0,
	 {TEXT(1, "/dev/null"), OUT_VALUE(2, null)},
	 "newfstatat(AT_FDCWD, \"/dev/null\", {st_mode=S_IFCHR|0666, st_rdev=makedev(0x1, 0x3), "
	 "...}, AT_SYMLINK_NOFOLLOW) = 0"},
	{"lseek", {3, (uint64_t)-7, SEEK_END}, 28, {{0}}, "lseek(3, -7, SEEK_END) = 28"},
	{"mmap", {0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, (uint64_t)-1, 0},
	 0x7f0000000000, {{0}},
	 "mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = "
	 "0x7f0000000000"},
	{"mprotect", {0x5000, 4096, PROT_NONE}, 0, {{0}}, "mprotect(0x5000, 4096, PROT_NONE) = 0"},
	{"munmap", {0x5000, 4096}, 0, {{0}}, "munmap(0x5000, 4096) = 0"},
	{"brk", {0}, 0x5000, {{0}}, "brk(NULL) = 0x5000"},
	{"mremap", {0x5000, 1, 2, MREMAP_MAYMOVE, 9}, 0x6000, {{0}},
	 "mremap(0x5000, 1, 2, MREMAP_MAYMOVE) = 0x6000"},
	{"madvise", {0x5000, 4096, MADV_DONTNEED}, 0, {{0}},
	 "madvise(0x5000, 4096, MADV_DONTNEED) = 0"},
	{"rt_sigaction", {17, 0x1000, 0, 8}, 0, {IN_VALUE(1, ignore)},
	 "rt_sigaction(SIGCHLD, {sa_handler=SIG_IGN, sa_mask=[], sa_flags=SA_RESTART}, NULL, 8) = "
	 "0"},
	{"rt_sigprocmask", {0, 0x1000, 0, 8}, 0, {IN_VALUE(1, two_signals)},
	 "rt_sigprocmask(SIG_BLOCK, [INT CHLD], NULL, 8) = 0"},
	{"rt_sigprocmask", {2, 0, 0x1000, 8}, 0, {OUT_VALUE(2, two_signals)},
	 "rt_sigprocmask(SIG_SETMASK, NULL, [INT CHLD], 8) = 0"},
	{"ioctl", {0, 0x5413, 0x1000}, -25, {{0}},
	 "ioctl(0, TIOCGWINSZ, 0x1000) = -1 ENOTTY (Inappropriate ioctl for device)"},
	{"writev", {3, 0x1000, 2}, 9, {TEXT(1, "one")},
	 "writev(3, [{iov_base=\"one\", iov_len=3}, ...], 2) = 9"},
	{"readv", {3, 0x1000, 1}, 2, {OUT(1, "onetwo")},
	 "readv(3, [{iov_base=\"on\", iov_len=6}], 1) = 2"},
	{"faccessat", {AT, 0x1000, 6}, 0, {TEXT(1, "f")},
	 "faccessat(AT_FDCWD, \"f\", R_OK|W_OK) = 0"},
	{"faccessat", {AT, 0x1000, 0}, 0, {TEXT(1, "f")}, "faccessat(AT_FDCWD, \"f\", F_OK) = 0"},
	{"pipe2", {0x1000, O_CLOEXEC}, 0, {OUT_VALUE(0, pair)}, "pipe2([3, 4], O_CLOEXEC) = 0"},
	{"dup3", {3, 4, O_CLOEXEC}, 4, {{0}}, "dup3(3, 4, O_CLOEXEC) = 4"},
	{"nanosleep", {0x1000, 0}, 0, {IN_VALUE(0, second)},
	 "nanosleep({tv_sec=1, tv_nsec=500}, NULL) = 0"},
	{"clock_nanosleep", {1, 1, 0x1000, 0}, -516, {IN_VALUE(2, second)},
	 "clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, {tv_sec=1, tv_nsec=500}, NULL) = ? "
	 "ERESTART_RESTARTBLOCK (To be restarted)"},
	{"clock_gettime", {0, 0x1000}, 0, {OUT_VALUE(1, second)},
	 "clock_gettime(CLOCK_REALTIME, {tv_sec=1, tv_nsec=500}) = 0"},
	{"getpid", {0}, 77, {{0}}, "getpid() = 77"},
	{"socket", {AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 6}, 3, {{0}},
	 "socket(AF_INET, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 3"},
	{"socket", {AF_NETLINK, SOCK_RAW, 0}, 3, {{0}},
	 "socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) = 3"},
	{"connect", {3, 0x1000, 16}, -111, {IN_VALUE(1, local)},
	 "connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr(\"127.0.0.1\")}, "
	 "16) = -1 ECONNREFUSED (Connection refused)"},
	{"connect", {3, 0x1000, 28}, 0, {IN_VALUE(1, local6)},
	 "connect(3, {sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), "
	 "inet_pton(AF_INET6, \"::1\", &sin6_addr), sin6_scope_id=0}, 28) = 0"},
	{"bind", {3, 0x1000, 8}, 0, {{1, false, unix_name, 8, 8}},
	 "bind(3, {sa_family=AF_UNIX, sun_path=\"/run/x\"}, 8) = 0"},
	{"accept4", {3, 0, 0, SOCK_NONBLOCK}, 4, {{0}}, "accept4(3, NULL, NULL, SOCK_NONBLOCK) = 4"},
	{"sendto", {3, 0x1000, 1, MSG_NOSIGNAL, 0, 0}, 1, {TEXT(1, "x")},
	 "sendto(3, \"x\", 1, MSG_NOSIGNAL, NULL, 0) = 1"},
	{"recvfrom", {3, 0x1000, 9, MSG_PEEK | MSG_DONTWAIT, 0, 0}, 1, {OUT(1, "x")},
	 "recvfrom(3, \"x\", 9, MSG_PEEK|MSG_DONTWAIT, NULL, NULL) = 1"},
	{"sendmsg", {3, 0x1000, 0}, 2, {TEXT(1, "hi")},
	 "sendmsg(3, {msg_iov=[{iov_base=\"hi\", iov_len=2}], ...}, 0) = 2"},
	{"shutdown", {3, SHUT_RDWR}, 0, {{0}}, "shutdown(3, SHUT_RDWR) = 0"},
	{"setsockopt", {3, SOL_SOCKET, SO_REUSEADDR, 0x1000, 4}, 0, {IN_VALUE(3, one)},
	 "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0"},
	{"setsockopt", {3, 6, 1, 0x1000, 4}, 0, {IN_VALUE(3, one)},
	 "setsockopt(3, SOL_TCP, TCP_NODELAY, [1], 4) = 0"},
	{"clone", {CLONE_VM | CLONE_VFORK | 17, 0x1000, 0, 0, 0}, 9, {{0}},
	 "clone(CLONE_VM|CLONE_VFORK|SIGCHLD, 0x1000, NULL, NULL, 0) = 9"},
	{"execve", {0x1000, 0x2000, 0x3000}, 0, {TEXT(0, "/bin/ls"), OUT(1, "ls\0-l\0")},
	 "execve(\"/bin/ls\", [\"ls\", \"-l\"], 0x3000) = 0"},
	{"execve", {0x1000, 0x2000, 0x3000}, -2, {TEXT(0, "/no"), OUT(1, "no\0")},
	 "execve(\"/no\", [\"no\"], 0x3000) = -1 ENOENT (No such file or directory)"},
	{"wait4", {(uint64_t)-1, 0x1000, 0, 0}, 9, {OUT_VALUE(1, exited_7)},
	 "wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 7}], 0, NULL) = 9"},
	{"wait4", {9, 0x1000, 1, 0}, 9, {OUT_VALUE(1, killed)},
	 "wait4(9, [{WIFSIGNALED(s) && WTERMSIG(s) == SIGSEGV}], WNOHANG, NULL) = 9"},
	{"kill", {9, 15}, 0, {{0}}, "kill(9, SIGTERM) = 0"},
	{"tgkill", {9, 9, 40}, 0, {{0}}, "tgkill(9, 9, SIGRTMIN+6) = 0"},
	{"fcntl", {3, F_GETFL, 0}, O_RDWR | O_APPEND, {{0}},
	 "fcntl(3, F_GETFL) = 0x402 (flags O_RDWR|O_APPEND)"},
	{"fcntl", {3, F_SETFD, 1}, 0, {{0}}, "fcntl(3, F_SETFD, FD_CLOEXEC) = 0"},
	{"fcntl", {3, F_DUPFD_CLOEXEC, 10}, 10, {{0}}, "fcntl(3, F_DUPFD_CLOEXEC, 10) = 10"},
	{"flock", {3, 6}, 0, {{0}}, "flock(3, LOCK_EX|LOCK_NB) = 0"},
	{"getcwd", {0x1000, 4096}, 5, {OUT(0, "/tmp\0")}, "getcwd(\"/tmp\", 4096) = 5"},
	{"renameat2", {AT, 0x1000, AT, 0x2000, 1}, 0, {TEXT(1, "a"), TEXT(3, "b")},
	 "renameat2(AT_FDCWD, \"a\", AT_FDCWD, \"b\", RENAME_NOREPLACE) = 0"},
	{"mkdirat", {AT, 0x1000, 0755}, -17, {TEXT(1, "d")},
	 "mkdirat(AT_FDCWD, \"d\", 0755) = -1 EEXIST (File exists)"},
	{"unlinkat", {AT, 0x1000, AT_REMOVEDIR}, 0, {TEXT(1, "d")},
	 "unlinkat(AT_FDCWD, \"d\", AT_REMOVEDIR) = 0"},
	{"mknodat", {AT, 0x1000, S_IFCHR | 0600, 0x103}, 0, {TEXT(1, "n")},
	 "mknodat(AT_FDCWD, \"n\", S_IFCHR|0600, makedev(0x1, 0x3)) = 0"},
	{"umask", {022}, 077, {{0}}, "umask(022) = 077"},
	{"prlimit64", {0, RLIMIT_STACK, 0, 0x1000}, 0, {OUT_VALUE(3, limit)},
	 "prlimit64(0, RLIMIT_STACK, NULL, {rlim_cur=8192*1024, rlim_max=RLIM64_INFINITY}) = 0"},
	{"mount", {0x1000, 0x2000, 0x3000, 3, 0}, 0,
	 {TEXT(0, "none"), TEXT(1, "/mnt"), TEXT(2, "tmpfs")},
	 "mount(\"none\", \"/mnt\", \"tmpfs\", MS_RDONLY|MS_NOSUID, NULL) = 0"},
	{"futex", {0x1000, 128, 2, 0, 0x2000, 5}, -11, {{0}},
	 "futex(0x1000, FUTEX_WAIT_PRIVATE, 2, NULL) = -1 EAGAIN (Resource temporarily "
	 "unavailable)"},
	{"ppoll", {0x1000, 1, 0, 0, 8}, 1, {IN_VALUE(0, polled)},
	 "ppoll([{fd=5, events=POLLIN}], 1, NULL, NULL, 8) = 1"},
	{"epoll_ctl", {3, 1, 4, 0x1000}, 0, {IN_VALUE(3, event)},
	 "epoll_ctl(3, EPOLL_CTL_ADD, 4, {events=EPOLLIN, data={u32=7, u64=7}}) = 0"},
	{"epoll_pwait", {3, 0x1000, 8, (uint64_t)-1, 0, 8}, 1, {OUT_VALUE(1, event)},
	 "epoll_pwait(3, [{events=EPOLLIN, data={u32=7, u64=7}}], 8, -1, NULL, 8) = 1"},
	{"eventfd2", {3, 04000}, 4, {{0}}, "eventfd2(3, EFD_NONBLOCK) = 4"},
	{"prctl", {15, 0x1000, 0, 0, 0}, 0, {{0}}, "prctl(PR_SET_NAME, 0x1000, 0, 0, 0) = 0"},
	{"getrandom", {0x1000, 3, 1}, 3, {OUT(0, "\377\0a")},
	 "getrandom(\"\\377\\0a\", 3, GRND_NONBLOCK) = 3"},
	{"memfd_create", {0x1000, 1}, 3, {TEXT(0, "m")}, "memfd_create(\"m\", MFD_CLOEXEC) = 3"},
	{"seccomp", {1, 0, 0x1000}, 0, {{0}}, "seccomp(SECCOMP_SET_MODE_FILTER, 0, 0x1000) = 0"},
	{"setxattr", {0x1000, 0x2000, 0x3000, 5, 1}, -95,
	 {TEXT(0, "f"), TEXT(1, "user.a"), TEXT(2, "value")},
	 "setxattr(\"f\", \"user.a\", \"value\", 5, XATTR_CREATE) = -1 EOPNOTSUPP (Operation not "
	 "supported)"},
	{"inotify_add_watch", {3, 0x1000, 0x300}, 1, {TEXT(1, "/tmp")},
	 "inotify_add_watch(3, \"/tmp\", IN_CREATE|IN_DELETE) = 1"},
};

static void write_call(struct writer *w, const struct call *c)
{
	int nr = syscall_number(c->name);
	unsigned int n = syscall_n_args(syscall_find(nr));

	assert_true(nr >= 0);
	writer_enter(w, nr, 12, 1000, c->args, n);
	for (size_t i = 0; i < array_size(c->parts); i++)
		if (c->parts[i].bytes && !c->parts[i].at_exit)
			writer_part(w, c->parts[i].arg, c->parts[i].bytes, c->parts[i].size,
				    c->parts[i].whole);
	writer_end(w);
	writer_exit(w, nr, 12, 5000, c->ret);
	for (size_t i = 0; i < array_size(c->parts); i++)
		if (c->parts[i].bytes && c->parts[i].at_exit)
			writer_part(w, c->parts[i].arg, c->parts[i].bytes, c->parts[i].size,
				    c->parts[i].whole);
	writer_end(w);
}

static void print_part(struct writer *w, const struct loop_window *part, bool json, struct buf *out)
{
	const struct clock_base clock = {0};
	struct lane_copy lane;
	struct loop_dump d;

	lane_copy(w->lane, LANE, &lane);
	loop_dump_make(&lane, 1, &d);
	if (json)
		loop_print_json(&d, part, &clock, NULL, out);
	else
		loop_print_text(&d, part, &clock, out);
	loop_dump_done(&d);
}

static void print(struct writer *w, bool json, struct buf *out)
{
	print_part(w, &loop_whole, json, out);
}

static void test_table(void **state)
{
	_cleanup_(buf_done) struct buf out = {.max = 1 << 20};

	for (size_t i = 0; i < array_size(table); i++) {
		static const char before[] = " cpu0 [12] prog ";
		const char *text;
		struct writer w;

		writer_init(&w, LANE);
		write_call(&w, &table[i]);
		buf_clear(&out);
		print(&w, false, &out);
		text = strstr(buf_cstr(&out), before);
		assert_non_null(text);
		text += sizeof(before) - 1;
		*strstr(text, " <0.000004>\n") = '\0';
		assert_string_equal(text, table[i].text);
		writer_done(&w);
	}
	assert_true(array_size(table) >= 60);
}

static void test_json(void **state)
{
	static const struct call c = {"openat", {AT, 0x1000, 0}, -2, {CUT(1, "/a\"b", 9)}, NULL};
	_cleanup_(buf_done) struct buf out = {.max = 1 << 20};
	struct writer w;

	writer_init(&w, LANE);
	write_call(&w, &c);
	print(&w, true, &out);
	assert_string_equal(
		buf_cstr(&out),
		"{\"timestamp\":\"1970-01-01T00:00:00.000001000Z\",\"cpu\":0,\"pid\":12,\"tid\":12,"
		"\"comm\":\"prog\",\"syscall\":\"openat\",\"parameters\":["
		"{\"name\":\"dfd\",\"value\":\"AT_FDCWD\"},"
		"{\"name\":\"filename\",\"value\":\"/a\\\"b\",\"truncated\":true},"
		"{\"name\":\"flags\",\"value\":\"O_RDONLY\"},{\"name\":\"mode\",\"value\":\"\"}],"
		"\"ret\":-2,\"error\":\"ENOENT\",\"latency\":4000}\n");
	writer_done(&w);
}

/* Without an exit, without an entry, with a number that nobody knows. */
static void test_halves(void **state)
{
	_cleanup_(buf_done) struct buf out = {.max = 1 << 20};
	static const uint64_t args[] = {3, 0x1000, 64, 0, 0, 0};
	struct writer w;

	writer_init(&w, LANE);
	writer_exit(&w, syscall_number("execve"), 12, 100, 0);
	writer_part(&w, 1, "sh\0-c\0", 6, 6);
	writer_end(&w);
	writer_enter(&w, 507, 12, 200, args, 6);
	writer_end(&w);
	writer_enter(&w, syscall_number("read"), 12, 300, args, 3);
	writer_end(&w);
	writer_enter(&w, syscall_number("exit_group"), 13, 400, args, 1);
	writer_end(&w);
	print(&w, false, &out);
	assert_non_null(strstr(buf_cstr(&out), "[12] ... execve(?, [\"sh\", \"-c\"], ?) = 0\n"));
	assert_non_null(strstr(buf_cstr(&out), "prog syscall_507(0x3, 0x1000, 0x40, 0, 0, 0) ...\n"));
	assert_non_null(strstr(buf_cstr(&out), "prog read(3, 0x1000, 64) ...\n"));
	assert_non_null(strstr(buf_cstr(&out), "[13] prog exit_group(3) = ?\n"));
	writer_done(&w);
}

static size_t count_of(const char *text, const char *word)
{
	size_t n = 0;

	for (; (text = strstr(text, word)); text++)
		n++;
	return n;
}

/* Cut anywhere, the parts have each line once: a call that is cut has two, of JSON one. */
static void test_parts(void **state)
{
	static const uint64_t args[] = {3, 0x1000, 64};
	static const char *const names[] = {"close", "read"};
	struct writer w;

	writer_init(&w, LANE);
	for (uint32_t i = 0; i < 2; i++) {
		writer_enter(&w, syscall_number(names[i]), 12, 1000 + 200 * i, args, 1 + 2 * i);
		writer_end(&w);
		writer_exit(&w, syscall_number(names[i]), 12, 1100 + 200 * i, 0);
		writer_end(&w);
	}
	writer_enter(&w, syscall_number("pause"), 12, 1400, args, 0);
	writer_end(&w);
	writer_enter(&w, syscall_number("exit"), 13, 1500, args, 1);
	writer_end(&w);
	for (uint64_t cut = 950; cut < 1600; cut += 50) {
		const struct loop_window parts[] = {{0, cut, false}, {cut, UINT64_MAX, true}};
		_cleanup_(buf_done) struct buf text = {.max = 1 << 20}, json = {.max = 1 << 20};
		bool in_call = (cut >= 1000 && cut < 1100) || (cut >= 1200 && cut < 1300);

		for (size_t i = 0; i < array_size(parts); i++) {
			print_part(&w, &parts[i], false, &text);
			print_part(&w, &parts[i], true, &json);
		}
		assert_int_equal(count_of(buf_cstr(&text), "\n"), 4 + in_call);
		assert_int_equal(count_of(text.data, ") = 0"), 2);
		assert_int_equal(count_of(text.data, " prog ... "), in_call);
		assert_int_equal(count_of(buf_cstr(&json), "\n"), 4);
		assert_int_equal(count_of(json.data, "\"ret\":0,"), 2);
		assert_int_equal(count_of(json.data, "\"ret\":null"), 2);
	}
	writer_done(&w);
}

static void test_plan(void **state)
{
	static struct loop_call plan[LOOP_CALLS + 1];
	const struct loop_call *c;
	struct err err = {0};

	assert_int_equal(syscall_plan(NULL, plan, &err), 0);
	c = &plan[syscall_number("write")];
	assert_true(c->kept && c->n_args == 3 && c->n_probes == 1);
	assert_true(c->probes[0].kind == LOOP_PROBE_BYTES && c->probes[0].arg == 1);
	assert_int_equal(c->probes[0].of, LOOP_OF_ARG + 2);
	c = &plan[syscall_number("accept")];
	assert_int_equal(c->probes[0].of, LOOP_OF_POINTER + 2);
	assert_true(plan[syscall_number("execve")].executes);
	assert_true(plan[LOOP_CALLS].kept && plan[LOOP_CALLS].n_args == LOOP_ARGS);
	assert_int_equal(syscall_plan("openat,close", plan, &err), 0);
	assert_true(plan[syscall_number("openat")].kept && plan[syscall_number("close")].kept);
	assert_false(plan[syscall_number("read")].kept || plan[LOOP_CALLS].kept);
	assert_int_equal(syscall_plan("openat,nonsense", plan, &err), -EINVAL);
	assert_string_equal(err.text, "no system call 'nonsense'");
}

/* Whatever arguments point to must fit into a record, and be read within its bounds. */
static void test_plan_fits(void **state)
{
	static struct loop_call plan[LOOP_CALLS + 1];
	size_t calls = 0;

	assert_int_equal(syscall_plan("", plan, NULL), 0);
	for (int nr = 0; nr < LOOP_CALLS; nr++) {
		const struct loop_call *c = &plan[nr];
		size_t bytes = sizeof(struct loop_enter) + LOOP_ARGS * 8 + sizeof(struct loop_footer);

		calls += syscall_find(nr) != NULL;
		for (unsigned int i = 0; i < c->n_probes; i++) {
			assert_true(c->probes[i].max && c->probes[i].max <= LOOP_TEXT);
			assert_true(c->probes[i].arg < c->n_args);
			bytes += sizeof(struct loop_part) + c->probes[i].max;
		}
		assert_true(bytes <= LOOP_RECORD);
	}
	assert_true(calls > 300);
	assert_null(syscall_find(-1));
	assert_null(syscall_find(100000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table), cmocka_unit_test(test_json),
		cmocka_unit_test(test_halves), cmocka_unit_test(test_plan),
		cmocka_unit_test(test_plan_fits), cmocka_unit_test(test_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
