// SPDX-License-Identifier: Apache-2.0
#include "containers/source.h"

#include <stddef.h>

#include "containers/proc.h"

static const struct field fields[] = {
	{.name = "event",
	 .doc = "CREATED or DELETED; nothing where it is only there",
	 .kind = KIND_CHARS,
	 .parent = -1,
	 .width = 7,
	 .flags = FIELD_SKIP_EMPTY,
	 .offset = offsetof(struct container_record, event),
	 .size = sizeof(((struct container_record *)0)->event)},
	{.name = "timestamp",
	 .doc = "When that was",
	 .kind = KIND_UINT,
	 .type = "g_time",
	 .parent = -1,
	 .flags = FIELD_SKIP_EMPTY,
	 .offset = offsetof(struct container_record, timestamp),
	 .size = sizeof(uint64_t)},
};

int containers_schema(struct schema **ret, struct err *err)
{
	struct schema *s = schema_new(NULL, "containers", sizeof(struct container_record));
	int r = schema_add_table(s, fields, sizeof(fields) / sizeof(fields[0]), err);

	r = r ?: container_add_fields(s, err);
	r = r ?: schema_finish(s, err);
	if (r)
		schema_unref(s);
	else
		*ret = s;
	return r;
}

bool containers_record(enum container_event event, const struct container *c,
		       struct container_record *ret)
{
	if (event == CONTAINER_ADDED)
		*ret = (struct container_record){"CREATED", c->started_boot_ns};
	else if (event == CONTAINER_REMOVED)
		*ret = (struct container_record){"DELETED", c->ended_boot_ns};
	else
		return false;
	return true;
}

struct row containers_row(const struct container_record *r, const struct container *c)
{
	return (struct row){
		.part = {[PART_RECORD] = r, [PART_CONTAINER] = c},
		.size = {[PART_RECORD] = sizeof(*r), [PART_CONTAINER] = sizeof(*c)},
		.container_version = c->version,
	};
}
