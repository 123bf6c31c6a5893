// SPDX-License-Identifier: Apache-2.0
/*
 * Tables at their interval, and snapshots. Iterators over sockets see one network namespace: they
 * are run in that of each wanted container, once in each that several share.
 */
#include "traces/internal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "columns/types.h"

#define NAMES_WAIT_NS 2000000000ull /* twice what the container collection waits for a name */

/* ---- where to look --------------------------------------------------------------- */

struct places {
	int proc_fd;
	uint64_t host; /* inode number of the host's namespace */
	struct gadget_netns *netns;
	uint64_t *inodes;
	size_t n, room_netns, room_inodes;
};

static void places_done(struct places *p)
{
	for (size_t i = 0; i < p->n; i++)
		close(p->netns[i].fd);
	free(p->netns);
	free(p->inodes);
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fd < 0 || fstat(fd, &st) ? 0 : st.st_ino;
}

static int open_netns(const struct places *p, uint32_t pid)
{
	_cleanup_(freep) char *path = xasprintf("%u/ns/net", pid);

	return openat(p->proc_fd, path, O_RDONLY | O_CLOEXEC);
}

static bool has_place(const struct places *p, uint64_t inode)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->inodes[i] == inode)
			return true;
	return false;
}

/* fd is taken over. inode: what it must be: a process may be gone, and its id another's. */
static void add_place(struct places *p, int fd, uint64_t inode, uint64_t owner)
{
	size_t n = p->n;

	if (fd < 0 || inode_of(fd) != inode) {
		closep(&fd);
		return;
	}
	*grow(&p->inodes, &n, &p->room_inodes) = inode;
	*grow(&p->netns, &p->n, &p->room_netns) = (struct gadget_netns){fd, owner};
}

/* Ours where the kernel does not let us look at process 1. */
static int open_host_netns(const struct places *p)
{
	int fd = open_netns(p, 1);

	return fd >= 0 ? fd : open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* Of what has no owner in the host's namespace nobody knows which container in it made it. */
static void find_places(const struct attachment *a, struct places *p)
{
	_cleanup_(closep) int host = open_host_netns(p);

	p->host = inode_of(host);
	if (a->load.host)
		add_place(p, take_fd(&host), p->host, G_HOST);
	for (uint32_t slot = 0; slot < a->n_slots; slot++) {
		const struct track *k = track_at(a, slot);
		const struct container *c = k ? k->container : NULL;

		if (c && k->n_wanted && !k->ended && !has_place(p, c->netns))
			add_place(p, open_netns(p, c->pid), c->netns,
				  c->netns == p->host ? G_NOBODY : c->key);
	}
}

static int collect(struct attachment *a, unsigned int source, gadget_record_fn *fn, struct err *err)
{
	_cleanup_(places_done) struct places p = {.proc_fd = containers_proc_fd(a->ts->containers)};

	if (!gadget_looks_into_netns(a->gadget, source))
		return gadget_collect(a->gadget, source, NULL, fn, a, err);
	find_places(a, &p);
	return gadget_collect(a->gadget, source, &(struct gadget_look){p.netns, p.n}, fn, a, err);
}

/* ---- tables and snapshots -------------------------------------------------------- */

static void table_end(struct attachment *a, unsigned int source)
{
	for (size_t i = 0; i < a->n_tracers; i++) {
		struct trace *t = a->tracers[i];

		if (t->reader.table_end)
			t->reader.table_end(t->reader.ctx, t, source);
	}
}

void read_tables(struct attachment *a)
{
	for (unsigned int i = 0; i < a->n_sources; i++) {
		if (a->sources[i].kind != SOURCE_TOP)
			continue;
		a->sources[i].taken = a->ts->now;
		if (!gadget_has_table(a->gadget, i))
			continue;
		/*
		 * Rows that a failure leaves out were counted in the kernel, and are lost in the
		 * end; how many an iterator would have found nobody knows: one, so that it is told.
		 */
		if (collect(a, i, read_table_record, NULL) < 0 && a->sources[i].sampled)
			read_nameless_loss(a, 1);
		table_end(a, i);
	}
}

int read_first(struct attachment *a, struct err *err)
{
	int r = 0;

	for (unsigned int i = 0; r >= 0 && i < a->n_sources; i++)
		if (a->sources[i].sampled)
			r = collect(a, i, NULL, err);
	return r;
}

/*
 * A snapshot is taken once: it waits for the names that are still looked for, but not for ever. Rows
 * of what has none by then go with what is known, as those of a table do.
 */
static void wait_for_names(struct traces *ts)
{
	struct pollfd p = {.fd = containers_fd(ts->containers), .events = POLLIN};
	uint64_t until = boot_now() + NAMES_WAIT_NS, now;

	while (containers_pending(ts->containers) && (now = boot_now()) < until) {
		poll(&p, 1, (int)((until - now) / 1000000) + 1);
		containers_dispatch(ts->containers);
	}
}

int read_snapshots(struct attachment *a, struct err *err)
{
	bool waited = a->named;
	int r = 0;

	for (unsigned int i = 0; r >= 0 && i < a->n_sources; i++) {
		if (a->sources[i].kind != SOURCE_SNAPSHOT)
			continue;
		if (!waited)
			wait_for_names(a->ts);
		waited = true;
		r = collect(a, i, read_table_record, err);
		if (r >= 0)
			table_end(a, i);
	}
	return r;
}
