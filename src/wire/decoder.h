/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client keeps of a server's data sources. Rows of our own servers have their record as it
 * was; of others, and of containers that come in fields, each value is fetched from its place.
 */
#pragma once

#include "columns/format.h"
#include "containers/container.h"
#include "wire/internal.h"

enum { WIRE_MAX_PAYLOADS = 4096 }; /* of a row; what lies behind is not looked at */

struct wire_slice {
	const unsigned char *bytes;
	size_t len;
};

/* Where a value lies in a row, and where it is to go. */
struct wire_place {
	uint32_t payload;
	uint32_t offs, size; /* size 0: the whole payload */
	uint32_t kind;	     /* Api__Kind, or API__KIND__ArrayOf and one of them */
	/* By schema_finish() the fields themselves have moved: this is what does not change. */
	enum kind to_kind;
	uint32_t to_offset, to_size;
};

struct wire_places {
	struct wire_place *items;
	size_t n, room;
};

struct decoded_source {
	uint32_t id;
	bool array, big_endian;
	bool own;		 /* payload 0 is the record */
	int32_t whole_container; /* payload with key and JSON, -1: none */
	int32_t owners;		 /* payload with names of users and groups, -1: none */
	struct wire_owner {
		uint32_t offset; /* of the id in the record */
		enum owner_kind kind;
	} * owner_fields;
	size_t n_owners, room_owners;
	struct wire_places record;  /* of others */
	struct wire_places members; /* of struct container */
	uint32_t n_payloads;	    /* that are looked at */
	uint32_t record_size;
};

struct wire_decoder {
	struct decoded_source *sources; /* as wire_gadget's */
	struct wire_slice *payloads;	/* as many as a row of any of them has */
	struct container_cache *containers;
	struct owner_names *host; /* of rows of no container */
	struct buf record, key;
};

/* The value of an annotation, NULL: none. */
const char *wire_note(Api__Entry *const *notes, size_t n, const char *key);

/* ---- others.c ---- */

/*
 * The places of what clients know of a container, by the names of struct container's fields. Adds
 * those fields to s, unless it is NULL.
 */
void wire_find_members(const Api__DataSource *source, struct decoded_source *to, struct schema *s);

/* The schema of a source that says nothing of ours; NULL: no field of it can be shown. */
struct schema *wire_other_schema(const Api__DataSource *source, const char *gadget,
				 const char *name, struct decoded_source *to);

/* ---- values.c ---- */

/* What a row has at a place; empty where it is not there. */
struct wire_slice wire_fetch(const struct wire_decoder *d, const struct wire_place *p);

/* A number of at most 8 bytes, sign and byte order respected; 0 for what is none. */
uint64_t wire_number(const struct wire_place *p, struct wire_slice value, bool big_endian);

/* Appends the value as text. */
void wire_text(const struct wire_place *p, struct wire_slice value, bool big_endian,
	       struct buf *out);

/* ---- container_cache.c: containers by the bytes that described them ---- */

struct container_cache *container_cache_new(void);
struct container_cache *container_cache_free(struct container_cache *c); /* returns NULL */

/* NULL: not there. The container stays the cache's. */
struct container *container_cache_find(struct container_cache *c, const struct buf *key);

/* Takes the reference over and gives the container a version. */
void container_cache_add(struct container_cache *c, const struct buf *key,
			 struct container *container);
