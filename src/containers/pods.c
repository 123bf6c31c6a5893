// SPDX-License-Identifier: Apache-2.0
#include "containers/pods.h"

#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"
#include "containers/internal.h"

void pods_init(struct pods *p)
{
	TAILQ_INIT(p);
}

static void clear(struct pod *p)
{
	free(take(p->ip));
	free(take(p->owner_kind));
	free(take(p->owner_name));
	labels_done(&p->labels);
}

static void drop(struct pods *all, struct pod *p)
{
	TAILQ_REMOVE(all, p, link);
	clear(p);
	free(p->uid);
	free(p);
}

void pods_done(struct pods *all)
{
	struct pod *p;

	while ((p = TAILQ_FIRST(all)))
		drop(all, p);
}

/* There are some hundred at most on a node. */
static struct pod *find(const struct pods *all, const char *uid)
{
	struct pod *p;

	TAILQ_FOREACH(p, all, link)
		if (!strcmp(p->uid, uid))
			return p;
	return NULL;
}

/* ---- containers ------------------------------------------------------------------ */

static bool add_text(char **to, const char *text)
{
	if (*to || !text)
		return false;
	*to = xstrdup(text);
	return true;
}

/* True: c has got something. */
static bool fill(struct container *c, const struct pod *p)
{
	bool more = add_text(&c->k8s_pod_ip, p->ip);

	more |= add_text(&c->k8s_owner_kind, p->owner_kind);
	more |= add_text(&c->k8s_owner_name, p->owner_name);
	if (!c->k8s_labels.n && p->labels.n) {
		labels_merge(&c->k8s_labels, &p->labels);
		labels_sort(&c->k8s_labels);
		more = true;
	}
	return more;
}

void pods_fill(const struct pods *all, struct container *c)
{
	const struct pod *p = c->k8s_pod_uid ? find(all, c->k8s_pod_uid) : NULL;

	if (p)
		fill(c, p);
}

static void fill_its_containers(struct containers *cs, const struct pod *p)
{
	struct entry *e;

	TAILQ_FOREACH(e, &cs->live, link)
		if (str_equal(e->container->k8s_pod_uid, p->uid) && fill(e->container, p))
			resolve_more(cs, e);
}

/* ---- what is told ---------------------------------------------------------------- */

void containers_pod(struct containers *cs, const struct pod_facts *facts)
{
	struct pod *p = find(&cs->pods, facts->uid);

	if (!p) {
		p = xnew(struct pod);
		p->uid = xstrdup(facts->uid);
		TAILQ_INSERT_TAIL(&cs->pods, p, link);
	}
	clear(p);
	p->ip = xstrdup(facts->ip);
	p->owner_kind = xstrdup(facts->owner_kind);
	p->owner_name = xstrdup(facts->owner_name);
	labels_merge(&p->labels, &facts->labels);
	p->listed = true;
	fill_its_containers(cs, p);
}

void containers_pod_gone(struct containers *cs, const char *uid)
{
	struct pod *p = find(&cs->pods, uid);

	if (p)
		drop(&cs->pods, p);
}

void containers_pods_begin(struct containers *cs)
{
	struct pod *p;

	TAILQ_FOREACH(p, &cs->pods, link)
		p->listed = false;
}

void containers_pods_end(struct containers *cs)
{
	struct pod *p = TAILQ_FIRST(&cs->pods), *next;

	for (; p; p = next) {
		next = TAILQ_NEXT(p, link);
		if (!p->listed)
			drop(&cs->pods, p);
	}
}
