// SPDX-License-Identifier: Apache-2.0
/*
 * Containers alone: those that run now, then each that starts or ends, found by eBPF without a
 * runtime's help.
 *
 *   containers [SECONDS]      without SECONDS: until interrupted
 */
#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "containers/containers.h"

static void on_event(void *ctx, enum container_event event, struct container *c)
{
	struct containers *cs = *(struct containers **)ctx;

	printf("%c %-16.64s %-12.12s %-8s pid %u cgroup %llu\n",
	       event == CONTAINER_ADDED ? '+' : '-', c->name, c->id, c->runtime ?: "?", c->pid,
	       (unsigned long long)c->cgroup_id);
	fflush(stdout);
	if (event == CONTAINER_REMOVED) /* we have no records that may still name it */
		containers_forget(cs, c);
}

int main(int argc, char **argv)
{
	_cleanup_(containers_freep) struct containers *cs = NULL;
	uint64_t seconds = 0;
	struct err err = { 0 };
	int r;

	if (argc > 1 && parse_u64(argv[1], &seconds))
		return 2;
	r = containers_new(NULL, &cs, &err);
	if (!r) {
		containers_subscribe(cs, on_event, &cs);
		r = containers_start(cs, &err);
	}
	if (r) {
		fprintf(stderr, "containers: %s\n", err.text);
		return 1;
	}
	fprintf(stderr, "%zu containers run\n", containers_count(cs));
	for (time_t end = time(NULL) + (time_t)seconds; !seconds || time(NULL) < end;) {
		struct pollfd p = { .fd = containers_fd(cs), .events = POLLIN };

		if (poll(&p, 1, 1000) > 0)
			containers_dispatch(cs);
	}
	return 0;
}
