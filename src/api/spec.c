// SPDX-License-Identifier: Apache-2.0
#include "api/spec.h"

#include "base/mem.h"
#include "columns/labels.h"

void api_spec_set(struct run_spec *to, const char *image, Api__Entry *const *params, size_t n)
{
	*to = (struct run_spec){.image = xstrdup(image)};
	for (size_t i = 0; i < n; i++)
		labels_add(&to->params, params[i]->key, params[i]->value);
}

void api_spec(const Api__GadgetRunRequest *m, struct run_spec *ret)
{
	api_spec_set(ret, m->imagename, m->paramvalues, m->n_paramvalues);
	if (m->timeout > 0)
		ret->timeout_ns = (uint64_t)m->timeout;
}

void api_request_init(struct api_request *r, const struct run_spec *from)
{
	size_t n = from->params.n;

	*r = (struct api_request){.message = API__GADGET_RUN_REQUEST__INIT,
				  .entries = xnew_n(Api__Entry, n + 1),
				  .list = xnew_n(Api__Entry *, n + 1)};
	for (size_t i = 0; i < n; i++) {
		api__entry__init(&r->entries[i]);
		r->entries[i].key = from->params.items[i].key;
		r->entries[i].value = from->params.items[i].value;
		r->list[i] = &r->entries[i];
	}
	r->message.imagename = from->image;
	r->message.version = 1;
	r->message.timeout = (int64_t)from->timeout_ns;
	r->message.n_paramvalues = n;
	r->message.paramvalues = r->list;
}

void api_request_done(struct api_request *r)
{
	free(r->entries);
	free(r->list);
}
