/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data source `containers`: the container collection as rows, as a gadget's records are. Its
 * schema is a gadget's: whoever shows, filters, records or sends rows needs to know no more.
 */
#pragma once

#include "columns/schema.h"
#include "containers/containers.h"

/* Part 0 of a row; part 1 is the container. */
struct container_record {
	char event[8];	    /* "CREATED", "DELETED"; "": it is there */
	uint64_t timestamp; /* boot clock, ns */
};

/* -errno of schema_finish(). */
int containers_schema(struct schema **ret, struct err *err);

/* What an event is as a record. False: it is none that a reader of the source is told of. */
bool containers_record(enum container_event event, const struct container *c,
		       struct container_record *ret);

/* The row of both, valid as long as they are. */
struct row containers_row(const struct container_record *r, const struct container *c);
