// SPDX-License-Identifier: Apache-2.0
#include "recorder/trigger.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "columns/filter.h"
#include "containers/container.h"

enum { MAX_ANY = 2 };

/* A signal that nobody sends to end a program in the usual way. */
#define FAULT                                                                      \
	"signal!=0,signal!=SIGTERM,signal!=SIGINT,signal!=SIGHUP,signal!=SIGQUIT," \
	"signal!=SIGKILL,signal!=SIGPIPE,signal!=SIGALRM,signal!=SIGUSR1,signal!=SIGUSR2"

static const struct known {
	const char *name, *gadget;
	const char *any[MAX_ANY]; /* one must hold; none: every record tells */
	bool first_process;	  /* only of the container's */
} known[] = {
	{"exit", "trace_exit", {"exit_code!=0", "signal!=0"}, true},
	{"signal", "trace_exit", {FAULT}, false},
	{"oom", "trace_oomkill", {0}, false},
};

struct trigger {
	char *name, *gadget;
	bool first_process;
	struct filter *any[MAX_ANY];
	struct bound_filter *bound[MAX_ANY];
	size_t n;
	const struct field *pid; /* NULL: not asked for */
};

const char *const *trigger_names(void)
{
	static const char *names[array_size(known) + 1];

	for (size_t i = 0; i < array_size(known); i++)
		names[i] = known[i].name;
	return names;
}

/* ---- life ------------------------------------------------------------------------ */

static int add(struct trigger *t, const char *expression, struct err *err)
{
	int r = filter_parse(expression, &t->any[t->n], err);

	t->n += !r;
	return r;
}

static int made(struct trigger *t, int r, struct trigger **ret)
{
	if (r)
		trigger_free(t);
	else
		*ret = t;
	return r;
}

int trigger_new(const char *on, struct trigger **ret, struct err *err)
{
	struct trigger *t;
	int r = 0;

	for (size_t i = 0; i < array_size(known); i++) {
		if (strcmp(known[i].name, on))
			continue;
		t = xnew(struct trigger);
		t->name = xstrdup(on);
		t->gadget = xstrdup(known[i].gadget);
		t->first_process = known[i].first_process;
		for (size_t j = 0; !r && j < MAX_ANY && known[i].any[j]; j++)
			r = add(t, known[i].any[j], err);
		return made(t, r, ret);
	}
	return err_set(err, -EINVAL, "a ring is dumped on exit, signal or oom, not on '%s'", on);
}

int trigger_when(const char *text, struct trigger **ret, struct err *err)
{
	size_t len = strcspn(text, ": ");
	const char *colon = text + len + strspn(text + len, " ");
	struct trigger *t;

	if (!len || *colon != ':')
		return err_set(
			err, -EINVAL,
			"'%s' is not GADGET: EXPRESSION, such as 'trace_open: error==EMFILE'",
			text);
	t = xnew(struct trigger);
	t->name = xstrdup("when");
	t->gadget = xstrndup(text, len);
	colon++;
	return made(t, add(t, colon + strspn(colon, " "), err), ret);
}

struct trigger *trigger_free(struct trigger *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n; i++) {
		bound_filter_free(t->bound[i]);
		filter_free(t->any[i]);
	}
	free(t->name);
	free(t->gadget);
	free(t);
	return NULL;
}

const char *trigger_name(const struct trigger *t)
{
	return t->name;
}

const char *trigger_gadget(const struct trigger *t)
{
	return t->gadget;
}

/* ---- records --------------------------------------------------------------------- */

int trigger_bind(struct trigger *t, const struct schema *s, const struct clock_base *clock,
		 struct err *err)
{
	size_t conditions;
	int r = 0;

	if (t->first_process) {
		t->pid = schema_require(s, "proc.pid", err);
		if (!t->pid)
			return -ENOENT;
	}
	for (size_t i = 0; !r && i < t->n; i++)
		r = filter_bind(t->any[i], s, clock, true, &t->bound[i], &conditions, err);
	return r;
}

bool trigger_fires(const struct trigger *t, const struct row *row)
{
	const struct container *c = row->part[PART_CONTAINER];
	int64_t pid;

	if (t->first_process && (!c || !row_number(row, t->pid, &pid) || pid != (int64_t)c->pid))
		return false;
	for (size_t i = 0; i < t->n; i++)
		if (filter_match(t->bound[i], row))
			return true;
	return !t->n;
}
