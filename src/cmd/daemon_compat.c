// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon_compat.h"

#include <fcntl.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "api/service.h"
#include "base/log.h"
#include "base/mem.h"
#include "containers/containers.h"
#include "containers/proc.h"
#include "net/address.h"

/* A peer's fault is no trouble of ours. */
static void warn(void *ctx, const char *text)
{
	log_info("client at " COMPAT_ADDRESS ": %s", text);
}

static int check_network(struct manager *m, struct err *err)
{
	_cleanup_(closep) int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	uint64_t own;
	int r = proc < 0 ? -errno : proc_namespace(proc, (uint32_t)getpid(), "net", &own);

	if (r)
		return err_set(err, r, "--compat: which network is ours? %s", strerror(-r));
	if (own == containers_host_netns(manager_containers(m)))
		return err_set(err, -EPERM,
			       "--compat is for a pod with a network of its own: on this one every "
			       "user of the machine could connect, and have root's view");
	return 0;
}

static int listen_at(struct grpc_server *s, struct err *err)
{
	static const struct listen_options o = {.group = (gid_t)-1};
	_cleanup_(address_done) struct address a = {0};
	int fd, r = address_parse("tcp://" COMPAT_ADDRESS, &a, err);

	if (r)
		return r;
	fd = address_listen(&a, &o, err);
	if (fd < 0)
		return fd;
	r = grpc_server_listen(s, fd, NULL, err);
	if (!r)
		log_info("listening at tcp://" COMPAT_ADDRESS);
	return r;
}

int daemon_compat_start(struct reactor *r, struct api *api, struct grpc_server **ret,
			struct err *err)
{
	static const struct grpc_server_options o = {.warn = warn};
	struct grpc_server *s = NULL;
	int code = check_network(api->manager, err);

	code = code ?: grpc_server_new(r, &o, &s, err);
	if (code)
		return code;
	api_add_compat_services(s, api);
	code = listen_at(s, err);
	if (code)
		grpc_server_free(s);
	else
		*ret = s;
	return code;
}
