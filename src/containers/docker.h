/* SPDX-License-Identifier: Apache-2.0 */
/* Docker's events, for a struct daemon_kind; see listener.h. */
#pragma once

#include "containers/listener.h"

void docker_listen(struct daemon *d);
void docker_deaf(struct daemon *d); /* no more */

/* A line of them. */
void docker_hear(struct listener *l, const char *line, size_t len);
