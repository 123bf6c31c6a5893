// SPDX-License-Identifier: Apache-2.0
#include "columns/flamegraph.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"

enum {
	WIDTH = 1200, /* of the whole picture, px */
	MARGIN = 10,
	ROW = 17,   /* px from one row to the next */
	TOP = 60,   /* title, search, what the mouse is over */
	SHADES = 5, /* of each colour */
	MAX_DEPTH = 256,
	INNER = WIDTH - 2 * MARGIN,
	NARROWEST = 10 * INNER, /* tenths of a pixel that there are */
	TEN_CHARACTERS = 73,	/* px, of the labels' font */
	PLACE_DIGITS = 4,	/* of a pixel: what is narrow can be made wide */
};

/* What runs in the browser; the Makefile says that this file needs it. */
__asm__(".pushsection .rodata\n"
	"flamegraph_script: .incbin \"src/columns/flamegraph.js\"\n"
	".byte 0\n"
	".popsection");
extern const char flamegraph_script[];

/* A frame that is not ended yet: lines come in order, so that equal ones stand together. */
struct open_frame {
	const char *name; /* of the line that began it, `len` bytes */
	size_t len;
	uint64_t start; /* sum of all lines before it */
};

struct drawing {
	struct buf *out;
	const char *unit;
	uint64_t total, narrowest; /* a frame of a smaller sum is left out */
	uint64_t at;		   /* sum of the lines so far */
	size_t deepest;		   /* row that is drawn; those above MAX_DEPTH are not */
	struct open_frame open[MAX_DEPTH];
	size_t depth;
	bool measuring; /* the first time: nothing is drawn */
};

/* ---- text ----------------------------------------------------------------------------------- */

/* Names of frames are escaped already; what else there is, is kept from being no XML. */
static void add_xml(struct buf *out, const char *s, size_t len)
{
	for (size_t i = 0, n; i < len; i += n) {
		uint32_t c;

		n = utf8_decode(s + i, len - i, &c);
		if (!n || c == 0xfffe || c == 0xffff) {
			n = n ?: 1;
			buf_char(out, '?');
		} else if (c == '&') {
			buf_str(out, "&amp;");
		} else if (c == '<') {
			buf_str(out, "&lt;");
		} else if (c == '>') {
			buf_str(out, "&gt;");
		} else if (c == '"') {
			buf_str(out, "&quot;");
		} else {
			buf_add(out, s + i, n);
		}
	}
}

/* part / whole * scale with `digits` behind the point: no floating point, the same everywhere. */
static void add_share(struct buf *out, uint64_t part, uint64_t whole, unsigned int scale,
		      int digits)
{
	uint64_t power = digits == 2 ? 100 : 10000;
	__uint128_t n = ((__uint128_t)part * scale * power + whole / 2) / whole;

	buf_printf(out, "%" PRIu64 ".%0*" PRIu64, (uint64_t)(n / power), digits,
		   (uint64_t)(n % power));
}

/* As much of a name as a frame has room for. */
static void add_label(struct buf *out, const char *s, size_t len, uint64_t width)
{
	uint64_t room = width < 4 ? 0 : (width - 4) * 10 / TEN_CHARACTERS, n = 0;
	uint32_t c;
	size_t at = 0,
	       last = 0; /* where the text ends that has room, and where with a … behind it */

	if (room < 3)
		return;
	for (; at < len && n < room; n++) {
		last = n == room - 1 ? at : last;
		at += utf8_decode(s + at, len - at, &c) ?: 1;
	}
	add_xml(out, s, at < len ? last : len);
	if (at < len)
		buf_str(out, "…");
}

/* ---- frames --------------------------------------------------------------------------------- */

static bool is_kernel(const struct open_frame *f)
{
	static const char mark[] = FOLDED_KERNEL;
	size_t n = sizeof(mark) - 1;

	return f->len > n && !memcmp(f->name + f->len - n, mark, n);
}

/* Colours by what it is, shades by its name, so that neighbours differ and a name is found again.
 */
static char kind_of(const struct open_frame *f, size_t depth)
{
	return depth == 0 ? 'c' : depth == 1 ? 'p' : is_kernel(f) ? 'k' : 'u';
}

static unsigned int shade_of(const struct open_frame *f)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < f->len; i++)
		hash = (hash ^ (unsigned char)f->name[i]) * 16777619u;
	return hash % SHADES;
}

/* row 0 is the first, that of all. */
static void add_frame(const struct drawing *d, char kind, unsigned int shade, size_t row,
		      const struct open_frame *f, uint64_t sum)
{
	size_t y = TOP + row * ROW;
	size_t len = is_kernel(f) ? f->len - strlen(FOLDED_KERNEL) : f->len;

	buf_printf(d->out, "<g class=\"f %c%u\"><rect y=\"%zu\" height=\"%d\" x=\"", kind, shade, y,
		   ROW - 1);
	add_share(d->out, f->start, d->total, INNER, PLACE_DIGITS);
	buf_str(d->out, "\" width=\"");
	add_share(d->out, sum, d->total, INNER, PLACE_DIGITS);
	buf_printf(d->out, "\"/><text y=\"%zu\" dx=\"3\" x=\"", y + 12);
	add_share(d->out, f->start, d->total, INNER, PLACE_DIGITS);
	buf_str(d->out, "\">");
	add_label(d->out, f->name, len, (uint64_t)((__uint128_t)sum * INNER / d->total));
	buf_str(d->out, "</text><title>");
	add_xml(d->out, f->name, len);
	buf_printf(d->out, " (%" PRIu64 " ", sum);
	add_xml(d->out, d->unit, strlen(d->unit));
	buf_str(d->out, ", ");
	add_share(d->out, sum, d->total, 100, 2);
	buf_str(d->out, "%)</title></g>\n");
}

/* Ends the frames from `depth` up. */
static void end_frames(struct drawing *d, size_t depth)
{
	while (d->depth > depth) {
		const struct open_frame *f = &d->open[--d->depth];
		uint64_t sum = d->at - f->start;

		if (sum < d->narrowest)
			continue;
		if (!d->measuring)
			add_frame(d, kind_of(f, d->depth), shade_of(f), d->depth + 1, f, sum);
		else if (d->depth + 1 > d->deepest)
			d->deepest = d->depth + 1;
	}
}

static void draw_line(void *ctx, const char *stack, uint64_t sum)
{
	struct drawing *d = ctx;
	size_t depth = 0;
	bool same = true;

	for (const char *at = stack; at && depth < MAX_DEPTH; depth++) {
		size_t len = strcspn(at, ";");
		struct open_frame *f = &d->open[depth];

		same &= depth < d->depth && f->len == len && !memcmp(f->name, at, len);
		if (!same) {
			end_frames(d, depth);
			*f = (struct open_frame){at, len, d->at};
			d->depth = depth + 1;
		}
		at = at[len] ? at + len + 1 : NULL;
	}
	end_frames(d, depth);
	d->at += sum;
}

static void count_line(void *ctx, const char *stack, uint64_t sum)
{
	uint64_t *total = ctx;

	if (__builtin_add_overflow(*total, sum, total))
		*total = UINT64_MAX;
}

/* ---- the page ------------------------------------------------------------------------------- */

static const char style[] =
	"text{font:12px monospace;fill:#000}"
	"#title{font-size:16px;text-anchor:middle}"
	".f{cursor:pointer}.f text{pointer-events:none}.f:hover rect{stroke:#000;stroke-width:.5}"
	".p{opacity:.5}.h{display:none}.f.m rect{fill:#e0f}"
	"#reset,#bad{display:none}#reset{cursor:pointer;text-decoration:underline}"
	"#bad{fill:#c00}#share,#bad{text-anchor:end}"
	"input{font:12px monospace;width:240px;box-sizing:border-box}";

/* Hue and saturation of each kind; light differs by shade. */
static const struct {
	char kind;
	int hue, saturation, light;
} colours[] = {
	{'a', 0, 0, 80},    /* all */
	{'c', 120, 30, 65}, /* containers */
	{'p', 50, 45, 70},  /* processes */
	{'u', 25, 85, 60},  /* their own functions */
	{'k', 205, 60, 65}, /* the kernel's */
};

static void add_style(struct buf *out)
{
	buf_str(out, "<style>");
	buf_str(out, style);
	for (size_t i = 0; i < array_size(colours); i++)
		for (int shade = 0; shade < SHADES; shade++)
			buf_printf(out, ".%c%d rect{fill:hsl(%d,%d%%,%d%%)}", colours[i].kind,
				   shade, colours[i].hue + 4 * shade, colours[i].saturation,
				   colours[i].light + 3 * shade);
	buf_str(out, "</style>\n");
}

static void begin_page(const struct drawing *d, const char *title, size_t height)
{
	buf_printf(d->out,
		   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
		   "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"%d\" "
		   "height=\"%zu\" viewBox=\"0 0 %d %zu\">\n",
		   WIDTH, height, WIDTH, height);
	add_style(d->out);
	buf_str(d->out, "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
			"<text id=\"title\" x=\"600\" y=\"22\">");
	add_xml(d->out, title, strlen(title));
	buf_printf(d->out,
		   "</text>\n<text id=\"reset\" x=\"10\" y=\"22\">reset zoom</text>\n"
		   "<text id=\"share\" x=\"930\" y=\"22\"></text>"
		   "<text id=\"bad\" x=\"930\" y=\"22\">not a regular expression</text>\n"
		   "<foreignObject x=\"940\" y=\"6\" width=\"250\" height=\"26\">"
		   "<input xmlns=\"http://www.w3.org/1999/xhtml\" id=\"search\" "
		   "placeholder=\"search: regular expression\"/></foreignObject>\n"
		   "<text id=\"over\" x=\"10\" y=\"50\"> </text>\n"
		   "<g id=\"frames\" transform=\"translate(%d,0)\">\n",
		   MARGIN);
}

static void end_page(const struct drawing *d)
{
	buf_str(d->out, "</g>\n<script><![CDATA[\n");
	buf_str(d->out, flamegraph_script);
	buf_str(d->out, "]]></script>\n</svg>\n");
}

void flamegraph_print(const struct folded *f, const char *title, const char *unit, struct buf *out)
{
	_cleanup_(freep) struct drawing *d = xnew(struct drawing);

	d->out = out;
	d->unit = unit;
	d->measuring = true;
	folded_each(f, count_line, &d->total);
	d->narrowest = d->total / NARROWEST + (d->total % NARROWEST > 0);
	folded_each(f, draw_line, d);
	end_frames(d, 0);

	begin_page(d, title, TOP + (d->deepest + 1) * ROW + MARGIN);
	d->measuring = false;
	d->at = 0;
	if (d->total) {
		folded_each(f, draw_line, d);
		end_frames(d, 0);
		add_frame(d, 'a', 0, 0, &(struct open_frame){"all", 3, 0}, d->total);
	}
	end_page(d);
}
