/* SPDX-License-Identifier: Apache-2.0 */
/* What a daemon is asked for, as messages. */
#pragma once

#include "client/remote_run.h"

#define API_VERSION 1

const char *request_method(const struct remote_request *request);

/* The call's first message, appended; and the one that asks for its end. */
void request_pack(const struct remote_request *request, struct buf *out);
void request_pack_stop(struct buf *out);
