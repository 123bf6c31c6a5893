// SPDX-License-Identifier: Apache-2.0
/* The table of formats, and those for plain numbers, times, sizes and texts. */
#include "columns/format.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "columns/digits.h"
#include "columns/format_internal.h"
#include "columns/labels.h"
#include "columns/types.h"

void clock_base_now(struct clock_base *ret)
{
	struct timespec real, before, after;
	int64_t boot;

	clock_gettime(CLOCK_BOOTTIME, &before);
	clock_gettime(CLOCK_REALTIME, &real);
	clock_gettime(CLOCK_BOOTTIME, &after);
	boot = ((int64_t)before.tv_sec + after.tv_sec) * 500000000 +
	       ((int64_t)before.tv_nsec + after.tv_nsec) / 2;
	/* Two readings differ by 100 ns and more; rounded, all that look get the same base. */
	ret->boot_to_real_ns =
		((int64_t)real.tv_sec * 1000000000 + real.tv_nsec - boot + 5000) / 10000 * 10000;
}

/* ---- numbers ------------------------------------------------------------------------------- */

static void number_text(FORMAT_ARGS)
{
	int64_t value;
	char digits[DIGITS_MAX], *end;

	if (!row_number(row, f, &value))
		return;
	end = f->kind == KIND_INT ? put_i64(digits, value) : put_u64(digits, (uint64_t)value);
	buf_add(out, digits, (size_t)(end - digits));
}

static void cpu_text(FORMAT_ARGS)
{
	int64_t value;

	if (row_number(row, f, &value) && value >= 0)
		number_text(f, row, clock, out);
}

static void hex_number_text(FORMAT_ARGS)
{
	int64_t value;

	if (row_number(row, f, &value))
		buf_printf(out, "0x%llx", (unsigned long long)value);
}

static void bool_text(FORMAT_ARGS)
{
	int64_t value;

	if (row_number(row, f, &value))
		buf_str(out, value ? "true" : "false");
}

static int bool_parse(const struct field *f, const char *word, int64_t *ret)
{
	bool value;
	int r = parse_bool(word, &value);

	if (!r)
		*ret = value;
	return r;
}

/* Days since 1970 as a date of the Gregorian calendar (Howard Hinnant's days algorithm). */
static void civil_from_days(int64_t days, int64_t *year, unsigned int *month, unsigned int *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned int doe = (unsigned int)(z - era * 146097);
	unsigned int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned int mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (int64_t)yoe + era * 400 + (*month <= 2);
}

char *put_rfc3339(char *p, int64_t real_ns)
{
	int64_t seconds = real_ns / 1000000000, ns = real_ns % 1000000000, year;
	unsigned int month, day, of_day;

	if (ns < 0) {
		ns += 1000000000;
		seconds--;
	}
	of_day = (unsigned int)(((seconds % 86400) + 86400) % 86400);
	civil_from_days((seconds - of_day) / 86400, &year, &month, &day);
	p = put_padded(p, (uint32_t)year, 4); /* int64 ns reach from 1677 to 2262 */
	*p++ = '-';
	p = put_padded(p, month, 2);
	*p++ = '-';
	p = put_padded(p, day, 2);
	*p++ = 'T';
	p = put_padded(p, of_day / 3600, 2);
	*p++ = ':';
	p = put_padded(p, of_day / 60 % 60, 2);
	*p++ = ':';
	p = put_padded(p, of_day % 60, 2);
	*p++ = '.';
	*p++ = (char)('0' + ns / 100000000);
	p = put_padded(p, (uint32_t)(ns % 100000000), 8);
	*p++ = 'Z';
	return p;
}

static void add_rfc3339(struct buf *out, int64_t real_ns)
{
	char text[32];

	buf_add(out, text, (size_t)(put_rfc3339(text, real_ns) - text));
}

static void time_text(FORMAT_ARGS)
{
	int64_t boot_ns;

	clock = row_clock(row, clock);
	if (row_number(row, f, &boot_ns) && boot_ns)
		add_rfc3339(out, (int64_t)((uint64_t)boot_ns +
					   (uint64_t)(clock ? clock->boot_to_real_ns : 0)));
}

static void walltime_text(FORMAT_ARGS)
{
	int64_t real_ns;

	if (row_number(row, f, &real_ns) && real_ns)
		add_rfc3339(out, real_ns);
}

static void walltime_json(FORMAT_ARGS)
{
	int64_t real_ns;

	if (!row_number(row, f, &real_ns))
		return;
	buf_str(out, real_ns ? "\"" : "null");
	walltime_text(f, row, clock, out);
	buf_str(out, real_ns ? "\"" : "");
}

/* value / unit with up to `places` decimals, zeros at the end left out */
static void add_decimal(struct buf *out, uint64_t value, uint64_t unit, unsigned int places,
			const char *suffix)
{
	uint64_t rest = value % unit;
	char digits[8];
	size_t n = 0;

	buf_u64(out, value / unit);
	for (unsigned int i = 0; i < places; i++) {
		uint64_t digit = (uint64_t)((unsigned __int128)rest * 10 / unit);

		rest = (uint64_t)((unsigned __int128)rest * 10 % unit);
		digits[i] = (char)('0' + digit);
		if (digit)
			n = i + 1;
	}
	if (n) {
		buf_char(out, '.');
		buf_add(out, digits, n);
	}
	buf_str(out, suffix);
}

struct scale {
	uint64_t unit;
	const char *suffix;
};

static void scaled_text(const struct field *f, const struct row *row, const struct scale *scales,
			unsigned int places, struct buf *out)
{
	int64_t value;

	if (!row_number(row, f, &value))
		return;
	while (scales->unit > 1 && (uint64_t)value < scales->unit)
		scales++;
	add_decimal(out, (uint64_t)value, scales->unit, places, scales->suffix);
}

static void duration_text(FORMAT_ARGS)
{
	static const struct scale scales[] = {
		{1000000000, "s"}, {1000000, "ms"}, {1000, "us"}, {1, "ns"}};

	scaled_text(f, row, scales, 3, out);
}

static void bytes_text(FORMAT_ARGS)
{
	static const struct scale scales[] = {{1ull << 40, "TiB"},
					      {1ull << 30, "GiB"},
					      {1ull << 20, "MiB"},
					      {1ull << 10, "KiB"},
					      {1, "B"}};

	scaled_text(f, row, scales, 1, out);
}

#define NS_OF_PERCENT 10000000

/* ns of a second as percents of it: 1.25 */
static void percent_text(FORMAT_ARGS)
{
	int64_t value;

	if (row_number(row, f, &value))
		add_decimal(out, (uint64_t)value, NS_OF_PERCENT, 3, "");
}

static int decimal_parse(const char *word, unsigned int unit, int64_t *ret)
{
	char *end;
	double value = strtod(word, &end);

	if (end == word || *end || !(value >= 0 && value <= 1e6))
		return -EINVAL;
	*ret = (int64_t)(value * unit + 0.5);
	return 0;
}

static int percent_parse(const struct field *f, const char *word, int64_t *ret)
{
	return decimal_parse(word, NS_OF_PERCENT, ret);
}

static void milli_text(FORMAT_ARGS)
{
	int64_t value;

	if (row_number(row, f, &value))
		add_decimal(out, (uint64_t)value, 1000, 3, "");
}

static int milli_parse(const struct field *f, const char *word, int64_t *ret)
{
	return decimal_parse(word, 1000, ret);
}

static int duration_parse(const struct field *f, const char *word, int64_t *ret)
{
	return parse_duration(word, (uint64_t *)ret);
}

static int bytes_parse(const struct field *f, const char *word, int64_t *ret)
{
	return parse_bytes(word, (uint64_t *)ret);
}

/* ---- texts --------------------------------------------------------------------------------- */

static void plain_text(FORMAT_ARGS)
{
	const char *text;
	bool truncated;
	size_t len;

	if (row_text(row, f, &text, &len, &truncated))
		buf_add(out, text, len);
}

/* An id of many digits, as short as people tell them apart by. */
static void short_id_text(FORMAT_ARGS)
{
	enum { SHORT = 12 };
	const char *text;
	bool truncated;
	size_t len;

	if (row_text(row, f, &text, &len, &truncated))
		buf_add(out, text, len < SHORT ? len : SHORT);
}

static void short_id_json(FORMAT_ARGS)
{
	const char *text;
	bool truncated;
	size_t len;

	if (row_text(row, f, &text, &len, &truncated))
		json_quote(out, text, len);
}

static void hex_text(FORMAT_ARGS)
{
	static const char hex[] = "0123456789abcdef";
	const char *bytes;
	bool truncated;
	size_t len;

	if (!row_text(row, f, &bytes, &len, &truncated) || !buf_reserve(out, 2 * len))
		return;
	for (size_t i = 0; i < len; i++) {
		out->data[out->len++] = hex[(unsigned char)bytes[i] >> 4];
		out->data[out->len++] = hex[bytes[i] & 15];
	}
	buf_cstr(out);
}

/* Bytes of a list without the NUL that ends its last string. */
static bool list_bytes(const struct field *f, const struct row *row, const char **ret,
		       size_t *ret_len)
{
	bool truncated;

	if (!row_text(row, f, ret, ret_len, &truncated))
		return false;
	if (*ret_len && !(*ret)[*ret_len - 1])
		--*ret_len;
	else if (!*ret_len)
		*ret = NULL; /* no string at all, unlike one empty string */
	return true;
}

static void list_text(FORMAT_ARGS)
{
	const char *bytes;
	size_t len, start = out->len;

	if (!list_bytes(f, row, &bytes, &len) || !len)
		return;
	buf_add(out, bytes, len);
	for (char *p = out->data + start;
	     (p = memchr(p, '\0', (size_t)(out->data + out->len - p)));)
		*p = ' ';
}

static void list_json(FORMAT_ARGS)
{
	const char *bytes;
	size_t len;

	if (!list_bytes(f, row, &bytes, &len))
		return;
	buf_char(out, '[');
	while (bytes) {
		const char *end = memchr(bytes, '\0', len);
		size_t n = end ? (size_t)(end - bytes) : len;

		json_quote(out, bytes, n);
		if (!end)
			break;
		buf_char(out, ',');
		bytes += n + 1;
		len -= n + 1;
	}
	buf_char(out, ']');
}

static void labels_text(FORMAT_ARGS)
{
	struct labels labels;

	if (!row_labels(row, f, &labels))
		return;
	for (size_t i = 0; i < labels.n; i++) {
		if (i)
			buf_char(out, ',');
		buf_str(out, labels.items[i].key);
		buf_char(out, '=');
		buf_str(out, labels.items[i].value);
	}
}

static void labels_json(FORMAT_ARGS)
{
	struct labels labels;

	if (row_labels(row, f, &labels))
		labels_to_json(&labels, out);
}

static void none_text(FORMAT_ARGS)
{
}

/* ---- the table ----------------------------------------------------------------------------- */

#define NUMBERS (1 << KIND_UINT | 1 << KIND_INT)
#define NUMBER_FLAGS (FIELD_RIGHT | FIELD_FIXED)
#define NUMBER(columns, more)                                                                      \
	.kinds = NUMBERS, .width = (columns), .flags = NUMBER_FLAGS | (more), .text = number_text, \
	.json = number_text
#define NAMED(columns, what) \
	.kinds = NUMBERS, .width = (columns), .text = what##_text, .parse = what##_parse

static const struct format formats[] = {
	{"g_time", 1 << KIND_UINT, 8, 30, FIELD_HIDDEN | FIELD_FIXED, .text = time_text,
	 .date = DATE_BOOT},
	{"g_walltime", 1 << KIND_INT, 8, 30, FIELD_FIXED, .text = walltime_text,
	 .json = walltime_json, .date = DATE_REAL},
	{"g_duration", .kinds = NUMBERS, .width = 9, .flags = NUMBER_FLAGS, .text = duration_text,
	 .json = number_text, .parse = duration_parse},
	{"g_bytes", .kinds = NUMBERS, .width = 9, .flags = NUMBER_FLAGS, .text = bytes_text,
	 .json = number_text, .parse = bytes_parse},
	{"g_hex", .kinds = NUMBERS, .width = 18, .flags = NUMBER_FLAGS, .text = hex_number_text},
	{"g_milli", .kinds = NUMBERS, .width = 8, .flags = NUMBER_FLAGS, .text = milli_text,
	 .json = milli_text, .parse = milli_parse},
	{"g_percent", .kinds = NUMBERS, .width = 8, .flags = NUMBER_FLAGS, .text = percent_text,
	 .json = percent_text, .parse = percent_parse},
	{"short_id", 1 << KIND_CSTR, .width = 12, .flags = FIELD_FIXED, .text = short_id_text,
	 .json = short_id_json},
	{"g_container", NUMBER(10, FIELD_INTERNAL)},
	{"g_cgroup", NUMBER(10, FIELD_HIDDEN)},
	{"g_mntns", NUMBER(10, FIELD_HIDDEN)},
	{"g_netns", NUMBER(10, FIELD_HIDDEN)},
	{"g_pidns", NUMBER(10, FIELD_HIDDEN)},
	{"g_userns", NUMBER(10, FIELD_HIDDEN)},
	{"g_pid", NUMBER(7, 0)},
	{"g_uid", NUMBER(6, 0)},
	{"g_gid", NUMBER(6, 0)},
	{"g_user", .kinds = NUMBERS, .width = 12, .text = user_text},
	{"g_group", .kinds = NUMBERS, .width = 12, .text = group_text},
	{"g_comm", 1 << KIND_CHARS, 16, 16, FIELD_FIXED, .text = plain_text},
	{"g_errno", NAMED(12, errno)},
	{"g_signal", NAMED(9, signal)},
	{"g_signal_code", NAMED(12, signal_code)},
	{"g_syscall", NAMED(16, syscall)},
	{"g_capability", NAMED(20, capability)},
	{"g_capability_set", NAMED(40, capability_set)},
	{"g_fd", NUMBER(4, 0)},
	{"g_cpu", .kinds = NUMBERS, .width = 4, .flags = NUMBER_FLAGS, .text = cpu_text,
	 .json = number_text},
	{"g_open_flags", NAMED(24, open_flags)},
	{"g_file_mode", .kinds = NUMBERS, .width = 6, .flags = NUMBER_FLAGS,
	 .text = file_mode_text},
	{"g_dev", .kinds = NUMBERS, .width = 7, .flags = NUMBER_FLAGS, .text = dev_text,
	 .parse = dev_parse},
	{"g_inode", NUMBER(10, 0)},
	{"g_port", NUMBER(5, 0)},
	{"g_ipproto", NAMED(6, ipproto)},
	{"g_tcp_state", NAMED(11, tcp_state)},
	{"g_bool", .kinds = NUMBERS | 1 << KIND_BOOL, .width = 5, .flags = FIELD_FIXED,
	 .text = bool_text, .json = bool_text, .parse = bool_parse},
	{"g_tty", NAMED(8, tty)},
	{"g_octets", 1 << KIND_TEXT, .width = 32, .text = hex_text},
	{"g_addr", 1 << KIND_BYTES, 16, 24, .text = addr_text, .parse_bytes = addr_parse},
	{"g_endpoint", 1 << KIND_NONE, 20, 24, .text = endpoint_text},
	{"g_histogram", 1 << KIND_NONE, sizeof(struct g_histogram), 32, .text = histogram_text},
	{"g_log2", 1 << KIND_BYTES, sizeof(g_log2), 32, .text = log2_text, .json = log2_json},
	{"g_unit", NAMED(5, unit)},
	{"g_creds", 1 << KIND_NONE, .flags = FIELD_HIDDEN, .text = none_text},
	{"g_parent", 1 << KIND_NONE, .flags = FIELD_HIDDEN, .text = none_text},
};

static const struct format enum_format = {"enum", NAMED(16, enum)};

static const struct format plain_formats[] = {
	[KIND_NONE] = {.text = none_text},
	[KIND_UINT] = {NULL, NUMBER(10, 0)},
	[KIND_INT] = {NULL, NUMBER(10, 0)},
	[KIND_BOOL] = {.width = 5,
		       .flags = FIELD_FIXED,
		       .text = bool_text,
		       .json = bool_text,
		       .parse = bool_parse},
	[KIND_CHARS] = {.width = 16, .text = plain_text},
	[KIND_BYTES] = {.width = 32, .text = hex_text},
	[KIND_TEXT] = {.width = 32, .text = plain_text},
	[KIND_LIST] = {.width = 40, .text = list_text, .json = list_json},
	[KIND_CSTR] = {.width = 24, .text = plain_text},
	[KIND_LABELS] = {.width = 32, .text = labels_text, .json = labels_json},
	[KIND_LABEL] = {.width = 16, .text = plain_text},
};

const struct format *format_find(const char *type, enum kind kind, uint32_t size)
{
	if (type && str_starts(type, "struct "))
		type += strlen("struct ");
	for (size_t i = 0; type && i < array_size(formats); i++)
		if (!strcmp(formats[i].type, type) && formats[i].kinds & 1u << kind &&
		    (!formats[i].size || formats[i].size == size))
			return &formats[i];
	if (type && !strcmp(type, enum_format.type) && enum_format.kinds & 1u << kind)
		return &enum_format;
	return &plain_formats[kind];
}

void field_text(const struct field *f, const struct row *row, const struct clock_base *clock,
		struct buf *out)
{
	_cleanup_(buf_done) struct buf raw = {.max = out->max};
	bool truncated = false;
	const char *bytes;
	int64_t number;
	size_t len;

	if (f->flags & FIELD_SKIP_EMPTY && row_number(row, f, &number) && !number)
		return;
	if (f->kind == KIND_TEXT && f->format->text == plain_text &&
	    row_text(row, f, &bytes, &len, &truncated)) {
		escape_text(out, bytes, len);
	} else {
		f->format->text(f, row, clock, &raw);
		escape_text(out, raw.data, raw.len);
		if (f->kind == KIND_LIST || f->kind == KIND_TEXT)
			row_text(row, f, &bytes, &len, &truncated);
	}
	if (truncated)
		buf_str(out, "…");
}
