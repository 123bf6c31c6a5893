/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening to a daemon: a stream on which it tells of its containers as they come, kept open while
 * we run, and a bounded memory of what it told. So a container that is gone from the disk, and that
 * the daemon has forgotten before it is asked, still has a name.
 *
 * Life: listener_begin(), which opens the stream; listener_ended() whenever it did, however that
 * came: it is opened again after a while, that is longer each time nothing was heard;
 * listener_done(). The stream itself is the owner's, as are the connections of its questions: none
 * waits for another, or breaks with it. That a daemon does not tell is not worth a word: what it is
 * asked for is.
 */
#pragma once

#include <stdbool.h>

#include "base/reactor.h"
#include "columns/labels.h"

struct daemon;

/* What was told of a container. */
struct heard {
	TAILQ_ENTRY(heard) link; /* the one heard of last is first */
	char *id;
	char *namespace_;   /* containerd's; "": the daemon has none */
	char *name, *image; /* NULL: not told */
	uint32_t pid;	    /* its first process; 0: not told */
	bool has_labels;    /* all that it has were told */
	bool asked;	    /* for its labels: the owner's affair */
	struct labels labels;
};

struct listener {
	struct daemon *daemon;
	void (*open)(struct listener *l); /* opens the stream, or calls listener_ended() */
	TAILQ_HEAD(heard_list, heard) heard;
	unsigned int n_heard;
	uint64_t pause_ns; /* before it is opened again */
	struct timer again;
};

void listener_begin(struct listener *l, struct daemon *d, void (*open)(struct listener *l));
void listener_done(struct listener *l);
void listener_ended(struct listener *l);

/*
 * For what was just told of this container: what was heard of it before, or an empty one. Beyond
 * MAX_HEARD the one heard of longest ago is forgotten. NULL: no container has such an id. Valid
 * until the next call.
 */
struct heard *listener_hear(struct listener *l, const char *namespace_, const char *id);
/* Those of another set, if they are no more than MAX_HEARD_LABELS_BYTES. */
void heard_set_labels(struct heard *h, const struct labels *from);
void heard_set(char **to, const char *text); /* an empty text, or one too long, tells nothing */

/*
 * What was heard of the container with this id whose first process is pid. NULL: nothing; where
 * another process is told of, it is another container. Valid until listener_hear().
 */
const struct heard *listener_find(const struct listener *l, const char *id, uint32_t pid);
