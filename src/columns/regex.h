/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions of filters, as Perl writes them (PCRE2), on bytes. They come from whoever may
 * write a filter, and the texts from containers: what compiling and looking may take is bounded.
 */
#pragma once

#include <stddef.h>

struct err;
struct regex;

/* Returns 0 or -EINVAL with the fault in err. */
int regex_compile(const char *pattern, struct regex **ret, struct err *err);

/* 1 where the text has it anywhere, 0 where not, -E2BIG where to find out would take too long. */
int regex_look(struct regex *r, const char *text, size_t len);

/* NULL is allowed. Returns NULL. */
struct regex *regex_free(struct regex *r);
