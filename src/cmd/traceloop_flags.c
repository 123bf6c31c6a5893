// SPDX-License-Identifier: Apache-2.0
#include "cmd/traceloop_flags.h"

#include <stdlib.h>

#include "api/traceloop.h"
#include "base/log.h"
#include "manager/manager.h"

static struct {
	bool wanted;
	struct traceloop_service_options service;
} opt;

static const struct flag flag_list[] = {
	{"traceloop", 0, NULL, "Keep the last system calls of every container, for when it breaks",
	 flag_on, &opt.wanted, NULL},
	{"traceloop-socket", 0, "PATH",
	 "The same, served by HTTP at this socket (default " TRACELOOP_SOCKET ")", flag_text,
	 &opt.service.socket, NULL},
	{"traceloop-per-container", 0, "SIZE", "Of a container, all CPUs together (default 1MiB)",
	 flag_bytes, &opt.service.loop.ring_bytes, NULL},
	{"traceloop-budget", 0, "SIZE",
	 "Of all: beyond it those of ended containers go, oldest first (default 256MiB)",
	 flag_bytes, &opt.service.loop.budget_bytes, NULL},
	{"traceloop-keep", 0, "TIME", "How long those of ended containers are kept (default 1h)",
	 flag_duration, &opt.service.loop.keep_ns, NULL},
	{"traceloop-syscalls", 0, "LIST", "Record only these system calls: openat,read,…",
	 flag_text, &opt.service.loop.syscalls, NULL},
	{0},
};
const struct flag_table traceloop_flags = {"Traceloop", flag_list};

static void warn(void *ctx, const char *text)
{
	log_warn("%s", text);
}

int traceloop_flags_start(struct manager *m, struct traceloop_service **ret, struct err *err)
{
	int r;

	*ret = NULL;
	if (!opt.wanted && !opt.service.socket)
		return 0;
	if (!opt.service.socket)
		opt.service.socket = TRACELOOP_SOCKET;
	opt.service.group = (gid_t)-1; /* arguments of all system calls: for root */
	opt.service.node = getenv("NODE_NAME");
	opt.service.loop.warn = warn;
	r = traceloop_service_new(manager_reactor(m), manager_containers(m), &opt.service, ret,
				  err);
	if (!r)
		log_info("traceloop at %s", opt.service.socket);
	return r;
}
