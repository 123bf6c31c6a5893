/* SPDX-License-Identifier: Apache-2.0 */
/* The flight recorder's rings, as clients name them: by a container's id, or its name. */
#pragma once

#include "api/service.h"

/* -ENOENT: no such ring, or no recorder; -EINVAL: several live containers have the name. */
int ring_find(const struct api *api, const char *name, struct flight_ring **ret, struct err *err);

/* What it has now, as a record file in memory: its descriptor, at the start. */
int ring_as_file(const struct api *api, const char *name, struct err *err);
