/* SPDX-License-Identifier: Apache-2.0 */
/* The command `ig traceloop`, which `ig run traceloop` is as well. */
#pragma once

#define TRACELOOP_SUMMARY "Record the last system calls of containers, and show them at the end"

int traceloop_main(int argc, char **argv); /* argv[0] is its name */
