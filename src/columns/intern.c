// SPDX-License-Identifier: Apache-2.0
#include "columns/intern.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "columns/arena.h"

/* What is looked for: its bytes lie elsewhere. The tree has `bytes` of struct interned in it. */
struct key {
	const void *bytes;
	size_t len;
	struct interned *item;
};

static int by_bytes(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return x->len ? memcmp(x->bytes, y->bytes, x->len) : 0;
}

const struct interned *intern(struct intern *in, struct arena *arena, const void *bytes, size_t len)
{
	struct key search = {.bytes = bytes, .len = len}, **found, *key;

	found = tfind(&search, &in->tree, by_bytes);
	if (found)
		return (*found)->item;
	key = arena_alloc(arena, sizeof(*key));
	key->item = arena_alloc(arena, sizeof(*key->item) + len);
	key->item->number = in->n;
	key->item->len = len;
	if (len)
		memcpy(key->item->bytes, bytes, len);
	key->bytes = key->item->bytes;
	key->len = len;
	tsearch(key, &in->tree, by_bytes);
	*grow(&in->items, &in->n, &in->room) = key->item;
	return key->item;
}

static void keep(void *key)
{
	/* the arena has it */
}

void intern_done(struct intern *in)
{
	tdestroy(in->tree, keep);
	free(in->items);
	*in = (struct intern){0};
}
