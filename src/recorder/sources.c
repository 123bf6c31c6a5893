// SPDX-License-Identifier: Apache-2.0
#include "recorder/sources.h"

#include <stdlib.h>

#include "base/mem.h"

void record_sources_done(struct record_sources *all)
{
	for (size_t i = 0; i < all->n; i++)
		schema_unref(all->items[i].schema);
	free(all->items);
	*all = (struct record_sources){0};
}

static bool has(const struct source_map *run, unsigned int number)
{
	for (size_t i = 0; i < run->n; i++)
		if (run->numbers[i] == number)
			return true;
	return false;
}

bool record_sources_join(struct record_sources *all, struct source_map *run, struct schema *s,
			 unsigned int kind)
{
	unsigned int number = 0;
	bool known;

	while (number < all->n && (has(run, number) || all->items[number].kind != kind ||
				   !schema_same(all->items[number].schema, s)))
		number++;
	known = number < all->n;
	if (!known)
		*grow(&all->items, &all->n, &all->room) =
			(struct record_source){schema_ref(s), kind};
	*grow(&run->numbers, &run->n, &run->room) = number;
	return known;
}
