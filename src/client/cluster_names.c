// SPDX-License-Identifier: Apache-2.0
#include "client/cluster_names.h"

#include <poll.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "client/cluster_internal.h"
#include "client/endpoints.h"
#include "kube/kube.h"
#include "kube/names.h"

struct cluster_names {
	struct cluster *cluster;
	struct kube_names *names;
	struct endpoints **sources; /* NULL: one without addresses */
	size_t n;
	void (*warn)(void *ctx, const char *text);
	void *ctx;
};

static struct kube_server *server(void *ctx)
{
	struct cluster_names *n = ctx;

	return kube_server(n->cluster->kube);
}

static void on_warning(void *ctx, const char *text)
{
	struct cluster_names *n = ctx;

	n->warn(n->ctx, text);
}

/* The words of a list that are one namespace each: neither globs nor exclusions. */
static size_t plain_words(char **words, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++)
		if (*words[i] && !strpbrk(words[i], "*?[!\\"))
			words[kept++] = words[i];
	return kept;
}

static void begin(struct cluster_names *n, const char *namespaces, bool labels)
{
	_cleanup_(freep) char **words = NULL;
	size_t n_words = namespaces ? split(namespaces, ',', false, &words) : 0;

	n->names = kube_names_new(&(struct kube_names_options){
		.reactor = n->cluster->reactor,
		.server = server,
		.namespaces = (const char *const *)words,
		.n_namespaces = plain_words(words, n_words),
		.labels = labels,
		.warn = on_warning,
		.ctx = n,
	});
}

struct cluster_names *cluster_names_new(struct cluster *c, struct schema *const *sources, size_t n,
					const char *namespaces,
					void (*warn)(void *ctx, const char *text), void *ctx)
{
	struct cluster_names *names = xnew(struct cluster_names);
	bool any = false, labels = false;

	*names = (struct cluster_names){.cluster = c, .n = n, .warn = warn, .ctx = ctx};
	names->sources = xnew_n(struct endpoints *, n);
	for (size_t i = 0; i < n; i++) {
		struct endpoints *e = endpoints_new(sources[i]);

		names->sources[i] = e;
		any = any || e;
		labels = labels || (e && endpoints_want_labels(e));
	}
	if (!any)
		return cluster_names_free(names);
	begin(names, namespaces, labels);
	return names;
}

struct cluster_names *cluster_names_free(struct cluster_names *n)
{
	if (!n)
		return NULL;
	kube_names_free(n->names);
	for (size_t i = 0; i < n->n; i++)
		endpoints_free(n->sources[i]);
	free(n->sources);
	free(n);
	return NULL;
}

static void on_too_late(void *ctx)
{
	*(bool *)ctx = true;
}

void cluster_names_wait(struct cluster_names *n, uint64_t ns)
{
	struct pollfd p = {.fd = reactor_fd(n->cluster->reactor), .events = POLLIN};
	struct timer timer = {0};
	bool too_late = false;

	timer_start(&timer, n->cluster->reactor, ns, on_too_late, &too_late);
	while (!too_late && !kube_names_complete(n->names) && poll(&p, 1, -1) >= 0)
		reactor_dispatch(n->cluster->reactor);
	timer_stop(&timer);
}

void cluster_names_row(struct cluster_names *n, unsigned int source, struct row *row)
{
	if (source < n->n && n->sources[source])
		endpoints_name(n->sources[source], kube_names_addresses(n->names), row);
}
