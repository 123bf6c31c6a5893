/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A config file says what flags say: a YAML mapping from a flag's name to its value, a list where
 * the flag takes a comma list, true or false for a switch. The command line wins.
 */
#pragma once

#include "cmd/flags.h"

/*
 * Sets what the file says of the flags in f's tables. -ENOENT: no such file; -EINVAL: a key that is
 * no flag, or not a value of it; -EBADMSG: no such YAML; err names file and line.
 */
int config_read(struct flags *f, const char *path, struct err *err);

/* The value of --NAME on a command line, before it is parsed as a whole; NULL: it is not there. */
const char *config_option(int argc, char **argv, const char *name);
