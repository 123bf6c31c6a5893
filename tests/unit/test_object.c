// SPDX-License-Identifier: Apache-2.0
/* The validator names the fault of a broken object; the child process survives what libbpf does
 * not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "base/err.h"
#include "gadget/internal.h"
#include "object_file.h"

static const char *const samples[] = { "sample_tracer", "sample_top", "sample_snapshot" };

static void test_samples_pass(void **state)
{
	for (size_t i = 0; i < array_size(samples); i++) {
		_cleanup_(buf_done) struct buf b;
		struct err err = {};

		object_read(samples[i], &b);
		if (object_validate(b.data, b.len, &err) || object_try_open(b.data, b.len, &err))
			fail_msg("%s: %s", samples[i], err.text);
	}
}

static void test_truncated(void **state)
{
	_cleanup_(buf_done) struct buf b;

	object_read("sample_top", &b);
	for (size_t n = 0; n < b.len; n += n < 256 ? 1 : 61) {
		struct err err = {};
		void *cut =
			malloc(n); /* of its very size, so that the sanitizer sees reads past it */

		memcpy(cut, b.data, n);
		assert_int_equal(object_validate(cut, n, &err), -EINVAL);
		assert_true(err.text[0]);
		free(cut);
	}
}

/* Any byte may be anything: an answer, not a crash. */
static void test_spoiled_bytes(void **state)
{
	_cleanup_(buf_done) struct buf b;
	int passed = 0, refused = 0;

	object_read("sample_top", &b);
	srandom(1);
	for (int round = 0; round < 4000; round++) {
		size_t at = (size_t)random() % b.len;
		char old = b.data[at];
		struct err err = {};

		b.data[at] = (char)random();
		if (object_validate(b.data, b.len, &err) == 0) {
			struct gadget *g = NULL;

			passed++;
			if (!gadget_open_bytes("spoiled", b.data, b.len, NULL, &g, &err))
				gadget_free(g);
		} else {
			refused++;
			assert_true(err.text[0]);
		}
		b.data[at] = old;
	}
	assert_true(passed > 100 && refused > 100);
}

/* ---- each fault by its name ---------------------------------------------------------- */

static void other_machine(struct buf *b)
{
	object_header(b)->e_machine = EM_X86_64;
}

static void big_endian(struct buf *b)
{
	object_header(b)->e_ident[EI_DATA] = ELFDATA2MSB;
}

static void sections_outside(struct buf *b)
{
	object_header(b)->e_shoff = UINT64_MAX & ~7ull;
}

static void section_outside(struct buf *b)
{
	object_section(b, ".maps")->sh_offset = b->len;
}

static void section_wraps(struct buf *b)
{
	object_section(b, ".maps")->sh_offset = UINT64_MAX;
}

static void license_without_bytes(struct buf *b)
{
	object_section(b, "license")->sh_type = SHT_NOBITS;
}

static void section_twice(struct buf *b)
{
	object_section(b, "license")->sh_name = object_section(b, ".maps")->sh_name;
}

static Elf64_Sym *symbol(struct buf *b, const char *name)
{
	Elf64_Shdr *s = object_section(b, ".symtab");
	Elf64_Shdr *strings = (Elf64_Shdr *)(b->data + object_header(b)->e_shoff) + s->sh_link;

	for (size_t i = 0; i < s->sh_size / sizeof(Elf64_Sym); i++) {
		Elf64_Sym *sym = (Elf64_Sym *)(b->data + s->sh_offset) + i;

		if (!strcmp(b->data + strings->sh_offset + sym->st_name, name))
			return sym;
	}
	fail_msg("no symbol %s", name);
	return NULL;
}

static void symbol_without_section(struct buf *b)
{
	symbol(b, "g_wanted")->st_shndx = 200;
}

static void symbol_outside(struct buf *b)
{
	symbol(b, "g_wanted")->st_value = UINT64_MAX - 3;
}

static void map_moved(struct buf *b)
{
	symbol(b, "g_wanted")->st_name = symbol(b, "g_containers")->st_name;
}

static Elf64_Rel *reloc(struct buf *b)
{
	return (Elf64_Rel *)(b->data +
			     object_section(b, ".reltp/syscalls/sys_enter_getppid")->sh_offset);
}

static void reloc_without_symbol(struct buf *b)
{
	reloc(b)->r_info = ELF64_R_INFO(100000, 1);
}

static void reloc_outside(struct buf *b)
{
	reloc(b)->r_offset = object_section(b, "tp/syscalls/sys_enter_getppid")->sh_size - 8;
}

static void reloc_unknown(struct buf *b)
{
	reloc(b)->r_info = ELF64_R_INFO(1, 77);
}

/* The first half of a 16-byte instruction in the last place of the only function. */
static void half_instruction(struct buf *b)
{
	Elf64_Shdr *s = object_section(b, "tp/syscalls/sys_enter_getppid");

	b->data[s->sh_offset + s->sh_size - 8] = 0x18;
}

static void btf_magic(struct buf *b)
{
	b->data[object_section(b, ".BTF")->sh_offset] = 0;
}

static void btf_strings_open(struct buf *b)
{
	Elf64_Shdr *s = object_section(b, ".BTF");

	b->data[s->sh_offset + s->sh_size - 1] = 'x';
}

static void type_out_of_range(struct buf *b)
{
	object_type(b, BTF_KIND_TYPEDEF, "g_container")->type = 1000000;
}

static void type_of_itself(struct buf *b)
{
	object_type(b, BTF_KIND_TYPEDEF, "g_pid")->type =
		object_type_id(b, BTF_KIND_TYPEDEF, "g_pid");
}

static void type_unknown(struct buf *b)
{
	object_type(b, BTF_KIND_STRUCT, "calls_key")->info |= 31u << 24;
}

static void member_outside(struct buf *b)
{
	object_type(b, BTF_KIND_STRUCT, "calls_key")->size = 24;
}

static void variable_is_no_variable(struct buf *b)
{
	struct btf_type *maps = object_type(b, BTF_KIND_DATASEC, ".maps");

	((struct btf_var_secinfo *)(maps + 1))->type =
		object_type_id(b, BTF_KIND_STRUCT, "calls_key");
}

static void map_is_no_struct(struct buf *b)
{
	object_type(b, BTF_KIND_VAR, "g_wanted")->type =
		object_type_id(b, BTF_KIND_TYPEDEF, "g_pid");
}

static void map_pinned(struct buf *b)
{
	/* the strings' length stays: "pinning", NUL, and one byte that belongs to no name */
	memcpy(object_string(b, "map_flags"), "pinning", 8);
}

static void ext_magic(struct buf *b)
{
	b->data[object_section(b, ".BTF.ext")->sh_offset] = 0;
}

static void ext_record(struct buf *b)
{
	uint32_t record = 4;

	memcpy(b->data + object_section(b, ".BTF.ext")->sh_offset + 32, &record, sizeof(record));
}

static void ext_instruction(struct buf *b)
{
	uint32_t at = 0x7fffff8;

	/* header 32, record size 4, block 8: the first function's place */
	memcpy(b->data + object_section(b, ".BTF.ext")->sh_offset + 44, &at, sizeof(at));
}

static const struct fault {
	void (*make)(struct buf *b);
	const char *said;
} faults[] = {
	{ other_machine, "not a BPF object" },
	{ big_endian, "little-endian" },
	{ sections_outside, "the table of sections lies outside the file" },
	{ section_outside, " lies outside the file" },
	{ section_wraps, "lies outside the file" },
	{ license_without_bytes, "section license is malformed" },
	{ section_twice, "two sections of one name" },
	{ symbol_without_section, "section 200, which does not exist" },
	{ symbol_outside, "lies outside section" },
	{ map_moved, "variable g_wanted is not in section .maps" },
	{ reloc_without_symbol, "names symbol 100000, which does not exist" },
	{ reloc_outside, "lies outside section" },
	{ reloc_unknown, "of unknown type 77" },
	{ half_instruction, "ends within an instruction" },
	{ btf_magic, "magic" },
	{ btf_strings_open, "do not start and end with NUL" },
	{ type_out_of_range, "refers to type 1000000" },
	{ type_of_itself, "contains itself" },
	{ type_unknown, "unknown kind 31" },
	{ member_outside, "lies outside it" },
	{ variable_is_no_variable, "which cannot be" },
	{ map_is_no_struct, "map g_wanted is not defined by a struct" },
	{ map_pinned, "wants to be pinned" },
	{ ext_magic, ".BTF.ext has an unknown magic" },
	{ ext_record, "entries of 4 bytes" },
	{ ext_instruction, "is outside section" },
};

static void test_faults(void **state)
{
	for (size_t i = 0; i < array_size(faults); i++) {
		_cleanup_(buf_done) struct buf b;
		struct err err = {};

		object_read("sample_top", &b);
		faults[i].make(&b);
		assert_int_equal(object_validate(b.data, b.len, &err), -EINVAL);
		if (!strstr(err.text, faults[i].said) || strchr(err.text, '\n'))
			fail_msg("'%s' does not say '%s'", err.text, faults[i].said);
	}
}

/* ---- types alone --------------------------------------------------------------------- */

/* BTF of `n` words of types and no strings but the empty one and "x". */
static int open_words(const uint32_t *words, size_t n, struct types *ret, struct err *err)
{
	_cleanup_(buf_done) struct buf b;
	struct btf_header h = {
		.magic = BTF_MAGIC,
		.version = BTF_VERSION,
		.hdr_len = sizeof(h),
		.type_len = (uint32_t)(n * 4),
		.str_off = (uint32_t)(n * 4),
		.str_len = 3,
	};

	buf_init(&b, 1 << 20);
	buf_add(&b, &h, sizeof(h));
	buf_add(&b, words, n * 4);
	buf_add(&b, "\0x", 3);
	return types_open(b.data, b.len, ret, err);
}

#define INFO(kind, n) ((uint32_t)(kind) << 24 | (n))

/* A chain of structs, each inside the next, is bounded; one through pointers is not. */
static void test_nesting(void **state)
{
	uint32_t words[64 * 6] = { 1, INFO(BTF_KIND_INT, 0), 4, 32 };
	size_t n = 4;
	struct err err = {};
	struct types t;

	for (uint32_t id = 2; id <= 32; id++) {
		const uint32_t s[] = { 0, INFO(BTF_KIND_STRUCT, 1), 4, 1, id - 1, 0 };

		memcpy(words + n, s, sizeof(s));
		n += 6;
	}
	assert_int_equal(open_words(words, n, &t, &err), 0);
	assert_int_equal(types_size(&t, 32), 4);
	types_close(&t);

	const uint32_t s[] = { 0, INFO(BTF_KIND_STRUCT, 1), 4, 1, 32, 0 };

	memcpy(words + n, s, sizeof(s));
	assert_int_equal(open_words(words, n + 6, &t, &err), -EINVAL);
	assert_non_null(strstr(err.text, "nested deeper"));
}

static void test_cycles(void **state)
{
	/* struct { struct self *x; }; */
	const uint32_t list[] = { 0, INFO(BTF_KIND_STRUCT, 1), 8, 1, 2, 0,
				  0, INFO(BTF_KIND_PTR, 0),    1 };
	/* an array of arrays of itself */
	const uint32_t array[] = { 1, INFO(BTF_KIND_INT, 0),
				   4, 32,
				   0, INFO(BTF_KIND_ARRAY, 0),
				   0, 3,
				   1, 1,
				   0, INFO(BTF_KIND_ARRAY, 0),
				   0, 2,
				   1, 1 };
	struct err err = {};
	struct types t;

	assert_int_equal(open_words(list, array_size(list), &t, &err), 0);
	types_close(&t);
	assert_int_equal(open_words(array, array_size(array), &t, &err), -EINVAL);
	assert_non_null(strstr(err.text, "contains itself"));
}

static void test_array_overflow(void **state)
{
	/* 2^32-1 times 2^32-1 times 4 bytes */
	const uint32_t words[] = { 1, INFO(BTF_KIND_INT, 0),
				   4, 32,
				   0, INFO(BTF_KIND_ARRAY, 0),
				   0, 1,
				   1, UINT32_MAX,
				   0, INFO(BTF_KIND_ARRAY, 0),
				   0, 2,
				   1, UINT32_MAX };
	struct err err = {};
	struct types t;

	assert_int_equal(open_words(words, array_size(words), &t, &err), -EINVAL);
	assert_non_null(strstr(err.text, "impossible size"));
}

/* ---- the child process --------------------------------------------------------------- */

static void test_child_reports_crash(void **state)
{
	_cleanup_(buf_done) struct buf b;
	struct err err = {};

	object_read("sample_top", &b);
	object_type(&b, BTF_KIND_VAR, "g_wanted")->type = 1000000;
	assert_int_equal(object_try_open(b.data, b.len, &err), -EINVAL);
	/* libbpf 1.1 crashes; later ones look first. */
	assert_true(!strcmp(err.text, "libbpf cannot read this object (it crashed: SIGSEGV)") ||
		    strstr(err.text, "invalid referenced type"));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_child_reports_refusal(void **state)
{
	_cleanup_(buf_done) struct buf b;
	struct err err = {};

	object_read("sample_top", &b);
	other_machine(&b);
	assert_int_equal(object_try_open(b.data, b.len, &err), -EINVAL);
	assert_non_null(strstr(err.text, "libbpf refuses this object: elf: "));
	assert_null(strchr(err.text, '\n'));
}

static void test_child_is_stopped(void **state)
{
	_cleanup_(buf_done) struct buf b;
	struct err err = {};
	time_t start = time(NULL);

	object_read("sample_top", &b);
	/* libbpf follows typedefs to their end, and this one has none. */
	object_type(&b, BTF_KIND_VAR, "g_wanted")->type =
		object_type_id(&b, BTF_KIND_TYPEDEF, "g_pid");
	type_of_itself(&b);
	assert_int_equal(object_try_open(b.data, b.len, &err), -EINVAL);
	/* libbpf 1.1 goes round for ever; later ones may refuse it. */
	assert_true(strstr(err.text, "took too long") || strstr(err.text, "libbpf refuses this object"));
	assert_true(time(NULL) - start < 10);
}

/* Without privileges there are none to drop, and the object is opened all the same. */
static void test_child_of_ordinary_user(void **state)
{
	_cleanup_(buf_done) struct buf b;
	int status;
	pid_t pid;

	object_read("sample_top", &b);
	pid = fork();
	if (!pid) {
		if (geteuid() == 0 && (setgid(1000) < 0 || setuid(1000) < 0))
			_exit(2);
		_exit(object_try_open(b.data, b.len, NULL) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_file(void **state)
{
	_cleanup_(freep) char *path = object_path("sample_top");
	char broken[] = "/tmp/ig-test-XXXXXX";
	struct gadget *g = NULL;
	struct err err = {};
	int fd;

	assert_int_equal(gadget_open(path, NULL, &g, &err), 0);
	assert_string_equal(gadget_name(g), "sample_top");
	gadget_free(g);

	assert_int_equal(gadget_open("./no/such.bpf.o", NULL, &g, &err), -ENOENT);
	assert_non_null(strstr(err.text, "./no/such.bpf.o"));
	assert_int_equal(gadget_open("/dev/null", NULL, &g, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "not a regular file"));

	fd = mkstemp(broken);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "#!/bin/sh\n", 10), 10);
	close(fd);
	assert_int_equal(gadget_open(broken, NULL, &g, &err), -EBADMSG);
	unlink(broken);
	assert_non_null(strstr(err.text, broken));
	assert_non_null(strstr(err.text, "ELF"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples_pass),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_spoiled_bytes),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_cycles),
		cmocka_unit_test(test_array_overflow),
		cmocka_unit_test(test_child_reports_crash),
		cmocka_unit_test(test_child_reports_refusal),
		cmocka_unit_test(test_child_is_stopped),
		cmocka_unit_test(test_child_of_ordinary_user),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
