// SPDX-License-Identifier: Apache-2.0
#include "manager/ledger.h"

#include <string.h>

#include "base/mem.h"
#include "manager/internal.h"

#define MAX_LEDGERS 16

static void ledger_free(struct manager *m, struct ledger *l)
{
	TAILQ_REMOVE(&m->ledgers, l, link);
	m->n_ledgers--;
	for (size_t i = 0; i < l->n; i++)
		free(l->lines[i].name);
	free(l->lines);
	free(l->run_id);
	free(l->gadget);
	free(l);
}

static void add_line(void *ctx, struct container *c, struct totals n)
{
	struct ledger *l = ctx;

	*grow(&l->lines, &l->n, &l->room) = (struct ledger_line){
		.name = xstrdup(c ? c->name : ""),
		.key = c ? c->key : 0,
		.totals = n,
	};
}

const struct ledger *ledger_write(struct manager *m, struct run *r)
{
	struct ledger *l = xnew(struct ledger);
	struct trace *t = run_trace(r);

	l->run_id = xstrdup(run_id(r));
	l->gadget = xstrdup(run_name(r));
	if (t) {
		l->totals = trace_totals(t);
		l->unaccounted = trace_unaccounted(t);
		trace_each_total(t, add_line, l);
	}
	TAILQ_INSERT_TAIL(&m->ledgers, l, link);
	if (++m->n_ledgers > MAX_LEDGERS)
		ledger_free(m, TAILQ_FIRST(&m->ledgers));
	return l;
}

const struct ledger *ledger_find(struct manager *m, const char *run_id)
{
	struct ledger *l;

	TAILQ_FOREACH(l, &m->ledgers, link)
		if (!strcmp(l->run_id, run_id))
			return l;
	return NULL;
}

void ledgers_free(struct manager *m)
{
	while (!TAILQ_EMPTY(&m->ledgers))
		ledger_free(m, TAILQ_FIRST(&m->ledgers));
}
