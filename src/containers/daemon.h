/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A runtime's daemon, which is asked over its socket for what the disk does not tell: labels of
 * pods, images, names. Questions are answered later, or never: whoever asks waits no longer than he
 * wants to, and nothing here ever blocks. An absent or silent daemon is said once.
 *
 * A runtime's side of it is a struct daemon_kind, named by its struct runtime. daemons_ask() makes
 * a struct question of a container and gives it to ask(), which sends it and returns; when the
 * answer comes the runtime fills the container and calls question_answer().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/reactor.h"
#include "containers/runtime.h"

struct daemon;
struct daemons;
struct listener;
struct err;

struct question {
	struct container *container; /* to be filled; the asker's */
	struct daemon *daemon;
	void *work; /* the runtime's, between ask() and the answer */

	void (*answered)(void *ctx, struct question *q, bool known);
	void *ctx;
	TAILQ_ENTRY(question) link; /* of the daemon's */
	TAILQ_ENTRY(question) of_asker;
};

/*
 * What was asked is known now, or (known false) is known to be not known: no such container, or an
 * error. q is gone then.
 */
void question_answer(struct question *q, bool known);

struct daemon_kind {
	/* Usual places of its socket, NULL-terminated; the first that is there is taken. */
	const char *const *sockets;
	bool optional; /* many hosts have the runtime without this daemon: not worth a word */
	/* Could it tell something about c that is not known yet? */
	bool (*wants)(const struct container *c);
	/* The socket that a clue names, such as a shim's; NULL: none, take the usual one. May be
	 * NULL. */
	const char *(*socket_of)(const struct clues *clues);
	void (*ask)(struct daemon *d, struct question *q);
	/* Nobody waits for q any more: its work ends, and no answer is given. */
	void (*forget)(struct daemon *d, struct question *q);
	/*
	 * Its socket is known: sets d->listener, which listens to it from now on. Called once,
	 * before it is asked anything, and must not wait. May be NULL.
	 */
	void (*listen)(struct daemon *d);
	/* All questions were forgotten; ends the listener as well. May be NULL. */
	void (*close)(struct daemon *d);
};

struct daemon {
	const struct runtime *runtime;
	struct reactor *reactor;
	char *socket;		   /* on the host */
	void *session;		   /* the runtime's: a connection that is kept; NULL at first */
	struct listener *listener; /* likewise */
};

/* A new connection, or -errno. */
int daemon_connect(struct daemon *d, struct err *err);
/* Says once that this daemon is of no use, and why. The session is the runtime's affair. */
void daemon_failed(struct daemon *d, const char *why);

/* ---- the asker's side ------------------------------------------------------------ */

TAILQ_HEAD(questions, question);

struct daemons_options {
	const char *host_root;
	const struct runtime_socket *sockets;	   /* ends with an empty one; may be NULL */
	void (*warn)(void *ctx, const char *text); /* may be NULL */
	void *warn_ctx;
};

struct daemons *daemons_new(const struct daemons_options *o, struct reactor *r);
struct daemons *daemons_free(struct daemons *ds); /* questions must be dropped before */

/* Those that can be listened to are, where their sockets are there. The others are as they are met.
 */
void daemons_listen(struct daemons *ds);

/*
 * Asks every daemon that may know more of c, and adds the questions to *to. `answered` is called
 * for each, some within this call, and must take it out of that list. False: a daemon that should
 * be asked was not found.
 */
bool daemons_ask(struct daemons *ds, struct container *c, const struct clues *clues,
		 void (*answered)(void *ctx, struct question *q, bool known), void *ctx,
		 struct questions *to);
void questions_drop(struct questions *qs); /* nobody waits for them any more */
