// SPDX-License-Identifier: Apache-2.0
#include "traces/prober.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/child.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/types.h"
#include "gadget/probe.h"
#include "traces/internal.h"
#include "traces/probe_scan.h"

#define MS 1000000ull
#define SILENCE_NS (5000 * MS) /* a child that has not said anything for so long hangs */
#define LINGER_NS (3000 * MS)  /* a file that nobody has any more may soon have somebody */
#define NOT_YET_NS (50 * MS)   /* what could not be looked at may be soon */
#define READY_MS 1000	       /* a child has closed what is not its own */
#define NEVER UINT64_MAX

enum {
	BATCH = 64, /* places that one child looks at */
	WORDS_AT_ONCE = 256,
	VAIN_LOOKS = 40,
};

/* After a first look, when there are others. */
static const uint64_t later_ns[] = {1000 * MS, 10000 * MS};

/* A container that is wanted, or the host. */
struct place {
	struct container *container; /* a reference; NULL: the host */
	uint64_t key;
	uint64_t due;					 /* boot clock; NEVER: not any more */
	enum { WAITS, ASKED, LOOKED_AT, NOT_YET } state; /* the others: of the child that runs */
	unsigned int looks, vain_looks;
	bool told;
	uint64_t *files; /* ids of those that it has */
	size_t n_files, room_files;
};

struct file {
	struct prober *prober;
	uint64_t id;
	int fd;
	struct gadget_probe_fds *probes; /* the gadget's */
	size_t n_probes, room_probes;
	size_t users;	     /* places */
	uint64_t idle_since; /* boot clock; of one without users */
	struct watch gone;   /* its probes were removed, and are being closed */
};

struct prober {
	struct attachment *attachment;
	bool started;
	struct place **places;
	size_t n_places, room_places;
	struct file **files;
	size_t n_files, room_files;
	uint64_t next_id;
	struct timer timer;

	pid_t child; /* 0: none */
	struct watch words;
	uint64_t heard_at; /* boot clock */
};

static void advance(struct prober *p);

/* ---- places and files ------------------------------------------------------------ */

static struct place *place_of(const struct prober *p, uint64_t key)
{
	for (size_t i = 0; i < p->n_places; i++)
		if (p->places[i]->key == key)
			return p->places[i];
	return NULL;
}

static struct file *file_of(const struct prober *p, uint64_t id)
{
	for (size_t i = 0; i < p->n_files; i++)
		if (p->files[i]->id == id)
			return p->files[i];
	return NULL;
}

static struct place *place_add(struct prober *p, uint64_t key, struct container *c)
{
	struct place *at = xnew(struct place);

	at->key = key;
	at->container = c ? container_ref(c) : NULL;
	*grow(&p->places, &p->n_places, &p->room_places) = at;
	return at;
}

static void use(struct place *at, struct file *f)
{
	for (size_t i = 0; i < at->n_files; i++)
		if (at->files[i] == f->id)
			return;
	*grow(&at->files, &at->n_files, &at->room_files) = f->id;
	f->users++;
}

static void place_free(struct prober *p, struct place *at)
{
	for (size_t i = 0; i < at->n_files; i++) {
		struct file *f = file_of(p, at->files[i]);

		if (f && !--f->users)
			f->idle_since = boot_now();
	}
	container_unref(at->container);
	free(at->files);
	free(at);
}

static void file_free(struct file *f)
{
	int gone = f->gone.reactor ? f->gone.fd : -1;

	watch_remove(&f->gone);
	closep(&gone);
	closep(&f->fd);
	free(f->probes);
	free(f);
}

static void file_forget(struct prober *p, struct file *f)
{
	size_t at = 0;

	while (p->files[at] != f)
		at++;
	memmove(&p->files[at], &p->files[at + 1], (--p->n_files - at) * sizeof(*p->files));
	file_free(f);
}

static void on_gone(void *ctx, uint32_t events)
{
	struct file *f = ctx;
	struct prober *p = f->prober;

	file_forget(p, f);
	advance(p);
}

/* Nobody has it. Until its probes are off the hooks nobody else may have it: all would be double.
 */
static void file_remove(struct prober *p, struct file *f)
{
	int done = gadget_probes_remove(p->attachment->gadget, f->probes, f->n_probes);

	if (done < 0 ||
	    watch_add(&f->gone, p->attachment->ts->reactor, done, EPOLLIN, on_gone, f) < 0) {
		closep(&done);
		file_forget(p, f);
	}
}

/* ---- what is told ---------------------------------------------------------------- */

static void note(struct prober *p, struct place *at, const char *text)
{
	struct attachment *a = p->attachment;
	struct track *k = track_find(a, at->key);

	/* One whose names are being looked for may be nobody's affair. */
	if (at->told || (at->container && at->container->pending))
		return;
	at->told = true;
	for (size_t i = 0; k && i < a->n_tracers; i++) {
		struct trace *t = a->tracers[i];
		const struct account_entry *e = share_of(k, t);

		if (e && e->wanted && t->reader.note)
			t->reader.note(t->reader.ctx, t, at->container, text);
	}
}

static void note_nothing(struct prober *p, struct place *at)
{
	const struct gadget *g = p->attachment->gadget;
	_cleanup_(buf_done) struct buf text;
	const char *last = "";

	buf_init(&text, 512);
	for (size_t i = 0; i < gadget_n_probes(g); i++) {
		const char *library = gadget_probe(g, i).library;

		if (!strstr(buf_cstr(&text), library))
			buf_printf(&text, "%s%s", *last ? ", " : "", library);
		last = library;
	}
	buf_str(&text, ": has none of these, so nothing of it is seen");
	note(p, at, buf_cstr(&text));
}

/* ---- words of the child ---------------------------------------------------------- */

static void on_file(struct prober *p, const struct probe_word *w, int fd)
{
	struct file *f;

	p->next_id = w->file + 1;
	if (fd < 0)
		return; /* this process has too many descriptors: on_opened() says so */
	f = xnew(struct file);
	f->prober = p;
	f->id = w->file;
	f->fd = fd;
	f->idle_since = boot_now();
	*grow(&p->files, &p->n_files, &p->room_files) = f;
}

static void on_refused(struct prober *p, const struct probe_word *w)
{
	struct place *at = place_of(p, w->place);
	_cleanup_(freep) char *text =
		xasprintf("a probe cannot be put into a file of it: %s", strerror(-w->error));

	if (at)
		note(p, at, text);
}

static void on_opened(struct prober *p, const struct probe_word *w, int fds[2])
{
	struct gadget_probe_fds probe = {take_fd(&fds[0]), take_fd(&fds[1])};
	struct file *f = file_of(p, w->file);

	if (probe.hold < 0)
		on_refused(p, &(struct probe_word){.place = w->place, .error = -EMFILE});
	if (f && probe.hold >= 0) {
		*grow(&f->probes, &f->n_probes, &f->room_probes) = probe;
		gadget_probe_add(p->attachment->gadget, &probe);
		return;
	}
	closep(&probe.hold); /* or the file was given up while the child was at it */
	closep(&probe.event);
}

static void on_uses(struct prober *p, const struct probe_word *w)
{
	struct place *at = place_of(p, w->place);
	struct file *f = file_of(p, w->file);

	if (!at || at->state == WAITS) /* it is another run of the same container's */
		return;
	if (f && !f->gone.reactor)
		use(at, f);
	else
		at->state = NOT_YET; /* the file was given up meanwhile */
}

static void on_done(struct prober *p, const struct probe_word *w)
{
	struct place *at = place_of(p, w->place);

	if (at && at->state == ASKED)
		at->state = w->rooted ? LOOKED_AT : NOT_YET;
}

/* ---- the child ------------------------------------------------------------------- */

static int list_due(struct prober *p, struct probe_place *ret)
{
	const struct containers *cs = p->attachment->ts->containers;
	uint64_t now = boot_now();
	int n = 0;

	for (size_t i = 0; i < p->n_places && n < BATCH; i++) {
		struct place *at = p->places[i];
		const struct container *c = at->container;

		if (at->due > now)
			continue;
		at->state = ASKED;
		ret[n++] = (struct probe_place){
			.key = at->key,
			.mntns = c ? c->mntns : containers_host_mntns(cs),
			.pid = c ? c->pid : 1,
			.host = !c,
		};
	}
	return n;
}

static _Noreturn void run_child(struct prober *p, int socket, const struct probe_place *places,
				size_t n)
{
	struct probe_scan s = {
		.gadget = p->attachment->gadget,
		.proc = containers_proc_fd(p->attachment->ts->containers),
		.socket = socket,
		.places = places,
		.n_places = n,
		.next_id = p->next_id,
	};

	for (size_t i = 0; i < p->n_files; i++)
		*grow(&s.files, &s.n_files, &s.room_files) =
			(struct probe_file){p->files[i]->id, p->files[i]->fd};
	probe_scan_run(&s);
}

/* Until it has closed what it has of our descriptors: others' probes and links are among them. */
static void wait_ready(int socket)
{
	struct pollfd poll_fd = {.fd = socket, .events = POLLIN};

	while (poll(&poll_fd, 1, READY_MS) < 0 && errno == EINTR)
		;
}

static void on_words(void *ctx, uint32_t events);

static void launch(struct prober *p)
{
	struct probe_place places[BATCH];
	int pair[2], n = list_due(p, places);

	if (!n)
		return;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return;
	p->child = fork();
	if (!p->child)
		run_child(p, pair[1], places, (size_t)n);
	close(pair[1]);
	if (p->child < 0 ||
	    watch_add(&p->words, p->attachment->ts->reactor, pair[0], EPOLLIN, on_words, p) < 0) {
		close(pair[0]); /* a child ends when nobody listens */
		p->child = 0;
		return;
	}
	wait_ready(pair[0]);
	p->heard_at = boot_now();
}

/* When the place is looked at again. */
static void reckon(struct prober *p, struct place *at)
{
	uint64_t now = boot_now();

	if (at->state == ASKED) {
		at->due = now;
	} else if (at->state == NOT_YET && at->vain_looks++ < VAIN_LOOKS) {
		at->due = now + NOT_YET_NS;
	} else {
		at->due = at->looks < array_size(later_ns) ? now + later_ns[at->looks] : NEVER;
		at->looks++;
		if (!at->n_files)
			note_nothing(p, at);
	}
	at->state = WAITS;
}

/* The child ended or hung there; it is not looked at again. */
static void blame(struct prober *p, struct place *at)
{
	note(p, at, "its libraries cannot be looked for");
	at->state = WAITS;
	at->due = NEVER;
}

static void end_child(struct prober *p, bool kill_it)
{
	int fd = p->words.fd;

	if (!p->child)
		return;
	if (kill_it)
		kill(p->child, SIGKILL);
	watch_remove(&p->words);
	close(fd);
	while (waitpid(p->child, NULL, 0) < 0 && errno == EINTR)
		;
	p->child = 0;
}

static void child_ended(struct prober *p, bool hangs)
{
	bool blamed = false;

	end_child(p, hangs);
	for (size_t i = 0; i < p->n_places; i++) {
		struct place *at = p->places[i];

		if (at->state == ASKED && !blamed) {
			blame(p, at);
			blamed = true;
		} else if (at->state != WAITS) {
			reckon(p, at);
		}
	}
	advance(p);
}

static void on_words(void *ctx, uint32_t events)
{
	struct prober *p = ctx;

	p->heard_at = boot_now();
	for (int i = 0; i < WORDS_AT_ONCE; i++) {
		struct probe_word w;
		int fds[2], r = probe_scan_hear(p->words.fd, &w, fds);

		if (r < 0)
			return;
		if (!r) {
			child_ended(p, false);
			return;
		}
		if (w.kind == PROBE_FILE)
			on_file(p, &w, take_fd(&fds[0]));
		else if (w.kind == PROBE_OPENED)
			on_opened(p, &w, fds);
		else if (w.kind == PROBE_REFUSED)
			on_refused(p, &w);
		else if (w.kind == PROBE_USES)
			on_uses(p, &w);
		else if (w.kind == PROBE_DONE)
			on_done(p, &w);
		closep(&fds[0]);
		closep(&fds[1]);
	}
}

/* ---- what is due ----------------------------------------------------------------- */

static bool is_idle(const struct file *f)
{
	return !f->users && !f->gone.reactor;
}

static void remove_idle(struct prober *p, uint64_t now)
{
	for (size_t i = p->n_files; i > 0; i--) {
		struct file *f = p->files[i - 1];

		if (is_idle(f) && f->idle_since + LINGER_NS <= now)
			file_remove(p, f);
	}
}

static void earlier(uint64_t *at, uint64_t than)
{
	if (than < *at)
		*at = than;
}

/* NEVER: nothing is waited for but the child's words. */
static uint64_t next_due(const struct prober *p)
{
	uint64_t at = NEVER;

	for (size_t i = 0; i < p->n_files; i++)
		if (is_idle(p->files[i]))
			earlier(&at, p->files[i]->idle_since + LINGER_NS);
	if (p->child)
		earlier(&at, p->heard_at + SILENCE_NS);
	for (size_t i = 0; i < p->n_places && !p->child; i++)
		earlier(&at, p->places[i]->due);
	return at;
}

static void on_timer(void *ctx)
{
	struct prober *p = ctx;

	if (p->child && p->heard_at + SILENCE_NS <= boot_now())
		child_ended(p, true);
	else
		advance(p);
}

static void advance(struct prober *p)
{
	uint64_t now = boot_now(), at;

	if (!p->started)
		return;
	remove_idle(p, now);
	if (!p->child)
		launch(p);
	at = next_due(p);
	if (at == NEVER)
		timer_stop(&p->timer);
	else
		timer_start(&p->timer, p->attachment->ts->reactor, at > now ? at - now : 1,
			    on_timer, p);
}

/* ---- life ------------------------------------------------------------------------ */

struct prober *prober_new(struct attachment *a)
{
	struct prober *p;

	if (!gadget_n_probes(a->gadget))
		return NULL;
	p = xnew(struct prober);
	p->attachment = a;
	if (a->load.host)
		place_add(p, G_HOST, NULL);
	return p;
}

void prober_start(struct prober *p)
{
	if (!p)
		return;
	p->started = true;
	advance(p);
}

void prober_stop(struct prober *p)
{
	if (!p || !p->started)
		return;
	p->started = false;
	timer_stop(&p->timer);
	end_child(p, true);
	for (size_t i = 0; i < p->n_files; i++)
		if (p->files[i]->gone.reactor)
			child_wait_for_gate(p->files[i]->gone.fd);
}

struct prober *prober_free(struct prober *p)
{
	if (!p)
		return NULL;
	prober_stop(p);
	for (size_t i = 0; i < p->n_files; i++)
		file_free(p->files[i]);
	p->n_files = 0;
	for (size_t i = 0; i < p->n_places; i++)
		place_free(p, p->places[i]);
	free(p->files);
	free(p->places);
	free(p);
	return NULL;
}

void prober_want(struct prober *p, struct container *c)
{
	if (!p || place_of(p, c->key))
		return;
	place_add(p, c->key, c);
	advance(p);
}

void prober_leave(struct prober *p, uint64_t key)
{
	for (size_t i = 0; p && i < p->n_places; i++) {
		if (p->places[i]->key != key)
			continue;
		place_free(p, p->places[i]);
		memmove(&p->places[i], &p->places[i + 1], (--p->n_places - i) * sizeof(*p->places));
		advance(p);
		return;
	}
}
