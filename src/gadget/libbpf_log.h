/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libbpf says while it works, kept instead of printed, and made into one line.
 * libbpf has one print function per process: captures nest, and belong to one thread.
 */
#pragma once

#include <bpf/libbpf.h>

#include "base/buf.h"
#include "base/err.h"

struct libbpf_log {
	struct buf text; /* the last part, if it grew long */
	libbpf_print_fn_t before;
	struct libbpf_log *outer;
};

void libbpf_log_begin(struct libbpf_log *log);
void libbpf_log_end(struct libbpf_log *log); /* prints as before again; the text is released */

/*
 * The most telling line: what the verifier said last about the program, or libbpf's own first
 * complaint. Empty text where there is none. *ret_program: the program's name, or "".
 * *ret_verifier: it is the verifier's line.
 */
void libbpf_log_reason(struct libbpf_log *log, struct buf *ret, struct buf *ret_program,
		       bool *ret_verifier);
