/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * One line of text put together by a program from literals, texts, numbers and names of flags: a
 * call as people write it.
 *
 *   static const struct line_name names[] = {{AT_FLAGS, AT_REMOVEDIR, "AT_REMOVEDIR"}, …};
 *   LINE_NAMES(names);                        once, where numbers have names
 *
 *   struct g_line *l = line_begin();
 *   line_put(l, "unlinkat(");
 *   line_string(l, &call->name);              "name"
 *   line_put(l, ", ");
 *   line_flags(l, AT_FLAGS, call->flags);     AT_REMOVEDIR|0x10
 *   text_line(unlink, e, call, l);
 *
 * Of a longer line than LINE_MAX the rest is left out, and the text marked as cut. Strings are what
 * the call's enter has copied of them.
 */
#pragma once

#include <gadget/user_text.bpf.h>

#define LINE_MAX 2048
#define LINE_PIECE USER_TEXT_COPY /* the most that is put at once */

struct g_line {
	__u64 used;
	__u64 rest; /* of a number whose names are being put: what none stood for yet */
	__u32 named;
	bool whole; /* names of whole numbers, not of their bits */
	char text[LINE_MAX + LINE_PIECE];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct g_line);
} g_lines SEC(".maps");

static __always_inline struct g_line *g_line(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&g_lines, &zero);
}

/* Of this CPU; empty. NULL never happens but must be tested. */
static __always_inline struct g_line *line_begin(void)
{
	struct g_line *l = g_line();

	if (l)
		l->used = 0;
	return l;
}

/* A literal. */
#define line_put(l, literal)                                                             \
	do {                                                                             \
		__u64 at_ = (l)->used;                                                   \
                                                                                         \
		_Static_assert(sizeof(literal) <= LINE_PIECE, "too long a literal");     \
		barrier_var(at_);                                                        \
		if (at_ < LINE_MAX) {                                                    \
			__builtin_memcpy((l)->text + at_, literal, sizeof(literal) - 1); \
			(l)->used = at_ + sizeof(literal) - 1;                           \
		}                                                                        \
	} while (0)

static __always_inline void line_char(struct g_line *l, char c)
{
	__u64 at = l->used;

	barrier_var(at);
	if (at >= LINE_MAX)
		return;
	l->text[at] = c;
	l->used = at + 1;
}

/* A text without quotes. */
static __always_inline void line_text(struct g_line *l, const struct user_text *t)
{
	__u64 at = l->used;
	long got;

	barrier_var(at);
	if (t->length <= 0 || at >= LINE_MAX)
		return;
	got = bpf_probe_read_kernel_str(l->text + at, USER_TEXT_COPY, t->text);
	if (got > 0)
		l->used = at + got - 1;
}

/* "text"; NULL; ? for what was not readable; "text"... where it is longer. */
static __noinline int line_string(struct g_line *l, const struct user_text *t)
{
	if (!t->pointer) {
		line_put(l, "NULL");
		return 0;
	}
	if (t->length <= 0) {
		line_put(l, "?");
		return 0;
	}
	line_put(l, "\"");
	line_text(l, t);
	line_put(l, "\"");
	if (t->length == USER_TEXT_COPY)
		line_put(l, "...");
	return 0;
}

/* The line as text of record `e` of source NAME; `from`: its rest from there on. */
#define text_line_from(NAME, e, field, l, from)                                                 \
	do {                                                                                    \
		__u64 from_ = (from), bytes_ = (l)->used - from_;                               \
                                                                                                \
		barrier_var(from_);                                                             \
		if (from_ <= LINE_MAX)                                                          \
			text_kernel_bytes(NAME, e, field, (l)->text + from_, bytes_, LINE_MAX); \
	} while (0)
#define text_line(NAME, e, field, l) text_line_from(NAME, e, field, l, 0)

/* ---- numbers --------------------------------------------------------------------------------- */

/* Global functions, as all that loops here: they are verified once, and not for each call. */
__noinline int line_number(__s32 value)
{
	struct g_line *l = g_line();
	__u32 rest = value < 0 ? -value : value, unit = 1000000000;
	bool begun = false;

	if (!l)
		return 0;
	if (value < 0)
		line_char(l, '-');
	for (int i = 0; i < 10; i++, unit /= 10) { /* counted: verifiers do not divide */
		begun |= rest >= unit || unit == 1;
		if (begun)
			line_char(l, '0' + rest / unit % 10);
	}
	return 0;
}

__noinline int line_hex(__u64 value)
{
	struct g_line *l = g_line();
	bool begun = false;

	if (!l)
		return 0;
	line_put(l, "0x");
	for (int shift = 60; shift >= 0; shift -= 4) {
		__u32 digit = value >> shift & 15;

		begun |= digit || !shift;
		if (begun)
			line_char(l, digit < 10 ? '0' + digit : 'a' + digit - 10);
	}
	return 0;
}

/* A folder's descriptor. */
static __always_inline void line_dirfd(struct g_line *l, __s32 fd)
{
	if (fd == AT_FDCWD)
		line_put(l, "AT_FDCWD");
	else
		line_number(fd);
}

/* ---- names ----------------------------------------------------------------------------------- */

#define LINE_NAME_MAX 32

struct line_name {
	__u32 set; /* which kind of number has the name */
	__u32 value;
	char name[LINE_NAME_MAX];
};

static __always_inline void line_put_name(struct g_line *l, const struct line_name *n)
{
	__u64 at = l->used;
	long got;

	barrier_var(at);
	if (at >= LINE_MAX)
		return;
	got = bpf_probe_read_kernel_str(l->text + at, LINE_NAME_MAX, n->name);
	if (got > 0)
		l->used = at + got - 1;
}

/*
 * Once, with the gadget's table of names:
 * line_flags(l, set, value)    names of its bits, by "|", and what has no name as a number; 0
 * line_word(set, value)        its name, or the number
 */
#define LINE_NAMES(names)                                                                \
	enum { line_n_names = sizeof(names) / sizeof(*(names)) };                        \
	__noinline int line_name_row(__u32 row, __u32 set)                               \
	{                                                                                \
		struct g_line *l = g_line();                                             \
		const struct line_name *n;                                               \
		__u64 i = row;                                                           \
                                                                                         \
		barrier_var(i);                                                          \
		if (!l || i >= line_n_names)                                             \
			return 0;                                                        \
		n = &(names)[i];                                                         \
		if (n->set != set || (l->rest & n->value) != n->value)                   \
			return 0;                                                        \
		if (l->whole && (l->named || l->rest != n->value))                       \
			return 0;                                                        \
		if (l->named++)                                                          \
			line_char(l, '|');                                               \
		line_put_name(l, n);                                                     \
		l->rest &= ~(__u64)n->value;                                             \
		return 0;                                                                \
	}                                                                                \
	__noinline int line_names(__u32 set, __u64 value, bool whole)                    \
	{                                                                                \
		struct g_line *l = g_line();                                             \
                                                                                         \
		if (!l)                                                                  \
			return 0;                                                        \
		l->rest = value;                                                         \
		l->whole = whole;                                                        \
		l->named = 0;                                                            \
		for (__u32 i = 0; i < line_n_names; i++)                                 \
			line_name_row(i, set);                                           \
		return l->named;                                                         \
	}                                                                                \
	static __always_inline void line_flags(struct g_line *l, __u32 set, __u64 value) \
	{                                                                                \
		if (!value)                                                              \
			line_char(l, '0');                                               \
		else if (line_names(set, value, false) && l->rest)                       \
			line_char(l, '|');                                               \
		if (value && l->rest)                                                    \
			line_hex(l->rest);                                               \
	}                                                                                \
	static __always_inline void line_word(__u32 set, __u32 value)                    \
	{                                                                                \
		if (!line_names(set, value, true))                                       \
			line_number(value);                                              \
	}
