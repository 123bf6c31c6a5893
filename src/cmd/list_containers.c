// SPDX-License-Identifier: Apache-2.0
/*
 * ig list-containers: the containers of this host or of a daemon's, once or as they come and go;
 * and kubectl gadget list-containers: those of a cluster's nodes.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "client/remote_run.h"
#include "cmd/cluster_flags.h"
#include "cmd/container_flags.h"
#include "cmd/flags.h"
#include "cmd/loop.h"
#include "cmd/remote_flags.h"
#include "cmd/selector_flags.h"
#include "cmd/view_flags.h"
#include "containers/source.h"

#define LIST_NS (10 * 1000000000ull) /* nodes that have not told theirs by then are left out */

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
	struct loop loop;
	struct selector *selector; /* these and the next: of this host */
	struct containers *containers;
	struct remote *remote;	 /* this: of a daemon's */
	struct cluster *cluster; /* this: of a cluster's */
	struct far *fars;	 /* these and the next: of either */
	size_t n_fars;
	struct err failure; /* the first; code 0: none */
};

/* The containers of one daemon. */
struct far {
	struct list *list;
	struct remote *remote;
	struct cluster_node *node; /* NULL: of no cluster */
	struct remote_run *run;
	bool ended, failed;
};

/* A table shows less than JSON does; `+a,-b` change that. */
static char *choose_columns(const char *fields)
{
	bool none = !fields || !*fields;

	if (!none && *fields != '+' && *fields != '-')
		return xstrdup(fields);
	return xasprintf("%s%s%s%s%s%s", opt_watch ? "event," : "",
			 command_is_kubectl() ? "k8s.node," : "",
			 selector_flags_pods() ? "k8s.namespace,k8s.podName," : "", LIST_FIELDS,
			 none ? "" : ",", none ? "" : fields);
}

static void on_resize(void *ctx)
{
	view_flags_resize(((struct list *)ctx)->view);
}

static int start_view(struct list *l, struct schema *s, const struct clock_base *clock,
		      struct err *err)
{
	_cleanup_(freep) char *fields = NULL;
	struct view_options o;
	int r;

	view_flags_options(&o);
	o.clock = *clock;
	if (!o.output || !strcmp(o.output, "columns"))
		o.fields = fields = choose_columns(o.fields);
	r = view_new(&o, &l->view, err);
	r = r ?: view_add(l->view, s, opt_watch ? VIEW_STREAM : VIEW_TABLE_ONCE, &l->source, err);
	return r ?: view_start(l->view, err);
}

static void flush(struct list *l)
{
	if (view_flush(l->view) || view_full(l->view))
		loop_stop(&l->loop);
}

/* ---- of this host ---------------------------------------------------------------- */

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
	flush(l);
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

static int start_local(struct list *l, struct err *err)
{
	struct schema *s = NULL;
	struct clock_base clock;
	int r = containers_schema(&s, err);

	clock_base_now(&clock);
	r = r ?: start_view(l, s, &clock, err);
	schema_unref(s);
	return r;
}

static int list_local(struct list *l, struct err *err)
{
	struct containers_options co;
	int r;

	if (geteuid())
		return err_set(err, -EPERM, "not root: only root may look into containers");
	container_flags_options(&co);
	r = selector_flags_new(&l->selector, err);
	r = r ?: start_local(l, err);
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

/* ---- of daemons ------------------------------------------------------------------ */

static bool have_ended(const struct list *l)
{
	for (size_t i = 0; i < l->n_fars; i++)
		if (!l->fars[i].ended)
			return false;
	return true;
}

static bool have_failed(const struct list *l)
{
	for (size_t i = 0; i < l->n_fars; i++)
		if (!l->fars[i].failed)
			return false;
	return true;
}

static void fail(struct far *f, const struct err *why)
{
	struct list *l = f->list;

	f->failed = true;
	if (f->node)
		log_warn("node %s: %s; going on without it", f->node->name, why->text);
	if (l->failure.code)
		return;
	l->failure = *why;
	if (f->node)
		err_wrap(&l->failure, why->code, "node %s", f->node->name);
}

/* Of several, one that ends does not end the others. */
static void end(struct far *f, const struct err *why)
{
	f->ended = true;
	if (why)
		fail(f, why);
	if (have_ended(f->list))
		loop_stop(&f->list->loop);
}

/* What is wrong is not a node's. */
static void end_all(struct list *l, const struct err *why)
{
	for (size_t i = 0; i < l->n_fars; i++)
		l->fars[i].ended = l->fars[i].failed = true;
	l->failure = *why;
	loop_stop(&l->loop);
}

static void on_started(void *ctx, const struct wire_gadget *g)
{
	struct far *f = ctx;
	struct list *l = f->list;
	struct err err = {0};

	if (f->ended)
		return;
	if (f->node)
		f->node->clock = g->clock;
	if (!g->n_sources) {
		err_set(&err, -EBADMSG, "the daemon does not say what a container is");
		end(f, &err);
	} else if (!l->view && start_view(l, g->sources[0].schema, &g->clock, &err)) {
		end_all(l, &err);
	}
}

static void on_row(void *ctx, unsigned int source, const struct row *row)
{
	struct far *f = ctx;
	struct row named = f->node ? cluster_row(f->node, row) : *row;

	if (!f->ended && !source)
		view_row(f->list->view, f->list->source, &named, false);
}

static void on_table_end(void *ctx, unsigned int source)
{
	const struct far *f = ctx;

	if (!f->ended && !f->node)
		view_table_end(f->list->view, f->list->source);
}

static void on_lost(void *ctx, unsigned int source, const struct container *c, uint64_t count)
{
	log_warn("%llu changes of containers were lost on the way here", (unsigned long long)count);
}

static void on_ended(void *ctx, const struct err *err)
{
	struct far *f = ctx;

	if (!f->ended)
		end(f, err);
}

static void on_remote(void *ctx)
{
	struct list *l = ctx;

	reactor_dispatch(remote_reactor(l->fars[0].remote));
	if (l->view)
		flush(l);
}

static void begin(struct far *f)
{
	static const struct remote_reader reader = {.started = on_started,
						    .row = on_row,
						    .table_end = on_table_end,
						    .lost = on_lost,
						    .ended = on_ended};
	const struct remote_request request = {.containers = selector_flags_options(),
					       .watch = opt_watch};
	struct remote_reader to = reader;

	to.ctx = f;
	f->run = remote_run_new(f->remote, &request, &to);
}

/* A table of many nodes is whole, or has to do without those that do not answer. */
static void end_table(struct list *l)
{
	struct err late;

	err_set(&late, -ETIMEDOUT, "no answer in time");
	for (size_t i = 0; i < l->n_fars; i++)
		if (!l->fars[i].ended)
			fail(&l->fars[i], &late);
	if (l->view && !have_failed(l))
		view_table_end(l->view, l->source);
}

static int list_far(struct list *l, struct err *err)
{
	bool is_table = l->cluster && !opt_watch;
	int r = loop_init(&l->loop, err);

	r = r
		    ?: loop_add_fd(&l->loop, reactor_fd(remote_reactor(l->fars[0].remote)),
				   on_remote, l, err);
	r = r ?: loop_add_signal(&l->loop, SIGWINCH, on_resize, l, err);
	if (!r && is_table)
		r = loop_timeout(&l->loop, LIST_NS, err);
	if (r)
		return r;
	for (size_t i = 0; i < l->n_fars; i++)
		begin(&l->fars[i]);
	loop_run(&l->loop);
	if (is_table)
		end_table(l);
	if (!have_failed(l))
		return view_flags_finish(l->view, err);
	*err = l->failure;
	return err->code;
}

static void add_far(struct list *l, struct remote *remote, struct cluster_node *node)
{
	l->fars[l->n_fars++] = (struct far){.list = l, .remote = remote, .node = node};
}

static int list_remote(struct list *l, struct err *err)
{
	int r = remote_flags_open(&l->remote, err);

	if (r)
		return r;
	l->fars = xnew(struct far);
	add_far(l, l->remote, NULL);
	return list_far(l, err);
}

static int list_cluster(struct list *l, struct err *err)
{
	int r = cluster_flags_select(err);

	r = r ?: cluster_flags_open(&l->cluster, err);
	if (r)
		return r;
	l->fars = xnew_n(struct far, cluster_n_nodes(l->cluster));
	for (size_t i = 0; i < cluster_n_nodes(l->cluster); i++) {
		struct cluster_node *n = cluster_node(l->cluster, i);

		if (n->remote)
			add_far(l, n->remote, n);
	}
	return list_far(l, err);
}

/* ---- the commands ---------------------------------------------------------------- */

static void done(struct list *l)
{
	containers_free(l->containers);
	for (size_t i = 0; i < l->n_fars; i++)
		remote_run_free(l->fars[i].run);
	free(l->fars);
	remote_close(l->remote);
	view_free(l->view); /* which keeps rows with the clocks of the nodes */
	cluster_close(l->cluster);
	selector_free(l->selector);
	loop_done(&l->loop);
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
	if (command_is_kubectl())
		r = list_cluster(&l, &err);
	else
		r = remote_flags_given() ? list_remote(&l, &err) : list_local(&l, &err);
	done(&l);
	return r ? command_fail(r, &err) : EXIT_OK;
}

static const struct flag_table *const tables[] = {&own_flags,	    &selector_flags, &view_flags,
						  &container_flags, &remote_flags,   NULL};
static const struct command list_containers = {
	.name = "list-containers",
	.summary = "List the containers of this host, or of a daemon's",
	.usage = "[FLAGS]",
	.tables = tables,
	.run = list_main,
};
COMMAND(&list_containers);

static const struct flag_table *const cluster_tables[] = {&own_flags,  &selector_flags, &node_flags,
							  &view_flags, &cluster_flags,	NULL};
static const struct command cluster_list_containers = {
	.name = "list-containers",
	.summary = "List the containers of the nodes' pods",
	.usage = "[FLAGS]",
	.tables = cluster_tables,
	.of_kubectl = true,
	.run = list_main,
};
COMMAND(&cluster_list_containers);
