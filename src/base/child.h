/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child processes that run code of ours, without exec, in a library whose user must not notice
 * them. They end by _exit().
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * As fork(2), but its end is not announced by SIGCHLD, and no signal handler of the user's runs in
 * it. The user may have threads: the child makes system calls and no more (no malloc()).
 */
pid_t child_fork(void);
void child_wait(pid_t pid); /* for one of child_fork(); 0 and -1 are fine */

/*
 * In a child: closes all descriptors but these, since somebody may wait for the end of one that is
 * only inherited. They are in order: child_sort().
 */
void child_keep_only(const int *fds, size_t n);
void child_sort(int *fds, size_t n);

/* Until the others' ends of a pipe are closed. */
void child_wait_for_gate(int gate);

/* In a child of fork(2): signals do what they do by default, and none is blocked. */
void child_reset_signals(void);
