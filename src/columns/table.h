/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows as lines of aligned columns. A layout has the titles and widths; the cells of a row are
 * texts of any bytes, which are escaped, cut to the column with an ellipsis and padded here.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "columns/format.h"

struct layout;

/*
 * Columns for fields of a schema, in this order. first: title of a column of first_width before
 * them, or NULL. terminal: its columns; widths are stretched or shrunk to fill it, and no line is
 * longer. Behind a first column a rest is expected: widths are not stretched, and shrunk so that a
 * quarter is left. 0: each has the width it wants, and longer texts are not cut.
 */
struct layout *layout_new(const struct schema *s, const struct field *const *fields, size_t n,
			  const char *first, size_t first_width, unsigned int terminal);
struct layout *layout_free(struct layout *l);

/* Where lines have no limit: makes columns as wide as the row's cells, before it is printed. */
void layout_widen(struct layout *l, const struct field *const *fields, const struct row *row,
		  const struct clock_base *clock);

void layout_header(struct layout *l, bool color, struct buf *out);

/*
 * One line with its newline. fields: as many as the layout has, of the row's own schema, which may
 * be another than the layout's. first: cell of the first column. rest: text behind the last column;
 * it is already escaped. late: the line ends with "(late)", which is not cut.
 */
void layout_row(struct layout *l, const struct field *const *fields, const struct row *row,
		const struct clock_base *clock, const char *first, const char *rest, bool late,
		struct buf *out);

/* Escaped text cut to `width` columns; *ret_used is set to the columns that it takes. */
void fit_text(struct buf *out, const char *text, size_t len, size_t width, enum ellipsis ellipsis,
	      size_t *ret_used);
