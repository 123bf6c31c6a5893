// SPDX-License-Identifier: Apache-2.0
/* User stacks of records: addresses when they are read from the ring, texts from there on. */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "columns/types.h"
#include "traces/internal.h"

void stacks_find(struct trace_source *to, const struct schema *s)
{
	size_t room = 0;

	for (size_t i = 0; i < s->n_fields; i++) {
		const struct field *f = &s->fields[i];

		if (f->part == PART_RECORD && f->kind == KIND_LIST && f->type &&
		    !strcmp(f->type, "g_ustack"))
			*grow(&to->stacks, &to->n_stacks, &room) = f->offset;
	}
}

/* A stack's place in the record; false: there is none. */
static bool place_of(const void *record, uint32_t size, uint32_t offset, struct g_text_place *ret)
{
	uint32_t len;

	if (size < sizeof(*ret) || offset > size - sizeof(*ret))
		return false;
	memcpy(ret, (const char *)record + offset, sizeof(*ret));
	len = ret->length & ~G_TRUNCATED;
	return len && ret->offset <= size && len <= size - ret->offset;
}

/* Puts the texts of the stack at `offset` behind the record, and over the stack where that is last.
 */
static void name_stack(struct traces *ts, uint32_t offset)
{
	struct buf *b = &ts->stacked, *texts = &ts->stack;
	struct g_text_place place;
	bool cut;

	if (!place_of(b->data, (uint32_t)b->len, offset, &place))
		return;
	cut = place.length & G_TRUNCATED;
	place.length &= ~G_TRUNCATED;
	buf_clear(texts);
	cut |= symbols_stack(ts->symbols, b->data + place.offset, place.length, texts) ||
	       place.length >= sizeof(struct g_user_stack);
	if (place.offset + place.length == b->len)
		b->len = place.offset;
	place.offset = (uint32_t)b->len;
	place.length = (uint32_t)texts->len | (cut ? G_TRUNCATED : 0);
	memcpy(b->data + offset, &place, sizeof(place));
	buf_add(b, texts->data, texts->len);
}

const void *stacks_as_texts(struct traces *ts, const struct trace_source *s, const void *record,
			    uint32_t *size)
{
	struct g_text_place place;
	size_t n = 0;

	for (size_t i = 0; i < s->n_stacks; i++)
		n += place_of(record, *size, s->stacks[i], &place);
	if (!n)
		return record;
	if (!ts->symbols)
		ts->symbols = symbols_new(containers_proc_fd(ts->containers));
	buf_clear(&ts->stacked);
	buf_add(&ts->stacked, record, *size);
	for (size_t i = 0; i < s->n_stacks; i++)
		name_stack(ts, s->stacks[i]);
	*size = (uint32_t)ts->stacked.len;
	return ts->stacked.data;
}
