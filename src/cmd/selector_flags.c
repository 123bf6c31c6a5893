// SPDX-License-Identifier: Apache-2.0
#include "cmd/selector_flags.h"

#include "base/mem.h"
#include "base/parse.h"

static struct selector_options opt;
static bool of_cluster;

static const struct flag flags[] = {
	{"containername", 'c', "LIST", "Containers of these names; globs, !name excludes",
	 flag_text, &opt.container_name, NULL},
	{"namespace", 'n', "LIST", "Containers of pods in these namespaces; globs, !name excludes",
	 flag_text, &opt.namespace_, NULL},
	{"podname", 'p', "LIST", "Containers of these pods; globs, !name excludes", flag_text,
	 &opt.pod, NULL},
	{"selector", 'l', "LIST",
	 "Containers with all these labels, their pod's or else their own: key=glob, key!=glob, "
	 "key, !key",
	 flag_text, &opt.labels, NULL},
	{"containerid", 0, "LIST", "Containers of these ids; globs, !id excludes", flag_text,
	 &opt.container_id, NULL},
	{"image", 0, "LIST", "Containers of these images; globs, !image excludes", flag_text,
	 &opt.image, NULL},
	{"annotation", 0, "LIST",
	 "Containers with all these annotations: key=glob, key!=glob, key, !key", flag_text,
	 &opt.annotations, NULL},
	{"sandboxes", 0, NULL, "Pods' sandbox (pause) containers as well", flag_on, &opt.sandboxes,
	 NULL},
	{0},
};
const struct flag_table selector_flags = {"Containers (all, unless one of these is given)", flags};

int selector_flags_new(struct selector **ret, struct err *err)
{
	return selector_new(&opt, ret, err);
}

const struct selector_options *selector_flags_options(void)
{
	return &opt;
}

bool selector_flags_pods(void)
{
	return of_cluster || opt.namespace_ || opt.pod || opt.labels;
}

void selector_flags_of_cluster(const char *namespace_)
{
	of_cluster = true;
	opt.namespace_ = opt.namespace_ ?: namespace_;
}

/*
 * A cluster's histograms are of all its nodes and of all pods alike: what tells containers apart is
 * what those of a workload have in common.
 */
#define OF_WORKLOADS "+k8s.namespace,+k8s.containerName,-runtime.containerName"

char *selector_flags_fields(const char *fields, const char *output)
{
	bool some = fields && *fields, listed = some && *fields != '+' && *fields != '-';

	if (listed || !selector_flags_pods())
		return xstrdup(fields);
	if (of_cluster && str_equal(output, "histogram"))
		return xasprintf(OF_WORKLOADS "%s%s", some ? "," : "", some ? fields : "");
	return xasprintf("%s+k8s.namespace,+k8s.podName%s%s", of_cluster ? "+k8s.node," : "",
			 some ? "," : "", some ? fields : "");
}
