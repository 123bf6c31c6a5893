/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * Texts that calls are given, copied when the call begins, so that the process cannot change them
 * under us. What does not work then (its page was not in memory), or is longer than the copy, is
 * read from the process again when the call ends.
 *
 *   user_text_take(&call->key, pointer);             at the enter
 *   text_user_taken(mount, e, key, &call->key, 4096);     at the exit
 */
#pragma once

#include <gadget/gadget.bpf.h>

#define USER_TEXT_COPY 256

struct user_text {
	__u64 pointer; /* into the process's memory; 0: `text` is all there is */
	__s64 length;  /* of `text` with its NUL; -errno: was not readable at the enter */
	char text[USER_TEXT_COPY];
};

/* As the helper, but that an empty text has the length 1, with its NUL, before Linux 6.0 as well.
 */
#define user_text_read(to, size, pointer)                                                  \
	({                                                                                 \
		long length_ = bpf_probe_read_user_str(to, size, (const void *)(pointer)); \
                                                                                           \
		length_ ?: 1;                                                              \
	})

static __always_inline void user_text_take(struct user_text *t, const void *pointer)
{
	t->pointer = (__u64)pointer;
	t->length = user_text_read(t->text, sizeof(t->text), pointer);
}

static __always_inline void user_text_none(struct user_text *t)
{
	t->pointer = 0;
	t->length = 0;
}

/*
 * At the exit, where `text` itself is to be used: what was not readable, because its page was not
 * in memory, is so when the kernel has read it.
 */
static __always_inline void user_text_look_again(struct user_text *t)
{
	if (t->pointer && t->length <= 0)
		user_text_take(t, (const void *)t->pointer);
}

/* Is `text` all of it? */
static __always_inline bool user_text_whole(const struct user_text *t)
{
	return t->length > 0 && t->length < USER_TEXT_COPY;
}

#define text_user_taken(NAME, e, field, t, cap)                                                 \
	do {                                                                                    \
		const struct user_text *t_ = (t);                                               \
		__s64 length_ = t_->length;                                                     \
		long got_again_ = 0;                                                            \
                                                                                                \
		if (t_->pointer && !user_text_whole(t_))                                        \
			got_again_ = text_user(NAME, e, field, (const void *)t_->pointer, cap); \
		if (got_again_ <= 0 && length_ > 0) {                                           \
			text_copy(NAME, e, field, t_->text, length_ - 1, USER_TEXT_COPY);       \
			if (length_ == USER_TEXT_COPY)                                          \
				(e)->field.length |= G_TRUNCATED;                               \
		}                                                                               \
	} while (0)
