// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <errno.h>
#include <stddef.h>

#include "base/mem.h"

/* Several may mean the same to gRPC; the first is what that code means to us. */
static const struct status {
	int err;
	int exit_code;
	enum grpc_status grpc;
} statuses[] = {
	{EINVAL, EXIT_USAGE, GRPC_INVALID_ARGUMENT},
	{ENOENT, EXIT_USAGE, GRPC_NOT_FOUND},
	{ESRCH, EXIT_FAILED, GRPC_NOT_FOUND},
	{ERANGE, EXIT_USAGE, GRPC_OUT_OF_RANGE},
	{EEXIST, EXIT_USAGE, GRPC_ALREADY_EXISTS},
	{EACCES, EXIT_NOT_ALLOWED, GRPC_PERMISSION_DENIED},
	{EPERM, EXIT_NOT_ALLOWED, GRPC_PERMISSION_DENIED},
	{EOPNOTSUPP, EXIT_UNSUPPORTED, GRPC_UNIMPLEMENTED},
	{ENOSYS, EXIT_UNSUPPORTED, GRPC_UNIMPLEMENTED},
	{EBADMSG, EXIT_BAD_INPUT, GRPC_DATA_LOSS},
	{ENOEXEC, EXIT_BAD_INPUT, GRPC_INVALID_ARGUMENT},
	{ECANCELED, EXIT_FAILED, GRPC_CANCELLED},
	{ETIMEDOUT, EXIT_FAILED, GRPC_DEADLINE_EXCEEDED},
	{EMSGSIZE, EXIT_FAILED, GRPC_RESOURCE_EXHAUSTED},
	{ENOSPC, EXIT_FAILED, GRPC_RESOURCE_EXHAUSTED},
	{ENOMEM, EXIT_FAILED, GRPC_RESOURCE_EXHAUSTED},
	{EBUSY, EXIT_FAILED, GRPC_FAILED_PRECONDITION},
	{EAGAIN, EXIT_FAILED, GRPC_ABORTED},
	{EPROTO, EXIT_FAILED, GRPC_INTERNAL},
	{ECONNRESET, EXIT_FAILED, GRPC_UNAVAILABLE},
	{ECONNREFUSED, EXIT_FAILED, GRPC_UNAVAILABLE},
	{EPIPE, EXIT_FAILED, GRPC_UNAVAILABLE},
	{ESHUTDOWN, EXIT_FAILED, GRPC_UNAVAILABLE},
	{EKEYREJECTED, EXIT_FAILED, GRPC_UNAUTHENTICATED},
};

static const struct status *find(int err)
{
	for (size_t i = 0; i < array_size(statuses); i++)
		if (statuses[i].err == -err)
			return &statuses[i];
	return NULL;
}

int status_exit_code(int err)
{
	const struct status *s = find(err);

	if (!err)
		return EXIT_OK;
	return s ? s->exit_code : EXIT_FAILED;
}

enum grpc_status status_grpc(int err)
{
	const struct status *s = find(err);

	if (!err)
		return GRPC_OK;
	return s ? s->grpc : GRPC_UNKNOWN;
}

int status_errno(enum grpc_status status)
{
	if (status == GRPC_OK)
		return 0;
	for (size_t i = 0; i < array_size(statuses); i++)
		if (statuses[i].grpc == status)
			return -statuses[i].err;
	return -EIO;
}

const char *grpc_status_name(unsigned int status)
{
#define NAME(name) [GRPC_##name] = #name
	static const char *const names[] = {
		NAME(OK),
		NAME(CANCELLED),
		NAME(UNKNOWN),
		NAME(INVALID_ARGUMENT),
		NAME(DEADLINE_EXCEEDED),
		NAME(NOT_FOUND),
		NAME(ALREADY_EXISTS),
		NAME(PERMISSION_DENIED),
		NAME(RESOURCE_EXHAUSTED),
		NAME(FAILED_PRECONDITION),
		NAME(ABORTED),
		NAME(OUT_OF_RANGE),
		NAME(UNIMPLEMENTED),
		NAME(INTERNAL),
		NAME(UNAVAILABLE),
		NAME(DATA_LOSS),
		NAME(UNAUTHENTICATED),
	};
#undef NAME

	return status < array_size(names) ? names[status] : names[GRPC_UNKNOWN];
}

const struct exit_code_doc exit_code_docs[] = {
	{EXIT_OK, "Success, also when ended by SIGINT or SIGTERM or when the reader of the output "
		  "went away."},
	{EXIT_FAILED, "A failure that has no code of its own."},
	{EXIT_USAGE, "The command line: an unknown command, flag, gadget, field or value."},
	{EXIT_NOT_ALLOWED, "Not allowed: not root, or the kernel refuses."},
	{EXIT_UNSUPPORTED, "The kernel lacks BTF or a hook that the gadget needs."},
	{EXIT_BAD_INPUT, "A gadget's object file or a record file is broken."},
	{0, NULL},
};
