/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of names, and seccomp profiles that are read from files. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct err;

enum { MAX_PROFILE_CALLS = 4096 };

struct name_set {
	char **items;
	size_t n, room;
};

void name_set_add(struct name_set *s, const char *name);
void name_set_sort(struct name_set *s);			       /* and each name once */
bool name_set_has(const struct name_set *s, const char *name); /* sorted */
void name_set_done(struct name_set *s);

struct seccomp_profile {
	bool allows_by_default;
	struct name_set allowed, refused; /* that it names; sorted */
};

/*
 * Reads the file of a profile, or of a container's OCI config that has one (-ENOENT where it has
 * none). What is let through only with certain arguments or capabilities counts as allowed.
 */
int seccomp_profile_read(const char *path, struct seccomp_profile *ret, struct err *err);
/* The profile of the config in this bundle; NULL: not known. */
int seccomp_profile_in_force(const char *bundle, struct seccomp_profile *ret, struct err *err);
bool seccomp_profile_allows(const struct seccomp_profile *p, const char *name);
void seccomp_profile_done(struct seccomp_profile *p);
