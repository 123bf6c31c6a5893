/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gadget that was loaded: what load.c, attach.c, ring.c, table.c, iter.c and counters.c share.
 * Everything in the kernel hangs on descriptors that are held here; nothing is pinned.
 */
#pragma once

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/err.h"
#include "gadget/internal.h"

/* A BPF ring buffer, mapped. Positions count bytes and never go back. */
struct ring {
	int fd; /* of the map; -1: this source has no ring */
	uint32_t size;
	void *consumer_page;	   /* written by us: how far we have read */
	const void *producer_page; /* written by the kernel; the data follows */
	size_t data_bytes; /* mapped: the ring, and its begin again for what passes the end */
};

struct program {
	struct bpf_program *prog; /* what is loaded: its own, or its twin's */
	bool twin;		  /* prog belongs to an earlier one */
	const struct hook *hook;  /* attach.c's table */
	const char *target;	  /* section's name without the prefix: "syscalls/sys_enter_open" */
	struct bpf_link *link;	  /* while it is attached */
	int event_fd; /* tracepoints: the perf event, which outlives the link; -1 none */
	int feeds;    /* iterators: index of the source, -1 none */
	bool last;    /* of these iterators: runs after those that are not */
	bool at_attach; /* an iterator that runs once, when the others are attached */
	uint64_t frequency; /* samples: how often a second; 0: none */
	int *cpus;	    /* of these: each CPU's perf event, -1 none */
	size_t n_cpus;
};

struct running {
	struct bpf_object *object;
	struct program *programs; /* those that are loaded, and their twins */
	size_t n_programs;
	struct ring *rings;	     /* one for each source */
	struct ring bell;	     /* wakes the reader; its records are ids of new stacks */
	gadget_record_fn *met;	     /* is given these; may be NULL */
	void *met_ctx;
	uint32_t *asleep;	     /* the variable g_asleep, mapped; NULL: the object has none */
	int epoll_fd;		     /* of all rings */
	int cgroup2_fd; /* as in gadget_load_options, our copy */
	int stats_fd; /* has the kernel count run times; -1: not asked for */
	struct g_counters *counters; /* the map g_counters, mapped */
	uint32_t n_counters;
	uint8_t *table_now; /* for each source: which of a top's two tables the programs fill */
	uint64_t *table_since; /* and since when, boot clock; 0: not attached yet */
	uint64_t ended;	       /* boot clock: no program has run since; 0: they still do */
	uint32_t stack_turn; /* which of the two maps of stacks they fill */
	struct probes *probes; /* probe.c; NULL: no program of this kind */
};

/* attach.c */

/* What hooks are found in. */
struct hook_places {
	int tracefs; /* its root; -1 or -errno: none */
	int cgroup2; /* a folder that may be cgroup v2's root; -1: none known */
};

/* The kind of hook that a section's name asks for; *ret_target is what follows the prefix. */
const struct hook *hook_find(const char *section, const char **ret_target);
/* 1: this kernel has it, or only attaching can tell; 0: not; -errno. tracefs: a directory or -1. */
int hook_exists(const struct hook *h, const char *target, int tracefs);
bool hook_is_cheap(const struct hook *h);	 /* hook_exists() costs next to nothing */
bool hook_shares_programs(const struct hook *h); /* one program may serve several of this kind */
bool hook_is_iterator(const struct hook *h);
const char *hook_word(const struct hook *h); /* "tracepoint", for messages */
int tracefs_open(void); /* tracefs's root, without need of a mount in sight; -errno */
/* Returns when every BPF program that ran at the call has ended. */
void programs_wait(void);

/* cgroup.c */
/*
 * A descriptor of cgroup v2's root, `known` itself if it is that. -EXDEV: it lies outside of our
 * cgroup namespace.
 */
int cgroup2_root_open(int known);
int attach_cgroup(struct program *p, const struct hook_places *at); /* struct hook's attach */

/* twins.c: lets programs that are the same but for their hook share one. Before loading. */
void twins_find(struct gadget *g);

/* events.c */
/*
 * Around the closing of descriptors that the kernel makes wait: children hold copies, so that the
 * caller's closing between the two does not wait; end() returns when the last was closed.
 */
enum { MOST_CHILDREN = 32 };
struct slow_close {
	pid_t children[MOST_CHILDREN];
	size_t n;
	int gate[2];
};
void slow_close_begin(struct slow_close *s, const int *fds, size_t n);
void slow_close_end(struct slow_close *s);
/* Closes perf events without program, for which nobody waits. */
void close_in_background(const int *fds, size_t n);
/* Closes all links; when it returns, none of them starts a program any more. */
void links_close(struct program *programs, size_t n);
/* Gives up the perf events of programs that are detached, without waiting for the kernel. */
void events_close(struct program *programs, size_t n);

/* probe.c */
void probes_find(struct gadget *g); /* before loading */
bool probes_attached(const struct running *run);
/* All; when it returns, none of them starts a program any more. */
void probes_detach(struct running *run);
void probes_free(struct running *run);
int probe_hooks_exist(const char *target, int tracefs); /* struct hook's exists */

/* rungs.c: chooses which programs are loaded, by their tags and what this kernel has. */
int rungs_choose(struct bpf_object *object, const struct gadget *g, struct err *err);
/* Value of the tag with this prefix of a function or variable (BTF_KIND_…), or NULL. */
const char *object_tag(const struct bpf_object *object, uint32_t kind, const char *name,
		       const char *prefix);
/* Value of a program's tag with this prefix ("feeds:"), or NULL. */
const char *program_tag(const struct bpf_object *object, const struct bpf_program *p,
			const char *prefix);

/* ring.c */
int ring_open(struct ring *r, int map_fd, uint32_t size, struct err *err);
void ring_close(struct ring *r);
size_t ring_read(struct ring *r, size_t max, unsigned int source, gadget_record_fn *fn, void *ctx);
bool ring_is_empty(const struct ring *r); /* nothing is in it, nor being written */

/* bell.c */
void bell_prepare(struct running *run);			/* before loading */
int bell_open(struct running *run, struct err *err);	/* no bell in the object is fine */
void bell_close(struct running *run);

/* counters.c */
int counters_open(struct running *run, const char *gadget, struct err *err);
void counters_close(struct running *run);
/* A row that user space found (a snapshot's): counted as the programs count. */
void counters_seen(struct running *run, const struct schema *s, const void *record, uint32_t size);

/* programs.c: does nothing where the object has no map g_programs. */
int programs_open(struct running *run, struct err *err);
void programs_look(struct running *run); /* fills it */

/* sampling.c */
void sampling_prepare(struct gadget *g);		       /* before loading */
int attach_cpus(struct program *p, const struct hook_places *at); /* struct hook's attach */
void sampling_follow(struct running *run); /* CPUs that came since are sampled as well */
/* True: there were events. When it returns, none of them starts a program any more. */
bool sampling_detach(struct running *run);
/* What -ERANGE of attach_cpus() means. */
int sampling_refused(const char *gadget, const struct program *p, struct err *err);

/* iter.c, table.c: gadget_collect() of one kind of source. */
int snapshot_collect(struct gadget *g, unsigned int source, const struct gadget_look *look,
		     gadget_record_fn *fn, void *ctx, struct err *err);
int iterators_at_attach(struct gadget *g, struct err *err);
int top_collect(struct gadget *g, unsigned int source, gadget_record_fn *fn, void *ctx,
		struct err *err);

void tables_begin(struct gadget *g); /* programs fill them from now on */
void tables_end(struct gadget *g);   /* and no more */

/* rates.c: in a table's row, what was filled for so long. */
void rates_fill(const struct source *s, unsigned char *row, uint64_t ns);

/* stacks.c */
void stacks_prepare(struct gadget *g); /* before loading */
void stacks_limit(struct gadget *g, uint32_t most); /* then: no map has room for more */
/* After `source`, a table, was taken: if it is the last one, ids are of emptied maps from here on. */
int stacks_turn(struct gadget *g, unsigned int source, struct err *err);

/* params.c: a parameter of type bool, by the name of its constant, is true. */
bool param_is_true(const struct gadget *g, const char *symbol);
uint64_t param_number(const struct gadget *g, const char *symbol); /* of an unsigned type; else 0 */

/* load.c */
/* Where a variable lies in a section of the object (".rodata"); -1: not there, or of another size. */
int64_t variable_offset(const struct bpf_object *object, const char *section, const char *name,
			size_t size);
int load_needs_root(const char *gadget, struct err *err);
/* A map of the source: "open" + "_ring". NULL: none. */
struct bpf_map *source_map(const struct gadget *g, unsigned int source, const char *suffix);
