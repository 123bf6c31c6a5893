// SPDX-License-Identifier: Apache-2.0
/*
 * Lines of /proc/kallsyms (kernel/kallsyms.c, s_show): "ffffffff81000000 T name\n", and for what
 * is of a module "…name\t[module]\n". Where addresses are hidden all are zero.
 */
#include "symbols/kernel.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"

enum { MAX_NAME = 255, MAX_LINE = 1024 };
#define RETRY_NS 10000000000ull /* it is read at most so often */
#define MAX_DISTANCE                                                                 \
	(1u << 20) /* no function is that long: what is behind is none that is known \
		    */

struct symbol {
	uint64_t address;
	uint32_t name; /* offset in names */
};

struct kernel_symbols {
	int proc;
	uint64_t read_at;     /* CLOCK_MONOTONIC; 0: never */
	struct symbol *items; /* by address; of several at one the first in the file comes first */
	size_t n, room;
	struct buf names; /* "name" or "name\t[module]", each with a NUL behind it */
};

struct kernel_symbols *kernel_symbols_new(int proc)
{
	struct kernel_symbols *k = xnew(struct kernel_symbols);

	k->proc = proc;
	buf_init(&k->names, MAX_SYMBOL_BYTES);
	return k;
}

struct kernel_symbols *kernel_symbols_free(struct kernel_symbols *k)
{
	if (!k)
		return NULL;
	free(k->items);
	buf_done(&k->names);
	free(k);
	return NULL;
}

/* ---- kallsyms ------------------------------------------------------------------------------- */

/* A line without its end. Data, and arm64's marks of code and data ($x), are left out. */
static void add_line(struct kernel_symbols *k, const char *line, size_t len)
{
	const char *at = line, *end = line + len;
	uint64_t address = 0;

	for (; at < end && *at != ' '; at++) {
		char c = *at;

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) || at - line == 16)
			return;
		address = address << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	if (end - at < 4 || !memchr("tTwW", at[1], 4) || at[2] != ' ' || at[3] == '$' || !address)
		return;
	at += 3;
	if (!buf_reserve(&k->names, (size_t)(end - at) + 1))
		return;
	*grow(&k->items, &k->n, &k->room) = (struct symbol){address, (uint32_t)k->names.len};
	buf_add(&k->names, at, (size_t)(end - at));
	buf_char(&k->names, '\0');
}

/* The whole lines of `len` bytes; returns how many bytes these are. */
static size_t add_lines(struct kernel_symbols *k, const char *bytes, size_t len)
{
	const char *at = bytes, *end;

	while ((end = memchr(at, '\n', len - (size_t)(at - bytes)))) {
		add_line(k, at, (size_t)(end - at));
		at = end + 1;
	}
	return (size_t)(at - bytes);
}

static int by_address(const void *a, const void *b)
{
	const struct symbol *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->name < y->name ? -1 : x->name > y->name;
}

/* Without holding its text as a whole, which is three times as long. */
static void read_kallsyms(struct kernel_symbols *k)
{
	_cleanup_(closep) int fd = openat(k->proc, "kallsyms", O_RDONLY | O_CLOEXEC);
	char bytes[16384];
	size_t held = 0;
	ssize_t n;

	k->n = 0;
	buf_clear(&k->names);
	while (fd >= 0 && (n = read(fd, bytes + held, sizeof(bytes) - held)) > 0) {
		size_t len = held + (size_t)n, used = add_lines(k, bytes, len);

		held = len - used > MAX_LINE ? 0 : len - used;
		memmove(bytes, bytes + used, held);
	}
	if (k->n)
		qsort(k->items, k->n, sizeof(*k->items), by_address);
}

/* ---- look-ups ------------------------------------------------------------------------------- */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Reads what there is now, but not too often; false: not now. */
static bool look(struct kernel_symbols *k)
{
	uint64_t time = now();

	if (k->read_at && time - k->read_at < RETRY_NS)
		return false;
	k->read_at = time;
	read_kallsyms(k);
	return true;
}

/* The last one that does not stand behind the address; NULL: none is near. */
static const struct symbol *find(const struct kernel_symbols *k, uint64_t address)
{
	size_t low = 0, high = k->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (k->items[middle].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low || address - k->items[low - 1].address >= MAX_DISTANCE)
		return NULL;
	for (low--; low && k->items[low - 1].address == k->items[low].address;)
		low--;
	return &k->items[low];
}

/*
 * Frames but the innermost have the address behind a call, which may be another function's already.
 */
static void add_frame(struct kernel_symbols *k, uint64_t address, bool innermost, struct buf *out)
{
	const struct symbol *s = find(k, address - !innermost);
	const char *name, *module;

	if (!s && look(k))
		s = find(k, address - !innermost);
	if (!s) {
		buf_printf(out, "0x%" PRIx64, address);
		return;
	}
	name = k->names.data + s->name;
	module = strchr(name, '\t');
	buf_add(out, name, strnlen(name, module ? (size_t)(module - name) : MAX_NAME));
	buf_printf(out, "+0x%" PRIx64, address - s->address);
	if (module)
		buf_printf(out, " %.*s", MAX_NAME, module + 1);
}

/* What takes the stack: the program, and how its hook came to it. */
static bool is_own_frame(const char *text)
{
	static const char *const names[] = {"bpf_prog_", "bpf_trace_run", "__bpf_trace_",
					    "__traceiter_"};

	for (size_t i = 0; i < array_size(names); i++)
		if (!strncmp(text, names[i], strlen(names[i])))
			return true;
	return false;
}

size_t kernel_symbols_stack(struct kernel_symbols *k, const void *addresses, size_t len,
			    struct buf *out)
{
	_cleanup_(buf_done) struct buf text = {.max = 2 * MAX_LINE};
	size_t n = len / sizeof(uint64_t), shown = 0, there = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t address;

		memcpy(&address, (const char *)addresses + i * sizeof(address), sizeof(address));
		if (!address)
			continue; /* the kernel fills the rest of a map's value with zeroes */
		buf_clear(&text);
		add_frame(k, address, !i, &text);
		if (!there && is_own_frame(buf_cstr(&text)))
			continue;
		there++;
		if (shown == there - 1 && buf_reserve(out, text.len + 1)) {
			buf_add(out, buf_cstr(&text), text.len + 1);
			shown++;
		}
	}
	return there - shown;
}

bool kernel_symbols_hidden(const struct kernel_symbols *k)
{
	return k->read_at && !k->n;
}
