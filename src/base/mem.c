// SPDX-License-Identifier: Apache-2.0
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void *check(void *p)
{
	if (!p) {
		fputs("level=error msg=\"out of memory\"\n", stderr);
		abort();
	}
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	return check(calloc(n ? n : 1, size));
}

void *xrealloc(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(n, size, &bytes))
		return check(NULL);
	return check(realloc(p, bytes ? bytes : 1));
}

char *xstrdup(const char *s)
{
	return s ? check(strdup(s)) : NULL;
}

char *xstrndup(const char *s, size_t max)
{
	return check(strndup(s, max));
}

char *xasprintf(const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return check(s);
}

void *grow_(void **items, size_t *n, size_t *room, size_t size)
{
	if (*n == *room) {
		*room = *room ? *room * 2 : 8;
		*items = xrealloc(*items, *room, size);
	}
	void *item = (char *)*items + (*n)++ * size;
	memset(item, 0, size);
	return item;
}

void grow_to_(void **items, size_t *n, size_t least, size_t size)
{
	size_t more = *n ? *n : 16;

	if (least <= *n)
		return;
	while (more < least)
		more *= 2;
	*items = xrealloc(*items, more, size);
	memset((char *)*items + *n * size, 0, (more - *n) * size);
	*n = more;
}
