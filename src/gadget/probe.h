/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User-space probes: programs SEC("uprobe/LIBRARY:SYMBOL"), which run when a process enters that
 * function, and SEC("uretprobe/…"), when it returns from it. A library is named by its stem
 * (symbols/library.h). gadget_attach() leaves them out: there are as many files as containers have
 * copies of the library, and these come and go. Who knows the files adds and removes the probes, in
 * between gadget_attach() and gadget_detach(), which takes off all that are left.
 *
 * A probe acts on all processes that have the file, in whatever container, and on those that will.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct gadget;

struct gadget_probe {
	const char *library, *symbol;
};

/* Of a gadget that is loaded. */
size_t gadget_n_probes(const struct gadget *g);
struct gadget_probe gadget_probe(const struct gadget *g, size_t i);

/* The descriptor of its program, which a child that attaches it needs. */
int gadget_probe_program(const struct gadget *g, size_t i);

/* What a probe is. */
struct gadget_probe_fds {
	int hold;  /* closing it takes the program off */
	int event; /* closed after that, which takes the kernel long; -1: none */
};

/*
 * Attaches probe i to what stands at `offset` of a file, which takes the kernel some milliseconds.
 * A child of this process may do it and send the descriptors.
 */
int gadget_probe_open(const struct gadget *g, size_t i, int file, uint64_t offset,
		      struct gadget_probe_fds *ret);

/* The gadget owns the descriptors from here on: gadget_detach() takes the probe off. */
void gadget_probe_add(struct gadget *g, const struct gadget_probe_fds *fds);

/*
 * Takes off probes that were added, for which the kernel lets its caller wait; this does not wait.
 * Returns a descriptor of the caller's that becomes readable when none of them runs any more, which
 * gadget_detach() does not wait for; -1: so it is already.
 */
int gadget_probes_remove(struct gadget *g, const struct gadget_probe_fds *fds, size_t n);
