/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program started in a container of a pod, its standard input and output as a struct transport
 * (net/transport.h). RBAC asks for `get` and `create` of pods/exec.
 *
 * Life: kube_exec(), then either its callback is called once or kube_exec_cancel() was called; it
 * is gone with either. The transport lives on without it.
 */
#pragma once

struct err;
struct kube;
struct kube_exec;
struct transport;

struct kube_program {
	const char *namespace_, *pod, *container;
	const char *const *argv; /* NULL-terminated */
};

/*
 * err NULL: t is the callee's to free. That the program could not be started comes by t, as its
 * end. Else as those of kube_connect(), kube_refusal() and websocket_dial_fn; -EHOSTDOWN: the pod,
 * or its node, is not there.
 */
typedef void kube_exec_fn(void *ctx, const struct err *err, struct transport *t);

/* NULL: an error, and fn is not called; else fn is never called from within. */
struct kube_exec *kube_exec(struct kube *k, const struct kube_program *p, kube_exec_fn *fn,
			    void *ctx, struct err *err);
struct kube_exec *kube_exec_cancel(struct kube_exec *e); /* NULL is fine; returns NULL */
