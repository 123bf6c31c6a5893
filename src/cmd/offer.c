// SPDX-License-Identifier: Apache-2.0
#include "cmd/offer.h"

#include "base/err.h"
#include "base/mem.h"
#include "client/remote_run.h"
#include "containers/container.h"

struct offer {
	char *image, *name, *doc;
	struct gadget *local;	    /* NULL: a daemon's, or taken */
	struct wire_gadget *remote; /* NULL: here */
	struct labels params;	    /* of the daemon's that were set */
};

static void take_remote(struct offer *o, const char *image, struct wire_gadget *g)
{
	o->remote = g;
	o->image = xstrdup(image);
	o->name = xstrdup(g->name);
	o->doc = xstrdup(g->doc);
}

static int open_local(struct offer *o, const char *name, struct err *err)
{
	const struct gadget_open_options with_names = {.enrich = container_add_fields};
	int r = gadget_open(name, &with_names, &o->local, err);

	if (r)
		return r;
	o->name = xstrdup(gadget_name(o->local));
	o->doc = xstrdup(gadget_doc(o->local));
	return 0;
}

int offer_open(struct remote *r, const char *name, struct offer **ret, struct err *err)
{
	struct offer *o = xnew(struct offer);
	struct wire_gadget *g = NULL;
	int code = r ? remote_gadget(r, name, NULL, &g, err) : open_local(o, name, err);

	if (code) {
		offer_free(o);
		return code;
	}
	if (g)
		take_remote(o, name, g);
	*ret = o;
	return 0;
}

int offer_open_instance(struct remote *r, const char *id, struct offer **ret, struct err *err)
{
	struct wire_gadget *g;
	int code = remote_instance(r, id, &g, err);

	if (code)
		return code;
	*ret = xnew(struct offer);
	take_remote(*ret, id, g);
	return 0;
}

struct offer *offer_free(struct offer *o)
{
	if (!o)
		return NULL;
	gadget_free(o->local);
	wire_gadget_free(o->remote);
	labels_done(&o->params);
	free(o->image);
	free(o->name);
	free(o->doc);
	free(o);
	return NULL;
}

const char *offer_name(const struct offer *o)
{
	return o->name;
}

const char *offer_image(const struct offer *o)
{
	return o->image;
}

const char *offer_doc(const struct offer *o)
{
	return o->doc;
}

size_t offer_n_params(const struct offer *o)
{
	return o->remote ? o->remote->n_params : gadget_n_params(o->local);
}

const struct gadget_param *offer_param(const struct offer *o, size_t i)
{
	return o->remote ? &o->remote->params[i] : gadget_param(o->local, i);
}

size_t offer_n_sources(const struct offer *o)
{
	return o->remote ? o->remote->n_sources : gadget_n_sources(o->local);
}

const struct gadget_source *offer_source(const struct offer *o, size_t i)
{
	return o->remote ? &o->remote->sources[i] : gadget_source(o->local, i);
}

struct clock_base offer_clock(const struct offer *o)
{
	struct clock_base here;

	if (o->remote)
		return o->remote->clock;
	clock_base_now(&here);
	return here;
}

int offer_set(struct offer *o, const char *param, const char *value, struct err *err)
{
	_cleanup_(freep) char *key = NULL;

	if (!o->remote)
		return gadget_set(o->local, param, value, err);
	key = xasprintf("operator.oci.ebpf.%s", param);
	labels_add(&o->params, key, value);
	return 0;
}

struct gadget *offer_take_gadget(struct offer *o)
{
	return take(o->local);
}

const struct labels *offer_params(const struct offer *o)
{
	return &o->params;
}
