/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a -errno means to those outside: one table for exit codes (and for gRPC and HTTP status
 * once those are served). The codes are documented in ig(8).
 */
#pragma once

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,      /* anything that has no code of its own */
	EXIT_USAGE = 2,	      /* command line: unknown flag, field, gadget, value */
	EXIT_NOT_ALLOWED = 3, /* not root, or the kernel refuses */
	EXIT_UNSUPPORTED = 4, /* no BTF, no such hook on this kernel */
	EXIT_BAD_INPUT = 5,   /* a gadget's object or a record file is broken */
};

int status_exit_code(int err); /* from 0 or a -errno */

struct exit_code_doc {
	int code;
	const char *meaning;
};
extern const struct exit_code_doc exit_code_docs[]; /* ends with a NULL meaning; for the man page */
