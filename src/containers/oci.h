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
	/* Of a bundle's config.json; the maps as in /proc/PID/uid_map. */
	char *hostname, *rootfs, *uid_map, *gid_map;
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
		     struct oci_state *ret); /* a bundle's config.json */

/* What a hook is given: id, bundle, annotations, and the pid where there is a process. */
int oci_parse_hook(const char *text, size_t len, struct oci_state *ret);

/* A JSON object of texts; what is not text is left out. */
int oci_parse_labels(const char *text, size_t len, struct labels *ret);

/*
 * What Docker keeps of a container, in containers/ID/config.v2.json and in its API's answer to
 * /containers/ID/json.
 */
struct docker_container {
	char *name, *image, *image_id, *ip;
	struct labels labels;
};
void docker_container_done(struct docker_container *d);
int oci_parse_docker(const char *text, size_t len, struct docker_container *ret);

/*
 * What its API's answer to /events tells of a container, a line each: its id, as a new string, and
 * the rest, where its labels stand beside name and image, and none has such a key. NULL: it is not
 * of a container.
 */
char *oci_parse_docker_event(const char *text, size_t len, struct docker_container *ret);

/* The same of libpod's API: /containers/ID/json, with the id of its pod. */
struct libpod_container {
	char *name, *image, *image_id, *pod_id;
	struct labels labels;
};
void libpod_container_done(struct libpod_container *p);
int oci_parse_libpod(const char *text, size_t len, struct libpod_container *ret);

/* A pod's name from libpod's /pods/ID/json, as a new string; NULL: it is not told. */
char *oci_parse_libpod_pod(const char *text, size_t len, struct labels *ret_labels);

struct podman_container {
	char *name, *image, *image_id;
};
void podman_container_done(struct podman_container *p);

/*
 * One container in overlay-containers/containers.json of containers/storage, which writes each with
 * its id first; the others are not looked at. -ENOENT: not there.
 */
int oci_parse_podman(const char *text, size_t len, const char *id, struct podman_container *ret);
