/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's flight recorder: `ig record` on the daemon's own collections. */
#pragma once

#include "cmd/command.h"
#include "manager/manager.h"
#include "recorder/recording.h"

extern const struct flag_table daemon_recorder_flags;

/*
 * After manager_start(). *ret NULL: none is asked for. dir: of dumps; NULL: no triggers. Errors as
 * those of recording_start().
 */
int daemon_recorder_start(struct manager *m, const char *dir, struct recording **ret,
			  struct err *err);
