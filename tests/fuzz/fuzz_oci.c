// SPDX-License-Identifier: Apache-2.0
/* Runtimes' state files and config.json. The first byte chooses which. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"
#include "containers/oci.h"

typedef int parse_fn(const char *text, size_t len, struct oci_state *ret);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static parse_fn *const parsers[] = {oci_parse_runc, oci_parse_crun, oci_parse_config};
	const char *text = (const char *)data + 1;
	struct podman_container p = {0};
	struct docker_container docker = {0};
	struct libpod_container libpod = {0};
	struct oci_state s = {0};

	if (!size)
		return 0;
	for (size_t i = 0; i < array_size(parsers); i++)
		if (data[0] == '0' + (int)i && !parsers[i](text, size - 1, &s))
			oci_state_done(&s);
	if (data[0] == '8' && !oci_parse_hook(text, size - 1, &s))
		oci_state_done(&s);
	if (data[0] == '3' && !oci_parse_podman(text, size - 1, "bb", &p))
		podman_container_done(&p);
	if (data[0] == '5' && !oci_parse_docker(text, size - 1, &docker))
		docker_container_done(&docker);
	if (data[0] == '8') {
		free(oci_parse_docker_event(text, size - 1, &docker));
		docker_container_done(&docker);
	}
	if (data[0] == '6' && !oci_parse_libpod(text, size - 1, &libpod))
		libpod_container_done(&libpod);
	if (data[0] == '7') {
		struct labels labels = {0};

		free(oci_parse_libpod_pod(text, size - 1, &labels));
		oci_parse_labels(text, size - 1, &labels);
		labels_done(&labels);
	}
	if (data[0] == '4') {
		_cleanup_(freep) char *copy = xstrndup(text, size - 1);
		int64_t ns;

		parse_time(copy, &ns);
	}
	return 0;
}
