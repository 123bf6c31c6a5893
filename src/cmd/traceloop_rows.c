// SPDX-License-Identifier: Apache-2.0
#include "cmd/traceloop_rows.h"

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cmd/own_rows.h"
#include "columns/labels.h"
#include "containers/container.h"
#include "containers/selector.h"

/* ---- errors and questions -------------------------------------------------------- */

int traceloop_judge(unsigned int status, const struct buf *body, struct err *err)
{
	static const struct {
		unsigned int status;
		int code;
	} known[] = {{400, -EINVAL}, {404, -ENOENT}, {409, -EEXIST}};
	const char *text = body->data ?: "";
	int code = -EIO;

	if (status == 200)
		return 0;
	for (size_t i = 0; i < array_size(known); i++)
		if (known[i].status == status)
			code = known[i].code;
	return err_set(err, code, "%.*s", (int)strcspn(text, "\n"), text);
}

void traceloop_put_parameter(struct buf *path, const char *name, const char *value, size_t n)
{
	buf_char(path, strchr(path->data, '?') ? '&' : '?');
	buf_str(path, name);
	buf_char(path, '=');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)value[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    strchr("-._~", c ?: ' '))
			buf_char(path, (char)c);
		else
			buf_printf(path, "%%%02X", c);
	}
	buf_cstr(path);
}

/* ---- rows ------------------------------------------------------------------------ */

#define AT(member_)                                                      \
	.parent = -1, .offset = offsetof(struct traceloop_row, member_), \
	.size = sizeof(((struct traceloop_row *)0)->member_)
/* The first is of a cluster, the last of a single daemon. */
static const struct field fields[] = {
	{"k8s.node", "Where", .kind = KIND_CSTR, AT(node), .width = 16},
	{"id", "Of the ring, as the other verbs take it", .kind = KIND_UINT, AT(id), .width = 5},
	{"name", "Container's name in its pod, else its own; or as a cgroup was added",
	 .kind = KIND_CSTR, AT(name), .width = 20},
	{"state", "recording, or ended", .kind = KIND_CSTR, AT(state), .width = 9},
	{"namespace", "Of its pod", .kind = KIND_CSTR, AT(namespace_), .width = 12,
	 .flags = FIELD_SKIP_EMPTY},
	{"pod", "Its pod", .kind = KIND_CSTR, AT(pod), .width = 16, .flags = FIELD_SKIP_EMPTY},
	{"index", "Which of its pod's containers, by their start", .kind = KIND_UINT, AT(index),
	 .flags = FIELD_HIDDEN},
	{"container", "Its name at the runtime", .kind = KIND_CSTR, AT(container), .width = 20,
	 .flags = FIELD_SKIP_EMPTY | FIELD_HIDDEN},
	{"created", "When it started", "g_walltime", KIND_INT, AT(created)},
	{"deleted", "When it ended", "g_walltime", KIND_INT, AT(deleted)},
	{"cgroup", "Path of its cgroup", .kind = KIND_CSTR, AT(cgroup),
	 .flags = FIELD_SKIP_EMPTY | FIELD_HIDDEN},
	{"traceid", "Of this ring in all the world", .kind = KIND_CSTR, AT(trace_id),
	 .flags = FIELD_HIDDEN},
	{"node", "Where", .kind = KIND_CSTR, AT(node), .flags = FIELD_HIDDEN},
};

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key)) ?: "";
}

static uint64_t number_of(const json_t *o, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(o, key));
}

static int64_t time_of(const json_t *o, const char *key)
{
	int64_t ns = 0;

	return parse_time(text_of(o, key), &ns) ? 0 : ns;
}

static struct traceloop_row row_of(json_t *o, const char *node)
{
	return (struct traceloop_row){
		.name = text_of(o, "name"),
		.state = text_of(o, "status"),
		.namespace_ = text_of(o, "namespace"),
		.pod = text_of(o, "podname"),
		.container = text_of(o, "containername"),
		.cgroup = text_of(o, "cgroup"),
		.trace_id = text_of(o, "traceid"),
		.node = node ?: text_of(o, "node"),
		.id = number_of(o, "id"),
		.index = number_of(o, "containeridx"),
		.created = time_of(o, "timecreation"),
		.deleted = time_of(o, "timedeletion"),
		.of = json_incref(o),
	};
}

int traceloop_rows_read(struct traceloop_rows *rows, const struct buf *body, const char *node,
			struct err *err)
{
	json_t *all = json_loadb(body->data, body->len, 0, NULL), *one;
	bool is_list = json_is_array(all);
	size_t i;

	json_array_foreach(all, i, one)
		*grow(&rows->items, &rows->n, &rows->room) = row_of(one, node);
	json_decref(all);
	return is_list ? 0 : err_set(err, -EBADMSG, "what answers is no traceloop");
}

static struct container *container_of_row(const struct traceloop_row *row)
{
	json_t *labels = json_object_get(row->of, "podlabels"), *value;
	struct container *c = container_new();
	const char *key;

	c->name = xstrdup(row->name);
	c->id = xstrdup(text_of(row->of, "containerid"));
	c->resolved = true;
	if (*row->pod) {
		c->k8s_namespace = xstrdup(row->namespace_);
		c->k8s_pod = xstrdup(row->pod);
		c->k8s_container = xstrdup(row->name);
	}
	json_object_foreach(labels, key, value)
		labels_add(&c->k8s_labels, key, json_string_value(value) ?: "");
	return c;
}

void traceloop_rows_select(struct traceloop_rows *rows, const struct selector *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < rows->n; i++) {
		_cleanup_(container_unrefp) struct container *c = container_of_row(&rows->items[i]);

		if (selector_matches(s, c))
			rows->items[kept++] = rows->items[i];
		else
			json_decref(rows->items[i].of);
	}
	rows->n = kept;
}

void traceloop_rows_done(struct traceloop_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		json_decref(rows->items[i].of);
	free(rows->items);
	*rows = (struct traceloop_rows){0};
}

int traceloop_rows_show(const struct traceloop_rows *rows, bool of_cluster, struct err *err)
{
	struct own_rows out = {0};
	int r = own_rows_open(&out, VIEW_TABLE_ONCE, "traceloop", of_cluster ? fields : fields + 1,
			      array_size(fields) - 1, sizeof(struct traceloop_row), err);

	for (size_t i = 0; !r && i < rows->n; i++)
		own_row(&out, &rows->items[i]);
	r = r ?: own_rows_end(&out, err);
	own_rows_done(&out);
	return r;
}
