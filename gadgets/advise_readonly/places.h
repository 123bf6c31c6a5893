/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts of a container, folders that were written to, and which of them lie in its root. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* As the gadget numbers them. */
enum write_how { MOUNTED, OPENED, CREATED, REMOVED, RENAMED, CHANGED, WRITE_HOWS };
enum write_place { BY_PATH, ON_ROOT, ELSEWHERE };

enum { MAX_WRITES = 16384 }; /* folders and mounts of one group */

struct mount {
	char *path, *fs;
	bool read_only, written;
};

struct folder {
	char *path;
	char *example;	  /* a path in it */
	unsigned int how; /* bits 1 << enum write_how */
	enum write_place place;
	bool refused; /* a write failed, as the file system is read-only */
	bool covered; /* lies in another one that was written to */
};

struct places {
	struct mount *mounts;
	size_t n_mounts, room_mounts;
	struct folder *folders;
	size_t n_folders, room_folders;
};

/* dir/path, or path where that is absolute, without ".", ".." and double slashes: a new string. */
char *path_join(const char *dir, const char *path);

void places_mount(struct places *p, const char *path, const char *fs, bool read_only);
/* path: joined; by it, where it lies is told by the mounts that are known. -E2BIG. */
int places_write(struct places *p, const char *path, enum write_how how, enum write_place place,
		 bool refused);
/* After the last row: sorts folders by path, and looks which lie in others. */
void places_settle(struct places *p);
bool folder_is_volume(const struct folder *f); /* a volume of its own would let it be written */
/* Was there something before, that a new volume would hide? */
bool folder_has_content(const struct folder *f);
void places_done(struct places *p);
