/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments as text, as strace(1) shows them. A kind (kinds.def) is a function from what was
 * recorded of an argument to its text.
 */
#pragma once

#include "traceloop/syscalls.h"

struct buf;

/* One argument of a call, as far as it is known. */
struct value {
	const struct syscall *call;
	unsigned int index;	  /* which one */
	uint64_t args[LOOP_ARGS]; /* all of the call's; 0 where they are not known */
	const void *bytes;	  /* what it points to; NULL: not known */
	uint32_t size, whole;	  /* bytes that are there, and that there were */
	bool cut;		  /* more than `size` */
	bool failed;		  /* the call did */
	bool returned;		  /* false: it is not over, so nothing is known of what it gives */
	int64_t ret;
};

typedef void value_fn(const struct value *v, struct buf *out);

void value_put(const struct value *v, struct buf *out);

/* It is a text or buffer that is there: v->bytes says more than its quoted text. */
bool value_is_bytes(const struct value *v);

/* ---- what the files of values share ------------------------------------------------- */

static inline uint64_t value_raw(const struct value *v)
{
	return v->args[v->index];
}

void put_hex(struct buf *out, uint64_t value);
void put_quoted(struct buf *out, const void *bytes, uint32_t size, bool cut);
void put_pointer(struct buf *out, uint64_t value); /* NULL for 0 */
void put_signal(struct buf *out, uint64_t value);
void put_open_flags(struct buf *out, uint64_t value);
void put_mode(struct buf *out, uint64_t value);
