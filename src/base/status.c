// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <errno.h>
#include <stddef.h>

#include "base/mem.h"

static const struct status {
	int err;
	int exit_code;
} statuses[] = {
	{ EINVAL, EXIT_USAGE },		{ ENOENT, EXIT_USAGE },	      { ERANGE, EXIT_USAGE },
	{ EEXIST, EXIT_USAGE },		{ EPERM, EXIT_NOT_ALLOWED },  { EACCES, EXIT_NOT_ALLOWED },
	{ EOPNOTSUPP, EXIT_UNSUPPORTED }, { ENOSYS, EXIT_UNSUPPORTED }, { EBADMSG, EXIT_BAD_INPUT },
	{ ENOEXEC, EXIT_BAD_INPUT },
};

int status_exit_code(int err)
{
	if (!err)
		return EXIT_OK;
	for (size_t i = 0; i < array_size(statuses); i++)
		if (statuses[i].err == -err)
			return statuses[i].exit_code;
	return EXIT_FAILED;
}

const struct exit_code_doc exit_code_docs[] = {
	{ EXIT_OK, "Success, also when ended by SIGINT or SIGTERM or when the reader of the output went away." },
	{ EXIT_FAILED, "A failure that has no code of its own." },
	{ EXIT_USAGE, "The command line: an unknown command, flag, gadget, field or value." },
	{ EXIT_NOT_ALLOWED, "Not allowed: not root, or the kernel refuses." },
	{ EXIT_UNSUPPORTED, "The kernel lacks BTF or a hook that the gadget needs." },
	{ EXIT_BAD_INPUT, "A gadget's object file or a record file is broken." },
	{ 0, NULL },
};
