/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gadget, described by its own object file: data sources with their schemas, parameters, text.
 * Nothing here knows any gadget by name. This is the "Tracers" package of libig.
 *
 * Life: gadget_open_builtin() or gadget_open_file(), gadget_set() for parameters, gadget_load(), gadget_attach(),
 * gadget_read() whenever gadget_fd() is readable and on a timer, gadget_detach(), a last gadget_read(), gadget_free().
 * All kernel objects belong to descriptors of this process: nothing survives it.
 *
 * A gadget is used from one thread. Objects of the same file may be open several times.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "columns/schema.h"
#include "gadget/cost.h"

struct gadget;
struct err;

enum source_kind {
	SOURCE_TRACER,	 /* records from a ring, as they happen */
	SOURCE_TOP,	 /* a table, taken at each interval */
	SOURCE_SNAPSHOT, /* what an iterator finds, once */
};

struct gadget_source {
	enum source_kind kind;
	bool sampled; /* top: rows are not kept by programs but found by iterators, each time */
	const char *name;
	const char *sort; /* order of rows that suits most: "-sent,pid" as for --sort; NULL: none */
	struct schema *schema;
};

struct gadget_param {
	const char *name; /* as a flag: `_` written `-` */
	const char *doc;
	const char *type; /* "bool", "u32", "i64", "text", "duration", "bytes" … for help */
	const char *default_text;
};

/* A gadget that was linked into this program; tests and completions walk them in order of name. */
struct gadget_object {
	const char *name;
	const unsigned char *packed; /* its object, as one frame of zstd */
	size_t packed_size;
};
size_t gadget_builtin_count(void);
const struct gadget_object *gadget_builtin(size_t i);
/* "network-graph" is network_graph. NULL: none */
const struct gadget_object *gadget_builtin_find(const char *name_or_alias);

/* What a caller may add to an open; NULL in its place stands for nothing added. */
struct gadget_open_options {
	/*
	 * Called for each data source before its schema is finished: fields that enrich records (the
	 * container's) are added here. What it returns, if not 0, fails the open.
	 */
	int (*enrich)(struct schema *s, struct err *err);
};

/*
 * Opens a built-in by name or alias (-ENOENT with a suggestion), or the object in a file. Bytes from outside
 * pass our validator and are then opened by libbpf in a short-lived unprivileged child; a broken
 * or hostile object is -EBADMSG with one line.
 */
int gadget_open_builtin(const char *name, const struct gadget_open_options *o, struct gadget **ret,
			struct err *err);
int gadget_open_file(const char *path, const struct gadget_open_options *o, struct gadget **ret,
		     struct err *err);

/* Bytes that the caller trusts (no child); they are copied. */
int gadget_open_bytes(const char *name, const void *elf, size_t size,
		      const struct gadget_open_options *o, struct gadget **ret, struct err *err);

/* gadget_open_file() for what looks like a path (has '/' or ends in .o), else gadget_open_builtin(). */
int gadget_open(const char *name_or_path, const struct gadget_open_options *o, struct gadget **ret,
		struct err *err);

/* Detaches and unloads first; returns NULL; NULL is fine. */
struct gadget *gadget_free(struct gadget *g);
void gadget_freep(struct gadget **g);

const char *gadget_name(const struct gadget *g); /* "trace_open" */
const char *gadget_doc(const struct gadget *g);	 /* first line: what it does; further lines: more */
const char *gadget_limits(const struct gadget *g); /* what no kernel lets it tell; NULL: not said */
/* A shell command that makes what it tells of, and which record must come then; NULL: not said. */
const char *gadget_selftest(const struct gadget *g, const char **ret_filter);
size_t gadget_n_aliases(const struct gadget *g);
const char *gadget_alias(const struct gadget *g, size_t i);

size_t gadget_n_sources(const struct gadget *g);
const struct gadget_source *gadget_source(const struct gadget *g, size_t i);

size_t gadget_n_params(const struct gadget *g);
const struct gadget_param *gadget_param(const struct gadget *g, size_t i);

/* Before load. -ENOENT (with a suggestion): no such parameter; -EINVAL: not a value of its type. '-' and '_' are the same. */
int gadget_set(struct gadget *g, const char *param, const char *value, struct err *err);

/* The value that a parameter of type "text" has now; NULL: there is no such parameter. */
const char *gadget_text_value(const struct gadget *g, const char *param);

/*
 * The same object with the same values of parameters: one's programs would do for the other. Never
 * so where it is one for each tracer, ALONE.
 */
bool gadget_same(const struct gadget *a, const struct gadget *b);

/*
 * Process filters that every gadget has; they act in the kernel. Empty text or -1: any.
 * Set before load.
 */
struct gadget_process_filter {
	int64_t pid, tid, uid, gid;
	char comm[16];
};

struct gadget_load_options {
	int wanted_fd;	   /* map of the wanted cgroups and namespaces (types.h); -1: a private map, see gadget_wanted_fd() */
	int containers_fd; /* map of all containers' cgroups, used with `host`; -1: none */
	int cgroup2_fd;	   /* root of cgroup v2, where the host's is known; -1: found */
	bool host;	   /* also what is in no container */
	uint64_t buffer_bytes; /* ring of each tracer source; power of two, 0: as the gadget says */
	struct gadget_process_filter process;
};
void gadget_load_options_init(struct gadget_load_options *o);

/*
 * Loads programs and maps into the kernel. -EPERM: not allowed (not root, or the kernel refuses
 * this kind of program); -ENOTSUP: the kernel lacks BTF or a hook; -EBADMSG: the
 * object's fault: the verifier said no, or its maps are not those of gadget.bpf.h.
 */
int gadget_load(struct gadget *g, const struct gadget_load_options *o, struct err *err);
int gadget_attach(struct gadget *g, struct err *err);

/*
 * Takes the programs off their hooks. When it returns, none of them runs any more: what they put
 * out before is in the rings, and counters no longer move. (A child process that was forked since
 * gadget_attach() and has not called exec holds the hooks as well: end it first.)
 */
void gadget_detach(struct gadget *g);

int gadget_wanted_fd(const struct gadget *g);

/*
 * Readable when a ring got enough to be worth a read (64 KiB, less for small rings); read on a timer
 * as well (but see gadget_sleep()), and again at once after a read that stopped at its `max`: gadget_read() clears the
 * readiness even where it leaves records behind.
 */
int gadget_fd(const struct gadget *g);

/*
 * The reader would wait without a timer. True: the next record or loss makes gadget_fd() readable at
 * once, whatever its size; after that, or when the reader does not wait any more, gadget_wake().
 * False: a ring holds something, or this gadget cannot wake anybody: a timer is needed. Programs
 * that the kernel skips (gadget_misses()) wake nobody.
 */
bool gadget_sleep(struct gadget *g);
bool gadget_sleeps(const struct gadget *g); /* nobody was woken since */
void gadget_wake(struct gadget *g);

/*
 * One record. `record` is valid during the call. source: index for gadget_source(). A record that is shorter
 * than its schema or names no container is still given; readers check bounds.
 */
typedef void gadget_record_fn(void *ctx, unsigned int source, const void *record, uint32_t size);

/*
 * Reads what the rings hold now, at most `max` records (0: all that was there at the call).
 * Returns the number of records read.
 */
size_t gadget_read(struct gadget *g, size_t max, gadget_record_fn *fn, void *ctx);

/* A network namespace that iterators over sockets look into. */
struct gadget_netns {
	int fd;
	uint64_t owner; /* g_container of sockets that know no cgroup (TIME_WAIT); or G_NOBODY */
};
/* Which they are, opened one after the other: there may be more than a process may have open. */
struct gadget_look {
	size_t n_netns; /* 0: the one that we are in, whose sockets have no other owner */
	/* Opens the i-th; ret->fd is closed by who asked. -errno: it is gone, and left out. */
	int (*open_netns)(void *ctx, size_t i, struct gadget_netns *ret);
	void *ctx;
};

/* Iterators of this source find what is in the network namespace of who runs them. */
bool gadget_looks_into_netns(const struct gadget *g, unsigned int source);

/*
 * Top: takes the table's rows (exact: what happens meanwhile goes to the next table), key then
 * value in one block; a sampled one, and a snapshot: runs the iterators. Rows are given in no
 * order. fn NULL: what iterators find is dropped and not counted, a first look to compare with.
 * 0 or -errno. The process ends if it cannot come back from a namespace.
 */
int gadget_collect(struct gadget *g, unsigned int source, const struct gadget_look *look,
		   gadget_record_fn *fn, void *ctx, struct err *err);

/*
 * The stack of a field of type g_ustack_id or g_kstack_id in a row that gadget_collect() gave: its
 * bytes, a struct g_user_stack or addresses, to `to`. Returns how many; -ENOENT: the id is of no
 * stack that is kept; -EMSGSIZE: more than `room`.
 */
ssize_t gadget_stack(const struct gadget *g, bool user, uint64_t id, void *to, size_t room);

/*
 * After load: has gadget_read() give the id (8 bytes, as a record of source 0) of each user stack
 * when it is met first, in good time: when the row comes, its process may be gone.
 */
void gadget_meet_stacks(struct gadget *g, gadget_record_fn *fn, void *ctx);

/* Of a loaded gadget: false for a table that its parameters leave out. */
bool gadget_has_table(const struct gadget *g, unsigned int source);

/* This container's counters (slot of its g_container), since load or the last gadget_counters_reset(). */
struct gadget_counters {
	uint64_t seen, lost;
};
struct gadget_counters gadget_counters(const struct gadget *g, uint32_t slot);
void gadget_counters_reset(struct gadget *g, uint32_t slot); /* when a slot gets a new container */

/* Runs of this gadget's programs that the kernel skipped (recursion); no container is known for them. */
uint64_t gadget_misses(const struct gadget *g);

/* What its programs took (gadget/cost.h). */
struct gadget_runtime gadget_runtime(const struct gadget *g);

/* Bytes of kernel memory that the gadget's maps take (memlock of fdinfo). */
uint64_t gadget_map_bytes(const struct gadget *g);
