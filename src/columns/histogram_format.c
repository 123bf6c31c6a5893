// SPDX-License-Identifier: Apache-2.0
/* Histograms as fields: in JSON their intervals, in a column how many values and their shape. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "columns/format_internal.h"

struct unit {
	const char *name;
	uint32_t step; /* from one suffix to the next */
	const char *suffixes[5];
};

static const struct unit units[] = {
	[G_UNIT_NONE] = {"", 1000, {"", "k", "M", "G"}},
	[G_UNIT_NS] = {"ns", 1000, {"ns", "us", "ms", "s"}},
	[G_UNIT_US] = {"us", 1000, {"us", "ms", "s"}},
	[G_UNIT_MS] = {"ms", 1000, {"ms", "s"}},
	[G_UNIT_BYTES] = {"bytes", 1024, {"B", "KiB", "MiB", "GiB"}},
};

const char *unit_name(g_unit unit)
{
	return unit < array_size(units) ? units[unit].name : "";
}

void unit_text(FORMAT_ARGS)
{
	int64_t value;

	if (row_number(row, f, &value))
		buf_str(out, unit_name((g_unit)value));
}

int unit_parse(const struct field *f, const char *word, int64_t *ret)
{
	for (size_t i = 0; i < array_size(units); i++)
		if (!strcmp(units[i].name, word)) {
			*ret = (int64_t)i;
			return 0;
		}
	return -EINVAL;
}

/* How many of the counts there are before those at the end that are all 0. */
static size_t used_slots(const g_log2 counts)
{
	size_t n = G_LOG2_SLOTS;

	while (n && !counts[n - 1])
		n--;
	return n;
}

static bool read_bytes(const struct field *f, const struct row *row, void *ret, size_t size)
{
	const char *bytes;
	bool truncated;
	size_t len;

	if (!row_text(row, f, &bytes, &len, &truncated) || len != size)
		return false;
	memcpy(ret, bytes, size);
	return true;
}

void log2_json(FORMAT_ARGS)
{
	g_log2 counts;
	size_t n;

	if (!read_bytes(f, row, counts, sizeof(counts)))
		return;
	n = used_slots(counts);
	buf_char(out, '[');
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s{\"count\":%llu,\"intervalStart\":%llu,\"intervalEnd\":%llu}",
			   i ? "," : "", (unsigned long long)counts[i], i ? 1ull << i : 0,
			   (2ull << i) - 1);
	buf_char(out, ']');
}

static void add_shape(const g_log2 counts, size_t first, size_t end, struct buf *out)
{
	static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
	uint64_t most = 1;

	for (size_t i = first; i < end; i++)
		most = counts[i] > most ? counts[i] : most;
	for (size_t i = first; i < end; i++) {
		double part = (double)counts[i] / (double)most;

		buf_str(out, counts[i] ? blocks[(size_t)(part * 7.0)] : " ");
	}
}

static size_t first_slot(const g_log2 counts, size_t end)
{
	size_t i = 0;

	while (i < end && !counts[i])
		i++;
	return i;
}

void log2_text(FORMAT_ARGS)
{
	g_log2 counts;
	size_t end;

	if (!read_bytes(f, row, counts, sizeof(counts)))
		return;
	end = used_slots(counts);
	add_shape(counts, first_slot(counts, end), end, out);
}

static void add_edge(const struct unit *unit, uint64_t value, struct buf *out)
{
	size_t i = 0;

	while (value >= unit->step && i + 1 < array_size(unit->suffixes) && unit->suffixes[i + 1]) {
		value /= unit->step;
		i++;
	}
	buf_u64(out, value);
	buf_str(out, unit->suffixes[i]);
}

bool histogram_read(const struct field *group, const struct row *row, struct g_histogram *ret)
{
	const struct field whole = {.kind = KIND_BYTES,
				    .part = group->part,
				    .offset = group->offset,
				    .size = group->size};

	return read_bytes(&whole, row, ret, sizeof(*ret));
}

/* 37: 64us ▂█▄ 511us */
void histogram_text(FORMAT_ARGS)
{
	const struct unit *unit;
	struct g_histogram h;
	uint64_t sum = 0;
	size_t first, end;

	if (!histogram_read(f, row, &h))
		return;
	unit = &units[h.unit < array_size(units) ? h.unit : G_UNIT_NONE];
	for (size_t i = 0; i < G_LOG2_SLOTS; i++)
		sum += h.data[i];
	buf_u64(out, sum);
	if (!sum)
		return;
	end = used_slots(h.data);
	first = first_slot(h.data, end);
	buf_str(out, ": ");
	add_edge(unit, first ? 1ull << first : 0, out);
	buf_char(out, ' ');
	add_shape(h.data, first, end, out);
	buf_char(out, ' ');
	add_edge(unit, (2ull << (end - 1)) - 1, out);
}
