// SPDX-License-Identifier: Apache-2.0
#include "symbols/maps.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/mem.h"
#include "base/mounts.h"

/* Hexadecimal digits up to `end`, which is one character; moves *p behind it. */
static bool read_hex(const char **p, char end, uint64_t *ret)
{
	uint64_t value = 0;
	size_t n = 0;

	for (; n < 17; n++) {
		char c = **p, digit = 0;

		if (c >= '0' && c <= '9')
			digit = (char)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (char)(c - 'a' + 10);
		else
			break;
		value = value << 4 | (uint64_t)digit;
		++*p;
	}
	if (!n || n > 16 || **p != end)
		return false;
	++*p;
	*ret = value;
	return true;
}

static bool read_decimal(const char **p, uint64_t *ret)
{
	uint64_t value = 0;
	const char *start = *p;

	for (; **p >= '0' && **p <= '9'; ++*p)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(**p - '0'), &value))
			return false;
	*ret = value;
	return *p > start;
}

/* "55d0-55d1 r-xp 00001000 08:01 1234      /bin/app" */
static bool read_line(const char *p, struct mapping *ret)
{
	uint64_t major, minor;
	const char *flags;

	if (!read_hex(&p, '-', &ret->start) || !read_hex(&p, ' ', &ret->end) || strlen(p) < 5)
		return false;
	flags = p;
	p += 5;
	if (p[-1] != ' ' || flags[2] != 'x' || !read_hex(&p, ' ', &ret->offset) ||
	    !read_hex(&p, ':', &major) || !read_hex(&p, ' ', &minor) ||
	    !read_decimal(&p, &ret->inode))
		return false;
	ret->dev = makedev((unsigned int)major, (unsigned int)minor);
	ret->path = p + strspn(p, " ");
	return ret->start < ret->end;
}

void maps_parse(char *text, struct maps *ret)
{
	struct mapping m = {0};
	char *rest = text;

	*ret = (struct maps){.text = text};
	for (char *line; (line = strsep(&rest, "\n"));)
		if (read_line(line, &m) &&
		    (!ret->n || m.start >= ret->items[ret->n - 1].end)) /* the search needs order */
			*grow(&ret->items, &ret->n, &ret->room) = m;
}

void maps_done(struct maps *m)
{
	free(m->items);
	free(m->text);
	*m = (struct maps){0};
}

/* What lies on a block device of this machine has its number. */
static bool may_be_remote(const struct mapping *m)
{
	return m->inode && !major(m->dev);
}

bool maps_may_be_remote(const struct maps *m)
{
	for (size_t i = 0; i < m->n; i++)
		if (may_be_remote(&m->items[i]))
			return true;
	return false;
}

void maps_mark_remote(struct maps *m, char *mountinfo)
{
	struct remote_mount mount;

	for (size_t i = 0; i < m->n; i++)
		m->items[i].is_remote = !mountinfo && may_be_remote(&m->items[i]);
	while (mountinfo && mounts_next_remote(&mountinfo, &mount))
		for (size_t i = 0; i < m->n; i++)
			if (m->items[i].dev == mount.dev)
				m->items[i].is_remote = true;
}

const struct mapping *maps_find(const struct maps *m, uint64_t address)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (m->items[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low < m->n && m->items[low].start <= address ? &m->items[low] : NULL;
}

uint64_t maps_start_stack(const char *stat)
{
	const char *p = strrchr(stat, ')'); /* the name may have any characters */
	uint64_t value;

	for (int field = 2; p && field < 28; field++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	return p && read_decimal(&p, &value) ? value : 0;
}
