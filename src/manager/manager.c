// SPDX-License-Identifier: Apache-2.0
#include "manager/manager.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "manager/internal.h"
#include "manager/ledger.h"
#include "manager/pins.h"
#include "manager/store.h"

void manager_warn(struct manager *m, const char *fmt, ...)
{
	char text[600];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (m->warn)
		m->warn(m->warn_ctx, text);
}

char *manager_random_id(size_t n)
{
	unsigned char bytes[32];
	char *id = xcalloc(2 * n + 1, 1);

	if (n > sizeof(bytes) || getrandom(bytes, n, 0) != (ssize_t)n)
		abort();
	for (size_t i = 0; i < n; i++)
		snprintf(id + 2 * i, 3, "%02x", bytes[i]);
	return id;
}

bool manager_is_name(const char *s)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";
	size_t len = strlen(s);

	return len && len <= MAX_NAME_BYTES && strspn(s, letters) == len && s[0] != '.';
}

/* ---- life ------------------------------------------------------------------------ */

static int open_all(struct manager *m, const struct manager_options *o, struct err *err)
{
	int r = o->pin_dir ? pins_open(o->pin_dir, &m->pins, err) : 0;

	if (!r && o->state_dir)
		r = store_open(o->state_dir, &m->store, err);
	r = r ?: containers_new(&o->containers, &m->containers, err);
	return r ?: traces_new(m->containers, NULL, &m->traces, err);
}

int manager_new(struct reactor *reactor, const struct manager_options *o, struct manager **ret,
		struct err *err)
{
	struct manager *m = xnew(struct manager);
	int r;

	m->reactor = reactor;
	m->statistics_fd = -1;
	m->warn = o->warn;
	m->warn_ctx = o->warn_ctx;
	TAILQ_INIT(&m->runs);
	TAILQ_INIT(&m->tracers);
	TAILQ_INIT(&m->instances);
	TAILQ_INIT(&m->ledgers);
	clock_base_now(&m->clock);
	r = open_all(m, o, err);
	if (r) {
		manager_free(m);
		return r;
	}
	*ret = m;
	return 0;
}

static void on_traces(void *ctx, uint32_t events)
{
	struct manager *m = ctx;

	traces_dispatch(m->traces);
}

static void restore_tracer(void *ctx, const char *id, const struct selector_options *o)
{
	struct manager *m = ctx;
	struct tracer_spec spec = {.id = id, .selector = *o};
	struct tracer *t;
	struct err err = {0};

	if (tracer_add(m, &spec, &t, &err))
		manager_warn(m, "tracer %s is not kept: %s", id, err.text);
}

static void restore_instance(void *ctx, const struct instance_spec *spec, int64_t created)
{
	instance_restore(ctx, spec, created);
}

static void say_bad_file(void *ctx, const char *path, const struct err *err)
{
	manager_warn(ctx, "%s is not readable and is left as it is: %s", path, err->text);
}

int manager_start(struct manager *m, struct err *err)
{
	const struct store_reader restore = {m, restore_tracer, restore_instance, say_bad_file};
	int r = containers_start(m->containers, err);

	r = r ?: traces_start(m->traces, err);
	if (!r) {
		r = watch_add(&m->watch, m->reactor, traces_fd(m->traces), EPOLLIN, on_traces, m);
		if (r)
			err_set(err, r, "waiting for records: %s", strerror(-r));
	}
	if (r || !m->store)
		return r;
	store_each(m->store, &restore);
	return store_begin(m->store, err);
}

void manager_stop(struct manager *m)
{
	instances_stop(m);
	runs_end(m);
	traces_stop(m->traces);
	watch_remove(&m->watch); /* nobody reads it any more */
	tracers_stop(m);
	m->store = store_close(m->store);
	m->pins = pins_close(m->pins);
}

struct manager *manager_free(struct manager *m)
{
	if (!m)
		return NULL;
	instances_stop(m);
	tracers_stop(m);
	ledgers_free(m);
	watch_remove(&m->watch);
	timer_stop(&m->statistics_timer);
	closep(&m->statistics_fd);
	traces_free(m->traces);
	containers_free(m->containers);
	store_close(m->store);
	pins_close(m->pins);
	free(m);
	return NULL;
}

/* ---- what it has ----------------------------------------------------------------- */

struct reactor *manager_reactor(struct manager *m)
{
	return m->reactor;
}

struct containers *manager_containers(struct manager *m)
{
	return m->containers;
}

struct traces *manager_traces(struct manager *m)
{
	return m->traces;
}

const struct clock_base *manager_clock(struct manager *m)
{
	return &m->clock;
}
