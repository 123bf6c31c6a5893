/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users and groups by name, out of files such as /etc/passwd. The C library's getpwuid() would need
 * the modules of NSS, which a static program has not got; users of a directory service have
 * numbers.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Names of ids. Zeroes are none. */
struct owners {
	struct owner {
		uint32_t id, name; /* name: its place in text */
	} * items;		   /* by id; of several of an id the file's first is first */
	size_t n, room;
	struct buf text; /* names, each with a NUL behind it */
};

/*
 * Out of the text of such a file: name:…:id:… in each line. Lines that are not understood are left
 * out, as is what passes MAX_OWNERS and MAX_OWNERS_BYTES.
 */
void owners_parse(struct owners *ret, const char *text, size_t len);
/* Out of a file. -errno, and *ret is untouched, where it cannot be read or is too long. */
int owners_read(struct owners *ret, const char *path);
void owners_done(struct owners *o);

/* The ids are those of a user namespace; map: its uid_map or gid_map. Those outside are kept. */
void owners_map(struct owners *o, const char *map);

const char *owners_name(const struct owners *o, uint32_t id);		/* NULL: none */
int owners_id(const struct owners *o, const char *name, uint32_t *ret); /* -EINVAL: none */

/* Both, of one container or machine. */
struct owner_names {
	unsigned int refs;
	uint64_t version; /* of the contents: what was made of them may be kept by it */
	struct owners users, groups;
};

/* Another name for the id, or its first. Names are kept up to MAX_OWNER_NAME_BYTES. */
void owner_names_set(struct owner_names *n, struct owners *which /* one of n's */, uint32_t id,
		     const char *name, size_t len);

struct owner_names *owner_names_new(void);		      /* one reference */
struct owner_names *owner_names_ref(struct owner_names *n);   /* NULL is fine */
struct owner_names *owner_names_unref(struct owner_names *n); /* NULL is fine; returns NULL */
