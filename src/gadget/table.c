// SPDX-License-Identifier: Apache-2.0
/*
 * Top tables. The programs fill the table that an array of one map points to. To take it, the
 * other table is put in its place; that update returns only when no program uses the old one any
 * more (the kernel waits for them after each change of a map of maps), so that what is read then is
 * whole and stands still. Tables that are kept have one map, which is read while programs go on.
 */
#include "gadget/run.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/mem.h"

struct taking {
	struct gadget *g;
	unsigned int source;
	gadget_record_fn *fn;
	void *ctx;
	uint32_t key_size, value_size; /* bytes, as the map has them */
	unsigned char *row;
	uint32_t row_size;
	uint64_t ns; /* how long it was filled; 0: it is kept */
};

/* ---- how long it was filled ----------------------------------------------------------- */

static uint64_t boot_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

void tables_begin(struct gadget *g)
{
	g->run->ended = 0;
	for (size_t i = 0; i < g->n_sources; i++)
		g->run->table_since[i] = boot_clock();
}

void tables_end(struct gadget *g)
{
	g->run->ended = boot_clock();
}

/* The other table has come in its place `now`, or when the programs had stopped. */
static uint64_t filled_ns(struct gadget *g, unsigned int source, uint64_t now)
{
	uint64_t since = g->run->table_since[source];

	if (g->run->ended)
		now = g->run->ended;
	g->run->table_since[source] = now;
	return now > since ? now - since : 0;
}

/* ---- rows ------------------------------------------------------------------------------ */

static void give_row(struct taking *t, const unsigned char *key, const unsigned char *value)
{
	const struct source *s = &t->g->sources[t->source];

	memcpy(t->row, key, t->key_size);
	memcpy(t->row + s->value_offset, value, t->value_size);
	rates_fill(s, t->row, t->ns);
	t->fn(t->ctx, t->source, t->row, t->row_size);
}

/* Takes rows out, many for each call. -ENOTSUP (kernels before 5.6) where nothing was taken. */
static int take_batches(struct taking *t, int fd)
{
	uint32_t room = 512, position = 0, count;
	_cleanup_(freep) unsigned char *keys = NULL;
	_cleanup_(freep) unsigned char *values = NULL;
	bool begun = false;
	int rc;

	do {
		keys = xrealloc(keys, room, t->key_size);
		values = xrealloc(values, room, t->value_size);
		count = room;
		rc = bpf_map_lookup_and_delete_batch(fd, begun ? &position : NULL, &position, keys,
						     values, &count, NULL);
		if (rc == -ENOSPC && room < MAX_TABLE_ROWS) { /* one bucket holds more */
			room *= 2;
			continue;
		}
		if (rc && rc != -ENOENT)
			return begun || rc == -EFAULT ? rc : -ENOTSUP;
		begun = true;
		for (uint32_t i = 0; i < count; i++)
			give_row(t, keys + (size_t)i * t->key_size,
				 values + (size_t)i * t->value_size);
	} while (rc != -ENOENT);
	return 0;
}

static int take_one_by_one(struct taking *t, int fd)
{
	_cleanup_(freep) unsigned char *key = xcalloc(1, t->key_size);
	_cleanup_(freep) unsigned char *value = xcalloc(1, t->value_size);
	int rc;

	while (!(rc = bpf_map_get_next_key(fd, NULL, key))) {
		if (!bpf_map_lookup_elem(fd, key, value))
			give_row(t, key, value);
		rc = bpf_map_delete_elem(fd, key);
		if (rc && rc != -ENOENT)
			return rc;
	}
	return rc == -ENOENT ? 0 : rc;
}

static bool is_zero(const unsigned char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i])
			return false;
	return true;
}

/* Rows that come and go meanwhile may be left out; each is given once at most, unless a row that
 * was just given is removed, where the kernel begins again: so many steps end it. */
static int read_kept(struct taking *t, const struct bpf_map *map)
{
	_cleanup_(freep) unsigned char *key = xcalloc(1, t->key_size);
	_cleanup_(freep) unsigned char *value = xcalloc(1, t->value_size);
	const struct schema *schema = t->g->sources[t->source].pub.schema;
	uint32_t steps = bpf_map__max_entries(map);
	int fd = bpf_map__fd(map), rc;
	bool begun = false;

	while (!(rc = bpf_map_get_next_key(fd, begun ? key : NULL, key)) && steps--) {
		begun = true;
		if (bpf_map_lookup_elem(fd, key, value) || is_zero(value, t->value_size))
			continue;
		memcpy(t->row, key, t->key_size); /* the programs count no rows of this kind */
		counters_seen(t->g->run, schema, t->row, t->row_size);
		give_row(t, key, value);
	}
	return rc == -ENOENT ? 0 : rc;
}

/* Puts the other table in the place of the full one, which is taken. */
static int take_full(struct taking *t, struct bpf_map *const table[2], struct err *err)
{
	struct gadget *g = t->g;
	const struct bpf_map *now = source_map(g, t->source, "_now");
	uint8_t *turn = &g->run->table_now[t->source];
	int full = bpf_map__fd(table[*turn]), other = bpf_map__fd(table[!*turn]), rc;
	uint64_t at = boot_clock(); /* not after the swap, which waits */
	uint32_t zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(now), &zero, &other, BPF_ANY))
		return err_set(err, -errno, "%s: cannot swap the tables of %s", g->name,
			       g->sources[t->source].pub.name);
	*turn ^= 1;
	t->ns = filled_ns(g, t->source, at);
	rc = take_batches(t, full);
	return rc == -ENOTSUP ? take_one_by_one(t, full) : rc;
}

int top_collect(struct gadget *g, unsigned int source, gadget_record_fn *fn, void *ctx,
		struct err *err)
{
	const struct source *s = &g->sources[source];
	struct bpf_map *table[2] = { source_map(g, source, "_table_a"),
				     source_map(g, source, "_table_b") };
	struct bpf_map *kept = source_map(g, source, "_kept"), *one = kept ? kept : table[0];
	struct taking t = { .g = g, .source = source, .fn = fn, .ctx = ctx };
	int rc;

	if (!one || (!kept && (!table[1] || !source_map(g, source, "_now"))))
		return err_set(err, -EINVAL, "%s: source %s has no tables", g->name, s->pub.name);
	t.key_size = bpf_map__key_size(one);
	t.value_size = bpf_map__value_size(one);
	t.row_size = s->pub.schema->record_size;
	if (t.key_size > t.row_size || s->value_offset > t.row_size ||
	    t.value_size > t.row_size - s->value_offset)
		return err_set(err, -EINVAL, "%s: rows of %s do not fit their tables", g->name,
			       s->pub.name);
	_cleanup_(freep) unsigned char *row = xcalloc(1, t.row_size);
	t.row = row;
	rc = kept ? read_kept(&t, kept) : take_full(&t, table, err);
	if (rc)
		return err_wrap(err, rc, "%s: cannot read the table of %s", g->name, s->pub.name);
	sampling_follow(g->run);
	return stacks_turn(g, source, err);
}

bool gadget_has_table(const struct gadget *g, unsigned int source)
{
	_cleanup_(freep) char *name = xasprintf("%s_source", g->sources[source].prefix);
	const char *param = object_tag(g->run->object, BTF_KIND_VAR, name, "only:");

	return !param || param_is_true(g, param);
}
