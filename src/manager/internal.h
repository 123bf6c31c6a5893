/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of manager/ share. */
#pragma once

#include <sys/queue.h>

#include "base/err.h"
#include "base/reactor.h"
#include "manager/instance.h"
#include "manager/manager.h"
#include "manager/run.h"
#include "manager/tracer.h"

TAILQ_HEAD(runs, run);
TAILQ_HEAD(tracers, tracer);
TAILQ_HEAD(instances, instance);
TAILQ_HEAD(ledgers, ledger);

struct manager {
	struct reactor *reactor;
	struct containers *containers;
	struct traces *traces;
	struct watch watch; /* the trace collection's descriptor */
	struct clock_base clock;
	struct runs runs;
	struct tracers tracers;
	struct instances instances;
	struct ledgers ledgers; /* of finished runs, oldest first */
	size_t n_tracers, n_instances, n_ledgers;
	uint64_t old_versions; /* of containers that an archive has */
	struct store *store;   /* NULL: nothing is kept */
	struct pins *pins;     /* NULL: nothing is pinned */
	int statistics_fd;     /* the kernel counts programs' time as long as it is open; -1 */
	struct timer statistics_timer;
	void (*warn)(void *ctx, const char *text);
	void *warn_ctx;
};

__attribute__((format(printf, 2, 3))) void manager_warn(struct manager *m, const char *fmt, ...);

/* n random bytes as lower-case hex; a new string. */
char *manager_random_id(size_t n);

/* May it be a tracer's id, an instance's name? They become names of files and words of commands. */
bool manager_is_name(const char *s);

void runs_end(struct manager *m);     /* each is finished, and says so to its reader soon */
void tracers_stop(struct manager *m); /* all are freed; what is on disk stays */
void instances_stop(struct manager *m);

/* One that an earlier daemon had; what is lost of it, if that daemon crashed, is said. */
void instance_restore(struct manager *m, const struct instance_spec *spec, int64_t created);
