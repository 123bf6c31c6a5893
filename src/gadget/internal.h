/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of gadget/ share. describe.c fills the upper part of struct gadget from the
 * object's BTF; load.c, attach.c, ring.c, table.c and iter.c keep the lower part.
 */
#pragma once

#include <linux/types.h>

#include "gadget/gadget.h"
#include "columns/types.h"

struct bpf_object;
struct bpf_link;

/* Of a table's row: bytes from its start, of a count and of what that is in a second. */
struct rate {
	uint32_t of, to;
};

struct source {
	struct gadget_source pub; /* pub.schema already has the container's fields' place: record only; see traces/ */
	char *sort;		  /* owns pub.sort */
	char *prefix;		  /* "open": maps are open_ring, open_scratches, open_now … */
	uint32_t key_size;	  /* top: bytes of the key, at offset 0 of a row */
	uint32_t value_offset, value_size; /* top */
	struct rate *rates;		   /* top */
	size_t n_rates, room_rates;
};

/* A constant in the object's .rodata: a parameter or one of gadget.bpf.h's own (g_host …). */
struct constant {
	char *symbol;
	uint32_t offset, size; /* bytes in .rodata */
};

struct param {
	struct gadget_param pub;
	struct constant place;
	bool alone;	 /* the same of the gadget where this is not its default */
	enum kind kind;	 /* KIND_BOOL, KIND_UINT, KIND_INT, KIND_CHARS */
	char *type;	 /* innermost typedef: g_duration, g_bytes, g_errno … or the C type */
	char *filter;	/* the function that its value, a pcap expression, becomes; NULL: none */
	unsigned char *initial; /* place.size bytes, as in the object */
	unsigned char *value; /* the same if gadget_set() was called, else NULL */
};

struct gadget {
	char *name, *doc;
	char *limits, *selftest, *selftest_filter; /* NULL: not said */
	bool alone; /* each tracer has programs of its own: what they tell depends on what they told */
	char **aliases;
	size_t n_aliases, room_aliases;
	unsigned char *elf; /* our copy */
	size_t elf_size;
	struct source *sources;
	size_t n_sources, room_sources;
	struct param *params;
	size_t n_params, room_params;

	/* From gadget_load() on. */
	struct running *run; /* load.c: struct bpf_object, rings, counters, links */
};

/* object.c: our own validator. Reads the ELF and BTF of `elf` with all bounds checked; -EINVAL and one line for what libbpf must not see. */
int object_validate(const void *elf, size_t size, struct err *err);

/* describe.c: fills the upper part of a zeroed *g whose elf and name are set. The object was validated. */
int gadget_describe(struct gadget *g, struct err *err);

/* sandbox.c: libbpf opens the bytes in a short-lived unprivileged child; -EINVAL where it refuses, crashes or hangs (5 s). */
int object_try_open(const void *elf, size_t size, struct err *err);

/* params.c: '-' and '_' are the same. */
bool gadget_same_name(const char *a, const char *b);

/* load.c: frees g->run, detaching first. */
void gadget_unload(struct gadget *g);
