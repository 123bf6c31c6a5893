/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attachment's user-space probes: in the libraries of the containers that it wants, and with
 * --host in the host's, for as long as somebody wants one that has the file. A child process finds
 * and attaches (probe_scan.h); who waits for it is this, on the trace collection's reactor.
 *
 * A container is looked at when it is first wanted, and 1 s and 10 s later for what it has brought
 * along by then. Between the first process's exec and the end of the first look some milliseconds
 * pass, unless another container of the same image was there before.
 *
 * Life: prober_new(), prober_want() for containers at any time, prober_start() when the gadget was
 * attached, prober_stop() before gadget_detach(), prober_free().
 */
#pragma once

#include <stdint.h>

struct attachment;
struct container;
struct prober;

/* NULL: the gadget has no such probes; the functions below do nothing then. */
struct prober *prober_new(struct attachment *a);
struct prober *prober_free(struct prober *p);

void prober_start(struct prober *p);
/* When it returns, only the gadget holds probes: those that it takes off by itself. */
void prober_stop(struct prober *p);

void prober_want(struct prober *p, struct container *c); /* again is fine */
void prober_leave(struct prober *p, uint64_t key);	 /* one that was not wanted is fine */
