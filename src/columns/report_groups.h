/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a report is made of: its rows by container, or by what several containers have in common
 * (--merge: their image, the owner of their pods, or nothing less than all).
 *
 * A report's own struct for a group begins with struct report_group and is made zeroed.
 */
#pragma once

#include "columns/report.h"

struct buf;

enum report_merge { MERGE_CONTAINER, MERGE_IMAGE, MERGE_OWNER, MERGE_ALL };

/* Texts of the group's first row; NULL where it has none. */
struct report_group {
	char *name; /* "web", in pods "namespace/pod/container"; never NULL */
	char *namespace;
	char *bundle; /* the container's folder at its runtime, on its machine */
};

struct report_groups {
	const char *mode; /* of the report */
	enum report_merge merge;
	size_t size;			      /* bytes of the report's own struct */
	void (*done)(struct report_group *g); /* releases what it has of its own; NULL: nothing */
	struct report_group **items;
	size_t n, room;
};

#define REPORT_MERGE_OPTION                                                                       \
	{                                                                                         \
		"merge", "WHAT",                                                                  \
			"Put together: container (default), image, owner (containers of pods of " \
			"one deployment, …), all"                                               \
	}

/* Reads --merge. mode: borrowed. */
int report_groups_init(struct report_groups *g, size_t size, const char *mode,
		       const struct labels *options, struct err *err);
void report_groups_done(struct report_groups *g);

/* The same as a report's whole state, for its open and close. */
int report_groups_new(size_t size, void (*done)(struct report_group *g), const char *mode,
		      const struct labels *options, void **ret, struct err *err);
void report_groups_free(void *state);

/* The group of the row's container. -E2BIG: more than MAX_REPORT_GROUPS. */
int report_group_of(struct report_groups *g, const struct schema *s, const struct row *row,
		    struct report_group **ret, struct err *err);

/* By name. -ENODATA, and words, where there is none. */
int report_groups_sort(struct report_groups *g, struct err *err);

/* A number of the gadget's own, by its field's name; -EBADMSG where the row has no such. */
int report_number(const struct schema *s, const struct row *row, const char *field, int64_t *ret,
		  struct err *err);

/* A new string; NULL where it is absent or empty. */
char *report_text(const struct schema *s, const struct row *row, const char *field);

/* Name of what made the row's pod (a deployment, …), as a new string; NULL: it is in none. */
char *report_pod_owner(const struct schema *s, const struct row *row);

/* How a mode writes a group. */
enum report_form {
	REPORT_TEXT, /* one behind the other */
	REPORT_YAML, /* documents, with `---` between them */
	REPORT_JSON, /* a value; several are an object of them by their names. Indented */
};
struct report_writer {
	const char *mode; /* NULL ends the list */
	enum report_form form;
	void (*one)(const void *ctx, const struct report_group *g, struct buf *out);
};

/* All groups, as the writer of g's mode writes them. ctx: for `one`. */
void report_write(const struct report_groups *g, const struct report_writer *writers,
		  const void *ctx, struct buf *out);

/* Warns that `what` may be missing, where records were lost. */
void report_say_lost(uint64_t lost, const char *what);

/* A group's name as Kubernetes takes it for an object's: a-z, 0-9, '-', at most 63 bytes. */
void report_object_name(const struct report_group *g, struct buf *out);
