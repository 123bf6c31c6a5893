// SPDX-License-Identifier: Apache-2.0
/* Which daemon is asked, over which socket, and who waits for what. See daemon.h. */
#include "containers/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "containers/containers.h"
#include "containers/hostfs.h"
#include "net/unix.h"

struct daemon_entry {
	struct daemon daemon;
	struct daemons *all;
	struct questions questions;
	bool failed; /* and that was said */
};

struct daemons {
	struct daemons_options o;
	char *host_root;
	struct reactor *reactor;
	struct daemon_entry *entries[MAX_DAEMONS];
	size_t n;
	bool absent_said[MAX_DAEMONS]; /* by the runtime's order of registration */
};

struct daemons *daemons_new(const struct daemons_options *o, struct reactor *r)
{
	struct daemons *ds = xnew(struct daemons);

	ds->o = *o;
	ds->host_root = xstrdup(o->host_root ?: "");
	ds->reactor = r;
	return ds;
}

struct daemons *daemons_free(struct daemons *ds)
{
	if (!ds)
		return NULL;
	for (size_t i = 0; i < ds->n; i++) {
		struct daemon *d = &ds->entries[i]->daemon;

		if (d->runtime->daemon->close)
			d->runtime->daemon->close(d);
		free(d->socket);
		free(ds->entries[i]);
	}
	free(ds->host_root);
	free(ds);
	return NULL;
}

/* ---- finding the socket ---------------------------------------------------------- */

static const char *given_socket(const struct daemons *ds, const char *runtime)
{
	for (const struct runtime_socket *s = ds->o.sockets; s && s->runtime; s++)
		if (!strcmp(s->runtime, runtime))
			return s->path;
	return NULL;
}

static bool exists(const struct daemons *ds, const char *path)
{
	_cleanup_(closep) int fd = host_open(ds->host_root, path, O_PATH);

	return fd >= 0;
}

static const char *find_socket(const struct daemons *ds, const struct runtime *r,
			       const struct clues *clues)
{
	const char *path = given_socket(ds, r->name);

	if (path)
		return path;
	path = r->daemon->socket_of ? r->daemon->socket_of(clues) : NULL;
	if (path && exists(ds, path))
		return path;
	for (const char *const *usual = r->daemon->sockets; *usual; usual++)
		if (exists(ds, *usual))
			return *usual;
	return NULL;
}

static struct daemon *daemon_of(struct daemons *ds, const struct runtime *r, const char *socket)
{
	struct daemon_entry *e;

	for (size_t i = 0; i < ds->n; i++) {
		struct daemon *d = &ds->entries[i]->daemon;

		if (d->runtime == r && !strcmp(d->socket, socket))
			return d;
	}
	if (ds->n == MAX_DAEMONS)
		return NULL;
	e = xnew(struct daemon_entry);
	e->all = ds;
	TAILQ_INIT(&e->questions);
	e->daemon = (struct daemon){
		.runtime = r,
		.reactor = ds->reactor,
		.socket = xstrdup(socket),
	};
	ds->entries[ds->n++] = e;
	if (r->daemon->listen)
		r->daemon->listen(&e->daemon);
	return &e->daemon;
}

/* ---- the runtime's side ---------------------------------------------------------- */

static void warn(struct daemons *ds, const char *text)
{
	if (ds->o.warn)
		ds->o.warn(ds->o.warn_ctx, text);
}

int daemon_connect(struct daemon *d, struct err *err)
{
	const struct daemon_entry *e = container_of(d, struct daemon_entry, daemon);
	_cleanup_(closep) int path = host_open(e->all->host_root, d->socket, O_PATH);
	int fd = path < 0 ? path : unix_connect(path);

	return fd < 0 ? err_set(err, fd, "%s", strerror(-fd)) : fd;
}

void daemon_failed(struct daemon *d, const char *why)
{
	struct daemon_entry *e = container_of(d, struct daemon_entry, daemon);
	_cleanup_(freep) char *text = NULL;

	if (e->failed)
		return;
	e->failed = true;
	text = xasprintf("%s does not answer at %s: %s; what only it knows of its containers is "
			 "left out",
			 d->runtime->name, d->socket, why);
	warn(e->all, text);
}

/* q leaves both lists. */
static void end(struct question *q)
{
	struct daemon_entry *e = container_of(q->daemon, struct daemon_entry, daemon);

	TAILQ_REMOVE(&e->questions, q, link);
}

void question_answer(struct question *q, bool known)
{
	end(q);
	q->answered(q->ctx, q, known);
	free(q);
}

/* ---- the asker's side ------------------------------------------------------------ */

static void say_absent(struct daemons *ds, const struct runtime *r)
{
	size_t n = 0;

	for_each_registered(ig_runtimes, it) {
		if (*it == r && n < MAX_DAEMONS && !ds->absent_said[n]) {
			_cleanup_(freep) char *text =
				xasprintf("no socket of %s was found; what only it knows of its "
					  "containers is left "
					  "out (--%s-socketpath names it)",
					  r->name, r->name);

			ds->absent_said[n] = true;
			warn(ds, text);
		}
		n++;
	}
}

bool daemons_ask(struct daemons *ds, struct container *c, const struct clues *clues,
		 void (*answered)(void *ctx, struct question *q, bool known), void *ctx,
		 struct questions *to)
{
	bool all_asked = true;

	for_each_registered(ig_runtimes, it) {
		const struct runtime *r = *it;
		const char *socket;
		struct daemon *d;
		struct question *q;

		if (!r->daemon || !r->daemon->wants(c))
			continue;
		socket = find_socket(ds, r, clues);
		d = socket ? daemon_of(ds, r, socket) : NULL;
		if (!d) {
			if (!r->daemon->optional) {
				say_absent(ds, r);
				all_asked = false;
			}
			continue;
		}
		q = xnew(struct question);
		*q = (struct question){
			.container = c,
			.daemon = d,
			.answered = answered,
			.ctx = ctx,
		};
		TAILQ_INSERT_TAIL(&container_of(d, struct daemon_entry, daemon)->questions, q,
				  link);
		TAILQ_INSERT_TAIL(to, q, of_asker);
		r->daemon->ask(d, q);
	}
	return all_asked;
}

void daemons_listen(struct daemons *ds)
{
	static const struct clues none;

	for_each_registered(ig_runtimes, it) {
		const struct runtime *r = *it;
		const char *socket;

		if (!r->daemon || !r->daemon->listen)
			continue;
		socket = find_socket(ds, r, &none);
		if (socket && exists(ds, socket))
			daemon_of(ds, r, socket);
	}
}

void questions_drop(struct questions *qs)
{
	struct question *q;

	while ((q = TAILQ_FIRST(qs))) {
		TAILQ_REMOVE(qs, q, of_asker);
		q->daemon->runtime->daemon->forget(q->daemon, q);
		end(q);
		free(q);
	}
}
