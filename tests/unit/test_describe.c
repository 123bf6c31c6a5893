// SPDX-License-Identifier: Apache-2.0
/* What a gadget says about itself, read from its object; and how a wrong description is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "columns/schema.h"
#include "gadget/internal.h"
#include "object_file.h"

static struct gadget *open_sample(const char *name)
{
	_cleanup_(buf_done) struct buf b;
	struct gadget *g = NULL;
	struct err err = {};

	object_read(name, &b);
	if (gadget_open_bytes(name, b.data, b.len, NULL, &g, &err))
		fail_msg("%s", err.text);
	return g;
}

static const struct schema *only_schema(const struct gadget *g)
{
	assert_int_equal(gadget_n_sources(g), 1);
	return gadget_source(g, 0)->schema;
}

static void test_gadget(void **state)
{
	_cleanup_(gadget_freep) struct gadget *g = open_sample("sample_tracer");

	assert_string_equal(gadget_name(g), "sample_tracer");
	assert_string_equal(
		gadget_doc(g),
		"Trace getppid\nA gadget for tests of everything that a tracer can have.");
	assert_int_equal(gadget_n_aliases(g), 2);
	assert_string_equal(gadget_alias(g, 0), "ppidsnoop");
	assert_string_equal(gadget_alias(g, 1), "sampletrace");
	assert_int_equal(gadget_source(g, 0)->kind, SOURCE_TRACER);
	assert_string_equal(gadget_source(g, 0)->name, "sample");
	assert_null(gadget_source(g, 0)->sort);
	assert_string_equal(only_schema(g)->gadget, "sample_tracer");
	assert_string_equal(only_schema(g)->name, "sample");
}

/* The same members in the same places as tests/gadgets/sample_tracer says. */
static const struct expected {
	const char *name, *type;
	enum kind kind;
	uint32_t offset, size;
} tracer_fields[] = {
	{ "timestamp", "g_time", KIND_UINT, 0, 8 },
	{ "container", "g_container", KIND_UINT, 8, 8 },
	{ "proc", "g_process", KIND_NONE, 16, 56 },
	{ "proc.comm", "g_comm", KIND_CHARS, 16, 16 },
	{ "proc.creds.uid", "g_uid", KIND_UINT, 40, 4 },
	{ "proc.creds.user", "g_user", KIND_UINT, 40, 4 }, /* of an anonymous union */
	{ "proc.creds.gid", "g_gid", KIND_UINT, 44, 4 },
	{ "proc.creds.group", "g_group", KIND_UINT, 44, 4 },
	{ "proc.parent.pid", "g_pid", KIND_UINT, 64, 4 },
	{ "color", "color", KIND_UINT, 72, 4 },
	{ "balance", "balance", KIND_INT, 76, 4 },
	{ "parent", "g_pid", KIND_UINT, 80, 4 },     /* typedef g_pid my_pid */
	{ "number", "my_number", KIND_UINT, 84, 4 }, /* typedef __u32 my_number */
	{ "yes", "bool", KIND_BOOL, 88, 1 },
	{ "also", "g_bool", KIND_BOOL, 89, 1 },
	{ "name", "char[12]", KIND_CHARS, 90, 12 },
	{ "digest", "unsigned char[6]", KIND_BYTES, 102, 6 },
	{ "addr", "g_addr", KIND_BYTES, 108, 16 },
	{ "src", "g_endpoint", KIND_NONE, 124, 20 },
	{ "src.port", "g_port", KIND_UINT, 140, 2 },
	{ "inner", "inner", KIND_NONE, 144, 8 },
	{ "inner.depth", "__s32", KIND_INT, 144, 4 },
	{ "inner.pair", NULL, KIND_NONE, 148, 4 },
	{ "inner.pair.high", "__u16", KIND_UINT, 150, 2 },
	{ "id", "__u32", KIND_UINT, 152, 4 },
	{ "alias_of_id", "__u32", KIND_UINT, 152, 4 },
	{ "first", "__u8", KIND_UINT, 156, 1 },
	{ "second", "__u8", KIND_UINT, 157, 1 },
	{ "text", "g_text", KIND_TEXT, 160, 8 },
	{ "args", "g_args", KIND_LIST, 168, 8 },
	{ "counter", "__u64", KIND_UINT, 176, 8 },
};

static void test_fields(void **state)
{
	_cleanup_(gadget_freep) struct gadget *g = open_sample("sample_tracer");
	const struct schema *s = only_schema(g);

	assert_int_equal(s->record_size, 184);
	for (size_t i = 0; i < array_size(tracer_fields); i++) {
		const struct expected *want = &tracer_fields[i];
		const struct field *f = schema_field(s, want->name);

		if (!f)
			fail_msg("no field %s", want->name);
		if (f->kind != want->kind || f->offset != want->offset || f->size != want->size)
			fail_msg("%s: kind %d, offset %u, size %u", f->name, f->kind, f->offset,
				 f->size);
		if (want->type)
			assert_string_equal(f->type, want->type);
		assert_int_equal(f->part, PART_RECORD);
	}
	assert_string_equal(s->fields[s->time_field].name, "timestamp");
	assert_string_equal(s->fields[s->container_field].name, "container");
}

static void test_groups(void **state)
{
	_cleanup_(gadget_freep) struct gadget *g = open_sample("sample_tracer");
	const struct schema *s = only_schema(g);
	const struct field *f = schema_field(s, "proc.parent.pid");

	assert_string_equal(s->fields[f->parent].name, "proc.parent");
	assert_string_equal(s->fields[s->fields[f->parent].parent].name, "proc");
	assert_true(s->fields + f->parent < f);
	assert_int_equal(schema_field(s, "first")->parent, -1);
}

static void test_hints(void **state)
{
	_cleanup_(gadget_freep) struct gadget *g = open_sample("sample_tracer");
	const struct schema *s = only_schema(g);

	assert_true(schema_field(s, "timestamp")->flags & FIELD_HIDDEN);
	assert_true(schema_field(s, "container")->flags & FIELD_INTERNAL);
	assert_int_equal(schema_field(s, "color")->width, 7);
	assert_true(schema_field(s, "color")->flags & FIELD_FIXED);
	assert_string_equal(schema_field(s, "color")->doc, "An enum");
	assert_int_equal(schema_field(s, "parent")->width, 9);
	assert_true(schema_field(s, "parent")->flags & FIELD_RIGHT);
	assert_int_equal(schema_field(s, "text")->ellipsis, ELLIPSIS_START);
	assert_true(schema_field(s, "text")->flags & FIELD_SKIP_EMPTY);
	assert_true(schema_field(s, "inner.pair.low")->flags & FIELD_HIDDEN); /* as its group is */
	assert_false(schema_field(s, "counter")->flags & FIELD_HIDDEN);
}

static void test_enums(void **state)
{
	_cleanup_(gadget_freep) struct gadget *g = open_sample("sample_tracer");
	const struct field *f = schema_field(only_schema(g), "balance");

	assert_int_equal(f->n_enum_values, 2);
	assert_string_equal(f->enum_values[0].name, "BALANCE_DEBT");
	assert_int_equal(f->enum_values[0].value, -1);
	assert_int_equal(schema_field(only_schema(g), "number")->n_enum_values, 0);
}

static void test_table(void **state)
{
	_cleanup_(gadget_freep) struct gadget *g = open_sample("sample_top");
	const struct schema *s = only_schema(g);

	assert_int_equal(gadget_source(g, 0)->kind, SOURCE_TOP);
	assert_string_equal(gadget_source(g, 0)->sort, "-calls");
	assert_int_equal(g->sources[0].key_size, 32);
	assert_int_equal(g->sources[0].value_offset, 32);
	assert_int_equal(g->sources[0].value_size, 24);
	assert_true(schema_field(s, "pid")->flags & FIELD_KEY);
	assert_int_equal(schema_field(s, "calls")->offset, 32);
	assert_false(schema_field(s, "calls")->flags & FIELD_KEY);
	assert_int_equal(g->sources[0].n_rates, 1);
	assert_int_equal(g->sources[0].rates[0].of, schema_field(s, "calls")->offset);
	assert_int_equal(g->sources[0].rates[0].to, schema_field(s, "rate")->offset);
}

static void test_snapshot(void **state)
{
	_cleanup_(gadget_freep) struct gadget *g = open_sample("sample_snapshot");

	assert_int_equal(gadget_source(g, 0)->kind, SOURCE_SNAPSHOT);
	assert_non_null(schema_field(only_schema(g), "name"));
}

/* To whoever shows it, a table as any other. */
static void test_sample(void **state)
{
	_cleanup_(gadget_freep) struct gadget *g = open_sample("sample_periodic");

	assert_int_equal(gadget_source(g, 0)->kind, SOURCE_TOP);
	assert_true(gadget_source(g, 0)->sampled);
	assert_string_equal(gadget_source(g, 0)->sort, "-proc.pid");
	assert_non_null(schema_field(only_schema(g), "look"));
}

static int add_name(struct schema *s, struct err *err)
{
	const struct field f = {
		.name = "k8s.pod",
		.kind = KIND_CSTR,
		.part = PART_CONTAINER,
		.size = sizeof(char *),
		.parent = -1,
	};

	return schema_add(s, &f, err);
}

static int refuse(struct schema *s, struct err *err)
{
	return err_set(err, -EINVAL, "no %s", s->name);
}

static void test_enrich(void **state)
{
	_cleanup_(buf_done) struct buf b;
	struct gadget_open_options o = { .enrich = add_name };
	struct gadget *g = NULL;
	struct err err = {};

	object_read("sample_top", &b);
	assert_int_equal(gadget_open_bytes("top", b.data, b.len, &o, &g, &err), 0);
	assert_non_null(schema_field(only_schema(g), "k8s.pod")->format);
	gadget_free(g);

	o.enrich = refuse;
	g = NULL;
	assert_int_equal(gadget_open_bytes("top", b.data, b.len, &o, &g, &err), -EBADMSG);
	assert_string_equal(err.text, "top: no calls");
	assert_null(g);
}

/* ---- wrong descriptions -------------------------------------------------------------- */

static struct btf_member *member(struct buf *b, const char *in, const char *name)
{
	struct btf_type *t = object_type(b, BTF_KIND_STRUCT, in);
	struct btf_member *m = (struct btf_member *)(t + 1);
	const struct btf_header *h = (const void *)(b->data + object_section(b, ".BTF")->sh_offset);
	const char *strings = (const char *)(h + 1) + h->str_off;

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++)
		if (!strcmp(strings + m[i].name_off, name))
			return &m[i];
	fail_msg("no member %s", name);
	return NULL;
}

static void no_time(struct buf *b)
{
	object_string(b, "g_time")[0] = 'x';
}

static void no_container(struct buf *b)
{
	object_string(b, "g_container")[0] = 'x';
}

static void pointer(struct buf *b)
{
	/* The data source's own type is one. */
	member(b, "sample_record", "counter")->type =
		object_type(b, BTF_KIND_VAR, "sample_source")->type;
}

static void bitfield(struct buf *b)
{
	struct btf_type *t = object_type(b, BTF_KIND_STRUCT, "sample_record");

	t->info |= 1u << 31;
	member(b, "sample_record", "number")->offset |= 3u << 24;
}

static void array_in_disguise(struct buf *b)
{
	object_type(b, BTF_KIND_TYPEDEF, "g_text")->type =
		object_type(b, BTF_KIND_TYPEDEF, "g_addr")->type;
}

static void same_name(struct buf *b)
{
	member(b, "sample_record", "number")->name_off =
		member(b, "sample_record", "yes")->name_off;
}

static void odd_hint(struct buf *b)
{
	memcpy(object_string(b, "col:width = 7, fixed"), "col:wider = 7, fixed", 20);
}

static void wide_hint(struct buf *b)
{
	memcpy(object_string(b, "col:width = 7, fixed"), "col:width=99999, ...", 20);
}

static void escape_in_doc(struct buf *b)
{
	object_string(b, "doc:An enum")[5] = '\033';
}

static void escape_in_param(struct buf *b)
{
	object_string(b, "doc:A duration")[5] = '\n';
}

static void alias_with_slash(struct buf *b)
{
	object_string(b, "alias:ppidsnoop")[8] = '/';
}

static void field_with_blank(struct buf *b)
{
	object_string(b, "counter")[3] = ' ';
}

static void rate_of_an_event(struct buf *b)
{
	memcpy(object_string(b, "col:width = 7, fixed"), "per-second:counter", 19);
}

static void source_misnamed(struct buf *b)
{
	object_string(b, "sample_source")[7] = 'S';
}

static void no_source(struct buf *b)
{
	object_string(b, "tracer")[0] = 'T';
}

static void no_gadget(struct buf *b)
{
	object_string(b, "LICENSE")[0] = 'l';
}

static const struct fault {
	void (*make)(struct buf *b);
	const char *said;
} faults[] = {
	{ no_time, "data source sample has no field of type g_time" },
	{ no_container, "data source sample has no field of type g_container" },
	{ pointer, "counter is a pointer" },
	{ bitfield, "field number is a bitfield" },
	{ array_in_disguise, "of a type g_text that is not the one of gadget/types.h" },
	{ same_name, "yes" },
	{ odd_hint, "field color has an unknown hint" },
	{ wide_hint, "field color has an unknown hint" },
	{ escape_in_doc, "the text of field color has control characters" },
	{ escape_in_param, "parameter min_latency has a malformed name or text" },
	{ alias_with_slash, "malformed or too many aliases" },
	{ field_with_blank, "without a proper name" },
	{ rate_of_an_event, "field color: only a 64-bit number in a table's value" },
	{ source_misnamed, "not called NAME_source" },
	{ no_source, "not a gadget: it has no data source" },
	{ no_gadget, "not a gadget: it has no GADGET" },
};

static void test_faults(void **state)
{
	for (size_t i = 0; i < array_size(faults); i++) {
		_cleanup_(buf_done) struct buf b;
		struct gadget *g = NULL;
		struct err err = {};

		object_read("sample_tracer", &b);
		faults[i].make(&b);
		if (gadget_open_bytes("sample", b.data, b.len, NULL, &g, &err) == 0)
			fail_msg("'%s' is not said", faults[i].said);
		if (!strstr(err.text, faults[i].said) || strchr(err.text, '\n') ||
		    strchr(err.text, '\033'))
			fail_msg("'%s' does not say '%s'", err.text, faults[i].said);
		assert_null(g);
	}
}

/* What is counted must be a number that stands before it in the value. */
static void test_rate_of_nothing(void **state)
{
	static const char *const others[] = { "callz", "pid", "rate", "" };

	for (size_t i = 0; i < array_size(others); i++) {
		_cleanup_(buf_done) struct buf b;
		struct gadget *g = NULL;
		struct err err = {};

		object_read("sample_top", &b);
		memcpy(object_string(&b, "per-second:calls") + strlen("per-second:"), others[i],
		       strlen(others[i]) + 1);
		assert_int_not_equal(gadget_open_bytes("top", b.data, b.len, NULL, &g, &err), 0);
		assert_non_null(strstr(err.text, "field rate: no 64-bit number"));
		assert_null(g);
	}
}

/* ---- built-in gadgets ---------------------------------------------------------------- */

/* Whatever was linked in: each can be opened, by its name and by its aliases. */
static void test_builtin(void **state)
{
	const char *before = "";

	for (size_t i = 0; i < gadget_builtin_count(); i++) {
		const struct gadget_object *o = gadget_builtin(i);
		_cleanup_(gadget_freep) struct gadget *g = NULL;
		struct err err = {};

		assert_true(strcmp(before, o->name) < 0);
		before = o->name;
		if (gadget_open(o->name, NULL, &g, &err))
			fail_msg("%s", err.text);
		assert_int_equal(object_validate(g->elf, g->elf_size, NULL), 0);
		for (size_t a = 0; a < gadget_n_aliases(g); a++)
			assert_ptr_equal(gadget_builtin_find(gadget_alias(g, a)), o);
	}
	assert_null(gadget_builtin(gadget_builtin_count()));
	assert_null(gadget_builtin_find("no_such_gadget"));
	assert_ptr_equal(gadget_builtin_find("network-graph"), gadget_builtin_find("trace_network"));
	assert_null(gadget_builtin_find("network-grap"));
}

static void test_unknown(void **state)
{
	struct gadget *g = NULL;
	struct err err = {};

	assert_int_equal(gadget_open("no_such_gadget_at_all", NULL, &g, &err), -ENOENT);
	assert_string_equal(err.text, "no gadget 'no_such_gadget_at_all'");
	if (!gadget_builtin_find("trace_exec"))
		return; /* a library without gadgets has nothing to suggest */
	assert_int_equal(gadget_open("trace_exce", NULL, &g, &err), -ENOENT);
	assert_non_null(strstr(err.text, "did you mean 'trace_exec'?"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gadget),	 cmocka_unit_test(test_fields),
		cmocka_unit_test(test_groups),	 cmocka_unit_test(test_hints),
		cmocka_unit_test(test_enums),	 cmocka_unit_test(test_table),
		cmocka_unit_test(test_snapshot), cmocka_unit_test(test_sample), cmocka_unit_test(test_enrich),
		cmocka_unit_test(test_faults),	 cmocka_unit_test(test_builtin),
		cmocka_unit_test(test_unknown),	 cmocka_unit_test(test_rate_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
