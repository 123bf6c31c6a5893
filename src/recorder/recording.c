// SPDX-License-Identifier: Apache-2.0
#include "recorder/recording.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "recorder/stream.h"
#include "recorder/trigger.h"

/* What was on its way when the trigger came, and what follows from it, is in the dump. */
#define DUMP_AFTER_NS 500000000ull
/* One container's faults in a row are one dump. */
#define DUMP_AGAIN_NS (5 * 1000000000ull)
#define MAX_NAME 64

/* A dump that is due, or was made a moment ago. */
struct due {
	TAILQ_ENTRY(due) link;
	struct recording *recording;
	uint64_t key;
	char *reason;
	bool made;
	struct timer timer;
};

struct recorded {
	struct recording *recording;
	char *name;
	struct gadget *gadget; /* until it is started */
	struct trace *trace;
	unsigned int first_source;
	struct trigger **triggers; /* of its records; the recording's */
	size_t n_triggers, room_triggers;
};

struct recording {
	struct reactor *reactor;
	struct traces *traces;
	struct recording_options o;
	struct flight *flight;
	struct stream *stream; /* NULL: rings only */
	int dir_fd;
	struct recorded **gadgets;
	size_t n_gadgets, room_gadgets;
	struct trigger **triggers;
	size_t n_triggers, room_triggers;
	TAILQ_HEAD(, due) due;
	char *dumps[MAX_DUMPS]; /* names of those that triggers made; a ring, its oldest at `first`
				 */
	size_t first_dump, n_dumps;
	uint64_t rest_until; /* boot clock: no dump is made before */
	bool stopped;
};

__attribute__((format(printf, 3, 4))) static void
tell(const struct recording *r, void (*fn)(void *ctx, const char *text), const char *fmt, ...)
{
	char text[600];
	va_list args;

	if (!fn)
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	fn(r->o.ctx, text);
}

/* ---- dumps ----------------------------------------------------------------------- */

/* What may stand in a file's name. */
static void put_name(struct buf *b, const char *name)
{
	for (size_t i = 0; name[i] && i < MAX_NAME; i++) {
		char c = name[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '-' || c == '_' || (c == '.' && i);

		buf_char(b, plain ? c : '_');
	}
}

static char *file_name(const struct flight_ring *ring, const char *reason, unsigned int again)
{
	struct buf b = {.max = 400};
	struct flight_facts facts;
	struct timespec now;
	char when[32];
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	flight_facts(ring, &facts);
	put_name(&b, facts.container ? facts.container->name : "host");
	buf_printf(&b, "-%s-", when);
	put_name(&b, reason);
	if (again)
		buf_printf(&b, "-%u", again);
	buf_str(&b, ".ig");
	buf_cstr(&b);
	return b.data;
}

int recording_dump(struct recording *r, const struct flight_ring *ring, const char *reason,
		   char **ret, struct err *err)
{
	_cleanup_(freep) char *name = NULL;
	int fd = -1, code;

	if (r->dir_fd < 0)
		return err_set(err, -EINVAL, "there is no folder for dumps");
	for (unsigned int again = 0; fd < 0 && again < 1000; again++) {
		free(name);
		name = file_name(ring, reason, again);
		fd = openat(r->dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	if (fd < 0)
		return err_set(err, -errno, "cannot make %s: %s", name, strerror(errno));
	code = flight_write(r->flight, ring, fd, &r->o.clock, err);
	if (code) {
		unlinkat(r->dir_fd, name, 0); /* half a dump */
		return err_wrap(err, code, "%s", name);
	}
	*ret = take(name);
	return 0;
}

static void due_free(struct due *d)
{
	TAILQ_REMOVE(&d->recording->due, d, link);
	timer_stop(&d->timer);
	free(d->reason);
	free(d);
}

static void forget_due(void *ctx)
{
	due_free(ctx);
}

/* A container that is started again and again must not fill the disk. */
static void keep_dump(struct recording *r, const char *name)
{
	char **oldest = &r->dumps[r->first_dump];

	if (r->n_dumps == MAX_DUMPS) {
		unlinkat(r->dir_fd, *oldest, 0);
		tell(r, r->o.say, "more than %d dumps: %s, the oldest, is removed", MAX_DUMPS,
		     *oldest);
		free(*oldest);
		*oldest = NULL;
		r->first_dump = (r->first_dump + 1) % MAX_DUMPS;
		r->n_dumps--;
	}
	r->dumps[(r->first_dump + r->n_dumps++) % MAX_DUMPS] = xstrdup(name);
}

static void make_dump(struct due *d)
{
	struct recording *r = d->recording;
	struct flight_ring *ring = flight_find(r->flight, d->key);
	_cleanup_(freep) char *name = NULL;
	struct flight_facts facts;
	struct err err = {0};

	d->made = true;
	if (!ring)
		return;
	flight_facts(ring, &facts);
	if (recording_dump(r, ring, d->reason, &name, &err))
		tell(r, r->o.fault, "dump of %s: %s",
		     facts.container ? facts.container->name : "(host)", err.text);
	if (!name)
		return;
	keep_dump(r, name);
	tell(r, r->o.say, "%s: %s (%s)", d->reason, name,
	     facts.container ? facts.container->name : "(host)");
}

static uint64_t boot_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Where many containers fail at once, records are read between their dumps. */
static void on_due(void *ctx)
{
	struct due *d = ctx;
	struct recording *r = d->recording;
	uint64_t now = boot_now(), end;

	if (now < r->rest_until) {
		timer_start(&d->timer, r->reactor, r->rest_until - now, on_due, d);
		return;
	}
	make_dump(d);
	end = boot_now();
	r->rest_until = end + (end - now);
	timer_start(&d->timer, r->reactor, DUMP_AGAIN_NS, forget_due, d);
}

static void dump_soon(struct recording *r, const struct container *c, const char *reason)
{
	uint64_t key = c ? c->key : 0;
	struct due *d;

	TAILQ_FOREACH(d, &r->due, link)
		if (d->key == key)
			return;
	d = xnew(struct due);
	d->recording = r;
	d->key = key;
	d->reason = xstrdup(reason);
	TAILQ_INSERT_TAIL(&r->due, d, link);
	timer_start(&d->timer, r->reactor, DUMP_AFTER_NS, on_due, d);
}

/* ---- what comes ------------------------------------------------------------------ */

static enum row_fate on_row(void *ctx, struct trace *t, unsigned int source, const struct row *row,
			    bool late)
{
	struct recorded *g = ctx;
	struct recording *r = g->recording;

	flight_row(r->flight, g->first_source + source, row);
	if (r->stream)
		stream_row(r->stream, g->first_source + source, row);
	for (size_t i = 0; i < g->n_triggers; i++)
		if (trigger_fires(g->triggers[i], row))
			dump_soon(r, row->part[PART_CONTAINER], trigger_name(g->triggers[i]));
	return ROW_DELIVERED;
}

static void on_lost(void *ctx, struct trace *t, struct container *c, struct loss loss)
{
	struct recorded *g = ctx;
	struct recording *r = g->recording;

	flight_lost(r->flight, g->first_source, c, loss.count);
	if (r->stream)
		stream_lost(r->stream, g->first_source, c, loss.count);
}

static void on_container(void *ctx, struct trace *t, bool in, struct container *c)
{
	struct recorded *g = ctx;

	if (!in)
		flight_ended(g->recording->flight, c);
}

/* ---- life ------------------------------------------------------------------------ */

static int open_dir(struct recording *r, struct err *err)
{
	if (!r->o.dir)
		return 0;
	if (mkdir(r->o.dir, 0700) && errno != EEXIST)
		return err_set(err, -errno, "cannot make %s: %s", r->o.dir, strerror(errno));
	r->dir_fd = open(r->o.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return r->dir_fd < 0 ? err_set(err, -errno, "cannot open %s: %s", r->o.dir, strerror(errno))
			     : 0;
}

static int add_triggers(struct recording *r, const char *const *texts,
			int (*make)(const char *text, struct trigger **ret, struct err *err),
			struct err *err)
{
	struct trigger *t;
	int code = 0;

	for (; !code && texts && *texts; texts++) {
		code = make(*texts, &t, err);
		if (!code)
			*grow(&r->triggers, &r->n_triggers, &r->room_triggers) = t;
	}
	return code;
}

int recording_new(struct reactor *reactor, struct traces *ts, const struct recording_options *o,
		  struct recording **ret, struct err *err)
{
	const struct flight_options fo = {
		.per_container = o->per_container,
		.budget = o->budget,
		.say = o->say,
		.ctx = o->ctx,
	};
	struct recording *r = xnew(struct recording);
	int code;

	r->reactor = reactor;
	r->traces = ts;
	r->o = *o;
	r->dir_fd = -1;
	TAILQ_INIT(&r->due);
	code = flight_new(&fo, &r->flight, err);
	code = code ?: open_dir(r, err);
	code = code ?: add_triggers(r, o->dump_on, trigger_new, err);
	code = code ?: add_triggers(r, o->dump_when, trigger_when, err);
	if (code)
		recording_free(r);
	else
		*ret = r;
	return code;
}

struct recording *recording_free(struct recording *r)
{
	if (!r)
		return NULL;
	while (!TAILQ_EMPTY(&r->due))
		due_free(TAILQ_FIRST(&r->due));
	for (size_t i = 0; i < r->n_gadgets; i++) {
		struct recorded *g = r->gadgets[i];

		if (g->trace)
			traces_remove(r->traces, g->trace);
		gadget_free(g->gadget);
		free(g->triggers);
		free(g->name);
		free(g);
	}
	for (size_t i = 0; i < r->n_triggers; i++)
		trigger_free(r->triggers[i]);
	stream_free(r->stream);
	flight_free(r->flight);
	for (size_t i = 0; i < MAX_DUMPS; i++)
		free(r->dumps[i]);
	closep(&r->dir_fd);
	free(r->gadgets);
	free(r->triggers);
	free(r);
	return NULL;
}

static struct recorded *find(const struct recording *r, const char *name)
{
	for (size_t i = 0; i < r->n_gadgets; i++)
		if (!strcmp(r->gadgets[i]->name, name))
			return r->gadgets[i];
	return NULL;
}

static int check(const struct recording *r, const struct gadget *g, struct err *err)
{
	if (find(r, gadget_name(g)))
		return err_set(err, -EEXIST, "%s is recorded already", gadget_name(g));
	for (size_t i = 0; i < gadget_n_sources(g); i++)
		if (gadget_source(g, i)->kind != SOURCE_TRACER)
			return err_set(err, -EINVAL, "%s is a table: a recorder keeps streams",
				       gadget_name(g));
	return 0;
}

int recording_add(struct recording *r, struct gadget *g, struct err *err)
{
	struct recorded *added;
	int code = check(r, g, err);

	if (code) {
		gadget_free(g);
		return code;
	}
	added = xnew(struct recorded);
	added->recording = r;
	added->name = xstrdup(gadget_name(g));
	added->gadget = g;
	for (size_t i = 0; i < r->n_gadgets; i++)
		added->first_source += (unsigned int)gadget_n_sources(r->gadgets[i]->gadget);
	for (size_t i = 0; i < gadget_n_sources(g); i++)
		flight_source(r->flight, gadget_source(g, i));
	*grow(&r->gadgets, &r->n_gadgets, &r->room_gadgets) = added;
	return 0;
}

static int open_gadget(struct recording *r, const char *name, struct err *err)
{
	const struct gadget_open_options with_names = {.enrich = container_add_fields};
	struct gadget *g;
	int code = gadget_open_builtin(name, &with_names, &g, err);

	return code ?: recording_add(r, g, err);
}

/* The gadget that a trigger needs is recorded as well. */
static int bind_trigger(struct recording *r, struct trigger *t, struct err *err)
{
	const struct gadget_object *builtin = gadget_builtin_find(trigger_gadget(t));
	const char *name = builtin ? builtin->name : trigger_gadget(t);
	struct recorded *g = find(r, name);
	int code = g ? 0 : open_gadget(r, name, err);

	if (code)
		return code;
	g = g ?: find(r, name);
	*grow(&g->triggers, &g->n_triggers, &g->room_triggers) = t;
	return trigger_bind(t, gadget_source(g->gadget, 0)->schema, &r->o.clock, err);
}

static int start_gadget(struct recording *r, struct recorded *g, struct err *err)
{
	const struct trace_options o = {
		.selector = r->o.selector,
		.load = r->o.load,
		.share = true,
		.reader = {.ctx = g, .row = on_row, .lost = on_lost, .container = on_container},
	};

	return traces_add(r->traces, take(g->gadget), &o, &g->trace, err);
}

static void say_removed(void *ctx, const char *name, uint64_t bytes)
{
	const struct recording *r = ctx;

	tell(r, r->o.say, "%s, the oldest, is removed", name);
}

static void say_failed(void *ctx, const char *text)
{
	const struct recording *r = ctx;

	tell(r, r->o.fault, "%s", text);
}

static int start_stream(struct recording *r, struct err *err)
{
	const struct record_set_options o = {
		.dir_fd = r->dir_fd,
		.clock = r->o.clock,
		.rotate_bytes = r->o.rotate_bytes,
		.rotate_ns = r->o.rotate_ns,
		.keep_bytes = r->o.keep_bytes,
		.removed = say_removed,
		.ctx = r,
	};
	int code = stream_new(r->reactor, &o, say_failed, &r->stream, err);

	for (size_t i = 0; !code && i < r->n_gadgets; i++)
		for (size_t j = 0; !code && j < gadget_n_sources(r->gadgets[i]->gadget); j++)
			code = stream_source(r->stream, gadget_source(r->gadgets[i]->gadget, j),
					     err);
	return code;
}

int recording_start(struct recording *r, struct err *err)
{
	int code = 0;

	for (size_t i = 0; !code && i < r->n_triggers; i++)
		code = bind_trigger(r, r->triggers[i], err);
	if (!code && r->o.all && r->dir_fd >= 0)
		code = start_stream(r, err);
	for (size_t i = 0; !code && i < r->n_gadgets; i++)
		code = start_gadget(r, r->gadgets[i], err);
	return code;
}

static void write_totals(struct recording *r, const struct recorded *g)
{
	struct totals n = trace_totals(g->trace);

	stream_totals(r->stream, g->first_source,
		      (struct record_totals){n.seen, n.delivered, n.discarded, n.lost});
}

void recording_stop(struct recording *r)
{
	struct due *d;

	if (r->stopped)
		return;
	r->stopped = true;
	for (size_t i = 0; i < r->n_gadgets; i++)
		if (r->gadgets[i]->trace)
			traces_finish(r->traces, r->gadgets[i]->trace);
	for (size_t i = 0; r->stream && i < r->n_gadgets; i++)
		if (r->gadgets[i]->trace)
			write_totals(r, r->gadgets[i]);
	r->stream = stream_free(r->stream);
	TAILQ_FOREACH(d, &r->due, link) {
		timer_stop(&d->timer);
		if (!d->made)
			make_dump(d);
	}
}

struct flight *recording_flight(struct recording *r)
{
	return r->flight;
}
