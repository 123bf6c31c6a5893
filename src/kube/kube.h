/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cluster's API server, as kubectl reaches it: one `kubectl proxy` on a unix socket, so that
 * kubeconfig, credentials, plugins for them and proxies are kubectl's affair. It ends with us, also
 * when we are killed. Its socket file lies in a folder of our own and is gone as soon as we have
 * it, so nobody else can use it, and nothing is left behind.
 *
 * Life: kube_open(), which waits until it serves; questions, and execs (kube/exec.h) driven by the
 * reactor; kube_close() after the last of them.
 */
#pragma once

#include <jansson.h>

struct buf;
struct err;
struct kube;
struct kube_server;
struct reactor;

struct kube_options {
	const char *const *flags; /* for kubectl: "--context=x", …; NULL-terminated; may be NULL */
};

/*
 * r is borrowed. $KUBECTL is the program, else kubectl. -ENOENT: there is none; -EINVAL: it does
 * not like its flags or its configuration; -EINTR: a signal came.
 */
int kube_open(const struct kube_options *o, struct reactor *r, struct kube **ret, struct err *err);
struct kube *kube_close(struct kube *k); /* NULL is fine; returns NULL */

/* A connection of its own to the proxy, or -errno. */
int kube_connect(const struct kube *k, struct err *err);
struct reactor *kube_reactor(const struct kube *k);

/* For a reflector (kube/reflector.h). */
struct kube_server *kube_server(struct kube *k);

/*
 * GETs path and waits for the answer. What the API server, or the proxy in its place, refuses is
 * an error by kube_refusal(); what: for the error's text ("the agents' pods").
 */
int kube_get(struct kube *k, const char *path, const char *what, json_t **ret, struct err *err);

/*
 * What an answer of status 300 and more means. -EHOSTUNREACH: no API server; -EACCES: it does not
 * know the user; -EPERM: the user may not; -ENOENT; -EIO.
 */
int kube_refusal(unsigned int status, const struct buf *body, const char *what, struct err *err);

/* A text as part of a path or query, appended. */
void kube_escape(struct buf *out, const char *text);
