// SPDX-License-Identifier: Apache-2.0
/*
 * Containers of Podman: run by runc or crun below a conmon, which knows bundle and name. The bundle
 * is ROOT/overlay-containers/ID/userdata; names and images are in containers.json beside it
 * (containers/storage). A pod's name is the hostname of its infra container. Labels are in Podman's
 * database, which is asked for through its API where that is served.
 */
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"
#include "containers/bundle.h"
#include "containers/hostfs.h"
#include "containers/identify.h"
#include "containers/kubernetes.h"
#include "containers/rest.h"
#include "containers/trouble.h"

#define DEFAULT_FOLDER "/var/lib/containers/storage/overlay-containers"

/* ---- the disk -------------------------------------------------------------------- */

/* "/ROOT/overlay-containers" of a bundle, as a new string; NULL: not one of Podman's. */
static char *folder_of(const char *bundle, const char *id)
{
	_cleanup_(freep) char *end = xasprintf("/%s/userdata", id);
	size_t len = strlen(bundle), end_len = strlen(end);

	if (len <= end_len || strcmp(bundle + len - end_len, end))
		return NULL;
	return xstrndup(bundle, len - end_len);
}

static int read_names(const struct runtime_context *ctx, const char *folder, const char *id,
		      struct podman_container *ret)
{
	static const char *const files[] = {"containers.json", "volatile-containers.json"};
	int r = -ENOENT;

	for (size_t i = 0; r && i < array_size(files); i++) {
		_cleanup_(freep) char *path = xasprintf("%s/%s", folder, files[i]);
		_cleanup_(buf_done) struct buf b = {.max = MAX_CONFIG_BYTES};

		r = host_read(ctx->host_root, path, &b);
		r = r ?: oci_parse_podman(buf_cstr(&b), b.len, id, ret);
		trouble_file(ctx->trouble, path, r);
	}
	return r;
}

static void set_text(char **to, char *text)
{
	if (!text)
		return;
	free(*to);
	*to = text;
}

static bool is_infra(const struct container *c)
{
	size_t len = c->name ? strlen(c->name) : 0;

	return len > 6 && !strcmp(c->name + len - 6, "-infra") && !kubernetes_sandbox_id(c);
}

static void find_pod(const struct runtime_context *ctx, struct container *c, const char *folder)
{
	const char *infra = is_infra(c) ? c->id : kubernetes_sandbox_id(c);
	_cleanup_(freep) char *bundle = NULL;

	if (!infra || c->k8s_pod)
		return;
	c->sandbox = c->sandbox || infra == c->id;
	bundle = xasprintf("%s/%s/userdata", folder, infra);
	c->k8s_pod = bundle_hostname(ctx, bundle);
}

static bool resolve(const struct runtime_context *ctx, struct container *c,
		    const struct clues *clues)
{
	_cleanup_(freep) char *guess = c->id ? NULL : identify_id(c->cgroup_path);
	const char *id = c->id ?: clues->parent.id ?: guess;
	bool by_cgroup = str_equal(identify_runtime(c->cgroup_path), "podman");
	_cleanup_(freep) char *folder = NULL;
	struct podman_container p = {0};

	if (!id || (!c->bundle && !by_cgroup))
		return false;
	folder = c->bundle ? folder_of(c->bundle, id) : xstrdup(DEFAULT_FOLDER);
	if (!folder || (read_names(ctx, folder, id, &p) && !clues->parent.name))
		return false;
	if (!c->id)
		c->id = xstrdup(id);
	set_text(&c->runtime, xstrdup("podman")); /* over what runs it for Podman */
	set_text(&c->name, take(p.name) ?: xstrdup(clues->parent.name));
	set_text(&c->image_name, take(p.image));
	set_text(&c->image_id, take(p.image_id));
	podman_container_done(&p);
	bundle_read(ctx, c);
	kubernetes_fill(c, &c->annotations);
	find_pod(ctx, c, folder);
	return true;
}

/* ---- the daemon ------------------------------------------------------------------ */

static bool wants(const struct container *c)
{
	return str_equal(c->runtime, "podman");
}

static enum rest on_pod(struct question *q, const char *text, size_t len)
{
	struct container *c = q->container;
	struct labels labels = {0};

	if (!text)
		return REST_UNKNOWN;
	set_text(&c->k8s_pod, oci_parse_libpod_pod(text, len, &labels));
	kubernetes_add_labels(c, &labels);
	labels_done(&labels);
	return c->k8s_pod ? REST_KNOWN : REST_UNKNOWN;
}

static enum rest on_container(struct question *q, const char *text, size_t len)
{
	struct libpod_container p = {0};
	struct container *c = q->container;
	_cleanup_(freep) char *path = NULL;

	if (!text || oci_parse_libpod(text, len, &p))
		return REST_UNKNOWN;
	set_text(&c->name, take(p.name));
	set_text(&c->image_name, take(p.image));
	set_text(&c->image_id, take(p.image_id));
	labels_merge(&c->labels, &p.labels);
	if (p.pod_id)
		path = xasprintf("/v4.0.0/libpod/pods/%s/json", p.pod_id);
	libpod_container_done(&p);
	if (!path)
		return REST_KNOWN;
	rest_get(q, path, on_pod);
	return REST_MORE;
}

static void ask(struct daemon *d, struct question *q)
{
	_cleanup_(freep) char *path =
		xasprintf("/v4.0.0/libpod/containers/%s/json", q->container->id);

	rest_get(q, path, on_container);
}

static const char *const sockets[] = {"/run/podman/podman.sock", NULL};
static const struct daemon_kind daemon_kind = {
	.sockets = sockets,
	.optional = true,
	.wants = wants,
	.ask = ask,
	.forget = rest_forget,
};
static const struct runtime podman = {"podman", 30, resolve, NULL, &daemon_kind};
RUNTIME(&podman);
