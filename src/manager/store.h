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
/* clean: all was written that there was to write; else the next one is told of a crash. NULL is
 * fine; returns NULL. */
struct store *store_close(struct store *s, bool clean);

/* Did the last daemon end without store_close()? */
bool store_crashed(const struct store *s);

int store_tracer(struct store *s, const char *id, const struct selector_options *o,
		 struct err *err);
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
	void (*bad)(void *ctx, const char *file, const struct err *err);
};
void store_each(struct store *s, const struct store_reader *to);
