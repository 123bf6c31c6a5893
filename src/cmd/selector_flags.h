/* SPDX-License-Identifier: Apache-2.0 */
/* The flags that say which containers are followed. */
#pragma once

#include "cmd/command.h"
#include "containers/selector.h"

extern const struct flag_table selector_flags;

int selector_flags_new(struct selector **ret, struct err *err);
const struct selector_options *selector_flags_options(void); /* valid as long as the process */

bool selector_flags_pods(void); /* were pods asked for? */

/* From now on it is a cluster's pods, and their nodes are shown; namespace_: where none was given.
 */
void selector_flags_of_cluster(const char *namespace_);

/*
 * Who asks for pods sees them: --fields with their columns added, as a new string, NULL for none at
 * all. Fields that are listed one by one are left as they are. output: the mode; NULL: the default.
 */
char *selector_flags_fields(const char *fields, const char *output);
