// SPDX-License-Identifier: Apache-2.0
/*
 * Tables at their interval, and snapshots. Iterators over sockets see one network namespace: they
 * are run in that of each wanted container, once in each that several share.
 */
#include "traces/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "columns/types.h"

#define NAMES_WAIT_NS 2000000000ull /* twice what the container collection waits for a name */

/* ---- where to look --------------------------------------------------------------- */

struct place {
	uint32_t pid;	/* of a process in it */
	uint64_t inode; /* what it must be: the process may be gone, and its id another's */
	uint64_t owner;
};

struct places {
	int proc_fd;
	struct place *all;
	size_t n, room;
};

static void places_done(struct places *p)
{
	free(p->all);
}

static uint64_t inode_of(int fd)
{
	struct stat st;

	return fd < 0 || fstat(fd, &st) ? 0 : st.st_ino;
}

/* The host's, process 1's, is ours where the kernel does not let us look at that. */
static int open_netns(const struct places *p, uint32_t pid)
{
	_cleanup_(freep) char *path = xasprintf("%u/ns/net", pid);
	int fd = openat(p->proc_fd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && pid == 1)
		fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return fd;
}

static int open_place(void *ctx, size_t i, struct gadget_netns *ret)
{
	const struct places *p = ctx;
	_cleanup_(closep) int fd = open_netns(p, p->all[i].pid);

	if (inode_of(fd) != p->all[i].inode)
		return -ESRCH;
	*ret = (struct gadget_netns){take_fd(&fd), p->all[i].owner};
	return 0;
}

static void add_place(struct places *p, uint32_t pid, uint64_t inode, uint64_t owner)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->all[i].inode == inode)
			return;
	*grow(&p->all, &p->n, &p->room) = (struct place){pid, inode, owner};
}

/* Of what has no owner in the host's namespace nobody knows which container in it made it. */
static void find_places(const struct attachment *a, struct places *p)
{
	_cleanup_(closep) int fd = open_netns(p, 1);
	uint64_t host = inode_of(fd);

	if (a->load.host && host)
		add_place(p, 1, host, G_HOST);
	for (uint32_t slot = 0; slot < a->n_slots; slot++) {
		const struct track *k = track_at(a, slot);
		const struct container *c = k ? k->container : NULL;

		if (c && k->n_wanted && !k->ended)
			add_place(p, c->pid, c->netns, c->netns == host ? G_NOBODY : c->key);
	}
}

static int collect(struct attachment *a, unsigned int source, gadget_record_fn *fn, struct err *err)
{
	_cleanup_(places_done) struct places p = {.proc_fd = containers_proc_fd(a->ts->containers)};
	struct gadget_look look = {.open_netns = open_place, .ctx = &p};

	if (gadget_looks_into_netns(a->gadget, source))
		find_places(a, &p);
	look.n_netns = p.n;
	return gadget_collect(a->gadget, source, &look, fn, a, err);
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
 * A snapshot is taken once: it waits for the names that are still looked for, but not for ever.
 * Rows of what has none by then go with what is known, as those of a table do.
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
