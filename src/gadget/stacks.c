// SPDX-License-Identifier: Apache-2.0
/*
 * Stacks of tables (stack.bpf.h). There are two maps of each kind, of which the programs fill one.
 * When all tables were taken the other one is emptied and comes into use. The tables that are
 * filled then have no id of it: it was out of use for a whole interval, and swapping tables has
 * waited for programs that began before. Tables that are taken may have ids of either.
 */
#include "gadget/run.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

static const char *const kinds[] = {"g_ustacks", "g_kstacks"};

static struct bpf_map *stack_map(const struct gadget *g, const char *kind, uint32_t turn)
{
	char name[32];

	snprintf(name, sizeof(name), "%s_%c", kind, turn ? 'b' : 'a');
	return bpf_object__find_map_by_name(g->run->object, name);
}

static const char *map_tag(const struct gadget *g, const struct bpf_map *map, const char *prefix)
{
	return object_tag(g->run->object, BTF_KIND_VAR, bpf_map__name(map), prefix);
}

/* "ustack", or "!kernel_stacks_only". */
static bool is_asked_for(const struct gadget *g, const char *param)
{
	return *param == '!' ? !param_is_true(g, param + 1) : param_is_true(g, param);
}

void stacks_prepare(struct gadget *g)
{
	for (size_t i = 0; i < array_size(kinds); i++)
		for (uint32_t turn = 0; turn < 2; turn++) {
			struct bpf_map *map = stack_map(g, kinds[i], turn);
			const char *param = map ? map_tag(g, map, "stacks:") : NULL;

			if (param && (!is_asked_for(g, param) || (turn && map_tag(g, map, "kept"))))
				bpf_map__set_max_entries(map, 1);
		}
}

void stacks_limit(struct gadget *g, uint32_t most)
{
	for (size_t i = 0; i < array_size(kinds); i++)
		for (uint32_t turn = 0; turn < 2; turn++) {
			struct bpf_map *map = stack_map(g, kinds[i], turn);

			if (map && bpf_map__max_entries(map) > most)
				bpf_map__set_max_entries(map, most);
		}
}

/* The next key is asked for before one goes: to begin again each time would be dear. */
static int empty(const struct bpf_map *map)
{
	uint64_t key, next;
	int fd = bpf_map__fd(map), rc, deleted = 0;

	if (bpf_map__key_size(map) != sizeof(key))
		return -EINVAL;
	rc = bpf_map_get_next_key(fd, NULL, &next);
	while (!rc && (!deleted || deleted == -ENOENT)) {
		key = next;
		rc = bpf_map_get_next_key(fd, &key, &next);
		deleted = bpf_map_delete_elem(fd, &key);
	}
	return deleted && deleted != -ENOENT ? deleted : rc == -ENOENT ? 0 : rc;
}

static bool is_last_table(const struct gadget *g, unsigned int source)
{
	for (unsigned int i = source + 1; i < g->n_sources; i++)
		if (g->sources[i].pub.kind == SOURCE_TOP && gadget_has_table(g, i))
			return false;
	return true;
}

int stacks_turn(struct gadget *g, unsigned int source, struct err *err)
{
	const struct bpf_map *which = bpf_object__find_map_by_name(g->run->object, "g_stack_turn");
	uint32_t zero = 0, turn = !g->run->stack_turn;
	int rc = 0;

	if (!which || !is_last_table(g, source))
		return 0;
	for (size_t i = 0; i < array_size(kinds) && !rc; i++) {
		const struct bpf_map *map = stack_map(g, kinds[i], turn);

		if (map && map_tag(g, map, "kept"))
			return 0;
		rc = map ? empty(map) : 0;
	}
	rc = rc ?: bpf_map_update_elem(bpf_map__fd(which), &zero, &turn, BPF_ANY);
	if (rc)
		return err_set(err, rc, "%s: cannot empty the map of stacks", g->name);
	g->run->stack_turn = turn;
	return 0;
}

ssize_t gadget_stack(const struct gadget *g, bool user, uint64_t id, void *to, size_t room)
{
	int rc = -ENOENT;

	/* Most are in the one that is filled now. */
	for (uint32_t i = 0; g->run && i < 2; i++) {
		const struct bpf_map *map = stack_map(g, kinds[!user], g->run->stack_turn ^ i);
		uint64_t bytes, size = map ? bpf_map__value_size(map) : 0;
		_cleanup_(freep) unsigned char *value = NULL;

		if (size < sizeof(bytes) || size > MAX_RECORD_BYTES ||
		    bpf_map__key_size(map) != sizeof(id) || bpf_map__type(map) != BPF_MAP_TYPE_HASH)
			continue;
		value = xcalloc(1, size);
		rc = bpf_map_lookup_elem(bpf_map__fd(map), &id, value);
		if (rc)
			continue;
		memcpy(&bytes, value, sizeof(bytes));
		if (bytes > size - sizeof(bytes))
			return -EINVAL;
		if (bytes > room)
			return -EMSGSIZE;
		memcpy(to, value + sizeof(bytes), bytes);
		return (ssize_t)bytes;
	}
	return rc;
}

void gadget_meet_stacks(struct gadget *g, gadget_record_fn *fn, void *ctx)
{
	g->run->met = fn;
	g->run->met_ctx = ctx;
}
