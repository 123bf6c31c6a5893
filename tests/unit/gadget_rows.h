/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of any schema, made up by its fields: numbers, addresses, texts that are plain, odd, empty
 * or cut; and containers of every sort. The same number gives the same row.
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "columns/labels.h"
#include "columns/schema.h"
#include "columns/types.h"
#include "containers/container.h"

enum { MADE_CONTAINERS = 6 };

static inline uint64_t made_number(const struct field *f, unsigned int n)
{
	if (f->type && !strcmp(f->type, "g_time"))
		return n % 5 ? 1000000000ull * n + 123456789 : 0;
	if (f->type && !strcmp(f->type, "g_walltime"))
		return n % 3 ? 1700000000000000000ull + n : 0;
	if (strstr(f->name, "version"))
		return n % 4 ? 4 : n % 8 ? 6 : 0;
	if (f->kind == KIND_BOOL || (f->type && !strcmp(f->type, "g_bool")))
		return n % 2;
	if (n % 7 == 3)
		return ~0ull;
	return n % 3 ? n * 37 + f->offset : n % 4;
}

static inline void made_text(const struct field *f, unsigned int n, size_t place,
			     struct buf *record)
{
	static const char *const texts[] = {
		"/usr/lib/x86_64-linux-gnu/libc.so.6",
		"",
		"say \"hi\"\\\n\033[2J",
		"bad \xff\xfe utf8",
		"\xc3\xbc\xe2\x80\xae wide \xe4\xb8\xad",
	};
	static const char lists[] = "ls\0-l\0\0/tmp/a b";
	g_text text = {.offset = (uint32_t)record->len};

	if (f->kind == KIND_LIST)
		buf_add(record, lists, n % 4 ? sizeof(lists) : n % 8 ? 3 : 0);
	else
		buf_str(record, texts[n % array_size(texts)]);
	text.length = (uint32_t)record->len - text.offset;
	if (n % 6 == 1)
		text.length |= G_TRUNCATED;
	memcpy(record->data + place, &text, sizeof(text));
}

static inline void made_field(const struct field *f, unsigned int n, struct buf *record)
{
	static const unsigned char v4[16] = {[10] = 0xff, 0xff, 10, 1, 2, 3};
	static const unsigned char v6[16] = {0x20, 1, 0xd, 0xb8, [15] = 1};
	char *at = record->data + f->offset;
	uint64_t number;

	switch (f->kind) {
	case KIND_UINT:
	case KIND_INT:
	case KIND_BOOL:
		number = made_number(f, n);
		memcpy(at, &number, f->size);
		return;
	case KIND_CHARS:
		snprintf(at, f->size, n % 5 == 4 ? "a\xff\n%u" : "name-%u", n);
		return;
	case KIND_BYTES:
		for (uint32_t i = 0; i < f->size; i++)
			at[i] = (char)(n % 4 ? v4[i % 16] : v6[i % 16]);
		return;
	case KIND_TEXT:
	case KIND_LIST:
		made_text(f, n, f->offset, record);
		return;
	default:
		return;
	}
}

/* Appends nothing to *record but makes it anew. */
static inline void made_record(const struct schema *s, unsigned int n, struct buf *record)
{
	buf_clear(record);
	buf_reserve(record, s->record_size);
	memset(record->data, 0, s->record_size + 1); /* a NUL behind it, as always */
	record->len = s->record_size;
	for (size_t i = 0; i < s->n_fields; i++)
		if (s->fields[i].part == PART_RECORD)
			made_field(&s->fields[i], n, record);
}

static inline void made_pod(struct container *c)
{
	c->k8s_namespace = xstrdup("shop");
	c->k8s_pod = xstrdup("front-6d4cf56db6-x2x7j");
	c->k8s_pod_uid = xstrdup("6f1b7e5e-9d6b-4f0e-8f0a-2f6c0d6f1a11");
	c->k8s_container = xstrdup("nginx");
	c->k8s_pod_ip = xstrdup("10.1.0.7");
	c->k8s_hostnetwork = true;
	labels_add(&c->k8s_labels, "app.kubernetes.io/name", "shop");
	labels_add(&c->k8s_labels, "tier", "front");
	labels_add(&c->k8s_labels, "empty", "");
	labels_add(&c->annotations, "note", "in no column");
}

/* NULL for 0, which is the host. */
static inline struct container *made_container(unsigned int which)
{
	_cleanup_(container_unrefp) struct container *outer = NULL;
	struct container *c;

	if (!which)
		return NULL;
	c = container_new();
	c->key = (uint64_t)9 << 32 | which;
	c->version = which;
	c->id = xasprintf("%064x", which);
	c->name = xstrdup(which == 3 ? c->id : "web");
	c->cgroup_id = 8000 + which;
	c->mntns = 4026532000ull + which;
	c->netns = 4026531840;
	c->pid = 4700 + which;
	c->started_boot_ns = 77000000123ull * which;
	c->runtime = xstrdup(which == 3 ? NULL : "docker");
	c->image_name = xstrdup(which == 3 ? NULL : "docker.io/library/nginx:1.25");
	c->image_digest = xstrdup(which == 4 ? "" : NULL);
	c->resolved = which != 3;
	if (which == 2)
		made_pod(c);
	if (which == 4) {
		labels_add(&c->labels, "say", "a=b,c=\"d\"\n");
		labels_add(&c->labels, "odd\xff", "\xfe");
	}
	if (which == 5) {
		outer = made_container(1);
		container_set_outer(c, outer);
	}
	return c;
}

static inline struct row made_row(const struct buf *record, const struct container *c)
{
	return (struct row){
		.part = {record->data, c},
		.size = {(uint32_t)record->len, c ? sizeof(*c) : 0},
		.container_version = c ? c->version : 0,
	};
}
