// SPDX-License-Identifier: Apache-2.0
#include "cmd/run_params.h"

#include <inttypes.h>

#include "base/mem.h"

static void add_text(struct labels *to, const char *key, const char *value)
{
	if (value && *value)
		labels_add(to, key, value);
}

static void add_number(struct labels *to, const char *key, int64_t value)
{
	_cleanup_(freep) char *text = xasprintf("%" PRId64, value);

	labels_add(to, key, text);
}

static void add_id(struct labels *to, const char *key, int64_t value)
{
	if (value >= 0)
		add_number(to, key, value);
}

static void add_selector(struct labels *to, const struct selector_options *s)
{
	add_text(to, "operator.ig.containername", s->container_name);
	add_text(to, "operator.ig.containerid", s->container_id);
	add_text(to, "operator.ig.image", s->image);
	add_text(to, "operator.ig.annotation", s->annotations);
	add_text(to, "operator.ig.namespace", s->namespace_);
	add_text(to, "operator.ig.podname", s->pod);
	add_text(to, "operator.ig.selector", s->labels);
	add_text(to, "operator.ig.sandboxes", s->sandboxes ? "true" : NULL);
}

void run_params(const struct feed_options *o, const struct labels *gadgets, struct labels *ret)
{
	for (size_t i = 0; i < gadgets->n; i++)
		labels_add(ret, gadgets->items[i].key, gadgets->items[i].value);
	add_selector(ret, &o->selector);
	add_text(ret, "operator.ig.host", o->host ? "true" : NULL);
	add_text(ret, "operator.ig.tracer", o->tracer);
	add_id(ret, "operator.ig.pid", o->process.pid);
	add_id(ret, "operator.ig.tid", o->process.tid);
	add_id(ret, "operator.ig.uid", o->process.uid);
	add_id(ret, "operator.ig.gid", o->process.gid);
	add_text(ret, "operator.ig.comm", o->process.comm);
	if (o->buffer_bytes)
		add_number(ret, "operator.ig.buffer-size", (int64_t)o->buffer_bytes);
	if (o->interval_ns) /* a bare number is ns */
		add_number(ret, "operator.ig.interval", (int64_t)o->interval_ns);
}
