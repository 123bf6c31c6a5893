// SPDX-License-Identifier: Apache-2.0
/* Regular expressions: PCRE2, without UTF and without its compiler of machine code. */
#include "columns/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <errno.h>
#include <pcre2.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"

enum {
	MAX_PATTERN_BYTES = 1024, /* compiled: 64 KiB at most, by the library's own limit */
	MAX_STEPS = 100000,	  /* of a look, some milliseconds */
	MAX_HEAP_KIB = 1024,	  /* of a look, for where it may have to go back to */
};

struct regex {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *limits;
};

struct regex *regex_free(struct regex *r)
{
	if (!r)
		return NULL;
	pcre2_code_free(r->code);
	pcre2_match_data_free(r->match);
	pcre2_match_context_free(r->limits);
	free(r);
	return NULL;
}

/* \X looks at any number of bytes in one step. */
static bool has_unbounded_step(const char *p)
{
	for (; *p; p++) {
		if (*p != '\\')
			continue;
		if (*++p == 'X')
			return true;
		if (!*p)
			break;
	}
	return false;
}

static int check(const char *pattern, struct err *err)
{
	if (strlen(pattern) > MAX_PATTERN_BYTES)
		return err_set(err, -EINVAL, "filter: regular expression longer than %d bytes",
			       MAX_PATTERN_BYTES);
	if (has_unbounded_step(pattern))
		return err_set(err, -EINVAL, "filter: '%s': \\X is not supported, texts are bytes",
			       pattern);
	return 0;
}

int regex_compile(const char *pattern, struct regex **ret, struct err *err)
{
	const uint32_t options =
		PCRE2_DOTALL | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP;
	pcre2_code *code;
	struct regex *r;
	PCRE2_SIZE at;
	char why[128];
	int fault;

	if (check(pattern, err))
		return -EINVAL;
	code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, options, &fault, &at,
			     NULL);
	if (!code) {
		pcre2_get_error_message(fault, (PCRE2_UCHAR *)why, sizeof(why));
		return err_set(err, -EINVAL,
			       "filter: '%s' is no regular expression: %s, at byte %zu", pattern,
			       why, at);
	}
	r = xnew(struct regex);
	r->code = code;
	r->match = pcre2_match_data_create(1, NULL);
	r->limits = pcre2_match_context_create(NULL);
	if (!r->match || !r->limits)
		abort();
	pcre2_set_match_limit(r->limits, MAX_STEPS);
	pcre2_set_heap_limit(r->limits, MAX_HEAP_KIB);
	*ret = r;
	return 0;
}

int regex_look(struct regex *r, const char *text, size_t len)
{
	int n = pcre2_match(r->code, (PCRE2_SPTR)text, len, 0, 0, r->match, r->limits);

	if (n == PCRE2_ERROR_NOMATCH)
		return 0;
	return n < 0 ? -E2BIG : 1;
}
