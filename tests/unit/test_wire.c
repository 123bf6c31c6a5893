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
		sources[i] = wire_source_new((unsigned int)i, gadget_source(t->g, i), t->compact,
					     &base);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builtin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
