// SPDX-License-Identifier: Apache-2.0
/*
 * From a container that was found to one that has its names. First the disk: at once for those that
 * start, since they may be gone soon; by and by, some milliseconds at a time, for the many that run
 * when we come. Then the daemons, whose answers come when they come.
 */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "columns/labels.h"
#include "containers/identify.h"
#include "containers/internal.h"
#include "containers/proc.h"
#include "containers/state.h"

#define SOME_NS 2000000ull /* of work before others have their turn */

/* ---- the disk -------------------------------------------------------------------- */

/*
 * A container that lived shorter than its state on disk took to be read: who made it still tells
 * something.
 */
static const char *runtime_of_parent(const struct entry *e)
{
	static const struct {
		const char *comm, *runtime;
	} known[] = {{"runc", "runc"},
		     {"crun", "crun"},
		     {"containerd-shim", "containerd"},
		     {"conmon", "podman"}};

	for (size_t i = 0; i < array_size(known); i++)
		if (!strncmp(e->parent, known[i].comm, sizeof(e->parent) - 1))
			return known[i].runtime;
	return NULL;
}

/* The runtime says that another process is its first: this one was only the first that we saw. */
static void change_init(struct containers *cs, struct entry *e)
{
	struct container *c = e->container;
	uint64_t inum;

	detector_unwatch(cs->detector, e->init_pid, c->key);
	e->init_pid = c->pid;
	detector_watch(cs->detector, c->pid, c->key);
	c->started_real_ns = boot_to_real(c->started_boot_ns);
	if (!proc_namespace(cs->proc_fd, c->pid, "pid", &inum))
		c->pidns = inum;
	if (c->by_namespace) /* those of the one that we saw are in the maps */
		return;
	if (!proc_namespace(cs->proc_fd, c->pid, "mnt", &inum))
		c->mntns = inum;
	if (!proc_namespace(cs->proc_fd, c->pid, "net", &inum))
		c->netns = inum;
}

static bool is_service(const char *cgroup_path)
{
	size_t len = cgroup_path ? strlen(cgroup_path) : 0;

	return len > 8 && !strcmp(cgroup_path + len - 8, ".service");
}

/* The disk's part of it. False: it is no container. */
static bool look_at_disk(struct containers *cs, const struct runtime_context *ctx, struct entry *e,
			 const struct clues *clues)
{
	struct container *c = e->container;
	uint64_t started = c->started_boot_ns;
	uint32_t pid = c->pid;
	size_t path_len = c->cgroup_path ? strlen(c->cgroup_path) : 0;
	bool known = identify(ctx, c, clues);

	/*
	 * A service with namespaces of its own, pid's included, is none: it is systemd that runs
	 * it. What a runtime runs is a container, also when it is gone from the disk already.
	 */
	if (!known && !e->announced &&
	    ((!e->sure && !runtime_of_parent(e)) || is_service(c->cgroup_path)))
		return false;
	/* Of its cgroup the runtime may remember a first process that has ended. */
	if (c->pid != pid && !container_runs(cs, c)) {
		c->pid = pid;
		c->started_boot_ns = started;
	}
	if (!c->id)
		c->id = identify_id(c->cgroup_path) ?: xasprintf("pid-%u", c->pid);
	if (!c->runtime)
		c->runtime = xstrdup(identify_runtime(c->cgroup_path) ?: runtime_of_parent(e));
	if (!c->name)
		c->name = xstrdup(c->id);
	if (c->k8s_pod)
		c->k8s_hostnetwork = c->netns == cs->host_netns;
	if (c->pid != e->init_pid)
		change_init(cs, e);
	if (path_len && strlen(c->cgroup_path) != path_len)
		scan_rise(cs, e);
	return true;
}

/* What the processes above a container say; the clues point into it. */
struct above {
	struct buf args[2]; /* of its parent; of whoever has started that */
	char *cwd, *bundle;
};

static void above_done(struct above *a)
{
	buf_done(&a->args[0]);
	buf_done(&a->args[1]);
	free(a->cwd);
	free(a->bundle);
}

static bool read_cmdline(struct containers *cs, uint32_t pid, struct buf *args, struct cmdline *ret)
{
	buf_init(args, MAX_PROC_FILE_BYTES);
	return pid > 1 && !proc_cmdline(cs->proc_fd, pid, args) &&
	       cmdline_parse(buf_cstr(args), args->len, ret);
}

/* The bundle of an OCI runtime's command line, which is in its working directory where not said. */
static char *bundle_of(struct containers *cs, uint32_t pid, const char *said)
{
	_cleanup_(freep) char *cwd = NULL;

	if (said && *said == '/')
		return xstrdup(said);
	cwd = proc_cwd(cs->proc_fd, pid);
	return cwd && said && strcmp(said, ".") ? xasprintf("%s/%s", cwd, said) : take(cwd);
}

/*
 * Its parent is a shim or conmon; or, while it is made, the OCI runtime, whose parent they are.
 */
static void look_above(struct containers *cs, const struct entry *e, struct above *above,
		       struct clues *clues)
{
	struct cmdline *parent = &clues->parent, maker;
	struct proc_stat stat;
	uint32_t pid = e->ppid;

	if (!read_cmdline(cs, pid, &above->args[0], parent)) {
		if (runtime_of_parent(e))
			parent->bundle = makers_bundle(&cs->makers, pid);
		return;
	}
	if (!parent->id) {
		parent->bundle = above->bundle = bundle_of(cs, pid, parent->bundle);
		if (!proc_stat(cs->proc_fd, pid, &stat) &&
		    read_cmdline(cs, stat.ppid, &above->args[1], &maker) && maker.id) {
			maker.root = parent->root;
			maker.bundle = parent->bundle;
			*parent = maker;
			pid = stat.ppid;
		}
	}
	if (parent->root)
		states_learn(cs->states, parent->root);
	if (parent->address) /* a shim */
		clues->parent_cwd = above->cwd = proc_cwd(cs->proc_fd, pid);
}

/* ---- the daemons ----------------------------------------------------------------- */

static void arm_deadline(struct containers *cs);

/* Those in it say its name, too. */
static void tell_inner(struct containers *cs, struct container *outer)
{
	struct entry *e;

	TAILQ_FOREACH(e, &cs->live, link)
		if (e->container->outer == outer) {
			container_set_outer(e->container, outer);
			e->container->version = ++cs->versions;
		}
}

static void settle(struct containers *cs, struct entry *e)
{
	struct container *c = e->container;
	bool first = c->pending;

	pods_fill(&cs->pods, c);
	labels_sort(&c->k8s_labels); /* daemons give them in any order */
	labels_sort(&c->labels);
	if (cs->has_inner)
		tell_inner(cs, c);
	c->unaskable = e->absent && TAILQ_EMPTY(&e->questions) && !e->unknown;
	c->resolved = TAILQ_EMPTY(&e->questions) && !e->unknown && !e->absent;
	c->version = ++cs->versions;
	if (!first) {
		entry_publish(cs, CONTAINER_CHANGED, e);
		return;
	}
	c->pending = false;
	cs->n_pending--;
	container_ref(c); /* a subscriber may forget it */
	entry_publish(cs, CONTAINER_ADDED, e);
	if (slots_entry(&cs->slots, c->key) == e && e->end_waits)
		entry_publish(cs, CONTAINER_REMOVED, e);
	container_unref(c);
}

static void on_answer(void *ctx, struct question *q, bool known)
{
	struct entry *e = ctx;
	struct containers *cs = e->cs;

	TAILQ_REMOVE(&e->questions, q, of_asker);
	e->unknown = e->unknown || !known;
	/* While it is being asked, or others have not answered, it is not settled. */
	if (e->asking || !TAILQ_EMPTY(&e->questions))
		return;
	if (e->container->pending) {
		TAILQ_REMOVE(&cs->asked, e, of_pending);
		arm_deadline(cs);
	}
	settle(cs, e);
}

static void say_silent(struct entry *e)
{
	struct question *q;

	TAILQ_FOREACH(q, &e->questions, of_asker)
		daemon_failed(q->daemon, "no answer in time");
}

static void on_deadline(void *ctx)
{
	struct containers *cs = ctx;
	uint64_t now = proc_boot_ns();
	struct entry *e;

	while ((e = TAILQ_FIRST(&cs->asked)) && e->deadline_boot_ns <= now) {
		TAILQ_REMOVE(&cs->asked, e, of_pending);
		say_silent(e);
		settle(cs, e);
	}
	arm_deadline(cs);
}

/* The first in the list was asked first. */
static void arm_deadline(struct containers *cs)
{
	const struct entry *e = TAILQ_FIRST(&cs->asked);
	uint64_t now = proc_boot_ns();

	timer_stop(&cs->deadline_timer);
	if (e)
		timer_start(&cs->deadline_timer, cs->reactor,
			    e->deadline_boot_ns > now ? e->deadline_boot_ns - now : 1, on_deadline,
			    cs);
}

/* ---- both ------------------------------------------------------------------------ */

/* A container in another one has its runtime's state there. */
static bool look(struct containers *cs, struct entry *e, struct clues *clues)
{
	struct container *c = e->container;
	_cleanup_(freep) char *root = NULL;
	struct runtime_context inner;
	struct proc_nspid pids;
	bool known;

	if (!c->outer)
		return look_at_disk(cs, &cs->context, e, clues);
	root = xasprintf("%s/proc/%u/root", cs->host_root, c->outer->pid);
	if (!proc_nspid(cs->proc_fd, c->pid, &pids))
		clues->pid = pids.above;
	inner = (struct runtime_context){root, states_new(root, NULL, cs->trouble), cs->trouble};
	known = look_at_disk(cs, &inner, e, clues);
	states_free(inner.states);
	return known;
}

static bool resolve(struct containers *cs, struct entry *e)
{
	_cleanup_(above_done) struct above above = {0};
	struct clues clues = {.pid = e->container->pid, .found_boot_ns = e->found_boot_ns};

	look_above(cs, e, &above, &clues);
	if (!look(cs, e, &clues))
		return false;
	if (e->container->outer) /* its daemon is out of our sight */
		return true;
	e->asking = true;
	if (!daemons_ask(cs->daemons, e->container, &clues, on_answer, e, &e->questions))
		e->absent = true;
	e->asking = false;
	return true;
}

static void drop(struct containers *cs, struct entry *e, bool was_found)
{
	e->todo = false;
	if (was_found)
		entry_publish(cs, CONTAINER_DROPPED, e);
	entry_drop(cs, e);
}

/* After the disk was looked at: who was asked is waited for. */
static void wait_or_settle(struct containers *cs, struct entry *e, bool was_found)
{
	e->todo = false;
	if (TAILQ_EMPTY(&e->questions)) {
		settle(cs, e);
		return;
	}
	e->deadline_boot_ns = proc_boot_ns() + cs->resolve_timeout_ns;
	TAILQ_INSERT_TAIL(&cs->asked, e, of_pending);
	if (TAILQ_FIRST(&cs->asked) == e)
		arm_deadline(cs);
	if (!was_found)
		entry_publish(cs, CONTAINER_FOUND, e);
}

static void begin(struct containers *cs, struct entry *e)
{
	e->container->pending = true;
	e->container->resolved = false;
	e->container->version = ++cs->versions;
	cs->n_pending++;
}

bool resolve_now(struct containers *cs, struct entry *e)
{
	begin(cs, e);
	owners_look(cs, e, proc_boot_ns()); /* it may live shortly */
	if (!resolve(cs, e)) {
		drop(cs, e, false);
		return false;
	}
	owners_look_in_bundle(cs, e);
	wait_or_settle(cs, e, false);
	return true;
}

void resolve_more(struct containers *cs, struct entry *e)
{
	if (!e->container->pending)
		settle(cs, e);
}

static void on_todo(void *ctx)
{
	/* containers_dispatch() does the rest. */
}

void resolve_later(struct containers *cs, struct entry *e)
{
	struct container *c = e->container;

	begin(cs, e);
	/* What can be shown before anything is known. */
	c->name = identify_id(c->cgroup_path) ?: xasprintf("pid-%u", c->pid);
	e->todo = true;
	TAILQ_INSERT_TAIL(&cs->todo, e, of_pending);
	entry_publish(cs, CONTAINER_FOUND, e);
}

void resolve_some(struct containers *cs)
{
	uint64_t end = proc_boot_ns() + SOME_NS;
	struct entry *e;

	while ((e = TAILQ_FIRST(&cs->todo)) && proc_boot_ns() < end) {
		TAILQ_REMOVE(&cs->todo, e, of_pending);
		free(take(e->container->name));
		if (resolve(cs, e))
			wait_or_settle(cs, e, true);
		else
			drop(cs, e, true);
	}
	if (!e && cs->want_list) {
		cs->want_list = false;
		scan_lists(cs);
	}
	if (!TAILQ_EMPTY(&cs->todo))
		timer_start(&cs->todo_timer, cs->reactor, 1, on_todo, cs);
}

void resolve_forget(struct containers *cs, struct entry *e)
{
	questions_drop(&e->questions);
	if (!e->container->pending)
		return;
	e->container->pending = false;
	cs->n_pending--;
	if (e->todo)
		TAILQ_REMOVE(&cs->todo, e, of_pending);
	else if (e->deadline_boot_ns)
		TAILQ_REMOVE(&cs->asked, e, of_pending);
}

size_t containers_pending(const struct containers *cs)
{
	return cs->n_pending + cs->want_list;
}

void containers_give_up(struct containers *cs)
{
	struct entry *e;

	while (!TAILQ_EMPTY(&cs->todo))
		resolve_some(cs);
	while ((e = TAILQ_FIRST(&cs->asked))) {
		TAILQ_REMOVE(&cs->asked, e, of_pending);
		settle(cs, e);
	}
	arm_deadline(cs);
}
