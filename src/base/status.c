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
	unsigned int http;
} statuses[] = {
	{EINVAL, EXIT_USAGE, GRPC_INVALID_ARGUMENT, 400},
	{ENOENT, EXIT_USAGE, GRPC_NOT_FOUND, 404},
	{ESRCH, EXIT_FAILED, GRPC_NOT_FOUND, 404},
	{ERANGE, EXIT_USAGE, GRPC_OUT_OF_RANGE, 400},
	{EEXIST, EXIT_USAGE, GRPC_ALREADY_EXISTS, 409},
	{EACCES, EXIT_NOT_ALLOWED, GRPC_PERMISSION_DENIED, 403},
	{EPERM, EXIT_NOT_ALLOWED, GRPC_PERMISSION_DENIED, 403},
	{EOPNOTSUPP, EXIT_UNSUPPORTED, GRPC_UNIMPLEMENTED, 501},
	{ENOSYS, EXIT_UNSUPPORTED, GRPC_UNIMPLEMENTED, 501},
	{EBADMSG, EXIT_BAD_INPUT, GRPC_DATA_LOSS, 400},
	{ENOEXEC, EXIT_BAD_INPUT, GRPC_INVALID_ARGUMENT, 400},
	{ECANCELED, EXIT_FAILED, GRPC_CANCELLED, 503},
	{ETIMEDOUT, EXIT_FAILED, GRPC_DEADLINE_EXCEEDED, 504},
	{EMSGSIZE, EXIT_FAILED, GRPC_RESOURCE_EXHAUSTED, 413},
	{ENOSPC, EXIT_FAILED, GRPC_RESOURCE_EXHAUSTED, 507},
	{ENOMEM, EXIT_FAILED, GRPC_RESOURCE_EXHAUSTED, 503},
	{EBUSY, EXIT_FAILED, GRPC_FAILED_PRECONDITION, 409},
	{EAGAIN, EXIT_FAILED, GRPC_ABORTED, 503},
	{EPROTO, EXIT_FAILED, GRPC_INTERNAL, 502},
	{ECONNRESET, EXIT_FAILED, GRPC_UNAVAILABLE, 502},
	{ECONNREFUSED, EXIT_FAILED, GRPC_UNAVAILABLE, 502},
	{EPIPE, EXIT_FAILED, GRPC_UNAVAILABLE, 502},
	{ESHUTDOWN, EXIT_FAILED, GRPC_UNAVAILABLE, 503},
	{EKEYREJECTED, EXIT_FAILED, GRPC_UNAUTHENTICATED, 401},
	{EHOSTUNREACH, EXIT_NO_CLUSTER, GRPC_UNAVAILABLE, 502},
	{ENOPKG, EXIT_NOT_DEPLOYED, GRPC_FAILED_PRECONDITION, 503},
	{EHOSTDOWN, EXIT_NOT_READY, GRPC_UNAVAILABLE, 503},
	{ENOMEDIUM, EXIT_NO_IMAGE, GRPC_UNAVAILABLE, 503},
	{EPROTONOSUPPORT, EXIT_VERSION_SKEW, GRPC_UNIMPLEMENTED, 501},
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

unsigned int status_http(int err)
{
	const struct status *s = find(err);

	if (!err)
		return 200;
	return s ? s->http : 500;
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
	{EXIT_NO_CLUSTER, "kubectl-gadget: the cluster's API server cannot be reached."},
	{EXIT_NOT_DEPLOYED, "kubectl-gadget: the cluster has no agents."},
	{EXIT_NOT_READY, "kubectl-gadget: the node, or its agent, is not ready."},
	{EXIT_NO_IMAGE, "kubectl-gadget: the node cannot get the agent's image."},
	{EXIT_VERSION_SKEW, "kubectl-gadget: an agent is of another version."},
	{0, NULL},
};
