// SPDX-License-Identifier: Apache-2.0
/* CRI-O reads the files of its hooks_dir, which is this one where it is not told another. */
#include "hook/install.h"

static int plan(struct changes *cs, const struct hook_setup *s, struct err *err)
{
	return hook_plan_folder(cs, s, "/usr/share/containers/oci/hooks.d", err);
}

static const struct hook_installer crio = {"crio", plan, NULL};
HOOK_INSTALLER(&crio);
