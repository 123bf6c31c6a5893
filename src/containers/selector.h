/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which containers a tracer follows. Each text is a comma list of globs; a word with `!` in front
 * excludes. A list that has only exclusions matches all else. Annotations and labels: key=glob
 * pairs, all must hold. NULL or "" matches everything.
 */
#pragma once

#include <stdbool.h>

struct container;
struct err;

struct selector_options {
	const char *container_name, *container_id, *image, *annotations;
	const char *namespace_, *pod, *labels; /* filled by Kubernetes sources */
};

struct selector;
int selector_new(const struct selector_options *o, struct selector **ret, struct err *err);
struct selector *selector_free(struct selector *s);
bool selector_matches(const struct selector *s, const struct container *c);
bool selector_is_all(const struct selector *s);
