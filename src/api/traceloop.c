// SPDX-License-Identifier: Apache-2.0
#include "api/traceloop.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/status.h"
#include "columns/format.h"
#include "columns/labels.h"
#include "containers/selector.h"
#include "net/address.h"
#include "net/http_server.h"

struct traceloop_service {
	struct traceloop *traceloop;
	struct selector *selector;
	struct http_server *server;
	char *socket, *node;
};

/* A request that is being answered. */
struct asked {
	struct traceloop_service *service;
	const struct http_request *request;
	bool json;
	struct buf *out;
};

/* ---- JSON ------------------------------------------------------------------------ */

static void put_key(struct buf *out, const char *key)
{
	char last = out->data[out->len - 1];

	buf_str(out, last == '{' ? "\"" : ",\"");
	buf_str(out, key);
	buf_str(out, "\":");
}

static void put_string(struct buf *out, const char *key, const char *text)
{
	if (!text)
		return;
	put_key(out, key);
	json_quote(out, text, strlen(text));
}

static void put_number(struct buf *out, const char *key, uint64_t value)
{
	put_key(out, key);
	buf_u64(out, value);
}

static void put_date(struct buf *out, const char *key, int64_t real_ns)
{
	char text[30];

	if (!real_ns)
		return;
	put_rfc3339(text, real_ns);
	put_key(out, key);
	json_quote(out, text, sizeof(text));
}

/* ---- parameters ------------------------------------------------------------------ */

static int text_of(const struct asked *a, const char *name, const char **ret, struct err *err)
{
	*ret = http_parameter(a->request, name);
	if (*ret && **ret)
		return 0;
	return err_set(err, -EINVAL, "the parameter %s is missing", name);
}

static int number_of(const struct asked *a, const char *name, uint64_t *ret, struct err *err)
{
	const char *text;
	int r = text_of(a, name, &text, err);

	if (r || !parse_u64(text, ret))
		return r;
	return err_set(err, -EINVAL, "the parameter %s must be a number, not '%s'", name, text);
}

/* ---- which ring ------------------------------------------------------------------ */

typedef int find_fn(struct asked *a, struct tracelet **ret, struct err *err);

static int by_id(struct asked *a, struct tracelet **ret, struct err *err)
{
	uint64_t id;
	int r = number_of(a, "id", &id, err);

	if (r)
		return r;
	*ret = traceloop_by_id(a->service->traceloop, id);
	return *ret ? 0 : err_set(err, -ENOENT, "no trace with id %" PRIu64, id);
}

/* By one parameter that is text. */
static int by_text(struct asked *a, const char *name,
		   struct tracelet *(*look)(struct traceloop *, const char *),
		   struct tracelet **ret, struct err *err)
{
	const char *text;
	int r = text_of(a, name, &text, err);

	if (r)
		return r;
	*ret = look(a->service->traceloop, text);
	return *ret ? 0 : err_set(err, -ENOENT, "no trace with %s '%s'", name, text);
}

static int by_name(struct asked *a, struct tracelet **ret, struct err *err)
{
	return by_text(a, "name", traceloop_by_name, ret, err);
}

static int by_cgroup(struct asked *a, struct tracelet **ret, struct err *err)
{
	return by_text(a, "cgroup", traceloop_by_cgroup, ret, err);
}

static int by_trace_id(struct asked *a, struct tracelet **ret, struct err *err)
{
	return by_text(a, "traceid", traceloop_by_trace_id, ret, err);
}

static int by_pod(struct asked *a, struct tracelet **ret, struct err *err)
{
	const char *namespace_, *pod;
	uint64_t index = 0;
	bool indexed = http_parameter(a->request, "idx");
	int r = text_of(a, "namespace", &namespace_, err);

	r = r ?: text_of(a, "podname", &pod, err);
	if (!r && indexed)
		r = number_of(a, "idx", &index, err);
	if (!r && index > INT32_MAX)
		r = err_set(err, -EINVAL, "the parameter idx is too large");
	if (r)
		return r;
	*ret = traceloop_by_pod(a->service->traceloop, namespace_, pod,
				indexed ? (int64_t)index : -1);
	return *ret ? 0 : err_set(err, -ENOENT, "no trace of pod %s/%s", namespace_, pod);
}

/* ---- what is done ---------------------------------------------------------------- */

static void list_text(struct buf *out, const struct tracelet_facts *f)
{
	const struct container *c = f->container;
	char date[30];

	buf_printf(out, "[%s] %" PRIu64 ": ", f->ended ? "ended" : "recording", f->id);
	if (c && c->k8s_pod)
		buf_printf(out, "%s/%s #%u ", c->k8s_namespace ?: "", c->k8s_pod, f->index);
	buf_str(out, f->name);
	if (f->ended) {
		put_rfc3339(date, f->deleted_ns);
		buf_str(out, " (deleted ");
		buf_add(out, date, sizeof(date));
		buf_char(out, ')');
	}
	buf_char(out, '\n');
}

static void list_json(const struct asked *a, const struct tracelet_facts *f)
{
	const struct container *c = f->container;
	struct buf *out = a->out;

	buf_str(out, out->data[out->len - 1] == '[' ? "{" : ",\n{");
	put_string(out, "status", f->ended ? "ended" : "recording");
	put_number(out, "id", f->id);
	put_string(out, "traceid", f->trace_id);
	put_string(out, "node", a->service->node);
	put_string(out, "name", f->name);
	put_string(out, "cgroup", f->cgroup_path);
	put_number(out, "cgroupid", f->cgroup_id);
	if (c) {
		put_string(out, "containername", c->name);
		put_string(out, "containerid", c->id);
	}
	if (c && c->k8s_pod) {
		put_string(out, "namespace", c->k8s_namespace);
		put_string(out, "podname", c->k8s_pod);
		put_string(out, "uid", c->k8s_pod_uid);
		put_number(out, "containeridx", f->index);
		put_key(out, "podlabels");
		labels_to_json(&c->k8s_labels, out);
	}
	put_date(out, "timecreation", f->created_ns);
	put_date(out, "timedeletion", f->deleted_ns);
	buf_char(out, '}');
}

static void list_one(void *ctx, struct tracelet *l)
{
	struct asked *a = ctx;
	struct tracelet_facts f;

	tracelet_facts(a->service->traceloop, l, &f);
	if (a->json)
		list_json(a, &f);
	else
		list_text(a->out, &f);
}

static int list(struct asked *a, find_fn *find, struct err *err)
{
	buf_str(a->out, a->json ? "[" : "");
	traceloop_each(a->service->traceloop, list_one, a);
	buf_str(a->out, a->json ? "]\n" : "");
	return 0;
}

static int add(struct asked *a, find_fn *find, struct err *err)
{
	const char *path, *name;
	uint64_t id;
	int r = text_of(a, "cgrouppath", &path, err);

	r = r ?: text_of(a, "name", &name, err);
	r = r ?: traceloop_add(a->service->traceloop, path, name, &id, err);
	if (!r)
		buf_printf(a->out, a->json ? "{\"id\":%" PRIu64 "}\n" : "added as id %" PRIu64 "\n",
			   id);
	return r;
}

static int dump(struct asked *a, find_fn *find, struct err *err)
{
	struct tracelet *l;
	int r = find(a, &l, err);

	if (r)
		return r;
	r = tracelet_dump(a->service->traceloop, l, a->json ? TRACELET_JSON : TRACELET_TEXT,
			  a->out);
	return r ? err_set(err, r, "the trace is too long") : 0;
}

static int close_one(struct asked *a, find_fn *find, struct err *err)
{
	struct tracelet *l;
	int r = find(a, &l, err);

	if (r)
		return r;
	tracelet_close(a->service->traceloop, l);
	buf_str(a->out, a->json ? "{\"status\":\"closed\"}\n" : "closed\n");
	return 0;
}

static const struct route {
	const char *path;
	int (*fn)(struct asked *a, find_fn *find, struct err *err);
	find_fn *find;
} routes[] = {
	{"/list", list, NULL},
	{"/add", add, NULL},
	{"/dump", dump, by_id},
	{"/dump-by-name", dump, by_name},
	{"/dump-by-cgroup", dump, by_cgroup},
	{"/dump-by-traceid", dump, by_trace_id},
	{"/dump-pod", dump, by_pod},
	{"/close", close_one, by_id},
	{"/close-by-name", close_one, by_name},
};

static const struct route *find_route(const char *path)
{
	for (size_t i = 0; i < array_size(routes); i++)
		if (!strcmp(routes[i].path, path))
			return &routes[i];
	return NULL;
}

static int route(struct asked *a, struct err *err)
{
	const struct route *to = find_route(a->request->path);
	const char *format = http_parameter(a->request, "format");

	if (!to)
		return err_set(err, -ENOENT, "no such path: %s", a->request->path);
	if (format && *format && strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
		return err_set(err, -EINVAL, "the parameter format is text or json, not '%s'",
			       format);
	a->json = str_equal(format, "json");
	return to->fn(a, to->find, err);
}

static void put_error(const struct asked *a, const struct err *err)
{
	buf_clear(a->out);
	if (a->json) {
		buf_str(a->out, "{");
		put_string(a->out, "error", err->text);
		buf_str(a->out, "}\n");
	} else {
		buf_str(a->out, err->text);
		buf_char(a->out, '\n');
	}
}

static void handle(void *ctx, const struct http_request *q, struct http_answer *answer)
{
	struct asked a = {.service = ctx, .request = q, .out = &answer->body};
	struct err err = {0};
	int r = route(&a, &err);

	if (r) {
		answer->status = status_http(r);
		put_error(&a, &err);
	}
	if (a.json)
		answer->type = "application/json";
}

/* ---- life ------------------------------------------------------------------------ */

static char *host_name(void)
{
	struct utsname u;

	return xstrdup(uname(&u) ? "" : u.nodename);
}

static int listen_at(struct traceloop_service *s, struct reactor *r,
		     const struct traceloop_service_options *o, struct err *err)
{
	const struct listen_options lo = {
		.folder_mode = 0710,
		.socket_mode = o->group == (gid_t)-1 ? 0600 : 0660,
		.group = o->group,
	};
	struct address at = {.path = (char *)o->socket};
	int fd = address_listen(&at, &lo, err), code;

	if (fd < 0)
		return fd;
	code = http_server_new(r, fd, MAX_DUMP_BYTES, handle, s, &s->server, err);
	if (!code)
		s->socket = xstrdup(o->socket);
	return code;
}

int traceloop_service_new(struct reactor *r, struct containers *cs,
			  const struct traceloop_service_options *o, struct traceloop_service **ret,
			  struct err *err)
{
	struct traceloop_service *s = xnew(struct traceloop_service);
	struct traceloop_options lo = o->loop;
	int code = 0;

	s->node = o->node ? xstrdup(o->node) : host_name();
	if (!lo.selector) {
		code = selector_new(&(struct selector_options){0}, &s->selector, err);
		lo.selector = s->selector;
	}
	code = code ?: traceloop_new(r, cs, &lo, &s->traceloop, err);
	code = code ?: listen_at(s, r, o, err);
	if (code) {
		traceloop_service_free(s);
		return code;
	}
	*ret = s;
	return 0;
}

void traceloop_service_cost(const struct traceloop_service *s, struct traceloop_cost *ret)
{
	traceloop_cost(s->traceloop, ret);
}

struct traceloop_service *traceloop_service_free(struct traceloop_service *s)
{
	if (!s)
		return NULL;
	http_server_free(s->server);
	if (s->socket)
		unlink(s->socket);
	traceloop_free(s->traceloop);
	selector_free(s->selector);
	free(s->socket);
	free(s->node);
	free(s);
	return NULL;
}
