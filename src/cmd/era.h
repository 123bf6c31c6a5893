/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands as kubectl-gadget had them before it had `run`: gadgets by name (`execsnoop`, `trace
 * exec`, `top block-io`), with the flags of then; and those that are others now, or of which there
 * is nothing left but a word what to do instead.
 */
#pragma once

#include <stdbool.h>

/* Do these words, argv[0] being the first, name such another command? */
bool era_knows(int argc, char **argv);
/* A gadget, or a category of them, which is none yet? */
bool era_gadget(int argc, char **argv);
int era_run(int argc, char **argv); /* what they name; the exit code */
