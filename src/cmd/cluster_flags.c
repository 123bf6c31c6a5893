// SPDX-License-Identifier: Apache-2.0
#include "cmd/cluster_flags.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/flags.h"
#include "cmd/loop.h"
#include "cmd/selector_flags.h"
#include "kube/kubectl.h"

#define MAX_KUBECTL_FLAGS 32

static struct {
	bool all_namespaces;
	const char *nodes, *agents;
	char *kubectl[MAX_KUBECTL_FLAGS + 1]; /* "--context=x" …, NULL-terminated */
	size_t n_kubectl;
} opt;

/* The last one wins, as with kubectl. */
static int set_kubectl(const struct flag *f, const char *value, struct err *err)
{
	_cleanup_(freep) char *start = xasprintf("--%s=", f->name);
	char **to = opt.kubectl;

	while (*to && strncmp(*to, start, strlen(start)) != 0)
		to++;
	if (!*to && opt.n_kubectl++ == MAX_KUBECTL_FLAGS)
		return err_set(err, -EINVAL, "too many flags for kubectl");
	free(*to);
	*to = xasprintf("%s%s", start, value ?: "true");
	return 0;
}

#define KUBECTL(name, argument, help)                            \
	{                                                        \
		name, 0, argument, help, set_kubectl, NULL, NULL \
	}
static const struct flag flags[] = {
	KUBECTL("kubeconfig", "FILE", "Configuration of kubectl (default: as kubectl finds it)"),
	KUBECTL("context", "NAME", "Context of it"),
	KUBECTL("cluster", "NAME", "Cluster of it"),
	KUBECTL("user", "NAME", "User of it"),
	KUBECTL("server", "URL", "Address of the API server"),
	KUBECTL("token", "TOKEN", "Bearer token"),
	KUBECTL("as", "USER", "Act as this user"),
	KUBECTL("as-group", "GROUP", "Act as a member of this group"),
	KUBECTL("certificate-authority", "FILE", "Who signs the API server's certificate"),
	KUBECTL("client-certificate", "FILE", "Certificate of the user"),
	KUBECTL("client-key", "FILE", "Key of the user"),
	KUBECTL("insecure-skip-tls-verify", NULL, "Take any certificate of the API server"),
	KUBECTL("tls-server-name", "NAME", "Name that the certificate must have"),
	KUBECTL("request-timeout", "TIME", "How long the API server may take for an answer"),
	{"gadget-namespace", 0, "NAME", "Namespace of the agents (default: gadget)", flag_text,
	 &opt.agents, NULL},
	{0},
};
const struct flag_table cluster_flags = {"Cluster", flags};

static const struct flag node_flag_list[] = {
	{"node", 0, "LIST", "Only these nodes; globs", flag_text, &opt.nodes, NULL},
	{"all-namespaces", 'A', NULL, "Pods of all namespaces", flag_on, &opt.all_namespaces, NULL},
	{0},
};
const struct flag_table node_flags = {"Nodes and namespaces (default: kubectl's namespace)",
				      node_flag_list};

int cluster_flags_look(const struct command *c, int argc, char **argv, struct err *err)
{
	const char *nodes = flags_peek(c, argc, argv, "node");

	for (const struct flag *f = flags; f->name; f++) {
		const char *value = flags_peek(c, argc, argv, f->name);
		int r = value ? f->set(f, value, err) : 0;

		if (r)
			return r;
	}
	opt.nodes = nodes ?: opt.nodes;
	return 0;
}

const char *const *cluster_flags_kubectl(void)
{
	return (const char *const *)opt.kubectl;
}

const char *cluster_flags_namespace(void)
{
	return opt.agents;
}

int cluster_flags_open(struct cluster **ret, struct err *err)
{
	const struct cluster_options o = {.kubectl_flags = cluster_flags_kubectl(),
					  .namespace_ = opt.agents,
					  .nodes = opt.nodes};
	int r;

	loop_use_all_descriptors(); /* one of ours and two of kubectl's, for each node */
	r = cluster_open(&o, ret, err);
	for (size_t i = 0; !r && i < cluster_n_nodes(*ret); i++) {
		const struct cluster_node *n = cluster_node(*ret, i);

		if (n->why.code)
			log_warn("node %s: %s; going on without it", n->name, n->why.text);
	}
	return r;
}

int cluster_flags_select(struct err *err)
{
	static char *namespace_; /* as long as the process, as all that flags say */
	int r = 0;

	if (!opt.all_namespaces && !selector_flags_options()->namespace_) {
		free(namespace_);
		namespace_ = NULL;
		r = kube_default_namespace(cluster_flags_kubectl(), &namespace_, err);
	}
	if (!r)
		selector_flags_of_cluster(opt.all_namespaces ? "*" : namespace_);
	return r;
}

static int do_it(const struct words *words, const char *what, cluster_command_fn *fn,
		 struct err *err)
{
	struct cluster *cluster = NULL;
	int r = what && !words->n ? err_set(err, -EINVAL, "name %s", what) : 0;

	r = r ?: cluster_flags_open(&cluster, err);
	r = r ?: fn(cluster, words, err);
	cluster_close(cluster);
	return r;
}

int cluster_command(const char *name, int argc, char **argv, const char *what,
		    cluster_command_fn *fn)
{
	struct words words = {0};
	struct err err = {0};
	struct flags f;
	int exit_code, r;

	flags_init(&f, command_find(name));
	f.word = what ? words_add : NULL;
	f.ctx = &words;
	if (flags_begin(&f, argc, argv, &exit_code)) {
		r = do_it(&words, what, fn, &err);
		exit_code = r ? command_fail(r, &err) : EXIT_OK;
	}
	free(words.items);
	return exit_code;
}
