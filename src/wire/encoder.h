/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of a data source, which layout.c makes, info_pack.c tells and row_pack.c follows. */
#pragma once

#include "wire/internal.h"

/* A field as clients get it told. */
struct wire_field {
	const struct field *field;
	bool raw; /* NAME_raw */
	uint32_t flags, payload;
	Api__Kind kind;
	int32_t parent; /* index, -1: none */
};

/* A payload behind that of the record, with the text or, number, the bytes of a field. */
struct wire_payload {
	const struct field *field;
	bool number;
};

struct wire_source {
	unsigned int id;
	enum source_kind kind;
	char *name, *sort;
	struct schema *schema;
	bool compact;
	bool enriched; /* has fields of a container */
	struct clock_base clock;

	struct wire_field *fields;
	size_t n_fields, room_fields;
	struct wire_payload *payloads;
	size_t n_payloads, room_payloads;
	size_t n_container_payloads; /* the first ones */

	const struct field **owners; /* users and groups of the record */
	size_t n_owners, room_owners;
	struct packed_containers *containers;
	struct buf element, text, table;
};

/* layout.c: fills fields and payloads. */
void wire_layout(struct wire_source *s);
