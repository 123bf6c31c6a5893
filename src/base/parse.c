// SPDX-License-Identifier: Apache-2.0
/* Words and numbers from outside: the only file that may call strtoull(). */
#include "base/parse.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

int parse_u64(const char *s, uint64_t *ret)
{
	unsigned long long value;
	char *end;

	if (!isdigit((unsigned char)*s)) /* no sign, no space: strtoull() would take both */
		return -EINVAL;
	errno = 0;
	value = strtoull(s, &end, 0);
	if (*end)
		return -EINVAL;
	if (errno)
		return -ERANGE;
	*ret = value;
	return 0;
}

int parse_i64(const char *s, int64_t *ret)
{
	bool negative = *s == '-';
	uint64_t value;
	int r = parse_u64(s + (*s == '-' || *s == '+'), &value);

	if (r)
		return r;
	if (value > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	*ret = negative ? (int64_t)(0 - value) : (int64_t)value;
	return 0;
}

int parse_bool(const char *s, bool *ret)
{
	static const char *const words[][2] = {
		{"false", "true"}, {"no", "yes"}, {"off", "on"}, {"0", "1"}};

	for (size_t i = 0; i < array_size(words); i++)
		for (int value = 0; value < 2; value++)
			if (!strcasecmp(s, words[i][value])) {
				*ret = value;
				return 0;
			}
	return -EINVAL;
}

struct unit {
	const char *suffix;
	uint64_t factor;
};

/* "1.5MiB": digits, a fraction that may be missing, a unit of the table. Exact to the last unit. */
static int parse_scaled(const char *s, const struct unit *units, size_t n, uint64_t *ret)
{
	unsigned __int128 whole = 0, part = 0, scale = 1;

	if (!isdigit((unsigned char)*s))
		return -EINVAL;
	for (; isdigit((unsigned char)*s); s++) {
		whole = whole * 10 + (unsigned)(*s - '0');
		if (whole > UINT64_MAX)
			return -ERANGE;
	}
	if (*s == '.') {
		if (!isdigit((unsigned char)*++s))
			return -EINVAL;
		for (; isdigit((unsigned char)*s); s++)
			if (scale < 1000000000000000000ull) { /* the rest is below one unit */
				part = part * 10 + (unsigned)(*s - '0');
				scale *= 10;
			}
	}
	for (size_t i = 0; i < n; i++) {
		unsigned __int128 value;

		if (strcmp(s, units[i].suffix))
			continue;
		value = whole * units[i].factor + part * units[i].factor / scale;
		if (value > UINT64_MAX)
			return -ERANGE;
		*ret = (uint64_t)value;
		return 0;
	}
	return -EINVAL;
}

int parse_bytes(const char *s, uint64_t *ret)
{
	static const struct unit units[] = {
		{"", 1},
		{"B", 1},
		{"k", 1ull << 10},
		{"K", 1ull << 10},
		{"KiB", 1ull << 10},
		{"kiB", 1ull << 10},
		{"M", 1ull << 20},
		{"MiB", 1ull << 20},
		{"G", 1ull << 30},
		{"GiB", 1ull << 30},
		{"T", 1ull << 40},
		{"TiB", 1ull << 40},
		{"kB", 1000},
		{"KB", 1000},
		{"MB", 1000000},
		{"GB", 1000000000},
		{"TB", 1000000000000},
	};

	if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
		return parse_u64(s, ret);
	return parse_scaled(s, units, array_size(units), ret);
}

int parse_duration(const char *s, uint64_t *ret)
{
	static const struct unit units[] = {
		{"", 1},
		{"ns", 1},
		{"us", 1000},
		{"µs", 1000},
		{"ms", 1000000},
		{"s", 1000000000},
		{"m", 60000000000},
		{"min", 60000000000},
		{"h", 3600000000000},
		{"d", 86400000000000},
	};

	return parse_scaled(s, units, array_size(units), ret);
}

/* n digits at *p; *p is then behind them. */
static bool read_digits(const char **p, unsigned int n, int *ret)
{
	int value = 0;

	while (n--) {
		if (!isdigit((unsigned char)**p))
			return false;
		value = value * 10 + *(*p)++ - '0';
	}
	*ret = value;
	return true;
}

static bool read_symbol(const char **p, char c)
{
	if (**p != c)
		return false;
	(*p)++;
	return true;
}

/* "10:00:00.5" */
static bool read_clock(const char **p, struct tm *tm, int64_t *ret_ns)
{
	int64_t unit = 100000000;

	if (!read_digits(p, 2, &tm->tm_hour) || !read_symbol(p, ':') ||
	    !read_digits(p, 2, &tm->tm_min) || !read_symbol(p, ':') ||
	    !read_digits(p, 2, &tm->tm_sec))
		return false;
	if (tm->tm_hour > 23 || tm->tm_min > 59 || tm->tm_sec > 59)
		return false;
	if (!read_symbol(p, '.'))
		return true;
	if (!isdigit((unsigned char)**p))
		return false;
	for (; isdigit((unsigned char)**p); unit /= 10) /* what is below one ns is dropped */
		*ret_ns += (*(*p)++ - '0') * unit;
	return true;
}

/* "Z", "+hh:mm" or nothing; seconds east of UTC. */
static bool read_zone(const char **p, int *ret)
{
	int sign = **p == '-' ? -1 : 1, hours, minutes;

	if (!**p || read_symbol(p, 'Z'))
		return true;
	if (!read_symbol(p, '+') && !read_symbol(p, '-'))
		return false;
	if (!read_digits(p, 2, &hours) || !read_symbol(p, ':') || !read_digits(p, 2, &minutes) ||
	    hours > 23 || minutes > 59)
		return false;
	*ret = sign * (hours * 3600 + minutes * 60);
	return true;
}

int parse_time(const char *s, int64_t *ret)
{
	int64_t ns = 0, value;
	struct tm tm = {0};
	int zone = 0, day;

	if (!read_digits(&s, 4, &tm.tm_year) || !read_symbol(&s, '-') ||
	    !read_digits(&s, 2, &tm.tm_mon) || !read_symbol(&s, '-') ||
	    !read_digits(&s, 2, &tm.tm_mday))
		return -EINVAL;
	if (*s && (!read_symbol(&s, 'T') || !read_clock(&s, &tm, &ns) || !read_zone(&s, &zone)))
		return -EINVAL;
	if (*s || tm.tm_mon < 1 || tm.tm_mon > 12)
		return -EINVAL;
	day = tm.tm_mday;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	value = timegm(&tm) - zone;
	if (tm.tm_mday != day) /* 30 February became 2 March */
		return -EINVAL;
	if (__builtin_mul_overflow(value, 1000000000, &value) ||
	    __builtin_add_overflow(value, ns, &value))
		return -ERANGE;
	*ret = value;
	return 0;
}

bool str_starts(const char *s, const char *prefix)
{
	return !strncmp(s, prefix, strlen(prefix));
}

bool str_equal(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

/*
 * Matches c against the class that starts behind '['. Returns the place behind its ']', or NULL
 * where there is none: then '[' is an ordinary character.
 */
static const char *class_match(const char *p, unsigned char c, bool *ret)
{
	bool negate = *p == '!' || *p == '^', found = false, first = true;

	for (p += negate; *p && (*p != ']' || first); first = false) {
		unsigned char low, high;

		if (*p == '\\' && p[1])
			p++;
		low = high = (unsigned char)*p++;
		if (*p == '-' && p[1] && p[1] != ']') {
			p++;
			if (*p == '\\' && p[1])
				p++;
			high = (unsigned char)*p++;
		}
		found |= low <= c && c <= high;
	}
	if (*p != ']')
		return NULL;
	*ret = found != negate;
	return p + 1;
}

/* Matches one character of the pattern other than '*'; moves behind it. */
static bool glob_one(const char **pattern, unsigned char c)
{
	const char *p = *pattern, *end;
	bool match;

	if (*p == '?') {
		match = true;
		p++;
	} else if (*p == '[' && (end = class_match(p + 1, c, &match))) {
		p = end;
	} else {
		if (*p == '\\' && p[1])
			p++;
		match = (unsigned char)*p++ == c;
	}
	*pattern = p;
	return match;
}

bool glob_matches(const char *pattern, const char *s)
{
	const char *star = NULL, *resume = NULL; /* last '*', and where it is tried to end */

	while (*s) {
		if (*pattern == '*') {
			star = ++pattern;
			resume = s;
		} else if (*pattern && glob_one(&pattern, (unsigned char)*s)) {
			s++;
		} else if (star) {
			pattern = star;
			s = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

size_t split(const char *text, char separator, bool escapes, char ***ret_words)
{
	size_t n = 1, at = 0;
	char **words, *out;

	for (const char *p = text; *p; p++)
		n += *p == separator; /* escaped ones are counted, too: room, not result */
	words = xcalloc(1, (n + 1) * sizeof(char *) + strlen(text) + 1);
	out = (char *)(words + n + 1);
	if (*text) {
		words[at++] = out;
		for (const char *p = text; *p; p++) {
			if (escapes && *p == '\\' && (p[1] == separator || p[1] == '\\')) {
				*out++ = *++p;
			} else if (*p == separator) {
				*out++ = '\0';
				words[at++] = out;
			} else {
				*out++ = *p;
			}
		}
	}
	*ret_words = words;
	return at;
}

enum { NEAREST_MAX = 64 }; /* longer words are not compared */

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* Edits (insert, delete, replace, swap two neighbours) from a to b; letters' case is free. */
static size_t edits(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][NEAREST_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		last[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *spare = before;

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			int ca = tolower((unsigned char)a[i - 1]),
			    cb = tolower((unsigned char)b[j - 1]);

			row[j] = min3(row[j - 1] + 1, last[j] + 1, last[j - 1] + (ca != cb));
			if (i > 1 && j > 1 && ca == tolower((unsigned char)b[j - 2]) &&
			    cb == tolower((unsigned char)a[i - 2]) && before[j - 2] + 1 < row[j])
				row[j] = before[j - 2] + 1;
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[b_len];
}

static size_t common_start(const char *a, const char *b)
{
	size_t n = 0;

	while (a[n] && tolower((unsigned char)a[n]) == tolower((unsigned char)b[n]))
		n++;
	return n;
}

const char *nearest(const char *word, const char *(*next)(const void *ctx, size_t i),
		    const void *ctx)
{
	size_t len = strlen(word), best = len / 3 + 1; /* more edits are another word */
	const char *found = NULL, *candidate;

	if (!len || len > NEAREST_MAX)
		return NULL;
	for (size_t i = 0; (candidate = next(ctx, i)); i++) {
		size_t n = strlen(candidate), distance;
		bool nearer;

		if (n > NEAREST_MAX)
			continue;
		distance = edits(word, len, candidate, n);
		nearer = distance < best ||
			 (distance == best &&
			  (!found || common_start(word, candidate) > common_start(word, found)));
		if (distance < len && nearer) {
			best = distance;
			found = candidate;
		}
	}
	return found;
}
