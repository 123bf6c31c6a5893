// SPDX-License-Identifier: Apache-2.0
/*
 * Containers of Docker, run by runc below a shim of Docker's own containerd. Names, images and
 * labels are in its data folder, DATA/containers/ID/config.v2.json, or are asked for on its socket
 * where the data is not in the usual place.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"
#include "containers/daemon.h"
#include "containers/hostfs.h"
#include "containers/identify.h"
#include "containers/kubernetes.h"
#include "containers/oci.h"
#include "containers/trouble.h"
#include "net/http1.h"

#define DATA "/var/lib/docker"
#define DEADLINE_NS 10000000000ull

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
	labels_done(&c->labels);
	c->labels = labels_take(&d->labels);
	kubernetes_fill(c, &c->labels);
	if (c->k8s_pod) {
		set_text(&c->k8s_pod_ip, &d->ip);
		kubernetes_set_labels(c, &c->labels);
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

static void on_answer(void *ctx, const struct err *err, unsigned int status, struct buf *body)
{
	struct question *q = ctx;
	bool known = !err && status == 200 && parse(q->container, buf_cstr(body), body->len);
	char text[32];

	q->work = NULL;
	if (!known && status != 404) {
		snprintf(text, sizeof(text), status == 200 ? "not JSON" : "status %u", status);
		daemon_failed(q->daemon, err ? err->text : text);
	}
	question_answer(q, known);
}

static void ask(struct daemon *d, struct question *q)
{
	_cleanup_(freep) char *path = xasprintf("/containers/%s/json", q->container->id);
	struct err err;
	int fd = daemon_connect(d, &err);

	if (fd < 0) {
		daemon_failed(d, err.text);
		question_answer(q, false);
		return;
	}
	q->work = http1_get(d->reactor, fd, path, MAX_CONFIG_BYTES, DEADLINE_NS, on_answer, q);
}

static void forget(struct daemon *d, struct question *q)
{
	q->work = http1_cancel(q->work);
}

static const char *const sockets[] = {"/run/docker.sock", NULL};
static const struct daemon_kind daemon_kind = {
	.sockets = sockets,
	.wants = wants,
	.ask = ask,
	.forget = forget,
};
static const struct runtime docker = {"docker", 15, resolve, NULL, &daemon_kind};
RUNTIME(&docker);
