/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Strings that a call names, taken when it begins and put into a record when it ends. So the
 * process cannot change them under us; what could not be read then (its page was not in memory) or
 * is long is read again at the end.
 *
 *   taken_take(&call->path, (const void *)ctx->args[1]);    at the enter, in a PENDING struct
 *   text_taken(mount, e, path, &call->path, 4096);          at the exit
 */
#pragma once

#include <gadget/gadget.bpf.h>

struct g_taken {
	__u64 pointer; /* in the process's memory */
	__s64 length;  /* of `text` with its NUL; -errno: was not readable */
	char text[256];
};

static __always_inline void taken_take(struct g_taken *t, const void *pointer)
{
	t->pointer = (__u64)pointer;
	t->length = bpf_probe_read_user_str(t->text, sizeof(t->text), pointer);
}

/* Nothing: a call that has no such string. */
static __always_inline void taken_none(struct g_taken *t)
{
	t->pointer = 0;
	t->length = 0;
}

#define text_taken(NAME, e, field, taken, cap)                                              \
	do {                                                                                \
		const struct g_taken *t_ = (taken);                                         \
		__s64 length_ = t_->length;                                                 \
		long again_ = 0;                                                            \
                                                                                            \
		if (t_->pointer && (length_ <= 0 || length_ == sizeof(t_->text)))           \
			again_ = text_user(NAME, e, field, (const void *)t_->pointer, cap); \
		if (again_ <= 0 && length_ > 0) {                                           \
			text_copy(NAME, e, field, t_->text, length_ - 1, sizeof(t_->text)); \
			if (length_ == sizeof(t_->text))                                    \
				(e)->field.length |= G_TRUNCATED;                           \
		}                                                                           \
	} while (0)
