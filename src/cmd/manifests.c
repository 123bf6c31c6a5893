// SPDX-License-Identifier: Apache-2.0
/*
 * The manifests keep their text, comments included: what differs is put in place of the value of a
 * key that stands on a line of its own.
 */
#include "cmd/manifests.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"

#define NAMESPACE "namespace: gadget"

extern const char cluster_manifests[]; /* src/manifests.S */

/* ---- values ---------------------------------------------------------------------- */

/* What names, images and labels are of; none of it ends a quoted text of YAML. */
static int check(const char *what, const char *value, const char *more, struct err *err)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";

	for (const char *at = value; *at; at++)
		if (!strchr(letters, *at) && !strchr(more, *at))
			return err_set(err, -EINVAL, "'%s' is no %s", value, what);
	return *value ? 0 : err_set(err, -EINVAL, "an empty %s", what);
}

/* "a=b,c=d" as ", \"a\": \"b\", \"c\": \"d\"". */
static int put_labels(const char *list, struct buf *out, struct err *err)
{
	_cleanup_(freep) char **items = NULL;
	size_t n = split(list, ',', false, &items);

	for (size_t i = 0; i < n; i++) {
		char *equals = strchr(items[i], '=');
		int r;

		if (!equals)
			return err_set(err, -EINVAL, "--node-selector is KEY=VALUE, not '%s'",
				       items[i]);
		*equals = '\0';
		r = check("label of a node", items[i], "_/", err);
		if (!r && equals[1])
			r = check("label's value", equals + 1, "_", err);
		if (r)
			return r;
		buf_printf(out, ", \"%s\": \"%s\"", items[i], equals + 1);
	}
	return 0;
}

/* ---- lines ----------------------------------------------------------------------- */

static bool has_key(const char *line, size_t n, const char *key)
{
	size_t indent = strspn(line, " "), len = strlen(key);

	return indent + len + 1 < n && !strncmp(line + indent, key, len) &&
	       line[indent + len] == ':';
}

/* "  key: {a: b}" or "  key: [a, b]" with more behind the last one. */
static void put_with(const char *line, size_t n, char close, const char *more, struct buf *out)
{
	const char *end = memrchr(line, close, n);

	buf_add(out, line, (size_t)(end - line));
	buf_str(out, more);
	buf_add(out, end, (size_t)(line + n - end));
}

/* NAMESPACE in it, or the name of the Namespace itself, is another one's. */
static void put_in_namespace(const char *line, size_t n, bool is_namespace, const char *namespace_,
			     struct buf *out)
{
	const char *at = memmem(line, n, NAMESPACE, strlen(NAMESPACE));

	if (at) {
		const char *rest = at + strlen(NAMESPACE);

		buf_add(out, line, (size_t)(at - line));
		buf_printf(out, "namespace: %s", namespace_);
		buf_add(out, rest, (size_t)(line + n - rest));
	} else if (is_namespace && has_key(line, n, "name")) {
		buf_printf(out, "%.*sname: %s", (int)strspn(line, " "), line, namespace_);
	} else {
		buf_add(out, line, n);
	}
}

static bool has_value(const char *line, size_t n, const char *key, const char *value)
{
	return has_key(line, n, key) && memmem(line, n, value, strlen(value));
}

static void put_line(const struct manifest_options *o, const struct buf *labels, bool is_namespace,
		     const char *line, size_t n, struct buf *out)
{
	if (o->image && has_key(line, n, "image"))
		buf_printf(out, "%.*simage: \"%s\"", (int)strspn(line, " "), line, o->image);
	else if (labels->len && has_key(line, n, "nodeSelector"))
		put_with(line, n, '}', labels->data, out);
	else if (o->compat && has_value(line, n, "args", "daemon"))
		put_with(line, n, ']', ", --compat", out);
	else if (o->compat && has_value(line, n, "resources", "pods/exec"))
		put_with(line, n, ']', ", pods/portforward", out);
	else if (o->namespace_)
		put_in_namespace(line, n, is_namespace, o->namespace_, out);
	else
		buf_add(out, line, n);
	buf_char(out, '\n');
}

int manifests_put(const struct manifest_options *o, struct buf *out, struct err *err)
{
	_cleanup_(buf_done) struct buf labels = {.max = 65536};
	bool is_namespace = false;
	int r = o->image ? check("image", o->image, "_/:@", err) : 0;

	r = r ?: o->namespace_ ? check("namespace", o->namespace_, "", err) : 0;
	r = r ?: o->node_selector ? put_labels(o->node_selector, &labels, err) : 0;
	for (const char *line = cluster_manifests; !r && *line;) {
		size_t n = strcspn(line, "\n");

		if (has_key(line, n, "kind"))
			is_namespace = has_value(line, n, "kind", "kind: Namespace");
		put_line(o, &labels, is_namespace, line, n, out);
		line += n + (line[n] == '\n');
	}
	return r;
}
