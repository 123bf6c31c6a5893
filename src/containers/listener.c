// SPDX-License-Identifier: Apache-2.0
#include "containers/listener.h"

#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "containers/daemon.h"

#define FIRST_PAUSE_NS 1000000000ull
#define LAST_PAUSE_NS 64000000000ull

/* ---- the stream ------------------------------------------------------------------ */

void listener_begin(struct listener *l, struct daemon *d, void (*open)(struct listener *l))
{
	*l = (struct listener){.daemon = d, .open = open, .pause_ns = FIRST_PAUSE_NS};
	TAILQ_INIT(&l->heard);
	open(l);
}

static void forget(struct listener *l, struct heard *h)
{
	TAILQ_REMOVE(&l->heard, h, link);
	l->n_heard--;
	free(h->id);
	free(h->namespace_);
	free(h->name);
	free(h->image);
	labels_done(&h->labels);
	free(h);
}

void listener_done(struct listener *l)
{
	struct heard *h;

	timer_stop(&l->again);
	while ((h = TAILQ_FIRST(&l->heard)))
		forget(l, h);
}

static void on_again(void *ctx)
{
	struct listener *l = ctx;

	l->open(l);
}

void listener_ended(struct listener *l)
{
	timer_start(&l->again, l->daemon->reactor, l->pause_ns, on_again, l);
	if (l->pause_ns < LAST_PAUSE_NS)
		l->pause_ns *= 2;
}

/* ---- what was heard -------------------------------------------------------------- */

static bool is_text(const char *text)
{
	return text && *text && strlen(text) <= MAX_HEARD_TEXT_BYTES;
}

void heard_set(char **to, const char *text)
{
	if (!is_text(text))
		return;
	free(*to);
	*to = xstrdup(text);
}

void heard_set_labels(struct heard *h, const struct labels *from)
{
	size_t size = 0;

	for (size_t i = 0; i < from->n; i++)
		size += strlen(from->items[i].key) + strlen(from->items[i].value);
	labels_done(&h->labels);
	h->has_labels = size <= MAX_HEARD_LABELS_BYTES;
	for (size_t i = 0; h->has_labels && i < from->n; i++)
		labels_add(&h->labels, from->items[i].key, from->items[i].value);
}

struct heard *listener_hear(struct listener *l, const char *namespace_, const char *id)
{
	struct heard *h;

	if (!is_text(id) || strlen(namespace_) > MAX_HEARD_TEXT_BYTES)
		return NULL;
	l->pause_ns = FIRST_PAUSE_NS; /* it works */
	TAILQ_FOREACH(h, &l->heard, link)
		if (!strcmp(h->id, id) && !strcmp(h->namespace_, namespace_))
			break;
	if (h) {
		TAILQ_REMOVE(&l->heard, h, link);
	} else {
		if (l->n_heard == MAX_HEARD)
			forget(l, TAILQ_LAST(&l->heard, heard_list));
		h = xnew(struct heard);
		h->id = xstrdup(id);
		h->namespace_ = xstrdup(namespace_);
		l->n_heard++;
	}
	TAILQ_INSERT_HEAD(&l->heard, h, link);
	return h;
}

const struct heard *listener_find(const struct listener *l, const char *id, uint32_t pid)
{
	const struct heard *found = NULL, *h;

	if (!l || !id)
		return NULL;
	TAILQ_FOREACH(h, &l->heard, link) {
		if (strcmp(h->id, id))
			continue;
		if (h->pid == pid)
			return h;
		if (!h->pid && !found)
			found = h;
	}
	return found;
}
