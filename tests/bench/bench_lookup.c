// SPDX-License-Identifier: Apache-2.0
/*
 * What a record costs to find its container: from the key in it to the track, to the share that its
 * tracer has in it, and to the container's contents, with so many containers, in CPU time, the best of five runs. Each look-up
 * waits for the one before, so that none hides behind another. Prints ns, or with the argument
 * "json" the same as lines of JSON.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/mem.h"
#include "traces/internal.h"

enum { RECORDS = 1 << 20, RUNS = 5 };

static double cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static uint64_t random_number(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* As the container collection and a tracer make them, slots in order. */
static void fill(struct attachment *a, struct trace *t, uint32_t n)
{
	static const struct gadget_counters none;

	account_init(&t->account, n);
	t->attachment = a;
	for (uint32_t slot = 1; slot <= n; slot++) {
		struct container *c = container_new();

		c->key = 1ull << 32 | slot;
		c->id = xasprintf("%064x", slot);
		c->name = xasprintf("container-%u", slot);
		c->runtime = xstrdup("runc");
		c->bundle = xasprintf("/run/bundles/%u", slot);
		c->cgroup_path = xasprintf("/containers/%064x", slot);
		share_add(track_add(a, c->key, c), t, true, none);
		container_unref(c);
	}
}

/* ns of one look-up. */
static double run(struct attachment *a, const uint64_t *keys)
{
	double start = cpu_ns();
	size_t at = 0;

	while (at < RECORDS) {
		struct track *k = track_find(a, keys[at]);
		struct account_entry *e = k ? TAILQ_FIRST(&k->shares) : NULL;

		if (!e || !e->wanted)
			abort();
		e->delivered++;
		/* The version is 0; only we know it. */
		at += 1 + e->container->version;
	}
	return (cpu_ns() - start) / RECORDS;
}

static double best(uint32_t n, bool any)
{
	uint64_t *keys = xnew_n(uint64_t, RECORDS), state = 88172645463325252ull;
	struct attachment a = {0};
	struct trace t = {0};
	double ns = 0;

	fill(&a, &t, n);
	for (size_t i = 0; i < RECORDS; i++)
		keys[i] = 1ull << 32 | (1 + (any ? random_number(&state) % n : n / 2));
	for (int i = 0; i < RUNS; i++) {
		double took = run(&a, keys);

		ns = !i || took < ns ? took : ns;
	}
	free(keys); /* all else lives as long as the process */
	return ns;
}

int main(int argc, char **argv)
{
	static const uint32_t counts[] = {1000, MAX_CONTAINERS};
	static const char *const cases[] = {"one's records", "anybody's records"};
	bool json = argc > 1 && !strcmp(argv[1], "json");

	for (size_t i = 0; i < array_size(counts); i++)
		for (size_t any = 0; any < array_size(cases); any++)
			printf(json ? "{\"containers\":%u,\"case\":\"%s\",\"ns\":%.2f}\n"
				    : "%6u containers, %-18s %8.2f ns\n",
			       counts[i], cases[any], best(counts[i], any));
	return 0;
}
