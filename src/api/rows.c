// SPDX-License-Identifier: Apache-2.0
#include "api/rows.h"

#include <string.h>

#include "api/service.h"
#include "base/limits.h"
#include "base/mem.h"
#include "containers/container.h"
#include "wire/api.pb-c.h"
#include "wire/node.pb-c.h"
#include "wire/wire.h"

enum { LOG_SHIFT = 16 };

static void send_event(struct rows *r, uint32_t type, unsigned int source, const void *payload,
		       size_t len)
{
	Api__GadgetEvent m = API__GADGET_EVENT__INIT;

	m.type = type;
	m.datasourceid = source;
	m.payload.data = (uint8_t *)payload;
	m.payload.len = len;
	api_send(r->call, &m.base);
}

static void make_sources(struct rows *r, const struct rows_meaning *m)
{
	r->n_sources = m->n_sources;
	r->sources = xnew_n(struct wire_source *, m->n_sources + 1);
	for (size_t i = 0; i < m->n_sources; i++)
		r->sources[i] =
			wire_source_new((unsigned int)i, m->sources[i], m->compact, m->clock);
}

void rows_describe(const struct rows_meaning *m, struct buf *out)
{
	struct rows r = {0};

	make_sources(&r, m);
	wire_info_pack(&m->about, r.sources, r.n_sources, out);
	rows_done(&r);
}

void rows_start(struct rows *r, struct grpc_served *call, const struct rows_meaning *m)
{
	_cleanup_(buf_done) struct buf info = {.max = MAX_SERVED_MESSAGE_BYTES};

	*r = (struct rows){.call = call};
	buf_init(&r->out, MAX_GRPC_MESSAGE_BYTES);
	make_sources(r, m);
	wire_info_pack(&m->about, r->sources, r->n_sources, &info);
	send_event(r, WIRE_INFO, 0, info.data, info.len);
}

void rows_done(struct rows *r)
{
	for (size_t i = 0; i < r->n_sources; i++)
		wire_source_free(r->sources[i]);
	free(r->sources);
	buf_done(&r->out);
	*r = (struct rows){0};
}

static bool has_room(const struct rows *r)
{
	return r->past || grpc_served_queued(r->call) < MAX_READER_BYTES;
}

static bool send_packed(struct rows *r, bool packed)
{
	if (packed)
		grpc_served_send(r->call, r->out.data, r->out.len);
	return packed;
}

bool rows_row(struct rows *r, unsigned int source, const struct row *row)
{
	struct wire_source *s = r->sources[source];

	if (wire_source_is_table(s))
		return has_room(r) && wire_table_add(s, row);
	buf_clear(&r->out);
	r->seq++; /* also where it is lost: by the gap the client counts what it did not get */
	return send_packed(r, has_room(r) && wire_row_pack(s, row, r->seq, &r->out));
}

bool rows_table_end(struct rows *r, unsigned int source)
{
	buf_clear(&r->out);
	r->seq++; /* as above; without room none of its rows was taken */
	return send_packed(r, has_room(r) && wire_table_pack(r->sources[source], r->seq, &r->out));
}

void rows_table_drop(struct rows *r, unsigned int source)
{
	wire_table_drop(r->sources[source]);
}

void rows_lost(struct rows *r, unsigned int source, const struct container *c, uint64_t count)
{
	Ig__V1__Loss loss = IG__V1__LOSS__INIT;
	_cleanup_(buf_done) struct buf bytes = {.max = MAX_SERVED_MESSAGE_BYTES};

	if (c) {
		loss.container = (char *)c->name;
		loss.key = c->key;
	}
	loss.count = count;
	api_append(&loss.base, &bytes);
	send_event(r, WIRE_LOSS, source, bytes.data, bytes.len);
}

void rows_clock(struct rows *r, const struct clock_base *clock)
{
	Ig__V1__Clock m = IG__V1__CLOCK__INIT;
	_cleanup_(buf_done) struct buf bytes = {.max = 64};

	m.boot_to_real_ns = clock->boot_to_real_ns;
	api_append(&m.base, &bytes);
	send_event(r, WIRE_CLOCK, 0, bytes.data, bytes.len);
}

void rows_log(struct rows *r, enum rows_severity severity, const char *text)
{
	send_event(r, (uint32_t)severity << LOG_SHIFT, 0, text, strlen(text));
}
