// SPDX-License-Identifier: Apache-2.0
/* Numbers that have names: errors, signals, flags, protocols, states, values of an enum. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/parse.h"
#include "columns/format_internal.h"

struct name {
	int64_t value;
	const char *name;
};

static void table_text(const struct name *names, size_t n, const struct field *f,
		       const struct row *row, struct buf *out)
{
	int64_t value;

	if (!row_number(row, f, &value))
		return;
	for (size_t i = 0; i < n; i++)
		if (names[i].value == value) {
			buf_str(out, names[i].name);
			return;
		}
	buf_i64(out, value);
}

static int table_parse(const struct name *names, size_t n, const char *word, int64_t *ret)
{
	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(names[i].name, word)) {
			*ret = names[i].value;
			return 0;
		}
	return -EINVAL;
}

/* ---- errors and signals -------------------------------------------------------------------- */

enum { ERRNO_LAST = 4095 };

void errno_text(FORMAT_ARGS)
{
	int64_t value;
	const char *name;

	if (!row_number(row, f, &value) || !value)
		return;
	name = value > 0 && value <= ERRNO_LAST ? strerrorname_np((int)value) : NULL;
	if (name)
		buf_str(out, name);
	else
		buf_i64(out, value);
}

int errno_parse(const struct field *f, const char *word, int64_t *ret)
{
	if (!*word) { /* as it is shown: no error */
		*ret = 0;
		return 0;
	}
	if (!strcasecmp(word, "EWOULDBLOCK"))
		word = "EAGAIN";
	for (int i = 1; i <= ERRNO_LAST; i++) {
		const char *name = strerrorname_np(i);

		if (name && !strcasecmp(name, word)) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

/*
 * The C library keeps the kernel's first two real-time signals for itself; `kill -l` counts so,
 * too.
 */
enum { REALTIME_FIRST = 34, REALTIME_LAST = 64 };

void signal_text(FORMAT_ARGS)
{
	int64_t value;
	const char *name;

	if (!row_number(row, f, &value) || !value)
		return;
	name = value > 0 && value < REALTIME_FIRST ? sigabbrev_np((int)value) : NULL;
	if (name)
		buf_printf(out, "SIG%s", name);
	else if (value >= REALTIME_FIRST && value <= REALTIME_LAST)
		buf_printf(out, "SIGRTMIN+%d", (int)value - REALTIME_FIRST);
	else
		buf_i64(out, value);
}

int signal_parse(const struct field *f, const char *word, int64_t *ret)
{
	uint64_t plus;

	if (!*word) {
		*ret = 0;
		return 0;
	}
	if (!strncasecmp(word, "SIG", 3))
		word += 3;
	if (!strcasecmp(word, "IO")) /* the kernel's name */
		word = "POLL";
	if (!strncasecmp(word, "RTMIN+", 6) && !parse_u64(word + 6, &plus) &&
	    plus <= REALTIME_LAST - REALTIME_FIRST) {
		*ret = REALTIME_FIRST + (int64_t)plus;
		return 0;
	}
	for (int i = 1; i < REALTIME_FIRST; i++) {
		const char *name = sigabbrev_np(i);

		if (name && !strcasecmp(name, word)) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

/* include/uapi/asm-generic/siginfo.h of the kernel; what the C library may lack stands as a number */
#define FROM_ANY(code) {code, #code}
#define OF_SIGNAL(signal, code) {(signal) << 16 | (code), #code}

static const struct name signal_codes[] = {
	FROM_ANY(SI_USER),
	FROM_ANY(SI_KERNEL),
	FROM_ANY(SI_QUEUE),
	FROM_ANY(SI_TIMER),
	FROM_ANY(SI_MESGQ),
	FROM_ANY(SI_ASYNCIO),
	FROM_ANY(SI_SIGIO),
	FROM_ANY(SI_TKILL),
	FROM_ANY(SI_ASYNCNL),
	OF_SIGNAL(SIGILL, ILL_ILLOPC),
	OF_SIGNAL(SIGILL, ILL_ILLOPN),
	OF_SIGNAL(SIGILL, ILL_ILLADR),
	OF_SIGNAL(SIGILL, ILL_ILLTRP),
	OF_SIGNAL(SIGILL, ILL_PRVOPC),
	OF_SIGNAL(SIGILL, ILL_PRVREG),
	OF_SIGNAL(SIGILL, ILL_COPROC),
	OF_SIGNAL(SIGILL, ILL_BADSTK),
	OF_SIGNAL(SIGILL, ILL_BADIADDR),
	OF_SIGNAL(SIGFPE, FPE_INTDIV),
	OF_SIGNAL(SIGFPE, FPE_INTOVF),
	OF_SIGNAL(SIGFPE, FPE_FLTDIV),
	OF_SIGNAL(SIGFPE, FPE_FLTOVF),
	OF_SIGNAL(SIGFPE, FPE_FLTUND),
	OF_SIGNAL(SIGFPE, FPE_FLTRES),
	OF_SIGNAL(SIGFPE, FPE_FLTINV),
	OF_SIGNAL(SIGFPE, FPE_FLTSUB),
	OF_SIGNAL(SIGFPE, FPE_FLTUNK),
	OF_SIGNAL(SIGFPE, FPE_CONDTRAP),
	OF_SIGNAL(SIGSEGV, SEGV_MAPERR),
	OF_SIGNAL(SIGSEGV, SEGV_ACCERR),
	OF_SIGNAL(SIGSEGV, SEGV_BNDERR),
	OF_SIGNAL(SIGSEGV, SEGV_PKUERR),
	OF_SIGNAL(SIGSEGV, SEGV_MTEAERR),
	OF_SIGNAL(SIGSEGV, SEGV_MTESERR),
	OF_SIGNAL(SIGBUS, BUS_ADRALN),
	OF_SIGNAL(SIGBUS, BUS_ADRERR),
	OF_SIGNAL(SIGBUS, BUS_OBJERR),
	OF_SIGNAL(SIGBUS, BUS_MCEERR_AR),
	OF_SIGNAL(SIGBUS, BUS_MCEERR_AO),
	OF_SIGNAL(SIGTRAP, TRAP_BRKPT),
	OF_SIGNAL(SIGTRAP, TRAP_TRACE),
	OF_SIGNAL(SIGTRAP, TRAP_BRANCH),
	OF_SIGNAL(SIGTRAP, TRAP_HWBKPT),
	OF_SIGNAL(SIGTRAP, TRAP_UNK),
	OF_SIGNAL(SIGCHLD, CLD_EXITED),
	OF_SIGNAL(SIGCHLD, CLD_KILLED),
	OF_SIGNAL(SIGCHLD, CLD_DUMPED),
	OF_SIGNAL(SIGCHLD, CLD_TRAPPED),
	OF_SIGNAL(SIGCHLD, CLD_STOPPED),
	OF_SIGNAL(SIGCHLD, CLD_CONTINUED),
	OF_SIGNAL(SIGIO, POLL_IN),
	OF_SIGNAL(SIGIO, POLL_OUT),
	OF_SIGNAL(SIGIO, POLL_MSG),
	OF_SIGNAL(SIGIO, POLL_ERR),
	OF_SIGNAL(SIGIO, POLL_PRI),
	OF_SIGNAL(SIGIO, POLL_HUP),
	{SIGSEGV << 16 | 10, "SEGV_CPERR"},
	{SIGTRAP << 16 | 6, "TRAP_PERF"},
	{SIGSYS << 16 | 1, "SYS_SECCOMP"},
	{SIGSYS << 16 | 2, "SYS_USER_DISPATCH"},
};

void signal_code_text(FORMAT_ARGS)
{
	table_text(signal_codes, array_size(signal_codes), f, row, out);
}

int signal_code_parse(const struct field *f, const char *word, int64_t *ret)
{
	return table_parse(signal_codes, array_size(signal_codes), word, ret);
}

/* ---- flags --------------------------------------------------------------------------------- */

#ifdef __aarch64__
enum { KERNEL_O_LARGEFILE = 0400000 };
#else
enum { KERNEL_O_LARGEFILE = 0100000 }; /* the C library's is 0 where files are always large */
#endif

/* Those of several bits stand before the ones that they contain. */
static const struct name open_flags[] = {
	{O_CREAT, "O_CREAT"},
	{O_EXCL, "O_EXCL"},
	{O_NOCTTY, "O_NOCTTY"},
	{O_TRUNC, "O_TRUNC"},
	{O_APPEND, "O_APPEND"},
	{O_NONBLOCK, "O_NONBLOCK"},
	{O_SYNC, "O_SYNC"},
	{O_DSYNC, "O_DSYNC"},
	{O_ASYNC, "O_ASYNC"},
	{O_DIRECT, "O_DIRECT"},
	{KERNEL_O_LARGEFILE, "O_LARGEFILE"},
	{O_TMPFILE, "O_TMPFILE"},
	{O_DIRECTORY, "O_DIRECTORY"},
	{O_NOFOLLOW, "O_NOFOLLOW"},
	{O_NOATIME, "O_NOATIME"},
	{O_CLOEXEC, "O_CLOEXEC"},
	{O_PATH, "O_PATH"},
};

static const struct name access_modes[] = {
	{O_RDONLY, "O_RDONLY"},
	{O_WRONLY, "O_WRONLY"},
	{O_RDWR, "O_RDWR"},
};

static void add_flags(struct buf *out, size_t start, int64_t value, const struct name *names,
		      size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!names[i].value || (value & names[i].value) != names[i].value)
			continue;
		if (out->len > start)
			buf_char(out, '|');
		buf_str(out, names[i].name);
		value &= ~names[i].value;
	}
	if (value)
		buf_printf(out, "%s0x%llx", out->len > start ? "|" : "", (unsigned long long)value);
}

void open_flags_text(FORMAT_ARGS)
{
	size_t start = out->len;
	int64_t value, mode;

	if (!row_number(row, f, &value))
		return;
	mode = value & O_ACCMODE;
	if ((size_t)mode < array_size(access_modes)) {
		buf_str(out, access_modes[mode].name);
		value &= ~(int64_t)O_ACCMODE;
	}
	add_flags(out, start, value, open_flags, array_size(open_flags));
}

/* "O_RDWR|O_CREAT": each word by one(), or'ed. */
static int parse_flags(const struct field *f, const char *word,
		       int (*one)(const struct field *f, const char *word, int64_t *ret),
		       int64_t *ret)
{
	_cleanup_(freep) char **words = NULL;
	size_t n = split(word, '|', false, &words);
	int64_t all = 0;

	if (!n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int64_t value;

		if (one(f, words[i], &value) && parse_i64(words[i], &value))
			return -EINVAL;
		all |= value;
	}
	*ret = all;
	return 0;
}

static int open_flag_parse(const struct field *f, const char *word, int64_t *ret)
{
	return table_parse(access_modes, array_size(access_modes), word, ret) &&
			       table_parse(open_flags, array_size(open_flags), word, ret)
		       ? -EINVAL
		       : 0;
}

int open_flags_parse(const struct field *f, const char *word, int64_t *ret)
{
	return parse_flags(f, word, open_flag_parse, ret);
}

/* ---- enums --------------------------------------------------------------------------------- */

/* A type that ends in "_set" holds several of its enum's values at once. */
static bool is_set(const struct field *f)
{
	size_t len = f->type ? strlen(f->type) : 0;

	return len > 4 && !strcmp(f->type + len - 4, "_set");
}

void enum_text(FORMAT_ARGS)
{
	size_t start = out->len;
	int64_t value;

	if (!row_number(row, f, &value))
		return;
	for (uint32_t i = 0; i < f->n_enum_values; i++)
		if (f->enum_values[i].value == value) {
			buf_str(out, f->enum_values[i].name);
			return;
		}
	for (uint32_t i = 0; is_set(f) && i < f->n_enum_values; i++) {
		int64_t bits = f->enum_values[i].value;

		if (!bits || (value & bits) != bits)
			continue;
		buf_str(out, out->len > start ? "|" : "");
		buf_str(out, f->enum_values[i].name);
		value &= ~bits;
	}
	if (value || out->len == start) {
		buf_str(out, out->len > start ? "|" : "");
		buf_i64(out, value);
	}
}

static int enum_value_parse(const struct field *f, const char *word, int64_t *ret)
{
	for (uint32_t i = 0; i < f->n_enum_values; i++)
		if (!strcasecmp(f->enum_values[i].name, word)) {
			*ret = f->enum_values[i].value;
			return 0;
		}
	return -EINVAL;
}

int enum_parse(const struct field *f, const char *word, int64_t *ret)
{
	return is_set(f) ? parse_flags(f, word, enum_value_parse, ret)
			 : enum_value_parse(f, word, ret);
}

/* ---- network ------------------------------------------------------------------------------- */

static const struct name protocols[] = {
	{0, ""},
	{IPPROTO_TCP, "TCP"},
	{IPPROTO_UDP, "UDP"},
	{IPPROTO_ICMP, "ICMP"},
	{IPPROTO_ICMPV6, "ICMPV6"},
	{IPPROTO_SCTP, "SCTP"},
	{IPPROTO_UDPLITE, "UDPLITE"},
	{IPPROTO_DCCP, "DCCP"},
	{IPPROTO_IGMP, "IGMP"},
	{IPPROTO_RAW, "RAW"},
};

void ipproto_text(FORMAT_ARGS)
{
	table_text(protocols, array_size(protocols), f, row, out);
}

int ipproto_parse(const struct field *f, const char *word, int64_t *ret)
{
	return table_parse(protocols, array_size(protocols), word, ret);
}

/* include/net/tcp_states.h of the kernel */
static const struct name tcp_states[] = {
	{0, ""},
	{1, "ESTABLISHED"},
	{2, "SYN_SENT"},
	{3, "SYN_RECV"},
	{4, "FIN_WAIT1"},
	{5, "FIN_WAIT2"},
	{6, "TIME_WAIT"},
	{7, "CLOSE"},
	{8, "CLOSE_WAIT"},
	{9, "LAST_ACK"},
	{10, "LISTEN"},
	{11, "CLOSING"},
	{12, "NEW_SYN_RECV"},
};

void tcp_state_text(FORMAT_ARGS)
{
	table_text(tcp_states, array_size(tcp_states), f, row, out);
}

int tcp_state_parse(const struct field *f, const char *word, int64_t *ret)
{
	return table_parse(tcp_states, array_size(tcp_states), word, ret);
}
