// SPDX-License-Identifier: Apache-2.0
/* Keys of containers: a slot, and a generation that makes the key unique for the run. */
#include "containers/internal.h"

#include "base/mem.h"

void slots_init(struct slots *s)
{
	s->slots = xnew_n(struct slot, MAX_SLOTS);
	s->freed = xnew_n(uint32_t, MAX_SLOTS);
	s->fresh = 1;
}

void slots_done(struct slots *s)
{
	free(s->slots);
	free(s->freed);
}

static uint64_t key_of(const struct slots *s, uint32_t slot)
{
	return (uint64_t)s->slots[slot].generation << 32 | slot;
}

bool slots_take(struct slots *s, uint64_t *ret_key)
{
	uint32_t slot;

	if (s->fresh < MAX_SLOTS) {
		slot = s->fresh++;
	} else if (s->n_freed) {
		slot = s->freed[s->first];
		s->first = (s->first + 1) % MAX_SLOTS;
		s->n_freed--;
	} else {
		return false;
	}
	*ret_key = key_of(s, slot);
	return true;
}

void slots_give(struct slots *s, uint64_t key)
{
	uint32_t slot = container_slot(key);

	s->slots[slot].generation++;
	s->slots[slot].entry = NULL;
	s->freed[(s->first + s->n_freed++) % MAX_SLOTS] = slot;
}

struct entry *slots_entry(const struct slots *s, uint64_t key)
{
	uint32_t slot = container_slot(key);

	return slot && slot < MAX_SLOTS && key_of(s, slot) == key ? s->slots[slot].entry : NULL;
}

void slots_set(struct slots *s, uint64_t key, struct entry *e)
{
	s->slots[container_slot(key)].entry = e;
}
