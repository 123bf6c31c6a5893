/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An error that a person will read: a negative errno and one line of text. It lives on the
 * caller's stack, allocates nothing and needs no release. Functions that take a `struct err *`
 * accept NULL from callers that only look at the return value.
 */
#pragma once

#include <errno.h>
#include <stdarg.h>

struct err {
	int code;	/* the -errno that the function returned */
	char text[500]; /* one line, without a final dot or newline; cut if longer */
};

/* Sets *err and returns code, so that `return err_set(err, -ENOENT, "no gadget '%s'", name);` reads well. */
__attribute__((format(printf, 3, 4))) int err_set(struct err *err, int code, const char *fmt, ...);

/*
 * Puts "text: " in front of what *err says already (or of strerror(-code) if it says nothing yet)
 * and returns code.
 */
__attribute__((format(printf, 3, 4))) int err_wrap(struct err *err, int code, const char *fmt, ...);
