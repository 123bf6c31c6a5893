// SPDX-License-Identifier: Apache-2.0
/* A file of network policies, read and compared with a subject that does a little of everything. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"

#include "../../gadgets/advise_networkpolicy/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct policy_set *set)
{
	struct peer pods = {
		.key = (char *)"p", .kind = PEER_PODS, .pods.namespace = (char *)"data"};
	struct peer block = {.key = (char *)"a",
			     .kind = PEER_BLOCK,
			     .address = {[10] = 0xff, 0xff, 10, 1, 0, 4}};
	struct peer host = {.key = (char *)"h", .kind = PEER_HOST};
	struct policy_edge edges[] = {
		{.peer = &pods, .port = 5432, .proto = PROTO_TCP, .egress = true},
		{.peer = &block, .port = 53, .proto = PROTO_UDP, .egress = true},
		{.peer = &block, .port = 8080, .proto = PROTO_TCP},
		{.peer = &block, .proto = PROTO_ICMPV6, .egress = true},
		{.peer = &host, .port = 8080, .proto = PROTO_TCP},
	};
	struct subject s = {.name = (char *)"web", .edges = edges, .n = array_size(edges)};
	struct subject *subjects[] = {&s};
	struct seen seen = {.subjects = subjects, .n = 1};
	_cleanup_(buf_done) struct buf out = {.max = MAX_REPORT_BYTES};

	s.pods.namespace = (char *)"prod";
	labels_add(&s.pods.labels, "app", "web");
	labels_add(&pods.pods.labels, "app", "db");
	policy_diff(&seen, set, &out);
	labels_done(&s.pods.labels);
	labels_done(&pods.pods.labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(closep) int fd = memfd_create("policies", MFD_CLOEXEC);
	struct policy_set set = {0};
	char path[32];

	log_level = LOG_ERROR;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (!policy_read(path, &set, NULL))
		compare(&set);
	policy_set_done(&set);
	return 0;
}
