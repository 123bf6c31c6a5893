// SPDX-License-Identifier: Apache-2.0
/* Stacks added up: which fields, what frames look like, sums, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/folded.h"
#include "columns/types.h"

struct record {
	g_pid pid;
	g_comm comm;
	__s64 bytes;
	__u64 calls;
	g_args user, kernel;
	char tail[4096];
};

struct setup {
	struct schema *schema;
	struct folded_plan plan;
	struct folded *folded;
	struct record r;
	uint32_t size;
};

#define FIELD(member, type_, kind_, ...)                                  \
	{                                                                 \
		.name = #member, .type = type_, .kind = kind_,            \
		.offset = offsetof(struct record, member),                \
		.size = sizeof(((struct record *)0)->member), __VA_ARGS__ \
	}

static void begin(struct setup *s, bool table, const char *value)
{
	static const struct field fields[] = {
		FIELD(pid, "g_pid", KIND_UINT, .flags = FIELD_KEY),
		FIELD(comm, "g_comm", KIND_CHARS, .flags = FIELD_KEY),
		FIELD(user, "g_ustack_id", KIND_LIST, .flags = FIELD_KEY),
		FIELD(kernel, "g_kstack", KIND_LIST, .flags = FIELD_KEY),
		FIELD(bytes, "g_bytes", KIND_INT),
		FIELD(calls, "__u64", KIND_UINT),
	};

	*s = (struct setup){.size = offsetof(struct record, tail), .folded = folded_new()};
	s->schema = schema_new("gadget", "source", sizeof(s->r));
	assert_int_equal(schema_add_table(s->schema, fields, array_size(fields), NULL), 0);
	assert_int_equal(schema_finish(s->schema, NULL), 0);
	s->schema->record_size = s->size;
	assert_int_equal(folded_plan(s->schema, table, value, &s->plan, NULL), 0);
}

static void end(struct setup *s)
{
	folded_free(s->folded);
	schema_unref(s->schema);
}

/* frames: one after the other with a NUL behind each, as a literal of `len` bytes. */
static void set(struct setup *s, g_args *to, const char *frames, size_t len)
{
	*to = (g_args){s->size, (uint32_t)len};
	memcpy((char *)&s->r + s->size, frames, len);
	s->size += (uint32_t)len;
}
#define SET(s, field, frames) set(s, &(s)->r.field, frames "\0", sizeof(frames))

static bool add(struct setup *s, const char *comm)
{
	const struct row row = {.part = {&s->r}, .size = {s->size}};

	snprintf(s->r.comm, sizeof(s->r.comm), "%s", comm);
	return folded_add(s->folded, &s->plan, &row);
}

static void expect(const struct setup *s, const char *text)
{
	_cleanup_(buf_done) struct buf out;

	buf_init(&out, MAX_HELD_BYTES);
	folded_print(s->folded, &out);
	assert_string_equal(buf_cstr(&out), text);
}

static void frames(void **state)
{
	struct setup s;

	begin(&s, false, NULL);
	SET(&s, user,
	    "open+0x12 (/lib/libc.so)\0operator+(int)+0x0 (/bin/a b)\0/bin/app+0x123\0"
	    "build-id:0102+0x9\0"
	    "0x7f00\0[vdso]+0x7\0main+0x1d (/bin/app)");
	SET(&s, kernel,
	    "vfs_open+0x5\0ext4_open+0x6 [ext4]\0"
	    "0xffffffff81000000");
	assert_true(add(&s, "app"));
	expect(&s, "app;main;[vdso];[unknown];[build-id:0102];[/bin/app];operator+(int);open;"
		   "[unknown]_[k];ext4_open_[k];vfs_open_[k] 1\n");
	end(&s);
}

/* Names are anybody's. */
static void hostile(void **state)
{
	struct setup s;

	begin(&s, false, NULL);
	SET(&s, user, "a;b\n\033[2J+0x1 (/x)\0+0x1\0+\0+0x (/y)\0[no stack: too many]");
	s.r.user.length |= G_TRUNCATED;
	assert_true(add(&s, "c;d\n"));
	expect(&s, "c:d\\n;[…];[no stack: too many];+0x (/y);+;[unknown];a:b\\n\\x1b[2J 1\n");
	s.r.user.offset = UINT32_MAX; /* outside of the record */
	assert_true(add(&s, "e"));
	expect(&s, "c:d\\n;[…];[no stack: too many];+0x (/y);+;[unknown];a:b\\n\\x1b[2J 1\ne 1\n");
	end(&s);
}

static void sums(void **state)
{
	struct setup s;

	begin(&s, true, NULL); /* the first number that is no key */
	SET(&s, user, "main+0x1 (/x)");
	s.r.bytes = 40;
	s.r.calls = 3;
	assert_true(add(&s, "b"));
	s.r.bytes = 2;
	assert_true(add(&s, "b"));
	assert_true(add(&s, "a"));
	s.r.bytes = -5;
	assert_true(add(&s, "c")); /* nothing that a graph could show */
	expect(&s, "a;main 2\nb;main 42\n");
	s.r.bytes = INT64_MAX;
	assert_true(add(&s, "a"));
	expect(&s, "a;main 9223372036854775807\nb;main 42\n");
	end(&s);
	begin(&s, true, "calls");
	s.r.calls = 3;
	assert_true(add(&s, "a"));
	expect(&s, "a 3\n");
	end(&s);
	begin(&s, false, NULL); /* rows of a stream are counted */
	assert_true(add(&s, "a") && add(&s, "a"));
	expect(&s, "a 2\n");
	end(&s);
}

static void bounds(void **state)
{
	char frames[3000], comm[16];
	uint64_t n = 0;
	struct setup s;

	begin(&s, false, NULL);
	memset(frames, 'x', sizeof(frames) - 1);
	frames[sizeof(frames) - 1] = '\0';
	set(&s, &s.r.user, frames, sizeof(frames));
	for (; n < MAX_FOLDED_BYTES / 3000 + 1; n++) {
		snprintf(comm, sizeof(comm), "%d", (int)n);
		if (!add(&s, comm))
			break;
	}
	assert_in_range(n, MAX_FOLDED_BYTES / 3200, MAX_FOLDED_BYTES / 3000);
	assert_int_equal(folded_refused(s.folded), 1);
	assert_true(add(&s, "0")); /* one that is known */
	end(&s);
}

static void plans(void **state)
{
	struct folded_plan plan;
	struct err err = {0};
	struct setup s;

	begin(&s, false, NULL);
	assert_int_equal(folded_plan(s.schema, false, "nothing", &plan, &err), -ENOENT);
	assert_int_equal(folded_plan(s.schema, false, "comm", &plan, &err), -EINVAL);
	assert_string_equal(err.text, "--value: comm is no number");
	for (size_t i = 0; i < s.schema->n_fields; i++)
		if (s.schema->fields[i].kind == KIND_LIST)
			s.schema->fields[i].type = "g_args";
	assert_int_equal(folded_plan(s.schema, false, NULL, &plan, &err), -ENOENT);
	assert_string_equal(err.text, "gadget tells no stacks");
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames), cmocka_unit_test(hostile), cmocka_unit_test(sums),
		cmocka_unit_test(bounds), cmocka_unit_test(plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
