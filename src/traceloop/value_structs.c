// SPDX-License-Identifier: Apache-2.0
/* Structs that system calls take or give, as strace(1) shows them. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "base/buf.h"
#include "base/mem.h"
#include "traceloop/flags.h"
#include "traceloop/kernel_structs.h"
#include "traceloop/kinds.h"

#ifndef SA_RESTORER
#define SA_RESTORER 0x04000000
#endif

/* What it points to, as a T; it is all there (kinds.def). */
#define GET(T, name, v) \
	T name;         \
	memcpy(&name, (v)->bytes, sizeof(name))

/* ---- numbers --------------------------------------------------------------------- */

void value_ints(const struct value *v, struct buf *out)
{
	GET(int32_t, value, v);

	buf_char(out, '[');
	buf_i64(out, value);
	buf_char(out, ']');
}

void value_fd_pair(const struct value *v, struct buf *out)
{
	GET(
		struct { int32_t fd[2]; }, pair, v);

	buf_printf(out, "[%d, %d]", pair.fd[0], pair.fd[1]);
}

void value_offset(const struct value *v, struct buf *out)
{
	GET(int64_t, value, v);

	buf_char(out, '[');
	buf_i64(out, value);
	buf_char(out, ']');
}

/* ---- files ----------------------------------------------------------------------- */

static void put_type_and_mode(struct buf *out, uint32_t mode)
{
	flags_text(FLAGS_file_type, mode & S_IFMT, out);
	buf_char(out, '|');
	put_mode(out, mode & 07777);
}

static void put_size_or_dev(struct buf *out, const char *prefix, uint32_t mode, uint64_t size,
			    uint64_t dev)
{
	if (S_ISCHR(mode) || S_ISBLK(mode))
		buf_printf(out, ", %srdev=makedev(%#x, %#x)", prefix, major(dev), minor(dev));
	else
		buf_printf(out, ", %ssize=%llu", prefix, (unsigned long long)size);
}

void value_stat(const struct value *v, struct buf *out)
{
	GET(struct stat, st, v);

	buf_str(out, "{st_mode=");
	put_type_and_mode(out, st.st_mode);
	put_size_or_dev(out, "st_", st.st_mode, (uint64_t)st.st_size, st.st_rdev);
	buf_str(out, ", ...}");
}

void value_statx(const struct value *v, struct buf *out)
{
	GET(struct statx, st, v);

	buf_str(out, "{stx_mask=");
	flags_text(FLAGS_statx_mask, st.stx_mask, out);
	buf_str(out, ", stx_attributes=");
	if (st.stx_attributes)
		put_hex(out, st.stx_attributes);
	else
		buf_char(out, '0');
	buf_str(out, ", stx_mode=");
	put_type_and_mode(out, st.stx_mode);
	put_size_or_dev(out, "stx_", st.stx_mode, st.stx_size,
			makedev(st.stx_rdev_major, st.stx_rdev_minor));
	buf_str(out, ", ...}");
}

void value_statfs(const struct value *v, struct buf *out)
{
	GET(struct statfs, st, v);

	buf_printf(out, "{f_type=%#llx, f_bsize=%lld, f_blocks=%llu, f_bfree=%llu, ...}",
		   (unsigned long long)st.f_type, (long long)st.f_bsize,
		   (unsigned long long)st.f_blocks, (unsigned long long)st.f_bfree);
}

void value_open_how(const struct value *v, struct buf *out)
{
	GET(struct open_how, how, v);

	buf_str(out, "{flags=");
	put_open_flags(out, how.flags);
	if (how.mode) {
		buf_str(out, ", mode=");
		put_mode(out, how.mode);
	}
	buf_str(out, ", resolve=");
	if (how.resolve)
		put_hex(out, how.resolve);
	else
		buf_char(out, '0');
	buf_char(out, '}');
}

/* ---- time ------------------------------------------------------------------------ */

static void put_timespec(struct buf *out, const struct timespec *t)
{
	if (t->tv_nsec == UTIME_NOW || t->tv_nsec == UTIME_OMIT)
		buf_str(out, t->tv_nsec == UTIME_NOW ? "UTIME_NOW" : "UTIME_OMIT");
	else
		buf_printf(out, "{tv_sec=%lld, tv_nsec=%ld}", (long long)t->tv_sec, t->tv_nsec);
}

static void put_timeval(struct buf *out, const struct timeval *t)
{
	buf_printf(out, "{tv_sec=%lld, tv_usec=%ld}", (long long)t->tv_sec, (long)t->tv_usec);
}

void value_timespec(const struct value *v, struct buf *out)
{
	GET(struct timespec, t, v);

	put_timespec(out, &t);
}

void value_timespec_pair(const struct value *v, struct buf *out)
{
	GET(
		struct { struct timespec t[2]; }, pair, v);

	buf_char(out, '[');
	put_timespec(out, &pair.t[0]);
	buf_str(out, ", ");
	put_timespec(out, &pair.t[1]);
	buf_char(out, ']');
}

void value_timeval(const struct value *v, struct buf *out)
{
	GET(struct timeval, t, v);

	put_timeval(out, &t);
}

void value_itimerval(const struct value *v, struct buf *out)
{
	GET(struct itimerval, t, v);

	buf_str(out, "{it_interval=");
	put_timeval(out, &t.it_interval);
	buf_str(out, ", it_value=");
	put_timeval(out, &t.it_value);
	buf_char(out, '}');
}

void value_itimerspec(const struct value *v, struct buf *out)
{
	GET(struct itimerspec, t, v);

	buf_str(out, "{it_interval=");
	put_timespec(out, &t.it_interval);
	buf_str(out, ", it_value=");
	put_timespec(out, &t.it_value);
	buf_char(out, '}');
}

/* Of some operations it is no time, but a number, or nothing. */
void value_futex_time(const struct value *v, struct buf *out)
{
	uint32_t op = (uint32_t)v->args[1] & (uint32_t)FUTEX_CMD_MASK;

	if (op == FUTEX_WAKE || op == FUTEX_WAKE_BITSET || op == FUTEX_UNLOCK_PI ||
	    op == FUTEX_TRYLOCK_PI)
		return;
	if (op == FUTEX_REQUEUE || op == FUTEX_CMP_REQUEUE || op == FUTEX_WAKE_OP)
		buf_u64(out, (uint32_t)value_raw(v));
	else
		value_timespec(v, out);
}

/* ---- processes ------------------------------------------------------------------- */

static void put_limit(struct buf *out, uint64_t limit)
{
	if (limit == RLIM_INFINITY)
		buf_str(out, "RLIM64_INFINITY");
	else if (limit > 1024 && limit % 1024 == 0)
		buf_printf(out, "%llu*1024", (unsigned long long)limit / 1024);
	else
		buf_u64(out, limit);
}

void value_rlimits(const struct value *v, struct buf *out)
{
	GET(struct rlimit, limit, v);

	buf_str(out, "{rlim_cur=");
	put_limit(out, limit.rlim_cur);
	buf_str(out, ", rlim_max=");
	put_limit(out, limit.rlim_max);
	buf_char(out, '}');
}

void value_status(const struct value *v, struct buf *out)
{
	GET(int32_t, status, v);

	if (!v->ret) {
		put_pointer(out, value_raw(v)); /* nothing was written */
		return;
	}
	buf_str(out, "[{");
	if (WIFEXITED(status)) {
		buf_printf(out, "WIFEXITED(s) && WEXITSTATUS(s) == %d", WEXITSTATUS(status));
	} else if (WIFSIGNALED(status)) {
		buf_str(out, "WIFSIGNALED(s) && WTERMSIG(s) == ");
		put_signal(out, WTERMSIG(status));
		buf_str(out, WCOREDUMP(status) ? " && WCOREDUMP(s)" : "");
	} else if (WIFSTOPPED(status)) {
		buf_str(out, "WIFSTOPPED(s) && WSTOPSIG(s) == ");
		put_signal(out, WSTOPSIG(status));
	} else {
		buf_str(out, "WIFCONTINUED(s)");
	}
	buf_str(out, "}]");
}

void value_siginfo(const struct value *v, struct buf *out)
{
	GET(struct kernel_siginfo, info, v);

	if (!info.signo) {
		buf_str(out, "{}");
		return;
	}
	buf_str(out, "{si_signo=");
	put_signal(out, (uint32_t)info.signo);
	buf_printf(out, ", si_code=%d, si_pid=%d, si_uid=%u, si_status=%d, ...}", info.code,
		   info.pid, info.uid, info.status);
}

void value_utsname(const struct value *v, struct buf *out)
{
	GET(struct utsname, u, v);

	buf_str(out, "{sysname=");
	put_quoted(out, u.sysname, (uint32_t)strnlen(u.sysname, sizeof(u.sysname)), false);
	buf_str(out, ", nodename=");
	put_quoted(out, u.nodename, (uint32_t)strnlen(u.nodename, sizeof(u.nodename)), false);
	buf_str(out, ", ...}");
}

void value_clone_args(const struct value *v, struct buf *out)
{
	GET(struct kernel_clone_args, a, v);

	buf_str(out, "{flags=");
	flags_text(FLAGS_clone_flags, a.flags, out);
	buf_str(out, ", exit_signal=");
	put_signal(out, a.exit_signal);
	buf_str(out, ", stack=");
	put_pointer(out, a.stack);
	buf_str(out, ", stack_size=");
	if (a.stack_size)
		put_hex(out, a.stack_size);
	else
		buf_char(out, '0');
	buf_str(out, ", ...}");
}

void value_cap_header(const struct value *v, struct buf *out)
{
	GET(struct __user_cap_header_struct, head, v);

	buf_str(out, "{version=");
	if (head.version == _LINUX_CAPABILITY_VERSION_3)
		buf_str(out, "_LINUX_CAPABILITY_VERSION_3");
	else
		put_hex(out, head.version);
	buf_printf(out, ", pid=%d}", head.pid);
}

void value_cap_data(const struct value *v, struct buf *out)
{
	static const char *const names[] = {"effective", "permitted", "inheritable"};
	GET(
		struct {
			uint32_t low[3];
			uint32_t high[3];
		},
		caps, v);

	for (size_t i = 0; i < array_size(names); i++)
		buf_printf(out, "%s%s=%#llx", i ? ", " : "{", names[i],
			   (unsigned long long)caps.high[i] << 32 | caps.low[i]);
	buf_char(out, '}');
}

void value_cpu_set(const struct value *v, struct buf *out)
{
	const unsigned char *bytes = v->bytes;
	const char *between = "[";

	for (uint32_t cpu = 0; cpu < v->size * 8; cpu++) {
		if (!(bytes[cpu / 8] >> cpu % 8 & 1))
			continue;
		buf_str(out, between);
		buf_u64(out, cpu);
		between = " ";
	}
	buf_str(out, *between == '[' ? "[]" : "]");
}

/* ---- signals --------------------------------------------------------------------- */

static unsigned int count_bits(uint64_t set)
{
	return (unsigned int)__builtin_popcountll(set);
}

/* "[INT CHLD]"; where most are in it those that are not: "~[KILL]". */
static void put_sigset(struct buf *out, uint64_t set)
{
	const char *between = "";

	if (count_bits(set) > 32) {
		buf_char(out, '~');
		set = ~set;
	}
	buf_char(out, '[');
	for (int i = 1; i <= 64; i++) {
		const char *name = i < 32 ? sigabbrev_np(i) : NULL;

		if (!(set >> (i - 1) & 1))
			continue;
		buf_str(out, between);
		if (name)
			buf_str(out, name);
		else
			buf_printf(out, i == 32 ? "RTMIN" : "RT_%d", i - 32);
		between = " ";
	}
	buf_char(out, ']');
}

void value_sigset(const struct value *v, struct buf *out)
{
	GET(uint64_t, set, v);

	put_sigset(out, set);
}

void value_sigaction(const struct value *v, struct buf *out)
{
	GET(struct kernel_sigaction, a, v);

	buf_str(out, "{sa_handler=");
	if (a.handler < 2)
		buf_str(out, a.handler ? "SIG_IGN" : "SIG_DFL");
	else
		put_hex(out, a.handler);
	buf_str(out, ", sa_mask=");
	put_sigset(out, a.mask);
	buf_str(out, ", sa_flags=");
	flags_text(FLAGS_sa_flags, a.flags, out);
	if (a.flags & SA_RESTORER) {
		buf_str(out, ", sa_restorer=");
		put_pointer(out, a.restorer);
	}
	buf_char(out, '}');
}

/* ---- waiting for files ----------------------------------------------------------- */

void value_pollfds(const struct value *v, struct buf *out)
{
	buf_char(out, '[');
	for (uint32_t at = 0; at + sizeof(struct pollfd) <= v->size; at += sizeof(struct pollfd)) {
		struct pollfd p;

		memcpy(&p, (const char *)v->bytes + at, sizeof(p));
		buf_printf(out, "%s{fd=%d, events=", at ? ", " : "", p.fd);
		flags_text(FLAGS_poll_events, (uint16_t)p.events, out);
		buf_char(out, '}');
	}
	buf_str(out, v->cut ? ", ...]" : "]");
}

static void put_epoll_event(struct buf *out, const void *bytes)
{
	struct epoll_event e;

	memcpy(&e, bytes, sizeof(e));
	buf_str(out, "{events=");
	flags_text(FLAGS_epoll_events, e.events, out);
	buf_printf(out, ", data={u32=%u, u64=%llu}}", e.data.u32, (unsigned long long)e.data.u64);
}

void value_epoll_events(const struct value *v, struct buf *out)
{
	const struct keep *k = &kinds[v->call->args[v->index].kind].keep;
	const char *bytes = v->bytes;

	if (k->of == LOOP_OF_CONST) {
		put_epoll_event(out, bytes);
		return;
	}
	buf_char(out, '[');
	for (uint32_t at = 0; at + sizeof(struct epoll_event) <= v->size;
	     at += sizeof(struct epoll_event)) {
		buf_str(out, at ? ", " : "");
		put_epoll_event(out, bytes + at);
	}
	buf_str(out, v->cut ? ", ...]" : "]");
}
