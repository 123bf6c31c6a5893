// SPDX-License-Identifier: Apache-2.0
#include "gadget/libbpf_log.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define MAX_LOG_BYTES (64u << 10)

/* libbpf's print function gets no context of ours. */
static _Thread_local struct libbpf_log *current;

static int capture(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	_cleanup_(freep) char *text = NULL;

	if (!current || level >= LIBBPF_INFO) /* warnings say why; the rest are remarks */
		return 0;
	if (vasprintf(&text, fmt, ap) < 0) {
		text = NULL;
		return 0;
	}
	struct buf *b = &current->text;
	size_t n = strlen(text);
	size_t keep = n < b->max / 2 ? n : b->max / 2;

	/* The end of a verifier's log is what tells: the first half is forgotten. */
	if (b->len + keep >= b->max) {
		memmove(b->data, b->data + b->len / 2, b->len - b->len / 2);
		b->len -= b->len / 2;
	}
	buf_add(b, text + n - keep, keep);
	return 0;
}

void libbpf_log_begin(struct libbpf_log *log)
{
	buf_init(&log->text, MAX_LOG_BYTES);
	log->outer = current;
	current = log;
	log->before = libbpf_set_print(capture);
}

void libbpf_log_end(struct libbpf_log *log)
{
	libbpf_set_print(log->before);
	current = log->outer;
	buf_done(&log->text);
}

static bool starts(const char *line, size_t n, const char *prefix)
{
	return n >= strlen(prefix) && !memcmp(line, prefix, strlen(prefix));
}

/* Lines of a verifier's log that say nothing about why. */
static bool is_noise(const char *line, size_t n)
{
	static const char *const noise[] = {
		"processed ", "libbpf: ", "verification time", "stack depth", "mark_precise",
		";",	      "-- END",	  "-- BEGIN",	       "peak_states",
	};

	if (!n)
		return true;
	for (size_t i = 0; i < array_size(noise); i++) {
		if (starts(line, n, noise[i]))
			return true;
	}
	return false;
}

static void put_line(struct buf *out, const char *line, size_t n)
{
	while (n && (line[n - 1] == '\n' || line[n - 1] == ' ' || line[n - 1] == '.'))
		n--;
	buf_add(out, line, n);
}

/* The name between the first quotes of "libbpf: prog 'NAME': …". */
static void program_of(const char *line, size_t n, struct buf *ret)
{
	static const char intro[] = "libbpf: prog '";
	const char *name = line + sizeof(intro) - 1, *end;

	if (!starts(line, n, intro) || !(end = memchr(name, '\'', line + n - name)))
		return;
	buf_clear(ret);
	buf_add(ret, name, end - name);
}

void libbpf_log_reason(struct libbpf_log *log, struct buf *ret, struct buf *ret_program,
		       bool *ret_verifier)
{
	const char *p = buf_cstr(&log->text), *own = NULL;
	size_t own_n = 0;
	bool in_verifier = false;

	for (const char *end; *p; p = *end ? end + 1 : end) {
		end = strchrnul(p, '\n');
		size_t n = end - p;

		if (memmem(p, n, "-- BEGIN PROG LOAD LOG --", 25)) {
			in_verifier = true;
			program_of(p, n, ret_program);
		} else if (memmem(p, n, "-- END PROG LOAD LOG --", 23)) {
			in_verifier = false;
		} else if (in_verifier && !is_noise(p, n)) {
			buf_clear(ret);
			put_line(ret, p, n);
		} else if (!in_verifier && !own && starts(p, n, "libbpf: ")) {
			own = p + 8;
			own_n = n - 8;
			program_of(p, n, ret_program);
		}
	}
	*ret_verifier = ret->len;
	if (!ret->len && own)
		put_line(ret, own, own_n);
}
