// SPDX-License-Identifier: Apache-2.0
/*
 * Filter expressions. An input is an expression; where it is taken, it is bound to a schema and
 * applied to a full row, a row without container and one that was cut short.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/open_row.h"
#include "base/mem.h"
#include "columns/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void match_rows(const struct bound_filter *b)
{
	struct test_container c = test_container();
	struct open_record *r = xnew(struct open_record);
	struct row row;

	open_fill(r);
	c.labels = test_labels();
	open_text(r, &r->event.args, "ls\0-l\0\xff\0", 8);
	row = open_row(r, &c);
	filter_match(b, &row);
	row.part[PART_CONTAINER] = NULL;
	filter_match(b, &row);
	row.size[PART_RECORD] = 40;
	filter_match(b, &row);
	free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = xstrndup((const char *)data, size);
	const struct clock_base clock = {.boot_to_real_ns = INT64_MIN};
	struct schema *s = open_schema();
	struct bound_filter *b = NULL;
	struct filter *f = NULL;
	struct err err = {0};
	size_t known;

	if (filter_parse(text, &f, &err)) {
		if (!err.text[0])
			abort(); /* an error that says nothing */
	} else {
		for (int strict = 0; strict < 2; strict++) {
			err = (struct err){0};
			if (filter_bind(f, s, &clock, strict, &b, &known, &err)) {
				if (!err.text[0])
					abort();
				continue;
			}
			match_rows(b);
			b = bound_filter_free(b);
		}
	}
	filter_free(f);
	schema_unref(s);
	return 0;
}
