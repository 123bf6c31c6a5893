/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What became of a finished run's records, by container. The last few are kept, so that a client
 * that asks when its run is over already gets the same answer.
 */
#pragma once

#include <sys/queue.h>

#include "manager/run.h"

struct ledger {
	TAILQ_ENTRY(ledger) link;
	char *run_id, *gadget;
	struct totals totals;
	uint64_t unaccounted; /* as trace_unaccounted() */
	struct ledger_line {
		char *name;   /* "": no container, or not known of which */
		uint64_t key; /* 0: the same, or of earlier containers, which share a line */
		struct totals totals;
	} * lines;
	size_t n, room;
};

/* Of a run that was just finished; it stays the manager's. */
const struct ledger *ledger_write(struct manager *m, struct run *r);
const struct ledger *ledger_find(struct manager *m, const char *run_id); /* NULL: none, or gone */
void ledgers_free(struct manager *m);
