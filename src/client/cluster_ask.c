// SPDX-License-Identifier: Apache-2.0
/* A question to a service of nodes' agents that is not gRPC, by an exec of its own at each. */
#include <poll.h>
#include <string.h>

#include "base/mem.h"
#include "client/cluster_internal.h"
#include "kube/exec.h"
#include "net/http1.h"
#include "net/transport.h"

#define AT_ONCE 32 /* nodes */
#define ANSWER_NS (60 * 1000000000ull)

struct asking {
	struct cluster *cluster;
	const struct cluster_question *question;
	size_t next;  /* node that comes to be asked */
	size_t asked; /* that have not answered */
};

struct asked {
	struct asking *all;
	struct cluster_node *node;
};

static void ask_more(struct asking *a);

static void answer(struct asked *q, const struct err *err, unsigned int status, struct buf *body)
{
	struct asking *all = q->all;
	struct err why = {0};

	if (err) {
		why = *err;
		reach_explain(&why);
	}
	all->asked--;
	all->question->fn(
		all->question->ctx, q->node,
		&(struct cluster_answer){.err = err ? &why : NULL, .status = status, .body = body});
	free(q);
	ask_more(all);
}

static void on_answer(void *ctx, const struct err *err, unsigned int status, struct buf *body)
{
	answer(ctx, err, status, body);
}

static void on_exec(void *ctx, const struct err *err, struct transport *t)
{
	struct asked *q = ctx;
	const struct cluster_question *question = q->all->question;

	if (err)
		answer(q, err, 0, NULL);
	else
		http1_get_by(q->all->cluster->reactor, t, question->path, question->max_body,
			     ANSWER_NS, on_answer, q);
}

/* False: it failed, and will not answer. */
static bool ask(struct asking *a, struct reach *r, struct err *err)
{
	const struct kube_program p = {.namespace_ = r->agent.namespace_,
				       .pod = r->agent.pod,
				       .container = AGENT_CONTAINER,
				       .argv = a->question->program};
	struct asked *q = xnew(struct asked);

	*q = (struct asked){a, &r->node};
	a->asked++;
	if (kube_exec(a->cluster->kube, &p, on_exec, q, err))
		return true;
	a->asked--;
	free(q);
	return false;
}

static bool is_asked(const struct asking *a, const struct reach *r)
{
	return a->question->only ? a->question->only == &r->node : r->node.remote != NULL;
}

static void ask_more(struct asking *a)
{
	while (a->asked < AT_ONCE && a->next < a->cluster->n) {
		struct reach *r = a->cluster->nodes[a->next++];
		struct err err = {0};

		if (is_asked(a, r) && !ask(a, r, &err))
			a->question->fn(a->question->ctx, &r->node,
					&(struct cluster_answer){.err = &err});
	}
}

/* Each question has a deadline, so that this ends. */
int cluster_ask(struct cluster *c, const struct cluster_question *question, struct err *err)
{
	struct pollfd p = {.fd = reactor_fd(c->reactor), .events = POLLIN};
	struct asking a = {.cluster = c, .question = question};

	ask_more(&a);
	while (a.asked) {
		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			return err_set(err, -errno, "waiting for the nodes: %s", strerror(errno));
		reactor_dispatch(c->reactor);
	}
	return 0;
}
