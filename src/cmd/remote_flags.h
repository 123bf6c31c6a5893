/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which daemon a command is about: --remote, which every command knows and which may stand before
 * its name, or $IG_REMOTE. Without either, commands that can do without a daemon do.
 */
#pragma once

#include <stdbool.h>

#include "client/remote.h"
#include "cmd/command.h"

extern const struct flag_table remote_flags;

/* Before the command line is parsed, since words of it may ask the daemon. */
void remote_flags_look(const struct command *c, int argc, char **argv);

bool remote_flags_given(void);
bool remote_flags_on_command_line(void);	  /* not by $IG_REMOTE */
bool remote_flags_apply(const struct command *c); /* has it these flags? */

/* Of that daemon, or of this node's where none was given. */
const char *remote_flags_address(void);

/* Connects to that daemon, or to this node's where none was given. */
int remote_flags_open(struct remote **ret, struct err *err);
