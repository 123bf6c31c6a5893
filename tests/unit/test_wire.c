// SPDX-License-Identifier: Apache-2.0
/*
 * What a server packs, our client prints as the server would: every built-in gadget, every sort of
 * row and container, byte by byte. And what other servers send, and what is broken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "columns/view.h"
#include "gadget_rows.h"
#include "wire/internal.h"
#include "wire/wire.h"

enum { ROWS = 120 };

static const struct clock_base base = {1700000000123450000};

/* ---- printing, here and there -------------------------------------------------------------- */

struct printer {
	struct view *view;
	unsigned int source;
	int fd;
	unsigned int rows, tables;
};

static struct printer printer_new(const char *output, const char *fields, struct schema *s,
				  enum view_source_kind kind, const struct clock_base *clock)
{
	struct printer p = {.fd = memfd_create("out", MFD_CLOEXEC)};
	struct view_options o = {
		.output = output, .fields = fields, .clock = *clock, .fd = p.fd, .err_fd = -1};
	struct err err = {0};

	if (view_new(&o, &p.view, &err) || view_add(p.view, s, kind, &p.source, &err) ||
	    view_start(p.view, &err))
		fail_msg("%s", err.text);
	return p;
}

static char *printed(struct printer *p)
{
	off_t len;
	char *text;

	view_flush(p->view);
	view_free(p->view);
	len = lseek(p->fd, 0, SEEK_END);
	text = xnew_n(char, (size_t)len + 1);
	assert_int_equal(pread(p->fd, text, (size_t)len, 0), len);
	close(p->fd);
	return text;
}

static void print_row(void *ctx, unsigned int source, const struct row *row)
{
	struct printer *p = ctx;

	p->rows++;
	view_row(p->view, p->source, row, false);
}

static void print_end(void *ctx, unsigned int source)
{
	struct printer *p = ctx;

	p->tables++;
	view_table_end(p->view, p->source);
}

/* ---- there and back ------------------------------------------------------------------------ */

struct trip {
	const char *output, *fields;
	bool compact;
	struct gadget *g;
	size_t source;
	struct container *containers[MADE_CONTAINERS];
	struct wire_source *packer;
	struct wire_gadget *client;
	struct printer here, there;
};

static void begin(struct trip *t)
{
	const struct gadget_source *source = gadget_source(t->g, t->source);
	enum view_source_kind kind = source->kind == SOURCE_TRACER ? VIEW_STREAM : VIEW_TABLE;
	struct wire_source *sources[8] = {NULL};
	_cleanup_(buf_done) struct buf info = {.max = 1 << 20};
	struct err err = {0};

	for (size_t i = 0; i < gadget_n_sources(t->g); i++)
		sources[i] =
			wire_source_new((unsigned int)i, gadget_source(t->g, i), t->compact, &base);
	wire_info_pack(&(struct wire_about){.gadget = t->g, .image = "registry/gadget:latest"},
		       sources, gadget_n_sources(t->g), &info);
	if (wire_gadget_unpack(info.data, info.len, &t->client, &err))
		fail_msg("%s", err.text);
	t->packer = sources[t->source];
	for (size_t i = 0; i < gadget_n_sources(t->g); i++)
		if (i != t->source)
			wire_source_free(sources[i]);
	for (unsigned int i = 0; i < MADE_CONTAINERS; i++)
		t->containers[i] = made_container(i);
	t->here = printer_new(t->output, t->fields, source->schema, kind, &base);
	t->there = printer_new(t->output, t->fields, t->client->sources[t->source].schema, kind,
			       &t->client->clock);
}

static void end(struct trip *t)
{
	for (unsigned int i = 0; i < MADE_CONTAINERS; i++)
		container_unref(t->containers[i]);
	wire_source_free(t->packer);
	wire_gadget_free(t->client);
}

static void receive(struct trip *t, const struct buf *event, uint32_t seq)
{
	const struct wire_rows rows = {&t->there, print_row, print_end};
	Api__GadgetEvent *e =
		api__gadget_event__unpack(NULL, event->len, (const uint8_t *)event->data);
	struct err err = {0};

	assert_non_null(e);
	assert_int_equal(e->type, 0);
	assert_int_equal(e->seq, seq);
	assert_int_equal(e->datasourceid, t->source);
	if (wire_rows_unpack(t->client, e->datasourceid, e->payload.data, e->payload.len, &rows,
			     &err))
		fail_msg("%s", err.text);
	api__gadget_event__free_unpacked(e, NULL);
}

/* Every row of every container, those of versions that are known and of one that is not. */
static void travel(struct trip *t)
{
	const struct gadget_source *source = gadget_source(t->g, t->source);
	_cleanup_(buf_done) struct buf record = {.max = 1 << 16}, event = {.max = 8 << 20};

	for (unsigned int n = 0; n < ROWS; n++) {
		struct row row;

		made_record(source->schema, n, &record);
		row = made_row(&record, t->containers[n % MADE_CONTAINERS]);
		if (n % 11 == 0)
			row.container_version = 0;
		view_row(t->here.view, t->here.source, &row, false);
		if (source->kind != SOURCE_TRACER) {
			assert_true(wire_table_add(t->packer, &row));
			continue;
		}
		buf_clear(&event);
		assert_true(wire_row_pack(t->packer, &row, n, &event));
		receive(t, &event, n);
	}
	if (source->kind != SOURCE_TRACER) {
		view_table_end(t->here.view, t->here.source);
		assert_true(wire_table_pack(t->packer, 5, &event));
		receive(t, &event, 5);
		assert_int_equal(t->there.tables, 1);
	}
	assert_int_equal(t->there.rows, ROWS);
}

static void compare(struct trip *t)
{
	_cleanup_(freep) char *here = NULL, *there = NULL;

	begin(t);
	travel(t);
	here = printed(&t->here);
	there = printed(&t->there);
	assert_true(strlen(here) > ROWS);
	assert_string_equal(here, there);
	end(t);
}

/* Fields that a row without compactness tells exactly: not sets of labels, nor empty texts. */
static const char told[] = "-k8s.podLabels,-runtime.containerLabels,-runtime.containerImageDigest";

static void test_builtin(void **state)
{
	static const struct trip trips[] = {
		{.output = "json", .compact = true},
		{.output = "columns", .compact = true},
		{.output = "yaml", .compact = true},
		{.output = "json", .fields = told},
		{.output = "columns"},
	};
	const struct gadget_open_options o = {.enrich = container_add_fields};

	assert_true(gadget_builtin_count() > 0);
	for (size_t i = 0; i < gadget_builtin_count(); i++) {
		_cleanup_(gadget_freep) struct gadget *g = NULL;
		struct err err = {0};

		if (gadget_open_builtin(gadget_builtin(i)->name, &o, &g, &err))
			fail_msg("%s", err.text);
		for (size_t k = 0; k < array_size(trips); k++)
			for (size_t s = 0; s < gadget_n_sources(g); s++) {
				struct trip t = trips[k];

				t.g = g;
				t.source = s;
				compare(&t);
			}
	}
}

/* ---- what our client knows of a gadget ----------------------------------------------------- */

static struct wire_gadget *described(const struct gadget *g, const char *id)
{
	_cleanup_(buf_done) struct buf info = {.max = 1 << 20};
	struct wire_source *source = wire_source_new(0, gadget_source(g, 0), true, &base);
	struct wire_gadget *client;
	struct err err = {0};

	wire_info_pack(&(struct wire_about){.gadget = g, .image = "trace_open:latest", .id = id},
		       &source, 1, &info);
	if (wire_gadget_unpack(info.data, info.len, &client, &err))
		fail_msg("%s", err.text);
	wire_source_free(source);
	return client;
}

static void test_gadget(void **state)
{
	_cleanup_(gadget_freep) struct gadget *g = NULL;
	struct wire_gadget *client;

	assert_int_equal(gadget_open_builtin("trace_open", NULL, &g, NULL), 0);
	client = described(g, "0a1b");
	assert_string_equal(client->name, "trace_open");
	assert_string_equal(client->image, "trace_open:latest");
	assert_string_equal(client->id, "0a1b");
	assert_string_equal(client->doc, gadget_doc(g));
	assert_int_equal(client->clock.boot_to_real_ns, base.boot_to_real_ns);
	assert_int_equal(client->n_params, gadget_n_params(g));
	assert_true(client->n_params > 0);
	for (size_t i = 0; i < client->n_params; i++) {
		assert_string_equal(client->params[i].name, gadget_param(g, i)->name);
		assert_string_equal(client->params[i].doc, gadget_param(g, i)->doc);
		assert_string_equal(client->params[i].type, gadget_param(g, i)->type);
		assert_string_equal(client->params[i].default_text,
				    gadget_param(g, i)->default_text);
	}
	wire_gadget_free(client);
}

static void test_sort(void **state)
{
	_cleanup_(gadget_freep) struct gadget *g = NULL;
	struct wire_gadget *client;

	assert_int_equal(gadget_open_builtin("top_tcp", NULL, &g, NULL), 0);
	client = described(g, NULL);
	assert_string_equal(client->id, "");
	assert_int_equal(client->sources[0].kind, SOURCE_TOP);
	assert_string_equal(client->sources[0].name, gadget_source(g, 0)->name);
	assert_string_equal(client->sources[0].sort, gadget_source(g, 0)->sort);
	wire_gadget_free(client);
}

struct kept {
	struct container *container[3];
	uint64_t version[3];
	size_t n;
};

static void keep_container(void *ctx, unsigned int source, const struct row *row)
{
	struct kept *k = ctx;

	k->container[k->n] = container_ref((struct container *)row->part[PART_CONTAINER]);
	k->version[k->n++] = row->container_version;
}

/* Rows of one container share it; when it changes there is another one, and the old one stays. */
static void test_containers_are_shared(void **state)
{
	const struct gadget_open_options o = {.enrich = container_add_fields};
	_cleanup_(buf_done) struct buf record = {.max = 1 << 16}, event = {.max = 1 << 20};
	_cleanup_(container_unrefp) struct container *c = made_container(1);
	_cleanup_(gadget_freep) struct gadget *g = NULL;
	struct wire_gadget *client;
	struct wire_source *source;
	struct kept kept = {0};
	const struct wire_rows rows = {&kept, keep_container, NULL};

	assert_int_equal(gadget_open_builtin("trace_open", &o, &g, NULL), 0);
	client = described(g, NULL);
	source = wire_source_new(0, gadget_source(g, 0), true, &base);
	made_record(gadget_source(g, 0)->schema, 1, &record);
	for (unsigned int n = 0; n < 3; n++) {
		struct row row = made_row(&record, c);
		Api__GadgetEvent *e;

		buf_clear(&event);
		assert_true(wire_row_pack(source, &row, n, &event));
		e = api__gadget_event__unpack(NULL, event.len, (const uint8_t *)event.data);
		assert_int_equal(
			wire_rows_unpack(client, 0, e->payload.data, e->payload.len, &rows, NULL),
			0);
		api__gadget_event__free_unpacked(e, NULL);
		if (n == 1) {
			free(c->name);
			c->name = xstrdup("later");
			c->version = 100;
		}
	}
	wire_gadget_free(client);
	wire_source_free(source);
	assert_ptr_equal(kept.container[0], kept.container[1]);
	assert_int_equal(kept.version[0], kept.version[1]);
	assert_ptr_not_equal(kept.container[0], kept.container[2]);
	assert_int_not_equal(kept.version[0], kept.version[2]);
	assert_string_equal(kept.container[0]->name, "web");
	assert_string_equal(kept.container[2]->name, "later");
	assert_true(kept.container[2]->key == c->key);
	for (size_t i = 0; i < 3; i++)
		container_unref(kept.container[i]);
}

/* A record that is shorter than its schema is sent as it is, and to others with zeroes behind it.
 */
static void test_short_record(void **state)
{
	_cleanup_(gadget_freep) struct gadget *g = NULL;
	_cleanup_(buf_done) struct buf event = {.max = 1 << 16};
	uint32_t size[2];

	assert_int_equal(gadget_open_builtin("trace_open", NULL, &g, NULL), 0);
	for (int compact = 0; compact < 2; compact++) {
		struct wire_source *s = wire_source_new(0, gadget_source(g, 0), compact, &base);
		const struct row row = {.part = {"123"}, .size = {3}};
		Api__GadgetEvent *e;
		Api__GadgetData *data;

		buf_clear(&event);
		assert_true(wire_row_pack(s, &row, 1, &event));
		e = api__gadget_event__unpack(NULL, event.len, (const uint8_t *)event.data);
		data = api__gadget_data__unpack(NULL, e->payload.len, e->payload.data);
		size[compact] = (uint32_t)data->data->payload[0].len;
		api__gadget_data__free_unpacked(data, NULL);
		api__gadget_event__free_unpacked(e, NULL);
		wire_source_free(s);
	}
	assert_int_equal(size[0], gadget_source(g, 0)->schema->record_size);
	assert_int_equal(size[1], 3);
}

/* An event is no larger than clients take; what was packed is gone from the next table. */
static void test_full_table(void **state)
{
	_cleanup_(gadget_freep) struct gadget *g = NULL;
	_cleanup_(buf_done) struct buf record = {.max = 1 << 16}, event = {.max = 8 << 20};
	_cleanup_(buf_done) struct buf small = {.max = 16};
	struct wire_source *s;
	unsigned int n = 0;
	struct row row;

	assert_int_equal(gadget_open_builtin("top_tcp", NULL, &g, NULL), 0);
	s = wire_source_new(0, gadget_source(g, 0), false, &base);
	made_record(gadget_source(g, 0)->schema, 1, &record);
	row = made_row(&record, NULL);
	while (wire_table_add(s, &row))
		n++;
	assert_true(n > 5000);
	assert_true(wire_table_pack(s, 1, &event));
	assert_true(event.len > (4 << 20) - 8192 && event.len < 4 << 20);
	buf_clear(&event);
	assert_true(wire_table_pack(s, 2, &event));
	assert_true(event.len < 32);
	assert_false(wire_row_pack(s, &row, 1, &small));
	assert_int_equal(small.len, 0);
	wire_source_free(s);
}

/* ---- other servers ------------------------------------------------------------------------- */

struct foreign {
	const char *name;
	Api__Kind kind;
	uint32_t flags, payload, offs, size;
	const char *note, *value;
};

/* As another server's gadget looks: a packed struct, what was made of it, and what enriches it. */
#define FIELD(name_, kind_, ...)                                       \
	{                                                              \
		.name = name_, .kind = API__KIND__##kind_, __VA_ARGS__ \
	}
#define IN(payload_) .payload = payload_
#define AT(offs_, size_) .flags = API_STATIC, .offs = offs_, .size = size_
#define NOTE(key, value_) .note = key, .value = value_
static const struct foreign foreign[] = {
	FIELD("k8s", Invalid, .flags = API_EMPTY),
	FIELD("k8s.podName", String, .flags = API_HAS_PARENT, IN(1)),
	FIELD("k8s.node", String, .flags = API_HAS_PARENT, IN(2)),
	FIELD("k8s.podLabels", String, .flags = API_HAS_PARENT, IN(3)),
	FIELD("runtime.containerPid", Uint32, IN(4)),
	FIELD("pid", Uint32, AT(0, 4), NOTE("columns.width", "9")),
	FIELD("delta", Int16, AT(4, 2), NOTE("columns.alignment", "right")),
	FIELD("yes", Bool, AT(6, 1)),
	FIELD("comm", CString, AT(8, 8), NOTE("description", "Its\nname")),
	FIELD("ratio", Float64, AT(16, 8)),
	FIELD("error_raw", Int32, AT(24, 4)),
	FIELD("error", String, IN(5)),
	FIELD("numbers", ArrayOf | API__KIND__Uint16, AT(28, 4)),
	FIELD("digest", Bytes, AT(32, 2)),
	FIELD("src", String, IN(6)),
	FIELD("src.port", Uint16, AT(34, 2), NOTE("columns.hidden", "true")),
	FIELD("gone", Uint32, .flags = API_UNREFERENCED),
	FIELD("bad name", Uint32, AT(0, 4)),
	FIELD("far", Uint32, AT(1000, 4)),
};

static void foreign_info(uint32_t flags, struct buf *out)
{
	Api__GadgetInfo info = API__GADGET_INFO__INIT;
	Api__DataSource source = API__DATA_SOURCE__INIT, *sources[] = {&source};
	Api__Field fields[array_size(foreign)], *list[array_size(foreign)];
	Api__Entry notes[array_size(foreign)], *note_list[array_size(foreign)];

	for (size_t i = 0; i < array_size(foreign); i++) {
		const struct foreign *f = &foreign[i];

		list[i] = &fields[i];
		note_list[i] = &notes[i];
		api__field__init(&fields[i]);
		api__entry__init(&notes[i]);
		fields[i].fullname = (char *)f->name;
		fields[i].kind = f->kind;
		fields[i].flags = f->flags;
		fields[i].payloadindex = f->payload;
		fields[i].offs = f->offs;
		fields[i].size = f->size;
		if (!f->note)
			continue;
		notes[i].key = (char *)f->note;
		notes[i].value = (char *)f->value;
		fields[i].n_annotations = 1;
		fields[i].annotations = &note_list[i];
	}
	source.id = 7;
	source.name = (char *)"events";
	source.type = API_SINGLE;
	source.flags = flags;
	source.n_fields = array_size(foreign);
	source.fields = list;
	info.name = (char *)"their\033gadget";
	info.n_datasources = 1;
	info.datasources = sources;
	buf_reserve(out, api__gadget_info__get_packed_size(&info));
	out->len = api__gadget_info__pack(&info, (uint8_t *)out->data);
}

static void foreign_data(struct buf *out)
{
	static unsigned char record[36] = {
		0xd2, 4, 0, 0, 0xfe, 0xff, 1, 0, 'n', 'g', 'i', 'n', 'x', 0, 'x',  'x',	 0,  0,
		0,    0, 0, 0, 0xe0, 0x3f, 2, 0, 0,   0,   1,	0,   2,	  0, 0xca, 0xfe, 80, 0};
	static unsigned char pid[] = {0x67, 0x12, 0, 0};
#define TEXT(s) {sizeof(s) - 1, (uint8_t *)(s)}
	ProtobufCBinaryData payload[] = {{sizeof(record), record}, TEXT("front"), TEXT("node-1"),
					 TEXT("app=web,tier="),	   {4, pid},	  TEXT("ENOENT"),
					 TEXT("10.0.0.1:80")};
	Api__DataElement element = API__DATA_ELEMENT__INIT;
	Api__GadgetData data = API__GADGET_DATA__INIT;

	element.n_payload = array_size(payload);
	element.payload = payload;
	data.data = &element;
	buf_reserve(out, api__gadget_data__get_packed_size(&data));
	out->len = api__gadget_data__pack(&data, (uint8_t *)out->data);
}

static void test_other_server(void **state)
{
	static const char expected[] =
		"{\"k8s\":{\"podName\":\"front\",\"node\":\"node-1\",\"podLabels\":{\"app\":"
		"\"web\","
		"\"tier\":\"\"}},\"runtime\":{\"containerPid\":4711},\"pid\":1234,\"delta\":-"
		"2,"
		"\"yes\":true,\"comm\":\"nginx\",\"ratio\":\"0.5\",\"error_raw\":2,"
		"\"error\":\"ENOENT\",\"numbers\":\"1,2\",\"digest\":\"cafe\","
		"\"src\":{\"text\":\"10.0.0.1:80\",\"port\":80},\"far\":0}\n";
	_cleanup_(buf_done) struct buf info = {.max = 1 << 16}, data = {.max = 1 << 16};
	_cleanup_(freep) char *text = NULL;
	const struct schema *s;
	struct wire_gadget *g;
	struct printer p;
	struct wire_rows rows = {&p, print_row, print_end};
	struct err err = {0};

	foreign_info(0, &info);
	foreign_data(&data);
	assert_int_equal(wire_gadget_unpack(info.data, info.len, &g, &err), 0);
	assert_string_equal(g->name, "their\\x1bgadget");
	assert_int_equal(g->n_sources, 1);
	s = g->sources[0].schema;
	assert_true(schema_field(s, "error_raw")->flags & FIELD_HIDDEN);
	assert_true(schema_field(s, "src.port")->flags & FIELD_HIDDEN);
	assert_int_equal(schema_field(s, "pid")->width, 9);
	assert_true(schema_field(s, "delta")->flags & FIELD_RIGHT);
	assert_string_equal(schema_field(s, "comm")->doc, "Its\\nname");
	assert_null(schema_field(s, "gone"));
	p = printer_new("json", NULL, g->sources[0].schema, VIEW_STREAM, &g->clock);
	assert_int_equal(wire_rows_unpack(g, 7, data.data, data.len, &rows, &err), 0);
	assert_int_equal(wire_rows_unpack(g, 6, data.data, data.len, &rows, &err), -ENOENT);
	assert_int_equal(p.tables, 0);
	text = printed(&p);
	assert_string_equal(text, expected);
	wire_gadget_free(g);
}

static void test_big_endian(void **state)
{
	_cleanup_(buf_done) struct buf info = {.max = 1 << 16}, data = {.max = 1 << 16};
	_cleanup_(freep) char *text = NULL;
	struct wire_gadget *g;
	struct printer p;
	struct wire_rows rows = {&p, print_row, print_end};

	foreign_info(API_BIG_ENDIAN, &info);
	foreign_data(&data);
	assert_int_equal(wire_gadget_unpack(info.data, info.len, &g, NULL), 0);
	p = printer_new("json", "pid,delta,numbers", g->sources[0].schema, VIEW_STREAM, &g->clock);
	assert_int_equal(wire_rows_unpack(g, 7, data.data, data.len, &rows, NULL), 0);
	text = printed(&p);
	assert_string_equal(text, "{\"pid\":3523477504,\"delta\":-257,\"numbers\":\"256,512\"}\n");
	wire_gadget_free(g);
}

/* ---- what is broken ------------------------------------------------------------------------ */

/* Every cut of an event that is good: an answer, and never more rows than there were. */
static void test_cut(void **state)
{
	_cleanup_(buf_done) struct buf info = {.max = 1 << 16}, data = {.max = 1 << 16};
	struct kept kept;
	const struct wire_rows rows = {&kept, keep_container, NULL};
	struct wire_gadget *g = NULL;

	foreign_info(0, &info);
	foreign_data(&data);
	for (size_t len = 1; len < info.len; len++) {
		_cleanup_(freep) char *cut = xnew_n(char, len);

		memcpy(cut, info.data, len);
		if (!wire_gadget_unpack(cut, len, &g, NULL))
			wire_gadget_free(g);
	}
	assert_int_equal(wire_gadget_unpack(info.data, info.len, &g, NULL), 0);
	for (size_t len = 1; len < data.len; len++) {
		_cleanup_(freep) char *cut = xnew_n(char, len);
		struct err err = {0};

		memcpy(cut, data.data, len);
		kept.n = 0;
		assert_int_equal(wire_rows_unpack(g, 7, cut, len, &rows, &err), -EBADMSG);
		assert_true(*err.text);
		assert_int_equal(kept.n, 0);
	}
	wire_gadget_free(g);
}

static int unpack_with(const char *key, const char *value, struct err *err)
{
	Api__GadgetInfo info = API__GADGET_INFO__INIT;
	Api__DataSource source = API__DATA_SOURCE__INIT, *sources[] = {&source};
	Api__Entry note = API__ENTRY__INIT, *notes[] = {&note};
	_cleanup_(freep) uint8_t *packed = NULL;
	struct wire_gadget *g = NULL;
	int r;

	note.key = (char *)key;
	note.value = (char *)value;
	source.n_annotations = info.n_annotations = 1;
	source.annotations = info.annotations = notes;
	info.n_datasources = 1;
	info.datasources = sources;
	packed = xnew_n(uint8_t, api__gadget_info__get_packed_size(&info));
	r = wire_gadget_unpack(packed, api__gadget_info__pack(&info, packed), &g, err);
	wire_gadget_free(g);
	return r;
}

static void test_faults(void **state)
{
	static const struct {
		const char *key, *value, *said;
	} faults[] = {
		{"ig.clock", "noon", "'noon' of  is no clock"},
		{"ig.schema", "{", "data source 0: schema: "},
		{"ig.schema", "{\"name\":\"a\",\"size\":4,\"fields\":[]}", "has no fields"},
		{"ig.schema",
		 "{\"name\":\"a\",\"size\":4,\"fields\":[{\"name\":\"n\",\"kind\":\"uint\","
		 "\"size\":4,\"doc\":\"\\u001b[2J\"}]}",
		 "control characters"},
	};
	struct err err = {0};

	for (size_t i = 0; i < array_size(faults); i++) {
		assert_int_equal(unpack_with(faults[i].key, faults[i].value, &err), -EBADMSG);
		if (!strstr(err.text, faults[i].said))
			fail_msg("'%s' does not say '%s'", err.text, faults[i].said);
	}
	assert_int_equal(unpack_with("ig.kind", "top", &err), 0); /* of nothing: no source */
	assert_int_equal(wire_gadget_unpack("\xff\xff", 2, NULL, &err), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builtin),	     cmocka_unit_test(test_gadget),
		cmocka_unit_test(test_sort),	     cmocka_unit_test(test_containers_are_shared),
		cmocka_unit_test(test_short_record), cmocka_unit_test(test_full_table),
		cmocka_unit_test(test_other_server), cmocka_unit_test(test_big_endian),
		cmocka_unit_test(test_cut),	     cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
