/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which containers a tracer follows. Each text is a comma list; NULL or "" matches everything.
 *
 * Names, ids, images, namespaces, pods: globs, of which one must match; a word with `!` in front
 * excludes, and a list that has only exclusions matches all else. Annotations and labels, all of
 * which must hold, as kubectl writes them: key=glob, key!=glob, key, !key; !key=glob is key!=glob.
 * Labels are the pod's, or the container's own where it is in none.
 *
 * A container in another one is selected by the outer one's texts as well: what is asked for must
 * hold for one container, itself or one around it; what is excluded must hold for none of them.
 * Sandboxes, pods' pause containers, match only where they are asked for.
 */
#pragma once

#include <stdbool.h>

struct container;
struct err;

struct selector_options {
	const char *container_name, *container_id, *image, *annotations;
	const char *namespace_, *pod, *labels;
	bool sandboxes;
};

struct selector;
int selector_new(const struct selector_options *o, struct selector **ret, struct err *err);
struct selector *selector_free(struct selector *s);

enum selector_answer {
	SELECT_NO,
	SELECT_MAYBE, /* it hangs on what a source may still tell (container.resolved is false) */
	SELECT_YES,
};
enum selector_answer selector_decide(const struct selector *s, const struct container *c);

/* Yes or maybe: a container is wanted until it is known not to be. */
bool selector_matches(const struct selector *s, const struct container *c);

/* No list was given: what is in no container matches as well. */
bool selector_is_all(const struct selector *s);
