// SPDX-License-Identifier: Apache-2.0
/* Names of the addresses in a cluster's records. */
#include "base/log.h"
#include "base/mem.h"
#include "cmd/feed_remote.h"

#define WAIT_NS (2 * 1000000000ull) /* then records come without names */

static void on_names_lack(void *ctx, const char *text)
{
	log_warn("%s", text);
}

void far_names_open(struct far_feed *f)
{
	_cleanup_(freep) struct schema **schemas = xnew_n(struct schema *, f->feed.n_sources);

	if (!f->cluster)
		return;
	for (size_t i = 0; i < f->feed.n_sources; i++)
		schemas[i] = f->feed.sources[i].schema;
	f->names = cluster_names_new(f->cluster, schemas, f->feed.n_sources,
				     f->feed.options.selector.namespace_, on_names_lack, NULL);
	if (f->names)
		cluster_names_wait(f->names, WAIT_NS);
}
