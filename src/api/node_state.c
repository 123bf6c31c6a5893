// SPDX-License-Identifier: Apache-2.0
/* ig.v1.Node/Gadgets, DumpState and Cost: what the daemon can, what it has, and what it takes. */
#include "wire/node.pb-c.h"
#include "api/service.h"
#include "api/traceloop.h"
#include "base/limits.h"
#include "base/mem.h"
#include "manager/cost.h"
#include "wire/builtins.h"

static int gadgets(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	Ig__V1__GadgetsResponse *m;
	int r = wire_builtins(&m, err);

	if (r)
		return r;
	api_append(&m->base, reply);
	ig__v1__gadgets_response__free_unpacked(m, NULL);
	return 0;
}

static int dump_state(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	const struct api *api = ctx;
	Ig__V1__DumpStateResponse m = IG__V1__DUMP_STATE_RESPONSE__INIT;
	_cleanup_(buf_done) struct buf text = {.max = MAX_SERVED_MESSAGE_BYTES};

	manager_dump(api->manager, &text);
	if (text.failed)
		return err_set(err, -ENOSPC, "the state is longer than a message may be");
	m.json = (char *)buf_cstr(&text);
	api_append(&m.base, reply);
	return 0;
}

static void fill_traceloop(const struct traceloop_service *s, Ig__V1__GadgetCost *to)
{
	struct traceloop_cost c;

	traceloop_service_cost(s, &c);
	ig__v1__gadget_cost__init(to);
	to->gadget = (char *)"(traceloop)";
	to->bpf_ns = c.runtime.ns;
	to->bpf_runs = c.runtime.runs;
	to->map_bytes = c.ring_bytes + c.map_bytes;
}

static int cost(void *ctx, const void *bytes, size_t len, struct buf *reply, struct err *err)
{
	const struct api *api = ctx;
	Ig__V1__CostResponse m = IG__V1__COST_RESPONSE__INIT;
	struct manager_cost c;
	Ig__V1__GadgetCost *gadgets, **list;

	manager_cost(api->manager, &c);
	gadgets = xnew_n(Ig__V1__GadgetCost, c.n + 1);
	list = xnew_n(Ig__V1__GadgetCost *, c.n + 1);
	for (size_t i = 0; i < c.n; i++) {
		const struct gadget_cost *from = &c.gadgets[i];

		ig__v1__gadget_cost__init(&gadgets[i]);
		gadgets[i].gadget = from->name;
		gadgets[i].tracers = from->tracers;
		gadgets[i].bpf_ns = from->programs.ns;
		gadgets[i].bpf_runs = from->programs.runs;
		gadgets[i].seen = from->totals.seen;
		gadgets[i].lost = from->totals.lost;
		gadgets[i].map_bytes = from->map_bytes;
		list[i] = &gadgets[i];
	}
	m.n_gadgets = c.n;
	if (api->traceloop) {
		fill_traceloop(api->traceloop, &gadgets[c.n]);
		list[m.n_gadgets++] = &gadgets[c.n];
	}
	m.gadgets = list;
	m.resident_bytes = c.resident_bytes;
	m.cpu_ns = c.cpu_ns;
	m.boot_ns = c.boot_ns;
	m.bpf_statistics = c.bpf_statistics;
	m.detector_ns = c.detector.ns;
	m.detector_runs = c.detector.runs;
	api_append(&m.base, reply);
	manager_cost_done(&c);
	free(gadgets);
	free(list);
	return 0;
}

static const struct grpc_method methods[] = {
	{"/ig.v1.Node/Gadgets", gadgets, NULL},
	{"/ig.v1.Node/DumpState", dump_state, NULL},
	{"/ig.v1.Node/Cost", cost, NULL},
	{0},
};
static const struct api_service node_state = {methods};
API_SERVICE(&node_state);
