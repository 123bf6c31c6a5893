// SPDX-License-Identifier: Apache-2.0
/* The ring reader on a ring made by hand: what the kernel would write, mapped as it maps it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/bpf.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limits.h"
#include "gadget/run.h"

enum { SIZE = 65536, PAGE = 4096 };

struct fake {
	struct ring ring;
	unsigned char *data;
	unsigned long *producer, *consumer;
};

struct got {
	size_t n;
	uint32_t size[4096];
	unsigned char first[4096];
	const struct fake *watch;
	unsigned long most_behind; /* bytes that the reader had read but not given back */
	unsigned long bytes;
};

static void *map_at(void *at, size_t size, int fd, off_t offset)
{
	void *p = mmap(at, size, PROT_READ | PROT_WRITE, MAP_SHARED | (at ? MAP_FIXED : 0), fd,
		       offset);

	assert_ptr_not_equal(p, MAP_FAILED);
	return p;
}

static void fake_open(struct fake *f)
{
	int fd = memfd_create("ring", MFD_CLOEXEC);
	unsigned char *p =
		mmap(NULL, PAGE + 2 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_int_equal(sysconf(_SC_PAGESIZE), PAGE);
	assert_int_equal(ftruncate(fd, 2 * PAGE + SIZE), 0);
	f->consumer = map_at(NULL, PAGE, fd, 0);
	f->producer = map_at(p, PAGE, fd, PAGE);
	f->data = map_at(p + PAGE, SIZE, fd, 2 * PAGE);
	map_at(p + PAGE + SIZE, SIZE, fd, 2 * PAGE);
	f->ring = (struct ring){ .fd = -1,
				 .size = SIZE,
				 .consumer_page = f->consumer,
				 .producer_page = f->producer,
				 .data_bytes = 2 * SIZE };
	close(fd);
}

static void fake_close(struct fake *f)
{
	ring_close(&f->ring);
}

/* As the kernel does it: header, bytes, and the producer's position behind. */
static void produce(struct fake *f, uint32_t size, unsigned char fill, uint32_t marks)
{
	unsigned char *at = f->data + (*f->producer & (SIZE - 1));

	*(uint32_t *)at = size | marks;
	memset(at + 8, fill, size);
	*f->producer += (size + 8 + 7) & ~7ul;
}

static void take_record(void *ctx, unsigned int source, const void *record, uint32_t size)
{
	struct got *g = ctx;

	assert_int_equal(source, 3);
	assert_true(g->n < 4096);
	g->size[g->n] = size;
	g->first[g->n++] = size ? *(const unsigned char *)record : 0;
	for (uint32_t i = 1; i < size; i++)
		assert_int_equal(((const unsigned char *)record)[i],
				 *(const unsigned char *)record);
	g->bytes += (size + 8 + 7) & ~7ul;
	if (g->watch && g->bytes - *g->watch->consumer > g->most_behind)
		g->most_behind = g->bytes - *g->watch->consumer;
}

static void test_order_and_sizes(void **state)
{
	struct fake f;
	struct got g = {};

	fake_open(&f);
	assert_int_equal(ring_read(&f.ring, 0, 3, take_record, &g), 0);
	produce(&f, 1, 'a', 0);
	produce(&f, 100, 'b', 0);
	produce(&f, 8, 'c', 0);
	assert_int_equal(ring_read(&f.ring, 0, 3, take_record, &g), 3);
	assert_int_equal(g.size[0], 1);
	assert_int_equal(g.size[1], 100);
	assert_int_equal(g.size[2], 8);
	assert_memory_equal(g.first, "abc", 3);
	assert_int_equal(*f.consumer, *f.producer);
	fake_close(&f);
}

static void test_busy_stops_discarded_is_skipped(void **state)
{
	struct fake f;
	struct got g = {};

	fake_open(&f);
	produce(&f, 16, 'a', 0);
	produce(&f, 16, 'x', BPF_RINGBUF_DISCARD_BIT);
	produce(&f, 16, 'b', 0);
	unsigned long busy = *f.producer;
	produce(&f, 16, 'c', BPF_RINGBUF_BUSY_BIT);
	produce(&f, 16, 'd', 0);
	assert_int_equal(ring_read(&f.ring, 0, 3, take_record, &g), 2);
	assert_memory_equal(g.first, "ab", 2);
	assert_int_equal(*f.consumer, busy);
	assert_int_equal(ring_read(&f.ring, 0, 3, take_record, &g), 0);

	*(uint32_t *)(f.data + busy) = 16; /* committed */
	assert_int_equal(ring_read(&f.ring, 0, 3, take_record, &g), 2);
	assert_memory_equal(g.first, "abcd", 4);
	fake_close(&f);
}

static void test_at_most(void **state)
{
	struct fake f;
	struct got g = {};

	fake_open(&f);
	for (int i = 0; i < 10; i++)
		produce(&f, 24, 'a' + i, i % 2 ? BPF_RINGBUF_DISCARD_BIT : 0);
	assert_int_equal(ring_read(&f.ring, 2, 3, take_record, &g), 2);
	assert_int_equal(ring_read(&f.ring, 2, 3, take_record, &g), 2);
	assert_int_equal(ring_read(&f.ring, 2, 3, take_record, &g), 1);
	assert_memory_equal(g.first, "acegi", 5);
	fake_close(&f);
}

/* Many times around: records that pass the end come in one piece. */
static void test_round(void **state)
{
	struct fake f;
	size_t produced = 0;
	uint32_t size = 1;

	fake_open(&f);
	for (int round = 0; round < 200; round++) {
		struct got g = {};
		uint32_t sizes[64];
		size_t n = 0;

		while (n < 64 && *f.producer - *f.consumer + size + 16 < SIZE) {
			sizes[n++] = size;
			produce(&f, size, produced++, 0);
			size = (size * 7 + 13) % 4000;
		}
		assert_int_equal(ring_read(&f.ring, 0, 3, take_record, &g), n);
		assert_memory_equal(g.size, sizes, n * sizeof(sizes[0]));
		assert_int_equal(*f.consumer, *f.producer);
	}
	assert_true(*f.producer > 20ul * SIZE);
	fake_close(&f);
}

/* A producer that waits for room gets it while a long read goes on, not only at its end. */
static void test_room_is_given_back_early(void **state)
{
	struct fake f;
	struct got g = { .watch = &f };

	fake_open(&f);
	while (*f.producer + 64 <= SIZE)
		produce(&f, 56, 1, 0);
	assert_int_equal(ring_read(&f.ring, 0, 3, take_record, &g), SIZE / 64);
	assert_in_range(g.most_behind, 2 * 64, SIZE / 8);
	fake_close(&f);
}

/* What one record cannot be: its length is cut, and reading goes on behind it. */
static void test_huge_record(void **state)
{
	struct fake f;
	struct got g = {};

	fake_open(&f);
	produce(&f, MAX_RECORD_BYTES + 4096, 'h', 0);
	produce(&f, 8, 'i', 0);
	assert_int_equal(ring_read(&f.ring, 0, 3, take_record, &g), 2);
	assert_int_equal(g.size[0], MAX_RECORD_BYTES);
	assert_memory_equal(g.first, "hi", 2);
	fake_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_and_sizes),
		cmocka_unit_test(test_busy_stops_discarded_is_skipped),
		cmocka_unit_test(test_at_most),
		cmocka_unit_test(test_round),
		cmocka_unit_test(test_room_is_given_back_early),
		cmocka_unit_test(test_huge_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
