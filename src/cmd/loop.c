// SPDX-License-Identifier: Apache-2.0
#include "cmd/loop.h"

#include <event2/event.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/err.h"
#include "base/mem.h"

static void on_end(evutil_socket_t fd, short what, void *ctx)
{
	loop_stop(ctx);
}

static void on_call(evutil_socket_t fd, short what, void *ctx)
{
	struct loop_call *call = ctx;

	call->fn(call->ctx);
}

static int add(struct loop *l, int fd, short what, event_callback_fn fn, void *ctx,
	       const struct timeval *after, struct err *err)
{
	struct event *e;

	if (l->n == array_size(l->events))
		return err_set(err, -ENOSPC, "too many events in a command's loop");
	e = event_new(l->base, fd, what, fn, ctx);
	if (!e || event_add(e, after)) {
		if (e)
			event_free(e);
		return err_set(err, -EIO, "cannot watch descriptor %d", fd);
	}
	l->events[l->n++] = e;
	return 0;
}

/* A signal also ends a write to a reader that is stuck: libevent would have it go on. */
static void interrupt_calls(int signal)
{
	struct sigaction action;

	if (!sigaction(signal, NULL, &action)) {
		action.sa_flags &= ~SA_RESTART;
		sigaction(signal, &action, NULL);
	}
}

int loop_init(struct loop *l, struct err *err)
{
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP};

	*l = (struct loop){.base = event_base_new()};
	if (!l->base)
		return err_set(err, -EIO, "cannot make an event loop");
	for (size_t i = 0; i < array_size(ends); i++) {
		int r = add(l, ends[i], EV_SIGNAL | EV_PERSIST, on_end, l, NULL, err);

		if (r)
			return r;
		interrupt_calls(ends[i]);
	}
	return 0;
}

void loop_done(struct loop *l)
{
	for (unsigned int i = 0; i < l->n; i++)
		event_free(l->events[i]);
	if (l->base)
		event_base_free(l->base);
	*l = (struct loop){0};
}

static int add_call(struct loop *l, int fd, short what, void (*fn)(void *ctx), void *ctx,
		    struct err *err)
{
	struct loop_call *call = &l->calls[l->n % array_size(l->calls)];

	*call = (struct loop_call){fn, ctx};
	return add(l, fd, what | EV_PERSIST, on_call, call, NULL, err);
}

int loop_add_fd(struct loop *l, int fd, void (*fn)(void *ctx), void *ctx, struct err *err)
{
	return add_call(l, fd, EV_READ, fn, ctx, err);
}

int loop_add_signal(struct loop *l, int signal, void (*fn)(void *ctx), void *ctx, struct err *err)
{
	return add_call(l, signal, EV_SIGNAL, fn, ctx, err);
}

int loop_timeout(struct loop *l, uint64_t ns, struct err *err)
{
	struct timeval after = {(time_t)(ns / 1000000000), (suseconds_t)(ns % 1000000000 / 1000)};

	return add(l, -1, EV_TIMEOUT, on_end, l, &after, err);
}

void loop_run(struct loop *l)
{
	event_base_dispatch(l->base);
}

void loop_stop(struct loop *l)
{
	event_base_loopbreak(l->base);
}

void loop_use_all_descriptors(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}
