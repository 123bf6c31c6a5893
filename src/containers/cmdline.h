/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the command line of a runtime, or of the process that stands by a container for one, tells:
 * where the state is, and which container is meant. Known are runc and crun, containerd's shims and
 * Podman's conmon, by the name of the program.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Texts point into the command line; NULL: not said. */
struct cmdline {
	const char *root;	/* runc, crun: state root */
	const char *bundle;	/* OCI bundle */
	const char *id;		/* of the container: conmon, shims */
	const char *name;	/* conmon */
	const char *namespace_; /* containerd's */
	const char *address;	/* containerd's socket */
};

/*
 * args: `len` bytes of strings with their NUL, one after the other, as in /proc/PID/cmdline; the
 * last may have been cut, and is then not believed. False: not such a program.
 */
bool cmdline_parse(const char *args, size_t len, struct cmdline *ret);
