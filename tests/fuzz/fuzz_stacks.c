// SPDX-License-Identifier: Apache-2.0
/*
 * Frames that anybody names, in rows: comm, user stack, kernel stack and files with a byte 0xff
 * between them. What is made of them must be a well-formed page, and a profile that can be read.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "../unit/stack_rows.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "columns/flamegraph.h"
#include "columns/pprof.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* The length of the entity at s, which begins with &. */
static size_t entity(const char *s)
{
	static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;"};

	for (size_t i = 0; i < array_size(known); i++)
		if (!strncmp(s, known[i], strlen(known[i])))
			return strlen(known[i]);
	abort();
}

/* As an XML parser would: each tag that begins has its end, each character may be there. */
static void check_page(const char *page, size_t len)
{
	const char *open[16], *end = page + len;
	size_t depth = 0, n;
	uint32_t c;

	for (const char *at = page; at < end; at += n) {
		n = utf8_decode(at, (size_t)(end - at), &c);
		check(n && (c >= 0x20 || c == '\n' || c == '\t') && c != 0xfffe && c != 0xffff);
		if (*at == '&') {
			n = entity(at);
		} else if (!strncmp(at, "<![CDATA[", 9)) {
			at = strstr(at, "]]>");
			check(at);
			n = 3;
		} else if (*at == '<') {
			const char *close = strchr(at, '>');
			size_t name = strcspn(at + 1, " />");

			check(close && at[1] != '!');
			n = (size_t)(close - at) + 1;
			if (at[1] == '/') {
				check(depth && !strncmp(open[--depth], at + 2, n - 3) &&
				      strcspn(open[depth], " />") == n - 3);
			} else if (at[1] != '?' && close[-1] != '/') {
				check(depth < array_size(open) && name);
				open[depth++] = at + 1;
			}
		} else {
			check(*at != '>'); /* outside of script and tags there is none of ours */
		}
	}
	check(!depth);
}

static const uint8_t *part(const uint8_t **data, size_t *size, size_t *ret)
{
	const uint8_t *from = *data, *stop = *size ? memchr(from, 0xff, *size) : NULL;

	*ret = stop ? (size_t)(stop - from) : *size;
	*data += *ret + (stop != NULL);
	*size -= *ret + (stop != NULL);
	return from;
}

static uint32_t put(struct stack_row *r, uint32_t at, g_args *to, const uint8_t **data,
		    size_t *size)
{
	size_t n;
	const uint8_t *from = part(data, size, &n);

	n = n < 1000 ? n : 1000;
	return n ? stack_put(r, at, to, (const char *)from, n) : at;
}

static void make_row(struct stack_row *r, uint32_t *ret, const uint8_t *data, size_t size)
{
	uint32_t at = offsetof(struct stack_row, tail);
	size_t n;
	const uint8_t *comm = part(&data, &size, &n);

	*r = (struct stack_row){.pid = 1, .samples = 3, .cpu = 30};
	if (n)
		memcpy(r->comm, comm, n < sizeof(r->comm) ? n : sizeof(r->comm));
	at = put(r, at, &r->user, &data, &size);
	at = put(r, at, &r->kernel, &data, &size);
	*ret = put(r, at, &r->files, &data, &size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct schema *schema = stack_schema();
	struct folded *folded = folded_new();
	struct pprof *pprof = pprof_new();
	struct folded_plan plan = {0};
	struct pprof_plan pprof_with = {0};
	struct buf out;
	struct stack_row r;
	uint32_t len;

	buf_init(&out, MAX_HELD_BYTES);
	check(!folded_plan(schema, true, NULL, &plan, NULL) &&
	      !pprof_plan(pprof, schema, true, NULL, &pprof_with, NULL));
	plan.containers = true;
	make_row(&r, &len, data, size);
	const struct row row = {.part = {&r}, .size = {len}};
	check(folded_add(folded, &plan, &row) && pprof_add(pprof, &pprof_with, &row));
	flamegraph_print(folded, "title", "samples", &out);
	check_page(buf_cstr(&out), out.len);
	buf_clear(&out);
	check(!pprof_write(pprof, &out));
	buf_done(&out);
	pprof_free(pprof);
	folded_free(folded);
	schema_unref(schema);
	return 0;
}
