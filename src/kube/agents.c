// SPDX-License-Identifier: Apache-2.0
#include "kube/agents.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "kube/kube.h"

#define PAGE "500"

void agent_done(struct agent *a)
{
	free(a->node);
	free(a->pod);
	free(a->namespace_);
	free(a->image);
	free(a->why);
	*a = (struct agent){0};
}

void agents_done(struct agents *a)
{
	for (size_t i = 0; i < a->n; i++)
		agent_done(&a->items[i]);
	free(a->items);
	*a = (struct agents){0};
}

/* ---- a pod ----------------------------------------------------------------------- */

static const json_t *get(const json_t *object, const char *a, const char *b)
{
	const json_t *inner = json_object_get(object, a);

	return b ? json_object_get(inner, b) : inner;
}

/* As a terminal may show it; "" where there is none. To be freed. */
static char *text(const json_t *object, const char *a, const char *b)
{
	const char *s = json_string_value(get(object, a, b)) ?: "";
	_cleanup_(buf_done) struct buf out = {.max = 4096};

	escape_text(&out, s, strlen(s));
	return xstrdup(buf_cstr(&out));
}

/* The element of an array whose member `key` is `value`. */
static const json_t *find(const json_t *array, const char *key, const char *value)
{
	size_t i;
	json_t *one;

	json_array_foreach((json_t *)(uintptr_t)array, i, one) {
		const char *s = json_string_value(json_object_get(one, key));

		if (s && !strcmp(s, value))
			return one;
	}
	return NULL;
}

/* Why it is not ready: what its container waits for, else the pod's phase. */
static void explain(struct agent *a, const json_t *pod)
{
	const json_t *container =
		find(get(pod, "status", "containerStatuses"), "name", AGENT_CONTAINER);
	const json_t *waiting = get(container, "state", "waiting");
	_cleanup_(freep) char *reason = text(waiting, "reason", NULL);
	_cleanup_(freep) char *message = text(waiting, "message", NULL);
	_cleanup_(freep) char *phase = text(pod, "status", "phase");
	bool no_image =
		strstr(reason, "Image"); /* ErrImagePull, ImagePullBackOff, InvalidImageName … */

	a->code = no_image ? -ENOMEDIUM : -EHOSTDOWN;
	if (no_image)
		a->why = xasprintf("the image %s is missing (%s%s%s)", a->image, reason,
				   *message ? ": " : "", message);
	else if (*reason)
		a->why = xasprintf("the agent is not ready (%s%s%s)", reason, *message ? ": " : "",
				   message);
	else if (get(pod, "metadata", "deletionTimestamp"))
		a->why = xstrdup("the agent is being ended");
	else if (json_is_true(json_object_get(container, "ready")))
		/* When a node is silent the cluster takes the pods' readiness, and no more. */
		a->why = xstrdup("the node is not ready");
	else
		a->why = xasprintf("the agent is not ready (%s)", phase);
}

struct agent agent_of(const json_t *pod)
{
	const json_t *ready = find(get(pod, "status", "conditions"), "type", "Ready");
	const char *is_ready = json_string_value(json_object_get(ready, "status"));
	struct agent a = {
		.node = text(pod, "spec", "nodeName"),
		.pod = text(pod, "metadata", "name"),
		.namespace_ = text(pod, "metadata", "namespace"),
		.image = text(find(get(pod, "spec", "containers"), "name", AGENT_CONTAINER),
			      "image", NULL),
	};

	if (!is_ready || strcmp(is_ready, "True") != 0 || get(pod, "metadata", "deletionTimestamp"))
		explain(&a, pod);
	return a;
}

/* ---- all of them ----------------------------------------------------------------- */

int agents_add(struct agents *a, const json_t *list, struct err *err)
{
	const json_t *items = json_object_get(list, "items");
	size_t i;
	json_t *pod;

	if (!json_is_array(items))
		return err_set(err, -EBADMSG, "the list of the agents' pods is none");
	json_array_foreach((json_t *)(uintptr_t)items, i, pod) {
		struct agent one = agent_of(pod);

		if (!*one.node || !*one.pod || !*one.namespace_) { /* on no node yet */
			agent_done(&one);
			continue;
		}
		if (a->n == MAX_NODES) {
			agent_done(&one);
			return err_set(err, -ENOSPC, "more than %d agents", MAX_NODES);
		}
		*grow(&a->items, &a->n, &a->room) = one;
	}
	return 0;
}

/* By node; of several on one, as while it is replaced, the one that is ready comes first. */
static int compare(const void *x, const void *y)
{
	const struct agent *a = x, *b = y;
	int order = strcmp(a->node, b->node);

	return order ? order : !!a->code - !!b->code;
}

static void one_for_each_node(struct agents *a)
{
	size_t n = 0;

	if (a->n)
		qsort(a->items, a->n, sizeof(*a->items), compare);
	for (size_t i = 0; i < a->n; i++)
		if (n && !strcmp(a->items[n - 1].node, a->items[i].node))
			agent_done(&a->items[i]);
		else
			a->items[n++] = a->items[i];
	a->n = n;
}

void agents_where(const char *namespace_, struct buf *path, struct buf *query)
{
	buf_str(path, "/api/v1/namespaces/");
	kube_escape(path, namespace_ ?: AGENT_NAMESPACE);
	buf_str(path, "/pods");
	buf_str(query, "labelSelector=");
	kube_escape(query, AGENT_LABEL);
}

/* One page after the other; *token, to be freed, becomes the next one's, NULL after the last. */
static int add_page(struct kube *k, const char *namespace_, char **token, struct agents *a,
		    struct err *err)
{
	_cleanup_(buf_done) struct buf path = {.max = 16384}, query = {.max = 16384};
	json_t *list = NULL;
	int r;

	agents_where(namespace_, &path, &query);
	buf_printf(&path, "?limit=" PAGE "&%s", buf_cstr(&query));
	if (*token) {
		buf_str(&path, "&continue=");
		kube_escape(&path, *token);
	}
	free(take(*token));
	if (path.failed)
		return err_set(err, -EMSGSIZE, "the list of the agents' pods cannot be asked for");
	r = kube_get(k, buf_cstr(&path), "the agents' pods", &list, err);
	r = r ?: agents_add(a, list, err);
	if (!r && *(json_string_value(get(list, "metadata", "continue")) ?: ""))
		*token = xstrdup(json_string_value(get(list, "metadata", "continue")));
	json_decref(list);
	return r;
}

int agents_list(struct kube *k, const char *namespace_, struct agents *ret, struct err *err)
{
	const char *where = namespace_ ?: AGENT_NAMESPACE;
	_cleanup_(freep) char *token = NULL;
	struct agents a = {0};
	int r;

	do
		r = add_page(k, where, &token, &a, err);
	while (!r && token);
	one_for_each_node(&a);
	if (!r && !a.n)
		r = err_set(
			err, -ENOPKG,
			"not deployed: namespace %s has no pods with the label %s; `kubectl gadget "
			"deploy` makes them",
			where, AGENT_LABEL);
	if (r)
		agents_done(&a);
	else
		*ret = a;
	return r;
}
