// SPDX-License-Identifier: Apache-2.0
/* A binary heap of copied records, by time and then by arrival. See merge.h. */
#include "traces/merge.h"

#include <string.h>

#include "base/mem.h"

struct held {
	struct merge_row row;
	unsigned char bytes[] __attribute__((aligned(8)));
};

struct slot {
	uint64_t time, arrival;
	struct held *held;
};

struct merge {
	uint64_t window;
	size_t max_bytes, bytes;
	merge_fn *fn;
	void *ctx;
	struct slot *heap;
	size_t n, room;
	uint64_t arrivals;
	uint64_t released; /* time of the newest record given on in order */
};

struct merge *merge_new(uint64_t window_ns, size_t max_bytes, merge_fn *fn, void *ctx)
{
	struct merge *m = xnew(struct merge);

	m->window = window_ns;
	m->max_bytes = max_bytes;
	m->fn = fn;
	m->ctx = ctx;
	return m;
}

struct merge *merge_free(struct merge *m)
{
	if (!m)
		return NULL;
	for (size_t i = 0; i < m->n; i++)
		free(m->heap[i].held);
	free(m->heap);
	free(m);
	return NULL;
}

size_t merge_held(const struct merge *m)
{
	return m->n;
}

static bool before(const struct slot *a, const struct slot *b)
{
	return a->time != b->time ? a->time < b->time : a->arrival < b->arrival;
}

static void sift_up(struct slot *heap, size_t i)
{
	struct slot moving = heap[i];

	while (i) {
		size_t parent = (i - 1) / 2;

		if (!before(&moving, &heap[parent]))
			break;
		heap[i] = heap[parent];
		i = parent;
	}
	heap[i] = moving;
}

static void sift_down(struct slot *heap, size_t n)
{
	struct slot moving = heap[0];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < n) {
		if (child + 1 < n && before(&heap[child + 1], &heap[child]))
			child++;
		if (!before(&heap[child], &moving))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = moving;
}

static void release_oldest(struct merge *m)
{
	struct slot oldest = m->heap[0];

	m->heap[0] = m->heap[--m->n];
	if (m->n)
		sift_down(m->heap, m->n);
	m->bytes -= sizeof(struct held) + oldest.held->row.size;
	m->released = oldest.time;
	m->fn(m->ctx, &oldest.held->row, false);
	free(oldest.held);
}

void merge_push(struct merge *m, const struct merge_row *row, uint64_t now)
{
	/* The kernel's clock for programs may be a little ahead of the one that we read. */
	uint64_t time = row->time > now && row->time - now > m->window ? now : row->time;
	size_t bytes = sizeof(struct held) + row->size;
	struct held *h = NULL;

	if (time >= m->released && bytes <= m->max_bytes) {
		while (m->bytes + bytes > m->max_bytes)
			release_oldest(m);
		if (time >= m->released)
			h = malloc(bytes);
	}
	if (!h) { /* older than what is out already; or no memory to hold it */
		m->fn(m->ctx, row, time < m->released);
		return;
	}
	h->row = *row;
	h->row.record = h->bytes;
	memcpy(h->bytes, row->record, row->size);
	m->bytes += bytes;
	*grow(&m->heap, &m->n, &m->room) = (struct slot){time, m->arrivals++, h};
	sift_up(m->heap, m->n - 1);
}

void merge_release(struct merge *m, uint64_t now)
{
	while (m->n && now > m->heap[0].time && now - m->heap[0].time > m->window)
		release_oldest(m);
}

void merge_release_all(struct merge *m)
{
	while (m->n)
		release_oldest(m);
}

static int by_time(const void *a, const void *b)
{
	return before(a, b) ? -1 : 1;
}

void merge_each(const struct merge *m, const void *owner, merge_fn *fn, void *ctx)
{
	struct slot *own = xnew_n(struct slot, m->n + 1);
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->heap[i].held->row.owner == owner)
			own[n++] = m->heap[i];
	qsort(own, n, sizeof(*own), by_time);
	for (size_t i = 0; i < n; i++)
		fn(ctx, &own[i].held->row, false);
	free(own);
}

void merge_drop(struct merge *m, const void *owner)
{
	size_t n = m->n;

	m->n = 0; /* and the heap is made anew of those that stay */
	for (size_t i = 0; i < n; i++) {
		struct slot s = m->heap[i];

		if (s.held->row.owner == owner) {
			m->bytes -= sizeof(struct held) + s.held->row.size;
			free(s.held);
			continue;
		}
		m->heap[m->n] = s;
		sift_up(m->heap, m->n++);
	}
}
