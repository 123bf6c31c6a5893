/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a process has which files, as far as it may execute them: /proc/PID/maps (proc(5)). The
 * text is the kernel's, but paths in it are anybody's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapping {
	uint64_t start, end; /* addresses */
	uint64_t offset;     /* of `start` in the file */
	uint64_t dev, inode; /* inode 0: no file */
	const char *path;    /* "[vdso]" and its like where there is no file; "": nothing */
	bool is_remote;	     /* opening it may never end: set by maps_mark_remote() */
};

struct maps {
	struct mapping *items; /* by address */
	size_t n, room;
	char *text; /* owns the paths */
};

/* Takes over a NUL-terminated text from malloc(). Lines that are not understood are left out. */
void maps_parse(char *text, struct maps *ret);
void maps_done(struct maps *m);

/* Whether any may be: else their mounts need not be looked at. */
bool maps_may_be_remote(const struct maps *m);

/*
 * Which are, by the text of /proc/PID/mountinfo, which is changed. NULL: it cannot be told, and all
 * are that may be.
 */
void maps_mark_remote(struct maps *m, char *mountinfo);

const struct mapping *maps_find(const struct maps *m, uint64_t address); /* NULL: none */

/* Field 28 of /proc/PID/stat, where the stack began; 0: malformed. */
uint64_t maps_start_stack(const char *stat);
