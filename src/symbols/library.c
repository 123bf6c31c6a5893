// SPDX-License-Identifier: Apache-2.0
#include "symbols/library.h"

#include <string.h>

#include "base/mem.h"
#include "base/parse.h"

/* Libraries that have other names elsewhere. */
static const struct {
	const char *stem, *pattern;
} others[] = {
	{"libc", "libc.musl-*.so.*"}, /* Alpine's libc.musl-x86_64.so.1 */
	{"libc", "ld-musl-*.so.*"},   /* which is the loader, and the library */
};

/* ".so" and what follows after a dot. */
static bool is_suffix(const char *s)
{
	return str_starts(s, ".so") && (!s[3] || s[3] == '.');
}

/* "-2.31", "-5ca12f0e": a version, or a sum of the contents; how long it is. */
static size_t version_length(const char *s)
{
	size_t n = *s == '-' ? 1 + strspn(s + 1, "0123456789abcdef.") : 0;

	return n && s[n - 1] == '.' ? n - 1 : n; /* the dot of ".so" */
}

bool library_is(const char *file, const char *stem)
{
	const char *rest;

	for (size_t i = 0; i < array_size(others); i++)
		if (!strcmp(others[i].stem, stem) && glob_matches(others[i].pattern, file))
			return true;
	if (!str_starts(file, stem))
		return false;
	rest = file + strlen(stem);
	return is_suffix(rest + version_length(rest));
}
