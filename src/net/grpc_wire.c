// SPDX-License-Identifier: Apache-2.0
#include "net/grpc_wire.h"

#include <errno.h>
#include <stdio.h>

#include "base/mem.h"

void grpc_put_prefix(uint8_t ret[GRPC_PREFIX_BYTES], uint32_t len)
{
	ret[0] = 0;
	for (int i = 0; i < 4; i++)
		ret[1 + i] = (uint8_t)(len >> (24 - 8 * i));
}

static const struct unit {
	char name;
	uint64_t ns;
} units[] = {
	{'n', 1},
	{'u', 1000},
	{'m', 1000000},
	{'S', 1000000000},
	{'M', 60 * 1000000000ull},
	{'H', 3600 * 1000000000ull},
};

void grpc_put_timeout(uint64_t ns, char ret[GRPC_TIMEOUT_BYTES])
{
	for (size_t i = 0; i < array_size(units); i++) {
		uint64_t value = ns / units[i].ns + !!(ns % units[i].ns);

		if (value > 99999999)
			continue;
		snprintf(ret, GRPC_TIMEOUT_BYTES, "%u%c", (unsigned int)value, units[i].name);
		return;
	}
}

int grpc_parse_timeout(const char *s, size_t len, uint64_t *ret_ns)
{
	uint64_t value = 0, ns;

	if (len < 2 || len >= GRPC_TIMEOUT_BYTES || strspn(s, "0123456789") != len - 1)
		return -EINVAL;
	for (size_t i = 0; i < len - 1; i++)
		value = value * 10 + (uint64_t)(s[i] - '0');
	for (size_t i = 0; i < array_size(units); i++) {
		if (units[i].name != s[len - 1])
			continue;
		if (__builtin_mul_overflow(value, units[i].ns, &ns) || ns > INT64_MAX / 2)
			ns = INT64_MAX / 2;
		*ret_ns = ns;
		return 0;
	}
	return -EINVAL;
}

bool grpc_is_content_type(const char *s, size_t len)
{
	static const char type[] = "application/grpc";
	size_t n = strlen(type);

	return len >= n && !memcmp(s, type, n) && (len == n || s[n] == '+' || s[n] == ';');
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void grpc_percent_decode(const char *s, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len; i++) {
		int high = s[i] == '%' && i + 2 < len ? hex_digit(s[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(s[i + 2]) : -1;

		buf_char(out, low >= 0 ? (char)(high << 4 | low) : s[i]);
		i += low >= 0 ? 2 : 0;
	}
}

void grpc_percent_encode(const char *s, size_t len, struct buf *out)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] >= ' ' && s[i] <= '~' && s[i] != '%')
			buf_char(out, s[i]);
		else
			buf_printf(out, "%%%02X", (unsigned char)s[i]);
}

void grpc_frames_init(struct grpc_frames *f, size_t max_message)
{
	*f = (struct grpc_frames){0};
	buf_init(&f->message, max_message);
}

void grpc_frames_done(struct grpc_frames *f)
{
	buf_done(&f->message);
}

int grpc_frames_feed(struct grpc_frames *f, const uint8_t **bytes, size_t *n)
{
	size_t used;

	for (; *n && f->n_prefix < GRPC_PREFIX_BYTES; ++*bytes, --*n) {
		f->prefix[f->n_prefix++] = **bytes;
		if (f->n_prefix < GRPC_PREFIX_BYTES)
			continue;
		if (f->prefix[0])
			return -EBADMSG;
		f->left = (size_t)f->prefix[1] << 24 | (size_t)f->prefix[2] << 16 |
			  (size_t)f->prefix[3] << 8 | f->prefix[4];
		if (f->left > f->message.max)
			return -EMSGSIZE;
		buf_clear(&f->message);
	}
	if (f->n_prefix < GRPC_PREFIX_BYTES)
		return 0;
	used = *n < f->left ? *n : f->left;
	buf_add(&f->message, *bytes, used);
	*bytes += used;
	*n -= used;
	f->left -= used;
	if (f->left)
		return 0;
	f->n_prefix = 0;
	return 1;
}

bool grpc_frames_between(const struct grpc_frames *f)
{
	return !f->n_prefix;
}
