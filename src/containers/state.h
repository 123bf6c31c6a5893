/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state folders of OCI runtimes: ROOT/ID/state.json of runc, ROOT/ID/status of crun, for the
 * usual roots, for those given, and for those that were seen on a runtime's command line. What was
 * read is kept, and read again when its file is another one.
 */
#pragma once

#include "containers/oci.h"
#include "containers/runtime.h"

struct states;
struct trouble;

/* roots: NULL-terminated, looked at first; may be NULL. t: borrowed, may be NULL. Nothing is read
 * yet. */
struct states *states_new(const char *host_root, const char *const *roots, struct trouble *t);
struct states *states_free(struct states *s); /* NULL is fine; returns NULL */

/* A root that a runtime was started with. Of many the one learned first is forgotten. */
void states_learn(struct states *s, const char *root);

struct found_state {
	struct oci_state state;
	char *id;	     /* the folder's name */
	const char *runtime; /* constant: what the root says of who runs it, or "runc", "crun" */
};
void found_state_done(struct found_state *f);

/*
 * The state that is c's: that of its first process, or else of its cgroup. First where the id
 * leads, then everywhere. False where there is none.
 */
bool states_find(struct states *s, const struct container *c, const struct clues *clues,
		 struct found_state *ret);

/* How much of `path` is the state's cgroup, in which it lies or which it is; 0: none. */
size_t state_own_cgroup(const struct oci_state *s, const char *path);

/* Calls fn for the pid and start of each state. */
void states_each(struct states *s, runtime_list_fn *fn, void *arg);
