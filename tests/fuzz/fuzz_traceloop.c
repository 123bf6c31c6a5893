// SPDX-License-Identifier: Apache-2.0
/*
 * A lane of traceloop whose records are anything, as they are where they are overwritten while they
 * are read: never more than what is within bounds is looked at, and the JSON is always valid. Each
 * 64 bytes of the input are a record's; how it begins and ends is repaired, so that it is not left
 * out.
 */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "columns/format.h"
#include "traceloop/print.h"

#define LANE 16384u
#define PIECE 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A record of whole bytes of input, of the length that its first byte says. */
static uint32_t put_record(char *to, const uint8_t *data, size_t size, uint32_t seq)
{
	uint32_t n = (1 + data[0] % 8) * PIECE;
	struct loop_record *r = (void *)to;
	struct loop_footer *f = (void *)(to + n - sizeof(*f));

	memset(to, 0, n);
	memcpy(to, data, size < n ? size : n);
	r->size = (uint16_t)n;
	r->kind = LOOP_ENTER + r->kind % 2;
	r->n_args %= LOOP_ARGS + 1;
	r->time %= 1ull << 50;
	r->nr %= LOOP_CALLS;
	r->tid %= 3;
	r->seq = seq;
	*f = (struct loop_footer){seq, r->size, LOOP_MAGIC};
	return n;
}

static void check_json(struct buf *out)
{
	const char *at = buf_cstr(out);

	while (*at) {
		size_t n = strcspn(at, "\n");
		json_t *json = json_loadb(at, n, JSON_ALLOW_NUL, NULL);

		if (!json)
			abort();
		json_decref(json);
		at += n + 1;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint64_t memory[(sizeof(struct loop_lane) + LANE + LOOP_RECORD) / 8 + 1];
	struct loop_lane *lane = (void *)memory;
	const struct clock_base clock = {0};
	struct buf out = {.max = 16 << 20};
	struct lane_copy copy;
	struct loop_dump d;
	uint32_t place = 0;

	memset(lane, 0, sizeof(*lane));
	while (size && place + 8 * PIECE < LANE) {
		uint32_t n =
			put_record((char *)(lane + 1) + place, data, size, (uint32_t)++lane->seq);

		place += n;
		data += size < n ? size : n;
		size -= size < n ? size : n;
	}
	lane->end = place;
	lane_copy(lane, LANE, &copy);
	loop_dump_make(&copy, 1, &d);
	loop_print_text(&d, &loop_whole, &clock, &out);
	buf_clear(&out);
	loop_print_json(&d, &loop_whole, &clock, NULL, &out);
	check_json(&out);
	loop_dump_done(&d);
	buf_done(&out);
	return 0;
}
