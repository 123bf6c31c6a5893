/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command's event loop (libevent): descriptors, signals, a time limit. SIGINT, SIGTERM and SIGHUP
 * end it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct err;
struct event;
struct event_base;

struct loop {
	struct event_base *base;
	struct event *events[8];
	struct loop_call {
		void (*fn)(void *ctx);
		void *ctx;
	} calls[8];
	unsigned int n;
};

int loop_init(struct loop *l, struct err *err); /* catches the signals from here on */
void loop_done(struct loop *l);			/* zeroed or half-built is fine */

/* fn is called whenever fd is readable, or the signal has come. At most 8 events in all. */
int loop_add_fd(struct loop *l, int fd, void (*fn)(void *ctx), void *ctx, struct err *err);
int loop_add_signal(struct loop *l, int signal, void (*fn)(void *ctx), void *ctx, struct err *err);
int loop_timeout(struct loop *l, uint64_t ns, struct err *err); /* ends the loop */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/*
 * Maps, programs, probes and clients are descriptors; the soft limit is for those who use
 * select(2).
 */
void loop_use_all_descriptors(void);
