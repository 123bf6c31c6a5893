// SPDX-License-Identifier: Apache-2.0
/*
 * Texts that are numbers in the ring: stacks are addresses, containers are cgroup ids. When a
 * record is read they become texts, and are texts from there on. So do bytes that a gadget's own
 * decoder makes fields of.
 */
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "columns/types.h"
#include "traces/internal.h"

/* Appends the text for the numbers, of which there are `len` bytes. True: it is not all of it. */
typedef bool text_fn(struct traces *ts, const char *numbers, size_t len, struct buf *out);

static bool stack_text(struct traces *ts, const char *numbers, size_t len, struct buf *out)
{
	if (!ts->symbols)
		ts->symbols = symbols_new(containers_proc_fd(ts->containers));
	return symbols_stack(ts->symbols, numbers, len, out) || len >= sizeof(struct g_user_stack);
}

static bool kernel_stack_text(struct traces *ts, const char *numbers, size_t len, struct buf *out)
{
	bool cut;

	if (!ts->kernel)
		ts->kernel = kernel_symbols_new(containers_proc_fd(ts->containers));
	cut = kernel_symbols_stack(ts->kernel, numbers, len, out) || len >= G_KSTACK_BYTES;
	if (kernel_symbols_hidden(ts->kernel) && !ts->kernel_hidden) {
		ts->kernel_hidden = true;
		containers_warn(ts->containers, "the kernel hides its functions' addresses "
						"(kernel.kptr_restrict): kernel stacks are shown "
						"as numbers");
	}
	return cut;
}

static bool container_text(struct traces *ts, const char *numbers, size_t len, struct buf *out)
{
	const struct container *c;
	uint64_t cgroup;

	if (len != sizeof(cgroup))
		return true;
	memcpy(&cgroup, numbers, sizeof(cgroup));
	c = containers_find_cgroup(ts->containers, cgroup);
	if (c && c->k8s_pod)
		buf_printf(out, "%s/%s/", c->k8s_namespace ?: "", c->k8s_pod);
	if (c)
		buf_str(out, c->k8s_container ?: c->name);
	return false;
}

static const struct late_text_kind {
	const char *type;
	enum kind kind;
	text_fn *text;
} kinds[] = {
	{"g_ustack", KIND_LIST, stack_text},
	{"g_kstack", KIND_LIST, kernel_stack_text},
	{"g_container_name", KIND_TEXT, container_text},
};

void texts_find(struct trace_source *to, const struct schema *s)
{
	size_t room = 0;

	for (size_t i = 0; i < s->n_fields; i++) {
		const struct field *f = &s->fields[i];

		for (size_t k = 0; k < array_size(kinds); k++)
			if (f->part == PART_RECORD && f->kind == kinds[k].kind && f->type &&
			    !strcmp(f->type, kinds[k].type))
				*grow(&to->texts, &to->n_texts, &room) =
					(struct late_text){f->offset, &kinds[k]};
	}
}

/* The numbers' place in the record; false: there are none. */
static bool place_of(const void *record, uint32_t size, uint32_t offset, struct g_text_place *ret)
{
	uint32_t len;

	if (size < sizeof(*ret) || offset > size - sizeof(*ret))
		return false;
	memcpy(ret, (const char *)record + offset, sizeof(*ret));
	len = ret->length & ~G_TRUNCATED;
	return len && ret->offset <= size && len <= size - ret->offset;
}

/* Puts the text behind the record, and over the numbers where these are last. */
static void make_text(struct traces *ts, const struct late_text *t)
{
	struct buf *b = &ts->made, *text = &ts->text;
	struct g_text_place place;
	bool cut;

	if (!place_of(b->data, (uint32_t)b->len, t->offset, &place))
		return;
	cut = place.length & G_TRUNCATED;
	place.length &= ~G_TRUNCATED;
	buf_clear(text);
	cut |= t->kind->text(ts, b->data + place.offset, place.length, text);
	if (place.offset + place.length == b->len)
		b->len = place.offset;
	place.offset = (uint32_t)b->len;
	place.length = (uint32_t)text->len | (cut ? G_TRUNCATED : 0);
	memcpy(b->data + t->offset, &place, sizeof(place));
	buf_add(b, text->data, text->len);
}

const void *texts_made(struct traces *ts, const struct trace_source *s, const void *record,
		       uint32_t *size)
{
	bool decoded = s->decoder && decoder_run(s->decoder, record, *size, &ts->made, &ts->tail);
	struct g_text_place place;
	size_t n = 0;

	if (decoded) {
		record = ts->made.data;
		*size = (uint32_t)ts->made.len;
	}
	for (size_t i = 0; i < s->n_texts; i++)
		n += place_of(record, *size, s->texts[i].offset, &place);
	if (!n)
		return record;
	if (!decoded) {
		buf_clear(&ts->made);
		buf_add(&ts->made, record, *size);
	}
	for (size_t i = 0; i < s->n_texts; i++)
		make_text(ts, &s->texts[i]);
	*size = (uint32_t)ts->made.len;
	return ts->made.data;
}
