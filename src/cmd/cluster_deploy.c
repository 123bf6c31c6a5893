// SPDX-License-Identifier: Apache-2.0
/* kubectl gadget deploy, undeploy: the agents of a cluster, by the user's kubectl. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/reactor.h"
#include "cmd/cluster_flags.h"
#include "cmd/flags.h"
#include "cmd/manifests.h"
#include "kube/agents.h"
#include "kube/kube.h"
#include "kube/kubectl.h"

#define MAX_MANIFESTS (1 << 20)

static struct {
	bool print_only, wait;
	const char *hook_mode;
	uint64_t timeout_ns;
	struct manifest_options manifests;
} opt = {.hook_mode = "auto", .timeout_ns = 120 * 1000000000ull};

/*
 * How others' agents learn of containers. Ours see them in the kernel, whatever is said: auto. That
 * is no less than any of these, but for hooks that would be installed on the nodes, which is why
 * crio and nri are refused.
 */
static const char *const hook_modes[] = {"auto",	  "none",	 "fanotify",
					 "fanotify+ebpf", "podinformer", NULL};

static const struct flag own_flag_list[] = {
	{"print-only", 0, NULL, "Print the manifests and change nothing", flag_on, &opt.print_only,
	 NULL},
	{"image", 0, "IMAGE", "Image of the agents", flag_text, &opt.manifests.image, NULL},
	{"node-selector", 0, "LIST", "Only nodes with these labels: KEY=VALUE,…", flag_text,
	 &opt.manifests.node_selector, NULL},
	{"hook-mode", 0, "MODE",
	 "Taken for other deployments' sake: agents see containers start in the kernel (auto), "
	 "and "
	 "nothing is installed on the nodes",
	 flag_text, &opt.hook_mode, hook_modes},
	{"compat", 0, NULL,
	 "Agents serve existing clients as well, who forward a port to them: at 127.0.0.1:8080 of "
	 "their pods",
	 flag_on, &opt.manifests.compat, NULL},
	{"wait", 0, NULL, "Until all agents are ready", flag_on, &opt.wait, NULL},
	{"timeout", 0, "TIME", "How long that may take (default 2m)", flag_duration,
	 &opt.timeout_ns, NULL},
	{0},
};
static const struct flag_table own_flags = {"Deployment", own_flag_list};

static const char *agents_namespace(void)
{
	return cluster_flags_namespace() ?: AGENT_NAMESPACE;
}

static char *timeout_flag(void)
{
	return xasprintf("--timeout=%llus",
			 (unsigned long long)(opt.timeout_ns + 999999999) / 1000000000);
}

static int make_manifests(struct buf *out, struct err *err)
{
	opt.manifests.namespace_ = cluster_flags_namespace();
	return manifests_put(&opt.manifests, out, err);
}

/* ---- what stands in the way ------------------------------------------------------- */

static int find_agents(struct agents *ret, struct err *err)
{
	struct reactor *reactor = NULL;
	struct kube *kube = NULL;
	int r = reactor_new(&reactor, err);

	r = r ?: kube_open(&(struct kube_options){cluster_flags_kubectl()}, reactor, &kube, err);
	r = r ?: agents_list(kube, cluster_flags_namespace(), ret, err);
	kube_close(kube);
	reactor_free(reactor);
	return r;
}

/*
 * kubectl says why it fails; but its exit status is always the same. Whether there is no cluster,
 * or none for this user, is seen by asking it for something else.
 */
static int change(const char *const *words, const char *manifests, struct err *err)
{
	struct agents agents = {0};
	struct err why = {0};
	int r = kubectl_run(words, cluster_flags_kubectl(), manifests, err);

	if (r != -EIO)
		return r;
	find_agents(&agents, &why);
	agents_done(&agents);
	if (why.code == -EHOSTUNREACH || why.code == -EACCES || why.code == -EPERM)
		*err = why;
	return err->code;
}

/* The first agent that is not ready says why, with a code of its own. */
static int why_not(const struct agents *agents, struct err *err)
{
	for (size_t i = 0; i < agents->n; i++) {
		const struct agent *a = &agents->items[i];

		if (a->code)
			return err_set(err, a->code, "node %s: %s", a->node, a->why);
	}
	return err_set(err, -EHOSTDOWN, "not all nodes have an agent in time");
}

static int explain(struct err *err)
{
	struct agents agents = {0};
	int r = find_agents(&agents, err);

	r = r ?: why_not(&agents, err);
	agents_done(&agents);
	return r;
}

static int wait_until_ready(struct err *err)
{
	_cleanup_(freep) char *timeout = timeout_flag();
	const char *const words[] = {"rollout",	    "status",		"daemonset/gadget",
				     "--namespace", agents_namespace(), timeout,
				     NULL};
	int r = kubectl_run(words, cluster_flags_kubectl(), "", err);

	return r == -EIO ? explain(err) : r;
}

/* ---- deploy ---------------------------------------------------------------------- */

static int check_hook_mode(struct err *err)
{
	if (!strcmp(opt.hook_mode, hook_modes[0]))
		return 0;
	for (const char *const *m = hook_modes; *m; m++)
		if (!strcmp(*m, opt.hook_mode)) {
			log_warn("--hook-mode %s changes nothing: agents see containers start in "
				 "the kernel (auto)",
				 *m);
			return 0;
		}
	return err_set(err, -EINVAL,
		       "no hook mode '%s': nothing is installed on the nodes, and agents see "
		       "containers start all the same (auto)",
		       opt.hook_mode);
}

static int deploy(struct err *err)
{
	static const char *const words[] = {"apply", "-f", "-", NULL};
	_cleanup_(buf_done) struct buf text = {.max = MAX_MANIFESTS};
	int r = check_hook_mode(err);

	r = r ?: make_manifests(&text, err);
	if (r)
		return r;
	if (opt.print_only) {
		fputs(buf_cstr(&text), stdout);
		return 0;
	}
	r = change(words, buf_cstr(&text), err);
	return r || !opt.wait ? r : wait_until_ready(err);
}

static int command_main(const char *name, int argc, char **argv, int (*fn)(struct err *err))
{
	struct err err = {0};
	struct flags f;
	int exit_code, r;

	flags_init(&f, command_find(name));
	if (!flags_begin(&f, argc, argv, &exit_code))
		return exit_code;
	r = fn(&err);
	return r ? command_fail(r, &err) : EXIT_OK;
}

static int deploy_main(int argc, char **argv)
{
	return command_main("deploy", argc, argv, deploy);
}

static const struct flag_table *const deploy_tables[] = {&own_flags, &cluster_flags, NULL};
static const struct command deploy_command = {
	.name = "deploy",
	.summary = "Put an agent on the nodes",
	.usage = "[FLAGS]",
	.description = "Applies the manifests of deploy/kubernetes, which are in this program, by "
		       "`kubectl apply`. Again, it brings\nwhat is there to this version.",
	.tables = deploy_tables,
	.of_kubectl = true,
	.run = deploy_main,
};
COMMAND(&deploy_command);

/* ---- undeploy -------------------------------------------------------------------- */

static const struct flag undeploy_flag_list[] = {
	{"timeout", 0, "TIME", "How long that may take (default 2m)", flag_duration,
	 &opt.timeout_ns, NULL},
	{0},
};
static const struct flag_table undeploy_flags = {"Deployment", undeploy_flag_list};

static int undeploy(struct err *err)
{
	_cleanup_(freep) char *timeout = timeout_flag();
	const char *const words[] = {"delete", "--ignore-not-found", timeout, "-f", "-", NULL};
	_cleanup_(buf_done) struct buf text = {.max = MAX_MANIFESTS};
	int r = make_manifests(&text, err);

	return r ?: change(words, buf_cstr(&text), err);
}

static int undeploy_main(int argc, char **argv)
{
	return command_main("undeploy", argc, argv, undeploy);
}

static const struct flag_table *const undeploy_tables[] = {&undeploy_flags, &cluster_flags, NULL};
static const struct command undeploy_command = {
	.name = "undeploy",
	.summary = "Remove the agents, and all that is theirs",
	.usage = "[FLAGS]",
	.description = "Deletes what deploy has made, the namespace included, and waits until it "
		       "is gone. Agents remove what\nthey have on their nodes when they end.",
	.tables = undeploy_tables,
	.of_kubectl = true,
	.run = undeploy_main,
};
COMMAND(&undeploy_command);
