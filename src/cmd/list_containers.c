// SPDX-License-Identifier: Apache-2.0
/* ig list-containers: the containers of this host, once or as they come and go. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/container_flags.h"
#include "cmd/flags.h"
#include "cmd/loop.h"
#include "cmd/selector_flags.h"
#include "cmd/view_flags.h"
#include "containers/source.h"

static bool opt_watch;

static const struct flag flag_list[] = {
	{"watch", 'w', NULL, "Go on, and show containers as they come and go", flag_on, &opt_watch,
	 NULL},
	{0},
};
static const struct flag_table own_flags = {"List", flag_list};

#define LIST_FIELDS                                                                           \
	"runtime.containerName,runtime.runtimeName,runtime.containerId,runtime.containerPid," \
	"runtime.containerImageName,runtime.containerStartedAt"

struct list {
	struct view *view;
	unsigned int source;
	struct selector *selector;
	struct containers *containers;
	struct loop loop;
};

static void show(struct list *l, const struct container_record *r, const struct container *c)
{
	struct row row = containers_row(r, c);

	if (selector_matches(l->selector, c))
		view_row(l->view, l->source, &row, false);
}

static void on_event(void *ctx, enum container_event event, struct container *c)
{
	struct list *l = ctx;
	struct container_record r;

	if (containers_record(event, c, &r))
		show(l, &r, c);
	if (event == CONTAINER_REMOVED)
		containers_forget(l->containers, c);
}

static void on_each(void *ctx, struct container *c)
{
	show(ctx, &(struct container_record){0}, c);
}

static void on_readable(void *ctx)
{
	struct list *l = ctx;

	containers_dispatch(l->containers);
	if (view_flush(l->view) || view_full(l->view))
		loop_stop(&l->loop);
}

/* A table shows less than JSON does; `+a,-b` change that. */
static char *choose_columns(const char *fields)
{
	bool none = !fields || !*fields;

	if (!none && *fields != '+' && *fields != '-')
		return xstrdup(fields);
	return xasprintf("%s%s%s%s%s", opt_watch ? "event," : "",
			 selector_flags_pods() ? "k8s.namespace,k8s.podName," : "", LIST_FIELDS,
			 none ? "" : ",", none ? "" : fields);
}

static void on_resize(void *ctx)
{
	view_flags_resize(((struct list *)ctx)->view);
}

static int start_view(struct list *l, struct err *err)
{
	struct schema *s = NULL;
	_cleanup_(freep) char *fields = NULL;
	struct view_options o;
	int r = containers_schema(&s, err);

	if (r)
		return r;
	view_flags_options(&o);
	if (!o.output || !strcmp(o.output, "columns"))
		o.fields = fields = choose_columns(o.fields);
	r = view_new(&o, &l->view, err);
	r = r ?: view_add(l->view, s, opt_watch ? VIEW_STREAM : VIEW_TABLE_ONCE, &l->source, err);
	r = r ?: view_start(l->view, err);
	schema_unref(s);
	return r;
}

static int watch(struct list *l, struct err *err)
{
	int r = loop_init(&l->loop, err);

	r = r ?: loop_add_fd(&l->loop, containers_fd(l->containers), on_readable, l, err);
	r = r ?: loop_add_signal(&l->loop, SIGWINCH, on_resize, l, err);
	if (r)
		return r;
	containers_subscribe(l->containers, on_event, l);
	if (!view_flush(l->view))
		loop_run(&l->loop);
	return view_flags_finish(l->view, err);
}

static void wait_for_names(struct containers *cs)
{
	struct pollfd p = {.fd = containers_fd(cs), .events = POLLIN};

	while (containers_pending(cs)) {
		poll(&p, 1, 1000);
		containers_dispatch(cs);
	}
}

static int list_all(struct list *l, struct err *err)
{
	struct containers_options co;
	int r;

	if (geteuid())
		return err_set(err, -EPERM, "not root: only root may look into containers");
	container_flags_options(&co);
	r = selector_flags_new(&l->selector, err);
	r = r ?: start_view(l, err);
	r = r ?: containers_new(&co, &l->containers, err);
	r = r ?: containers_start(l->containers, err);
	if (r)
		return r;
	if (opt_watch)
		return watch(l, err);
	wait_for_names(l->containers);
	containers_each(l->containers, on_each, l);
	view_table_end(l->view, l->source);
	return view_flags_finish(l->view, err);
}

static int list_main(int argc, char **argv)
{
	struct list l = {0};
	struct err err = {0};
	struct flags flags;
	int exit_code, r;

	flags_init(&flags, command_find("list-containers"));
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	r = list_all(&l, &err);
	containers_free(l.containers);
	view_free(l.view);
	selector_free(l.selector);
	loop_done(&l.loop);
	return r ? command_fail(r, &err) : EXIT_OK;
}

static const struct flag_table *const tables[] = {&own_flags, &selector_flags, &view_flags,
						  &container_flags, NULL};
static const struct command list_containers = {
	.name = "list-containers",
	.summary = "List the containers of this host",
	.usage = "[FLAGS]",
	.tables = tables,
	.run = list_main,
};
COMMAND(&list_containers);
