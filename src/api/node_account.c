// SPDX-License-Identifier: Apache-2.0
/* ig.v1.Node/Account: what became of a run's records, by container. */
#include "wire/node.pb-c.h"
#include "api/service.h"
#include "base/limits.h"
#include "base/mem.h"
#include "manager/instance.h"
#include "manager/ledger.h"

struct following {
	struct manager *manager;
	struct grpc_served *call;
	struct run_watcher watcher;
};

static void on_lost(void *ctx, struct container *c, uint64_t count)
{
	struct following *f = ctx;
	Ig__V1__AccountEvent event = IG__V1__ACCOUNT_EVENT__INIT;
	Ig__V1__Loss loss = IG__V1__LOSS__INIT;

	loss.container = c ? c->name : (char *)"";
	loss.count = count;
	loss.key = c ? c->key : 0;
	event.loss = &loss;
	/* Who does not read this has the totals in the end. */
	if (grpc_served_queued(f->call) < MAX_READER_BYTES)
		api_send(f->call, &event.base);
}

static Ig__V1__Totals totals_message(struct totals n)
{
	Ig__V1__Totals m = IG__V1__TOTALS__INIT;

	m.seen = n.seen;
	m.delivered = n.delivered;
	m.discarded = n.discarded;
	m.lost = n.lost;
	return m;
}

static void send_ledger(struct grpc_served *call, const struct ledger *l)
{
	Ig__V1__AccountEvent event = IG__V1__ACCOUNT_EVENT__INIT;
	Ig__V1__Account account = IG__V1__ACCOUNT__INIT;
	Ig__V1__Totals all = totals_message(l->totals);
	_cleanup_(freep) Ig__V1__Totals *totals = xnew_n(Ig__V1__Totals, l->n + 1);
	_cleanup_(freep) Ig__V1__ContainerTotals *lines = xnew_n(Ig__V1__ContainerTotals, l->n + 1);
	_cleanup_(freep) Ig__V1__ContainerTotals **list =
		xnew_n(Ig__V1__ContainerTotals *, l->n + 1);

	for (size_t i = 0; i < l->n; i++) {
		totals[i] = totals_message(l->lines[i].totals);
		ig__v1__container_totals__init(&lines[i]);
		lines[i].name = l->lines[i].name;
		lines[i].key = l->lines[i].key;
		lines[i].totals = &totals[i];
		list[i] = &lines[i];
	}
	account.gadget = l->gadget;
	account.totals = &all;
	account.n_containers = l->n;
	account.containers = list;
	account.unaccounted = l->unaccounted;
	event.account = &account;
	api_send(call, &event.base);
	grpc_served_finish(call, GRPC_OK, NULL);
}

static void following_free(struct following *f)
{
	run_unwatch(&f->watcher);
	free(f);
}

static void on_finished(void *ctx, const struct ledger *l)
{
	struct following *f = ctx;

	send_ledger(f->call, l);
	following_free(f);
}

static struct run *run_of_instance(struct manager *m, const char *id, struct err *err)
{
	struct instance *i = instance_find(m, id, err);
	struct instance_facts facts = {0};

	if (!i)
		return NULL;
	instance_facts(i, &facts);
	if (!facts.run)
		err_set(err, -ESRCH, "instance %s does not run", id);
	return facts.run;
}

/* f may be gone when this returns 0. */
static int follow(struct following *f, const char *id, struct err *err)
{
	const struct ledger *l = ledger_find(f->manager, id);
	struct run *r;

	if (f->watcher.run)
		return err_set(err, -EINVAL, "one run at a time");
	if (l) { /* it is over already */
		on_finished(f, l);
		return 0;
	}
	r = manager_find_run(f->manager, id) ?: run_of_instance(f->manager, id, err);
	if (!r)
		return err->code;
	f->watcher.lost = on_lost;
	f->watcher.finished = on_finished;
	f->watcher.ctx = f;
	run_watch(r, &f->watcher);
	return 0;
}

static void on_account_message(void *ctx, struct grpc_served *call, const void *bytes, size_t len)
{
	struct following *f = ctx;
	Ig__V1__AccountRequest *m = ig__v1__account_request__unpack(NULL, len, bytes);
	struct err err = {0};
	int r = m ? follow(f, m->id, &err) : api_malformed(&err);

	if (m)
		ig__v1__account_request__free_unpacked(m, NULL);
	if (r) {
		api_finish(call, r, &err);
		following_free(f);
	}
}

static void end_if_idle(struct following *f, int code, const struct err *err)
{
	if (f->watcher.run)
		return;
	api_finish(f->call, code, err);
	following_free(f);
}

static void on_account_half_closed(void *ctx, struct grpc_served *call)
{
	struct err err = {0};

	end_if_idle(ctx, api_no_request(&err), &err);
}

static void on_account_stopping(void *ctx, struct grpc_served *call)
{
	struct err err = {0};

	end_if_idle(ctx, api_stopping(&err), &err);
}

static void on_account_gone(void *ctx, struct grpc_served *call)
{
	following_free(ctx);
}

static void account(void *ctx, struct grpc_served *call)
{
	static const struct grpc_served_events events = {.message = on_account_message,
							 .half_closed = on_account_half_closed,
							 .stopping = on_account_stopping,
							 .gone = on_account_gone};
	struct following *f = xnew(struct following);

	f->manager = ((struct api *)ctx)->manager;
	f->call = call;
	grpc_served_start(call, &events, f);
}

static const struct grpc_method methods[] = {
	{"/ig.v1.Node/Account", NULL, account},
	{0},
};
static const struct api_service node_account = {methods};
API_SERVICE(&node_account);
