// SPDX-License-Identifier: Apache-2.0
/* Podman, run by root, reads the files of /usr/share/containers/oci/hooks.d and of this folder. */
#include "hook/install.h"

static int plan(struct changes *cs, const struct hook_setup *s, struct err *err)
{
	return hook_plan_folder(cs, s, "/etc/containers/oci/hooks.d", err);
}

static const struct hook_installer podman = {"podman", plan, NULL};
HOOK_INSTALLER(&podman);
