/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers that have names in system calls: flags.def has them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

struct flag_name {
	uint64_t value;
	const char *name;
};

struct flag_set {
	const struct flag_name *names; /* those of several bits before the ones they contain */
	size_t n;
	const char *zero; /* what 0 is called; NULL: "0" */
	uint64_t field;	  /* these bits are one number; of a mere enum all are */
};

enum flag_set_id {
#define SET(name, zero, field, names) FLAGS_##name,
#define F(value)
#define N(value, name)
#include "traceloop/flags.def"
#undef SET
#undef F
#undef N
};

/* "PROT_READ|PROT_WRITE", unknown bits as 0x…; of numbers without a name the number. */
void flags_text(enum flag_set_id set, uint64_t value, struct buf *out);
const char *flags_name(enum flag_set_id set, uint64_t value); /* of one; NULL: it has none */
