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
	int dir_fd, tracers_fd, instances_fd;
	bool crashed;
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

static int lock_and_mark(struct store *s, const char *dir, struct err *err)
{
	int fd;

	if (flock(s->dir_fd, LOCK_EX | LOCK_NB))
		return err_set(err, errno == EWOULDBLOCK ? -EBUSY : -errno,
			       "another ig daemon uses %s", dir);
	s->crashed = !faccessat(s->dir_fd, RUNNING, F_OK, 0);
	fd = openat(s->dir_fd, RUNNING, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_set(err, -errno, "cannot write to %s: %s", dir, strerror(errno));
	close(fd);
	return 0;
}

int store_open(const char *dir, struct store **ret, struct err *err)
{
	struct store *s = xnew(struct store);
	int r;

	s->dir_fd = s->tracers_fd = s->instances_fd = -1;
	r = open_folder(AT_FDCWD, dir, &s->dir_fd, err);
	r = r ?: lock_and_mark(s, dir, err);
	r = r ?: open_folder(s->dir_fd, "tracers", &s->tracers_fd, err);
	r = r ?: open_folder(s->dir_fd, "instances", &s->instances_fd, err);
	if (r) {
		closep(&s->dir_fd); /* not ours: its mark stays */
		s->dir_fd = -1;
		store_close(s, false);
		return r;
	}
	*ret = s;
	return 0;
}

struct store *store_close(struct store *s, bool clean)
{
	if (!s)
		return NULL;
	if (clean)
		unlinkat(s->dir_fd, RUNNING, 0);
	closep(&s->dir_fd);
	closep(&s->tracers_fd);
	closep(&s->instances_fd);
	free(s);
	return NULL;
}

bool store_crashed(const struct store *s)
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

/* root is taken over. */
static int write_json(int dir_fd, const char *id, json_t *root, struct err *err)
{
	_cleanup_(freep) char *name = xasprintf("%s.json", id), *new = xasprintf("%s.new", id);
	_cleanup_(freep) char *text = json_dumps(root, JSON_INDENT(2));
	_cleanup_(closep) int fd = -1;
	int r;

	json_decref(root);
	if (!text)
		return err_set(err, -EINVAL, "%s has text that is no UTF-8", id);
	fd = openat(dir_fd, new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = fd < 0 ? -errno : write_all(fd, text, strlen(text));
	if (!r && renameat(dir_fd, new, dir_fd, name))
		r = -errno;
	return r ? err_set(err, r, "cannot keep %s: %s", id, strerror(-r)) : 0;
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

int store_tracer(struct store *s, const char *id, const struct selector_options *o, struct err *err)
{
	json_t *root = json_object();

	for (size_t i = 0; i < array_size(selector_members); i++) {
		const struct member *m = &selector_members[i];
		const char *value = *(const char *const *)((const char *)o + m->offset);

		if (value && *value)
			json_object_set_new(root, m->name, json_string(value));
	}
	if (o->sandboxes)
		json_object_set_new(root, "sandboxes", json_true());
	return write_json(s->tracers_fd, id, root, err);
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

int store_instance(struct store *s, const struct instance_spec *spec, int64_t created,
		   struct err *err)
{
	json_t *root = json_object(), *params = json_object(), *tags = json_array();

	for (size_t i = 0; i < spec->run.params.n; i++)
		json_object_set_new(params, spec->run.params.items[i].key,
				    json_string(spec->run.params.items[i].value));
	for (size_t i = 0; i < spec->n_tags; i++)
		json_array_append_new(tags, json_string(spec->tags[i]));
	json_object_set_new(root, "name", json_string(spec->name));
	json_object_set_new(root, "image", json_string(spec->run.image));
	json_object_set_new(root, "timeout", json_integer((json_int_t)spec->run.timeout_ns));
	json_object_set_new(root, "created", json_integer(created));
	json_object_set_new(root, "history", json_integer((json_int_t)spec->history));
	json_object_set_new(root, "params", params);
	json_object_set_new(root, "tags", tags);
	return write_json(s->instances_fd, spec->id, root, err);
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

typedef void read_fn(json_t *root, const char *id, const struct store_reader *to);

static void read_one(int dir_fd, const char *name, read_fn *fn, const struct store_reader *to)
{
	_cleanup_(freep) char *id = xstrndup(name, strlen(name) - strlen(".json"));
	_cleanup_(buf_done) struct buf b = {.max = MAX_FILE_BYTES};
	struct err err = {0};
	json_error_t fault;
	json_t *root;
	int r = buf_read_file(&b, dir_fd, name);

	root = r ? NULL : json_loadb(buf_cstr(&b), b.len, JSON_REJECT_DUPLICATES, &fault);
	if (json_is_object(root)) {
		fn(root, id, to);
	} else {
		err_set(&err, r ?: -EBADMSG, "%s",
			r      ? strerror(-r)
			: root ? "no JSON object"
			       : fault.text);
		to->bad(to->ctx, name, &err);
	}
	json_decref(root);
}

static bool is_json(const char *name)
{
	size_t len = strlen(name);

	return len > strlen(".json") && !strcmp(name + len - strlen(".json"), ".json");
}

static void read_folder(int dir_fd, read_fn *fn, const struct store_reader *to)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		closep(&fd);
		return;
	}
	while ((e = readdir(d)))
		if (is_json(e->d_name))
			read_one(dir_fd, e->d_name, fn, to);
	closedir(d);
}

void store_each(struct store *s, const struct store_reader *to)
{
	read_folder(s->tracers_fd, read_tracer, to);
	read_folder(s->instances_fd, read_instance, to);
}
