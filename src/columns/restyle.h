/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other dresses of the objects that json.c writes: indented JSON and YAML. They read our own
 * compact JSON, not JSON from outside.
 */
#pragma once

#include "base/buf.h"

/* Two spaces a level; ends with a newline. */
void json_indent(const char *json, size_t len, struct buf *out);

/* One document, "---\n…". */
void json_to_yaml(const char *json, size_t len, struct buf *out);
