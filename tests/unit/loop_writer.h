/* SPDX-License-Identifier: Apache-2.0 */
/* Writes records into a lane as src/bpf/traceloop.bpf.c does. */
#pragma once

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "traceloop/lane.h"

struct writer {
	struct loop_lane *lane;
	uint32_t size;
	char *at; /* of the record that is being written */
	uint32_t used;
};

static inline void writer_init(struct writer *w, uint32_t size)
{
	*w = (struct writer){.size = size};
	w->lane = xcalloc(1, sizeof(struct loop_lane) + size + LOOP_RECORD);
}

static inline void writer_done(struct writer *w)
{
	free(w->lane);
}

static inline void writer_begin(struct writer *w, uint8_t kind, int32_t nr, uint32_t tid,
				uint64_t time)
{
	struct loop_record *r;

	w->at = (char *)(w->lane + 1) + (uint32_t)w->lane->end;
	r = (void *)w->at;
	*r = (struct loop_record){.kind = kind,
				  .nr = nr,
				  .time = time,
				  .pid = tid,
				  .tid = tid,
				  .seq = (uint32_t)(w->lane->seq + 1)};
}

static inline void writer_enter(struct writer *w, int32_t nr, uint32_t tid, uint64_t time,
				const uint64_t *args, unsigned int n)
{
	struct loop_enter *e;

	writer_begin(w, LOOP_ENTER, nr, tid, time);
	e = (void *)w->at;
	e->record.n_args = (uint8_t)n;
	strncpy(e->comm, "prog", sizeof(e->comm));
	memcpy(e->args, args, n * sizeof(*args));
	w->used = (uint32_t)(sizeof(*e) + n * sizeof(*args));
}

static inline void writer_exit(struct writer *w, int32_t nr, uint32_t tid, uint64_t time,
			       int64_t ret)
{
	writer_begin(w, LOOP_EXIT, nr, tid, time);
	((struct loop_exit *)w->at)->ret = ret;
	w->used = sizeof(struct loop_exit);
}

static inline void writer_part(struct writer *w, unsigned int arg, const void *bytes, uint32_t size,
			       uint32_t whole)
{
	struct loop_part *p = (void *)(w->at + w->used);

	*p = (struct loop_part){(uint8_t)arg, whole > size ? LOOP_PART_CUT : 0, (uint16_t)size,
				whole};
	memcpy(p + 1, bytes, size);
	w->used += (uint32_t)sizeof(*p) + (size + 7) / 8 * 8;
}

static inline void writer_end(struct writer *w)
{
	struct loop_record *r = (void *)w->at;
	struct loop_footer *f = (void *)(w->at + w->used);
	uint64_t place = (uint32_t)w->lane->end + w->used + sizeof(*f);

	r->size = (uint16_t)(w->used + sizeof(*f));
	*f = (struct loop_footer){r->seq, r->size, LOOP_MAGIC};
	w->lane->seq++;
	if (place < w->size) {
		w->lane->end = w->lane->end >> 32 << 32 | place;
		return;
	}
	w->lane->last_end = place;
	w->lane->end = ((w->lane->end >> 32) + 1) << 32;
}
