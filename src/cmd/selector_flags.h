/* SPDX-License-Identifier: Apache-2.0 */
/* The flags that say which containers are followed. */
#pragma once

#include "cmd/command.h"
#include "containers/selector.h"

extern const struct flag_table selector_flags;

int selector_flags_new(struct selector **ret, struct err *err);
