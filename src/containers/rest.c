// SPDX-License-Identifier: Apache-2.0
#include "containers/rest.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "net/http1.h"

#define DEADLINE_NS 10000000000ull /* the asker has gone on long before */

/* question->work */
struct rest_work {
	struct http1_get *get;
	rest_fill_fn *fill;
};

static void finish(struct question *q, bool known)
{
	free(q->work);
	q->work = NULL;
	question_answer(q, known);
}

static void on_answer(void *ctx, const struct err *err, unsigned int status, struct buf *body)
{
	struct question *q = ctx;
	struct rest_work *work = q->work;
	enum rest r = REST_UNKNOWN;
	char text[32];

	work->get = NULL;
	if (!err && status == 200)
		r = work->fill(q, buf_cstr(body), body->len);
	else if (!err && status == 404)
		r = work->fill(q, NULL, 0);
	if (r == REST_MORE)
		return;
	if (r == REST_UNKNOWN && status != 404) { /* which is an answer: it is gone */
		snprintf(text, sizeof(text), status == 200 ? "not JSON" : "status %u", status);
		daemon_failed(q->daemon, err ? err->text : text);
	}
	finish(q, r == REST_KNOWN);
}

void rest_get(struct question *q, const char *path, rest_fill_fn *fill)
{
	struct rest_work *work = q->work;
	struct err err;
	int fd = daemon_connect(q->daemon, &err);

	if (!work)
		work = q->work = xnew(struct rest_work);
	work->fill = fill;
	if (fd >= 0) {
		work->get = http1_get(q->daemon->reactor, fd, path, MAX_CONFIG_BYTES, DEADLINE_NS,
				      on_answer, q);
		return;
	}
	daemon_failed(q->daemon, err.text);
	finish(q, false);
}

void rest_forget(struct daemon *d, struct question *q)
{
	struct rest_work *work = q->work;

	if (work)
		http1_cancel(work->get);
	free(work);
	q->work = NULL;
}
