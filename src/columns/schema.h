/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A schema says what the bytes of a row mean. Rows stay where and as they are (the C struct that a
 * BPF program filled, or any C struct of the program that uses this library); fields name a place
 * in them by offset, so nothing is copied to be shown.
 *
 * A row has up to ROW_PARTS parts, each a block of bytes of its own: part 0 is the record, part 1
 * what enriches it (its container), part 2 what its reader made of both; the last is in no file and
 * no message. A field says which part it lies in. A missing part (NULL) makes
 * its fields absent. Whoever reads a field checks its bounds against the part's size: rows may come
 * from a file or a hostile object.
 *
 * Life: a schema is built with schema_new(), schema_add()…, schema_finish() and is constant from
 * then on; schemas built from an object's BTF (gadget/), from a record file (recorder/) and from a
 * static table (schema_add_table) are the same thing. Reference counted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct owner_names; /* base/owners.h */
struct format;	    /* columns/format.h */
struct clock_base;  /* there as well */

#define ROW_PARTS 3
enum { PART_RECORD, PART_CONTAINER, PART_DERIVED };

/* How the bytes of a field are stored. What they mean is its format's affair. */
enum kind {
	KIND_NONE, /* a group of fields; some have a format of their own (an endpoint) */
	KIND_UINT, /* size 1, 2, 4 or 8, little endian, unaligned allowed */
	KIND_INT,
	KIND_BOOL,   /* size 1 */
	KIND_CHARS,  /* char[size], ends at the first NUL or at size */
	KIND_BYTES,  /* unsigned char[size]: addresses, digests */
	KIND_TEXT,   /* g_text: offset, length, truncated mark; bytes lie in the part's tail */
	KIND_LIST,   /* g_args: the same, of NUL-terminated strings one after the other */
	KIND_CSTR,   /* `const char *` of this process; NULL = absent. Never in records or files */
	KIND_LABELS, /* struct labels of this process; never in records or files */
	KIND_LABEL,  /* one label of such a set, by its key: made by label_field(), in no schema */
};

/*
 * A set of texts, each under its key: a pod's labels, annotations. The owner's struct embeds it,
 * zeroes are an empty one; columns/labels.h changes and reads it.
 */
struct label {
	char *key, *value; /* not NULL */
};

struct labels {
	struct label *items;
	size_t n, room;
};

enum field_flags {
	FIELD_HIDDEN = 1,     /* not a column unless asked for; still in JSON and filters */
	FIELD_RIGHT = 2,      /* aligned right */
	FIELD_INTERNAL = 4,   /* in no output and not selectable: the container key */
	FIELD_SKIP_EMPTY = 8, /* absent from JSON, and blank as a column, when empty or zero */
	FIELD_KEY = 16,	      /* top tables: part of the row's key */
	FIELD_FIXED = 32,     /* its column is neither stretched nor shrunk */
	FIELD_ALIAS = 64, /* its text stands for its group's in columns, wide and cut as it is */
};

enum ellipsis { ELLIPSIS_END, ELLIPSIS_START, ELLIPSIS_MIDDLE, ELLIPSIS_NONE };

/* Names of an enum type's values, from the object's BTF; may be empty. */
struct enum_value {
	const char *name;
	int64_t value;
};

struct field {
	const char *name; /* whole path: "proc.parent.pid" */
	const char *doc;  /* one line, may be NULL */
	const char *type; /* innermost typedef's name ("g_errno"), else the C type's; may be NULL */
	enum kind kind;
	uint8_t part;
	uint8_t flags;	       /* enum field_flags */
	uint8_t ellipsis;      /* enum ellipsis */
	uint32_t offset, size; /* bytes within the part */
	uint16_t width;	       /* columns; 0: by the format */
	int16_t parent; /* index of its group, -1 at the top; schema_add() finds it by name */
	const struct enum_value *enum_values;
	uint32_t n_enum_values;
	const char *label;	     /* KIND_LABEL: the key */
	const struct field *alias;   /* of a group: its member with FIELD_ALIAS; NULL: none */
	const struct format *format; /* by schema_finish(), from type and kind; not NULL then */
};

struct schema {
	unsigned int refs;
	const char *name;   /* data source: "open" */
	const char *gadget; /* "trace_open"; may be NULL */
	const char *sort;   /* of tables, order where nobody names one: "-sent,pid"; may be NULL */
	struct field *fields; /* in order of columns and JSON; groups before their members */
	size_t room_fields;
	size_t n_fields;
	uint32_t record_size; /* bytes of part 0 without its tail; a shorter record is malformed */
	int16_t time_field;   /* first field of type g_time in part 0, or -1 */
	int16_t container_field; /* field of type g_container in part 0, or -1 */
	void *arena;		 /* owns every string above */
};

struct row {
	const void *part[ROW_PARTS];
	uint32_t size[ROW_PARTS];
	/*
	 * Names the contents of PART_CONTAINER: two rows with the same version that is not 0 have
	 * the same bytes and texts there, in the whole life of a view, so that what was made of one
	 * is used for the other (a container's key will do, as long as the container does not
	 * change). 0: not known.
	 */
	uint64_t container_version;
	/*
	 * Of the machine and boot that its times are of, valid as long as the row or a view that
	 * keeps it; NULL: as the view's options say.
	 */
	const struct clock_base *clock;
	/*
	 * Names of users and groups: its container's own, or its machine's where it is of no
	 * container. Valid as long as the row; NULL: those of this machine.
	 */
	struct owner_names *owners;
};

/* All strings are copied. A new schema has one reference. */
struct schema *schema_new(const char *gadget, const char *name, uint32_t record_size);
struct schema *schema_ref(struct schema *s);
struct schema *schema_unref(struct schema *s); /* returns NULL; NULL is fine */
void schema_unrefp(struct schema **s);

void schema_set_sort(struct schema *s, const char *sort); /* copied */

/*
 * Adds a field; *f and all it points to are copied. Groups that its name implies ("a.b" is in "a")
 * are made where they were not added before. -E2BIG past MAX_FIELDS, -EINVAL for a field that does
 * not fit its part (part 0: within record_size), -EEXIST for a name twice.
 */
int schema_add(struct schema *s, const struct field *f, struct err *err);

/* The same for a static table of n fields, by which code describes its own structs. */
int schema_add_table(struct schema *s, const struct field *table, size_t n, struct err *err);

/*
 * Gives each field its format (columns/format.c's table) and what the format says by default,
 * finds time, container and aliases, and orders the fields: those of PART_CONTAINER first, the
 * members of a group together, else as they were added. More may be added after it, such as a
 * container's to a schema from a file; then it is called again. Indexes and pointers of fields are
 * constant after the last call. -EINVAL: no fields.
 */
int schema_finish(struct schema *s, struct err *err);

/* True where a record of one is a record of the other: all fields of PART_RECORD are equal. */
bool schema_same(const struct schema *a, const struct schema *b);

/* By whole path; NULL where there is none. Groups are found too. */
const struct field *schema_field(const struct schema *s, const char *name);

/*
 * The field that a person means: by whole path, or by its last parts where they name one field or
 * one that is less deep than all others ("pid" is proc.pid, although proc.parent.pid exists too),
 * or among the least deep the only one that is shown by default ("containerName" is the runtime's).
 * Internal fields are not found. NULL and an error that suggests the nearest name (-ENOENT) where
 * there is none.
 */
const struct field *schema_require(const struct schema *s, const char *name, struct err *err);

/*
 * The same where one label of a set will do as well: "k8s.podLabels.app.kubernetes.io/name".
 * *ret_key is then its key within `name`, behind the longest start that names a field of
 * KIND_LABELS, which is returned (label_field() makes a field of both); else *ret_key is NULL.
 */
const struct field *schema_require_or_label(const struct schema *s, const char *name,
					    const char **ret_key, struct err *err);

/*
 * True where the field's part is there and long enough, a KIND_CSTR is not NULL, and a KIND_LABEL
 * is in its set.
 */
bool row_has(const struct row *row, const struct field *f);

/*
 * The raw value of an integer field (KIND_UINT, KIND_INT, KIND_BOOL). False where the part is
 * absent or too short.
 */
bool row_number(const struct row *row, const struct field *f, int64_t *ret);

/*
 * The bytes of a text field (CHARS, BYTES, TEXT, LIST, CSTR, LABEL), not NUL-terminated. False
 * where absent or out of bounds. *ret_truncated says that the kernel side cut it (TEXT, LIST).
 */
bool row_text(const struct row *row, const struct field *f, const char **ret, size_t *ret_len,
	      bool *ret_truncated);

/* The set of a KIND_LABELS field; what it points to is the row's. False where absent. */
bool row_labels(const struct row *row, const struct field *f, struct labels *ret);

/* Time of a row in boot-clock ns; 0 where the schema has no time field. */
uint64_t row_time(const struct schema *s, const struct row *row);

/* Adds to all times of a record by the boot clock, `size` bytes long, that are not 0. */
void schema_shift_times(const struct schema *s, void *record, size_t size, int64_t by);

/*
 * The schema as one line of JSON and back (finished), for record files and the API. Only fields of
 * PART_RECORD are written; the reader adds those of its own struct container and finishes again.
 * -EINVAL: not such a text; -E2BIG past a limit.
 */
void schema_to_json(const struct schema *s, struct buf *out);
int schema_from_json(const char *text, size_t len, struct schema **ret, struct err *err);
