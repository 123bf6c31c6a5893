/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory and ownership. Small allocations abort when memory is out (xnew, xstrdup); what is sized
 * by the outside is capped by its caller first and may fail (plain malloc). `_cleanup_(f)` runs f
 * on a local when it leaves its scope; `return take(p)` hands it over instead.
 */
#pragma once

#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* The value of a pointer or descriptor variable, which forgets it (NULL). */
#define take(p)                                 \
	({                                      \
		__typeof__(p) *taken_ = &(p);   \
		__typeof__(p) value_ = *taken_; \
		*taken_ = NULL;                 \
		value_;                         \
	})

#define array_size(a) (sizeof(a) / sizeof((a)[0]))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

void *xcalloc(size_t n, size_t size);		 /* zeroed; aborts when out of memory */
void *xrealloc(void *p, size_t n, size_t size); /* n * size bytes, checked for overflow */
char *xstrdup(const char *s);			 /* NULL gives NULL */
char *xstrndup(const char *s, size_t max);
__attribute__((format(printf, 1, 2))) char *xasprintf(const char *fmt, ...);

#define xnew(T) ((T *)xcalloc(1, sizeof(T)))
#define xnew_n(T, n) ((T *)xcalloc((n), sizeof(T)))

/*
 * Room for one more element in a growing array: `*grow(&a->items, &a->n, &a->room) = item;` counts
 * the new element. It doubles, so n appends cost O(n).
 */
#define grow(items, n, room) \
	((__typeof__(*(items)))grow_((void **)(items), (n), (room), sizeof(**(items))))
void *grow_(void **items, size_t *n, size_t *room, size_t size);

/* Makes an array of n elements at least `least` long, by doubling it; the new ones are zeroed. */
#define grow_to(items, n, least) grow_to_((void **)(items), (n), (least), sizeof(**(items)))
void grow_to_(void **items, size_t *n, size_t least, size_t size);

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* take() for descriptors: the variable becomes -1. */
static inline int take_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}
