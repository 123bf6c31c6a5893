// SPDX-License-Identifier: Apache-2.0
/* Parsers and readers of /proc. */
#include "containers/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"

#define NS_PER_TICK 10000000ull /* USER_HZ is 100 on every architecture that ig runs on */

/* Reads a decimal number at *p, not past end; *p is then behind it. */
static bool number(const char **p, const char *end, uint64_t *ret)
{
	uint64_t value = 0;
	const char *at = *p;

	for (; at < end && *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*at - '0'), &value))
			return false;
	if (at == *p)
		return false;
	*p = at;
	*ret = value;
	return true;
}

int proc_parse_stat(const char *text, size_t len, struct proc_stat *ret)
{
	const char *end = text + len, *p = memrchr(text, ')', len); /* the name may hold anything */
	struct proc_stat s = {0};
	uint64_t value;

	if (!p)
		return -EINVAL;
	p++;
	for (unsigned int field = 3; field <= 22; field++) {
		if (p >= end || *p != ' ')
			return -EINVAL;
		p++;
		if (field == 4) {
			if (!number(&p, end, &value) || value > UINT32_MAX)
				return -EINVAL;
			s.ppid = (uint32_t)value;
		} else if (field == 22) {
			if (!number(&p, end, &s.start_ticks))
				return -EINVAL;
		} else {
			while (p < end && *p != ' ')
				p++;
		}
	}
	*ret = s;
	return 0;
}

int proc_parse_nspid(const char *text, size_t len, struct proc_nspid *ret)
{
	static const char key[] = "\nNSpid:";
	const char *end = text + len, *p = memmem(text, len, key, sizeof(key) - 1);
	struct proc_nspid pids = {0};
	uint64_t value = 0;

	if (!p)
		return -ENOENT;
	p += sizeof(key) - 1;
	while (p < end && *p == '\t') {
		p++;
		if (!number(&p, end, &value) || value > UINT32_MAX)
			return -EINVAL;
		pids.levels++;
		pids.above = pids.inner;
		pids.inner = (uint32_t)value;
	}
	if (!pids.levels || (p < end && *p != '\n'))
		return -EINVAL;
	*ret = pids;
	return 0;
}

/* A line of /proc/PID/cgroup: "ID:CONTROLLERS:PATH". */
struct cgroup_line {
	const char *name; /* "ID:CONTROLLERS:" */
	size_t name_len;
	const char *path;
	size_t path_len;
};

/* False at the end. Lines that are malformed are passed over. */
static bool next_line(const char **text, struct cgroup_line *ret)
{
	while (**text) {
		const char *line = *text, *end = strchrnul(line, '\n'), *colon;

		*text = *end ? end + 1 : end;
		colon = memchr(line, ':', (size_t)(end - line));
		colon = colon ? memchr(colon + 1, ':', (size_t)(end - colon - 1)) : NULL;
		if (!colon || colon + 1 == end || colon[1] != '/')
			continue;
		*ret = (struct cgroup_line){line, (size_t)(colon + 1 - line), colon + 1,
					    (size_t)(end - colon - 1)};
		return true;
	}
	return false;
}

static bool is_v2(const struct cgroup_line *line)
{
	return line->name_len == 3 && !strncmp(line->name, "0::", 3);
}

char *proc_parse_cgroup2(const char *text)
{
	struct cgroup_line line;

	while (next_line(&text, &line))
		if (is_v2(&line))
			return xstrndup(line.path, line.path_len);
	return NULL;
}

static bool has_line(const char *text, const struct cgroup_line *wanted)
{
	struct cgroup_line line;

	while (next_line(&text, &line))
		if (line.name_len == wanted->name_len &&
		    !strncmp(line.name, wanted->name, line.name_len))
			return line.path_len == wanted->path_len &&
			       !strncmp(line.path, wanted->path, line.path_len);
	return false;
}

char *proc_parse_cgroup1(const char *text, const char *other)
{
	struct cgroup_line line;

	while (next_line(&text, &line))
		if (!is_v2(&line) && !has_line(other, &line))
			return xstrndup(line.path, line.path_len);
	return NULL;
}

/* Mount points have space, tab, newline and backslash written as \ooo. */
static char *unescape(const char *text, size_t len)
{
	char *out = xstrndup(text, len), *to = out;

	for (const char *p = out; *p; p++) {
		if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' &&
		    p[3] >= '0' && p[3] <= '7') {
			*to++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
	return out;
}

/* The n-th word (from 0) of a line that ends at end. */
static const char *word(const char *line, const char *end, unsigned int n, size_t *ret_len)
{
	const char *p = line;

	while (n--) {
		p = memchr(p, ' ', (size_t)(end - p));
		if (!p)
			return NULL;
		p++;
	}
	*ret_len = strcspn(p, " \n");
	return p;
}

char *proc_parse_cgroup2_mount(const char *text)
{
	while (*text) {
		const char *end = strchrnul(text, '\n'), *root, *point;
		const char *type = memmem(text, (size_t)(end - text), " - cgroup2 ", 11);
		size_t root_len, point_len;

		if (type) {
			root = word(text, end, 3, &root_len);
			point = word(text, end, 4, &point_len);
			if (root && point && point_len && root_len == 1 && *root == '/')
				return unescape(point, point_len);
		}
		text = *end ? end + 1 : end;
	}
	return NULL;
}

int proc_parse_namespace(const char *link, uint64_t *ret)
{
	const char *p = strstr(link, ":[");
	uint64_t value;

	if (!p)
		return -EINVAL;
	p += 2;
	if (!number(&p, p + strlen(p), &value) || strcmp(p, "]") || value > UINT32_MAX)
		return -EINVAL;
	*ret = value;
	return 0;
}

/* ---- readers --------------------------------------------------------------------- */

static int read_file(int proc, uint32_t pid, const char *name, struct buf *b)
{
	char path[48];

	snprintf(path, sizeof(path), "%u/%s", pid, name);
	return buf_read_file(b, proc, path);
}

int proc_stat(int proc, uint32_t pid, struct proc_stat *ret)
{
	_cleanup_(buf_done) struct buf b = {.max = MAX_PROC_FILE_BYTES};
	int r;

	r = read_file(proc, pid, "stat", &b);
	return r ?: proc_parse_stat(buf_cstr(&b), b.len, ret);
}

int proc_nspid(int proc, uint32_t pid, struct proc_nspid *ret)
{
	_cleanup_(buf_done) struct buf b = {.max = MAX_PROC_FILE_BYTES};
	int r;

	r = read_file(proc, pid, "status", &b);
	return r ?: proc_parse_nspid(buf_cstr(&b), b.len, ret);
}

int proc_cgroups(int proc, uint32_t pid, struct buf *b)
{
	return read_file(proc, pid, "cgroup", b);
}

int proc_namespace(int proc, uint32_t pid, const char *name, uint64_t *ret)
{
	char path[48], link[64];
	ssize_t n;

	snprintf(path, sizeof(path), "%u/ns/%s", pid, name);
	n = readlinkat(proc, path, link, sizeof(link) - 1);
	if (n < 0)
		return -errno;
	link[n] = '\0';
	return proc_parse_namespace(link, ret);
}

int proc_cmdline(int proc, uint32_t pid, struct buf *b)
{
	return read_file(proc, pid, "cmdline", b);
}

char *proc_cwd(int proc, uint32_t pid)
{
	char path[48], link[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "%u/cwd", pid);
	n = readlinkat(proc, path, link, sizeof(link));
	return n > 0 && (size_t)n < sizeof(link) ? xstrndup(link, (size_t)n) : NULL;
}

uint64_t proc_boot_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t proc_ticks_to_ns(uint64_t ticks)
{
	return ticks * NS_PER_TICK;
}

uint64_t proc_ns_to_ticks(uint64_t ns)
{
	return ns / NS_PER_TICK;
}
