// SPDX-License-Identifier: Apache-2.0
/*
 * Users and groups by name: those of the row's container or machine. A row that does not say whose
 * it is has this machine's, read when a first name is asked for.
 */
#include "base/owners.h"
#include "columns/format_internal.h"

/* Formats have no object that could own this: it lives as long as the process. */
static struct owner_names own;

static const struct owner_names *own_names(void)
{
	static bool read;

	if (!read) {
		owners_read(&own.users, "/etc/passwd");
		owners_read(&own.groups, "/etc/group");
	}
	read = true;
	return &own;
}

enum owner_kind field_owner(const struct field *f)
{
	if (f->format->text == user_text)
		return OWNER_USER;
	return f->format->text == group_text ? OWNER_GROUP : OWNER_NONE;
}

const char *row_owner(const struct row *row, const struct field *f, uint32_t *ret_id)
{
	const struct owner_names *names = row->owners ?: own_names();
	int64_t id;

	if (!row_number(row, f, &id) || id < 0 || id > UINT32_MAX)
		return NULL;
	*ret_id = (uint32_t)id;
	return owners_name(field_owner(f) == OWNER_USER ? &names->users : &names->groups, *ret_id);
}

static void owner_text(const struct field *f, const struct row *row, struct buf *out)
{
	uint32_t number;
	const char *name = row_owner(row, f, &number);
	int64_t id;

	if (name)
		buf_str(out, name);
	else if (row_number(row, f, &id))
		buf_i64(out, id);
}

void user_text(FORMAT_ARGS)
{
	owner_text(f, row, out);
}

void group_text(FORMAT_ARGS)
{
	owner_text(f, row, out);
}
