// SPDX-License-Identifier: Apache-2.0
#include "manager/store.h"

#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "columns/labels.h"

#define RUNNING "running" /* is there while a daemon is */
#define MAX_FILE_BYTES (1 << 20)

struct store {
	char *dir;
	int dir_fd, tracers_fd, instances_fd;
	int64_t crashed;
	bool begun;
};

/* ---- life ------------------------------------------------------------------------ */

static int open_folder(int at, const char *path, int *ret, struct err *err)
{
	int fd;

	if (mkdirat(at, path, 0700) && errno != EEXIST)
		return err_set(err, -errno, "cannot make %s: %s", path, strerror(errno));
	fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "cannot open %s: %s", path, strerror(errno));
	*ret = fd;
	return 0;
}

int store_open(const char *dir, struct store **ret, struct err *err)
{
	struct store *s = xnew(struct store);
	struct stat st;
	int r;

	s->dir = xstrdup(dir);
	s->dir_fd = s->tracers_fd = s->instances_fd = -1;
	r = open_folder(AT_FDCWD, dir, &s->dir_fd, err);
	if (!r && flock(s->dir_fd, LOCK_EX | LOCK_NB))
		r = err_set(err, errno == EWOULDBLOCK ? -EBUSY : -errno,
			    "another ig daemon uses %s", dir);
	r = r ?: open_folder(s->dir_fd, "tracers", &s->tracers_fd, err);
	r = r ?: open_folder(s->dir_fd, "instances", &s->instances_fd, err);
	if (r) {
		store_close(s);
		return r;
	}
	if (!fstatat(s->dir_fd, RUNNING, &st, AT_SYMLINK_NOFOLLOW))
		s->crashed = st.st_mtim.tv_sec;
	*ret = s;
	return 0;
}

int store_begin(struct store *s, struct err *err)
{
	_cleanup_(closep) int fd = openat(
		s->dir_fd, RUNNING, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_set(err, -errno, "cannot write to %s: %s", s->dir, strerror(errno));
	s->begun = true;
	return 0;
}

struct store *store_close(struct store *s)
{
	if (!s)
		return NULL;
	if (s->begun)
		unlinkat(s->dir_fd, RUNNING, 0);
	closep(&s->dir_fd);
	closep(&s->tracers_fd);
	closep(&s->instances_fd);
	free(s->dir);
	free(s);
	return NULL;
}

int64_t store_crashed(const struct store *s)
{
	return s->crashed;
}

int store_instances_fd(const struct store *s)
{
	return s->instances_fd;
}

/* ---- writing --------------------------------------------------------------------- */

static int write_all(int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t done = write(fd, bytes, n);

		if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			bytes += done;
			n -= (size_t)done;
		}
	}
	return fsync(fd) ? -errno : 0;
}

static int write_file(int dir_fd, const char *id, const char *text, struct err *err)
{
	_cleanup_(freep) char *name = xasprintf("%s.json", id), *new = xasprintf("%s.new", id);
	_cleanup_(closep) int fd = -1;
	int r;

	fd = openat(dir_fd, new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : write_all(fd, text, strlen(text));
	if (!r && renameat(dir_fd, new, dir_fd, name))
		r = -errno;
	return r ? err_set(err, r, "cannot keep %s: %s", id, strerror(-r)) : 0;
}

/* jansson takes no other text, and would leave it out. */
static bool put_text(json_t *object, const char *key, const char *text)
{
	return !json_object_set_new(object, key, json_string(text));
}

/* root is taken over; a new string. */
static char *to_text(json_t *root)
{
	char *text = json_dumps(root, JSON_INDENT(2));

	json_decref(root);
	return text;
}

static void forget(int dir_fd, const char *id)
{
	_cleanup_(freep) char *name = xasprintf("%s.json", id);

	unlinkat(dir_fd, name, 0);
}

/* ---- tracers --------------------------------------------------------------------- */

static const struct member {
	const char *name;
	size_t offset;
} selector_members[] = {
	{"containerName", offsetof(struct selector_options, container_name)},
	{"containerId", offsetof(struct selector_options, container_id)},
	{"image", offsetof(struct selector_options, image)},
	{"annotations", offsetof(struct selector_options, annotations)},
	{"namespace", offsetof(struct selector_options, namespace_)},
	{"pod", offsetof(struct selector_options, pod)},
	{"labels", offsetof(struct selector_options, labels)},
};

char *store_selector(const struct selector_options *o)
{
	json_t *root = json_object();
	bool good = true;

	for (size_t i = 0; i < array_size(selector_members); i++) {
		const struct member *m = &selector_members[i];
		const char *value = *(const char *const *)((const char *)o + m->offset);

		if (value && *value)
			good &= put_text(root, m->name, value);
	}
	if (o->sandboxes)
		json_object_set_new(root, "sandboxes", json_true());
	if (good)
		return to_text(root);
	json_decref(root);
	return NULL;
}

int store_tracer(struct store *s, const char *id, const char *selector, struct err *err)
{
	return write_file(s->tracers_fd, id, selector, err);
}

void store_forget_tracer(struct store *s, const char *id)
{
	forget(s->tracers_fd, id);
}

static void read_tracer(json_t *root, const char *id, const struct store_reader *to)
{
	struct selector_options o = {.sandboxes = json_is_true(json_object_get(root, "sandboxes"))};

	for (size_t i = 0; i < array_size(selector_members); i++) {
		const struct member *m = &selector_members[i];

		*(const char **)((char *)&o + m->offset) =
			json_string_value(json_object_get(root, m->name));
	}
	to->tracer(to->ctx, id, &o);
}

/* ---- instances ------------------------------------------------------------------- */

static char *instance_text(const struct instance_spec *spec, int64_t created)
{
	json_t *root = json_object(), *params = json_object(), *tags = json_array();
	bool good = put_text(root, "name", spec->name) && put_text(root, "image", spec->run.image);

	for (size_t i = 0; i < spec->run.params.n; i++)
		good &= put_text(params, spec->run.params.items[i].key,
				 spec->run.params.items[i].value);
	for (size_t i = 0; i < spec->n_tags; i++)
		good &= !json_array_append_new(tags, json_string(spec->tags[i]));
	json_object_set_new(root, "timeout", json_integer((json_int_t)spec->run.timeout_ns));
	json_object_set_new(root, "created", json_integer(created));
	json_object_set_new(root, "history", json_integer((json_int_t)spec->history));
	json_object_set_new(root, "params", params);
	json_object_set_new(root, "tags", tags);
	if (good)
		return to_text(root);
	json_decref(root);
	return NULL;
}

int store_instance(struct store *s, const struct instance_spec *spec, int64_t created,
		   struct err *err)
{
	_cleanup_(freep) char *text = instance_text(spec, created);

	return text ? write_file(s->instances_fd, spec->id, text, err)
		    : err_set(err, -EINVAL, "a text of instance %s is no UTF-8", spec->name);
}

void store_forget_instance(struct store *s, const char *id)
{
	forget(s->instances_fd, id);
}

static uint64_t number_of(const json_t *root, const char *name)
{
	json_int_t n = json_integer_value(json_object_get(root, name));

	return n < 0 ? 0 : (uint64_t)n;
}

static void read_instance(json_t *root, const char *id, const struct store_reader *to)
{
	const json_t *tags = json_object_get(root, "tags");
	struct instance_spec spec = {
		.id = id,
		.name = json_string_value(json_object_get(root, "name")),
		.history = number_of(root, "history"),
		.run = {.image = (char *)json_string_value(json_object_get(root, "image")),
			.timeout_ns = number_of(root, "timeout")},
	};
	const char **texts = xnew_n(const char *, json_array_size(tags) + 1);
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(root, "params"), key, value)
		if (json_is_string(value))
			labels_add(&spec.run.params, key, json_string_value(value));
	for (size_t i = 0; i < json_array_size(tags); i++)
		if (json_is_string(json_array_get(tags, i)))
			texts[spec.n_tags++] = json_string_value(json_array_get(tags, i));
	spec.tags = texts;
	to->instance(to->ctx, &spec, (int64_t)number_of(root, "created"));
	labels_done(&spec.run.params);
	free(texts);
}

/* ---- reading --------------------------------------------------------------------- */

struct folder {
	const char *name;
	int fd;
	void (*read)(json_t *root, const char *id, const struct store_reader *to);
};

static void read_one(const struct store *s, const struct folder *f, const char *name,
		     const struct store_reader *to)
{
	_cleanup_(freep) char *id = xstrndup(name, strlen(name) - strlen(".json"));
	_cleanup_(buf_done) struct buf b = {.max = MAX_FILE_BYTES};
	struct err err = {0};
	json_error_t fault;
	json_t *root;
	int r = buf_read_file(&b, f->fd, name);

	root = r ? NULL : json_loadb(buf_cstr(&b), b.len, JSON_REJECT_DUPLICATES, &fault);
	if (json_is_object(root)) {
		f->read(root, id, to);
	} else {
		_cleanup_(freep) char *path = xasprintf("%s/%s/%s", s->dir, f->name, name);

		err_set(&err, r ?: -EBADMSG, "%s",
			r      ? strerror(-r)
			: root ? "no JSON object"
			       : fault.text);
		to->bad(to->ctx, path, &err);
	}
	json_decref(root);
}

static bool is_json(const char *name)
{
	size_t len = strlen(name);

	return len > strlen(".json") && !strcmp(name + len - strlen(".json"), ".json");
}

static void read_folder(const struct store *s, const struct folder *f,
			const struct store_reader *to)
{
	int fd = openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		closep(&fd);
		return;
	}
	while ((e = readdir(d)))
		if (is_json(e->d_name))
			read_one(s, f, e->d_name, to);
	closedir(d);
}

void store_each(struct store *s, const struct store_reader *to)
{
	const struct folder folders[] = {{"tracers", s->tracers_fd, read_tracer},
					 {"instances", s->instances_fd, read_instance}};

	for (size_t i = 0; i < array_size(folders); i++)
		read_folder(s, &folders[i], to);
}
