// SPDX-License-Identifier: Apache-2.0
#include "wire/builtins.h"

#include <string.h>

#include "base/mem.h"
#include "wire/internal.h"

static char *joined_aliases(const struct gadget *g)
{
	_cleanup_(buf_done) struct buf b = {.max = 65536};

	for (size_t i = 0; i < gadget_n_aliases(g); i++)
		buf_printf(&b, "%s%s", i ? "," : "", gadget_alias(g, i));
	return xstrdup(buf_cstr(&b));
}

static Ig__V1__Gadget *tell(const struct gadget *g)
{
	Ig__V1__Gadget *m = xnew(Ig__V1__Gadget);
	const char *doc = gadget_doc(g);

	ig__v1__gadget__init(m);
	m->name = xstrdup(gadget_name(g));
	m->aliases = joined_aliases(g);
	m->description = xstrndup(doc, strcspn(doc, "\n"));
	if (gadget_n_sources(g))
		m->kind = xstrdup(wire_kind_names[gadget_source(g, 0)->kind]);
	return m;
}

int wire_builtins(Ig__V1__GadgetsResponse **ret, struct err *err)
{
	Ig__V1__GadgetsResponse *m = xnew(Ig__V1__GadgetsResponse);
	size_t n = gadget_builtin_count();

	ig__v1__gadgets_response__init(m);
	m->gadgets = xnew_n(Ig__V1__Gadget *, n + 1);
	for (size_t i = 0; i < n; i++) {
		struct gadget *g = NULL;
		int r = gadget_open_builtin(gadget_builtin(i)->name, NULL, &g, err);

		if (r) {
			ig__v1__gadgets_response__free_unpacked(m, NULL);
			return r;
		}
		m->gadgets[m->n_gadgets++] = tell(g);
		gadget_free(g);
	}
	*ret = m;
	return 0;
}
