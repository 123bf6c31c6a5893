/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a -errno means to those outside: one table for exit codes, gRPC codes and HTTP's. The exit
 * codes are documented in ig(8).
 */
#pragma once

enum {
	EXIT_OK = 0,
	EXIT_FAILED = 1,	/* anything that has no code of its own */
	EXIT_USAGE = 2,		/* command line: unknown flag, field, gadget, value */
	EXIT_NOT_ALLOWED = 3,	/* not root, or the kernel refuses */
	EXIT_UNSUPPORTED = 4,	/* no BTF, no such hook on this kernel */
	EXIT_BAD_INPUT = 5,	/* a gadget's object or a record file is broken */
	EXIT_NO_CLUSTER = 6,	/* kubectl-gadget: the API server cannot be reached */
	EXIT_NOT_DEPLOYED = 7,	/* the cluster has no agents */
	EXIT_NOT_READY = 8,	/* the node, or its agent, is not ready */
	EXIT_NO_IMAGE = 9,	/* the node cannot get the agent's image */
	EXIT_VERSION_SKEW = 10, /* agent and client are not of one version */
};

int status_exit_code(int err); /* from 0 or a -errno */

struct exit_code_doc {
	int code;
	const char *meaning;
};
extern const struct exit_code_doc exit_code_docs[]; /* ends with a NULL meaning; for the man page */

/* https://github.com/grpc/grpc/blob/master/doc/statuscodes.md */
enum grpc_status {
	GRPC_OK,
	GRPC_CANCELLED,
	GRPC_UNKNOWN,
	GRPC_INVALID_ARGUMENT,
	GRPC_DEADLINE_EXCEEDED,
	GRPC_NOT_FOUND,
	GRPC_ALREADY_EXISTS,
	GRPC_PERMISSION_DENIED,
	GRPC_RESOURCE_EXHAUSTED,
	GRPC_FAILED_PRECONDITION,
	GRPC_ABORTED,
	GRPC_OUT_OF_RANGE,
	GRPC_UNIMPLEMENTED,
	GRPC_INTERNAL,
	GRPC_UNAVAILABLE,
	GRPC_DATA_LOSS,
	GRPC_UNAUTHENTICATED,
};

enum grpc_status status_grpc(int err);	   /* from 0 or a -errno; GRPC_UNKNOWN where nothing fits */
unsigned int status_http(int err);	   /* RFC 9110; 500 where nothing fits */
int status_errno(enum grpc_status status); /* the other way; -EIO where nothing fits */
const char *grpc_status_name(unsigned int status); /* "NOT_FOUND"; "UNKNOWN" for other numbers */
