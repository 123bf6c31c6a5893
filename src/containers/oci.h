/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What runtimes keep on disk about their containers, as JSON. The files may be written by whoever
 * runs containers, so nothing in them is believed before it was checked: sizes and nesting are
 * bounded, and whoever uses a state compares its pid and start time with the process.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "containers/container.h"

/* Plain data; oci_state_done() releases the texts. NULL or 0: not told. */
struct oci_state {
	char *id, *bundle;
	uint32_t pid;
	uint64_t start_ticks; /* of the process, as in /proc/PID/stat */
	char **cgroups; /* paths of its cgroups; may begin with the place where they are mounted */
	size_t n_cgroups, room_cgroups;
	uint64_t created_real_ns;
	struct labels annotations;
};
void oci_state_done(struct oci_state *s);

/* All return -EINVAL where the text is not what it should be; *ret is then untouched. */
int oci_parse_runc(const char *text, size_t len,
		   struct oci_state *ret); /* STATE_ROOT/ID/state.json */
int oci_parse_crun(const char *text, size_t len, struct oci_state *ret); /* STATE_ROOT/ID/status */
int oci_parse_config(const char *text, size_t len,
		     struct oci_state *ret); /* a bundle's config.json: annotations */

struct podman_container {
	char *name, *image, *image_id;
};
void podman_container_done(struct podman_container *p);

/* One container in overlay-containers/containers.json of containers/storage. -ENOENT: not there. */
int oci_parse_podman(const char *text, size_t len, const char *id, struct podman_container *ret);
