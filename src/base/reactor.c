// SPDX-License-Identifier: Apache-2.0
/* One epoll descriptor, with one timerfd in it for the timer that is due first. See reactor.h. */
#include "base/reactor.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"

#define MAX_EVENTS 64

TAILQ_HEAD(timers, timer);

struct reactor {
	int epoll_fd, timer_fd;
	struct timers timers; /* the first is due first */
	/* What epoll_wait() has given and was not called yet: who is removed meanwhile is taken
	 * out. */
	struct epoll_event events[MAX_EVENTS];
	int n_events;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

int reactor_new(struct reactor **ret, struct err *err)
{
	struct reactor *r = xnew(struct reactor);
	struct epoll_event event = {.events = EPOLLIN};

	TAILQ_INIT(&r->timers);
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (r->epoll_fd < 0 || r->timer_fd < 0 ||
	    epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, r->timer_fd, &event)) {
		int code = err_set(err, -errno, "making an event loop: %s", strerror(errno));

		reactor_free(r);
		return code;
	}
	*ret = r;
	return 0;
}

struct reactor *reactor_free(struct reactor *r)
{
	struct timer *t;

	if (!r)
		return NULL;
	while ((t = TAILQ_FIRST(&r->timers)))
		timer_stop(t);
	closep(&r->epoll_fd);
	closep(&r->timer_fd);
	free(r);
	return NULL;
}

int reactor_fd(const struct reactor *r)
{
	return r->epoll_fd;
}

/* ---- descriptors ----------------------------------------------------------------- */

int watch_add(struct watch *w, struct reactor *r, int fd, uint32_t events,
	      void (*fn)(void *ctx, uint32_t events), void *ctx)
{
	struct epoll_event event = {.events = events, .data.ptr = w};

	if (epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	*w = (struct watch){.reactor = r, .fd = fd, .fn = fn, .ctx = ctx};
	return 0;
}

int watch_change(struct watch *w, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = w};

	return epoll_ctl(w->reactor->epoll_fd, EPOLL_CTL_MOD, w->fd, &event) ? -errno : 0;
}

void watch_remove(struct watch *w)
{
	struct reactor *r = w->reactor;

	if (!r)
		return;
	epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
	for (int i = 0; i < r->n_events; i++)
		if (r->events[i].data.ptr == w)
			r->events[i].events = 0;
	w->reactor = NULL;
}

/* ---- times ----------------------------------------------------------------------- */

/* The descriptor is due with the first timer; without one, never. */
static void arm(struct reactor *r)
{
	const struct timer *first = TAILQ_FIRST(&r->timers);
	struct itimerspec spec = {0};

	if (first) {
		spec.it_value.tv_sec = (time_t)(first->at / 1000000000);
		spec.it_value.tv_nsec = (long)(first->at % 1000000000);
	}
	timerfd_settime(r->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

void timer_start(struct timer *t, struct reactor *r, uint64_t ns, void (*fn)(void *ctx), void *ctx)
{
	struct timer *before;

	timer_stop(t);
	t->reactor = r;
	t->at = now_ns() + ns;
	t->fn = fn;
	t->ctx = ctx;
	/* Most are due after those that are set: looking from the end is short. */
	TAILQ_FOREACH_REVERSE(before, &r->timers, timers, link)
		if (before->at <= t->at)
			break;
	if (before)
		TAILQ_INSERT_AFTER(&r->timers, before, t, link);
	else
		TAILQ_INSERT_HEAD(&r->timers, t, link);
	if (TAILQ_FIRST(&r->timers) == t)
		arm(r);
}

void timer_stop(struct timer *t)
{
	struct reactor *r = t->reactor;
	bool first;

	if (!r)
		return;
	first = TAILQ_FIRST(&r->timers) == t;
	TAILQ_REMOVE(&r->timers, t, link);
	t->reactor = NULL;
	if (first)
		arm(r);
}

static void call_timers(struct reactor *r)
{
	uint64_t now = now_ns(), expired;
	struct timer *t;

	if (read(r->timer_fd, &expired, sizeof(expired)) < 0)
		return; /* the timer that was due was stopped meanwhile */
	while ((t = TAILQ_FIRST(&r->timers)) && t->at <= now) {
		TAILQ_REMOVE(&r->timers, t, link);
		t->reactor = NULL;
		t->fn(t->ctx);
	}
	arm(r);
}

/* ---- both ------------------------------------------------------------------------ */

void reactor_dispatch(struct reactor *r)
{
	int n = epoll_wait(r->epoll_fd, r->events, MAX_EVENTS, 0);

	r->n_events = n < 0 ? 0 : n;
	for (int i = 0; i < r->n_events; i++) {
		struct watch *w = r->events[i].data.ptr;

		if (!w)
			call_timers(r);
		else if (r->events[i].events)
			w->fn(w->ctx, r->events[i].events);
	}
	r->n_events = 0;
}
