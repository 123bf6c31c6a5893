// SPDX-License-Identifier: Apache-2.0
/* The reduced kernel BTF: which names, which types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <bpf/btf.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "gadget/kernel_btf.h"

static void btf_freep(struct btf **b)
{
	btf__free(*b);
}

/* ---- btf_reduce -------------------------------------------------------------------------- */

/* Types as a kernel would have them; libbpf writes the bytes. */
static struct btf *little_kernel(void)
{
	struct btf *b = btf__new_empty();
	int u32 = btf__add_int(b, "unsigned int", 4, 0);
	int far = btf__add_struct(b, "far_away", 64);
	int far_ptr = btf__add_ptr(b, btf__add_const(b, far));
	int word = btf__add_typedef(b, "u32", u32);
	int inner = btf__add_struct(b, "inner", 8);
	btf__add_field(b, "lo", u32, 0, 0);
	btf__add_field(b, "hi", word, 32, 0);
	int array = btf__add_array(b, u32, inner, 3);
	int outer = btf__add_struct(b, "outer", 64);
	btf__add_field(b, "bits", u32, 0, 3);
	btf__add_field(b, "more_bits", u32, 3, 5);
	btf__add_field(b, "far", far_ptr, 64, 0);
	btf__add_field(b, "self", btf__type_cnt(b), 128, 0); /* the next type: a pointer to outer */
	btf__add_field(b, "inners", array, 192, 0);
	btf__add_ptr(b, outer);
	btf__add_enum(b, "color", 4);
	btf__add_enum_value(b, "RED", 1);
	btf__add_enum_value(b, "BLUE", -5);
	btf__add_struct(b, "unrelated", 4);
	btf__add_field(b, "x", u32, 0, 0);
	btf__add_struct(b, "inner___old", 4);
	btf__add_field(b, "gone", u32, 0, 0);
	return b;
}

static struct btf *reduce(const struct btf *from, const char *names)
{
	_cleanup_(buf_done) struct buf out;
	uint32_t size;
	const void *raw = btf__raw_data(from, &size);

	buf_init(&out, 1 << 20);
	assert_int_equal(btf_reduce(raw, size, names, &out), 0);
	struct btf *b = btf__new(out.data, out.len);
	assert_non_null(b);
	return b;
}

static const struct btf_type *find(const struct btf *b, const char *name, int kind)
{
	int id = btf__find_by_name_kind(b, name, kind);

	return id > 0 ? btf__type_by_id(b, id) : NULL;
}

static const struct btf_type *end_of(const struct btf *b, uint32_t id)
{
	const struct btf_type *t = btf__type_by_id(b, id);

	while (btf_is_mod(t) || btf_is_typedef(t))
		t = btf__type_by_id(b, t->type);
	return t;
}

static void test_by_value_not_by_pointer(void **state)
{
	_cleanup_(btf_freep) struct btf *all = little_kernel();
	_cleanup_(btf_freep) struct btf *b = reduce(all, "outer\n");
	const struct btf_type *t = find(b, "outer", BTF_KIND_STRUCT);

	assert_non_null(t);
	assert_int_equal(t->size, 64);
	assert_int_equal(btf_vlen(t), 5);
	assert_int_equal(btf_member_bitfield_size(t, 0), 3);
	assert_int_equal(btf_member_bit_offset(t, 1), 3);
	assert_int_equal(btf_member_bitfield_size(t, 1), 5);
	assert_string_equal(btf__name_by_offset(b, btf_members(t)[2].name_off), "far");
	assert_int_equal(btf_member_bit_offset(t, 2), 64);

	const struct btf_type *far = btf__type_by_id(b, btf_members(t)[2].type);
	assert_true(btf_is_ptr(far));
	assert_int_equal(far->type, 0);
	const struct btf_type *self = btf__type_by_id(b, btf_members(t)[3].type);
	assert_true(btf_is_ptr(self));
	assert_ptr_equal(btf__type_by_id(b, self->type), t);
	const struct btf_type *array = btf__type_by_id(b, btf_members(t)[4].type);
	assert_true(btf_is_array(array));
	assert_int_equal(btf_array(array)->nelems, 3);
	const struct btf_type *inner = end_of(b, btf_array(array)->type);
	assert_int_equal(inner->size, 8);
	assert_int_equal(btf_vlen(inner), 2);

	assert_null(find(b, "far_away", BTF_KIND_STRUCT));
	assert_null(find(b, "unrelated", BTF_KIND_STRUCT));
	assert_null(find(b, "color", BTF_KIND_ENUM));
}

static void test_enum_and_flavours(void **state)
{
	_cleanup_(btf_freep) struct btf *all = little_kernel();
	_cleanup_(btf_freep) struct btf *b = reduce(all, "color\ninner\nnot_there\n");
	const struct btf_type *t = find(b, "color", BTF_KIND_ENUM);

	assert_non_null(t);
	assert_int_equal(btf_vlen(t), 2);
	assert_string_equal(btf__name_by_offset(b, btf_enum(t)[1].name_off), "BLUE");
	assert_int_equal(btf_enum(t)[1].val, -5);
	assert_non_null(find(b, "inner", BTF_KIND_STRUCT));
	assert_non_null(find(b, "inner___old", BTF_KIND_STRUCT));
	assert_null(find(b, "outer", BTF_KIND_STRUCT));
}

static void test_names_are_whole(void **state)
{
	_cleanup_(btf_freep) struct btf *all = little_kernel();
	_cleanup_(btf_freep) struct btf *b = reduce(all, "inne\ninner_\noute\nco\n");

	assert_int_equal(btf__type_cnt(b), 1);
}

/* Cut anywhere, or with any byte changed: refused or reduced, never read out of bounds. */
static void test_malformed(void **state)
{
	_cleanup_(btf_freep) struct btf *all = little_kernel();
	uint32_t size;
	const void *raw = btf__raw_data(all, &size);

	for (uint32_t cut = 0; cut < size; cut++) {
		_cleanup_(buf_done) struct buf out;
		_cleanup_(freep) void *copy = malloc(cut + 1);

		buf_init(&out, 1 << 20);
		memcpy(copy, raw, cut);
		assert_int_equal(btf_reduce(copy, cut, "outer\ncolor\n", &out), -EINVAL);
	}
	for (uint32_t at = 0; at < size; at++) {
		static const unsigned char values[] = { 0x00, 0x01, 0x7f, 0x80, 0xff };

		for (size_t v = 0; v < sizeof(values); v++) {
			_cleanup_(buf_done) struct buf out;
			_cleanup_(freep) unsigned char *copy = malloc(size);

			buf_init(&out, 1 << 20);
			memcpy(copy, raw, size);
			copy[at] = values[v];
			btf_reduce(copy, size, "outer\ncolor\n", &out);
		}
	}
}

/* ---- this kernel ------------------------------------------------------------------------- */

static struct btf *this_kernel(struct buf *raw)
{
	buf_init(raw, 64 << 20);
	if (buf_read_file(raw, AT_FDCWD, "/sys/kernel/btf/vmlinux"))
		fail_msg("this test needs a kernel with BTF");
	struct btf *b = btf__new(raw->data, raw->len);
	assert_non_null(b);
	return b;
}

static void same_members(const struct btf *a, const struct btf_type *x, const struct btf *b,
			 const struct btf_type *y)
{
	assert_int_equal(x->size, y->size);
	assert_int_equal(btf_vlen(x), btf_vlen(y));
	for (int i = 0; i < btf_vlen(x); i++) {
		const struct btf_type *p = end_of(a, btf_members(x)[i].type);
		const struct btf_type *q = end_of(b, btf_members(y)[i].type);

		assert_string_equal(btf__name_by_offset(a, btf_members(x)[i].name_off),
				    btf__name_by_offset(b, btf_members(y)[i].name_off));
		assert_int_equal(btf_members(x)[i].offset, btf_members(y)[i].offset);
		assert_int_equal(btf_kind(p), btf_kind(q));
		if (btf_is_composite(p))
			same_members(a, p, b, q);
	}
}

static void test_real_structs(void **state)
{
	static const char *const names[] = { "task_struct", "sock", "inode", "linux_binprm",
					     "nsproxy" };
	_cleanup_(buf_done) struct buf raw;
	_cleanup_(btf_freep) struct btf *all = this_kernel(&raw);
	_cleanup_(btf_freep) struct btf *b =
		reduce(all, "inode\nlinux_binprm\nnsproxy\nsock\ntask_struct\n");

	for (size_t i = 0; i < array_size(names); i++) {
		const struct btf_type *x = find(all, names[i], BTF_KIND_STRUCT);
		const struct btf_type *y = find(b, names[i], BTF_KIND_STRUCT);

		assert_true(x && y);
		same_members(all, x, b, y);
	}
	assert_true(btf__type_cnt(b) < btf__type_cnt(all) / 20);
}

/* ---- names of an object ------------------------------------------------------------------ */

static void read_sample(const char *name, struct buf *ret)
{
	char self[PATH_MAX] = "";

	assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
	_cleanup_(freep) char *path = xasprintf("%s/../gadgets/%s.bpf.o", dirname(self), name);
	buf_init(ret, 1 << 20);
	if (buf_read_file(ret, AT_FDCWD, path))
		fail_msg("cannot read %s", path);
}

static void test_names_of_an_object(void **state)
{
	_cleanup_(buf_done) struct buf elf, names;
	struct err err = {};
	bool whole = true;

	read_sample("sample_snapshot", &elf);
	buf_init(&names, 65536);
	assert_int_equal(kernel_btf_names(elf.data, elf.len, &names, &whole, &err), 0);
	assert_false(whole);
	assert_non_null(strstr(buf_cstr(&names), "task_struct\n"));
	assert_non_null(strstr(buf_cstr(&names), "nsproxy\n"));
	assert_null(strstr(buf_cstr(&names), "g_process")); /* the gadget's own: in no relocation */
	for (const char *p = names.data, *next; (next = strchr(p, '\n')) && next[1]; p = next + 1) {
		size_t n = strcspn(p, "\n"), m = strcspn(next + 1, "\n");
		int order = memcmp(p, next + 1, n < m ? n : m);

		assert_true(order < 0 || (order == 0 && n < m)); /* sorted, each once */
	}
	assert_int_equal(kernel_btf_names(elf.data, 100, &names, &whole, &err), -EINVAL);
}

/* ---- the file ------------------------------------------------------------------------------ */

static void test_file_for_an_object(void **state)
{
	_cleanup_(buf_done) struct buf elf;
	struct kernel_btf types;
	struct err err = {};
	struct btf *btf;

	read_sample("sample_snapshot", &elf);
	assert_int_equal(kernel_btf_open(elf.data, elf.len, &types, &err), 0);
	btf = btf__parse(kernel_btf_path(&types), NULL);
	assert_non_null(btf);
	assert_true(btf__find_by_name_kind(btf, "task_struct", BTF_KIND_STRUCT) > 0);
	assert_true(btf__find_by_name_kind(btf, "xfs_mount", BTF_KIND_STRUCT) < 0);
	btf__free(btf);
	kernel_btf_close(&types);
	assert_null(kernel_btf_path(&types));
}

static void test_names_of_the_kernel(void **state)
{
	assert_true(kernel_btf_has_name("btf_trace_sched_process_exec"));
	assert_false(kernel_btf_has_name("btf_trace_sched_process_exe")); /* whole names only */
	assert_false(kernel_btf_has_name("btf_trace_no_such_thing"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_value_not_by_pointer),
		cmocka_unit_test(test_enum_and_flavours),
		cmocka_unit_test(test_names_are_whole),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_real_structs),
		cmocka_unit_test(test_names_of_an_object),
		cmocka_unit_test(test_file_for_an_object),
		cmocka_unit_test(test_names_of_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
