// SPDX-License-Identifier: Apache-2.0
/*
 * List and watch; see reflector.h. One request is open at a time, or the wait for the next one.
 * Each step begins with what the last one left: a `page` token means that a list is not whole, a
 * `version` that there is a place in history to watch from, neither that all is listed anew.
 */
#include "kube/reflector.h"

#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/reactor.h"
#include "kube/kube.h"
#include "kube/server.h"

#define MS 1000000ull
#define FIRST_WAIT_NS (500 * MS)
#define LONGEST_WAIT_NS (30000 * MS)
#define LIST_SILENCE_NS (30000 * MS)
#define MAX_PAGE_BYTES (64u << 20)
#define MAX_EVENT_BYTES (4u << 20) /* one object: etcd's limit is 1.5 MiB */
#define MAX_URL_BYTES 8192

/* The server ends a watch by then; it tells that nothing has changed every minute. */
#define WATCH_SECONDS 290
#define WATCH_SILENCE_NS ((WATCH_SECONDS + 30) * 1000 * MS)

enum { HTTP_OK = 200, HTTP_FORBIDDEN = 403, HTTP_GONE = 410 };

struct reflector {
	struct reactor *reactor;
	struct kube_server *server;
	char *path, *query;
	unsigned int page_size;
	const struct reflector_events *events;
	void *ctx;

	bool asking;
	struct timer timer; /* the wait for the next step */
	uint64_t wait_ns;   /* what the next failure costs */
	int troubled;	    /* and so it was told: by this error; 0: all is well */
	bool lost;	    /* the connection is of no more use */

	bool listing;
	char *page;	   /* token of a list's next page; NULL: none */
	char *version;	   /* to watch from; NULL: none */
	struct buf line;   /* of a watch, not whole yet */
	struct err failed; /* why a watch is of no more use */
	bool gone;	   /* its place in history is no more there */
};

static void step_later(struct reflector *r, uint64_t ns);

/* ---- what becomes of a step ------------------------------------------------------ */

static void set_text(char **to, const char *text)
{
	char *copy = text && *text ? xstrdup(text) : NULL;

	free(*to);
	*to = copy;
}

static void went_well(struct reflector *r)
{
	if (r->troubled)
		r->events->trouble(r->ctx, NULL);
	r->troubled = 0;
}

/* Many clients that lost the same server do not come back at the same moment. */
static uint64_t with_jitter(uint64_t ns)
{
	uint16_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = 0;
	return ns / 2 + ns / 2 * random / UINT16_MAX;
}

static void went_wrong(struct reflector *r, const struct err *err)
{
	/* That a user may not is another thing than a server that does not answer. */
	if (!r->troubled || (err->code == -EPERM && r->troubled != -EPERM))
		r->events->trouble(r->ctx, err);
	r->troubled = err->code;
	step_later(r, with_jitter(r->wait_ns));
	r->wait_ns = r->wait_ns * 2 < LONGEST_WAIT_NS ? r->wait_ns * 2 : LONGEST_WAIT_NS;
}

static void list_anew(struct reflector *r)
{
	set_text(&r->page, NULL);
	set_text(&r->version, NULL);
}

/* ---- objects --------------------------------------------------------------------- */

static const char *metadata(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(json_object_get(object, "metadata"), name));
}

/* What a Status says, or the beginning of what is none. */
static void refused(unsigned int status, struct buf *body, struct err *err)
{
	json_t *root = json_loadb(buf_cstr(body), body->len, 0, NULL);
	const char *message = json_string_value(json_object_get(root, "message"));

	err_set(err, status == HTTP_FORBIDDEN ? -EPERM : -EPROTO, "the API server says %u: %.300s",
		status, message ?: buf_cstr(body));
	json_decref(root);
}

/* ---- a list ---------------------------------------------------------------------- */

static int take_page(struct reflector *r, struct buf *body, struct err *err)
{
	json_t *root = json_loadb(buf_cstr(body), body->len, 0, NULL);
	const json_t *items = json_object_get(root, "items"), *item;
	const char *version = metadata(root, "resourceVersion");
	size_t i;

	/* No objects is "items": null, as Go writes it. */
	if ((!json_is_array(items) && !json_is_null(items)) || !version) {
		json_decref(root);
		return err_set(err, -EBADMSG, "the API server's answer is no list");
	}
	if (!r->listing)
		r->events->list_begin(r->ctx);
	r->listing = true;
	json_array_foreach(items, i, item)
		r->events->changed(r->ctx, item);
	set_text(&r->page, metadata(root, "continue"));
	if (!r->page) {
		set_text(&r->version, version);
		r->events->list_end(r->ctx);
		r->listing = false;
		went_well(r);
	}
	json_decref(root);
	return 0;
}

static void on_list(void *ctx, const struct err *failed, unsigned int status, struct buf *body)
{
	struct reflector *r = ctx;
	struct err err;
	int code;

	r->asking = false;
	if (failed)
		err = *failed;
	else if (status != HTTP_OK)
		refused(status, body, &err);
	code = failed ? failed->code : status != HTTP_OK ? err.code : take_page(r, body, &err);
	if (code) {
		r->lost = failed != NULL;
		r->listing = false; /* begun anew, it names all of them again */
		list_anew(r);
		went_wrong(r, &err);
		return;
	}
	step_later(r, 0);
}

/* ---- a watch --------------------------------------------------------------------- */

static void take_event(struct reflector *r, const json_t *event)
{
	const char *type = json_string_value(json_object_get(event, "type"));
	const json_t *object = json_object_get(event, "object");
	const char *version = metadata(object, "resourceVersion");

	if (str_equal(type, "ERROR")) {
		const char *message = json_string_value(json_object_get(object, "message"));

		r->gone = json_integer_value(json_object_get(object, "code")) == HTTP_GONE;
		err_set(&r->failed, -EPROTO, "the watch ended: %.300s", message ?: "");
		return;
	}
	if (str_equal(type, "ADDED") || str_equal(type, "MODIFIED"))
		r->events->changed(r->ctx, object);
	else if (str_equal(type, "DELETED"))
		r->events->deleted(r->ctx, object);
	if (version)
		set_text(&r->version, version);
	r->wait_ns = FIRST_WAIT_NS;
	went_well(r);
}

static void take_line(struct reflector *r, const char *line, size_t n)
{
	json_t *event = json_loadb(line, n, 0, NULL);

	if (json_is_object(event))
		take_event(r, event);
	else
		err_set(&r->failed, -EBADMSG, "the API server's answer is no event");
	json_decref(event);
}

/* Events are lines. */
static void on_part(void *ctx, const char *bytes, size_t n)
{
	struct reflector *r = ctx;

	while (n && !r->failed.code) {
		const char *end = memchr(bytes, '\n', n);
		size_t part = end ? (size_t)(end - bytes) : n;

		buf_add(&r->line, bytes, part);
		if (r->line.failed)
			err_set(&r->failed, -EMSGSIZE, "an event is longer than %u bytes",
				MAX_EVENT_BYTES);
		else if (end && r->line.len)
			take_line(r, buf_cstr(&r->line), r->line.len);
		if (end)
			buf_clear(&r->line);
		part += end != NULL;
		bytes += part;
		n -= part;
	}
	/* Not from within its own callback. */
	if (r->failed.code)
		step_later(r, 0);
}

/* A watch ended: as it must from time to time, or by a fault. */
static void end_watch(struct reflector *r, const struct err *err, bool gone)
{
	if (gone)
		list_anew(r);
	/* Also one that ends well is not begun anew at once: it could end at once, too. */
	if (err)
		went_wrong(r, err);
	else
		step_later(r, with_jitter(FIRST_WAIT_NS));
}

static void on_watch_end(void *ctx, const struct err *failed, unsigned int status, struct buf *body)
{
	struct reflector *r = ctx;
	struct err err;

	r->asking = false;
	if (failed) {
		r->lost = true;
		end_watch(r, failed, r->gone);
	} else if (status != HTTP_OK) {
		refused(status, body, &err);
		end_watch(r, &err, status == HTTP_GONE);
	} else {
		end_watch(r, r->failed.code ? &r->failed : NULL, r->gone);
	}
}

/* ---- steps ----------------------------------------------------------------------- */

static int begin_request(struct reflector *r, struct buf *url, struct err *err)
{
	bool watch = r->version != NULL;

	buf_printf(url, "%s?%s%s", r->path, r->query, *r->query ? "&" : "");
	if (watch)
		buf_printf(url,
			   "watch=true&allowWatchBookmarks=true&timeoutSeconds=%d"
			   "&resourceVersion=",
			   WATCH_SECONDS);
	else
		buf_printf(url, "limit=%u%s", r->page_size, r->page ? "&continue=" : "");
	kube_escape(url, r->version ?: r->page ?: "");
	buf_clear(&r->line);
	r->failed = (struct err){0};
	r->gone = false;
	return r->server->ops->ask(r->server,
				   &(struct kube_request){
					   .path = buf_cstr(url),
					   .max_body = MAX_PAGE_BYTES,
					   .silence_ns = watch ? WATCH_SILENCE_NS : LIST_SILENCE_NS,
					   .on_part = watch ? on_part : NULL,
					   .done = watch ? on_watch_end : on_list,
					   .ctx = r,
				   },
				   err);
}

static void step(void *ctx)
{
	struct reflector *r = ctx;
	_cleanup_(buf_done) struct buf url = {.max = MAX_URL_BYTES};
	struct err err;

	if (r->asking) { /* a watch that said what is no event */
		r->server->ops->cancel(r->server);
		r->asking = false;
		end_watch(r, &r->failed, r->gone);
		return;
	}
	if (r->lost)
		r->server->ops->forsake(r->server);
	r->lost = false;
	r->asking = !begin_request(r, &url, &err);
	if (!r->asking)
		went_wrong(r, &err);
}

static void step_later(struct reflector *r, uint64_t ns)
{
	timer_start(&r->timer, r->reactor, ns, step, r);
}

struct reflector *reflector_new(struct reactor *reactor, struct kube_server *server,
				const char *path, const char *query, unsigned int page,
				const struct reflector_events *events, void *ctx)
{
	struct reflector *r = xnew(struct reflector);

	r->reactor = reactor;
	r->server = server;
	r->path = xstrdup(path);
	r->query = xstrdup(query);
	r->page_size = page;
	r->events = events;
	r->ctx = ctx;
	r->wait_ns = FIRST_WAIT_NS;
	buf_init(&r->line, MAX_EVENT_BYTES);
	step_later(r, 0);
	return r;
}

void reflector_list(struct reflector *r)
{
	list_anew(r);
}

struct reflector *reflector_free(struct reflector *r)
{
	if (!r)
		return NULL;
	timer_stop(&r->timer);
	if (r->asking)
		r->server->ops->cancel(r->server);
	r->server->ops->free(r->server);
	buf_done(&r->line);
	free(r->page);
	free(r->version);
	free(r->path);
	free(r->query);
	free(r);
	return NULL;
}
