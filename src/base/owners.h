/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Users and groups by name, out of files such as /etc/passwd. The C library's getpwuid() would need
 * the modules of NSS, which a static program has not got; users of a directory service have
 * numbers.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Names of ids: name:…:id:… in each line. */
struct owners {
	struct owner {
		uint32_t id;
		const char *name;
	} * items; /* by id; of several names of an id the file's first */
	size_t n, room;
	char *text; /* owns the names */
};

/* A file that cannot be read, or passes MAX_OWNERS_BYTES, gives none. */
void owners_read(struct owners *ret, const char *path);
void owners_done(struct owners *o);
const char *owners_name(const struct owners *o, uint32_t id);		/* NULL: none */
int owners_id(const struct owners *o, const char *name, uint32_t *ret); /* -EINVAL: none */
