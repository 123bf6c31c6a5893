// SPDX-License-Identifier: Apache-2.0
#include "columns/decoder.h"

#include <string.h>

#include "base/limits.h"

const char *decoding_bytes(const struct decoding *d, const g_text *field, size_t *ret_n)
{
	uint32_t n = field->length & ~G_TRUNCATED;

	if (!n || field->offset > d->size || n > d->size - field->offset)
		return NULL;
	*ret_n = n;
	return d->record + field->offset;
}

void decoding_text(struct decoding *d, g_text *field, const char *text, size_t n, bool cut)
{
	size_t room = MAX_RECORD_BYTES - d->fixed_size - d->tail->len;

	if (n > room) {
		n = room;
		cut = true;
	}
	*field = (g_text){.offset = d->fixed_size + (uint32_t)d->tail->len,
			  .length = (uint32_t)n | (cut ? G_TRUNCATED : 0)};
	buf_add(d->tail, text, n);
}

void decoding_keep(struct decoding *d, g_text *field)
{
	bool cut = field->length & G_TRUNCATED;
	size_t n = 0;
	const char *bytes = decoding_bytes(d, field, &n);

	decoding_text(d, field, bytes ?: "", n, cut);
}

const struct decoder *decoder_find(const char *gadget, const char *source, uint32_t fixed_size)
{
	for_each_registered(ig_decoders, it) {
		const struct decoder *d = *it;

		if (!strcmp(d->gadget, gadget) && !strcmp(d->source, source) &&
		    d->fixed_size == fixed_size)
			return d;
	}
	return NULL;
}

bool decoder_run(const struct decoder *decoder, const void *record, uint32_t size, struct buf *out,
		 struct buf *tail)
{
	struct decoding d = {
		.record = record, .size = size, .fixed_size = decoder->fixed_size, .tail = tail};

	if (size < decoder->fixed_size)
		return false;
	buf_clear(out);
	buf_clear(tail);
	buf_add(out, record, decoder->fixed_size);
	d.fixed = out->data;
	decoder->decode(&d);
	buf_add(out, tail->data, tail->len);
	return true;
}
