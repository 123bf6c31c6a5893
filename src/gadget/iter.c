// SPDX-License-Identifier: Apache-2.0
/*
 * Snapshots. An iterator program runs when its file is read; what it writes there is one frame for
 * each row: its size (32 bits), then so many bytes. A read may end within a frame.
 */
#include "gadget/run.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"

/* The kernel's own buffer is 8 pages; a frame with the longest record fits four times. */
#define READ_BYTES (4u * MAX_RECORD_BYTES)

struct frames {
	struct gadget *g;
	unsigned int source;
	gadget_record_fn *fn;
	void *ctx;
	unsigned char *bytes;
	size_t len;
};

/* Gives all whole frames and keeps the rest. */
static int give_frames(struct frames *f)
{
	const struct schema *schema = f->g->sources[f->source].pub.schema;
	size_t at = 0;
	uint32_t size;

	for (; f->len - at >= sizeof(size); at += sizeof(size) + size) {
		memcpy(&size, f->bytes + at, sizeof(size));
		if (size > MAX_RECORD_BYTES)
			return -EBADMSG;
		if (f->len - at - sizeof(size) < size)
			break;
		counters_seen(f->g->run, schema, f->bytes + at + sizeof(size), size);
		f->fn(f->ctx, f->source, f->bytes + at + sizeof(size), size);
	}
	memmove(f->bytes, f->bytes + at, f->len - at);
	f->len -= at;
	return 0;
}

static int read_frames(struct frames *f, int fd)
{
	for (;;) {
		ssize_t n = read(fd, f->bytes + f->len, READ_BYTES - f->len);
		int rc;

		/* EAGAIN: many objects without a row. */
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return f->len ? -EBADMSG : 0;
		f->len += n;
		rc = give_frames(f);
		if (rc)
			return rc;
	}
}

static void link_destroyp(struct bpf_link **l)
{
	bpf_link__destroy(*l);
}

static int run_iterator(struct frames *f, const struct program *p)
{
	_cleanup_(link_destroyp) struct bpf_link *link = bpf_program__attach_iter(p->prog, NULL);
	if (!link)
		return -errno;
	_cleanup_(closep) int fd = bpf_iter_create(bpf_link__fd(link));
	return fd < 0 ? -errno : read_frames(f, fd);
}

int snapshot_collect(struct gadget *g, unsigned int source, gadget_record_fn *fn, void *ctx,
		     struct err *err)
{
	_cleanup_(freep) unsigned char *bytes = malloc(READ_BYTES);
	struct frames f = { .g = g, .source = source, .fn = fn, .ctx = ctx, .bytes = bytes };

	if (!bytes)
		return err_set(err, -ENOMEM, "no memory to read %s", g->sources[source].pub.name);
	for (size_t i = 0; i < g->run->n_programs; i++) {
		const struct program *p = &g->run->programs[i];

		if (p->feeds != (int)source)
			continue;
		f.len = 0;
		int rc = run_iterator(&f, p);
		if (rc)
			return err_set(err, rc, "%s: iterator %s stopped: %s", g->name,
				       bpf_program__name(p->prog), strerror(-rc));
	}
	return 0;
}

int gadget_collect(struct gadget *g, unsigned int source, gadget_record_fn *fn, void *ctx,
		   struct err *err)
{
	if (!g->run || source >= g->n_sources)
		return err_set(err, -EINVAL, "%s: not loaded, or no such source", g->name);
	switch (g->sources[source].pub.kind) {
	case SOURCE_TOP:
		return top_collect(g, source, fn, ctx, err);
	case SOURCE_SNAPSHOT:
		return snapshot_collect(g, source, fn, ctx, err);
	case SOURCE_TRACER:
		break;
	}
	return err_set(err, -EINVAL, "%s: %s is a stream, not a table", g->name,
		       g->sources[source].pub.name);
}
