/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel puts where system calls' arguments point to, where the C library has another. */
#pragma once

#include <stdint.h>

struct kernel_sigaction {
	uint64_t handler, flags, restorer, mask;
};

struct kernel_siginfo { /* as far as it is shown */
	int32_t signo, error, code, unused;
	int32_t pid;
	uint32_t uid;
	int32_t status;
};

struct kernel_clone_args {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

struct kernel_msghdr {
	uint64_t name;
	uint32_t name_size, unused;
	uint64_t vector, n_vectors, control, control_size;
	uint32_t flags;
};
