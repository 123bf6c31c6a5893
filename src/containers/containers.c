// SPDX-License-Identifier: Apache-2.0
/* The container collection: what the detector tells becomes containers, and is published. */
#include "containers/containers.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "columns/format.h"
#include "containers/hostfs.h"
#include "containers/internal.h"
#include "containers/proc.h"
#include "containers/state.h"
#include "containers/trouble.h"

#define RESOLVE_TIMEOUT_NS 1000000000ull

#define KEYS_READY 256 /* containers that may start before we come to read of them */

/* ---- clocks and keys ------------------------------------------------------------- */

uint64_t boot_to_real(uint64_t boot_ns)
{
	struct clock_base clock;

	clock_base_now(&clock);
	return (uint64_t)clock.boot_to_real_ns + boot_ns;
}

/* An ended container that nobody forgot gives way when there is no other slot. */
static bool forget_oldest(struct containers *cs)
{
	struct entry *e = TAILQ_FIRST(&cs->ended);

	if (e)
		containers_forget(cs, e->container);
	return e;
}

static void refill_keys(struct containers *cs)
{
	uint64_t key;

	while (cs->slots.waiting < KEYS_READY) {
		if (!slots_take(&cs->slots, &key) &&
		    !(forget_oldest(cs) && slots_take(&cs->slots, &key)))
			return;
		if (detector_give_key(cs->detector, key)) {
			slots_give(&cs->slots, key);
			return;
		}
		cs->slots.waiting++;
	}
}

bool take_key(struct containers *cs, uint64_t *ret)
{
	if (slots_take(&cs->slots, ret) || (forget_oldest(cs) && slots_take(&cs->slots, ret)))
		return true;
	if (!detector_take_key(cs->detector, ret))
		return false;
	cs->slots.waiting -= cs->slots.waiting > 0;
	return true;
}

/* ---- entries --------------------------------------------------------------------- */

struct entry *entry_new(struct containers *cs, struct container *c)
{
	struct entry *e = xnew(struct entry);

	e->container = c;
	e->cs = cs;
	e->init_pid = c->pid;
	e->found_boot_ns = proc_boot_ns();
	TAILQ_INIT(&e->questions);
	if (!c->by_namespace)
		*grow(&e->cgroups, &e->n_cgroups, &e->room_cgroups) = c->cgroup_id;
	slots_set(&cs->slots, c->key, e);
	TAILQ_INSERT_TAIL(&cs->live, e, link);
	cs->n_live++;
	return e;
}

static void entry_free(struct entry *e)
{
	container_unref(e->container);
	free(e->cgroups);
	owner_names_unref(e->owners.names);
	free(e);
}

void entry_drop(struct containers *cs, struct entry *e)
{
	struct container *c = e->container;

	resolve_forget(cs, e);
	maps_leave(cs, e);
	detector_unwatch(cs->detector, e->init_pid, c->key);
	if (c->ended) {
		TAILQ_REMOVE(&cs->ended, e, link);
	} else {
		TAILQ_REMOVE(&cs->live, e, link);
		cs->n_live--;
	}
	slots_give(&cs->slots, c->key);
	entry_free(e);
}

void entry_publish(struct containers *cs, enum container_event event, struct entry *e)
{
	struct container *c = container_ref(e->container); /* a subscriber may forget it */

	for (size_t i = 0; i < cs->n_subscribers; i++)
		cs->subscribers[i].fn(cs->subscribers[i].ctx, event, c);
	container_unref(c);
}

void entry_end(struct containers *cs, struct entry *e, uint64_t boot_ns)
{
	struct container *c = e->container;

	if (c->ended)
		return;
	detector_unwatch(cs->detector, e->init_pid, c->key);
	maps_leave_namespaces(cs, e);
	c->ended = true;
	c->ended_boot_ns = boot_ns;
	TAILQ_REMOVE(&cs->live, e, link);
	TAILQ_INSERT_TAIL(&cs->ended, e, link);
	cs->n_live--;
	if (c->pending)
		e->end_waits = true;
	else
		entry_publish(cs, CONTAINER_REMOVED, e);
}

bool container_runs(const struct containers *cs, const struct container *c)
{
	struct proc_stat stat;

	return !proc_stat(cs->proc_fd, c->pid, &stat) &&
	       stat.start_ticks == proc_ns_to_ticks(c->started_boot_ns);
}

/* ---- events ---------------------------------------------------------------------- */

/* The cgroup's path from the names in the event; NULL where they are not all of it. */
static char *event_path(const struct detector_start *e)
{
	_cleanup_(buf_done) struct buf b = {.max = DETECTOR_NAMES * (DETECTOR_NAME + 1)};

	if (e->level > DETECTOR_NAMES)
		return NULL;
	for (size_t i = DETECTOR_NAMES; i--;) {
		size_t len = strnlen(e->names[i], DETECTOR_NAME);

		if (len >= DETECTOR_NAME - 1)
			return NULL;
		if (len) {
			buf_char(&b, '/');
			buf_add(&b, e->names[i], len);
		}
	}
	return xstrdup(b.len ? buf_cstr(&b) : "/");
}

/* The same from /proc, if the process still runs; else the names that there are. */
static char *process_path(struct containers *cs, const struct detector_start *e)
{
	_cleanup_(buf_done) struct buf b = {.max = MAX_PROC_FILE_BYTES},
				       parents = {.max = MAX_PROC_FILE_BYTES};
	struct proc_stat stat;
	char *path = NULL;

	if (!proc_cgroups(cs->proc_fd, e->pid, &b) && !proc_stat(cs->proc_fd, e->pid, &stat) &&
	    stat.start_ticks == proc_ns_to_ticks(e->started)) {
		if (!(e->event.flags & DETECTOR_SHARED))
			path = proc_parse_cgroup2(buf_cstr(&b));
		else if (!proc_cgroups(cs->proc_fd, stat.ppid, &parents))
			path = proc_parse_cgroup1(buf_cstr(&b), buf_cstr(&parents));
	}
	return path ?: xasprintf("/%.*s", DETECTOR_NAME - 1, e->names[0]);
}

static struct container *event_container(struct containers *cs, const struct detector_start *e)
{
	struct container *c = container_new();

	c->key = e->event.key;
	c->cgroup_id = e->event.cgroup;
	c->mntns = e->mntns;
	c->netns = e->netns;
	c->pidns = e->pidns;
	c->pid = e->pid;
	/* No finer than /proc tells it: the same however the container was found. */
	c->started_boot_ns = proc_ticks_to_ns(proc_ns_to_ticks(e->started));
	c->started_real_ns = boot_to_real(e->started);
	c->by_namespace = e->event.flags & DETECTOR_SHARED;
	c->cgroup_path = event_path(e) ?: process_path(cs, e);
	return c;
}

/* An inner container's cgroups were its outer one's until now. */
static void set_outer(struct containers *cs, struct entry *e, uint64_t key)
{
	struct entry *outer = slots_entry(&cs->slots, key);

	if (!outer)
		return;
	container_set_outer(e->container, outer->container);
	cs->has_inner = true;
	maps_remove_child(outer, e->container->cgroup_id);
}

static void on_start(struct containers *cs, const struct detector_start *start)
{
	uint64_t key = start->event.key;
	struct entry *e;

	cs->slots.waiting -= cs->slots.waiting > 0;
	if (container_slot(key) >= MAX_SLOTS || slots_entry(&cs->slots, key))
		return;
	e = entry_new(cs, event_container(cs, start));
	e->has_netns = start->event.flags & DETECTOR_NETNS;
	e->sure = start->event.flags & DETECTOR_SURE;
	e->ppid = start->ppid;
	memcpy(e->parent, start->parent, sizeof(e->parent));
	if (start->outer)
		set_outer(cs, e, start->outer);
	resolve_now(cs, e);
}

/*
 * A runtime that is given another root than the usual keeps its containers' state there. It may be
 * gone when its container is looked at: then its bundle is known from here.
 */
static void on_runtime(struct containers *cs, const struct detector_runtime *e)
{
	struct cmdline line;

	if (e->mntns != cs->host_mntns || e->size > sizeof(e->args) ||
	    !cmdline_parse(e->args, e->size, &line))
		return;
	if (line.root)
		states_learn(cs->states, line.root);
	if (line.bundle && *line.bundle == '/')
		makers_note(&cs->makers, e->pid, line.bundle);
}

static void on_gone(struct containers *cs, struct entry *e, const struct detector_event *event)
{
	if (e->n_cgroups && e->cgroups[0] == event->cgroup)
		entry_end(cs, e, event->time); /* nothing runs in it any more */
	else
		maps_remove_child(e, event->cgroup);
}

static void on_event(void *ctx, const struct detector_event *event, size_t size)
{
	struct containers *cs = ctx;
	struct entry *e;

	if (event->type == DETECTOR_STARTED) {
		if (size >= sizeof(struct detector_start))
			on_start(cs, (const struct detector_start *)event);
		return;
	}
	if (event->type == DETECTOR_RUNTIME) {
		if (size >= sizeof(struct detector_runtime))
			on_runtime(cs, (const struct detector_runtime *)event);
		return;
	}
	if (event->type == DETECTOR_RESCAN) {
		cs->want_scan = true;
		return;
	}
	e = slots_entry(&cs->slots, event->key);
	if (!e)
		return;
	if (event->type == DETECTOR_ENDED)
		entry_end(cs, e, event->time);
	else if (event->type == DETECTOR_CHILD)
		maps_add_child(cs, e, event->cgroup);
	else if (event->type == DETECTOR_GONE)
		on_gone(cs, e, event);
}

void containers_dispatch(struct containers *cs)
{
	uint64_t lost;

	if (!cs->detector || cs->reading)
		return;
	cs->reading = true;
	detector_read(cs->detector);
	lost = detector_lost(cs->detector);
	if (cs->want_scan || lost != cs->detector_lost) {
		cs->want_scan = false;
		cs->detector_lost = lost;
		scan(cs);
	}
	reactor_dispatch(cs->reactor);
	resolve_some(cs);
	refill_keys(cs);
	cs->reading = false;
}

/* ---- life ------------------------------------------------------------------------ */

int containers_new(const struct containers_options *o, struct containers **ret, struct err *err)
{
	struct containers *cs = xnew(struct containers);
	int r;

	cs->host_root = xstrdup(o && o->host_root ? o->host_root : "");
	cs->trouble = trouble_new(o ? o->warn : NULL, o ? o->warn_ctx : NULL);
	cs->states = states_new(cs->host_root, o ? o->runc_roots : NULL, cs->trouble);
	cs->context = (struct runtime_context){cs->host_root, cs->states, cs->trouble};
	cs->resolve_timeout_ns =
		o && o->resolve_timeout_ns ? o->resolve_timeout_ns : RESOLVE_TIMEOUT_NS;
	cs->all_fd = cs->additions_fd = cs->proc_fd = cs->cgroup2_fd = -1;
	for (size_t i = 0; i < MAX_WANTED_MAPS; i++)
		cs->maps[i] = -1;
	TAILQ_INIT(&cs->live);
	TAILQ_INIT(&cs->ended);
	pods_init(&cs->pods);
	TAILQ_INIT(&cs->todo);
	TAILQ_INIT(&cs->asked);
	slots_init(&cs->slots);
	r = reactor_new(&cs->reactor, err);
	r = r ?: maps_open(cs, err);
	if (r) {
		containers_free(cs);
		return r;
	}
	cs->daemons = daemons_new(
		&(struct daemons_options){
			.host_root = cs->host_root,
			.sockets = o ? o->sockets : NULL,
			.warn = o ? o->warn : NULL,
			.warn_ctx = o ? o->warn_ctx : NULL,
		},
		cs->reactor);
	*ret = cs;
	return 0;
}

static void free_entries(struct entries *entries)
{
	struct entry *e;

	while ((e = TAILQ_FIRST(entries))) {
		TAILQ_REMOVE(entries, e, link);
		questions_drop(&e->questions);
		entry_free(e);
	}
}

struct containers *containers_free(struct containers *cs)
{
	if (!cs)
		return NULL;
	watch_remove(&cs->detector_watch);
	detector_free(cs->detector);
	free_entries(&cs->live);
	free_entries(&cs->ended);
	daemons_free(cs->daemons);
	states_free(cs->states);
	makers_done(&cs->makers);
	pods_done(&cs->pods);
	trouble_free(cs->trouble);
	slots_done(&cs->slots);
	reactor_free(cs->reactor);
	maps_close(cs);
	closep(&cs->proc_fd);
	closep(&cs->cgroup2_fd);
	owner_names_unref(cs->owners.names);
	free(cs->subscribers);
	free(cs->host_root);
	free(cs);
	return NULL;
}

void containers_freep(struct containers **cs)
{
	containers_free(*cs);
}

static int host_namespaces(struct containers *cs, uint32_t pid)
{
	int r = proc_namespace(cs->proc_fd, pid, "mnt", &cs->host_mntns);

	return r ?: proc_namespace(cs->proc_fd, pid, "net", &cs->host_netns);
}

static int look_at_host(struct containers *cs, struct err *err)
{
	_cleanup_(buf_done) struct buf b = {.max = MAX_PROC_FILE_BYTES};
	_cleanup_(freep) char *mount = NULL;
	int r;

	cs->proc_fd = host_open(cs->host_root, "/proc", O_PATH | O_DIRECTORY);
	if (cs->proc_fd < 0)
		return err_set(err, cs->proc_fd, "opening %s/proc: %s", cs->host_root,
			       strerror(-cs->proc_fd));
	r = host_namespaces(cs, 1);
	if (r) /* a security module may hide process 1; 2 is kthreadd, in the kernel's first
		  namespaces */
		r = host_namespaces(cs, 2);
	if (r)
		return err_set(err, r == -EACCES ? -EPERM : r, "namespaces of process 1: %s",
			       strerror(-r));
	/*
	 * The paths in /proc/PID/cgroup are looked up below where cgroup v2 is mounted: for us, or
	 * for the host where we look at it from elsewhere.
	 */
	if (!buf_read_file(&b, cs->proc_fd, *cs->host_root ? "1/mountinfo" : "self/mountinfo"))
		mount = proc_parse_cgroup2_mount(buf_cstr(&b));
	if (mount)
		cs->cgroup2_fd = host_open(cs->host_root, mount, O_PATH | O_DIRECTORY);
	return 0;
}

static void on_detector(void *ctx, uint32_t events)
{
	/* containers_dispatch() has read it. */
}

int containers_start(struct containers *cs, struct err *err)
{
	struct detector_options o;
	int r = look_at_host(cs, err);

	if (r)
		return r;
	o = (struct detector_options){
		.host_mntns = cs->host_mntns,
		.host_netns = cs->host_netns,
		.containers_fd = cs->all_fd,
		.additions_fd = cs->additions_fd,
	};
	r = detector_new(&o, on_event, cs, &cs->detector, err);
	if (r)
		return r;
	r = watch_add(&cs->detector_watch, cs->reactor, detector_fd(cs->detector), EPOLLIN,
		      on_detector, cs);
	if (r)
		return err_set(err, r, "watching the container detector: %s", strerror(-r));
	refill_keys(cs);
	for (uint32_t i = 0; !r && i < MAX_WANTED_MAPS; i++)
		if (cs->maps[i] >= 0)
			r = detector_set_map(cs->detector, i, cs->maps[i]);
	if (r)
		return err_set(err, r, "adding a tracer's map: %s", strerror(-r));
	cs->want_scan = true;
	containers_dispatch(cs);
	daemons_listen(cs->daemons);
	return 0;
}

struct gadget_runtime containers_runtime(const struct containers *cs)
{
	return cs->detector ? detector_runtime(cs->detector) : (struct gadget_runtime){0};
}

uint64_t containers_host_mntns(const struct containers *cs)
{
	return cs->host_mntns;
}

uint64_t containers_host_netns(const struct containers *cs)
{
	return cs->host_netns;
}

int containers_proc_fd(const struct containers *cs)
{
	return cs->proc_fd;
}

int containers_fd(const struct containers *cs)
{
	return reactor_fd(cs->reactor);
}

int containers_all_fd(const struct containers *cs)
{
	return cs->all_fd;
}

int containers_cgroup2_fd(const struct containers *cs)
{
	return cs->cgroup2_fd;
}

/* ---- looking --------------------------------------------------------------------- */

unsigned int containers_subscribe(struct containers *cs, container_event_fn *fn, void *ctx)
{
	unsigned int handle = ++cs->next_handle;
	struct entry *e, *next;

	*grow(&cs->subscribers, &cs->n_subscribers, &cs->room_subscribers) =
		(struct subscriber){handle, fn, ctx};
	for (e = TAILQ_FIRST(&cs->live); e; e = next) {
		next = TAILQ_NEXT(e, link);
		fn(ctx, e->container->pending ? CONTAINER_FOUND : CONTAINER_ADDED, e->container);
	}
	return handle;
}

void containers_unsubscribe(struct containers *cs, unsigned int handle)
{
	for (size_t i = 0; i < cs->n_subscribers; i++)
		if (cs->subscribers[i].handle == handle) {
			memmove(&cs->subscribers[i], &cs->subscribers[i + 1],
				(--cs->n_subscribers - i) * sizeof(*cs->subscribers));
			return;
		}
}

struct container *containers_find(struct containers *cs, uint64_t key)
{
	struct entry *e = slots_entry(&cs->slots, key);

	if (!e && container_slot(key)) {
		containers_dispatch(cs);
		e = slots_entry(&cs->slots, key);
	}
	return e ? e->container : NULL;
}

struct container *containers_find_cgroup(const struct containers *cs, uint64_t cgroup)
{
	struct entry *e = NULL;
	uint64_t key;

	if (maps_lookup(cs, cgroup, &key) && key != G_BY_NAMESPACE)
		e = slots_entry(&cs->slots, key);
	return e ? e->container : NULL;
}

size_t containers_trouble(const struct containers *cs)
{
	return trouble_count(cs->trouble);
}

void containers_warn(struct containers *cs, const char *text)
{
	trouble_say(cs->trouble, text);
}

size_t containers_count(const struct containers *cs)
{
	return cs->n_live;
}

void containers_each(struct containers *cs, container_fn *fn, void *ctx)
{
	struct entry *e, *next;

	for (e = TAILQ_FIRST(&cs->live); e; e = next) {
		next = TAILQ_NEXT(e, link);
		fn(ctx, e->container);
	}
}

void containers_forget(struct containers *cs, struct container *c)
{
	struct entry *e = slots_entry(&cs->slots, c->key);

	if (e && e->container == c && c->ended)
		entry_drop(cs, e);
}
