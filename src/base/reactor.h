/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors and times behind one descriptor: a library that waits for several things owns a
 * reactor and shows its caller one descriptor to wait for, whatever the caller's own loop is.
 *
 * Life: reactor_new(), watches and timers, then reactor_dispatch() whenever reactor_fd() is
 * readable (it never blocks); reactor_free() when all watches were removed.
 *
 * struct watch and struct timer lie in their owners, zeroed at first. Callbacks may add, change and
 * remove any of them, and free the owner of the one that they were called for. They must not
 * dispatch the reactor.
 */
#pragma once

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/queue.h>

struct err;
struct reactor;

struct watch {
	struct reactor *reactor; /* NULL: not watched */
	int fd;
	void (*fn)(void *ctx, uint32_t events); /* EPOLLIN … */
	void *ctx;
};

struct timer {
	struct reactor *reactor; /* NULL: not set */
	TAILQ_ENTRY(timer) link;
	uint64_t at; /* monotonic clock, ns */
	void (*fn)(void *ctx);
	void *ctx;
};

int reactor_new(struct reactor **ret, struct err *err);
struct reactor *reactor_free(struct reactor *r); /* NULL is fine; returns NULL */

int reactor_fd(const struct reactor *r);
void reactor_dispatch(struct reactor *r);

/* fd stays the caller's, and must be removed before it is closed. -errno of epoll_ctl(2). */
int watch_add(struct watch *w, struct reactor *r, int fd, uint32_t events,
	      void (*fn)(void *ctx, uint32_t events), void *ctx);
int watch_change(struct watch *w, uint32_t events);
void watch_remove(struct watch *w); /* one that is not watched is fine */

/* fn is called once, `ns` from now; a timer that is set already is set anew. */
void timer_start(struct timer *t, struct reactor *r, uint64_t ns, void (*fn)(void *ctx), void *ctx);
void timer_stop(struct timer *t); /* one that is not set is fine */
