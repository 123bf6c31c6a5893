// SPDX-License-Identifier: Apache-2.0
#include "columns/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/mem.h"

enum { BLOCK_BYTES = 16 * 1024 - 64 };

struct arena_block {
	struct arena_block *before;
	size_t used, room;
	_Alignas(8) char bytes[];
};

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->last;
	void *p;

	size = (size + 7) & ~(size_t)7;
	if (!b || b->room - b->used < size) {
		size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;

		b = xrealloc(NULL, sizeof(*b) + room, 1);
		*b = (struct arena_block){.before = a->last, .room = room};
		a->last = b;
	}
	p = b->bytes + b->used;
	b->used += size;
	a->bytes += size;
	return p;
}

void *arena_copy(struct arena *a, const void *bytes, size_t size)
{
	void *p = arena_alloc(a, size);

	if (size)
		memcpy(p, bytes, size);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_copy(a, s, strlen(s) + 1) : NULL;
}

void arena_done(struct arena *a)
{
	while (a->last) {
		struct arena_block *before = a->last->before;

		free(a->last);
		a->last = before;
	}
	a->bytes = 0;
}
