// SPDX-License-Identifier: Apache-2.0
#include "containers/makers.h"

#include <stdlib.h>

#include "base/mem.h"

static struct maker *find(const struct makers *m, uint32_t pid)
{
	for (size_t i = 0; i < MAX_MAKERS; i++)
		if (m->items[i].bundle && m->items[i].pid == pid)
			return (struct maker *)&m->items[i];
	return NULL;
}

void makers_note(struct makers *m, uint32_t pid, const char *bundle)
{
	struct maker *to = find(m, pid) ?: &m->items[m->next++ % MAX_MAKERS];

	free(to->bundle);
	*to = (struct maker){pid, xstrdup(bundle)};
}

const char *makers_bundle(const struct makers *m, uint32_t pid)
{
	const struct maker *found = find(m, pid);

	return found ? found->bundle : NULL;
}

void makers_done(struct makers *m)
{
	for (size_t i = 0; i < MAX_MAKERS; i++)
		free(m->items[i].bundle);
}
