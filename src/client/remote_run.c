// SPDX-License-Identifier: Apache-2.0
#include "client/remote_run.h"

#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "client/request.h"
#include "net/grpc.h"
#include "wire/api.pb-c.h"
#include "wire/node.pb-c.h"

struct remote_run {
	struct remote *remote;
	struct remote_reader reader;
	bool attached;
	struct grpc_call *rows, *account; /* NULL: it has ended, or was never begun */
	struct wire_gadget *gadget;	  /* NULL: not told yet */
	uint32_t seq;			  /* of the last event */
	struct clock_base **clocks;	  /* which were told behind the gadget's own */
	size_t n_clocks, room_clocks;
	uint64_t missed;
	struct err failure; /* code 0: none */
	bool ended;
	Ig__V1__AccountEvent *totals; /* the last event, with an account; NULL: not told */
};

/* ---- the end --------------------------------------------------------------------- */

/* When both streams have ended: totals come by the second. */
static void end_if_done(struct remote_run *run)
{
	if (run->ended || run->rows || run->account)
		return;
	run->ended = true;
	run->reader.ended(run->reader.ctx, run->failure.code ? &run->failure : NULL);
}

static void fail(struct remote_run *run, const struct err *why)
{
	if (!run->failure.code)
		run->failure = *why;
}

static void on_rows_done(void *ctx, const struct grpc_reply *reply)
{
	struct remote_run *run = ctx;
	struct err err;
	int code = remote_failure(reply, &err);

	run->rows = NULL;
	if (code)
		fail(run, &err);
	if (code || run->attached) /* an instance's account does not end with its reader */
		run->account = grpc_call_cancel(run->account);
	end_if_done(run);
}

/* ---- account --------------------------------------------------------------------- */

static void say_lost(struct remote_run *run, unsigned int source, const Ig__V1__Loss *loss)
{
	_cleanup_(container_unrefp) struct container *c = NULL;

	if (loss->key || *loss->container) {
		c = container_new();
		c->key = loss->key;
		c->name = xstrdup(loss->container);
	}
	run->reader.lost(run->reader.ctx, source, c, loss->count);
}

static void on_account(void *ctx, const void *bytes, size_t len)
{
	struct remote_run *run = ctx;
	Ig__V1__AccountEvent *event = ig__v1__account_event__unpack(NULL, len, bytes);

	if (event && event->loss) {
		say_lost(run, 0, event->loss);
		run->missed += run->attached ? event->loss->count : 0;
	}
	if (event && event->account && event->account->totals && !run->totals && !run->attached)
		run->totals = take(event);
	if (event)
		ig__v1__account_event__free_unpacked(event, NULL);
}

/* A daemon that does not know how to tell is as good. */
static void on_account_done(void *ctx, const struct grpc_reply *reply)
{
	struct remote_run *run = ctx;

	run->account = NULL;
	end_if_done(run);
}

static void follow_account(struct remote_run *run)
{
	_cleanup_(buf_done) struct buf bytes = {.max = 4096};
	Ig__V1__AccountRequest m = IG__V1__ACCOUNT_REQUEST__INIT;
	struct grpc_request request = {.method = "/ig.v1.Node/Account"};

	m.id = run->gadget->id;
	remote_pack(&m.base, &bytes);
	request.bytes = buf_cstr(&bytes);
	request.len = bytes.len;
	run->account = grpc_call_stream(remote_channel(run->remote), &request, on_account,
					on_account_done, run);
}

/* ---- rows ------------------------------------------------------------------------ */

static void broken(struct remote_run *run, const struct err *why)
{
	fail(run, why);
	run->rows = grpc_call_cancel(run->rows);
	run->account = grpc_call_cancel(run->account);
	end_if_done(run);
}

static void on_info(struct remote_run *run, const Api__GadgetEvent *event)
{
	struct err err = {0};

	if (run->gadget)
		return;
	if (wire_gadget_unpack(event->payload.data, event->payload.len, &run->gadget, &err)) {
		broken(run, &err);
		return;
	}
	if (*run->gadget->id)
		follow_account(run);
	if (run->reader.started)
		run->reader.started(run->reader.ctx, run->gadget);
}

/* Numbers rise by one an event; those that are left out were lost on the way to this reader. */
static void check_seq(struct remote_run *run, uint32_t seq)
{
	uint32_t gap = seq - run->seq - 1;

	if (run->seq && gap && gap < UINT32_MAX / 2) {
		run->missed += gap;
		/* Else the account of the run, which is for us alone, tells of them by container.
		 */
		if (!run->account || run->attached)
			run->reader.lost(run->reader.ctx, 0, NULL, gap);
	}
	run->seq = seq;
}

static void on_row(void *ctx, unsigned int source, const struct row *row)
{
	const struct remote_run *run = ctx;
	struct row timed = *row;

	timed.clock = run->n_clocks ? run->clocks[run->n_clocks - 1] : NULL;
	run->reader.row(run->reader.ctx, source, &timed);
}

static void on_table_end(void *ctx, unsigned int source)
{
	const struct remote_run *run = ctx;

	run->reader.table_end(run->reader.ctx, source);
}

static void on_clock(struct remote_run *run, const Api__GadgetEvent *event)
{
	Ig__V1__Clock *m = ig__v1__clock__unpack(NULL, event->payload.len, event->payload.data);
	struct clock_base *clock;
	struct err err;

	if (!m || run->n_clocks == MAX_CLOCKS) {
		err_set(&err, -EBADMSG, "the daemon tells too many clocks, or one that is none");
		broken(run, &err);
	} else {
		clock = xnew(struct clock_base);
		clock->boot_to_real_ns = m->boot_to_real_ns;
		*grow(&run->clocks, &run->n_clocks, &run->room_clocks) = clock;
	}
	if (m)
		ig__v1__clock__free_unpacked(m, NULL);
}

static void on_data(struct remote_run *run, const Api__GadgetEvent *event)
{
	const struct wire_rows rows = {run, on_row, on_table_end};
	struct err err = {0};
	int r;

	if (!run->gadget) {
		err_set(&err, -EBADMSG, "rows came before what they mean");
		broken(run, &err);
		return;
	}
	check_seq(run, event->seq);
	r = wire_rows_unpack(run->gadget, event->datasourceid, event->payload.data,
			     event->payload.len, &rows, &err);
	if (r == -EBADMSG)
		broken(run, &err);
}

static void on_loss(struct remote_run *run, const Api__GadgetEvent *event)
{
	Ig__V1__Loss *loss = ig__v1__loss__unpack(NULL, event->payload.len, event->payload.data);

	if (!loss)
		return;
	if (run->gadget && event->datasourceid < run->gadget->n_sources)
		say_lost(run, event->datasourceid, loss);
	ig__v1__loss__free_unpacked(loss, NULL);
}

static void on_log(struct remote_run *run, const Api__GadgetEvent *event)
{
	_cleanup_(freep) char *text =
		xstrndup((const char *)event->payload.data, event->payload.len);

	if (run->reader.log)
		run->reader.log(run->reader.ctx, event->type >> 16, text);
}

static void on_event(void *ctx, const void *bytes, size_t len)
{
	struct remote_run *run = ctx;
	Api__GadgetEvent *event = api__gadget_event__unpack(NULL, len, bytes);
	struct err err = {0};

	if (!event) {
		err_set(&err, -EBADMSG, "the daemon's message is malformed");
		broken(run, &err);
		return;
	}
	if (event->type == WIRE_DATA)
		on_data(run, event);
	else if (event->type == WIRE_INFO)
		on_info(run, event);
	else if (event->type == WIRE_LOSS)
		on_loss(run, event);
	else if (event->type == WIRE_CLOCK)
		on_clock(run, event);
	else if (event->type >= WIRE_LOG)
		on_log(run, event);
	api__gadget_event__free_unpacked(event, NULL);
}

/* ---- life ------------------------------------------------------------------------ */

struct remote_run *remote_run_new(struct remote *r, const struct remote_request *request,
				  const struct remote_reader *reader)
{
	struct remote_run *run = xnew(struct remote_run);
	const struct grpc_request g = {.method = request_method(request)};
	_cleanup_(buf_done) struct buf first = {.max = MAX_SERVED_MESSAGE_BYTES};

	run->remote = r;
	run->reader = *reader;
	run->attached = request->instance;
	run->rows = grpc_call_open(remote_channel(r), &g, on_event, on_rows_done, run);
	request_pack(request, &first);
	grpc_call_send(run->rows, buf_cstr(&first), first.len);
	return run;
}

void remote_run_stop(struct remote_run *run)
{
	_cleanup_(buf_done) struct buf stop = {.max = 256};

	if (!run->rows)
		return;
	request_pack_stop(&stop);
	grpc_call_send(run->rows, buf_cstr(&stop), stop.len);
	grpc_call_half_close(run->rows);
}

void remote_run_share(struct remote_run *run, size_t source, struct schema *same)
{
	wire_gadget_share(run->gadget, source, same);
}

struct remote_run *remote_run_free(struct remote_run *run)
{
	if (!run)
		return NULL;
	grpc_call_cancel(run->rows);
	grpc_call_cancel(run->account);
	wire_gadget_free(run->gadget);
	for (size_t i = 0; i < run->n_clocks; i++)
		free(run->clocks[i]);
	free(run->clocks);
	if (run->totals)
		ig__v1__account_event__free_unpacked(run->totals, NULL);
	free(run);
	return NULL;
}

/* ---- totals ---------------------------------------------------------------------- */

static struct totals totals_of(const Ig__V1__Totals *m)
{
	return m ? (struct totals){m->seen, m->delivered, m->discarded, m->lost}
		 : (struct totals){0};
}

bool remote_run_totals(const struct remote_run *run, struct totals *ret, uint64_t *ret_unaccounted)
{
	if (!run->totals)
		return false;
	*ret = totals_of(run->totals->account->totals);
	*ret_unaccounted = run->totals->account->unaccounted;
	return true;
}

void remote_run_each_total(const struct remote_run *run, remote_totals_fn *fn, void *ctx)
{
	const Ig__V1__Account *a = run->totals ? run->totals->account : NULL;

	for (size_t i = 0; a && i < a->n_containers; i++)
		fn(ctx, a->containers[i]->name, a->containers[i]->key,
		   totals_of(a->containers[i]->totals));
}

uint64_t remote_run_missed(const struct remote_run *run)
{
	return run->missed;
}
