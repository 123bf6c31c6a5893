// SPDX-License-Identifier: Apache-2.0
/* Kernel addresses to names: of a kallsyms made up here, and of this kernel's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "symbols/kernel.h"

struct setup {
	char path[32];
	int dir;
	struct kernel_symbols *k;
};

static void write_kallsyms(const struct setup *s, const char *text)
{
	_cleanup_(closep) int fd =
		openat(s->dir, "kallsyms", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* text NULL: there is no such file. */
static void begin(struct setup *s, const char *text)
{
	snprintf(s->path, sizeof(s->path), "/tmp/kallsyms-XXXXXX"); /* a pattern for mkdtemp() */
	assert_non_null(mkdtemp(s->path));
	s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (text)
		write_kallsyms(s, text);
	s->k = kernel_symbols_new(s->dir);
}

static void end(struct setup *s)
{
	kernel_symbols_free(s->k);
	unlinkat(s->dir, "kallsyms", 0);
	close(s->dir);
	rmdir(s->path);
}

/* The frames, joined by |. */
static void expect(struct setup *s, const uint64_t *addresses, size_t n, const char *text)
{
	_cleanup_(buf_done) struct buf out;

	buf_init(&out, MAX_STACK_BYTES);
	assert_int_equal(kernel_symbols_stack(s->k, addresses, n * sizeof(*addresses), &out), 0);
	for (size_t i = 0; i < out.len; i++)
		out.data[i] = out.data[i] ?: '|';
	assert_string_equal(buf_cstr(&out), text);
}

static const char sample[] = "ffffffff81000000 T _text\n"
			     "ffffffff81000000 T _stext\n"
			     "ffffffff81000100 t do_sys_openat2\n"
			     "ffffffff81000200 W weak\n"
			     "ffffffff81000280 D some_data\n"
			     "ffffffff81000290 t $x\n"
			     "ffffffffc0000200 t second\t[ext4]\n"
			     "ffffffffc0000100 t first\t[ext4]\n";

static void names(void **state)
{
	static const uint64_t stack[] = {
		0xffffffff81000186,
		0xffffffff81000200,
		0xffffffff81000300,
		0xffffffff81000000,
		0xffffffffc0000110,
		0xffffffffc0000210,
		0x1234,
		0xffffffffffffffff,
		0xffffffff90000000,
		0,
		0xffffffff81000010,
	};
	struct setup s;

	begin(&s, sample);
	assert_false(kernel_symbols_hidden(s.k)); /* nobody has looked */
	/* The second and fourth are where calls return to: the call is the function before. */
	expect(&s, stack, array_size(stack),
	       "do_sys_openat2+0x86|do_sys_openat2+0x100|weak+0x100|0xffffffff81000000|"
	       "first+0x10 [ext4]|second+0x10 [ext4]|0x1234|0xffffffffffffffff|"
	       "0xffffffff90000000|_text+0x10|");
	/* The innermost is where the processor is. */
	expect(&s, &stack[1], 1, "weak+0x0|");
	expect(&s, &stack[3], 1, "_text+0x0|");
	assert_false(kernel_symbols_hidden(s.k));
	end(&s);
}

/* Frames of the program that took the stack are none of the stack's, but of one further out. */
static void own_frames(void **state)
{
	static const uint64_t stack[] = {
		0xffffffffc0000110, 0xffffffffc0000210, 0xffffffff81000210,
		0xffffffff81000310, 0xffffffff81000110, 0xffffffffc0000110,
	};
	struct setup s;

	begin(&s, "ffffffff81000100 t __schedule\n"
		  "ffffffff81000200 T bpf_trace_run4\n"
		  "ffffffff81000300 t __traceiter_sched_switch\n"
		  "ffffffffc0000100 t bpf_prog_50f55daa224f5685_stack\t[bpf]\n"
		  "ffffffffc0000200 t bpf_prog_756190960153f4d0_switched\t[bpf]\n");
	expect(&s, stack, array_size(stack),
	       "__schedule+0x10|bpf_prog_50f55daa224f5685_stack+0x10 [bpf]|");
	expect(&s, stack, 3, "");
	end(&s);
}

static void hidden(void **state)
{
	static const uint64_t address = 0xffffffff81000186;
	struct setup s;

	begin(&s, "0000000000000000 T _text\n0000000000000000 t do_sys_openat2\n");
	expect(&s, &address, 1, "0xffffffff81000186|");
	assert_true(kernel_symbols_hidden(s.k));
	end(&s);
	begin(&s, NULL);
	expect(&s, &address, 1, "0xffffffff81000186|");
	assert_true(kernel_symbols_hidden(s.k));
	end(&s);
}

/* Whatever stands there, of any length. */
static void odd_lines(void **state)
{
	static const uint64_t stack[] = {0xffffffff81000001, 0xffffffff81000101};
	_cleanup_(buf_done) struct buf text;
	struct setup s;

	buf_init(&text, 1 << 20);
	buf_str(&text, "\n\nx\nffffffff81000000\nffffffff81000000 T\nffffffff81000000 T \n"
		       "ffffffff810000000 T long\nFFFFFFFF81000000 T upper\n"
		       "ffffffff81000100 T ");
	for (int i = 0; i < 100000; i++)
		buf_char(&text, 'n');
	buf_str(&text, "\nffffffff81000000 T good\nffffffff81000100 T last_without_end");
	begin(&s, buf_cstr(&text));
	expect(&s, stack, 2, "good+0x1|good+0x101|");
	end(&s);
}

/* What does not fit is told; part of an address is none. */
static void bounds(void **state)
{
	uint64_t stack[32];
	_cleanup_(buf_done) struct buf out;
	struct setup s;

	for (size_t i = 0; i < array_size(stack); i++)
		stack[i] = 0xffffffff81000186;
	begin(&s, sample);
	buf_init(&out, 50);
	assert_int_equal(kernel_symbols_stack(s.k, stack, sizeof(stack), &out), 30);
	assert_int_equal(out.len, 2 * sizeof("do_sys_openat2+0x86"));
	buf_clear(&out);
	assert_int_equal(kernel_symbols_stack(s.k, stack, 7, &out), 0);
	assert_int_equal(out.len, 0);
	end(&s);
}

/* Each function of this kernel is found by its own address, as the first of that address. */
static void this_kernel(void **state)
{
	_cleanup_(closep) int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(buf_done) struct buf text, out;
	struct kernel_symbols *k = kernel_symbols_new(proc);
	size_t n = 0;
	char *rest;

	buf_init(&text, 64 << 20);
	buf_init(&out, MAX_STACK_BYTES);
	assert_int_equal(buf_read_file(&text, proc, "kallsyms"), 0);
	rest = text.data;
	for (char *line; (line = strsep(&rest, "\n"));) {
		uint64_t address = strtoull(line, NULL, 16);

		if (!address || strcmp(line + 17, "T vfs_read"))
			continue;
		assert_int_equal(kernel_symbols_stack(k, &address, sizeof(address), &out), 0);
		assert_string_equal(out.data, "vfs_read+0x0");
		n++;
	}
	assert_int_equal(n, 1); /* this test needs root */
	kernel_symbols_free(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),  cmocka_unit_test(own_frames),
		cmocka_unit_test(hidden), cmocka_unit_test(odd_lines),
		cmocka_unit_test(bounds), cmocka_unit_test(this_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
