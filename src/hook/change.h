/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes of configuration files below a root: first all are thought out, then they are shown, or
 * made, each file at once. A file that is a symbolic link is left alone.
 *
 * Life: changes_init(), change_file() for each file, whose `after` the caller fills, changes_show()
 * or changes_make(), changes_done().
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/buf.h"

struct err;

struct change {
	char *path; /* below the root */
	bool existed, exists;
	struct buf before, after;
	struct stat st; /* of one that existed */
};

struct changes {
	const char *root; /* "" or a folder; borrowed */
	struct change **items;
	size_t n, room;
};

void changes_init(struct changes *cs, const char *root);
void changes_done(struct changes *cs);

/* The file as it is, with an empty `after`, and `exists` false. -errno of reading it. */
int change_file(struct changes *cs, const char *path, struct change **ret, struct err *err);

bool change_is_one(const struct change *c); /* before and after differ */
size_t changes_count(const struct changes *cs);

void changes_show(const struct changes *cs, FILE *to); /* as a unified diff */

/* Folders are made as needed. On failure those before it were made. */
int changes_make(const struct changes *cs, struct err *err);

/* Replaces a file, or makes it; `like` (NULL: 0644) gives owner and mode. -errno. */
int change_write(int folder_fd, const char *name, const char *text, size_t len,
		 const struct stat *like);
