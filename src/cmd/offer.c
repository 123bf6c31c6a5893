// SPDX-License-Identifier: Apache-2.0
#include "cmd/offer.h"

#include "base/err.h"
#include "base/mem.h"
#include "client/remote_run.h"
#include "containers/container.h"

struct offer {
	char *name, *doc;
	struct gadget *local;	    /* NULL: a daemon's, or taken */
	struct wire_gadget *remote; /* NULL: here */
	struct labels params;	    /* of the daemon's that were set */
};

typedef int remote_fn(struct remote *r, const char *name, struct wire_gadget **ret,
		      struct err *err);

static int open_remote(struct offer *o, struct remote *r, remote_fn *fn, const char *name,
		       struct err *err)
{
	int code = fn(r, name, &o->remote, err);

	if (code)
		return code;
	o->name = xstrdup(o->remote->name);
	o->doc = xstrdup(o->remote->doc);
	return 0;
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

/* o as *ret, or nothing. */
static int opened(struct offer *o, int r, struct offer **ret)
{
	if (r)
		offer_free(o);
	else
		*ret = o;
	return r;
}

int offer_open(struct remote *r, const char *name, struct offer **ret, struct err *err)
{
	struct offer *o = xnew(struct offer);

	return opened(o, r ? open_remote(o, r, remote_gadget, name, err) : open_local(o, name, err),
		      ret);
}

int offer_open_instance(struct remote *r, const char *id, struct offer **ret, struct err *err)
{
	struct offer *o = xnew(struct offer);

	return opened(o, open_remote(o, r, remote_instance, id, err), ret);
}

struct offer *offer_free(struct offer *o)
{
	if (!o)
		return NULL;
	gadget_free(o->local);
	wire_gadget_free(o->remote);
	labels_done(&o->params);
	free(o->name);
	free(o->doc);
	free(o);
	return NULL;
}

const char *offer_name(const struct offer *o)
{
	return o->name;
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
