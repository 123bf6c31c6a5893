// SPDX-License-Identifier: Apache-2.0
/*
 * kubectl gadget traceloop list, show, close: the last system calls of containers, on all nodes.
 * Agents' traceloop is an HTTP service of its own, which their `ig dial-stdio` reaches.
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cmd/cluster_flags.h"
#include "cmd/flags.h"
#include "cmd/selector_flags.h"
#include "cmd/traceloop_flags.h"
#include "cmd/traceloop_rows.h"
#include "cmd/view_flags.h"
#include "containers/selector.h"

static const char *opt_socket = TRACELOOP_SOCKET;

static const struct flag flag_list[] = {
	{"socket", 0, "PATH",
	 "Where the agents' traceloop listens, in their pods (default " TRACELOOP_SOCKET ")",
	 flag_text, &opt_socket, NULL},
	{0},
};
static const struct flag_table own_flags = {"Traceloop", flag_list};

/* ---- asking ---------------------------------------------------------------------- */

/* Answers as they come: rings of all nodes, or a single node's text. */
struct answers {
	struct traceloop_rows *rows; /* NULL: the text is wanted */
	struct buf *text;
	size_t good;
	struct err failed; /* the first that did; code 0: none */
};

static int judge(const struct cluster_answer *a, struct err *err)
{
	if (a->err)
		return err_set(err, a->err->code, "%s%s",
			       a->err->code == -ECONNREFUSED ? "no traceloop there: " : "",
			       a->err->text);
	return traceloop_judge(a->status, a->body, err);
}

static void on_answer(void *ctx, struct cluster_node *n, const struct cluster_answer *a)
{
	struct answers *all = ctx;
	struct err err = {0};
	int r = judge(a, &err);

	if (!r && all->rows)
		r = traceloop_rows_read(all->rows, a->body, n->name, &err);
	else if (!r)
		buf_add(all->text, a->body->data, a->body->len);
	all->good += !r;
	if (!r)
		return;
	if (!all->failed.code)
		err_set(&all->failed, r, "node %s: %s", n->name, err.text);
	if (all->rows)
		log_warn("node %s: %s; going on without it", n->name, err.text);
}

static int ask(struct cluster *c, const char *path, const struct cluster_node *only,
	       struct answers *all, struct err *err)
{
	_cleanup_(freep) char *address = xasprintf("unix://%s", opt_socket);
	const char *const program[] = {"ig", "dial-stdio", "--remote", address, NULL};
	const struct cluster_question q = {.program = program,
					   .path = path,
					   .max_body = MAX_DUMP_BYTES,
					   .only = only,
					   .fn = on_answer,
					   .ctx = all};
	int r = cluster_ask(c, &q, err);

	if (r || all->good)
		return r;
	*err = all->failed;
	return err->code;
}

static int make_selector(struct selector **ret, struct err *err)
{
	const struct selector_options *o = selector_flags_options();

	if (o->image || o->annotations)
		return err_set(err, -EINVAL, "images and annotations are not known of rings");
	return cluster_flags_select(err) ?: selector_flags_new(ret, err);
}

/* Rings that are selected, of all nodes that answer; one at least does. */
static int fetch_list(struct cluster *c, struct traceloop_rows *rows, struct err *err)
{
	struct selector *selector = NULL;
	int r = make_selector(&selector, err);

	r = r ?: ask(c, "/list?format=json", NULL, &(struct answers){.rows = rows}, err);
	if (!r)
		traceloop_rows_select(rows, selector);
	selector_free(selector);
	return r;
}

static const struct cluster_node *node_called(struct cluster *c, const char *name)
{
	for (size_t i = 0; i < cluster_n_nodes(c); i++)
		if (!strcmp(cluster_node(c, i)->name, name))
			return cluster_node(c, i);
	return NULL;
}

/* "/VERB?id=N" at the ring's node. */
static int ask_ring(struct cluster *c, const struct traceloop_row *ring, const char *verb,
		    const char *more, struct buf *ret, struct err *err)
{
	_cleanup_(freep) char *path =
		xasprintf("/%s?id=%llu%s", verb, (unsigned long long)ring->id, more);

	return ask(c, path, node_called(c, ring->node), &(struct answers){.text = ret}, err);
}

/* ---- which ring ------------------------------------------------------------------ */

/* NAMESPACE/POD, a container's name, or an id, which several nodes may have. */
static bool is_meant(const struct traceloop_row *ring, const char *word)
{
	const char *slash = strchr(word, '/');
	uint64_t id;

	if (slash)
		return strlen(ring->namespace_) == (size_t)(slash - word) &&
		       !strncmp(ring->namespace_, word, (size_t)(slash - word)) &&
		       !strcmp(ring->pod, slash + 1);
	return !parse_u64(word, &id) ? ring->id == id : !strcmp(ring->name, word);
}

/* What is meant, moved to the front; how many they are. */
static size_t choose(struct traceloop_rows *rows, const char *word)
{
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++)
		if (is_meant(&rows->items[i], word)) {
			struct traceloop_row other = rows->items[n];

			rows->items[n++] = rows->items[i];
			rows->items[i] = other;
		}
	return n;
}

static int find(struct cluster *c, const char *word, struct traceloop_rows *rows, size_t *ret_n,
		struct err *err)
{
	int r;

	if (strchr(word, '/')) /* it says its namespace itself */
		selector_flags_of_cluster("*");
	r = fetch_list(c, rows, err);
	if (r)
		return r;
	*ret_n = choose(rows, word);
	return *ret_n ? 0
		      : err_set(err, -ENOENT,
				"no ring '%s'; `kubectl gadget traceloop list` shows them", word);
}

/* ---- the verbs ------------------------------------------------------------------- */

static int list(struct cluster *c, const char *word, struct err *err)
{
	struct traceloop_rows rows = {0};
	int r = fetch_list(c, &rows, err);

	r = r ?: traceloop_rows_show(&rows, true, err);
	traceloop_rows_done(&rows);
	return r;
}

static bool is_json(void)
{
	struct view_options vo;

	view_flags_options(&vo);
	return str_equal(vo.output, "json");
}

static int show_ring(struct cluster *c, const struct traceloop_row *ring, bool with_heading,
		     struct err *err)
{
	_cleanup_(buf_done) struct buf text = {.max = MAX_DUMP_BYTES};
	int r = ask_ring(c, ring, "dump", is_json() ? "&format=json" : "", &text, err);

	if (r)
		return r;
	if (with_heading && !is_json())
		printf("# %s %s/%s %s (%s)\n", ring->node, ring->namespace_, ring->pod, ring->name,
		       ring->state);
	return fwrite(text.data, 1, text.len, stdout) == text.len
		       ? 0
		       : err_set(err, -EIO, "writing the output failed");
}

static int show(struct cluster *c, const char *word, struct err *err)
{
	struct traceloop_rows rows = {0};
	size_t n = 0;
	int r = find(c, word, &rows, &n, err);

	for (size_t i = 0; !r && i < n; i++)
		r = show_ring(c, &rows.items[i], n > 1, err);
	traceloop_rows_done(&rows);
	return r;
}

static int close_ring(struct cluster *c, const char *word, struct err *err)
{
	_cleanup_(buf_done) struct buf text = {.max = MAX_DUMP_BYTES};
	struct traceloop_rows rows = {0};
	size_t n = 0;
	int r = find(c, word, &rows, &n, err);

	if (!r && n > 1)
		r = err_set(err, -EEXIST,
			    "%zu rings are '%s'; which one is told by its id and --node", n, word);
	r = r ?: ask_ring(c, &rows.items[0], "close", "", &text, err);
	traceloop_rows_done(&rows);
	return r;
}

/* ---- the command ----------------------------------------------------------------- */

static const struct verb {
	const char *name;
	size_t n_rings;
	int (*run)(struct cluster *c, const char *ring, struct err *err);
} verbs[] = {{"list", 0, list}, {"show", 1, show}, {"close", 1, close_ring}};

static const struct verb *verb_called(const char *name)
{
	for (size_t i = 0; i < array_size(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

static int run(struct cluster *c, const struct words *w, struct err *err)
{
	const struct verb *v = verb_called(w->items[0]);

	if (!v)
		return err_set(err, -EINVAL, "list, show or close, not '%s'", w->items[0]);
	if (w->n != 1 + v->n_rings)
		return err_set(err, -EINVAL, "kubectl gadget traceloop %s wants %s", v->name,
			       v->n_rings ? "one ring: an id, a name or NAMESPACE/POD" : "no more");
	return v->run(c, v->n_rings ? w->items[1] : NULL, err);
}

static int traceloop_main_of_cluster(int argc, char **argv)
{
	return cluster_command("traceloop", argc, argv, "what to do: list, show RING or close RING",
			       run);
}

static const struct flag_table *const tables[] = {&own_flags,  &selector_flags, &node_flags,
						  &view_flags, &cluster_flags,	NULL};
static const struct command command = {
	.name = "traceloop",
	.summary = "What containers did last: list, show or close the rings that the agents keep",
	.usage = "list | show RING | close RING [FLAGS]",
	.description = "RING is NAMESPACE/POD, a container's name, or an id as list shows it. "
		       "Rings of containers that ended\nare kept for an hour. show -o json is an "
		       "object for each call; anything else is text.",
	.tables = tables,
	.of_kubectl = true,
	.run = traceloop_main_of_cluster,
};
COMMAND(&command);
