/* SPDX-License-Identifier: Apache-2.0 */
/* Telling the service manager what a daemon does: sd_notify(3), without its library. */
#pragma once

/* "READY=1", "STOPPING=1" …; nothing where $NOTIFY_SOCKET is not set. */
void notify_manager(const char *state);
