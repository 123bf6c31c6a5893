// SPDX-License-Identifier: Apache-2.0
/* pprof's files, unpacked and read again: sums, functions, files, labels, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "columns/pprof.h"
#include "columns/profile.pb-c.h"
#include "stack_rows.h"

struct setup {
	struct schema *schema;
	struct pprof_plan plan;
	struct pprof *pprof;
	struct stack_row r;
};

static void begin(struct setup *s, bool table, const char *value)
{
	*s = (struct setup){.schema = stack_schema(), .pprof = pprof_new()};
	assert_int_equal(pprof_plan(s->pprof, s->schema, table, value, &s->plan, NULL), 0);
}

static void end(struct setup *s)
{
	pprof_free(s->pprof);
	schema_unref(s->schema);
}

static bool add(struct setup *s, uint32_t size)
{
	const struct row row = {.part = {&s->r}, .size = {size}};

	return pprof_add(s->pprof, &s->plan, &row);
}

static Profile__Profile *written(struct setup *s)
{
	static unsigned char bytes[1 << 20];
	_cleanup_(buf_done) struct buf out;
	z_stream z = {.next_out = bytes, .avail_out = sizeof(bytes)};
	Profile__Profile *p;

	buf_init(&out, MAX_HELD_BYTES);
	assert_int_equal(pprof_write(s->pprof, &out), 0);
	z.next_in = (unsigned char *)out.data;
	z.avail_in = (uInt)out.len;
	assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	p = profile__profile__unpack(NULL, sizeof(bytes) - z.avail_out, bytes);
	inflateEnd(&z);
	assert_non_null(p);
	return p;
}

static void done(Profile__Profile *p)
{
	profile__profile__free_unpacked(p, NULL);
}

#define TEXT(p, i) ((p)->string_table[i])

/* "work (/a);main (/a)", innermost first. */
static void expect_stack(const Profile__Profile *p, const Profile__Sample *s, const char *text)
{
	_cleanup_(buf_done) struct buf b = {.max = 4096};

	for (size_t i = 0; i < s->n_location_id; i++) {
		const Profile__Location *at = p->location[s->location_id[i] - 1];

		buf_str(&b, i ? ";" : "");
		if (at->n_line)
			buf_str(&b, TEXT(p, p->function[at->line[0]->function_id - 1]->name));
		else
			buf_printf(&b, "0x%llx", (unsigned long long)at->address);
		if (at->mapping_id)
			buf_printf(&b, " (%s)", TEXT(p, p->mapping[at->mapping_id - 1]->filename));
	}
	assert_string_equal(buf_cstr(&b), text);
}

static void samples(void **state)
{
	Profile__Profile *p;
	struct setup s;

	begin(&s, true, NULL);
	for (int i = 0; i < 2; i++)
		assert_true(
			add(&s, STACK_ROW(&s.r, "app", 3,
					  "work+0x1 (/a)\0/a+0x1f\0build-id:0102+0x9\0"
					  "0x7f00\0main+0x9 (/a)",
					  "ext4_open+0x1 [ext4]\0vfs_open+0x2", "0a0b /a\0c /b")));
	/* Elsewhere in the same functions: the same sample. */
	assert_true(add(&s, STACK_ROW(&s.r, "app", 1,
				      "work+0x2 (/a)\0/a+0x1f\0build-id:0102+0x9\0"
				      "0x7f00\0main+0x9 (/a)",
				      "ext4_open+0x8 [ext4]\0vfs_open+0x2", "0a0b /a")));
	assert_true(add(&s, STACK_ROW(&s.r, "app", 5, "", "", "")));
	p = written(&s);
	assert_int_equal(p->n_sample, 2);
	expect_stack(p, p->sample[0],
		     "ext4_open (ext4);vfs_open ([kernel.kallsyms]);work (/a);0x1f (/a);"
		     "0x9 (build-id:0102);0x7f00;main (/a)");
	assert_int_equal(p->n_sample_type, 2);
	assert_string_equal(TEXT(p, p->sample_type[0]->type), "samples");
	assert_string_equal(TEXT(p, p->sample_type[0]->unit), "count");
	assert_string_equal(TEXT(p, p->sample_type[1]->type), "cpu");
	assert_string_equal(TEXT(p, p->sample_type[1]->unit), "nanoseconds");
	assert_int_equal(p->sample[0]->value[0], 7);
	assert_int_equal(p->sample[0]->value[1], 70);
	assert_int_equal(p->sample[1]->value[0], 5);
	assert_int_equal(p->period, 10);
	assert_string_equal(p->string_table[0], "");
	end(&s);
	done(p);
}

static void files_and_labels(void **state)
{
	Profile__Profile *p;
	struct setup s;

	begin(&s, true, NULL);
	/* The same path in two containers is two files. */
	assert_true(add(&s, STACK_ROW(&s.r, "x", 1, "work+0x1 (/a)", "", "0a0b /a")));
	assert_true(add(&s, STACK_ROW(&s.r, "x", 1, "work+0x1 (/a)", "", "0c0d /a")));
	assert_true(add(&s, STACK_ROW(&s.r, "x", 1, "build-id:ff+0x1", "", "")));
	p = written(&s);
	assert_int_equal(p->n_mapping, 3);
	assert_string_equal(TEXT(p, p->mapping[0]->build_id), "0a0b");
	assert_string_equal(TEXT(p, p->mapping[1]->build_id), "0c0d");
	assert_string_equal(TEXT(p, p->mapping[2]->build_id), "ff");
	assert_true(p->mapping[0]->has_functions && !p->mapping[2]->has_functions);
	assert_int_equal(p->sample[0]->n_label, 2); /* no container */
	assert_string_equal(TEXT(p, p->sample[0]->label[0]->key), "comm");
	assert_string_equal(TEXT(p, p->sample[0]->label[0]->str), "x");
	assert_string_equal(TEXT(p, p->sample[0]->label[1]->key), "pid");
	assert_int_equal(p->sample[0]->label[1]->num, 7);
	end(&s);
	done(p);
}

static void values(void **state)
{
	struct pprof_plan plan;
	Profile__Profile *p;
	struct err err = {0};
	struct setup s;

	begin(&s, false, NULL); /* rows of a stream are counted */
	assert_true(add(&s, STACK_ROW(&s.r, "x", 9, "a+0x1 (/a)", "", "")));
	assert_true(add(&s, STACK_ROW(&s.r, "x", 9, "a+0x1 (/a)", "", "")));
	p = written(&s);
	assert_string_equal(TEXT(p, p->sample_type[0]->type), "rows");
	assert_int_equal(p->sample[0]->value[0], 2);
	assert_int_equal(p->period, 0);
	done(p);
	assert_int_equal(pprof_plan(s.pprof, s.schema, true, "no", &plan, &err), -ENOENT);
	assert_int_equal(pprof_plan(s.pprof, s.schema, true, "comm", &plan, &err), -EINVAL);
	end(&s);
	begin(&s, true, "cpu");
	s.r = (struct stack_row){0};
	assert_true(add(&s, STACK_ROW(&s.r, "x", INT64_MAX / 10, "a+0x1 (/a)", "", "")));
	assert_true(add(&s, STACK_ROW(&s.r, "x", INT64_MAX / 10, "a+0x1 (/a)", "", "")));
	p = written(&s);
	assert_int_equal(p->n_sample_type, 1);
	assert_int_equal(p->sample[0]->value[0], INT64_MAX);
	done(p);
	end(&s);
}

/* Names are anybody's, and strings of the format are UTF-8. */
static void hostile(void **state)
{
	Profile__Profile *p;
	struct setup s;

	begin(&s, true, NULL);
	assert_true(add(&s, STACK_ROW(&s.r, "\xff\n", 1, "\xfe\033+0x1 (/\x80)", "", "x\0 \0  ")));
	p = written(&s);
	expect_stack(p, p->sample[0], "\\xfe\\x1b (/\\x80)");
	done(p);
	end(&s);
	begin(&s, true, NULL); /* of nothing */
	p = written(&s);
	assert_int_equal(p->n_sample, 0);
	done(p);
	end(&s);
}

static void bounds(void **state)
{
	char comm[16];
	struct setup s;
	uint64_t n = 0;

	begin(&s, true, NULL);
	for (; n < MAX_FOLDED_BYTES / 64; n++) {
		snprintf(comm, sizeof(comm), "%d", (int)n);
		if (!add(&s, STACK_ROW(&s.r, comm, 1, "a+0x1 (/a)", "", "")))
			break;
	}
	assert_in_range(n, 1000, MAX_FOLDED_BYTES / 64 - 1);
	assert_int_equal(pprof_refused(s.pprof), 1);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(samples), cmocka_unit_test(files_and_labels),
		cmocka_unit_test(values),  cmocka_unit_test(hostile),
		cmocka_unit_test(bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
