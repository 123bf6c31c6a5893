// SPDX-License-Identifier: Apache-2.0
/*
 * Reads BPF ring buffers where they lie. The kernel maps a page with the consumer's position
 * (ours to write), a page with the producer's, and the data twice in a row, so that a record that
 * passes the end is still in one piece. Each record has a header of 8 bytes, whose first word is
 * its length and two marks (kernel/bpf/ringbuf.c). A program may put out more than
 * MAX_RECORD_BYTES; so much of it is given.
 *
 * The rings are watched by an epoll descriptor, edge-triggered: level-triggered it would be ready
 * as soon as one byte waits, and holding back wake-ups (g_wake_bytes) would be in vain.
 */
#include "gadget/run.h"

#include <sys/epoll.h>
#include <sys/mman.h>

#include "base/limits.h"
#include "base/mem.h"

#define HEADER_BYTES 8u
#define LENGTH_MASK (~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT))

/* Room is given back to the producer after so much of a ring was read, and at the end of a read. */
#define GIVE_BACK_PART 16

static size_t page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

void ring_close(struct ring *r)
{
	if (r->consumer_page)
		munmap(r->consumer_page, page_size());
	if (r->producer_page)
		munmap((void *)r->producer_page, page_size() + r->data_bytes);
	*r = (struct ring){ .fd = -1 };
}

/*
 * The kernel offers the data twice; each mapped page counts as resident at once, so of the second
 * time only as much is mapped as one record can pass the end.
 */
static size_t data_bytes(uint32_t size)
{
	size_t page = page_size(),
	       more = (HEADER_BYTES + MAX_RECORD_BYTES + page - 1) / page * page;

	return (size_t)size + (more < size ? more : size);
}

int ring_open(struct ring *r, int map_fd, uint32_t size, struct err *err)
{
	size_t page = page_size();
	void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);

	*r = (struct ring){ .fd = map_fd, .size = size, .data_bytes = data_bytes(size) };
	if (p != MAP_FAILED) {
		r->consumer_page = p;
		p = mmap(NULL, page + r->data_bytes, PROT_READ, MAP_SHARED, map_fd, page);
	}
	if (p == MAP_FAILED) {
		int rc = -errno;

		ring_close(r);
		return err_set(err, rc, "cannot map a ring of %u bytes", size);
	}
	r->producer_page = p;
	return 0;
}

size_t ring_read(struct ring *r, size_t max, unsigned int source, gadget_record_fn *fn, void *ctx)
{
	unsigned long *consumer = r->consumer_page;
	const unsigned char *data = (const unsigned char *)r->producer_page + page_size();
	const unsigned long mask = r->size - 1, step = r->size / GIVE_BACK_PART;
	unsigned long at = *consumer, given = at;
	const unsigned long *producer = r->producer_page;
	/* Pairs with the producer's release: headers before `end` are written. */
	const unsigned long end = __atomic_load_n(producer, __ATOMIC_ACQUIRE);
	size_t n = 0;

	while (at < end && (!max || n < max)) {
		const unsigned char *header = data + (at & mask);
		/* Pairs with the commit, which clears the mark when the bytes are in place. */
		uint32_t word = __atomic_load_n((const uint32_t *)header, __ATOMIC_ACQUIRE);
		uint32_t size = word & LENGTH_MASK;

		if (word & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(word & BPF_RINGBUF_DISCARD_BIT)) {
			n++;
			if (fn)
				fn(ctx, source, header + HEADER_BYTES,
				   size < MAX_RECORD_BYTES ? size : MAX_RECORD_BYTES);
		}
		at += (HEADER_BYTES + (unsigned long)size + 7) & ~7ul;
		if (at - given >= step) {
			__atomic_store_n(consumer, at, __ATOMIC_RELEASE);
			given = at;
		}
	}
	if (at != given)
		__atomic_store_n(consumer, at, __ATOMIC_RELEASE);
	return n;
}

bool ring_is_empty(const struct ring *r)
{
	const unsigned long *consumer = r->consumer_page, *producer = r->producer_page;

	return r->fd < 0 || __atomic_load_n(producer, __ATOMIC_ACQUIRE) == *consumer;
}

int gadget_fd(const struct gadget *g)
{
	return g->run ? g->run->epoll_fd : -1;
}

size_t gadget_read(struct gadget *g, size_t max, gadget_record_fn *fn, void *ctx)
{
	struct running *run = g->run;
	struct epoll_event edges[16];
	size_t n = 0;

	if (!run)
		return 0;
	/* Takes the edges first: what comes later makes the descriptor ready again. */
	while (epoll_wait(run->epoll_fd, edges, array_size(edges), 0) == array_size(edges))
		;
	if (run->bell.fd >= 0)
		ring_read(&run->bell, 0, 0, run->met, run->met_ctx);
	for (unsigned int i = 0; i < g->n_sources && (!max || n < max); i++) {
		if (run->rings[i].fd >= 0)
			n += ring_read(&run->rings[i], max ? max - n : 0, i, fn, ctx);
	}
	return n;
}
