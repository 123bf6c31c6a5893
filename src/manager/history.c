// SPDX-License-Identifier: Apache-2.0
#include "manager/history.h"

#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "containers/container.h"

struct item {
	TAILQ_ENTRY(item) link;
	unsigned int source;
	bool late, end; /* end: of a table; it has no record */
	struct container *container;
	uint64_t version; /* of the container, as the row had it */
	uint32_t size;
	uint64_t record[]; /* aligned as records are */
};

struct history {
	TAILQ_HEAD(items, item) items;
	size_t n_rows, max_rows, bytes, max_bytes;
};

struct history *history_new(size_t max_rows, size_t max_bytes)
{
	struct history *h = xnew(struct history);

	TAILQ_INIT(&h->items);
	h->max_rows = max_rows;
	h->max_bytes = max_bytes;
	return h;
}

static void drop_first(struct history *h)
{
	struct item *i = TAILQ_FIRST(&h->items);

	TAILQ_REMOVE(&h->items, i, link);
	h->n_rows -= !i->end;
	h->bytes -= sizeof(*i) + i->size;
	container_unref(i->container);
	free(i);
}

struct history *history_free(struct history *h)
{
	while (h && !TAILQ_EMPTY(&h->items))
		drop_first(h);
	free(h);
	return NULL;
}

static void append(struct history *h, struct item *i)
{
	TAILQ_INSERT_TAIL(&h->items, i, link);
	h->n_rows += !i->end;
	h->bytes += sizeof(*i) + i->size;
	while (h->n_rows > h->max_rows || h->bytes > h->max_bytes)
		drop_first(h);
}

void history_add(struct history *h, unsigned int source, const struct row *row, bool late)
{
	uint32_t size = row->size[PART_RECORD];
	struct item *i;

	if (!h->max_rows || sizeof(*i) + size > h->max_bytes)
		return;
	i = xcalloc(1, sizeof(*i) + size);
	i->source = source;
	i->late = late;
	if (row->part[PART_CONTAINER])
		i->container = container_ref((struct container *)row->part[PART_CONTAINER]);
	i->version = row->container_version;
	i->size = size;
	memcpy(i->record, row->part[PART_RECORD], size);
	append(h, i);
}

void history_table_end(struct history *h, unsigned int source)
{
	const struct item *last = TAILQ_LAST(&h->items, items);
	struct item *i;

	if (!last || (last->end && last->source == source)) /* an empty table is no news */
		return;
	i = xnew(struct item);
	i->source = source;
	i->end = true;
	append(h, i);
}

size_t history_rows(const struct history *h)
{
	return h->n_rows;
}

void history_each(const struct history *h, size_t last, const struct history_reader *to)
{
	size_t skip = h->n_rows > last ? h->n_rows - last : 0;
	struct item *i;
	bool any = false;

	TAILQ_FOREACH(i, &h->items, link) {
		struct row row = container_row(i->container, i->record, i->size, NULL);

		row.container_version = i->version;
		if (!i->end && skip) {
			skip--;
			continue;
		}
		if (!i->end)
			to->row(to->ctx, i->source, &row, i->late);
		else if (any && to->table_end)
			to->table_end(to->ctx, i->source);
		any = any || !i->end;
	}
}
