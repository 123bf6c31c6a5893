// SPDX-License-Identifier: Apache-2.0
/* ig traceloop list, dump, close: what a daemon's traceloop has, asked for at its service. */
#include "cmd/traceloop.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/reactor.h"
#include "cmd/flags.h"
#include "cmd/traceloop_flags.h"
#include "cmd/traceloop_rows.h"
#include "cmd/view_flags.h"
#include "net/address.h"
#include "net/http1.h"

#define CONNECT_NS 5000000000ull
#define ANSWER_NS 60000000000ull

static const char *opt_socket = TRACELOOP_SOCKET;

static const struct flag flag_list[] = {
	{"socket", 0, "PATH", "Where the daemon's traceloop listens (default " TRACELOOP_SOCKET ")",
	 flag_text, &opt_socket, NULL},
	{0},
};
static const struct flag_table socket_flags = {"Traceloop", flag_list};

/* ---- asking ---------------------------------------------------------------------- */

struct answer {
	bool came;
	unsigned int status;
	struct buf body;
	struct err err;
};

static void on_answer(void *ctx, const struct err *err, unsigned int status, struct buf *body)
{
	struct answer *a = ctx;

	a->came = true;
	a->status = status;
	if (err)
		a->err = *err;
	if (body)
		a->body = *body;
	if (body)
		*body = (struct buf){0};
}

static int fetch(const char *path, struct answer *a, struct err *err)
{
	const struct address at = {.path = (char *)opt_socket};
	struct reactor *reactor;
	struct http1_get *get;
	int fd, r = reactor_new(&reactor, err);

	if (r)
		return r;
	fd = address_connect(&at, CONNECT_NS, err);
	if (fd < 0) {
		reactor_free(reactor);
		return err_wrap(err, fd, "`ig daemon --traceloop` is not there");
	}
	get = http1_get(reactor, fd, path, MAX_DUMP_BYTES, ANSWER_NS, on_answer, a);
	while (!a->came && !r) {
		struct pollfd p = {.fd = reactor_fd(reactor), .events = POLLIN};

		if (poll(&p, 1, -1) < 0 && errno != EINTR)
			r = err_set(err, -errno, "waiting for the daemon: %s", strerror(errno));
		else
			reactor_dispatch(reactor);
	}
	if (!a->came)
		http1_cancel(get);
	reactor_free(reactor);
	return r;
}

/* The body of a good answer. */
static int ask(const char *path, struct buf *ret, struct err *err)
{
	struct answer a = {0};
	int r = fetch(path, &a, err);

	buf_cstr(&a.body);
	if (!r && a.err.code) {
		*err = a.err;
		r = a.err.code;
	}
	r = r ?: traceloop_judge(a.status, &a.body, err);
	if (r)
		buf_done(&a.body);
	else
		*ret = a.body;
	return r;
}

/* ---- list ------------------------------------------------------------------------ */

static int list(const char *ring, struct err *err)
{
	_cleanup_(buf_done) struct buf body = {0};
	struct traceloop_rows rows = {0};
	int r = ask("/list?format=json", &body, err);

	r = r ?: traceloop_rows_read(&rows, &body, NULL, err);
	r = r ?: traceloop_rows_show(&rows, false, err);
	traceloop_rows_done(&rows);
	return r;
}

/* ---- one of them ----------------------------------------------------------------- */

/* RING is an id, NAMESPACE/POD, or a name. */
static void put_ring(struct buf *path, const char *verb, const char *ring)
{
	const char *slash = strchr(ring, '/');
	uint64_t id;

	buf_printf(path, "/%s%s", verb, slash ? "-pod" : parse_u64(ring, &id) ? "-by-name" : "");
	buf_cstr(path);
	if (slash) {
		traceloop_put_parameter(path, "namespace", ring, (size_t)(slash - ring));
		traceloop_put_parameter(path, "podname", slash + 1, strlen(slash + 1));
	} else {
		traceloop_put_parameter(path, parse_u64(ring, &id) ? "name" : "id", ring,
					strlen(ring));
	}
}

static int dump(const char *ring, struct err *err)
{
	_cleanup_(buf_done) struct buf path = {.max = 65536}, body = {0};
	struct view_options vo;
	int r;

	view_flags_options(&vo);
	put_ring(&path, "dump", ring);
	if (str_equal(vo.output, "json"))
		traceloop_put_parameter(&path, "format", "json", 4);
	r = ask(path.data, &body, err);
	if (!r && fwrite(body.data, 1, body.len, stdout) != body.len)
		r = err_set(err, -EIO, "writing the output failed");
	return r;
}

static int close_ring(const char *ring, struct err *err)
{
	_cleanup_(buf_done) struct buf path = {.max = 65536}, body = {0};

	if (strchr(ring, '/'))
		return err_set(err, -EINVAL, "close wants a name or an id, not a pod");
	put_ring(&path, "close", ring);
	return ask(path.data, &body, err);
}

/* ---- the command ----------------------------------------------------------------- */

static const struct verb {
	const char *name;
	unsigned int n_rings;
	int (*run)(const char *ring, struct err *err);
} verbs[] = {{"list", 0, list}, {"dump", 1, dump}, {"close", 1, close_ring}};

void traceloop_complete(int argc, char **argv)
{
	for (size_t i = 0; argc < 2 && i < array_size(verbs); i++)
		puts(verbs[i].name);
}

struct words {
	const char *items[2]; /* the verb, and a ring */
	size_t n;
};

static int add_word(void *ctx, const char *word, struct err *err)
{
	struct words *w = ctx;

	if (w->n == array_size(w->items))
		return err_set(err, -EINVAL, "one ring at a time, not '%s' as well", word);
	w->items[w->n++] = word;
	return 0;
}

static int run(const struct words *w, struct err *err)
{
	for (size_t i = 0; i < array_size(verbs); i++) {
		const struct verb *v = &verbs[i];

		if (strcmp(v->name, w->items[0]))
			continue;
		if (w->n != 1 + v->n_rings)
			return err_set(err, -EINVAL, "ig traceloop %s wants %s", v->name,
				       v->n_rings ? "one ring: an id, a name or NAMESPACE/POD"
						  : "no more");
		return v->run(w->items[1], err);
	}
	return err_set(err, -EINVAL, "list, dump or close, not '%s'", w->items[0]);
}

static const struct flag_table *const tables[] = {&socket_flags, &view_flags, NULL};
static const struct command command = {
	.name = "traceloop",
	.usage = "list | dump RING | close RING [FLAGS]",
	.summary = "List, dump or close the rings of a daemon's traceloop",
	.description = "RING is an id as list shows it, a container's name, or NAMESPACE/POD. Of "
		       "a dump, -o json is an object\nfor each call; anything else is text.",
	.tables = tables,
};

int traceloop_rings_main(int argc, char **argv)
{
	struct words words = {0};
	struct err err = {0};
	struct flags flags;
	int exit_code, r;

	flags_init(&flags, &command);
	flags.word = add_word;
	flags.ctx = &words;
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	r = run(&words, &err);
	return r ? command_fail(r, &err) : EXIT_OK;
}
