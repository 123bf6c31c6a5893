// SPDX-License-Identifier: Apache-2.0
/*
 * Containers of Podman: run by runc or crun, whose state gives the bundle
 * ROOT/overlay-containers/ID/userdata; names and images are in containers.json beside it
 * (containers/storage).
 */
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "containers/hostfs.h"
#include "containers/identify.h"

#define DEFAULT_FOLDER "/var/lib/containers/storage/overlay-containers"

/* "/ROOT/overlay-containers" of a bundle, as a new string; NULL: not one of Podman's. */
static char *folder_of(const char *bundle, const char *id)
{
	_cleanup_(freep) char *end = xasprintf("/%s/userdata", id);
	size_t len = strlen(bundle), end_len = strlen(end);

	if (len <= end_len || strcmp(bundle + len - end_len, end))
		return NULL;
	return xstrndup(bundle, len - end_len);
}

static int read_names(const struct runtime_context *ctx, const char *folder, const char *file,
		      const char *id, struct podman_container *ret)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s", folder, file);
	_cleanup_(buf_done) struct buf b = { .max = MAX_CONFIG_BYTES };
	int r;

	r = host_read(ctx->host_root, path, &b);
	return r ?: oci_parse_podman(buf_cstr(&b), b.len, id, ret);
}

static bool resolve(const struct runtime_context *ctx, struct container *c)
{
	static const char *const files[] = {"containers.json", "volatile-containers.json"};
	_cleanup_(freep) char *guess = c->id ? NULL : identify_id(c->cgroup_path);
	const char *id = c->id ?: guess;
	_cleanup_(freep) char *folder = NULL;
	struct podman_container p = {0};
	size_t i = 0;

	if (!id || (!c->bundle && !(c->cgroup_path && strstr(c->cgroup_path, "libpod-"))))
		return false;
	folder = c->bundle ? folder_of(c->bundle, id) : xstrdup(DEFAULT_FOLDER);
	if (!folder)
		return false;
	while (i < array_size(files) && read_names(ctx, folder, files[i], id, &p))
		i++;
	if (i == array_size(files))
		return false;
	if (!c->id)
		c->id = xstrdup(id);
	free(c->runtime); /* what runs it for Podman */
	c->runtime = xstrdup("podman");
	free(c->name);
	c->name = take(p.name);
	free(c->image_name);
	c->image_name = take(p.image);
	free(c->image_id);
	c->image_id = take(p.image_id);
	podman_container_done(&p);
	return true;
}

static const struct runtime podman = {"podman", 30, resolve, NULL};
RUNTIME(&podman);
