// SPDX-License-Identifier: Apache-2.0
#include "gadget/core_relos.h"

#include <errno.h>
#include <string.h>

/* Header of .BTF.ext; offsets count from the header's end (Documentation/bpf/btf.rst). */
struct ext_header {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t hdr_len;
	uint32_t func_info_off, func_info_len;
	uint32_t line_info_off, line_info_len;
	uint32_t relo_off, relo_len;
};

struct relos {
	const unsigned char *at;
	size_t left;
};

/* Empty where there are none. */
static int find_relos(const struct elf_section *ext, struct relos *ret)
{
	struct ext_header h = {};

	if (!ext->data || ext->size < offsetof(struct ext_header, relo_off))
		return -EINVAL;
	memcpy(&h, ext->data, ext->size < sizeof(h) ? ext->size : sizeof(h));
	if (h.hdr_len < sizeof(h)) /* an older form, without relocations */
		h.relo_len = 0;
	if (h.magic != BTF_MAGIC || h.hdr_len > ext->size ||
	    (uint64_t)h.relo_off + h.relo_len > ext->size - h.hdr_len)
		return -EINVAL;
	*ret = (struct relos){ ext->data + h.hdr_len + h.relo_off, h.relo_len };
	return 0;
}

static bool take_bytes(struct relos *r, void *ret, size_t n, size_t skip)
{
	if (r->left < skip || skip < n)
		return false;
	memcpy(ret, r->at, n);
	r->at += skip;
	r->left -= skip;
	return true;
}

/* Section by section, each a count and so many records of a size that is given once. */
int core_relos_each(const struct object *o, core_relo_fn *fn, void *ctx)
{
	const struct elf_section *ext = elf_section(&o->elf, ".BTF.ext");
	struct relos r = {};
	struct {
		uint32_t name, n;
	} block;
	uint32_t record_size;

	if (!ext)
		return 0;
	int rc = find_relos(ext, &r);
	if (rc || !r.left)
		return rc;
	if (!take_bytes(&r, &record_size, sizeof(record_size), sizeof(record_size)))
		return -EINVAL;
	while (r.left) {
		if (!take_bytes(&r, &block, sizeof(block), sizeof(block)))
			return -EINVAL;
		const char *section = types_string(&o->types, block.name);

		for (uint32_t i = 0; i < block.n; i++) {
			struct bpf_core_relo relo;

			if (!section || !take_bytes(&r, &relo, sizeof(relo), record_size) ||
			    relo.type_id > o->types.n)
				return -EINVAL;
			fn(ctx, section, &relo);
		}
	}
	return 0;
}
