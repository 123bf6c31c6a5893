// SPDX-License-Identifier: Apache-2.0
/* Names of containers from runtimes' state on disk. */
#include "containers/identify.h"

#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"
#include "containers/hostfs.h"
#include "containers/proc.h"

/* ---- ids ------------------------------------------------------------------------- */

static bool is_hex_id(const char *s, size_t len)
{
	return len == 64 && strspn(s, "0123456789abcdef") >= len;
}

/* A cgroup's name without what runtimes put around the id. */
static char *bare_id(const char *name, size_t len)
{
	static const char *const prefixes[] = {
		"libpod-payload-", "libpod-", "docker-", "cri-containerd-", "crio-",
		"nerdctl-",	   "runc-",   "crun-",	 "lxc.payload.",    "machine-",
	};

	if (len > 6 && !strncmp(name + len - 6, ".scope", 6))
		len -= 6;
	for (size_t i = 0; i < array_size(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		if (len > n && !strncmp(name, prefixes[i], n)) {
			name += n;
			len -= n;
			break;
		}
	}
	return xstrndup(name, len);
}

/*
 * A container's processes may have made cgroups of their own: a name with a full id in it wins over
 * the last.
 */
char *identify_id(const char *cgroup_path)
{
	const char *end = cgroup_path ? cgroup_path + strlen(cgroup_path) : NULL;
	char *last = NULL;

	while (end > cgroup_path) {
		const char *slash = memrchr(cgroup_path, '/', (size_t)(end - cgroup_path));
		const char *name = slash ? slash + 1 : cgroup_path;
		char *id = end > name ? bare_id(name, (size_t)(end - name)) : NULL;

		if (id && is_hex_id(id, strlen(id))) {
			free(last);
			return id;
		}
		if (id && !last)
			last = id;
		else
			free(id);
		end = slash ?: cgroup_path;
	}
	return last;
}

/* ---- state folders --------------------------------------------------------------- */

/* Calls fn with each folder that the pattern stands for. */
struct expand {
	const char *root, *after;
	size_t before;
	int (*fn)(void *arg, const char *dir);
	void *arg;
};

static int expand_name(void *arg, const char *name)
{
	struct expand *e = arg;
	_cleanup_(freep) char *dir = xasprintf("%.*s%s%s", (int)e->before, e->root, name, e->after);

	return e->fn(e->arg, dir);
}

static int each_folder(const struct runtime_context *ctx, const char *root,
		       int (*fn)(void *arg, const char *dir), void *arg)
{
	const char *star = strchr(root, '*');
	struct expand e = {root, star ? star + 1 : NULL, star ? (size_t)(star - root) : 0, fn, arg};
	_cleanup_(freep) char *parent = NULL;

	if (!star)
		return fn(arg, root);
	parent = xstrndup(root, e.before);
	return host_each(ctx->host_root, parent, expand_name, &e);
}

static int read_state(const struct runtime_context *ctx, const struct state_place *place,
		      const char *dir, const char *id, struct oci_state *ret)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s/%s", dir, id, place->file);
	_cleanup_(buf_done) struct buf b = { .max = MAX_CONFIG_BYTES };
	int r;

	r = host_read(ctx->host_root, path, &b);
	return r ?: place->parse(buf_cstr(&b), b.len, ret);
}

/*
 * runc's paths of cgroups begin with where the hierarchy is mounted: /sys/fs/cgroup, or a folder in
 * it. Returns the nth way to read one, NULL past the last.
 */
static const char *below_mount(const char *path, unsigned int n)
{
	static const char mount[] = "/sys/fs/cgroup/";

	if (!n)
		return path;
	if (strncmp(path, mount, sizeof(mount) - 1) || n > 2)
		return NULL;
	path += sizeof(mount) - 2;
	return n == 1 ? path : strchr(path + 1, '/');
}

/* How much of `path` is the state's cgroup, in which it lies or which it is; 0: none. */
static size_t own_cgroup(const char *path, const struct oci_state *s)
{
	for (size_t i = 0; path && i < s->n_cgroups; i++)
		for (unsigned int n = 0; n < 3; n++) {
			const char *own = below_mount(s->cgroups[i], n);
			size_t len = own ? strlen(own) : 0;

			if (len > 1 && !strncmp(path, own, len) && (!path[len] || path[len] == '/'))
				return len;
		}
	return 0;
}

static bool is_state_of(const struct oci_state *s, const struct container *c)
{
	if (s->pid == c->pid)
		return !s->start_ticks || s->start_ticks == proc_ns_to_ticks(c->started_boot_ns);
	return own_cgroup(c->cgroup_path, s);
}

struct search {
	const struct runtime_context *ctx;
	const struct state_place *place;
	const struct container *container;
	const char *guess, *dir;
	struct oci_state *ret;
	char **ret_id;
};

static int search_state(void *arg, const char *id)
{
	struct search *s = arg;
	struct oci_state state = {0};

	if (read_state(s->ctx, s->place, s->dir, id, &state))
		return 0;
	if (!is_state_of(&state, s->container)) {
		oci_state_done(&state);
		return 0;
	}
	*s->ret = state;
	*s->ret_id = xstrdup(id);
	return 1;
}

static int search_guess(void *arg, const char *dir)
{
	struct search *s = arg;

	s->dir = dir;
	return search_state(s, s->guess);
}

static int search_all(void *arg, const char *dir)
{
	struct search *s = arg;

	s->dir = dir;
	return host_each(s->ctx->host_root, dir, search_state, s);
}

bool identify_state(const struct runtime_context *ctx, const struct state_place *place,
		    const struct container *c, struct oci_state *ret, char **ret_id)
{
	_cleanup_(freep) char *guess = identify_id(c->cgroup_path);
	struct search s = {ctx, place, c, guess, NULL, ret, ret_id};

	if (guess && each_folder(ctx, place->root, search_guess, &s))
		return true;
	return each_folder(ctx, place->root, search_all, &s);
}

void identify_fill(struct container *c, struct oci_state *s, const char *id, const char *runtime)
{
	size_t own;

	if (!c->id)
		c->id = xstrdup(id);
	if (!c->runtime)
		c->runtime = xstrdup(runtime);
	if (!c->bundle)
		c->bundle = take(s->bundle);
	if (!c->annotations.n) {
		labels_done(&c->annotations);
		c->annotations = labels_take(&s->annotations);
	}
	if (s->pid != c->pid) {
		c->pid = s->pid;
		c->started_boot_ns = proc_ticks_to_ns(s->start_ticks);
	}
	own = own_cgroup(c->cgroup_path, s); /* its first process may have gone into one below */
	if (own)
		c->cgroup_path[own] = '\0';
	if (!c->image_name)
		c->image_name =
			xstrdup(container_annotation(c, "org.opencontainers.image.ref.name"));
	oci_state_done(s);
}

/* ---- listing --------------------------------------------------------------------- */

struct listing {
	const struct runtime_context *ctx;
	const struct state_place *place;
	const char *dir;
	int proc;
	void (*fn)(void *arg, uint32_t pid);
	void *arg;
};

static int list_state(void *arg, const char *id)
{
	struct listing *l = arg;
	struct oci_state s = {0};
	struct proc_stat stat;

	if (read_state(l->ctx, l->place, l->dir, id, &s))
		return 0;
	if (!proc_stat(l->proc, s.pid, &stat) &&
	    (!s.start_ticks || s.start_ticks == stat.start_ticks))
		l->fn(l->arg, s.pid);
	oci_state_done(&s);
	return 0;
}

static int list_folder(void *arg, const char *dir)
{
	struct listing *l = arg;

	l->dir = dir;
	return host_each(l->ctx->host_root, dir, list_state, l);
}

void identify_list(const struct runtime_context *ctx, const struct state_place *place,
		   void (*fn)(void *arg, uint32_t pid), void *arg)
{
	_cleanup_(closep) int proc = host_open(ctx->host_root, "/proc", O_PATH | O_DIRECTORY);
	struct listing l = {ctx, place, NULL, proc, fn, arg};

	if (proc >= 0)
		each_folder(ctx, place->root, list_folder, &l);
}

/* ---- all runtimes ---------------------------------------------------------------- */

bool identify(const struct runtime_context *ctx, struct container *c)
{
	bool known = false;
	int done = -1;

	for (;;) { /* registered in any order, and few */
		const struct runtime *next = NULL;

		for_each_registered(ig_runtimes, r)
			if ((*r)->order > done && (!next || (*r)->order < next->order))
				next = *r;
		if (!next)
			return known;
		done = next->order;
		known = next->resolve(ctx, c) || known;
	}
}
