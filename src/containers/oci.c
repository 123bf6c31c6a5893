// SPDX-License-Identifier: Apache-2.0
/* Reading runtimes' state on disk. */
#include "containers/oci.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"

#define MAX_CONTROLLERS 64 /* cgroup paths of one container */

/* jansson recurses, and allows 2048 levels: too much for a small stack. */
static bool is_too_deep(const char *text, size_t len)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > MAX_JSON_DEPTH)
				return true;
		} else if ((c == '}' || c == ']') && depth) {
			depth--;
		}
	}
	return false;
}

static json_t *load(const char *text, size_t len)
{
	if (len > MAX_CONFIG_BYTES || is_too_deep(text, len))
		return NULL;
	return json_loadb(text, len, 0, NULL);
}

/* A new string, NULL where it is missing or empty. */
static char *text_of(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value && *value ? xstrdup(value) : NULL;
}

static uint64_t number_of(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (uint64_t)value : 0;
}

static uint32_t pid_of(const json_t *object, const char *key)
{
	uint64_t value = number_of(object, key);

	return value <= INT32_MAX ? (uint32_t)value : 0;
}

static uint64_t time_of(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));
	int64_t ns;

	return value && !parse_time(value, &ns) && ns > 0 ? (uint64_t)ns : 0;
}

static void add_annotation(struct oci_state *s, const char *key, const char *value)
{
	if (s->annotations.n < MAX_LABELS)
		labels_add(&s->annotations, key, value);
}

static void add_cgroup(struct oci_state *s, const char *path)
{
	if (path && *path == '/' && s->n_cgroups < MAX_CONTROLLERS)
		*grow(&s->cgroups, &s->n_cgroups, &s->room_cgroups) = xstrdup(path);
}

void oci_state_done(struct oci_state *s)
{
	free(s->id);
	free(s->bundle);
	free(s->hostname);
	free(s->rootfs);
	free(s->uid_map);
	free(s->gid_map);
	for (size_t i = 0; i < s->n_cgroups; i++)
		free(s->cgroups[i]);
	free(s->cgroups);
	labels_done(&s->annotations);
	*s = (struct oci_state){0};
}

/* runc keeps annotations as labels "key=value", and puts the bundle beside them. */
static void read_labels(struct oci_state *s, const json_t *labels)
{
	size_t i;
	json_t *item;

	json_array_foreach(labels, i, item) {
		const char *text = json_string_value(item);
		const char *equals = text ? strchr(text, '=') : NULL;
		_cleanup_(freep) char *key = NULL;

		if (!equals)
			continue;
		if (!strncmp(text, "bundle=", 7)) {
			if (!s->bundle)
				s->bundle = xstrdup(equals + 1);
			continue;
		}
		key = xstrndup(text, (size_t)(equals - text));
		add_annotation(s, key, equals + 1);
	}
}

int oci_parse_runc(const char *text, size_t len, struct oci_state *ret)
{
	_cleanup_(json_decrefp) json_t *root = load(text, len);
	const json_t *paths, *path;
	struct oci_state s = {0};
	const char *key;

	s.id = text_of(root, "id");
	s.pid = pid_of(root, "init_process_pid");
	if (!s.id || !s.pid) {
		oci_state_done(&s);
		return -EINVAL;
	}
	s.start_ticks = number_of(root, "init_process_start");
	s.created_real_ns = time_of(root, "created");
	paths = json_object_get(root, "cgroup_paths");
	json_object_foreach((json_t *)paths, key, path)
		add_cgroup(&s, json_string_value(path));
	read_labels(&s, json_object_get(json_object_get(root, "config"), "labels"));
	*ret = s;
	return 0;
}

int oci_parse_crun(const char *text, size_t len, struct oci_state *ret)
{
	_cleanup_(json_decrefp) json_t *root = load(text, len);
	struct oci_state s = {0};

	s.pid = pid_of(root, "pid");
	if (!s.pid)
		return -EINVAL;
	s.start_ticks = number_of(root, "process-start-time");
	s.created_real_ns = time_of(root, "created");
	s.bundle = text_of(root, "bundle");
	add_cgroup(&s, json_string_value(json_object_get(root, "cgroup-path")));
	*ret = s;
	return 0;
}

static void read_annotations(struct oci_state *s, const json_t *root)
{
	const char *key;
	json_t *value;

	json_object_foreach(json_object_get(root, "annotations"), key, value)
		if (json_is_string(value))
			add_annotation(s, key, json_string_value(value));
}

/* [{"containerID":0,"hostID":1000,"size":1},…] as lines "0 1000 1". */
static char *id_map(const json_t *linux_, const char *key)
{
	const json_t *list = json_object_get(linux_, key), *item;
	_cleanup_(buf_done) struct buf lines = {.max = MAX_PROC_FILE_BYTES};
	size_t i;

	json_array_foreach(list, i, item)
		buf_printf(&lines, "%lld %lld %lld\n",
			   (long long)json_integer_value(json_object_get(item, "containerID")),
			   (long long)json_integer_value(json_object_get(item, "hostID")),
			   (long long)json_integer_value(json_object_get(item, "size")));
	return lines.len ? xstrdup(buf_cstr(&lines)) : NULL;
}

int oci_parse_config(const char *text, size_t len, struct oci_state *ret)
{
	_cleanup_(json_decrefp) json_t *root = load(text, len);
	struct oci_state s = {0};

	if (!json_is_object(root))
		return -EINVAL;
	read_annotations(&s, root);
	s.hostname = text_of(root, "hostname");
	s.rootfs = text_of(json_object_get(root, "root"), "path");
	s.uid_map = id_map(json_object_get(root, "linux"), "uidMappings");
	s.gid_map = id_map(json_object_get(root, "linux"), "gidMappings");
	*ret = s;
	return 0;
}

int oci_parse_hook(const char *text, size_t len, struct oci_state *ret)
{
	_cleanup_(json_decrefp) json_t *root = load(text, len);
	struct oci_state s = {.id = text_of(root, "id")};

	if (!s.id)
		return -EINVAL;
	s.pid = pid_of(root, "pid");
	s.bundle = text_of(root, "bundle");
	read_annotations(&s, root);
	*ret = s;
	return 0;
}

void podman_container_done(struct podman_container *p)
{
	free(p->name);
	free(p->image);
	free(p->image_id);
	*p = (struct podman_container){0};
}

int oci_parse_podman(const char *text, size_t len, const char *id, struct podman_container *ret)
{
	_cleanup_(freep) char *start = xasprintf("{\"id\":\"%s\"", id);
	const char *at = memmem(text, len, start, strlen(start)), *inner;
	_cleanup_(json_decrefp) json_t *item = NULL, *meta = NULL;
	const json_t *name;

	/* Within a text the quotes would be escaped: what is found is an object. */
	if (!at || is_too_deep(at, len - (size_t)(at - text)))
		return at ? -EINVAL : -ENOENT;
	item = json_loadb(at, len - (size_t)(at - text), JSON_DISABLE_EOF_CHECK, NULL);
	if (!item)
		return -EINVAL;
	inner = json_string_value(json_object_get(item, "metadata"));
	meta = inner ? load(inner, strlen(inner)) : NULL; /* JSON in a string */
	name = json_array_get(json_object_get(item, "names"), 0);
	ret->name = text_of(meta, "name") ?: xstrdup(json_string_value(name));
	ret->image = text_of(meta, "image-name");
	ret->image_id = text_of(item, "image");
	return 0;
}

static void add_labels(struct labels *to, const json_t *object)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
		if (json_is_string(value) && to->n < MAX_LABELS)
			labels_add(to, key, json_string_value(value));
}

int oci_parse_labels(const char *text, size_t len, struct labels *ret)
{
	_cleanup_(json_decrefp) json_t *root = load(text, len);

	if (!json_is_object(root))
		return -EINVAL;
	add_labels(ret, root);
	return 0;
}

void docker_container_done(struct docker_container *d)
{
	free(d->name);
	free(d->image);
	free(d->image_id);
	free(d->ip);
	labels_done(&d->labels);
	*d = (struct docker_container){0};
}

int oci_parse_docker(const char *text, size_t len, struct docker_container *ret)
{
	_cleanup_(json_decrefp) json_t *root = load(text, len);
	const json_t *config = json_object_get(root, "Config");
	const char *name = json_string_value(json_object_get(root, "Name"));

	if (!name || !json_is_object(config))
		return -EINVAL;
	ret->name = xstrdup(*name == '/' ? name + 1 : name);
	ret->image = text_of(config, "Image");
	ret->image_id = text_of(root, "Image");
	ret->ip = text_of(json_object_get(root, "NetworkSettings"), "IPAddress");
	add_labels(&ret->labels, json_object_get(config, "Labels"));
	return 0;
}

char *oci_parse_docker_event(const char *text, size_t len, struct docker_container *ret)
{
	_cleanup_(json_decrefp) json_t *root = load(text, len);
	json_t *actor = json_object_get(root, "Actor");
	json_t *attributes = json_object_get(actor, "Attributes");
	const char *type = json_string_value(json_object_get(root, "Type"));
	char *id = type && !strcmp(type, "container") ? text_of(actor, "ID") : NULL;

	if (!id)
		return NULL;
	ret->name = text_of(attributes, "name");
	ret->image = text_of(attributes, "image");
	json_object_del(attributes, "name");
	json_object_del(attributes, "image");
	add_labels(&ret->labels, attributes);
	return id;
}

void libpod_container_done(struct libpod_container *p)
{
	free(p->name);
	free(p->image);
	free(p->image_id);
	free(p->pod_id);
	labels_done(&p->labels);
	*p = (struct libpod_container){0};
}

int oci_parse_libpod(const char *text, size_t len, struct libpod_container *ret)
{
	_cleanup_(json_decrefp) json_t *root = load(text, len);

	if (!json_is_string(json_object_get(root, "Name")))
		return -EINVAL;
	ret->name = text_of(root, "Name");
	ret->image = text_of(root, "ImageName");
	ret->image_id = text_of(root, "Image");
	ret->pod_id = text_of(root, "Pod");
	add_labels(&ret->labels, json_object_get(json_object_get(root, "Config"), "Labels"));
	return 0;
}

char *oci_parse_libpod_pod(const char *text, size_t len, struct labels *ret_labels)
{
	_cleanup_(json_decrefp) json_t *root = load(text, len);

	add_labels(ret_labels, json_object_get(root, "Labels"));
	return text_of(root, "Name");
}
