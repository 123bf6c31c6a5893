// SPDX-License-Identifier: Apache-2.0
/*
 * Opening gadgets: files and bytes (builtin.c: those that are linked in); what can be asked of an
 * open one.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "gadget/describe.h"

/* ---- opening ------------------------------------------------------------------------- */

static int finish_schemas(struct gadget *g, const struct gadget_open_options *o, struct err *err)
{
	for (size_t i = 0; i < g->n_sources; i++) {
		struct schema *s = g->sources[i].pub.schema;
		int r = o && o->enrich ? o->enrich(s, err) : 0;

		if (!r)
			r = schema_finish(s, err);
		if (r < 0)
			return r;
	}
	return 0;
}

int gadget_open_bytes(const char *name, const void *elf, size_t size,
		      const struct gadget_open_options *o, struct gadget **ret, struct err *err)
{
	_cleanup_(gadget_freep) struct gadget *g = NULL;
	int r;

	if (size > MAX_OBJECT_BYTES)
		return err_set(err, -EBADMSG, "%s: larger than %u bytes", name, MAX_OBJECT_BYTES);
	g = xnew(struct gadget);
	g->name = xstrdup(name);
	g->elf = xcalloc(1, size);
	g->elf_size = size;
	memcpy(g->elf, elf, size);
	r = gadget_describe(g, err);
	if (!r)
		r = finish_schemas(g, o, err);
	if (r < 0) /* whatever it is (a field's name twice, too many fields), it is the object's fault */
		return err_wrap(err, -EBADMSG, "%s", name);
	*ret = take(g);
	return 0;
}

/* "/dir/my_gadget.bpf.o" -> "my_gadget"; what could disturb a terminal or a path becomes '_'. */
static char *name_of_file(const char *path)
{
	static const char *const endings[] = { ".o", ".bpf" };
	const char *slash = strrchr(path, '/');
	char *name = xstrdup(slash ? slash + 1 : path);

	for (size_t i = 0; i < array_size(endings); i++) {
		size_t len = strlen(name), cut = strlen(endings[i]);

		if (len > cut && !strcmp(name + len - cut, endings[i]))
			name[len - cut] = '\0';
	}
	for (char *at = name; *at; at++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.",
			    *at))
			*at = '_';
	return name;
}

static int read_object(const char *path, struct buf *ret, struct err *err)
{
	/* Not blocking: the name may be a FIFO's. */
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		return err_set(err, r, "%s: %s", path, strerror(-r));
	}
	if (!S_ISREG(st.st_mode))
		return err_set(err, -EBADMSG, "%s: not a regular file", path);
	r = buf_read_fd(ret, fd);
	if (r == -EFBIG)
		return err_set(err, -EBADMSG, "%s: larger than %u bytes", path, MAX_OBJECT_BYTES);
	return r < 0 ? err_set(err, r, "%s: %s", path, strerror(-r)) : 0;
}

int gadget_open_file(const char *path, const struct gadget_open_options *o, struct gadget **ret,
		     struct err *err)
{
	_cleanup_(freep) char *name = name_of_file(path);
	_cleanup_(buf_done) struct buf bytes;
	int r;

	buf_init(&bytes, MAX_OBJECT_BYTES);
	r = read_object(path, &bytes, err);
	if (r < 0)
		return r;
	r = object_validate(bytes.data, bytes.len, err);
	if (!r)
		r = object_try_open(bytes.data, bytes.len, err);
	if (r < 0) /* -EINVAL is for what a caller asked wrongly; this is the file's fault */
		return err_wrap(err, r == -EINVAL ? -EBADMSG : r, "%s", path);
	return gadget_open_bytes(name, bytes.data, bytes.len, o, ret, err);
}

int gadget_open(const char *name_or_path, const struct gadget_open_options *o, struct gadget **ret,
		struct err *err)
{
	size_t len = strlen(name_or_path);

	if (strchr(name_or_path, '/') || (len > 2 && !strcmp(name_or_path + len - 2, ".o")))
		return gadget_open_file(name_or_path, o, ret, err);
	return gadget_open_builtin(name_or_path, o, ret, err);
}

static void free_param(struct param *p)
{
	free(p->place.symbol);
	free(p->type);
	free(p->filter);
	free(p->value);
	free((char *)p->pub.name);
	free((char *)p->pub.doc);
	free((char *)p->pub.default_text);
	free(p->initial);
}

struct gadget *gadget_free(struct gadget *g)
{
	if (!g)
		return NULL;
	gadget_unload(g);
	for (size_t i = 0; i < g->n_sources; i++) {
		schema_unref(g->sources[i].pub.schema);
		free(g->sources[i].prefix);
		free(g->sources[i].sort);
		free(g->sources[i].rates);
	}
	for (size_t i = 0; i < g->n_params; i++)
		free_param(&g->params[i]);
	for (size_t i = 0; i < g->n_aliases; i++)
		free(g->aliases[i]);
	free(g->sources);
	free(g->params);
	free(g->aliases);
	free(g->elf);
	free(g->doc);
	free(g->limits);
	free(g->selftest);
	free(g->selftest_filter);
	free(g->name);
	free(g);
	return NULL;
}

void gadget_freep(struct gadget **g)
{
	gadget_free(*g);
}

/* ---- asking -------------------------------------------------------------------------- */

const char *gadget_name(const struct gadget *g)
{
	return g->name;
}

const char *gadget_doc(const struct gadget *g)
{
	return g->doc;
}

const char *gadget_limits(const struct gadget *g)
{
	return g->limits;
}

const char *gadget_selftest(const struct gadget *g, const char **ret_filter)
{
	*ret_filter = g->selftest_filter;
	return g->selftest_filter ? g->selftest : NULL;
}

size_t gadget_n_aliases(const struct gadget *g)
{
	return g->n_aliases;
}

const char *gadget_alias(const struct gadget *g, size_t i)
{
	return g->aliases[i];
}

size_t gadget_n_sources(const struct gadget *g)
{
	return g->n_sources;
}

const struct gadget_source *gadget_source(const struct gadget *g, size_t i)
{
	return &g->sources[i].pub;
}

size_t gadget_n_params(const struct gadget *g)
{
	return g->n_params;
}

const struct gadget_param *gadget_param(const struct gadget *g, size_t i)
{
	return &g->params[i].pub;
}
