// SPDX-License-Identifier: Apache-2.0
/*
 * A set alone: the containers of some names as two maps, which any BPF program may look into, kept
 * current until interrupted. Prints who is in whenever that changes.
 *
 *   pin_set [NAMES [CGROUPS MNTNS]]      NAMES as for `ig run -c`; paths below /sys/fs/bpf
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>

#include "base/err.h"
#include "containers/containers.h"
#include "traces/set.h"

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	interrupted = 1;
}

static void print_name(void *ctx, struct container *c)
{
	printf(" %s", c->name);
}

/* We have no records that may still name one that ended. */
static void on_event(void *ctx, enum container_event event, struct container *c)
{
	if (event == CONTAINER_REMOVED)
		containers_forget(*(struct containers **)ctx, c);
}

static void follow(struct containers *cs, const struct set *set)
{
	for (size_t said = (size_t)-1; !interrupted;) {
		if (set_count(set) != said) {
			said = set_count(set);
			printf("%zu:", said);
			set_each(set, print_name, NULL);
			puts("");
			fflush(stdout);
		}
		poll(&(struct pollfd){.fd = containers_fd(cs), .events = POLLIN}, 1, -1);
		containers_dispatch(cs);
	}
}

int main(int argc, char **argv)
{
	const struct selector_options so = {.container_name = argc > 1 ? argv[1] : NULL};
	struct selector *selector = NULL;
	struct containers *cs = NULL;
	struct set *set = NULL;
	struct err err = {0};
	int r;

	signal(SIGINT, on_signal);
	r = selector_new(&so, &selector, &err);
	r = r ?: containers_new(NULL, &cs, &err);
	r = r ?: set_new(cs, selector, &set, &err);
	if (!r && argc > 3)
		r = set_pin(set, argv[2], argv[3], &err);
	if (!r) {
		containers_subscribe(cs, on_event, &cs);
		r = containers_start(cs, &err);
	}
	if (!r)
		follow(cs, set);
	else
		fprintf(stderr, "pin_set: %s\n", err.text);
	set_free(set);
	containers_free(cs);
	selector_free(selector);
	return r ? 1 : 0;
}
