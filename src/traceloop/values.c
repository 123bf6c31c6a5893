// SPDX-License-Identifier: Apache-2.0
/* Numbers, names and bytes; what has more to it stands in value_structs.c and value_sockets.c. */
#include "traceloop/values.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/buf.h"
#include "base/mem.h"
#include "columns/format.h"
#include "traceloop/flags.h"
#include "traceloop/kinds.h"

/* ---- parts ----------------------------------------------------------------------- */

void put_hex(struct buf *out, uint64_t value)
{
	char digits[18], *p = digits + sizeof(digits);

	do
		*--p = "0123456789abcdef"[value & 15];
	while (value >>= 4);
	*--p = 'x';
	*--p = '0';
	buf_add(out, p, (size_t)(digits + sizeof(digits) - p));
}

void put_pointer(struct buf *out, uint64_t value)
{
	if (value)
		put_hex(out, value);
	else
		buf_str(out, "NULL");
}

void put_mode(struct buf *out, uint64_t value)
{
	buf_printf(out, "%#03o", (unsigned int)value);
}

static void put_escaped(struct buf *out, unsigned char c, bool digit_follows)
{
	static const char named[] = "\a\b\t\n\v\f\r\"\\", letters[] = "abtnvfr\"\\";
	const char *at = c ? strchr(named, c) : NULL;

	if (at && c != '\a' && c != '\b')
		buf_printf(out, "\\%c", letters[at - named]);
	else
		buf_printf(out, digit_follows ? "\\%03o" : "\\%o", c);
}

void put_quoted(struct buf *out, const void *bytes, uint32_t size, bool cut)
{
	const unsigned char *p = bytes;

	buf_char(out, '"');
	for (uint32_t i = 0, from = 0; i <= size; i++) {
		if (i < size && p[i] >= ' ' && p[i] < 0x7f && p[i] != '"' && p[i] != '\\')
			continue;
		buf_add(out, p + from, i - from);
		from = i + 1;
		if (i < size)
			put_escaped(out, p[i], i + 1 < size && p[i + 1] >= '0' && p[i + 1] <= '7');
	}
	buf_str(out, cut ? "\"..." : "\"");
}

/* As the columns of records show a number of that type. */
static void put_as(struct buf *out, const char *type, uint32_t value)
{
	const struct field f = {.kind = KIND_UINT, .size = sizeof(value)};
	const struct row row = {.part = {(const void *)&value}, .size = {sizeof(value)}};

	format_find(type, KIND_UINT, sizeof(value))->text(&f, &row, NULL, out);
}

void put_signal(struct buf *out, uint64_t value)
{
	if (value)
		put_as(out, "g_signal", (uint32_t)value);
	else
		buf_char(out, '0');
}

void put_open_flags(struct buf *out, uint64_t value)
{
	put_as(out, "g_open_flags", (uint32_t)value);
}

/* ---- numbers --------------------------------------------------------------------- */

void value_int(const struct value *v, struct buf *out)
{
	buf_i64(out, (int32_t)value_raw(v));
}

void value_u32(const struct value *v, struct buf *out)
{
	buf_u64(out, (uint32_t)value_raw(v));
}

void value_x32(const struct value *v, struct buf *out)
{
	put_hex(out, (uint32_t)value_raw(v));
}

void value_long(const struct value *v, struct buf *out)
{
	buf_i64(out, (int64_t)value_raw(v));
}

void value_ulong(const struct value *v, struct buf *out)
{
	buf_u64(out, value_raw(v));
}

void value_hex(const struct value *v, struct buf *out)
{
	if (value_raw(v))
		put_hex(out, value_raw(v));
	else
		buf_char(out, '0');
}

void value_pointer(const struct value *v, struct buf *out)
{
	put_pointer(out, value_raw(v));
}

void value_dirfd(const struct value *v, struct buf *out)
{
	int32_t fd = (int32_t)value_raw(v);

	if (fd == AT_FDCWD)
		buf_str(out, "AT_FDCWD");
	else
		buf_i64(out, fd);
}

/* Only a device has one. */
void value_mknod_dev(const struct value *v, struct buf *out)
{
	uint32_t dev = (uint32_t)value_raw(v), mode = (uint32_t)v->args[v->index - 1];

	if (!S_ISCHR(mode) && !S_ISBLK(mode))
		return;
	buf_str(out, "makedev(");
	put_hex(out, major(dev));
	buf_str(out, ", ");
	put_hex(out, minor(dev));
	buf_char(out, ')');
}

/* ---- names ----------------------------------------------------------------------- */

void value_signal(const struct value *v, struct buf *out)
{
	put_signal(out, value_raw(v));
}

void value_mode(const struct value *v, struct buf *out)
{
	put_mode(out, value_raw(v) & 07777);
}

void value_file_mode(const struct value *v, struct buf *out)
{
	uint32_t mode = (uint32_t)value_raw(v);

	if (mode & S_IFMT) {
		flags_text(FLAGS_file_type, mode & S_IFMT, out);
		buf_char(out, '|');
	}
	put_mode(out, mode & 07777);
}

void value_open_flags(const struct value *v, struct buf *out)
{
	put_open_flags(out, value_raw(v));
}

/* Only a file that may be made has one. */
void value_open_mode(const struct value *v, struct buf *out)
{
	uint64_t flags = v->args[v->index - 1];

	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE)
		put_mode(out, value_raw(v) & 07777);
}

void value_fcntl_arg(const struct value *v, struct buf *out)
{
	switch (v->args[1]) {
	case F_GETFD:
	case F_GETFL:
	case F_GETOWN:
	case F_GETSIG:
	case F_GETLEASE:
	case F_GETPIPE_SZ:
	case F_GET_SEALS:
		return;
	case F_SETFD:
		flags_text(FLAGS_fd_flags, value_raw(v), out);
		return;
	case F_SETFL:
		put_open_flags(out, value_raw(v));
		return;
	case F_ADD_SEALS:
		flags_text(FLAGS_seals, value_raw(v), out);
		return;
	case F_DUPFD:
	case F_DUPFD_CLOEXEC:
	case F_SETPIPE_SZ:
		value_int(v, out);
		return;
	default:
		value_hex(v, out);
	}
}

/* The low byte is the signal that tells the parent of the end. */
void value_clone_flags(const struct value *v, struct buf *out)
{
	uint64_t flags = value_raw(v), signal = flags & 0xff;
	bool is_clone = !strcmp(v->call->name, "clone");

	if (!is_clone || !signal) {
		flags_text(FLAGS_clone_flags, flags, out);
		return;
	}
	if (flags & ~0xffull) {
		flags_text(FLAGS_clone_flags, flags & ~0xffull, out);
		buf_char(out, '|');
	}
	put_signal(out, signal);
}

void value_futex(const struct value *v, struct buf *out)
{
	uint32_t op = (uint32_t)value_raw(v);
	const char *name = flags_name(FLAGS_futex, op & (uint32_t)FUTEX_CMD_MASK);

	if (!name || !(op & FUTEX_PRIVATE_FLAG)) {
		flags_text(FLAGS_futex, op, out);
		return;
	}
	buf_str(out, name);
	buf_str(out, "_PRIVATE");
	if (op & FUTEX_CLOCK_REALTIME)
		buf_str(out, "|FUTEX_CLOCK_REALTIME");
}

/* What the other operations do not look at. */
void value_futex_more(const struct value *v, struct buf *out)
{
	switch (v->args[1] & (uint32_t)FUTEX_CMD_MASK) {
	case FUTEX_WAIT:
	case FUTEX_WAKE:
	case FUTEX_LOCK_PI:
	case FUTEX_UNLOCK_PI:
	case FUTEX_TRYLOCK_PI:
		return;
	}
	if (v->index == 4)
		value_pointer(v, out);
	else
		value_x32(v, out);
}

void value_mremap_addr(const struct value *v, struct buf *out)
{
	if (v->args[v->index - 1] & MREMAP_FIXED)
		value_pointer(v, out);
}

/* ---- texts and bytes ------------------------------------------------------------- */

/* A call that returns one may count its NUL. */
void value_text(const struct value *v, struct buf *out)
{
	put_quoted(out, v->bytes, (uint32_t)strnlen(v->bytes, v->size), v->cut);
}

void value_bytes(const struct value *v, struct buf *out)
{
	put_quoted(out, v->bytes, v->size, v->cut);
}

/* Strings with their NUL, one after the other. */
void value_argv(const struct value *v, struct buf *out)
{
	const char *at = v->bytes, *end = at + v->size;

	buf_char(out, '[');
	while (at < end) {
		size_t n = strnlen(at, (size_t)(end - at));

		buf_str(out, at == v->bytes ? "" : ", ");
		put_quoted(out, at, (uint32_t)n, v->cut && at + n == end);
		at += n + 1;
	}
	buf_char(out, ']');
}

/* ---- by kind ---------------------------------------------------------------------- */

/* Is what it points to here, and all that its kind needs? */
static bool is_known(const struct value *v, const struct keep *k)
{
	bool given = v->returned && (!v->failed || k->kind == LOOP_PROBE_EXEC);

	if (!v->bytes || (k->at_exit && !given))
		return false;
	return k->of != LOOP_OF_CONST || v->size >= k->unit;
}

void value_put(const struct value *v, struct buf *out)
{
	const struct arg_form *k = &kinds[v->call->args[v->index].kind];

	if (k->keep.kind && !is_known(v, &k->keep))
		put_pointer(out, value_raw(v));
	else
		k->text(v, out);
}

bool value_is_bytes(const struct value *v)
{
	const struct arg_form *k = &kinds[v->call->args[v->index].kind];

	return (k->text == value_text || k->text == value_bytes) && is_known(v, &k->keep);
}
