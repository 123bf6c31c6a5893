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

static enum row_fate on_row(void *ctx, unsigned int source, const struct row *row, bool late)
{
	struct instance *i = ctx;
	struct instance_attachment *a;

	history_add(i->history, source, row, late);
	if (i->archive) {
		archive_row(i->archive, source, row);
		check_archive(i);
	}
	TAILQ_FOREACH(a, &i->readers, link)
		a->reader.rows.row(a->reader.rows.ctx, source, row, late);
	return ROW_DELIVERED;
}

static void on_table_end(void *ctx, unsigned int source)
{
	struct instance *i = ctx;
	struct instance_attachment *a;

	history_table_end(i->history, source);
	if (i->archive)
		archive_table_end(i->archive, source);
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

/* Its time is over; what it told can be read until it is removed. */
static void on_ended(void *ctx)
{
	struct instance *i = ctx;
	const struct err *why = run_failure(i->run);

	run_finish(i->run);
	if (why)
		i->error = *why;
	else
		err_set(&i->error, -ESRCH, "it has ended");
	i->run = run_free(i->run);
	end_readers(i);
}

static void copy_spec(struct instance_spec *to, const struct instance_spec *from)
{
	char **tags = xnew_n(char *, from->n_tags + 1);

	for (size_t t = 0; t < from->n_tags; t++)
		tags[t] = xstrdup(from->tags[t]);
	*to = (struct instance_spec){
		.id = from->id && *from->id ? xstrdup(from->id) : manager_random_id(16),
		.name = from->name && *from->name ? xstrdup(from->name)
						  : run_spec_gadget(from->run.image ?: ""),
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
	};

	if (again)
		archive_read(&o, i->history);
	i->archive = archive_new(i->manager->reactor, &o);
}

/* again: it ran before this daemon did. */
static int start(struct instance *i, bool again, struct err *err)
{
	struct run_reader reader = {.ctx = i,
				    .row = on_row,
				    .table_end = on_table_end,
				    .lost = on_lost,
				    .ended = on_ended};
	int r = run_new(i->manager, &i->spec.run, &reader, &i->run, err);

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
	copy_spec(&i->spec, spec);
	i->history = history_new(i->spec.history, MAX_HISTORY_BYTES);
	TAILQ_INSERT_TAIL(&m->instances, i, link);
	m->n_instances++;
	return i;
}

static bool is_hex(const char *s)
{
	return strspn(s, "0123456789abcdef") == strlen(s);
}

static bool is_named(const struct instance *i, const char *word)
{
	return !strcmp(i->spec.id, word) || !strcmp(i->spec.name, word);
}

/* A new one, as a client wants it. */
static int check_spec(struct manager *m, const struct instance_spec *spec, struct err *err)
{
	struct instance *i;

	if (spec->id && (!is_hex(spec->id) || strlen(spec->id) > 64))
		return err_set(err, -EINVAL, "an instance's id is lower-case hex, not '%s'",
			       spec->id);
	if (spec->name && (strlen(spec->name) > MAX_TRACER_ID_BYTES || strchr(spec->name, '/')))
		return err_set(err, -EINVAL, "an instance's name is at most %d bytes without '/'",
			       MAX_TRACER_ID_BYTES);
	if (m->n_instances == MAX_TRACERS)
		return err_set(err, -ENOSPC, "more than %d instances", MAX_TRACERS);
	TAILQ_FOREACH(i, &m->instances, link) {
		if (spec->id && *spec->id && !strcmp(i->spec.id, spec->id))
			return err_set(err, -EEXIST, "instance %s is there already", spec->id);
		if (spec->name && *spec->name && is_named(i, spec->name))
			return err_set(err, -EEXIST, "an instance is called '%s' already",
				       spec->name);
	}
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

void instance_restore(struct manager *m, const struct instance_spec *spec, int64_t created)
{
	struct instance *i = instance_new(m, spec, created);

	if (start(i, true, &i->error))
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
	TAILQ_FOREACH(i, &m->instances, link) {
		if (is_named(i, id_or_name))
			return i;
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
