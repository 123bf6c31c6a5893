// SPDX-License-Identifier: Apache-2.0
/* Containers of crun, from its status file; annotations are in the bundle's config.json. */
#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/labels.h"
#include "containers/hostfs.h"
#include "containers/identify.h"

static const struct state_place places[] = {
	{"/run/crun", "status", oci_parse_crun, "crun"},
	{"/run/user/*/crun", "status", oci_parse_crun, "crun"},
};

static void read_annotations(const struct runtime_context *ctx, struct oci_state *s)
{
	_cleanup_(freep) char *path = s->bundle ? xasprintf("%s/config.json", s->bundle) : NULL;
	_cleanup_(buf_done) struct buf b = { .max = MAX_CONFIG_BYTES };
	struct oci_state config = {0};

	if (!path || host_read(ctx->host_root, path, &b) ||
	    oci_parse_config(buf_cstr(&b), b.len, &config))
		return;
	labels_done(&s->annotations);
	s->annotations = labels_take(&config.annotations);
	oci_state_done(&config);
}

static bool resolve(const struct runtime_context *ctx, struct container *c)
{
	for (size_t i = 0; i < array_size(places); i++) {
		_cleanup_(freep) char *id = NULL;
		struct oci_state s;

		if (!identify_state(ctx, &places[i], c, &s, &id))
			continue;
		read_annotations(ctx, &s);
		identify_fill(c, &s, id, places[i].runtime);
		return true;
	}
	return false;
}

static void list(const struct runtime_context *ctx, void (*fn)(void *arg, uint32_t pid), void *arg)
{
	for (size_t i = 0; i < array_size(places); i++)
		identify_list(ctx, &places[i], fn, arg);
}

static const struct runtime crun = {"crun", 20, resolve, list};
RUNTIME(&crun);
