/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container to try something in: namespaces of its own, a cgroup of its own, and a root in memory
 * that has the host's programs (/bin, /usr, /lib…, /etc: read-only), /proc, /dev, /tmp and a
 * loopback interface that is up. It needs no runtime, and leaves nothing behind.
 *
 * Life: THROWAWAY_INIT, throwaway_start(), throwaway_end() also where that failed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

struct throwaway {
	pid_t pid; /* 0: none was started, or it was waited for */
	int pidfd;
	int said_fd; /* what the command writes to its standard error */
	uint64_t cgroup_id;
	char *cgroup, *memory; /* its folders: of cgroup v2, of v1's memory controller or NULL */
};

#define THROWAWAY_INIT                     \
	{                                  \
		.pidfd = -1, .said_fd = -1 \
	}

/*
 * Runs `sh -c command` in it, with 64 MiB of memory where the kernel can bound that. -ENOTSUP: no
 * cgroup v2 is mounted. What fails in the container itself is said there (throwaway_ended()).
 */
int throwaway_start(struct throwaway *t, const char *command, struct err *err);

/*
 * True when the command has ended: *ret_status is its exit status (128 + signal; 125: the container
 * could not be made), `said` the first bytes of what it wrote to its standard error, one line.
 */
bool throwaway_ended(struct throwaway *t, int *ret_status, char *said, size_t room);

void throwaway_end(struct throwaway *t);
