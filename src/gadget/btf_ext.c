// SPDX-License-Identifier: Apache-2.0
/*
 * Section .BTF.ext: tables of functions, source lines and CO-RE relocations, each of them blocks of
 * records by code section. Format: the kernel's Documentation/bpf/btf.rst.
 */
#include <string.h>

#include <linux/bpf.h>

#include "base/err.h"
#include "base/mem.h"
#include "gadget/object.h"

#define BTF_EXT_VERSION 1
#define MAX_RECORD 64 /* bytes; known ones have 8 to 16 */

struct ext_header {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t hdr_len;
	uint32_t func_off, func_len;
	uint32_t line_off, line_len;
	uint32_t relo_off, relo_len; /* absent in the oldest */
};

/* One record; false where it cannot be. */
typedef bool check_record_fn(const struct object *o, const unsigned char *record);

static bool check_func(const struct object *o, const unsigned char *record)
{
	struct bpf_func_info info;

	memcpy(&info, record, sizeof(info));
	return info.type_id <= o->types.n && types_kind(&o->types, info.type_id) == BTF_KIND_FUNC;
}

static bool check_line(const struct object *o, const unsigned char *record)
{
	struct bpf_line_info info;

	memcpy(&info, record, sizeof(info));
	return types_string(&o->types, info.file_name_off) &&
	       types_string(&o->types, info.line_off);
}

/* Indexes joined by colons: "0:1:2"; libbpf takes no more than 64 of them. */
static bool check_relo(const struct object *o, const unsigned char *record)
{
	struct bpf_core_relo relo;
	const char *access;
	size_t digits = 0, parts = 1;

	memcpy(&relo, record, sizeof(relo));
	access = types_string(&o->types, relo.access_str_off);
	if (!relo.type_id || relo.type_id > o->types.n || !access || (int)relo.kind < 0 ||
	    relo.kind > BPF_CORE_TYPE_MATCHES)
		return false;
	for (; *access; access++) {
		if (*access == ':') {
			if (!digits || ++parts > 64)
				return false;
			digits = 0;
		} else if (*access < '0' || *access > '9' || ++digits > 9) {
			return false;
		}
	}
	return digits;
}

static const struct table {
	const char *name;
	size_t min_record;
	check_record_fn *check;
} tables[] = {
	{ "functions", sizeof(struct bpf_func_info), check_func },
	{ "source lines", sizeof(struct bpf_line_info), check_line },
	{ "CO-RE relocations", sizeof(struct bpf_core_relo), check_relo },
};

static int check_block(const struct object *o, const struct table *t, const unsigned char *records,
		       uint32_t n, uint32_t record_size, const char *section, struct err *err)
{
	const struct elf_section *code = section ? elf_section(&o->elf, section) : NULL;
	uint32_t at;

	if (!code || !elf_is_code(code))
		return err_set(err, -EINVAL, "the table of %s names a section without code",
			       t->name);
	for (uint32_t i = 0; i < n; i++) {
		memcpy(&at, records + (size_t)i * record_size, sizeof(at));
		if (at % 8 || at >= code->size)
			return err_set(err, -EINVAL,
				       "entry %u of the table of %s is outside section %s", i,
				       t->name, section);
		if (!t->check(o, records + (size_t)i * record_size))
			return err_set(err, -EINVAL,
				       "entry %u of the table of %s for section %s is malformed", i,
				       t->name, section);
	}
	return 0;
}

static int check_table(const struct object *o, const struct table *t, const unsigned char *at,
		       uint32_t left, struct err *err)
{
	struct btf_ext_block {
		uint32_t section_name, n;
	} block;
	uint32_t record_size;
	int r;

	if (!left)
		return 0;
	if (left < sizeof(record_size) || left % 4)
		return err_set(err, -EINVAL, "the table of %s is cut", t->name);
	memcpy(&record_size, at, sizeof(record_size));
	if (record_size < t->min_record || record_size > MAX_RECORD || record_size % 4)
		return err_set(err, -EINVAL, "the table of %s has entries of %u bytes", t->name,
			       record_size);
	at += sizeof(record_size);
	left -= sizeof(record_size);
	if (!left)
		return err_set(err, -EINVAL, "the table of %s is empty", t->name);
	while (left) {
		if (left < sizeof(block))
			return err_set(err, -EINVAL, "the table of %s is cut", t->name);
		memcpy(&block, at, sizeof(block));
		at += sizeof(block);
		left -= sizeof(block);
		if (!block.n || block.n > left / record_size)
			return err_set(err, -EINVAL, "the table of %s is cut", t->name);
		r = check_block(o, t, at, block.n, record_size,
				types_string(&o->types, block.section_name), err);
		if (r < 0)
			return r;
		at += (size_t)block.n * record_size;
		left -= block.n * record_size;
	}
	return 0;
}

int object_check_ext(const struct object *o, const struct elf_section *ext, struct err *err)
{
	struct ext_header h = {};
	uint64_t body;
	int r;

	if (!ext->data || ext->size < offsetof(struct ext_header, relo_off))
		return err_set(err, -EINVAL, ".BTF.ext is too short for its header");
	memcpy(&h, ext->data, ext->size < sizeof(h) ? ext->size : sizeof(h));
	if (h.magic != BTF_MAGIC || h.version != BTF_EXT_VERSION || h.flags)
		return err_set(err, -EINVAL, ".BTF.ext has an unknown magic number or version");
	if (h.hdr_len < offsetof(struct ext_header, relo_off) || h.hdr_len > ext->size ||
	    h.hdr_len % 4)
		return err_set(err, -EINVAL, ".BTF.ext has a header of impossible size");
	if (h.hdr_len < sizeof(h))
		h.relo_len = 0;
	body = ext->size - h.hdr_len;

	const struct {
		uint32_t offset, size;
	} places[] = {
		{ h.func_off, h.func_len },
		{ h.line_off, h.line_len },
		{ h.relo_off, h.relo_len },
	};
	for (size_t i = 0; i < array_size(tables); i++) {
		if (!places[i].size)
			continue;
		if (places[i].offset % 4 || places[i].offset > body ||
		    places[i].size > body - places[i].offset)
			return err_set(err, -EINVAL, "the table of %s lies outside .BTF.ext",
				       tables[i].name);
		r = check_table(o, &tables[i], ext->data + h.hdr_len + places[i].offset,
				places[i].size, err);
		if (r < 0)
			return r;
	}
	return 0;
}
