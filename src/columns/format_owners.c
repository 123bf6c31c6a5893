// SPDX-License-Identifier: Apache-2.0
/*
 * Users and groups by name: those of this machine's /etc/passwd and /etc/group, read when a first
 * name is asked for.
 */
#include "base/owners.h"
#include "columns/format_internal.h"

/* Formats have no object that could own this: it lives as long as the process. */
static struct file {
	const char *path;
	bool read;
	struct owners owners;
} passwd = {.path = "/etc/passwd"}, groups = {.path = "/etc/group"};

static const struct owners *owners_of(struct file *file)
{
	if (!file->read)
		owners_read(&file->owners, file->path);
	file->read = true;
	return &file->owners;
}

static void owner_text(struct file *file, const struct field *f, const struct row *row,
		       struct buf *out)
{
	const char *name;
	int64_t id;

	if (!row_number(row, f, &id))
		return;
	name = id >= 0 && id <= UINT32_MAX ? owners_name(owners_of(file), (uint32_t)id) : NULL;
	if (name)
		buf_str(out, name);
	else
		buf_i64(out, id);
}

static int owner_parse(struct file *file, const char *word, int64_t *ret)
{
	uint32_t id;
	int r = owners_id(owners_of(file), word, &id);

	if (!r)
		*ret = id;
	return r;
}

void user_text(FORMAT_ARGS)
{
	owner_text(&passwd, f, row, out);
}

void group_text(FORMAT_ARGS)
{
	owner_text(&groups, f, row, out);
}

int user_parse(const struct field *f, const char *word, int64_t *ret)
{
	return owner_parse(&passwd, word, ret);
}

int group_parse(const struct field *f, const char *word, int64_t *ret)
{
	return owner_parse(&groups, word, ret);
}
