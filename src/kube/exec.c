// SPDX-License-Identifier: Apache-2.0
#include "kube/exec.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "kube/channels.h"
#include "kube/kube.h"
#include "net/websocket.h"

#define DIAL_NS (15 * 1000000000ull)

struct kube_exec {
	struct websocket_dial *dial;
	char *pod;
	kube_exec_fn *fn;
	void *ctx;
};

static void destroy(struct kube_exec *e)
{
	free(e->pod);
	free(e);
}

struct kube_exec *kube_exec_cancel(struct kube_exec *e)
{
	if (e) {
		websocket_cancel(e->dial);
		destroy(e);
	}
	return NULL;
}

/*
 * That the pod is gone, or its kubelet does not answer (to the API server: status 500), is of the
 * node.
 */
static void refuse(const struct kube_exec *e, const struct websocket_answer *a, struct err *err)
{
	kube_refusal(a->status, a->body, e->pod, err);
	if (err->code == -ENOENT || (err->code == -EIO && a->status >= 500))
		err->code = -EHOSTDOWN;
}

static void on_dialled(void *ctx, const struct err *err, const struct websocket_answer *a)
{
	struct kube_exec *e = ctx;
	struct transport *t = NULL;
	struct err refused;

	if (!err && a->fd < 0) {
		refuse(e, a, &refused);
		err = &refused;
	}
	if (!err)
		t = channels_transport(a->fd, !strcmp(a->protocol, CHANNELS_V5));
	e->fn(e->ctx, err, t);
	destroy(e);
}

static void make_path(const struct kube_program *p, struct buf *out)
{
	buf_str(out, "/api/v1/namespaces/");
	kube_escape(out, p->namespace_);
	buf_str(out, "/pods/");
	kube_escape(out, p->pod);
	buf_str(out, "/exec?stdin=true&stdout=true&stderr=true&container=");
	kube_escape(out, p->container);
	for (const char *const *word = p->argv; *word; word++) {
		buf_str(out, "&command=");
		kube_escape(out, *word);
	}
}

struct kube_exec *kube_exec(struct kube *k, const struct kube_program *p, kube_exec_fn *fn,
			    void *ctx, struct err *err)
{
	_cleanup_(buf_done) struct buf path = {.max = 4096};
	struct kube_exec *e;
	int fd = kube_connect(k, err);

	if (fd < 0)
		return NULL;
	make_path(p, &path);
	e = xnew(struct kube_exec);
	e->pod = xasprintf("pod %s/%s", p->namespace_, p->pod);
	e->fn = fn;
	e->ctx = ctx;
	e->dial = websocket_dial(kube_reactor(k), fd,
				 &(struct websocket_request){
					 .path = path.failed ? "" : buf_cstr(&path),
					 .protocols = CHANNELS_V5 ", " CHANNELS_V4,
					 .max_body = MAX_KUBE_STATUS_BYTES,
					 .deadline_ns = DIAL_NS,
				 },
				 on_dialled, e);
	return e;
}
