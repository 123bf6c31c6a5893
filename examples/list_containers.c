// SPDX-License-Identifier: Apache-2.0
/*
 * Containers alone: those that run now, then each that starts or ends, with the names that their
 * runtimes know, as JSON.
 *
 *   list_containers [SECONDS]      without SECONDS: until interrupted
 */
#include <poll.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/view.h"
#include "containers/source.h"

struct list {
	struct containers *containers;
	struct view *view;
	unsigned int source;
};

static void on_event(void *ctx, enum container_event event, struct container *c)
{
	struct list *l = ctx;
	struct container_record record;

	if (containers_record(event, c, &record)) {
		struct row row = containers_row(&record, c);

		view_row(l->view, l->source, &row, false);
		view_flush(l->view);
	}
	if (event == CONTAINER_REMOVED) /* we have no records that may still name it */
		containers_forget(l->containers, c);
}

int main(int argc, char **argv)
{
	struct view_options vo = { .output = "json", .fd = STDOUT_FILENO, .err_fd = STDERR_FILENO };
	struct schema *s = NULL;
	struct list l = { 0 };
	uint64_t seconds = 0;
	struct err err = { 0 };
	int r;

	if (argc > 1 && parse_u64(argv[1], &seconds))
		return 2;
	clock_base_now(&vo.clock);
	r = containers_schema(&s, &err);
	r = r ?: view_new(&vo, &l.view, &err);
	r = r ?: view_add(l.view, s, VIEW_STREAM, &l.source, &err);
	r = r ?: view_start(l.view, &err);
	r = r ?: containers_new(NULL, &l.containers, &err);
	if (!r) {
		containers_subscribe(l.containers, on_event, &l);
		r = containers_start(l.containers, &err);
	}
	for (time_t end = time(NULL) + (time_t)seconds; !r && (!seconds || time(NULL) < end);) {
		poll(&(struct pollfd){ .fd = containers_fd(l.containers), .events = POLLIN }, 1,
		     1000);
		containers_dispatch(l.containers);
	}
	if (r)
		fprintf(stderr, "list_containers: %s\n", err.text);
	containers_free(l.containers);
	view_free(l.view);
	schema_unref(s);
	return r ? 1 : 0;
}
