/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A config file says what flags say: a YAML mapping from a flag's name to its value, a list where
 * the flag takes a comma list, true or false for a switch. The command line wins.
 */
#pragma once

#include "cmd/flags.h"

/* The texts of a file, which flags point to; zeroed at first. */
struct config {
	char **texts;
	size_t n, room;
};
void config_done(struct config *c);

/*
 * Sets what the file says of the flags in f's tables; *keep must outlive them. -ENOENT: no such
 * file; -EINVAL: a key that is no flag, or not a value of it; -EBADMSG: no such YAML; err names
 * file and line.
 */
int config_read(struct flags *f, const char *path, struct config *keep, struct err *err);
