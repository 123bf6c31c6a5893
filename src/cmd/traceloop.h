/* SPDX-License-Identifier: Apache-2.0 */
/* The command `ig traceloop`, which `ig run traceloop` is as well. */
#pragma once

int traceloop_main(int argc, char **argv); /* argv[0] is its name */

/* The same of a daemon's rings, where its first word is no flag. */
int traceloop_rings_main(int argc, char **argv);
void traceloop_complete(int argc, char **argv);
