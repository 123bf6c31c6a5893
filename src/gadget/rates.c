// SPDX-License-Identifier: Apache-2.0
/*
 * Fields of a table's value that say how much of another one there was in a second. Programs leave
 * them alone: only who takes the table knows how long it was filled.
 */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "columns/schema.h"
#include "gadget/describe.h"
#include "gadget/run.h"

#define SECOND_NS 1000000000ull

static bool is_count(const struct field *f)
{
	return f->kind == KIND_UINT && f->size == sizeof(uint64_t);
}

int rate_describe(struct source *src, const struct field *f, const char *of, struct err *err)
{
	const struct field *counted = schema_field(src->pub.schema, of);
	bool value = src->pub.kind == SOURCE_TOP && !src->pub.sampled && !(f->flags & FIELD_KEY);

	if (!value || !is_count(f))
		return err_set(err, -EINVAL,
			       "field %s: only a 64-bit number in a table's value "
			       "can be a rate",
			       f->name);
	if (!counted || counted->flags & FIELD_KEY || !is_count(counted) ||
	    counted->offset >= f->offset)
		return err_set(err, -EINVAL,
			       "field %s: no 64-bit number '%s' stands before it "
			       "in the table's value",
			       f->name, of);
	*grow(&src->rates, &src->n_rates, &src->room_rates) =
		(struct rate){.of = counted->offset, .to = f->offset};
	return 0;
}

void rates_fill(const struct source *s, unsigned char *row, uint64_t ns)
{
	for (size_t i = 0; i < s->n_rates; i++) {
		uint64_t n;

		memcpy(&n, row + s->rates[i].of, sizeof(n));
		n = ns ? (uint64_t)((unsigned __int128)n * SECOND_NS / ns) : 0;
		memcpy(row + s->rates[i].to, &n, sizeof(n));
	}
}
