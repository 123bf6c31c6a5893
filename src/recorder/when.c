// SPDX-License-Identifier: Apache-2.0
/* Times of records as a person gives them. */
#include "recorder/file.h"

#include <string.h>

#include "base/err.h"
#include "base/parse.h"

static int find_time(const char *what, const char *word, const struct record_span *span,
		     int64_t *ret, struct err *err)
{
	uint64_t distance;
	int r;

	if (*word != '-' && *word != '+') {
		r = parse_time(word, ret);
		return r ? err_set(err, -EINVAL, "%s: '%s' is no time", what, word) : 0;
	}
	if (parse_duration(word + 1, &distance) || distance > INT64_MAX)
		return err_set(err, -EINVAL, "%s: '%s' is no duration", what, word + 1);
	if (!span)
		return err_set(err, -EINVAL,
			       "%s: '%s' wants files of version 2 that are no pipes and have "
			       "records; give a date",
			       what, word);
	r = *word == '-' ? __builtin_sub_overflow(span->last_ns, (int64_t)distance, ret)
			 : __builtin_add_overflow(span->first_ns, (int64_t)distance, ret);
	return r ? err_set(err, -ERANGE, "%s: '%s' is out of range", what, word) : 0;
}

int record_times(const char *from, const char *to, const struct record_span *span,
		 struct record_selection *ret, struct err *err)
{
	int64_t from_ns = ret->from_ns, to_ns = ret->to_ns;
	int r = 0;

	if (from && *from)
		r = find_time("from", from, span, &from_ns, err);
	if (!r && to && *to)
		r = find_time("to", to, span, &to_ns, err);
	if (r)
		return r;
	ret->from_ns = from_ns;
	ret->to_ns = to_ns;
	return 0;
}
