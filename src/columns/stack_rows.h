/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `-o folded`, `flamegraph` and `pprof` have in common: which fields of a row tell its stacks,
 * and what a frame's text (symbols/symbols.h, symbols/kernel.h) says.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "columns/schema.h"

/* NULL: the rows have no such field. */
struct stack_fields {
	const struct field *comm, *pid, *user, *kernel, *files;
	const struct field *container, *k8s_container, *pod, *namespace, *node;
};

/* False: rows of this schema have no stacks. */
bool stack_fields_find(const struct schema *s, struct stack_fields *ret);

bool stack_is_number(const struct field *f); /* of the record itself, which can be added up */

/* Bytes of the row's, or of this program's; not NUL-terminated. */
struct stack_text {
	const char *s;
	size_t len;
};

/* A text of a row; NULL f, or none there: empty. */
struct stack_text stack_field_text(const struct row *row, const struct field *f);

/*
 * "main+0x12 (/bin/app)" is function main, file /bin/app; "ext4_open+0x6 [ext4]" function
 * ext4_open, file "ext4"; "/bin/app+0x123" and "build-id:01…+0x123" that file and place; "0x7f00" a
 * place only. What is none of these ("[no stack: …]") is a function.
 */
struct stack_frame {
	struct stack_text function, file; /* len 0: not known */
	uint64_t place;			  /* bytes from the file's start, or an address */
	bool kernel;
	bool cut; /* no frame: outer ones are missing here */
};

typedef void stack_frame_fn(void *ctx, const struct stack_frame *f);

/* The frames of a row: the user's, outermost first, then the kernel's. */
void stack_each_frame(const struct stack_fields *fields, const struct row *row, stack_frame_fn *fn,
		      void *ctx);
