// SPDX-License-Identifier: Apache-2.0
#include "traceloop/flags.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/ioprio.h>
#include <linux/membarrier.h>
#include <linux/random.h>
#include <linux/seccomp.h>
#include <linux/xattr.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>

#include "base/buf.h"
#include "base/mem.h"

#define SET(name, zero, field, names) static const struct flag_name name##_names[] = {names};
#define F(value) {(uint64_t)(value), #value},
#define N(value, name) {(uint64_t)(value), #name},
#include "traceloop/flags.def"
#undef SET

#define ALL UINT64_MAX
static const struct flag_set sets[] = {
#define SET(name, zero, field, names) \
	[FLAGS_##name] = {name##_names, array_size(name##_names), zero, field},
#include "traceloop/flags.def"
};
#undef SET
#undef F
#undef N

static const char *name_of(const struct flag_set *s, uint64_t value)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->names[i].value == value)
			return s->names[i].name;
	return NULL;
}

const char *flags_name(enum flag_set_id set, uint64_t value)
{
	return name_of(&sets[set], value);
}

static void hex(uint64_t value, struct buf *out)
{
	buf_printf(out, "0x%llx", (unsigned long long)value);
}

/* The bits that are one number; where there are none, and nothing else is, what 0 is called. */
static bool number_text(const struct flag_set *s, uint64_t value, struct buf *out)
{
	uint64_t number = value & s->field;
	const char *name = s->field ? name_of(s, number) : NULL;

	if (!name && !number && (!value || s->zero))
		name = s->zero ?: (value ? NULL : "0");
	if (name)
		buf_str(out, name);
	else if (number)
		hex(number, out);
	else
		return false;
	return true;
}

void flags_text(enum flag_set_id set, uint64_t value, struct buf *out)
{
	const struct flag_set *s = &sets[set];
	bool some = s->field || !value ? number_text(s, value, out) : false;

	value &= ~s->field;
	for (size_t i = 0; value && i < s->n; i++) {
		uint64_t bits = s->names[i].value;

		if (!bits || bits & s->field || (value & bits) != bits)
			continue;
		buf_str(out, some ? "|" : "");
		buf_str(out, s->names[i].name);
		value &= ~bits;
		some = true;
	}
	if (!value)
		return;
	buf_str(out, some ? "|" : "");
	hex(value, out);
}
