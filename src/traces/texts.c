// SPDX-License-Identifier: Apache-2.0
/*
 * Texts that are numbers in the ring and in tables: stacks are addresses, or the id of some,
 * containers are cgroup ids. When a record is read they become texts, and are texts from there on.
 * So do bytes that a gadget's own decoder makes fields of.
 */
#include <errno.h>
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

/* After stack_text() of the same stack, which has met the files. */
static bool files_text(struct traces *ts, const char *numbers, size_t len, struct buf *out)
{
	return ts->symbols && symbols_files(ts->symbols, numbers, len, out);
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

/* Whose address it is; *ret NULL: nobody's here. ADDRESS_RAW where it is none. */
static enum address_kind find_peer(struct traces *ts, const char *numbers, size_t len,
				   const struct container **ret)
{
	g_addr address;

	*ret = NULL;
	if (len != sizeof(address))
		return ADDRESS_RAW;
	memcpy(address, numbers, sizeof(address));
	if (!ts->addresses)
		ts->addresses = addresses_new(ts->containers);
	return addresses_find(ts->addresses, address, ts->now, ret);
}

static bool peer_kind_text(struct traces *ts, const char *numbers, size_t len, struct buf *out)
{
	static const char *const names[] = {[ADDRESS_RAW] = "raw",
					    [ADDRESS_CONTAINER] = "container",
					    [ADDRESS_HOST] = "host",
					    [ADDRESS_LOOPBACK] = "loopback"};
	const struct container *c;
	enum address_kind kind = find_peer(ts, numbers, len, &c);

	buf_str(out, c && c->k8s_pod ? "pod" : names[kind]);
	return false;
}

static bool peer_name_text(struct traces *ts, const char *numbers, size_t len, struct buf *out)
{
	const struct container *c;

	find_peer(ts, numbers, len, &c);
	buf_str(out, c ? c->k8s_pod ?: c->name : NULL);
	return false;
}

static bool peer_namespace_text(struct traces *ts, const char *numbers, size_t len, struct buf *out)
{
	const struct container *c;

	find_peer(ts, numbers, len, &c);
	buf_str(out, c && c->k8s_pod ? c->k8s_namespace : NULL);
	return false;
}

static bool peer_labels_text(struct traces *ts, const char *numbers, size_t len, struct buf *out)
{
	const struct container *c;
	const struct labels *labels;

	find_peer(ts, numbers, len, &c);
	labels = c ? container_labels(c) : NULL;
	for (size_t i = 0; labels && i < labels->n; i++) {
		size_t before = out->len;

		buf_printf(out, "%s=%s", labels->items[i].key, labels->items[i].value);
		buf_add(out, "", 1);
		if (out->failed) { /* what has no room is left out as a whole */
			out->len = before;
			return true;
		}
	}
	return false;
}

static const struct late_text_kind {
	const char *type;
	enum kind kind;
	text_fn *text;
	enum { IN_RECORD, USER_ID, KERNEL_ID } numbers; /* ids: of a stack in the gadget's map */
} kinds[] = {
	{"g_ustack", KIND_LIST, stack_text, IN_RECORD},
	{"g_kstack", KIND_LIST, kernel_stack_text, IN_RECORD},
	{"g_ustack_id", KIND_LIST, stack_text, USER_ID},
	{"g_kstack_id", KIND_LIST, kernel_stack_text, KERNEL_ID},
	{"g_ustack_files", KIND_LIST, files_text, USER_ID},
	{"g_container_name", KIND_TEXT, container_text, IN_RECORD},
	{"g_peer_kind", KIND_TEXT, peer_kind_text, IN_RECORD},
	{"g_peer_name", KIND_TEXT, peer_name_text, IN_RECORD},
	{"g_peer_namespace", KIND_TEXT, peer_namespace_text, IN_RECORD},
	{"g_peer_labels", KIND_LIST, peer_labels_text, IN_RECORD},
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

/* The id in a record; 0: there is none. */
static uint64_t id_of(const void *record, uint32_t size, uint32_t offset)
{
	uint64_t id = 0;

	if (size >= sizeof(id) && offset <= size - sizeof(id))
		memcpy(&id, (const char *)record + offset, sizeof(id));
	return id;
}

/* Not for its text: for the files of its process. */
void texts_meet(void *ctx, unsigned int source, const void *record, uint32_t size)
{
	struct attachment *a = ctx;
	struct traces *ts = a->ts;
	char stack[sizeof(struct g_user_stack)];
	ssize_t n = gadget_stack(a->gadget, true, id_of(record, size, 0), stack, sizeof(stack));

	buf_clear(&ts->text);
	if (n > 0)
		stack_text(ts, stack, (size_t)n, &ts->text);
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

static bool has_numbers(const struct late_text *t, const void *record, uint32_t size)
{
	struct g_text_place place;

	return t->kind->numbers == IN_RECORD ? place_of(record, size, t->offset, &place)
					     : id_of(record, size, t->offset) != 0;
}

/* A stack that is none says why, so that what was counted for it is not taken for another's. */
static bool no_stack(const char *why, struct buf *out)
{
	buf_printf(out, "[no stack: %s]", why);
	buf_char(out, '\0');
	return false;
}

/* The bytes of a stack; negative: it is not there. */
static ssize_t find_kept(struct traces *ts, const struct gadget *g, bool user, uint64_t id,
			 const char **ret)
{
	struct kept_stack *k = &ts->kept[user];

	if (k->id != id || k->gadget != g) {
		k->gadget = g;
		k->n = gadget_stack(g, user, id, k->bytes, sizeof(k->bytes));
		k->id = k->n < 0 ? 0 : id;
	}
	*ret = k->bytes;
	return k->n;
}

/* Appends the text of the stack that the gadget keeps by this id. */
static bool kept_text(struct traces *ts, const struct trace_source *s, const struct late_text *t,
		      uint64_t id, struct buf *out)
{
	const char *stack;
	ssize_t n;

	if (id < G_STACK_IDS && t->kind->text == files_text)
		return false;
	if (id == E2BIG)
		return no_stack("too many different ones", out);
	if (id < G_STACK_IDS)
		return no_stack(strerror((int)id), out);
	n = find_kept(ts, s->gadget, t->kind->numbers == USER_ID, id, &stack);
	if (n < 0)
		return t->kind->text == files_text ? false : no_stack("not kept", out);
	return t->kind->text(ts, stack, (size_t)n, out);
}

/* Puts the text behind the record, and over the numbers where these are last. */
static void make_text(struct traces *ts, const struct trace_source *s, const struct late_text *t)
{
	struct buf *b = &ts->made, *text = &ts->text;
	struct g_text_place place = {0};
	bool cut;

	if (!has_numbers(t, b->data, (uint32_t)b->len))
		return;
	buf_clear(text);
	if (t->kind->numbers != IN_RECORD) {
		cut = kept_text(ts, s, t, id_of(b->data, (uint32_t)b->len, t->offset), text);
	} else {
		place_of(b->data, (uint32_t)b->len, t->offset, &place);
		cut = place.length & G_TRUNCATED;
		place.length &= ~G_TRUNCATED;
		cut |= t->kind->text(ts, b->data + place.offset, place.length, text);
		if (place.offset + place.length == b->len)
			b->len = place.offset;
	}
	/* An empty text is nowhere: the next one's numbers, and with them this place, may go. */
	place.offset = text->len ? (uint32_t)b->len : 0;
	place.length = (uint32_t)text->len | (cut ? G_TRUNCATED : 0);
	memcpy(b->data + t->offset, &place, sizeof(place));
	buf_add(b, text->data, text->len);
}

const void *texts_made(struct traces *ts, const struct trace_source *s, const void *record,
		       uint32_t *size)
{
	bool decoded = s->decoder && decoder_run(s->decoder, record, *size, &ts->made, &ts->tail);
	size_t n = 0;

	if (decoded) {
		record = ts->made.data;
		*size = (uint32_t)ts->made.len;
	}
	for (size_t i = 0; i < s->n_texts; i++)
		n += has_numbers(&s->texts[i], record, *size);
	if (!n)
		return record;
	if (!decoded) {
		buf_clear(&ts->made);
		buf_add(&ts->made, record, *size);
	}
	for (size_t i = 0; i < s->n_texts; i++)
		make_text(ts, s, &s->texts[i]);
	*size = (uint32_t)ts->made.len;
	return ts->made.data;
}
