// SPDX-License-Identifier: Apache-2.0
/* Looking through runtimes' state folders. See state.h. */
#include "containers/state.h"

#include <fcntl.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "containers/hostfs.h"
#include "containers/identify.h"
#include "containers/proc.h"
#include "containers/trouble.h"

/* A `*` stands for any one name. */
static const char *const usual_roots[] = {
	"/run/runc",
	"/run/crun",
	"/run/containerd/runc/*",
	"/run/docker/runtime-runc/*",
	"/run/user/*/runc",
	"/run/user/*/crun",
};

/* Who runs the containers of a root, if not the OCI runtime by itself. */
static const struct {
	const char *pattern, *runtime;
} owners[] = {
	{"*/runtime-runc/*", "docker"},
	{"*/containerd/runc/*", "containerd"},
};

static const struct state_file {
	const char *name, *runtime;
	int (*parse)(const char *text, size_t len, struct oci_state *ret);
} files[] = {
	{"state.json", "runc", oci_parse_runc},
	{"status", "crun", oci_parse_crun},
};

/* A state that was read: of which file, and what is compared. */
struct seen {
	char *dir, *id;
	const struct state_file *file;
	ino_t inode;
	struct timespec changed;
	struct oci_state state;
	bool stays; /* while all are looked through: it was met */
};

struct states {
	char *host_root;
	struct trouble *trouble;
	char **roots; /* given ones, then learned ones */
	size_t n_roots, room_roots, n_given;
	struct seen *seen;
	size_t n_seen, room_seen, n_ordered; /* the first so many are in order */
	uint64_t looked_boot_ns;	     /* when all was looked through; 0: never */
};

struct states *states_new(const char *host_root, const char *const *roots, struct trouble *t)
{
	struct states *s = xnew(struct states);

	s->host_root = xstrdup(host_root ?: "");
	s->trouble = t;
	for (; roots && *roots; roots++)
		*grow(&s->roots, &s->n_roots, &s->room_roots) = xstrdup(*roots);
	s->n_given = s->n_roots;
	return s;
}

static void seen_done(struct seen *e)
{
	oci_state_done(&e->state);
	free(e->dir);
	free(e->id);
}

struct states *states_free(struct states *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n_seen; i++)
		seen_done(&s->seen[i]);
	for (size_t i = 0; i < s->n_roots; i++)
		free(s->roots[i]);
	free(s->seen);
	free(s->roots);
	free(s->host_root);
	free(s);
	return NULL;
}

/* /var/run is /run: the same folder under both names would be looked through twice. */
static const char *without_var(const char *root)
{
	return str_starts(root, "/var/run/") ? root + strlen("/var") : root;
}

void states_learn(struct states *s, const char *root)
{
	root = without_var(root);
	if (*root != '/' || strchr(root, '*'))
		return;
	for (size_t i = 0; i < array_size(usual_roots); i++)
		if (glob_matches(usual_roots[i], root))
			return;
	for (size_t i = 0; i < s->n_roots; i++)
		if (!strcmp(s->roots[i], root))
			return;
	if (s->n_roots - s->n_given == MAX_STATE_ROOTS) {
		free(s->roots[s->n_given]);
		memmove(&s->roots[s->n_given], &s->roots[s->n_given + 1],
			(--s->n_roots - s->n_given) * sizeof(*s->roots));
	}
	*grow(&s->roots, &s->n_roots, &s->room_roots) = xstrdup(root);
}

/* ---- folders --------------------------------------------------------------------- */

/* Calls fn with each folder that the pattern stands for; stops as host_each(). */
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

static int each_folder(struct states *s, const char *root, int (*fn)(void *arg, const char *dir),
		       void *arg)
{
	const char *star = strchr(root, '*');
	struct expand e = {root, star ? star + 1 : NULL, star ? (size_t)(star - root) : 0, fn, arg};
	_cleanup_(freep) char *parent = NULL;

	if (!star)
		return fn(arg, root);
	parent = xstrndup(root, e.before);
	return host_each(s->host_root, parent, expand_name, &e);
}

/* Of all roots, those first that `clues` name; stops where fn returns something else than 0. */
static int each_root(struct states *s, const struct clues *clues,
		     int (*fn)(void *arg, const char *dir), void *arg)
{
	int r = clues && clues->parent.root ? fn(arg, without_var(clues->parent.root)) : 0;

	for (size_t i = 0; !r && i < s->n_roots; i++)
		r = each_folder(s, s->roots[i], fn, arg);
	for (size_t i = 0; !r && i < array_size(usual_roots); i++)
		r = each_folder(s, usual_roots[i], fn, arg);
	return r;
}

static const char *runtime_of(const char *dir, const struct state_file *file)
{
	for (size_t i = 0; i < array_size(owners); i++)
		if (glob_matches(owners[i].pattern, dir))
			return owners[i].runtime;
	return file->runtime;
}

static int read_state(struct states *s, const struct state_file *file, const char *dir,
		      const char *id, struct oci_state *ret)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s/%s", dir, id, file->name);
	_cleanup_(buf_done) struct buf b = {.max = MAX_CONFIG_BYTES};
	int r = host_read(s->host_root, path, &b);

	return trouble_file(s->trouble, path, r ?: file->parse(buf_cstr(&b), b.len, ret));
}

/* ---- whose is it? ---------------------------------------------------------------- */

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

size_t state_own_cgroup(const struct oci_state *s, const char *path)
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

static bool is_state_of(const struct oci_state *s, const struct container *c,
			const struct clues *clues)
{
	if (s->pid == clues->pid)
		return !s->start_ticks || s->start_ticks == proc_ns_to_ticks(c->started_boot_ns);
	return state_own_cgroup(s, c->cgroup_path);
}

struct search {
	struct states *states;
	const struct container *container;
	const struct clues *clues;
	const char *id;
	struct found_state *ret;
};

static bool take_if_own(struct search *q, const struct state_file *file, const char *dir,
			const char *id)
{
	struct oci_state state = {0};

	if (read_state(q->states, file, dir, id, &state))
		return false;
	if (!is_state_of(&state, q->container, q->clues)) {
		oci_state_done(&state);
		return false;
	}
	*q->ret = (struct found_state){state, xstrdup(id), runtime_of(dir, file)};
	return true;
}

static int look_for_id(void *arg, const char *dir)
{
	struct search *q = arg;

	for (size_t i = 0; i < array_size(files); i++)
		if (take_if_own(q, &files[i], dir, q->id))
			return 1;
	return 0;
}

/* ---- everywhere ------------------------------------------------------------------ */

struct look {
	struct states *states;
	const char *dir;
	int fd; /* of dir */
};

static int compare_seen(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;
	int r = strcmp(x->id, y->id) ?: strcmp(x->dir, y->dir);

	return r ?: (x->file > y->file) - (x->file < y->file);
}

/* Of those that were known when the look began: they are in order. */
static struct seen *find_seen(struct states *s, const struct seen *wanted)
{
	return s->n_ordered ? bsearch(wanted, s->seen, s->n_ordered, sizeof(*s->seen), compare_seen)
			    : NULL;
}

/*
 * False: it has no such file. Where a symbolic link leads when that is looked for does not matter:
 * what is read is looked up below the host's root.
 */
static bool look_at(const struct look *l, const struct state_file *file, const char *id)
{
	_cleanup_(freep) char *path = xasprintf("%s/%s", id, file->name);
	struct seen wanted = {.dir = (char *)l->dir, .id = (char *)id, .file = file}, *e;
	struct states *s = l->states;
	struct oci_state state = {0};
	struct stat st;

	if (fstatat(l->fd, path, &st, 0))
		return false;
	e = find_seen(s, &wanted);
	if (e && e->inode == st.st_ino && e->changed.tv_sec == st.st_mtim.tv_sec &&
	    e->changed.tv_nsec == st.st_mtim.tv_nsec) {
		e->stays = true;
		return true;
	}
	if (read_state(s, file, l->dir, id, &state))
		return true;
	if (e) {
		oci_state_done(&e->state);
	} else {
		e = grow(&s->seen, &s->n_seen, &s->room_seen);
		*e = (struct seen){.dir = xstrdup(l->dir), .id = xstrdup(id), .file = file};
	}
	e->inode = st.st_ino;
	e->changed = st.st_mtim;
	e->state = state;
	e->stays = true;
	return true;
}

static int look_at_id(void *arg, const char *id)
{
	const struct look *l = arg;

	for (size_t i = 0; i < array_size(files) && l->states->n_seen < MAX_CONTAINERS; i++)
		if (look_at(l, &files[i], id))
			break;
	return 0;
}

static int look_at_root(void *arg, const char *dir)
{
	struct states *s = arg;
	_cleanup_(closep) int fd = host_open(s->host_root, dir, O_PATH | O_DIRECTORY);
	struct look l = {s, dir, fd};

	return fd < 0 ? 0 : host_each(s->host_root, dir, look_at_id, &l);
}

static void look_everywhere(struct states *s, const struct clues *clues)
{
	size_t n = 0;

	s->looked_boot_ns = proc_boot_ns();
	for (size_t i = 0; i < s->n_seen; i++)
		s->seen[i].stays = false;
	each_root(s, clues, look_at_root, s);
	for (size_t i = 0; i < s->n_seen; i++) {
		if (s->seen[i].stays)
			s->seen[n++] = s->seen[i];
		else
			seen_done(&s->seen[i]);
	}
	s->n_seen = s->n_ordered = n;
	if (n)
		qsort(s->seen, n, sizeof(*s->seen), compare_seen);
}

void found_state_done(struct found_state *f)
{
	oci_state_done(&f->state);
	free(f->id);
}

bool states_find(struct states *s, const struct container *c, const struct clues *clues,
		 struct found_state *ret)
{
	_cleanup_(freep) char *guess = c->id ? xstrdup(c->id) : identify_id(c->cgroup_path);
	struct search q = {s, c, clues, guess, ret};

	if (guess && each_root(s, clues, look_for_id, &q))
		return true;
	if (clues->found_boot_ns >= s->looked_boot_ns)
		look_everywhere(s, clues);
	for (size_t i = 0; i < s->n_seen; i++)
		if (is_state_of(&s->seen[i].state, c, clues) &&
		    take_if_own(&q, s->seen[i].file, s->seen[i].dir, s->seen[i].id))
			return true;
	return false;
}

void states_each(struct states *s, runtime_list_fn *fn, void *arg)
{
	look_everywhere(s, NULL);
	for (size_t i = 0; i < s->n_seen; i++)
		fn(arg, s->seen[i].state.pid, s->seen[i].state.start_ticks);
}
