/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of runtimes that are not what they should be: counted, and said, each once, as long as they
 * are few. A file that is not there is no trouble: containers end.
 */
#pragma once

#include <stddef.h>

struct trouble;

struct trouble *trouble_new(void (*warn)(void *ctx, const char *text),
			    void *ctx);		 /* warn: may be NULL */
struct trouble *trouble_free(struct trouble *t); /* NULL is fine; returns NULL */

/* Tells this text. */
void trouble_say(struct trouble *t, const char *text);

/* Reading `path` gave r (0 or -errno). t may be NULL. Returns r. */
int trouble_file(struct trouble *t, const char *path, int r);

size_t trouble_count(const struct trouble *t);
