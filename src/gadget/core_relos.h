/* SPDX-License-Identifier: Apache-2.0 */
/* CO-RE relocations of an object: which instruction looks at which field of which kernel type. */
#pragma once

#include <linux/bpf.h>

#include "gadget/object.h"

/* relo->insn_off counts bytes from the section's start; a type_id is within the object's types. */
typedef void core_relo_fn(void *ctx, const char *section, const struct bpf_core_relo *relo);

/* Calls fn for each in the file's order. -EINVAL: malformed; fn may have been called before. */
int core_relos_each(const struct object *o, core_relo_fn *fn, void *ctx);
