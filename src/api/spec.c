// SPDX-License-Identifier: Apache-2.0
#include "api/spec.h"

#include <errno.h>

#include "base/err.h"
#include "base/mem.h"
#include "columns/labels.h"

enum { MAX_PARAMS = 1024 }; /* they are looked for one after the other */

int api_spec_set(struct run_spec *to, const char *image, Api__Entry *const *params, size_t n,
		 struct err *err)
{
	*to = (struct run_spec){0};
	if (n > MAX_PARAMS)
		return err_set(err, -E2BIG, "more than %d parameters", MAX_PARAMS);
	to->image = xstrdup(image);
	for (size_t i = 0; i < n; i++)
		labels_add(&to->params, params[i]->key, params[i]->value);
	return 0;
}

int api_spec(const Api__GadgetRunRequest *m, struct run_spec *ret, struct err *err)
{
	int r = api_spec_set(ret, m->imagename, m->paramvalues, m->n_paramvalues, err);

	if (m->timeout > 0)
		ret->timeout_ns = (uint64_t)m->timeout;
	return r;
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
