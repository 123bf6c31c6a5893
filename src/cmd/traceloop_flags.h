/* SPDX-License-Identifier: Apache-2.0 */
/* traceloop in the daemon: its flags, and what they ask for. */
#pragma once

#include "cmd/command.h"

struct manager;
struct traceloop_service;

#define TRACELOOP_SOCKET "/run/traceloop.socket" /* unless told otherwise */

extern const struct flag_table traceloop_flags;

/* *ret NULL: nobody asked for it. After manager_new(); freed before manager_free(). */
int traceloop_flags_start(struct manager *m, struct traceloop_service **ret, struct err *err);
