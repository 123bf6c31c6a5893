// SPDX-License-Identifier: Apache-2.0
/*
 * Containers of Docker, run by runc below a shim of Docker's own containerd. Names, images and
 * labels are in its data folder, DATA/containers/ID/config.v2.json, or are asked for on its socket
 * where the data is not in the usual place. What was gone before it was asked for is known by
 * Docker's events.
 */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"
#include "containers/docker.h"
#include "containers/hostfs.h"
#include "containers/identify.h"
#include "containers/kubernetes.h"
#include "containers/oci.h"
#include "containers/rest.h"
#include "containers/trouble.h"

#define DATA "/var/lib/docker"

static void set_text(char **to, char **from)
{
	if (!*from)
		return;
	free(*to);
	*to = take(*from);
}

static void fill(struct container *c, struct docker_container *d)
{
	set_text(&c->name, &d->name);
	set_text(&c->image_name, &d->image);
	set_text(&c->image_id, &d->image_id);
	labels_merge(&c->labels, &d->labels);
	kubernetes_fill(c, &c->labels);
	if (c->k8s_pod) {
		set_text(&c->k8s_pod_ip, &d->ip);
		kubernetes_add_labels(c, &c->labels);
	}
}

static bool parse(struct container *c, const char *text, size_t len)
{
	struct docker_container d = {0};

	if (oci_parse_docker(text, len, &d))
		return false;
	fill(c, &d);
	docker_container_done(&d);
	return true;
}

static bool resolve(const struct runtime_context *ctx, struct container *c,
		    const struct clues *clues)
{
	_cleanup_(freep) char *id = c->id ? xstrdup(c->id) : identify_id(c->cgroup_path);
	_cleanup_(buf_done) struct buf b = {.max = MAX_CONFIG_BYTES};
	_cleanup_(freep) char *path = NULL;
	const char *by_cgroup = identify_runtime(c->cgroup_path);

	if (!id || (!str_equal(c->runtime, "docker") && !str_equal(by_cgroup, "docker") &&
		    !str_equal(clues->parent.namespace_, "moby")))
		return false;
	path = xasprintf(DATA "/containers/%s/config.v2.json", id);
	free(c->runtime);
	c->runtime = xstrdup("docker");
	if (!c->id)
		c->id = take(id);
	if (!trouble_file(ctx->trouble, path, host_read(ctx->host_root, path, &b)) &&
	    !parse(c, buf_cstr(&b), b.len))
		trouble_file(ctx->trouble, path, -EINVAL);
	return true;
}

/* ---- the daemon ------------------------------------------------------------------ */

static bool wants(const struct container *c)
{
	return str_equal(c->runtime, "docker") && (!c->name || !strcmp(c->name, c->id));
}

/* It is forgotten: what was heard of it is all that can be known. */
static enum rest fill_from_heard(struct container *c, const struct heard *h)
{
	struct docker_container d = {0};

	if (!h)
		return REST_UNKNOWN;
	d.name = xstrdup(h->name);
	d.image = xstrdup(h->image);
	for (size_t i = 0; i < h->labels.n; i++)
		labels_add(&d.labels, h->labels.items[i].key, h->labels.items[i].value);
	fill(c, &d);
	docker_container_done(&d);
	return h->has_labels ? REST_KNOWN : REST_UNKNOWN;
}

static enum rest on_container(struct question *q, const char *text, size_t len)
{
	struct container *c = q->container;

	if (!text)
		return fill_from_heard(c, listener_find(q->daemon->listener, c->id, c->pid));
	return parse(c, text, len) ? REST_KNOWN : REST_UNKNOWN;
}

static void ask(struct daemon *d, struct question *q)
{
	_cleanup_(freep) char *path = xasprintf("/containers/%s/json", q->container->id);

	rest_get(q, path, on_container);
}

static const char *const sockets[] = {"/run/docker.sock", NULL};
static const struct daemon_kind daemon_kind = {
	.sockets = sockets,
	.wants = wants,
	.ask = ask,
	.forget = rest_forget,
	.listen = docker_listen,
	.close = docker_deaf,
};
static const struct runtime docker = {"docker", 15, resolve, NULL, &daemon_kind};
RUNTIME(&docker);
