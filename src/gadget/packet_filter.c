// SPDX-License-Identifier: Apache-2.0
#include "gadget/packet_filter.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <gadget/filter_room.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "gadget/classic.h"
#include "gadget/internal.h"
#include "gadget/object.h"
#include "gadget/pcap_compile.h"
#include "gadget/sandbox.h"

enum { WHY_BYTES = 256, PREFACE = 2 /* instructions */ };

/* ---- the expression, in a child ------------------------------------------------------------- */

static bool compile(void *ctx, int report_fd)
{
	static struct sock_filter program[BPF_MAXINSNS];
	char why[WHY_BYTES] = "";
	int n = pcap_expression(ctx, program, BPF_MAXINSNS, why, sizeof(why));
	const char *bytes = (const char *)program;
	size_t left = n > 0 ? (size_t)n * sizeof(*program) : 0;

	if (n < 0) {
		const char *text = n == -E2BIG ? "it is too long" : why;

		(void)!write(report_fd, text, strlen(text));
		return false;
	}
	while (left) {
		ssize_t written = write(report_fd, bytes, left);

		if (written < 0)
			return false;
		bytes += written;
		left -= (size_t)written;
	}
	return true;
}

/* Into `ret`, as struct sock_filter. */
static int compile_apart(const char *expression, struct buf *ret, struct err *err)
{
	int r = sandbox_run("libpcap cannot read this filter", compile, (void *)expression, ret,
			    err);

	if (r == -EBADMSG)
		return err_set(err, -EINVAL, "the filter '%s': %s", expression,
			       ret->len ? buf_cstr(ret) : "libpcap gives no reason");
	return r;
}

/* ---- its translation ------------------------------------------------------------------------ */

static const struct bpf_insn no = {.code = BPF_ALU64 | BPF_MOV | BPF_K};
static const struct bpf_insn yes = {.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 1};
static const struct bpf_insn leave = {.code = BPF_JMP | BPF_EXIT};

/* Dead code, which the kernel removes, has to look as if it could be reached. */
static void write_rest(struct bpf_insn *code, size_t n, size_t used)
{
	code[0] = no;
	code[1] = (struct bpf_insn){.code = BPF_JMP | BPF_JNE | BPF_K,
				    .off = (int16_t)(used - PREFACE)};
	for (size_t i = used; i < n; i++)
		code[i] = no;
	code[n - 1] = leave;
}

int packet_filter_write(const char *expression, struct bpf_insn *code, size_t n, struct err *err)
{
	_cleanup_(buf_done) struct buf program;
	size_t used = 2;
	int r = 0;

	if (n < PREFACE + 4 || n > INT16_MAX)
		return err_set(err, -EBADMSG, "no room for a filter");
	buf_init(&program, BPF_MAXINSNS * sizeof(struct sock_filter));
	if (*expression) {
		r = compile_apart(expression, &program, err);
		if (!r)
			r = classic_translate((const struct sock_filter *)program.data,
					      program.len / sizeof(struct sock_filter),
					      PACKET_FILTER_BYTES, code + PREFACE, n - PREFACE - 2,
					      &used, err);
	} else {
		code[PREFACE] = yes;
		code[PREFACE + 1] = leave;
	}
	if (!r)
		write_rest(code, n, PREFACE + used);
	return r;
}

/* ---- a gadget's ----------------------------------------------------------------------------- */

static int write_into(const struct gadget *g, const struct param *p, unsigned char *elf,
		      struct err *err)
{
	_cleanup_(object_close) struct object o = {};
	const struct elf_section *text;
	struct elf_symbol function;
	int r = object_open(g->elf, g->elf_size, &o, err);

	if (r < 0)
		return r;
	text = elf_section(&o.elf, ".text");
	if (!text || !text->data || !elf_find_symbol(&o.elf, text, p->filter, &function) ||
	    function.value % sizeof(struct bpf_insn))
		return err_set(err, -EBADMSG, "%s: no function %s for a filter", g->name,
			       p->filter);
	return packet_filter_write(
		(const char *)(p->value ?: p->initial),
		(struct bpf_insn *)(elf + (text->data - g->elf) + function.value),
		function.size / sizeof(struct bpf_insn), err);
}

int packet_filter_apply(const struct gadget *g, unsigned char **ret, struct err *err)
{
	_cleanup_(freep) unsigned char *elf = NULL;

	for (size_t i = 0; i < g->n_params; i++) {
		int r;

		if (!g->params[i].filter)
			continue;
		if (!elf)
			elf = memcpy(xcalloc(1, g->elf_size), g->elf, g->elf_size);
		r = write_into(g, &g->params[i], elf, err);
		if (r)
			return r;
	}
	*ret = take(elf);
	return 0;
}
