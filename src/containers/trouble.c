// SPDX-License-Identifier: Apache-2.0
#include "containers/trouble.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"

#define MAX_SAID 16

struct trouble {
	void (*warn)(void *ctx, const char *text);
	void *ctx;
	char *said[MAX_SAID]; /* paths */
	size_t n_said, count;
};

struct trouble *trouble_new(void (*warn)(void *ctx, const char *text), void *ctx)
{
	struct trouble *t = xnew(struct trouble);

	t->warn = warn;
	t->ctx = ctx;
	return t;
}

struct trouble *trouble_free(struct trouble *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < t->n_said; i++)
		free(t->said[i]);
	free(t);
	return NULL;
}

void trouble_say(struct trouble *t, const char *text)
{
	if (t->warn)
		t->warn(t->ctx, text);
}

static bool was_said(const struct trouble *t, const char *path)
{
	for (size_t i = 0; i < t->n_said; i++)
		if (!strcmp(t->said[i], path))
			return true;
	return false;
}

static void say(struct trouble *t, const char *path, int r)
{
	_cleanup_(freep) char *text =
		xasprintf("%s: %s; what it would tell of its container is left out", path,
			  r == -EINVAL ? "not what a runtime writes" : strerror(-r));

	t->said[t->n_said++] = xstrdup(path);
	trouble_say(t, text);
}

int trouble_file(struct trouble *t, const char *path, int r)
{
	if (!t || !r || r == -ENOENT || r == -ENOTDIR || r == -ESRCH || was_said(t, path))
		return r;
	t->count++;
	if (t->n_said < MAX_SAID)
		say(t, path, r);
	return r;
}

size_t trouble_count(const struct trouble *t)
{
	return t->count;
}
