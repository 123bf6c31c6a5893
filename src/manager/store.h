/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a daemon keeps on disk: instances and tracers, a JSON file each, so that they are there
 * again after a restart or a crash. A file is written anew and then put in the place of the old
 * one, so that it is whole at any time.
 */
#pragma once

#include "containers/selector.h"
#include "manager/instance.h"

struct err;
struct store;

/* Makes the folders. -EBUSY: another daemon has them; -errno. */
int store_open(const char *dir, struct store **ret, struct err *err);
/* All was written that there was to write. NULL is fine; returns NULL. */
struct store *store_close(struct store *s);

/* From now on there is something to lose: without store_close() it is a crash. */
int store_begin(struct store *s, struct err *err);
/* Unix time, s, when the last daemon began, if it ended without store_close(); 0: it did not. */
int64_t store_crashed(const struct store *s);

/* What is said, as JSON; a new string. NULL: a text is no UTF-8. */
char *store_selector(const struct selector_options *o);
int store_tracer(struct store *s, const char *id, const char *selector, struct err *err);
void store_forget_tracer(struct store *s, const char *id);

int store_instance(struct store *s, const struct instance_spec *spec, int64_t created,
		   struct err *err);
void store_forget_instance(struct store *s, const char *id);
int store_instances_fd(const struct store *s); /* the folder, for archives */

/*
 * Gives all that are kept, valid during the call. What cannot be read is told to `bad` and left as
 * it is.
 */
struct store_reader {
	void *ctx;
	void (*tracer)(void *ctx, const char *id, const struct selector_options *o);
	void (*instance)(void *ctx, const struct instance_spec *spec, int64_t created);
	void (*bad)(void *ctx, const char *path, const struct err *err);
};
void store_each(struct store *s, const struct store_reader *to);
