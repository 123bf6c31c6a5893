// SPDX-License-Identifier: Apache-2.0
#include "cmd/kube_flags.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "cmd/flags.h"
#include "kube/access.h"
#include "kube/node_pods.h"

static struct {
	const char *node, *folder;
} opt = {.folder = KUBE_SERVICE_ACCOUNT};

static const struct flag flags[] = {
	{"node-name", 0, "NAME",
	 "This node as the cluster calls it, in a pod: labels and owners of its pods come from the "
	 "API server then (default: $NODE_NAME)",
	 flag_text, &opt.node, NULL},
	{"service-account", 0, "DIR",
	 "Token and CA for the API server (default " KUBE_SERVICE_ACCOUNT ")", flag_text,
	 &opt.folder, NULL},
	{0},
};
const struct flag_table kube_flags = {"Kubernetes", flags};

static struct kube_access access_;
static struct node_pods *pods;

static void warn(void *ctx, const char *text)
{
	log_warn("%s", text);
}

/* It goes into a query as it is; names of nodes are names of hosts. */
static bool is_name(const char *name)
{
	return *name && !name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-")];
}

int kube_flags_start(struct reactor *r, struct containers *cs, struct err *err)
{
	const char *node = opt.node ?: getenv("NODE_NAME");
	int code;

	if (!node || !*node)
		return 0;
	if (!is_name(node))
		return err_set(err, -EINVAL, "'%s' is no name of a node", node);
	code = kube_access_in_cluster(opt.folder, &access_, err);
	if (code == -ENOENT && !opt.node)
		return 0;
	if (code)
		return code;
	pods = node_pods_new(r, &(struct node_pods_options){
					.access = &access_,
					.node = node,
					.containers = cs,
					.warn = warn,
				});
	return 0;
}

void kube_flags_stop(void)
{
	pods = node_pods_free(pods);
	kube_access_done(&access_);
}
