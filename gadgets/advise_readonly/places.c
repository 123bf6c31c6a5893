// SPDX-License-Identifier: Apache-2.0
#include "places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"

/* ---- paths ----------------------------------------------------------------------------------- */

/* Appends the parts of `path` to `to`, which begins as "" and has room for both. */
static void add_parts(char *to, const char *path)
{
	while (*path) {
		size_t len = strcspn(path, "/");
		char *slash = strrchr(to, '/');

		if (len == 2 && !strncmp(path, "..", 2)) {
			if (slash)
				*slash = '\0';
		} else if (len && !(len == 1 && *path == '.')) {
			strcat(to, "/");
			strncat(to, path, len);
		}
		path += len;
		path += *path == '/';
	}
}

char *path_join(const char *dir, const char *path)
{
	char *joined = xcalloc(1, strlen(dir) + strlen(path) + 3);

	if (*path != '/')
		add_parts(joined, dir);
	add_parts(joined, path);
	if (!*joined)
		strcat(joined, "/");
	return joined;
}

/* Is `path` the folder or below it? */
static bool lies_in(const char *path, const char *folder)
{
	size_t len = strlen(folder);

	return !strcmp(folder, "/") ||
	       (!strncmp(path, folder, len) && (!path[len] || path[len] == '/'));
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash > path ? xstrndup(path, (size_t)(slash - path)) : xstrdup("/");
}

/* ---- what was told --------------------------------------------------------------------------- */

void places_mount(struct places *p, const char *path, const char *fs, bool read_only)
{
	for (size_t i = 0; i < p->n_mounts; i++)
		if (!strcmp(p->mounts[i].path, path))
			return;
	if (p->n_mounts < MAX_WRITES)
		*grow(&p->mounts, &p->n_mounts, &p->room_mounts) =
			(struct mount){xstrdup(path), xstrdup(fs), read_only, false};
}

/* NULL: the root's, or none is known. */
static struct mount *mount_of(const struct places *p, const char *path)
{
	struct mount *best = NULL;

	for (size_t i = 0; i < p->n_mounts; i++) {
		struct mount *m = &p->mounts[i];

		if (strcmp(m->path, "/") && lies_in(path, m->path) &&
		    (!best || strlen(m->path) > strlen(best->path)))
			best = m;
	}
	return best;
}

int places_write(struct places *p, const char *path, enum write_how how, enum write_place place,
		 bool refused)
{
	_cleanup_(freep) char *folder = folder_of(path);
	struct mount *m = place == ON_ROOT ? NULL : mount_of(p, path);
	struct folder *f;

	if (m)
		m->written = true;
	if (place == BY_PATH)
		place = m ? ELSEWHERE : ON_ROOT;
	for (size_t i = 0; i < p->n_folders; i++) {
		f = &p->folders[i];
		if (strcmp(f->path, folder) || f->place != place)
			continue;
		f->how |= 1u << how;
		f->refused |= refused;
		return 0;
	}
	if (p->n_folders == MAX_WRITES)
		return -E2BIG;
	f = grow(&p->folders, &p->n_folders, &p->room_folders);
	*f = (struct folder){.path = take(folder),
			     .example = xstrdup(path),
			     .how = 1u << how,
			     .place = place,
			     .refused = refused};
	return 0;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct folder *)a)->path, ((const struct folder *)b)->path);
}

void places_settle(struct places *p)
{
	if (p->n_folders)
		qsort(p->folders, p->n_folders, sizeof(*p->folders), by_path);
	for (size_t i = 0; i < p->n_folders; i++)
		for (size_t k = 0; k < p->n_folders; k++)
			p->folders[i].covered |= i != k && folder_is_volume(&p->folders[i]) &&
						 folder_is_volume(&p->folders[k]) &&
						 lies_in(p->folders[i].path, p->folders[k].path);
}

bool folder_is_volume(const struct folder *f)
{
	return f->place == ON_ROOT && strcmp(f->path, "/");
}

bool folder_has_content(const struct folder *f)
{
	return !(f->how & 1u << CREATED);
}

void places_done(struct places *p)
{
	for (size_t i = 0; i < p->n_mounts; i++) {
		free(p->mounts[i].path);
		free(p->mounts[i].fs);
	}
	for (size_t i = 0; i < p->n_folders; i++) {
		free(p->folders[i].path);
		free(p->folders[i].example);
	}
	free(p->mounts);
	free(p->folders);
	*p = (struct places){0};
}
