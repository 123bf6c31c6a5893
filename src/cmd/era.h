/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gadgets as commands, as kubectl-gadget had them before it had `run`: `execsnoop`, `trace exec`,
 * `top block-io`.
 */
#pragma once

#include <stdbool.h>

/* Do these words, argv[0] being the first, name a gadget so? */
bool era_gadget(int argc, char **argv);
int era_run(int argc, char **argv); /* as `run` with it; the exit code */
