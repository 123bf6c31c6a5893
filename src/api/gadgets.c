// SPDX-License-Identifier: Apache-2.0
/*
 * api.GadgetManager and api.BuiltInGadgetManager: what a gadget is, and running one, or attaching
 * to an instance, for as long as the client listens.
 */
#include <string.h>

#include "api/rows.h"
#include "api/service.h"
#include "api/spec.h"
#include "base/limits.h"
#include "base/mem.h"
#include "manager/instance.h"
#include "wire/wire.h"

#define API_VERSION 1

static int check_version(uint32_t version, struct err *err)
{
	return version == API_VERSION
		       ? 0
		       : err_set(err, -EINVAL,
				 "version %u of the protocol is asked for, and not %d", version,
				 API_VERSION);
}

/* ---- a run for one client -------------------------------------------------------- */

/* A call of RunGadget: it has either a run of its own, or is attached to an instance. */
struct running {
	struct manager *manager;
	struct grpc_served *call;
	struct run *run;
	struct instance_attachment *attachment;
	struct rows rows;
	bool started;
};

static void running_free(struct running *r)
{
	instance_detach(r->attachment);
	run_free(r->run);
	rows_done(&r->rows);
	free(r);
}

static void finish(struct running *r, int code, const struct err *err)
{
	api_finish(r->call, code, err);
	running_free(r);
}

/* The meaning of a gadget's rows; *ret_list is to be freed. */
static struct rows_meaning meaning_of(struct gadget *g, const char *image, const char *id,
				      const struct clock_base *clock,
				      const struct gadget_source ***ret_list)
{
	size_t n = gadget_n_sources(g);
	const struct gadget_source **list = xnew_n(const struct gadget_source *, n + 1);

	for (size_t i = 0; i < n; i++)
		list[i] = gadget_source(g, i);
	*ret_list = list;
	return (struct rows_meaning){.about = {.gadget = g, .image = image, .id = id},
				     .sources = list,
				     .n_sources = n,
				     .clock = clock};
}

static void start_rows(struct running *r, struct run *run, const char *id, bool compact)
{
	_cleanup_(freep) const struct gadget_source **list = NULL;
	struct rows_meaning m = meaning_of(run_gadget(run), run_spec(run)->image, id,
					   manager_clock(r->manager), &list);

	m.compact = compact;
	rows_start(&r->rows, r->call, &m);
	r->started = true;
}

static enum row_fate on_row(void *ctx, unsigned int source, const struct row *row, bool late)
{
	struct running *r = ctx;

	return rows_row(&r->rows, source, row) ? ROW_DELIVERED : ROW_LOST;
}

static void on_table_end(void *ctx, unsigned int source)
{
	struct running *r = ctx;

	rows_table_end(&r->rows, source);
}

static size_t queued(void *ctx)
{
	const struct running *r = ctx;

	return grpc_served_queued(r->call);
}

static void on_run_ended(void *ctx)
{
	struct running *r = ctx;
	const struct err *why = run_failure(r->run);

	run_finish(r->run);
	finish(r, why ? why->code : 0, why);
}

static int start_run(struct running *r, const Api__GadgetRunRequest *m, struct err *err)
{
	const struct run_reader reader = {.ctx = r,
					  .row = on_row,
					  .table_end = on_table_end,
					  .queued = queued,
					  .ended = on_run_ended};
	struct run_spec spec;
	int code = check_version(m->version, err);

	if (code)
		return code;
	code = api_spec(m, &spec, err) ?: run_new(r->manager, &spec, &reader, &r->run, err);
	run_spec_done(&spec);
	if (code)
		return code;
	start_rows(r, r->run, run_id(r->run), m->igcompact);
	return run_start(r->run, err);
}

/* ---- attached to an instance ----------------------------------------------------- */

static void on_attached_row(void *ctx, unsigned int source, const struct row *row, bool late)
{
	on_row(ctx, source, row, late);
}

static void on_instance_ended(void *ctx)
{
	struct running *r = ctx;

	r->attachment = NULL;
	finish(r, 0, NULL);
}

static int start_attachment(struct running *r, const Api__GadgetAttachRequest *m, struct err *err)
{
	const struct instance_reader reader = {
		.rows = {r, on_attached_row, on_table_end},
		.queued = queued,
		.ended = on_instance_ended,
	};
	int code = check_version(m->version, err);
	struct instance *i = code ? NULL : instance_find(r->manager, m->id, err);
	struct instance_facts facts;

	if (!i)
		return err->code;
	instance_facts(i, &facts);
	if (facts.run)
		start_rows(r, facts.run, facts.id, m->igcompact);
	r->rows.past = true;
	code = instance_attach(i, &reader, m->ighaslast ? m->iglast : UINT64_MAX, &r->attachment,
			       err);
	r->rows.past = false;
	return code;
}

/* ---- the call -------------------------------------------------------------------- */

/* All that can be had is told before the stream ends. */
static void stop(struct running *r)
{
	if (r->run)
		run_finish(r->run);
	finish(r, 0, NULL);
}

static int on_request(struct running *r, const Api__GadgetControlRequest *m, struct err *err)
{
	switch (m->event_case) {
	case API__GADGET_CONTROL_REQUEST__EVENT_RUN_REQUEST:
		return r->started ? err_set(err, -EINVAL, "a gadget runs already")
				  : start_run(r, m->runrequest, err);
	case API__GADGET_CONTROL_REQUEST__EVENT_ATTACH_REQUEST:
		return r->started ? err_set(err, -EINVAL, "a gadget runs already")
				  : start_attachment(r, m->attachrequest, err);
	case API__GADGET_CONTROL_REQUEST__EVENT_STOP_REQUEST:
		return r->started ? 0 : err_set(err, -EINVAL, "no gadget runs");
	default:
		return err_set(err, -EINVAL, "the request asks for nothing that is known here");
	}
}

static void on_message(void *ctx, struct grpc_served *call, const void *bytes, size_t len)
{
	struct running *r = ctx;
	Api__GadgetControlRequest *m = api__gadget_control_request__unpack(NULL, len, bytes);
	struct err err = {0};
	int code = m ? on_request(r, m, &err) : api_malformed(&err);
	bool stopping = m && m->event_case == API__GADGET_CONTROL_REQUEST__EVENT_STOP_REQUEST;

	if (m)
		api__gadget_control_request__free_unpacked(m, NULL);
	if (code)
		finish(r, code, &err);
	else if (stopping)
		stop(r);
}

/* One that listens on after that is served as before. */
static void on_half_closed(void *ctx, struct grpc_served *call)
{
	struct running *r = ctx;
	struct err err = {0};

	if (!r->started)
		finish(r, api_no_request(&err), &err);
}

/* A run or an instance has its end from the manager. */
static void on_stopping(void *ctx, struct grpc_served *call)
{
	struct running *r = ctx;
	struct err err = {0};

	if (!r->started)
		finish(r, api_stopping(&err), &err);
}

static void on_gone(void *ctx, struct grpc_served *call)
{
	running_free(ctx);
}

static void run_gadget_call(void *ctx, struct grpc_served *call)
{
	static const struct grpc_served_events events = {.message = on_message,
							 .half_closed = on_half_closed,
							 .stopping = on_stopping,
							 .gone = on_gone};
	const struct api *api = ctx;
	struct running *r = xnew(struct running);

	r->manager = api->manager;
	r->call = call;
	grpc_served_start(call, &events, r);
}

/* ---- what a gadget is ------------------------------------------------------------ */

static int describe(struct api *api, const Api__GetGadgetInfoRequest *m, struct buf *info,
		    struct err *err)
{
	_cleanup_(run_spec_done) struct run_spec spec = {0};
	struct instance_facts facts = {0};
	struct instance *i = NULL;
	_cleanup_(freep) const struct gadget_source **list = NULL;
	struct rows_meaning meaning;
	struct run_plan plan = {0};
	int r = check_version(m->version, err);

	if (r)
		return r;
	if (m->flags & 1) {
		i = instance_find(api->manager, m->imagename, err);
		if (!i)
			return err->code;
		instance_facts(i, &facts);
		run_spec_copy(&spec, facts.run_spec);
	} else {
		r = api_spec_set(&spec, m->imagename, m->paramvalues, m->n_paramvalues, err);
	}
	r = r ?: run_plan_make(&spec, &plan, err);
	if (r)
		return r;
	meaning = meaning_of(plan.gadget, spec.image, facts.id, manager_clock(api->manager), &list);
	rows_describe(&meaning, info);
	run_plan_done(&plan);
	return 0;
}

static int get_gadget_info(void *ctx, const void *bytes, size_t len, struct buf *reply,
			   struct err *err)
{
	Api__GetGadgetInfoRequest *m = api__get_gadget_info_request__unpack(NULL, len, bytes);
	Api__GetGadgetInfoResponse answer = API__GET_GADGET_INFO_RESPONSE__INIT;
	_cleanup_(buf_done) struct buf info = {.max = MAX_SERVED_MESSAGE_BYTES};
	int r = m ? describe(ctx, m, &info, err) : api_malformed(err);

	if (m)
		api__get_gadget_info_request__free_unpacked(m, NULL);
	if (r)
		return r;
	answer.gadgetinfo = api__gadget_info__unpack(NULL, info.len, (const uint8_t *)info.data);
	if (!answer.gadgetinfo)
		return err_set(err, -EMSGSIZE, "the gadget's description is too long");
	api_append(&answer.base, reply);
	api__gadget_info__free_unpacked(answer.gadgetinfo, NULL);
	return 0;
}

static int get_info(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	Api__InfoResponse m = API__INFO_RESPONSE__INIT;

	m.version = (char *)"1.0";
	m.serverversion = (char *)"v" IG_VERSION;
	api_append(&m.base, reply);
	return 0;
}

static const struct grpc_method methods[] = {
	{"/api.BuiltInGadgetManager/GetInfo", get_info, NULL},
	{"/api.GadgetManager/GetGadgetInfo", get_gadget_info, NULL},
	{"/api.GadgetManager/RunGadget", NULL, run_gadget_call},
	{0},
};
static const struct api_service gadgets = {methods};
API_SERVICE(&gadgets);
