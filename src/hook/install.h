/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How runtimes are made to call `ig hook`: a file for each, which registers itself. What it changes
 * is thought out as changes of files; all of it can be told from what else is in them, so that it
 * can be taken out again, and the rest is as it was, to the byte.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/registry.h"
#include "hook/change.h"

struct err;

struct hook_setup {
	const char *program; /* ig, where the runtime finds it */
	const char *host;    /* NULL: the usual */
	const char *runc;    /* Docker: what runs the containers; NULL: runc */
	char **stages;	     /* n_stages of hook_stage() */
	size_t n_stages;
	bool as_default; /* Docker: containers that name no runtime, too */
};

struct hook_installer {
	const char *runtime;
	/* s: NULL takes out what was installed. -EEXIST, -ENOTSUP: what is there is in the way. */
	int (*plan)(struct changes *cs, const struct hook_setup *s, struct err *err);
	const char *then; /* what has to be done besides; NULL: nothing */
};

#define HOOK_INSTALLER(i) REGISTER(ig_hook_installers, struct hook_installer, i)
REGISTERED(ig_hook_installers, struct hook_installer);

const struct hook_installer *hook_installer_find(const char *runtime);

/* A hook as config.json has it: {"path":…,"args":[…]}. */
void hook_item(const struct hook_setup *s, const char *stage, struct buf *ret);

/* Adds the hooks to the text of a config.json. -EINVAL: it is none. */
int hook_add(const struct hook_setup *s, const char *text, size_t len, struct buf *ret);

/* Files of hooks in a folder that Podman or CRI-O reads. */
int hook_plan_folder(struct changes *cs, const struct hook_setup *s, const char *folder,
		     struct err *err);

/*
 * `ig hook runtime`: adds the hooks to the bundle that argv, an OCI runtime's command line, is
 * about to make a container of, and becomes that runtime. Returns only where that fails.
 */
int hook_run_runtime(const struct hook_setup *s, char **argv, struct err *err);
