// SPDX-License-Identifier: Apache-2.0
/* Devices, terminals, file modes and network addresses. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "columns/digits.h"
#include "columns/format_internal.h"
#include "columns/types.h"

void file_mode_text(FORMAT_ARGS)
{
	int64_t value;

	if (row_number(row, f,
		       &value)) /* permissions as chmod takes them; the type is in upper bits */
		buf_printf(out, "%04llo", (unsigned long long)value);
}

/* "8:1" */
static int parse_pair(const char *word, uint64_t *major, uint64_t *minor)
{
	_cleanup_(freep) char **words = NULL;

	if (split(word, ':', false, &words) != 2 || parse_u64(words[0], major) ||
	    parse_u64(words[1], minor))
		return -EINVAL;
	return 0;
}

void dev_text(FORMAT_ARGS)
{
	int64_t value;

	if (row_number(row, f, &value))
		buf_printf(out, "%u:%u", (unsigned int)value >> 20, (unsigned int)value & 0xfffff);
}

int dev_parse(const struct field *f, const char *word, int64_t *ret)
{
	uint64_t major, minor;

	if (parse_pair(word, &major, &minor) || major > 0xfff || minor > 0xfffff)
		return -EINVAL;
	*ret = (int64_t)(major << 20 | minor);
	return 0;
}

/* ---- terminals ----------------------------------------------------------------------------- */

/* Majors of terminals, Documentation/admin-guide/devices.txt of the kernel. */
static const struct tty_driver {
	unsigned int major, first, last; /* minors */
	int number;			 /* of the first minor; -1: the name has no number */
	const char *name;
} tty_drivers[] = {
	{4, 0, 63, 0, "tty"},	    {4, 64, 255, 0, "ttyS"},	 {5, 0, 0, -1, "tty"},
	{5, 1, 1, -1, "console"},   {204, 64, 191, 0, "ttyAMA"}, {229, 0, 255, 0, "hvc"},
	{188, 0, 255, 0, "ttyUSB"}, {166, 0, 255, 0, "ttyACM"},
};

enum { PTS_FIRST_MAJOR = 136, PTS_LAST_MAJOR = 143 };

void tty_text(FORMAT_ARGS)
{
	unsigned int major, minor;
	int64_t value;

	if (!row_number(row, f, &value) || !value)
		return;
	major = ((unsigned int)value >> 8) & 0xfff; /* new_encode_dev() of the kernel */
	minor = ((unsigned int)value & 0xff) | (((unsigned int)value >> 12) & 0xfff00);
	if (major >= PTS_FIRST_MAJOR && major <= PTS_LAST_MAJOR) {
		buf_printf(out, "pts/%u", (major - PTS_FIRST_MAJOR) * 256 + minor);
		return;
	}
	for (size_t i = 0; i < array_size(tty_drivers); i++) {
		const struct tty_driver *d = &tty_drivers[i];

		if (d->major != major || minor < d->first || minor > d->last)
			continue;
		buf_str(out, d->name);
		if (d->number >= 0)
			buf_u64(out, (uint64_t)d->number + minor - d->first);
		return;
	}
	buf_printf(out, "%u:%u", major, minor);
}

static int64_t encode_tty(uint64_t major, uint64_t minor)
{
	return (int64_t)((minor & 0xff) | major << 8 | (minor & 0xfff00) << 12);
}

int tty_parse(const struct field *f, const char *word, int64_t *ret)
{
	uint64_t major, minor, n;

	if (!*word) {
		*ret = 0;
		return 0;
	}
	if (!parse_pair(word, &major, &minor) && major <= 0xfff && minor <= 0xfffff) {
		*ret = encode_tty(major, minor);
		return 0;
	}
	if (str_starts(word, "pts/") && !parse_u64(word + 4, &n) && n < 8 * 256) {
		*ret = encode_tty(PTS_FIRST_MAJOR + n / 256, n % 256);
		return 0;
	}
	for (size_t i = 0; i < array_size(tty_drivers); i++) {
		const struct tty_driver *d = &tty_drivers[i];

		if (d->number < 0
			    ? strcmp(word, d->name)
			    : !str_starts(word, d->name) || parse_u64(word + strlen(d->name), &n) ||
				      n > d->last - d->first)
			continue;
		*ret = encode_tty(d->major, d->first + (d->number < 0 ? 0 : n));
		return 0;
	}
	return -EINVAL;
}

/* ---- addresses ----------------------------------------------------------------------------- */

static const unsigned char v4_mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool is_v4(const unsigned char *addr)
{
	return !memcmp(addr, v4_mapped, sizeof(v4_mapped));
}

static void add_addr(struct buf *out, const unsigned char *addr)
{
	char text[INET6_ADDRSTRLEN], *p = text;

	if (!is_v4(addr)) {
		buf_str(out, inet_ntop(AF_INET6, addr, text, sizeof(text)));
		return;
	}
	for (int i = 12; i < 16; i++) {
		if (i > 12)
			*p++ = '.';
		p = put_u64(p, addr[i]);
	}
	buf_add(out, text, (size_t)(p - text));
}

void addr_text(FORMAT_ARGS)
{
	const char *bytes;
	bool truncated;
	size_t len;

	if (row_text(row, f, &bytes, &len, &truncated) && len == sizeof(g_addr))
		add_addr(out, (const unsigned char *)bytes);
}

int addr_parse(const struct field *f, const char *word, unsigned char *ret)
{
	unsigned char addr[sizeof(g_addr)];

	if (inet_pton(AF_INET6, word, addr) != 1) {
		memcpy(addr, v4_mapped, sizeof(v4_mapped));
		if (inet_pton(AF_INET, word, addr + sizeof(v4_mapped)) != 1)
			return -EINVAL;
	}
	memcpy(ret, addr, sizeof(addr));
	return 0;
}

/* The endpoint that a group stands for; false where it is out of bounds or was not filled. */
static bool read_endpoint(const struct field *f, const struct row *row, struct g_endpoint *ret)
{
	struct field whole = {
		.kind = KIND_BYTES, .part = f->part, .offset = f->offset, .size = f->size};
	const char *bytes;
	bool truncated;
	size_t len;

	if (!row_text(row, &whole, &bytes, &len, &truncated) || len != sizeof(*ret))
		return false;
	memcpy(ret, bytes, len);
	return ret->version;
}

bool endpoint_absent(const struct field *f, const struct row *row)
{
	struct g_endpoint e;

	return f->format->text == endpoint_text && !read_endpoint(f, row, &e);
}

static void add_whole_addr(struct buf *out, const unsigned char *addr)
{
	bool v4 = is_v4(addr);

	buf_str(out, v4 ? "" : "[");
	add_addr(out, addr);
	buf_str(out, v4 ? "" : "]");
}

void endpoint_text(FORMAT_ARGS)
{
	struct g_endpoint e;
	const char *alias;
	bool truncated;
	size_t len;

	if (!read_endpoint(f, row, &e))
		return;
	if (f->alias && row_text(row, f->alias, &alias, &len, &truncated) && len)
		buf_add(out, alias, len);
	else
		add_whole_addr(out, e.addr);
	buf_char(out, ':');
	buf_u64(out, e.port);
}
