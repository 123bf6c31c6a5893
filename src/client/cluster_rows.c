// SPDX-License-Identifier: Apache-2.0
/* Rows and containers of many nodes, made those of one cluster: names, keys, versions, clocks. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "client/cluster_internal.h"
#include "containers/container.h"

#define VERSION_BITS 40
#define OWN_KEY (1ull << 63) /* a daemon's own keys are smaller by far */

struct container *cluster_host(const char *node)
{
	struct container *c = container_new();

	c->k8s_node = xstrdup(node);
	c->name = xstrdup("");
	c->resolved = false;
	return c;
}

/* Which one it was of all that were given. */
static uint64_t number_of(uint64_t key)
{
	return ((key & ~OWN_KEY) >> 32) * MAX_CONTAINERS + container_slot(key) - 1;
}

/*
 * Daemons count their containers each for itself. Slots are given in turn: one that was another's
 * since is given anew, so that a record file of many nodes needs no more slots than one of a node.
 */
static void set_key(struct cluster *c, struct container *to)
{
	if (to->key & OWN_KEY && c->keys - number_of(to->key) <= MAX_CONTAINERS)
		return;
	if (!(to->key & OWN_KEY))
		to->node_key = to->key;
	to->key = OWN_KEY | c->keys / MAX_CONTAINERS << 32 | (c->keys % MAX_CONTAINERS + 1);
	c->keys++;
}

struct container *cluster_container(struct cluster_node *n, struct container *c)
{
	struct reach *r = container_of(n, struct reach, node);

	c = c ?: n->host;
	set_key(r->cluster, c);
	if (!str_equal(c->k8s_node, n->name)) {
		free(c->k8s_node);
		c->k8s_node = xstrdup(n->name);
	}
	return c;
}

struct row cluster_row(struct cluster_node *n, const struct row *row)
{
	struct container *c = cluster_container(n, (struct container *)row->part[PART_CONTAINER]);
	struct row r = container_row(c, row->part[PART_RECORD], row->size[PART_RECORD], NULL);

	r.owners = row->owners;
	r.clock = row->clock ?: &n->clock;
	r.container_version = row->container_version;
	if (r.container_version >> VERSION_BITS)
		r.container_version = 0;
	if (r.container_version)
		r.container_version |= (uint64_t)(n->number + 1) << VERSION_BITS;
	return r;
}
