// SPDX-License-Identifier: Apache-2.0
#include "containers/bundle.h"

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/labels.h"
#include "containers/hostfs.h"
#include "containers/trouble.h"

void bundle_take_annotations(struct container *c, struct oci_state *s)
{
	if (!c->annotations.n)
		c->annotations = labels_take(&s->annotations);
}

int bundle_config(const struct runtime_context *ctx, const char *bundle, struct oci_state *ret)
{
	_cleanup_(freep) char *path = xasprintf("%s/config.json", bundle);
	_cleanup_(buf_done) struct buf b = {.max = MAX_CONFIG_BYTES};
	int r = host_read(ctx->host_root, path, &b);

	return trouble_file(ctx->trouble, path, r ?: oci_parse_config(buf_cstr(&b), b.len, ret));
}

void bundle_read(const struct runtime_context *ctx, struct container *c)
{
	struct oci_state config = {0};

	if (c->annotations.n || !c->bundle || bundle_config(ctx, c->bundle, &config))
		return;
	bundle_take_annotations(c, &config);
	oci_state_done(&config);
}

char *bundle_hostname(const struct runtime_context *ctx, const char *bundle)
{
	struct oci_state config = {0};
	char *name;

	if (bundle_config(ctx, bundle, &config))
		return NULL;
	name = take(config.hostname);
	oci_state_done(&config);
	return name;
}
