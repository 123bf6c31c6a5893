// SPDX-License-Identifier: Apache-2.0
/* Reading the types of an object that may be hostile: btf_check.c has the checks. */
#include "gadget/btf_types.h"

#include <string.h>

#include "base/mem.h"

void types_close(struct types *t)
{
	free(t->bytes);
	free(t->by_id);
	free(t->facts);
	*t = (struct types){};
}

const struct btf_type *types_get(const struct types *t, uint32_t id)
{
	return t->by_id[id];
}

unsigned int types_kind(const struct types *t, uint32_t id)
{
	return id ? BTF_INFO_KIND(t->by_id[id]->info) : BTF_KIND_UNKN;
}

const char *types_string(const struct types *t, uint32_t offset)
{
	return offset < t->strings_size ? t->strings + offset : NULL;
}

const char *types_name(const struct types *t, uint32_t id)
{
	return id ? t->strings + t->by_id[id]->name_off : "void";
}

uint64_t types_size(const struct types *t, uint32_t id)
{
	return t->facts[id].size;
}

uint32_t types_strip(const struct types *t, uint32_t id, bool typedefs)
{
	for (;;) {
		switch (types_kind(t, id)) {
		case BTF_KIND_TYPEDEF:
			if (!typedefs)
				return id;
			break;
		case BTF_KIND_CONST:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPE_TAG:
			break;
		default:
			return id;
		}
		id = t->by_id[id]->type;
	}
}

uint32_t types_find(const struct types *t, unsigned int kind, const char *name)
{
	for (uint32_t id = 1; id <= t->n; id++)
		if (types_kind(t, id) == kind && !strcmp(types_name(t, id), name))
			return id;
	return 0;
}

const struct btf_member *types_members(const struct types *t, uint32_t id)
{
	return (const struct btf_member *)(t->by_id[id] + 1);
}

const struct btf_var_secinfo *types_vars(const struct types *t, uint32_t id)
{
	return (const struct btf_var_secinfo *)(t->by_id[id] + 1);
}

const struct btf_array *types_array(const struct types *t, uint32_t id)
{
	return (const struct btf_array *)(t->by_id[id] + 1);
}

const struct btf_enum *types_enums(const struct types *t, uint32_t id)
{
	return (const struct btf_enum *)(t->by_id[id] + 1);
}

const struct btf_enum64 *types_enums64(const struct types *t, uint32_t id)
{
	return (const struct btf_enum64 *)(t->by_id[id] + 1);
}

uint32_t types_count(const struct types *t, uint32_t id)
{
	return BTF_INFO_VLEN(t->by_id[id]->info);
}

uint32_t types_member_bits(const struct types *t, uint32_t id, uint32_t member, uint32_t *ret_width)
{
	const struct btf_member *m = &types_members(t, id)[member];
	bool packed = BTF_INFO_KFLAG(t->by_id[id]->info);

	*ret_width = packed ? BTF_MEMBER_BITFIELD_SIZE(m->offset) : 0;
	return packed ? BTF_MEMBER_BIT_OFFSET(m->offset) : m->offset;
}

const char *types_tag(const struct types *t, uint32_t id, int member, const char *prefix,
		      uint32_t *cursor)
{
	uint32_t tag = *cursor ? t->facts[*cursor].next_tag : t->facts[id].first_tag;
	size_t len = strlen(prefix);

	for (; tag; tag = t->facts[tag].next_tag) {
		const struct btf_decl_tag *place = (const void *)(t->by_id[tag] + 1);
		const char *text = types_name(t, tag);

		if (place->component_idx == member && !strncmp(text, prefix, len)) {
			*cursor = tag;
			return text + len;
		}
	}
	return NULL;
}
