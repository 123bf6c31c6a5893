// SPDX-License-Identifier: Apache-2.0
#include "cmd/run_flags.h"

#include <string.h>

#include "base/parse.h"
#include "cmd/flags.h"

static struct feed_options opt = {
	.window_ns = 100 * 1000 * 1000,
	.process = {-1, -1, -1, -1, ""},
};

const struct feed_options *run_flags_options(void)
{
	return &opt;
}

static int set_id(const struct flag *f, const char *value, struct err *err)
{
	uint64_t id;

	if (parse_u64(value, &id) || id > UINT32_MAX)
		return err_set(err, -EINVAL, "--%s wants a number up to %u, not '%s'", f->name,
			       UINT32_MAX, value);
	*(int64_t *)f->to = (int64_t)id;
	return 0;
}

/* No process is 0, and the kernel's side takes 0 for any. */
static int set_pid(const struct flag *f, const char *value, struct err *err)
{
	int r = set_id(f, value, err);

	return r || *(int64_t *)f->to ? r : err_set(err, -EINVAL, "--%s: no process is 0", f->name);
}

static int set_comm(const struct flag *f, const char *value, struct err *err)
{
	char *comm = opt.process.comm;

	if (strlen(value) >= sizeof(opt.process.comm))
		return err_set(err, -EINVAL, "--%s is at most 15 bytes, as the kernel keeps it",
			       f->name);
	memset(comm, 0, sizeof(opt.process.comm));
	memcpy(comm, value, strlen(value));
	return 0;
}

static const struct flag process_flag_list[] = {
	{"host", 0, NULL, "Follow the host's own processes as well", flag_on, &opt.host, NULL},
	{"pid", 0, "PID", "Only this process (as the host numbers it)", set_pid, &opt.process.pid,
	 NULL},
	{"tid", 0, "TID", "Only this thread", set_pid, &opt.process.tid, NULL},
	{"uid", 0, "UID", "Only this user", set_id, &opt.process.uid, NULL},
	{"gid", 0, "GID", "Only this group", set_id, &opt.process.gid, NULL},
	{"comm", 0, "NAME", "Only processes of this name", set_comm, NULL, NULL},
	{0},
};
const struct flag_table process_flags = {"Processes (filtered in the kernel)", process_flag_list};

static const struct flag run_flag_list[] = {
	{"interval", 0, "TIME", "Interval of top gadgets (default 1s)", flag_duration,
	 &opt.interval_ns, NULL},
	{"buffer-size", 0, "BYTES",
	 "Ring of each stream, rounded up to a power of two (default: the gadget's)", flag_bytes,
	 &opt.buffer_bytes, NULL},
	{"window", 0, "TIME",
	 "Sort several gadgets' records within this time (default 100ms, 0: as read)",
	 flag_duration, &opt.window_ns, NULL},
	{0},
};
const struct flag_table run_flags = {"Run", run_flag_list};
