// SPDX-License-Identifier: Apache-2.0
#include "manager/instance.h"

#include <string.h>
#include <time.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "manager/archive.h"
#include "manager/internal.h"
#include "manager/store.h"

struct instance_attachment {
	TAILQ_ENTRY(instance_attachment) link;
	struct instance *instance;
	struct instance_reader reader;
};

struct instance {
	TAILQ_ENTRY(instance) link;
	struct manager *manager;
	struct instance_spec spec; /* owns its texts */
	int64_t created;
	struct run *run; /* NULL: it has ended, or could not be started */
	struct err error;
	struct history *history;
	struct archive *archive; /* NULL: nothing is kept on disk */
	bool archive_failed;	 /* and that was said */
	TAILQ_HEAD(, instance_attachment) readers;
	size_t n_readers;
};

/* ---- rows ------------------------------------------------------------------------ */

static void check_archive(struct instance *i)
{
	if (i->archive_failed || !i->archive || !archive_error(i->archive))
		return;
	i->archive_failed = true;
	manager_warn(i->manager, "instance %s: %s", i->spec.name, archive_error(i->archive));
}

static void keep_row(void *ctx, unsigned int source, const struct row *row, bool late)
{
	struct instance *i = ctx;

	if (!i->archive)
		return;
	archive_row(i->archive, source, row);
	check_archive(i);
}

static void keep_table_end(void *ctx, unsigned int source)
{
	struct instance *i = ctx;

	if (i->archive)
		archive_table_end(i->archive, source);
}

static enum row_fate on_row(void *ctx, unsigned int source, const struct row *row, bool late)
{
	struct instance *i = ctx;
	struct instance_attachment *a;

	history_add(i->history, source, row, late);
	keep_row(i, source, row, late);
	TAILQ_FOREACH(a, &i->readers, link)
		a->reader.rows.row(a->reader.rows.ctx, source, row, late);
	return ROW_DELIVERED;
}

static void on_table_end(void *ctx, unsigned int source)
{
	struct instance *i = ctx;
	struct instance_attachment *a;

	history_table_end(i->history, source);
	keep_table_end(i, source);
	TAILQ_FOREACH(a, &i->readers, link)
		if (a->reader.rows.table_end)
			a->reader.rows.table_end(a->reader.rows.ctx, source);
}

static void on_lost(void *ctx, struct container *c, uint64_t count)
{
	struct instance *i = ctx;
	struct instance_attachment *a;

	TAILQ_FOREACH(a, &i->readers, link)
		if (a->reader.lost)
			a->reader.lost(a->reader.rows.ctx, c, count);
}

/* ---- life ------------------------------------------------------------------------ */

static void end_readers(struct instance *i)
{
	struct instance_attachment *a;

	while ((a = TAILQ_FIRST(&i->readers))) {
		struct instance_reader reader = a->reader;

		instance_detach(a);
		reader.ended(reader.rows.ctx);
	}
}

static int has_ended(struct err *err)
{
	return err_set(err, -ESRCH, "it has ended");
}

/* Its time is over: it is listed, with that, until it is removed. */
static void on_ended(void *ctx)
{
	struct instance *i = ctx;
	const struct err *why = run_failure(i->run);

	run_finish(i->run);
	if (why)
		i->error = *why;
	else
		has_ended(&i->error);
	i->run = run_free(i->run);
	end_readers(i);
}

static struct instance *called(struct manager *m, const char *name)
{
	struct instance *i;

	TAILQ_FOREACH(i, &m->instances, link)
		if (!strcmp(i->spec.id, name) || !strcmp(i->spec.name, name))
			return i;
	return NULL;
}

/* The gadget's name, or that and a number. */
static char *free_name(struct manager *m, const char *image)
{
	_cleanup_(freep) char *gadget = run_spec_gadget(image);
	char *name = xstrdup(gadget);

	for (int n = 2; called(m, name); n++) {
		free(name);
		name = xasprintf("%s-%d", gadget, n);
	}
	return name;
}

static void copy_spec(struct manager *m, struct instance_spec *to, const struct instance_spec *from)
{
	char **tags = xnew_n(char *, from->n_tags + 1);

	for (size_t t = 0; t < from->n_tags; t++)
		tags[t] = xstrdup(from->tags[t]);
	*to = (struct instance_spec){
		.id = from->id && *from->id ? xstrdup(from->id) : manager_random_id(16),
		.name = from->name && *from->name ? xstrdup(from->name)
						  : free_name(m, from->run.image ?: ""),
		.tags = (const char *const *)tags,
		.n_tags = from->n_tags,
		.history = from->history ?: MAX_HISTORY_RECORDS,
	};
	if (to->history > MAX_INSTANCE_HISTORY)
		to->history = MAX_INSTANCE_HISTORY;
	run_spec_copy(&to->run, &from->run);
}

static void instance_free(struct instance *i)
{
	if (i->run)
		run_finish(i->run); /* readers get the last rows */
	end_readers(i);
	run_free(i->run);
	TAILQ_REMOVE(&i->manager->instances, i, link);
	i->manager->n_instances--;
	archive_free(i->archive);
	history_free(i->history);
	for (size_t t = 0; t < i->spec.n_tags; t++)
		free((char *)i->spec.tags[t]);
	free((void *)i->spec.tags);
	free((char *)i->spec.id);
	free((char *)i->spec.name);
	run_spec_done(&i->spec.run);
	free(i);
}

static void open_archive(struct instance *i, bool again)
{
	struct archive_options o = {
		.dir_fd = store_instances_fd(i->manager->store),
		.name = i->spec.id,
		.max_rows = i->spec.history,
		.gadget = run_gadget(i->run),
		.clock = &i->manager->clock,
		.versions = &i->manager->old_versions,
	};

	const struct history_reader rewrite = {i, keep_row, keep_table_end};

	if (again)
		archive_read(&o, i->history);
	i->archive = archive_new(i->manager->reactor, &o);
	/* In one file again: the older one goes when that is full, and not with each restart. */
	history_each(i->history, UINT64_MAX, &rewrite);
}

/* Of its time, in ns; 0: it is over. */
static uint64_t time_left(const struct instance *i)
{
	int64_t ran_s = time(NULL) - i->created;
	uint64_t ran_ns = ran_s > 0 ? (uint64_t)ran_s * 1000000000 : 0;

	return i->spec.run.timeout_ns > ran_ns ? i->spec.run.timeout_ns - ran_ns : 0;
}

/* again: it ran before this daemon did. */
static int start(struct instance *i, bool again, struct err *err)
{
	struct run_spec spec = i->spec.run;
	struct run_reader reader = {.ctx = i,
				    .row = on_row,
				    .table_end = on_table_end,
				    .lost = on_lost,
				    .ended = on_ended};
	int r;

	if (again && spec.timeout_ns) {
		spec.timeout_ns = time_left(i);
		if (!spec.timeout_ns)
			return has_ended(err);
	}
	r = run_new(i->manager, &spec, &reader, &i->run, err);
	if (r)
		return r;
	if (i->manager->store)
		open_archive(i, again);
	r = run_start(i->run, err);
	if (r)
		i->run = run_free(i->run);
	return r;
}

static struct instance *instance_new(struct manager *m, const struct instance_spec *spec,
				     int64_t created)
{
	struct instance *i = xnew(struct instance);

	i->manager = m;
	i->created = created;
	TAILQ_INIT(&i->readers);
	copy_spec(m, &i->spec, spec);
	i->history = history_new(i->spec.history, MAX_HISTORY_BYTES);
	TAILQ_INSERT_TAIL(&m->instances, i, link);
	m->n_instances++;
	return i;
}

static bool is_hex(const char *s)
{
	return strspn(s, "0123456789abcdef") == strlen(s);
}

/* A new one, as a client wants it. */
static int check_spec(struct manager *m, const struct instance_spec *spec, struct err *err)
{
	const char *id = spec->id ?: "", *name = spec->name ?: "";

	if (!is_hex(id) || strlen(id) > MAX_NAME_BYTES)
		return err_set(err, -EINVAL,
			       "an instance's id is at most %d digits of lower-case hex",
			       MAX_NAME_BYTES);
	if (*name && !manager_is_name(name))
		return err_set(err, -EINVAL,
			       "an instance's name is at most %d letters, digits and -_. and does "
			       "not begin with a dot",
			       MAX_NAME_BYTES);
	if (m->n_instances == MAX_TRACERS)
		return err_set(err, -ENOSPC, "more than %d instances", MAX_TRACERS);
	if (*id && called(m, id))
		return err_set(err, -EEXIST, "instance %s is there already", id);
	if (*name && called(m, name))
		return err_set(err, -EEXIST, "an instance is called '%s' already", name);
	return 0;
}

int instance_create(struct manager *m, const struct instance_spec *spec, struct instance **ret,
		    struct err *err)
{
	struct instance *i;
	int r = check_spec(m, spec, err);

	if (r)
		return r;
	i = instance_new(m, spec, time(NULL));
	r = start(i, false, err);
	if (!r && m->store)
		r = store_instance(m->store, &i->spec, i->created, err);
	if (r) {
		if (m->store)
			archive_remove(store_instances_fd(m->store), i->spec.id);
		instance_free(i);
		return r;
	}
	*ret = i;
	return 0;
}

static void date(char to[32], int64_t seconds)
{
	time_t t = (time_t)seconds;
	struct tm tm;

	strftime(to, 32, "%F %T", localtime_r(&t, &tm));
}

/* Rows were written a second after they came at the latest. Without any, all since the start of
 * that daemon, or of the instance, may be what was lost. */
static void say_crash(struct instance *i)
{
	struct manager *m = i->manager;
	int64_t begun = store_crashed(m->store);
	int64_t written = archive_written(store_instances_fd(m->store), i->spec.id);
	char since[32], until[32];

	begun = begun > i->created ? begun : i->created;
	date(since, written > begun ? written : begun);
	date(until, time(NULL));
	manager_warn(m,
		     "the daemon before this one crashed: instance %s has lost what happened "
		     "between %s and %s",
		     i->spec.name, since, until);
}

void instance_restore(struct manager *m, const struct instance_spec *spec, int64_t created)
{
	const char *image = spec->run.image;
	struct instance *i;
	struct err err;

	if (image && *image ? check_spec(m, spec, &err)
			    : err_set(&err, -EINVAL, "no gadget is named")) {
		manager_warn(m, "instance %s is not kept: %s", spec->id, err.text);
		return;
	}
	i = instance_new(m, spec, created);
	if (store_crashed(m->store))
		say_crash(i);
	if (start(i, true, &i->error) && i->error.code != -ESRCH)
		manager_warn(m, "instance %s is not running: %s", i->spec.name, i->error.text);
}

int instance_remove(struct manager *m, const char *id_or_name, struct err *err)
{
	struct instance *i = instance_find(m, id_or_name, err);

	if (!i)
		return err->code;
	i->archive = archive_free(i->archive);
	if (m->store) {
		store_forget_instance(m->store, i->spec.id);
		archive_remove(store_instances_fd(m->store), i->spec.id);
	}
	instance_free(i);
	return 0;
}

void instances_stop(struct manager *m)
{
	while (!TAILQ_EMPTY(&m->instances))
		instance_free(TAILQ_FIRST(&m->instances));
}

/* ---- what it is ------------------------------------------------------------------ */

struct instance *instance_find(struct manager *m, const char *id_or_name, struct err *err)
{
	struct instance *i, *found = NULL;
	size_t n = 0;

	if (!*id_or_name) {
		err_set(err, -EINVAL, "no instance is named");
		return NULL;
	}
	i = called(m, id_or_name);
	if (i)
		return i;
	TAILQ_FOREACH(i, &m->instances, link) {
		if (str_starts(i->spec.id, id_or_name)) {
			found = i;
			n++;
		}
	}
	if (n == 1)
		return found;
	if (n)
		err_set(err, -EINVAL, "%zu instances' ids begin with '%s'", n, id_or_name);
	else
		err_set(err, -ENOENT, "no instance '%s'", id_or_name);
	return NULL;
}

void manager_each_instance(struct manager *m, void (*fn)(void *ctx, struct instance *i), void *ctx)
{
	struct instance *i;

	TAILQ_FOREACH(i, &m->instances, link)
		fn(ctx, i);
}

void instance_facts(const struct instance *i, struct instance_facts *ret)
{
	*ret = (struct instance_facts){
		.id = i->spec.id,
		.name = i->spec.name,
		.tags = i->spec.tags,
		.n_tags = i->spec.n_tags,
		.created = i->created,
		.history = i->spec.history,
		.kept = history_rows(i->history),
		.readers = i->n_readers,
		.run_spec = &i->spec.run,
		.run = i->run,
		.error = i->run ? NULL : i->error.text,
	};
}

void instance_each_reader(const struct instance *i, void (*fn)(void *ctx, size_t queued), void *ctx)
{
	const struct instance_attachment *a;

	TAILQ_FOREACH(a, &i->readers, link)
		fn(ctx, a->reader.queued(a->reader.rows.ctx));
}

/* ---- readers --------------------------------------------------------------------- */

int instance_attach(struct instance *i, const struct instance_reader *reader, uint64_t last,
		    struct instance_attachment **ret, struct err *err)
{
	struct instance_attachment *a;

	if (!i->run)
		return err_set(err, -ESRCH, "instance %s does not run: %s", i->spec.name,
			       i->error.text);
	if (i->n_readers == MAX_READERS)
		return err_set(err, -ENOSPC, "instance %s has %d readers already", i->spec.name,
			       MAX_READERS);
	a = xnew(struct instance_attachment);
	a->instance = i;
	a->reader = *reader;
	history_each(i->history, last, &reader->rows);
	TAILQ_INSERT_TAIL(&i->readers, a, link);
	i->n_readers++;
	*ret = a;
	return 0;
}

void instance_detach(struct instance_attachment *a)
{
	if (!a)
		return;
	TAILQ_REMOVE(&a->instance->readers, a, link);
	a->instance->n_readers--;
	free(a);
}
