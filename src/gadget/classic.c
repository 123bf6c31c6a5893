// SPDX-License-Identifier: Apache-2.0
#include "gadget/classic.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"

/* Registers: the function's arguments stay where they come. */
enum {
	A = BPF_REG_0, /* and the answer */
	FRAME = BPF_REG_1,
	HAVE = BPF_REG_2,
	LENGTH = BPF_REG_3,
	X = BPF_REG_4,
	PLACE = BPF_REG_5, /* where an indirect load reads */
	STACK = BPF_REG_10,
};

struct translation {
	const struct sock_filter *in;
	size_t n;
	uint32_t window;
	struct bpf_insn *out; /* NULL: only counted */
	size_t room, at;
	uint32_t *starts; /* of each instruction in `out`; [n]: of the rejection */
	bool *reached;	  /* the others are left out: the verifier wants none that is not */
	bool rejects;	  /* something jumps to the rejection */
	struct err *err;
};

static void put(struct translation *t, uint8_t code, uint8_t to, uint8_t from, int16_t jump,
		int32_t value)
{
	if (t->out && t->at < t->room)
		t->out[t->at] = (struct bpf_insn){.code = code,
						  .dst_reg = to & 15,
						  .src_reg = from & 15,
						  .off = jump,
						  .imm = value};
	t->at++;
}

/* A jump to where instruction `to` begins; t->n: to the rejection. */
static void put_jump(struct translation *t, uint8_t code, uint8_t a, uint8_t b, int32_t value,
		     size_t to)
{
	t->rejects |= to == t->n;
	put(t, code, a, b, (int16_t)(t->out ? t->starts[to] - (t->at + 1) : 0), value);
}

static void put_move(struct translation *t, uint8_t to, uint8_t from)
{
	put(t, BPF_ALU | BPF_MOV | BPF_X, to, from, 0, 0);
}

static void put_value(struct translation *t, uint8_t to, uint32_t value)
{
	put(t, BPF_ALU | BPF_MOV | BPF_K, to, 0, 0, (int32_t)value);
}

static int16_t memory(uint32_t k)
{
	return (int16_t)(4 * (int)k - 4 * BPF_MEMWORDS);
}

/* ---- loads and stores ----------------------------------------------------------------------- */

static uint32_t load_bytes(uint16_t code)
{
	switch (BPF_SIZE(code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	default:
		return 4;
	}
}

/* Packets are in network order. */
static void put_load(struct translation *t, uint16_t code, uint8_t to, uint8_t from, uint32_t at)
{
	uint32_t bytes = load_bytes(code);

	put(t, BPF_LDX | BPF_MEM | BPF_SIZE(code), to, from, (int16_t)at, 0);
	if (bytes > 1)
		put(t, BPF_ALU | BPF_END | BPF_TO_BE, to, 0, 0, (int32_t)bytes * 8);
}

static int load_absolute(struct translation *t, const struct sock_filter *i, uint8_t to)
{
	uint32_t bytes = load_bytes(i->code);

	if (i->k > INT32_MAX)
		return err_set(t->err, -EINVAL,
			       "this filter looks at what only a packet socket knows, not at the "
			       "packet's bytes");
	if (i->k > t->window - bytes)
		return err_set(t->err, -EINVAL,
			       "this filter looks at byte %u of a packet; it can see the first %u",
			       i->k, t->window);
	put_jump(t, BPF_JMP32 | BPF_JLT | BPF_K, HAVE, 0, (int32_t)(i->k + bytes), t->n);
	put_load(t, i->code, to, FRAME, i->k);
	return 0;
}

static void load_indirect(struct translation *t, const struct sock_filter *i)
{
	uint32_t bytes = load_bytes(i->code);

	put_move(t, PLACE, X);
	put(t, BPF_ALU | BPF_ADD | BPF_K, PLACE, 0, 0, (int32_t)i->k);
	put_jump(t, BPF_JMP | BPF_JGT | BPF_K, PLACE, 0, (int32_t)(t->window - bytes), t->n);
	put_move(t, A, PLACE);
	put(t, BPF_ALU | BPF_ADD | BPF_K, A, 0, 0, (int32_t)bytes);
	put_jump(t, BPF_JMP32 | BPF_JLT | BPF_X, HAVE, A, 0, t->n);
	put(t, BPF_ALU64 | BPF_ADD | BPF_X, PLACE, FRAME, 0, 0);
	put_load(t, i->code, A, PLACE, 0);
}

static int invalid(struct translation *t, size_t at)
{
	return err_set(t->err, -EINVAL, "instruction %zu of this filter is not valid", at);
}

static int load(struct translation *t, size_t at)
{
	const struct sock_filter *i = &t->in[at];
	uint8_t to = BPF_CLASS(i->code) == BPF_LD ? A : X;

	switch (i->code) {
	case BPF_LD | BPF_W | BPF_ABS:
	case BPF_LD | BPF_H | BPF_ABS:
	case BPF_LD | BPF_B | BPF_ABS:
		return load_absolute(t, i, A);
	case BPF_LD | BPF_W | BPF_IND:
	case BPF_LD | BPF_H | BPF_IND:
	case BPF_LD | BPF_B | BPF_IND:
		load_indirect(t, i);
		return 0;
	case BPF_LDX | BPF_B | BPF_MSH: { /* bytes of an IPv4 header */
		int r = load_absolute(t, i, X);

		put(t, BPF_ALU | BPF_AND | BPF_K, X, 0, 0, 15);
		put(t, BPF_ALU | BPF_LSH | BPF_K, X, 0, 0, 2);
		return r;
	}
	case BPF_LD | BPF_IMM:
	case BPF_LDX | BPF_IMM:
		put_value(t, to, i->k);
		return 0;
	case BPF_LD | BPF_W | BPF_LEN:
	case BPF_LDX | BPF_W | BPF_LEN:
		put_move(t, to, LENGTH);
		return 0;
	case BPF_LD | BPF_MEM:
	case BPF_LDX | BPF_MEM:
		if (i->k >= BPF_MEMWORDS)
			return invalid(t, at);
		put(t, BPF_LDX | BPF_MEM | BPF_W, to, STACK, memory(i->k), 0);
		return 0;
	default:
		return invalid(t, at);
	}
}

static int store(struct translation *t, size_t at)
{
	const struct sock_filter *i = &t->in[at];

	if ((i->code != BPF_ST && i->code != BPF_STX) || i->k >= BPF_MEMWORDS)
		return invalid(t, at);
	put(t, BPF_STX | BPF_MEM | BPF_W, STACK, i->code == BPF_ST ? A : X, memory(i->k), 0);
	return 0;
}

/* ---- arithmetic, jumps, the end ------------------------------------------------------------- */

static int compute(struct translation *t, size_t at)
{
	const struct sock_filter *i = &t->in[at];
	uint8_t op = BPF_OP(i->code);
	bool by_x = BPF_SRC(i->code) == BPF_X;

	if (op > BPF_XOR || (i->code & ~(0xf0 | BPF_X)) != BPF_ALU)
		return invalid(t, at);
	if (op == BPF_NEG) {
		if (by_x)
			return invalid(t, at);
		put(t, BPF_ALU | BPF_NEG, A, 0, 0, 0);
		return 0;
	}
	if (op == BPF_DIV || op == BPF_MOD) {
		if (!by_x && !i->k)
			return invalid(t, at);
		if (by_x)
			put_jump(t, BPF_JMP32 | BPF_JEQ | BPF_K, X, 0, 0, t->n);
	}
	if ((op == BPF_LSH || op == BPF_RSH) && !by_x && i->k >= 32)
		return invalid(t, at);
	put(t, (uint8_t)i->code, A, by_x ? X : 0, 0, by_x ? 0 : (int32_t)i->k);
	return 0;
}

static int jump(struct translation *t, size_t at)
{
	const struct sock_filter *i = &t->in[at];
	uint8_t op = BPF_OP(i->code);
	bool by_x = BPF_SRC(i->code) == BPF_X;

	if (i->code == (BPF_JMP | BPF_JA)) {
		put_jump(t, BPF_JMP | BPF_JA, 0, 0, 0, at + 1 + i->k);
		return 0;
	}
	if (op != BPF_JEQ && op != BPF_JGT && op != BPF_JGE && op != BPF_JSET)
		return invalid(t, at);
	put_jump(t, BPF_JMP32 | op | BPF_SRC(i->code), A, by_x ? X : 0, by_x ? 0 : (int32_t)i->k,
		 at + 1 + i->jt);
	if (i->jf)
		put_jump(t, BPF_JMP | BPF_JA, 0, 0, 0, at + 1 + i->jf);
	return 0;
}

static int end(struct translation *t, size_t at)
{
	const struct sock_filter *i = &t->in[at];

	if (i->code == (BPF_RET | BPF_K))
		put_value(t, A, i->k);
	else if (i->code != (BPF_RET | BPF_A))
		return invalid(t, at);
	put(t, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	return 0;
}

static int misc(struct translation *t, size_t at)
{
	switch (t->in[at].code) {
	case BPF_MISC | BPF_TAX:
		put_move(t, X, A);
		return 0;
	case BPF_MISC | BPF_TXA:
		put_move(t, A, X);
		return 0;
	default:
		return invalid(t, at);
	}
}

/* ---- the whole ------------------------------------------------------------------------------ */

static int (*const translators[])(struct translation *t, size_t at) = {
	[BPF_LD] = load,     [BPF_LDX] = load, [BPF_ST] = store, [BPF_STX] = store,
	[BPF_ALU] = compute, [BPF_JMP] = jump, [BPF_RET] = end,	 [BPF_MISC] = misc};

/* Which instructions can be reached; jumps lead forward and into the filter. */
static int find_reached(struct translation *t)
{
	t->reached[0] = true;
	for (size_t i = 0; i < t->n; i++) {
		const struct sock_filter *f = &t->in[i];
		bool jumps = BPF_CLASS(f->code) == BPF_JMP, always = f->code == (BPF_JMP | BPF_JA);
		size_t yes = always ? f->k : jumps ? f->jt : 0, no = always ? f->k : f->jf;

		if (!t->reached[i] || BPF_CLASS(f->code) == BPF_RET)
			continue;
		if (yes >= t->n - i - 1 || (jumps && no >= t->n - i - 1))
			return invalid(t, i);
		t->reached[i + 1 + yes] = true;
		if (jumps)
			t->reached[i + 1 + no] = true;
	}
	return 0;
}

/* What the machine begins with: nothing. */
static void begin(struct translation *t)
{
	put_move(t, HAVE, HAVE); /* 32 bits of them count */
	put_move(t, LENGTH, LENGTH);
	put_value(t, A, 0);
	put_value(t, X, 0);
	for (uint32_t word = 0; word < BPF_MEMWORDS; word++)
		for (size_t i = 0; i < t->n; i++) {
			uint16_t code = t->in[i].code;

			if ((code == (BPF_LD | BPF_MEM) || code == (BPF_LDX | BPF_MEM)) &&
			    t->in[i].k == word) {
				put(t, BPF_ST | BPF_MEM | BPF_W, STACK, 0, memory(word), 0);
				break;
			}
		}
}

static int translate(struct translation *t)
{
	int r = 0;

	t->at = 0;
	begin(t);
	for (size_t i = 0; !r && i < t->n; i++) {
		t->starts[i] = (uint32_t)t->at;
		if (t->reached[i])
			r = translators[BPF_CLASS(t->in[i].code)](t, i);
	}
	t->starts[t->n] = (uint32_t)t->at;
	if (t->rejects) {
		put_value(t, A, 0);
		put(t, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	}
	return r;
}

int classic_translate(const struct sock_filter *filter, size_t n, uint32_t window,
		      struct bpf_insn *out, size_t room, size_t *ret_n, struct err *err)
{
	_cleanup_(freep) uint32_t *starts = NULL;
	_cleanup_(freep) bool *reached = NULL;
	struct translation t = {.in = filter, .n = n, .window = window, .room = room, .err = err};
	int r;

	if (!n || n > BPF_MAXINSNS || BPF_CLASS(filter[n - 1].code) != BPF_RET)
		return err_set(err, -EINVAL, "a filter has 1 to %d instructions, and an end",
			       BPF_MAXINSNS);
	t.starts = starts = xnew_n(uint32_t, n + 1);
	t.reached = reached = xnew_n(bool, n);
	r = find_reached(&t);
	if (!r)
		r = translate(&t); /* for where each begins */
	if (r)
		return r;
	if (t.at > room || t.at > INT16_MAX)
		return err_set(err, -E2BIG, "this filter is too long: %zu instructions of %zu",
			       t.at, room);
	t.out = out;
	translate(&t);
	*ret_n = t.at;
	return 0;
}
