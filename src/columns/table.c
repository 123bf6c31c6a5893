// SPDX-License-Identifier: Apache-2.0
#include "columns/table.h"

#include <ctype.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

enum { LEAST_WIDTH = 6 }; /* of a column that was shrunk */

struct column {
	char *title;
	size_t width;
	bool right, elastic;
	uint8_t ellipsis;
};

struct layout {
	struct column *columns;
	size_t n;
	bool has_first;
	size_t terminal; /* 0: lines have no limit */
	struct buf cell;
};

/* ---- titles and widths --------------------------------------------------------------------- */

/* The last `parts` parts of a path. */
static const char *tail(const char *path, size_t parts)
{
	const char *p = path + strlen(path);

	while (p > path && (p[-1] != '.' || --parts))
		p--;
	return p;
}

static size_t depth(const char *path)
{
	size_t n = 1;

	for (; *path; path++)
		n += *path == '.';
	return n;
}

static bool ends_with_part(const char *path, const char *part)
{
	return !strcmp(tail(path, depth(part)), part);
}

/*
 * The last part of a field's path, or as many as tell it from the other columns: of two, the one
 * that is less deep keeps the shorter title. Fields that are not the record's are known by their
 * whole path.
 */
static char *make_title(const struct field *const *fields, size_t n, size_t i)
{
	const char *path = fields[i]->name, *title = path;
	size_t parts = fields[i]->part != PART_RECORD ? depth(path) : 1;
	char *upper;

	for (; parts <= depth(path); parts++) {
		bool taken = false;

		title = tail(path, parts);
		for (size_t j = 0; j < n && !taken; j++)
			taken = j != i && fields[j]->part == fields[i]->part &&
				depth(fields[j]->name) <= depth(path) &&
				ends_with_part(fields[j]->name, title);
		if (!taken)
			break;
	}
	upper = xstrdup(title);
	for (char *p = upper; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	return upper;
}

static size_t line_width(const struct layout *l)
{
	size_t width = 0;

	for (size_t i = 0; i < l->n; i++)
		width += l->columns[i].width + (i > 0);
	return width;
}

static size_t elastic_width(const struct layout *l, size_t least)
{
	size_t width = 0;

	for (size_t i = 0; i < l->n; i++)
		if (l->columns[i].elastic && l->columns[i].width > least)
			width += l->columns[i].width - least;
	return width;
}

/* Shares what is missing or left among the elastic columns, by their widths. */
static void fill_terminal(struct layout *l)
{
	size_t room = l->has_first ? l->terminal - l->terminal / 4 : l->terminal;
	size_t now = line_width(l), part, change, done = 0, seen = 0;
	bool shrink = now > room;
	size_t least = shrink ? LEAST_WIDTH : 0;

	part = elastic_width(l, least);
	if (!part || (l->has_first && !shrink))
		return;
	change = shrink ? now - room : room - now;
	if (shrink && change > part)
		change = part;
	for (size_t i = 0; i < l->n; i++) {
		struct column *c = &l->columns[i];
		size_t share;

		if (!c->elastic || c->width <= least)
			continue;
		seen += c->width - least; /* sums of shares, so that rounding leaves nothing over */
		share = change * seen / part - done;
		done += share;
		c->width = shrink ? c->width - share : c->width + share;
	}
}

struct layout *layout_new(const struct schema *s, const struct field *const *fields, size_t n,
			  const char *first, size_t first_width, unsigned int terminal)
{
	struct layout *l = xnew(struct layout);

	l->n = n + (first != NULL);
	l->has_first = first;
	l->terminal = terminal;
	l->columns = xnew_n(struct column, l->n);
	buf_init(&l->cell, 64u << 20);
	if (first) {
		l->columns[0] = (struct column){.title = xstrdup(first), .width = first_width};
		if (first_width < strlen(first))
			l->columns[0].width = strlen(first);
	}
	for (size_t i = 0; i < n; i++) {
		struct column *c = &l->columns[i + l->has_first];
		const struct field *f = fields[i], *look = f->alias ?: f;

		*c = (struct column){
			.title = make_title(fields, n, i),
			.width = look->width > f->width ? look->width : f->width,
			.right = f->flags & FIELD_RIGHT,
			.elastic = !(f->flags & FIELD_FIXED),
			.ellipsis = look->ellipsis,
		};
		if (c->width < strlen(c->title))
			c->width = strlen(c->title);
	}
	if (terminal)
		fill_terminal(l);
	return l;
}

void layout_widen(struct layout *l, const struct field *const *fields, const struct row *row,
		  const struct clock_base *clock)
{
	if (l->terminal)
		return;
	for (size_t i = l->has_first; i < l->n; i++) {
		size_t width;

		buf_clear(&l->cell);
		field_text(fields[i - l->has_first], row, clock, &l->cell);
		width = text_width(buf_cstr(&l->cell), l->cell.len);
		if (width > l->columns[i].width)
			l->columns[i].width = width;
	}
}

struct layout *layout_free(struct layout *l)
{
	if (!l)
		return NULL;
	for (size_t i = 0; i < l->n; i++)
		free(l->columns[i].title);
	free(l->columns);
	buf_done(&l->cell);
	free(l);
	return NULL;
}

/* ---- lines --------------------------------------------------------------------------------- */

/* Bytes of the longest start of text that takes at most `width` columns. */
static size_t prefix(const char *text, size_t len, size_t width, size_t *ret_used)
{
	size_t at = 0, used = 0;

	while (at < len) {
		uint32_t c;
		size_t n = utf8_decode(text + at, len - at, &c), w = n ? utf8_width(c) : 1;

		if (used + w > width)
			break;
		used += w;
		at += n ? n : 1;
	}
	*ret_used = used;
	return at;
}

/* Place of the longest end of text that takes at most `width` columns. */
static size_t suffix(const char *text, size_t len, size_t width, size_t *ret_used)
{
	size_t at = 0, left = text_width(text, len);

	while (at < len && left > width) {
		uint32_t c;
		size_t n = utf8_decode(text + at, len - at, &c);

		left -= n ? utf8_width(c) : 1;
		at += n ? n : 1;
	}
	while (at < len) { /* marks of a character that is gone */
		uint32_t c;
		size_t n = utf8_decode(text + at, len - at, &c);

		if (!n || utf8_width(c))
			break;
		at += n;
	}
	*ret_used = left;
	return at;
}

void fit_text(struct buf *out, const char *text, size_t len, size_t width, enum ellipsis ellipsis,
	      size_t *ret_used)
{
	size_t room = width ? width - 1 : 0, head = 0, end = 0, used = text_width(text, len), n;

	if (used <= width) {
		buf_add(out, text, len);
		*ret_used = used;
		return;
	}
	if (ellipsis == ELLIPSIS_NONE || !width) {
		n = prefix(text, len, width, ret_used);
		buf_add(out, text, n);
		return;
	}
	if (ellipsis != ELLIPSIS_START) {
		n = prefix(text, len, ellipsis == ELLIPSIS_MIDDLE ? room - room / 2 : room, &head);
		buf_add(out, text, n);
	}
	buf_str(out, "…");
	if (ellipsis != ELLIPSIS_END) {
		n = suffix(text, len, ellipsis == ELLIPSIS_MIDDLE ? room / 2 : room, &end);
		buf_add(out, text + n, len - n);
	}
	*ret_used = head + 1 + end;
}

static void add_spaces(struct buf *out, size_t n)
{
	static const char spaces[] = "                                ";

	for (; n > sizeof(spaces) - 1; n -= sizeof(spaces) - 1)
		buf_add(out, spaces, sizeof(spaces) - 1);
	buf_add(out, spaces, n);
}

/* text goes into column i of the line at the end of out. */
static void add_cell(const struct layout *l, size_t i, const char *text, size_t len,
		     struct buf *out)
{
	const struct column *c = &l->columns[i];
	size_t at = out->len, used;

	if (l->terminal) {
		fit_text(out, text, len, c->width, c->ellipsis, &used);
	} else {
		used = text_width(text, len);
		buf_add(out, text, len);
	}
	if (used >= c->width)
		return;
	add_spaces(out, c->width - used);
	if (c->right && out->len > at) { /* the text moves behind its padding */
		size_t pad = c->width - used, bytes = out->len - at - pad;

		memmove(out->data + at + pad, out->data + at, bytes);
		memset(out->data + at, ' ', pad);
	}
}

/* The line that starts there gets its end. A terminal would fold a longer one: it is cut. */
static void end_line(struct layout *l, const char *end, struct buf *out, size_t start)
{
	size_t room = l->terminal > strlen(end) ? l->terminal - strlen(end) : 1, used;

	while (out->len > start && out->data[out->len - 1] == ' ')
		out->len--;
	if (l->terminal && out->len > start &&
	    text_width(out->data + start, out->len - start) > room) {
		buf_clear(&l->cell);
		buf_add(&l->cell, out->data + start, out->len - start);
		out->len = start;
		fit_text(out, buf_cstr(&l->cell), l->cell.len, room, ELLIPSIS_END, &used);
	}
	buf_str(out, end);
}

void layout_header(struct layout *l, bool color, struct buf *out)
{
	size_t start;

	if (color)
		buf_str(out, "\033[1m");
	start = out->len;
	for (size_t i = 0; i < l->n; i++) {
		if (i)
			buf_char(out, ' ');
		add_cell(l, i, l->columns[i].title, strlen(l->columns[i].title), out);
	}
	end_line(l, "", out, start);
	buf_str(out, color ? "\033[0m\n" : "\n");
}

void layout_row(struct layout *l, const struct field *const *fields, const struct row *row,
		const struct clock_base *clock, const char *first, const char *rest, bool late,
		struct buf *out)
{
	size_t start = out->len;

	for (size_t i = 0; i < l->n; i++) {
		if (i)
			buf_char(out, ' ');
		buf_clear(&l->cell);
		if (i || !l->has_first)
			field_text(fields[i - l->has_first], row, clock, &l->cell);
		else
			escape_text(&l->cell, first, strlen(first));
		add_cell(l, i, buf_cstr(&l->cell), l->cell.len, out);
	}
	if (*rest) {
		buf_char(out, ' ');
		buf_str(out, rest);
	}
	end_line(l, late ? " (late)" : "", out, start);
	buf_char(out, '\n');
}
