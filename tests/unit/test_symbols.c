// SPDX-License-Identifier: Apache-2.0
/* Addresses to names: of files made up here, and of this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/types.h"
#include "symbols/elf.h"
#include "symbols/library.h"
#include "symbols/maps.h"
#include "symbols/symbols.h"

/* ---- a file -----------------------------------------------------------------------------------
 */

enum { CODE_OFFSET = 0x1000, CODE_SIZE = 0x1000, CODE_ADDRESS = 0x401000, SYMBOLS = 16 };

struct file {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	Elf64_Shdr sections[5];
	struct {
		Elf64_Nhdr head;
		char name[4];
		unsigned char id[20];
	} note;
	Elf64_Sym symbols[SYMBOLS], dynamic[2];
	char names[256];
	size_t n, names_used;
};

static void add_symbol(struct file *f, const char *name, uint64_t at, uint64_t size,
		       unsigned char info)
{
	f->symbols[f->n++] = (Elf64_Sym){.st_name = (uint32_t)f->names_used,
					 .st_info = info,
					 .st_shndx = 1,
					 .st_value = CODE_ADDRESS + at,
					 .st_size = size};
	strcpy(f->names + f->names_used, name);
	f->names_used += strlen(name) + 1;
	f->sections[1].sh_size = f->n * sizeof(Elf64_Sym);
}

static Elf64_Shdr section(uint32_t type, size_t offset, size_t size, uint32_t link, size_t each)
{
	return (Elf64_Shdr){.sh_type = type,
			    .sh_offset = offset,
			    .sh_size = size,
			    .sh_link = link,
			    .sh_entsize = each};
}

static void make_file(struct file *f)
{
	*f = (struct file){
		.header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			   .e_phoff = offsetof(struct file, segments),
			   .e_phentsize = sizeof(Elf64_Phdr),
			   .e_phnum = 2,
			   .e_shoff = offsetof(struct file, sections),
			   .e_shentsize = sizeof(Elf64_Shdr),
			   .e_shnum = 5},
		.segments = {{.p_type = PT_NOTE,
			      .p_offset = offsetof(struct file, note),
			      .p_filesz = sizeof(f->note)},
			     {.p_type = PT_LOAD,
			      .p_offset = CODE_OFFSET,
			      .p_filesz = CODE_SIZE,
			      .p_vaddr = CODE_ADDRESS}},
		.note = {{4, 20, NT_GNU_BUILD_ID}, "GNU", {1, 2, 3, [19] = 20}},
		.names_used = 1,
	};
	f->sections[1] =
		section(SHT_SYMTAB, offsetof(struct file, symbols), 0, 2, sizeof(Elf64_Sym));
	f->sections[2] = section(SHT_STRTAB, offsetof(struct file, names), sizeof(f->names), 0, 0);
	f->sections[3] = section(SHT_DYNSYM, offsetof(struct file, dynamic), sizeof(f->dynamic), 2,
				 sizeof(Elf64_Sym));
	add_symbol(f, "main", 0x100, 0x20, STT_FUNC | STB_GLOBAL << 4);
	add_symbol(f, "__open", 0x200, 0x80, STT_FUNC | STB_GLOBAL << 4);
	add_symbol(f, "open", 0x200, 0x80, STT_FUNC | STB_WEAK << 4);
	add_symbol(f, "open_local", 0x200, 0x80, STT_FUNC);
	add_symbol(f, "inner", 0x220, 0x10, STT_FUNC);
	add_symbol(f, "variable", 0x300, 0x10, STT_OBJECT | STB_GLOBAL << 4);
	add_symbol(f, "unsized", 0x400, 0, STT_FUNC);
	f->dynamic[1] = f->symbols[2];
}

static struct elf *open_file(const struct file *f, size_t size)
{
	struct elf_input in = {.fd = -1, .bytes = (const unsigned char *)f, .size = size};
	struct elf *e = NULL;

	return elf_new(&in, &e) ? NULL : e;
}

static void expect_function(const struct elf *e, uint64_t offset, const char *name,
			    uint64_t distance)
{
	uint64_t got;
	const char *found = elf_function(e, offset, &got);

	if (!name) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_string_equal(found, name);
	assert_int_equal(got, distance);
}

static void functions(void **state)
{
	struct file f;
	struct elf *e;

	make_file(&f);
	e = open_file(&f, sizeof(f));
	assert_non_null(e);
	assert_memory_equal(elf_build_id(e), f.note.id, 20);
	expect_function(e, CODE_OFFSET + 0x100, "main", 0);
	expect_function(e, CODE_OFFSET + 0x11f, "main", 0x1f);
	expect_function(e, CODE_OFFSET + 0x120, NULL, 0);
	expect_function(e, CODE_OFFSET + 0x0ff, NULL, 0);
	expect_function(e, CODE_OFFSET + 0x210, "open", 0x10); /* of four names the plainest */
	expect_function(e, CODE_OFFSET + 0x225, "inner", 5);
	expect_function(e, CODE_OFFSET + 0x230, "open", 0x30); /* behind what lies within it */
	expect_function(e, CODE_OFFSET + 0x305, NULL, 0);      /* no function */
	expect_function(e, CODE_OFFSET + 0x500, "unsized", 0x100);
	expect_function(e, CODE_OFFSET + CODE_SIZE, NULL, 0); /* not loaded */
	expect_function(e, 0, NULL, 0);
	expect_function(e, UINT64_MAX, NULL, 0);
	elf_free(e);
}

/* Stripped: what is left is what others may call. */
static void stripped(void **state)
{
	struct file f;
	struct elf *e;

	make_file(&f);
	f.sections[1].sh_type = SHT_NULL;
	f.segments[0].p_type = PT_NULL;
	e = open_file(&f, sizeof(f));
	assert_null(elf_build_id(e));
	expect_function(e, CODE_OFFSET + 0x210, "open", 0x10);
	expect_function(e, CODE_OFFSET + 0x110, NULL, 0);
	elf_free(e);
	f.header.e_shnum = 0;
	e = open_file(&f, sizeof(f));
	expect_function(e, CODE_OFFSET + 0x210, NULL, 0);
	elf_free(e);
}

static const char *const place_names[] = {"main", "open", "variable", "nowhere", "chosen"};

static const uint64_t *places_in(const struct file *f, size_t size)
{
	static uint64_t places[array_size(place_names)];
	struct elf_input in = {.fd = -1, .bytes = (const unsigned char *)f, .size = size};

	elf_places(&in, place_names, array_size(place_names), places);
	return places;
}

/* By name: what is a function, defined, and in a part of the file that is executed. */
static void places(void **state)
{
	const uint64_t *found;
	struct file f;

	make_file(&f);
	add_symbol(&f, "chosen", 0x500, 0x10, STT_GNU_IFUNC | STB_GLOBAL << 4);
	found = places_in(&f, sizeof(f));
	assert_int_equal(found[0], 0); /* nothing is executed */
	f.segments[1].p_flags = PF_R | PF_X;
	found = places_in(&f, sizeof(f));
	assert_int_equal(found[0], CODE_OFFSET + 0x100);
	assert_int_equal(found[1], CODE_OFFSET + 0x200);
	for (size_t i = 2; i < array_size(place_names); i++)
		assert_int_equal(found[i], 0);
	f.sections[1].sh_type = SHT_NULL; /* stripped */
	found = places_in(&f, sizeof(f));
	assert_int_equal(found[0], 0);
	assert_int_equal(found[1], CODE_OFFSET + 0x200);
	f.dynamic[1].st_value = 0x1000;
	assert_int_equal(places_in(&f, sizeof(f))[1], 0);
}

static void libraries(void **state)
{
	static const struct {
		const char *stem, *is[5], *is_not[5];
	} tests[] = {
		{"libc",
		 {"libc.so.6", "libc-2.31.so", "libc.musl-x86_64.so.1", "ld-musl-aarch64.so.1",
		  "libc.so"},
		 {"libcap.so.2", "libc-client.so.2", "libc", "libc.a", "xlibc.so.6"}},
		{"libssl",
		 {"libssl.so.3", "libssl.so", "libssl-5ca12f0e.so.1.1", "libssl.so.1.1"},
		 {"libssl3.so", "libssl.sox", "libssl-", "libssl-1.", "lib"}},
	};

	for (size_t i = 0; i < array_size(tests); i++)
		for (size_t k = 0; k < 5; k++) {
			if (tests[i].is[k] && !library_is(tests[i].is[k], tests[i].stem))
				fail_msg("%s is %s", tests[i].is[k], tests[i].stem);
			if (library_is(tests[i].is_not[k], tests[i].stem))
				fail_msg("%s is not %s", tests[i].is_not[k], tests[i].stem);
		}
}

/* Cut anywhere, and with wild numbers at each place: read without a fault. */
static void broken_files(void **state)
{
	static const uint64_t wild[] = {0, 1, 0x7fffffff, 0xffffffff, INT64_MAX, UINT64_MAX};
	struct file f, broken;

	make_file(&f);
	for (size_t size = 0; size < sizeof(f); size++)
		elf_free(open_file(&f, size));
	for (size_t at = 0; at + 8 <= sizeof(f) - 16; at += 4)
		for (size_t i = 0; i < array_size(wild); i++) {
			uint64_t distance;
			struct elf *e;

			broken = f;
			memcpy((char *)&broken + at, &wild[i], 8);
			e = open_file(&broken, offsetof(struct file, n));
			for (uint64_t offset = 0; e && offset < 0x2000; offset += 0x55)
				elf_function(e, offset, &distance);
			elf_free(e);
			places_in(&broken, offsetof(struct file, n));
		}
	f.header.e_ident[EI_CLASS] = ELFCLASS32;
	assert_null(open_file(&f, sizeof(f)));
}

/* ---- maps -------------------------------------------------------------------------------------
 */

static void maps(void **state)
{
	struct maps m;

	maps_parse(xstrdup("1000-2000 r--p 00000000 08:01 77                 /bin/app\n"
			   "2000-3000 r-xp 00001000 08:01 77                 /bin/app\n"
			   "2800-2900 r-xp 00001000 08:01 78                 /over/lapping\n"
			   "4000-5000 rwxp 00000000 00:00 0 \n"
			   "7000-8000 r-xp 00000000 00:00 0                  [vdso]\n"
			   "9000-9000 r-xp 00000000 00:00 0                  empty\n"
			   "a000-b000 r-xp 00000000 00:2f 18446744073709551616 x\n"
			   "b000-c000 r-xp 00000000 00:2f 5 /a b (deleted)\n"
			   "11111111111111111-c r-xp 0 0:0 0 x\n"
			   "-\n\nd000-e000\nd000-e000 r-xp\nffffffffff600000-ffffffffff601000 --xp "
			   "00000000 00:00 0 [vsyscall]"),
		   &m);
	assert_int_equal(m.n, 5);
	assert_null(maps_find(&m, 0));
	assert_null(maps_find(&m, 0x1800));
	assert_string_equal(maps_find(&m, 0x2000)->path, "/bin/app");
	assert_int_equal(maps_find(&m, 0x2fff)->inode, 77);
	assert_int_equal(maps_find(&m, 0x2fff)->offset, 0x1000);
	assert_null(maps_find(&m, 0x3000));
	assert_string_equal(maps_find(&m, 0x4800)->path, "");
	assert_string_equal(maps_find(&m, 0x7abc)->path, "[vdso]");
	assert_string_equal(maps_find(&m, 0xb000)->path, "/a b (deleted)");
	assert_null(maps_find(&m, UINT64_MAX));
	maps_done(&m);
	maps_parse(xstrdup(""), &m);
	assert_null(maps_find(&m, 1));
	maps_done(&m);

	assert_int_equal(
		maps_start_stack("1 (a b) c) R 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 "
				 "21 22 23 24 25 26 27 140736 29 30\n"),
		140736);
	assert_int_equal(maps_start_stack("1 (a) R 4 5"), 0);
	assert_int_equal(maps_start_stack(""), 0);
	assert_int_equal(
		maps_start_stack("1 (a) R 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 "
				 "23 24 25 26 27 x"),
		0);
}

/* ---- stacks -----------------------------------------------------------------------------------
 */

static const size_t head = offsetof(struct g_user_stack, frames);

/* Of this process, with one address. */
static void make_stack(struct g_user_stack *ret, const void *address)
{
	_cleanup_(buf_done) struct buf stat;

	buf_init(&stat, MAX_PROC_FILE_BYTES);
	assert_int_equal(buf_read_file(&stat, AT_FDCWD, "/proc/self/stat"), 0);
	*ret = (struct g_user_stack){.pid = (uint32_t)getpid(),
				     .start_stack = maps_start_stack(buf_cstr(&stat))};
	ret->frames[0].status = G_FRAME_ADDRESS;
	ret->frames[0].where = (uintptr_t)address;
	assert_int_not_equal(ret->start_stack, 0);
}

static void expect_stack(struct symbols *s, const struct g_user_stack *stack, size_t n,
			 const char *text)
{
	struct buf out;

	buf_init(&out, 4096);
	assert_int_equal(symbols_stack(s, stack, head + n * sizeof(stack->frames[0]), &out), 0);
	for (size_t i = 0; i < out.len; i++)
		if (!out.data[i])
			out.data[i] = '|';
	if (strncmp(buf_cstr(&out), text, strlen(text)) || (!*text && out.len))
		fail_msg("'%s', not '%s'", buf_cstr(&out), text);
	buf_done(&out);
}

static struct symbols *own_symbols(int *ret_proc)
{
	*ret_proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(*ret_proc >= 0);
	return symbols_new(*ret_proc);
}

static void own_addresses(void **state)
{
	struct g_user_stack stack;
	char hex[32];
	int proc;
	struct symbols *s = own_symbols(&proc);

	make_stack(&stack, (const char *)functions + 3);
	expect_stack(s, &stack, 1, "functions+0x3 (/");
	make_stack(&stack, &stack); /* no code is there */
	snprintf(hex, sizeof(hex), "0x%llx|", (unsigned long long)stack.frames[0].where);
	expect_stack(s, &stack, 1, hex);
	/* Another address space, as after an exec: nothing is known of it. */
	make_stack(&stack, functions);
	stack.start_stack++;
	snprintf(hex, sizeof(hex), "0x%llx|", (unsigned long long)stack.frames[0].where);
	expect_stack(s, &stack, 1, hex);
	/* Callers have the address behind the call, which may be behind the function as well. */
	make_stack(&stack, functions);
	stack.frames[1] = stack.frames[0];
	stack.frames[1].where = (uintptr_t)functions + 1;
	stack.frames[2].where = 5; /* no frame: the kernel fills the rest with zeroes */
	stack.frames[3] = stack.frames[0];
	stack.frames[3].where = 0;
	expect_stack(s, &stack, 3, "functions+0x0 (/");
	stack.frames[0].status = G_FRAME_BUILD_ID;
	stack.frames[0].where = UINT64_MAX - 5; /* of no file: left out */
	expect_stack(s, &stack, 4, "functions+0x1 (/");
	symbols_free(s);
	close(proc);
}

static const unsigned char *own_build_id(struct elf **ret)
{
	_cleanup_(closep) int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct elf_input in = {.fd = fd};

	assert_int_equal(elf_new(&in, ret), 0);
	assert_non_null(elf_build_id(*ret)); /* Debian's gcc makes them */
	return elf_build_id(*ret);
}

static void write_file(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/*
 * The stack of a process that has this test's file from device 0:42, and a mount of that type on
 * `dev`.
 */
static void expect_of_mount(const char *type, const char *dev, const char *expected)
{
	char dir[] = "/tmp/ig-test-XXXXXX", text[256];
	struct g_user_stack stack;
	_cleanup_(closep) int fd = -1;
	struct symbols *s;
	_cleanup_(buf_done) struct buf own, stat;
	struct maps m;
	const struct mapping *at;

	make_stack(&stack, (const void *)(uintptr_t)functions);
	buf_init(&own, MAX_PROC_FILE_BYTES);
	assert_int_equal(buf_read_file(&own, AT_FDCWD, "/proc/self/maps"), 0);
	buf_init(&stat, MAX_PROC_FILE_BYTES);
	assert_int_equal(buf_read_file(&stat, AT_FDCWD, "/proc/self/stat"), 0);
	maps_parse(take(own.data), &m);
	at = maps_find(&m, (uintptr_t)functions);
	stack.pid = 1;
	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(fd, "1", 0700), 0);
	assert_int_equal(mkdirat(fd, "1/map_files", 0700), 0);
	snprintf(text, sizeof(text), "1/map_files/%" PRIx64 "-%" PRIx64, at->start, at->end);
	assert_int_equal(symlinkat("/proc/self/exe", fd, text), 0);
	snprintf(text, sizeof(text),
		 "%" PRIx64 "-%" PRIx64 " r-xp %08" PRIx64 " 00:2a 7 /far/app\n", at->start,
		 at->end, at->offset);
	write_file(fd, "1/maps", text);
	write_file(fd, "1/stat", buf_cstr(&stat));
	snprintf(text, sizeof(text),
		 "30 1 0:3 / /proc rw - proc proc rw\n36 35 %s / /far rw shared:1 - %s server:/ "
		 "rw\n",
		 dev, type);
	write_file(fd, "1/mountinfo", text);
	s = symbols_new(fd);
	expect_stack(s, &stack, 1, expected);
	symbols_free(s);
	maps_done(&m);
	snprintf(text, sizeof(text), "rm -r %s", dir);
	assert_int_equal(system(text), 0);
}

/* Whose server may never answer is not opened: only its place can be told. */
static void files_of_servers(void **state)
{
	expect_of_mount("tmpfs", "0:42", "functions+0x0 (");
	expect_of_mount("nfs4", "0:42", "/far/app+0x");
	expect_of_mount("fuse.sshfs", "0:42", "/far/app+0x");
	expect_of_mount("nfs4", "0:43", "functions+0x0 (");
}

/* A child with the same file, gone when its stack is read. */
static void build_ids(void **state)
{
	struct g_user_stack stack = {.frames = {{.status = G_FRAME_BUILD_ID}}};
	struct elf *e;
	char text[80];
	int proc;
	struct symbols *s = own_symbols(&proc);
	pid_t child = fork();
	struct maps m;
	struct buf own;
	const struct mapping *at;

	if (!child)
		_exit(0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	memcpy(stack.frames[0].build_id, own_build_id(&e), 20);
	buf_init(&own, MAX_PROC_FILE_BYTES);
	assert_int_equal(buf_read_file(&own, AT_FDCWD, "/proc/self/maps"), 0);
	maps_parse(take(own.data), &m);
	at = maps_find(&m, (uintptr_t)functions);
	assert_non_null(at);
	stack.frames[0].where = (uintptr_t)functions - at->start + at->offset;
	stack.pid = (uint32_t)child;
	snprintf(text, sizeof(text), "build-id:%02x%02x", stack.frames[0].build_id[0],
		 stack.frames[0].build_id[1]);
	expect_stack(s, &stack, 1, text);
	stack.parent = (uint32_t)getpid();
	expect_stack(s, &stack, 1, "functions+0x0 (/");
	stack.parent = 0; /* it is known from now on */
	expect_stack(s, &stack, 1, "functions+0x0 (/");
	stack.frames[0].where = INT64_MAX; /* beyond the file */
	expect_stack(s, &stack, 1, "");
	elf_free(e);
	maps_done(&m);
	symbols_free(s);
	close(proc);
}

/* What was known of an address space is known when others of its pid were met, and when it is gone.
 */
static void many_spaces_of_one_pid(void **state)
{
	struct g_user_stack stack, other;
	char hex[32];
	int proc;
	struct symbols *s = own_symbols(&proc);
	pid_t child = fork();

	if (!child)
		for (;;)
			pause();
	make_stack(&stack, functions);
	stack.pid = (uint32_t)child; /* it has our stack */
	expect_stack(s, &stack, 1, "functions+0x0 (/");
	other = stack;
	snprintf(hex, sizeof(hex), "0x%llx|", (unsigned long long)stack.frames[0].where);
	for (int i = 0; i < 3; i++) {
		other.start_stack++;
		expect_stack(s, &other, 1, hex);
	}
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	expect_stack(s, &stack, 1, "functions+0x0 (/");
	symbols_free(s);
	close(proc);
}

/* Any bytes, and no room. */
static void odd_stacks(void **state)
{
	struct g_user_stack stack;
	struct buf out;
	int proc;
	struct symbols *s = own_symbols(&proc);

	make_stack(&stack, functions);
	for (size_t i = 1; i < G_STACK_FRAMES; i++)
		stack.frames[i] = stack.frames[0];
	buf_init(&out, 200);
	assert_int_equal(symbols_stack(s, &stack, head - 1, &out), 0);
	assert_int_equal(symbols_stack(s, &stack, head + 31, &out), 0);
	assert_int_equal(out.len, 0);
	assert_in_range(symbols_stack(s, &stack, sizeof(stack), &out), 1, G_STACK_FRAMES - 1);
	assert_true(out.len > 0 && !out.data[out.len - 1]);
	buf_done(&out);
	buf_init(&out, MAX_STACK_BYTES);
	memset(&stack, 0xff, sizeof(stack));
	assert_int_equal(symbols_stack(s, &stack, sizeof(stack), &out), 0);
	assert_int_equal(out.len, 0);
	buf_done(&out);
	symbols_free(s);
	close(proc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(functions),	 cmocka_unit_test(stripped),
		cmocka_unit_test(broken_files),	 cmocka_unit_test(maps),
		cmocka_unit_test(own_addresses), cmocka_unit_test(files_of_servers),
		cmocka_unit_test(build_ids),	 cmocka_unit_test(many_spaces_of_one_pid),
		cmocka_unit_test(odd_stacks),	 cmocka_unit_test(places),
		cmocka_unit_test(libraries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
