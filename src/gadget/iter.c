// SPDX-License-Identifier: Apache-2.0
/*
 * Snapshots and samples. An iterator program runs when its file is read; what it writes there is
 * one frame for each row: its size (32 bits), then so many bytes. A read may end within a frame.
 */
#include "gadget/run.h"

#include <fcntl.h>
#include <sched.h>
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
		if (!f->fn)
			continue;
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

/* ---- network namespaces ------------------------------------------------------------------ */

/* Iterators over what a network namespace has: they see that of who opens them. */
static bool is_of_netns(const struct program *p)
{
	static const char *const targets[] = {"tcp", "udp", "unix", "netlink"};

	for (size_t i = 0; i < array_size(targets); i++)
		if (!strcmp(p->target, targets[i]))
			return true;
	return false;
}

bool gadget_looks_into_netns(const struct gadget *g, unsigned int source)
{
	for (size_t i = 0; g->run && i < g->run->n_programs; i++)
		if (g->run->programs[i].feeds == (int)source && is_of_netns(&g->run->programs[i]))
			return true;
	return false;
}

/* In the wrong namespace nothing that this process does can be trusted. */
static void come_back(int home)
{
	static const char last_words[] =
		"level=error msg=\"cannot return to the network namespace\"\n";

	if (!setns(home, CLONE_NEWNET))
		return;
	if (write(STDERR_FILENO, last_words, sizeof(last_words) - 1) < 0)
		abort();
	abort();
}

/* The iterator keeps the namespace that it was made in; it is read from ours. */
static int create_there(const struct bpf_link *link, int netns)
{
	_cleanup_(closep) int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	int fd;

	if (home < 0 || setns(netns, CLONE_NEWNET))
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	come_back(home);
	return fd;
}

/* Tells the programs whose sockets are that know no cgroup (netns.bpf.h). */
static void set_owner(const struct gadget *g, uint64_t owner)
{
	struct bpf_map *m = bpf_object__find_map_by_name(g->run->object, "g_netns_owner");
	uint32_t zero = 0;

	if (m && bpf_map__value_size(m) == sizeof(owner))
		bpf_map_update_elem(bpf_map__fd(m), &zero, &owner, BPF_ANY);
}

static int read_in_each(struct frames *f, const struct bpf_link *link,
			const struct gadget_look *look)
{
	int rc = 0;

	for (size_t i = 0; !rc && i < look->n_netns; i++) {
		_cleanup_(closep) int fd = create_there(link, look->netns[i].fd);

		set_owner(f->g, look->netns[i].owner);
		f->len = 0;
		rc = fd < 0 ? fd : read_frames(f, fd);
	}
	return rc;
}

/* ---- running ----------------------------------------------------------------------------- */

static int run_iterator(struct frames *f, const struct program *p, const struct gadget_look *look)
{
	_cleanup_(link_destroyp) struct bpf_link *link = bpf_program__attach_iter(p->prog, NULL);

	if (!link)
		return -errno;
	if (look && look->n_netns && is_of_netns(p))
		return read_in_each(f, link, look);
	_cleanup_(closep) int fd = bpf_iter_create(bpf_link__fd(link));

	set_owner(f->g, G_NOBODY);
	f->len = 0;
	return fd < 0 ? fd : read_frames(f, fd);
}

static int iterator_stopped(const struct gadget *g, const struct program *p, int rc,
			    struct err *err)
{
	return err_set(err, rc, "%s: iterator %s stopped: %s", g->name, bpf_program__name(p->prog),
		       strerror(-rc));
}

/* Those that are to run last, or the others. */
static int run_iterators(struct frames *f, bool last, const struct gadget_look *look,
			 struct err *err)
{
	const struct running *run = f->g->run;

	for (size_t i = 0; i < run->n_programs; i++) {
		const struct program *p = &run->programs[i];

		if (p->feeds != (int)f->source || p->last != last)
			continue;
		int rc = run_iterator(f, p, look);
		if (rc)
			return iterator_stopped(f->g, p, rc, err);
	}
	return 0;
}

/* Whatever it writes is nobody's. */
static int run_for_itself(const struct program *p)
{
	_cleanup_(link_destroyp) struct bpf_link *link = bpf_program__attach_iter(p->prog, NULL);
	unsigned char bytes[4096];
	ssize_t n;

	if (!link)
		return -errno;
	_cleanup_(closep) int fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return fd;
	do
		n = read(fd, bytes, sizeof(bytes));
	while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	return n < 0 ? -errno : 0;
}

int iterators_at_attach(struct gadget *g, struct err *err)
{
	for (size_t i = 0; i < g->run->n_programs; i++) {
		const struct program *p = &g->run->programs[i];
		int rc = p->at_attach ? run_for_itself(p) : 0;

		if (rc)
			return iterator_stopped(g, p, rc, err);
	}
	return 0;
}

int snapshot_collect(struct gadget *g, unsigned int source, const struct gadget_look *look,
		     gadget_record_fn *fn, void *ctx, struct err *err)
{
	_cleanup_(freep) unsigned char *bytes = malloc(READ_BYTES);
	struct frames f = {.g = g, .source = source, .fn = fn, .ctx = ctx, .bytes = bytes};

	if (!bytes)
		return err_set(err, -ENOMEM, "no memory to read %s", g->sources[source].pub.name);
	programs_look(g->run);
	return run_iterators(&f, false, look, err) ?: run_iterators(&f, true, look, err);
}

int gadget_collect(struct gadget *g, unsigned int source, const struct gadget_look *look,
		   gadget_record_fn *fn, void *ctx, struct err *err)
{
	if (!g->run || source >= g->n_sources)
		return err_set(err, -EINVAL, "%s: not loaded, or no such source", g->name);
	const struct gadget_source *s = &g->sources[source].pub;

	if (s->kind == SOURCE_SNAPSHOT || s->sampled)
		return snapshot_collect(g, source, look, fn, ctx, err);
	if (s->kind == SOURCE_TOP)
		return top_collect(g, source, fn, ctx, err);
	return err_set(err, -EINVAL, "%s: %s is a stream, not a table", g->name, s->name);
}
