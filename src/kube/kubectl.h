/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl as a child process: $KUBECTL, else the one in $PATH. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct err;

/*
 * Starts it with these words and flags (both NULL-terminated; flags may be NULL). *ret_said is what
 * it writes, with errors also what it writes to stderr, to be closed; reading it does not block. It
 * ends with us, is in a process group of its own, as Ctrl-C is for us, and has no input.
 */
int kubectl_start(const char *const *words, const char *const *flags, bool with_errors,
		  pid_t *ret_pid, int *ret_said, struct err *err);

/* Ends it, where it has not ended. 0: none. */
void kubectl_end(pid_t pid);

/* How it ended, of itself: its exit code (127: no such program), or 128 and the signal. Waits. */
int kubectl_wait(pid_t pid);

/*
 * Runs it with this input and waits for its end; what it says is for the user, on our stdout and
 * stderr. -ENOENT: no kubectl; -EIO: it failed, and said why.
 */
int kubectl_run(const char *const *words, const char *const *flags, const char *input,
		struct err *err);

/*
 * The namespace that kubectl would take with these flags; to be freed. Waits. -ENOENT: no kubectl.
 */
int kube_default_namespace(const char *const *flags, char **ret, struct err *err);
