// SPDX-License-Identifier: Apache-2.0
/*
 * Listening to Docker's events: a line of JSON for each container that is created or started, with
 * its name, image and labels.
 */
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "containers/daemon.h"
#include "containers/docker.h"
#include "containers/oci.h"
#include "net/http1.h"

/* {"type":["container"],"event":["create","start"]} */
#define PATH                                                       \
	"/events?filters=%7B%22type%22%3A%5B%22container%22%5D%2C" \
	"%22event%22%3A%5B%22create%22%2C%22start%22%5D%7D"

struct ear {
	struct listener listener;
	struct http1_get *stream; /* NULL: there is none now */
	struct buf line;	  /* one that is not whole yet; `failed` to its end: too long */
};

/* ---- what is told ---------------------------------------------------------------- */

void docker_hear(struct listener *l, const char *line, size_t len)
{
	struct docker_container d = {0};
	_cleanup_(freep) char *id = oci_parse_docker_event(line, len, &d);
	struct heard *h = id ? listener_hear(l, "", id) : NULL;

	if (h) {
		heard_set(&h->name, d.name);
		heard_set(&h->image, d.image);
		heard_set_labels(h, &d.labels);
	}
	docker_container_done(&d);
}

static void on_part(void *ctx, const char *bytes, size_t n)
{
	struct ear *ear = ctx;
	const char *newline;

	while ((newline = memchr(bytes, '\n', n))) {
		size_t used = (size_t)(newline - bytes);

		buf_add(&ear->line, bytes, used);
		if (!ear->line.failed && ear->line.len)
			docker_hear(&ear->listener, ear->line.data, ear->line.len);
		buf_clear(&ear->line);
		bytes += used + 1;
		n -= used + 1;
	}
	buf_add(&ear->line, bytes, n);
}

/* ---- the stream ------------------------------------------------------------------ */

static void on_end(void *ctx, const struct err *err, unsigned int status, struct buf *body)
{
	struct ear *ear = ctx;

	ear->stream = NULL;
	listener_ended(&ear->listener);
}

static void open_stream(struct listener *l)
{
	struct ear *ear = container_of(l, struct ear, listener);
	int fd = daemon_connect(l->daemon, NULL);

	buf_clear(&ear->line);
	if (fd < 0)
		listener_ended(l);
	else
		ear->stream = http1_stream(l->daemon->reactor, fd, PATH, MAX_EVENT_BYTES, on_part,
					   on_end, ear);
}

void docker_listen(struct daemon *d)
{
	struct ear *ear = xnew(struct ear);

	d->listener = &ear->listener;
	buf_init(&ear->line, MAX_EVENT_BYTES);
	listener_begin(&ear->listener, d, open_stream);
}

void docker_deaf(struct daemon *d)
{
	struct ear *ear = container_of(d->listener, struct ear, listener);

	http1_cancel(ear->stream);
	listener_done(&ear->listener);
	buf_done(&ear->line);
	free(ear);
	d->listener = NULL;
}
