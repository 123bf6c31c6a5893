// SPDX-License-Identifier: Apache-2.0
#include "symbols/symbols.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/types.h"
#include "symbols/elf.h"
#include "symbols/file.h"
#include "symbols/maps.h"

enum {
	PROCESS_SETS = 256, /* of those that are kept: by pid */
	PROCESS_WAYS = 4,   /* in a set; the one that was used last stands first */
	BUILD_IDS = 4096,   /* places in the table of build ids */
	ASKED = 64,
	MAX_NAME = 255,
	MAX_PATH = 511,
};
#define RETRY_NS 100000000ull /* the same is looked for at most so often */

/* A file with code. */
struct module {
	uint64_t dev, inode, size;
	struct timespec changed;
	uint64_t map_dev, map_inode; /* the same as /proc/PID/maps has it: overlayfs tells others */
	char *path;
	struct elf *elf; /* NULL: no such file, or not read */
};

/* What is known of an address space. */
struct process {
	uint32_t pid;
	uint64_t start_stack;
	uint64_t read_at; /* CLOCK_MONOTONIC; 0: never */
	struct maps maps;
	struct module **modules; /* of each mapping; NULL: not known yet */
	unsigned int generation; /* whose modules these are */
};

struct symbols {
	int proc;
	struct process *processes[PROCESS_SETS][PROCESS_WAYS];
	struct module **modules; /* in order of their meeting */
	size_t n_modules, room_modules;
	struct module *by_build_id[BUILD_IDS]; /* open addressing */
	size_t n_build_ids;
	size_t bytes; /* of all modules */
	unsigned int generation;
	struct question {
		unsigned char build_id[ELF_BUILD_ID_BYTES];
		uint32_t pid;
		uint64_t at; /* CLOCK_MONOTONIC */
	} asked[ASKED];	     /* which processes were asked for which build ids lately */
	struct walk {
		uint32_t pid;
		uint64_t began; /* CLOCK_MONOTONIC */
		uint64_t spent; /* ns since then */
	} walks[ASKED];		/* what it took to meet a process's files */
};

struct symbols *symbols_new(int proc)
{
	struct symbols *s = xnew(struct symbols);

	s->proc = proc;
	return s;
}

static void process_done(struct process *p)
{
	maps_done(&p->maps);
	free(p->modules);
}

static struct process *process_free(struct process *p)
{
	if (!p)
		return NULL;
	process_done(p);
	free(p);
	return NULL;
}

/* Everything is found again: simpler than to tell what is wanted least. */
static void forget_modules(struct symbols *s)
{
	for (size_t i = 0; i < s->n_modules; i++) {
		elf_free(s->modules[i]->elf);
		free(s->modules[i]->path);
		free(s->modules[i]);
	}
	memset(s->by_build_id, 0, sizeof(s->by_build_id));
	s->n_modules = s->n_build_ids = s->bytes = 0;
	s->generation++; /* processes' modules are gone as well */
}

struct symbols *symbols_free(struct symbols *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < PROCESS_SETS; i++)
		for (size_t j = 0; j < PROCESS_WAYS; j++)
			process_free(s->processes[i][j]);
	forget_modules(s);
	free(s->modules);
	free(s);
	return NULL;
}

/* ---- files ---------------------------------------------------------------------------------- */

static size_t build_id_place(const unsigned char *id)
{
	uint64_t word;

	memcpy(&word, id, sizeof(word));
	return (size_t)(word % BUILD_IDS);
}

static struct module *find_build_id(const struct symbols *s, const unsigned char *id)
{
	struct module *m;

	for (size_t i = build_id_place(id); (m = s->by_build_id[i]); i = (i + 1) % BUILD_IDS)
		if (!memcmp(elf_build_id(m->elf), id, ELF_BUILD_ID_BYTES))
			return m;
	return NULL;
}

static void add_build_id(struct symbols *s, struct module *m)
{
	const unsigned char *id = m->elf ? elf_build_id(m->elf) : NULL;
	size_t i;

	if (!id || s->n_build_ids >= BUILD_IDS / 2 || find_build_id(s, id))
		return;
	for (i = build_id_place(id); s->by_build_id[i];)
		i = (i + 1) % BUILD_IDS;
	s->by_build_id[i] = m;
	s->n_build_ids++;
}

static struct module *find_file(const struct symbols *s, const struct stat *st)
{
	for (size_t i = 0; i < s->n_modules; i++) {
		struct module *m = s->modules[i];

		if (m->inode == st->st_ino && m->dev == st->st_dev &&
		    m->size == (uint64_t)st->st_size && m->changed.tv_sec == st->st_ctim.tv_sec &&
		    m->changed.tv_nsec == st->st_ctim.tv_nsec)
			return m;
	}
	return NULL;
}

/* What a mapping showed earlier, in another process that is gone as well. */
static struct module *find_mapped(const struct symbols *s, const struct mapping *at)
{
	for (size_t i = s->n_modules; i > 0; i--) {
		struct module *m = s->modules[i - 1];

		if (m->map_inode == at->inode && m->map_dev == at->dev &&
		    !strcmp(m->path, at->path))
			return m;
	}
	return NULL;
}

static struct module *add_file(struct symbols *s, const struct mapping *at, int fd,
			       const struct stat *st)
{
	struct elf_input in = {.fd = fd};
	struct module *m;

	if (s->n_modules >= MAX_MODULES || s->bytes > MAX_SYMBOL_CACHE_BYTES)
		forget_modules(s);
	m = *grow(&s->modules, &s->n_modules, &s->room_modules) = xnew(struct module);
	*m = (struct module){
		.dev = st->st_dev,
		.inode = st->st_ino,
		.size = (uint64_t)st->st_size,
		.changed = st->st_ctim,
		.map_dev = at->dev,
		.map_inode = at->inode,
		.path = xstrndup(at->path, MAX_PATH),
	};
	if (!file_may_hang(fd))
		elf_new(&in, &m->elf);
	if (m->elf)
		s->bytes += elf_bytes(m->elf);
	add_build_id(s, m);
	return m;
}

/* The file of a mapping, read where it is met for the first time; NULL: cannot be told. */
static struct module *open_module(struct symbols *s, const struct process *p,
				  const struct mapping *at)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;
	char path[80];

	if (!at->inode)
		return NULL;
	if (at->is_remote)
		return find_mapped(s, at);
	snprintf(path, sizeof(path), "%u/map_files/%" PRIx64 "-%" PRIx64, p->pid, at->start,
		 at->end);
	fd = openat(s->proc, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return find_mapped(s, at);
	return find_file(s, &st) ?: add_file(s, at, fd, &st);
}

static struct module *module_of(struct symbols *s, struct process *p, const struct mapping *at)
{
	struct module **known, *m;

	if (p->generation != s->generation)
		memset(p->modules, 0, p->maps.n * sizeof(struct module *));
	p->generation = s->generation;
	known = &p->modules[at - p->maps.items];
	if (*known)
		return *known;
	m = open_module(s, p, at);
	if (p->generation == s->generation) /* else it is the first of new ones */
		*known = m;
	return m;
}

/* ---- processes ------------------------------------------------------------------------------ */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int read_proc(const struct symbols *s, uint32_t pid, const char *name, struct buf *b)
{
	char path[32];

	buf_init(b, MAX_PROC_FILE_BYTES);
	snprintf(path, sizeof(path), "%u/%s", pid, name);
	return buf_read_file(b, s->proc, path);
}

/* Only where it matters: of a host with many mounts the text is long. */
static void read_mounts(const struct symbols *s, struct process *p)
{
	_cleanup_(buf_done) struct buf mounts = {0};

	if (!maps_may_be_remote(&p->maps))
		return;
	if (read_proc(s, p->pid, "mountinfo", &mounts))
		maps_mark_remote(&p->maps, NULL);
	else
		maps_mark_remote(&p->maps, (char *)buf_cstr(&mounts));
}

/* Its map, if it still is the address space that the stack is of (0: of whichever it is). */
static void read_maps(const struct symbols *s, struct process *p)
{
	_cleanup_(buf_done) struct buf stat, maps;
	int r = read_proc(s, p->pid, "maps", &maps);

	buf_cstr(&maps);
	r = read_proc(s, p->pid, "stat", &stat) ?: r;
	if (r || (p->start_stack && maps_start_stack(buf_cstr(&stat)) != p->start_stack))
		return;
	maps_done(&p->maps);
	maps_parse(take(maps.data), &p->maps);
	read_mounts(s, p);
	free(p->modules);
	p->modules = xnew_n(struct module *, p->maps.n);
	p->generation = s->generation;
}

static bool is_of(const struct process *p, const struct g_user_stack *stack)
{
	return p && p->pid == stack->pid && p->start_stack == stack->start_stack;
}

/* A process in the middle of an exec has several address spaces one after the other. */
static struct process *process_of(struct symbols *s, const struct g_user_stack *stack)
{
	struct process **set = s->processes[stack->pid % PROCESS_SETS], *p;
	size_t at = 0;

	while (at < PROCESS_WAYS - 1 && !is_of(set[at], stack))
		at++;
	p = set[at];
	if (!is_of(p, stack)) {
		process_free(p);
		p = xnew(struct process);
		p->pid = stack->pid;
		p->start_stack = stack->start_stack;
	}
	memmove(&set[1], &set[0], at * sizeof(*set));
	set[0] = p;
	return p;
}

/* Reads the process's map, but not too often; false: not now. */
static bool look_at(struct symbols *s, struct process *p)
{
	uint64_t time = now();

	if (p->read_at && time - p->read_at < RETRY_NS)
		return false;
	p->read_at = time;
	read_maps(s, p);
	return true;
}

/*
 * All files that a process has now. It may have more than there is room for; then what was met
 * before is forgotten, and the rest is not met.
 */
static void meet_files(struct symbols *s, uint32_t pid)
{
	struct process p = {.pid = pid};
	unsigned int generation;

	read_maps(s, &p);
	generation = s->generation;
	for (size_t i = 0; i < p.maps.n && s->generation == generation; i++)
		module_of(s, &p, &p.maps.items[i]);
	process_done(&p);
}

static bool asked_lately(struct symbols *s, const unsigned char *id, uint32_t pid)
{
	struct question *q = &s->asked[(build_id_place(id) ^ pid) % ASKED];
	uint64_t time = now();

	if (q->pid == pid && !memcmp(q->build_id, id, ELF_BUILD_ID_BYTES) &&
	    time - q->at < RETRY_NS)
		return true;
	q->pid = pid;
	q->at = time;
	memcpy(q->build_id, id, ELF_BUILD_ID_BYTES);
	return false;
}

/* What a process shows may be much, and of what it shows nothing: it gets a tenth of the time. */
static struct walk *walk_begin(struct symbols *s, uint32_t pid)
{
	struct walk *w = &s->walks[pid % ASKED];
	uint64_t time = now(), window = w->spent * 10 > RETRY_NS ? w->spent * 10 : RETRY_NS;

	if (w->pid != pid || time - w->began > window)
		*w = (struct walk){.pid = pid, .began = time};
	return w->spent < RETRY_NS / 10 ? w : NULL;
}

/* Among the files of a process; NULL: it is not there, or not now. */
static struct module *find_among_files(struct symbols *s, uint32_t pid, const unsigned char *id)
{
	struct module *found = NULL;
	struct walk *w;

	if (!pid || asked_lately(s, id, pid))
		return NULL;
	/* Twice: an exec may come between its map and the files there. */
	for (int i = 0; i < 2 && !found && (w = walk_begin(s, pid)); i++) {
		uint64_t began = now();

		meet_files(s, pid);
		w->spent += now() - began;
		found = find_build_id(s, id);
	}
	return found;
}

/* ---- frames --------------------------------------------------------------------------------- */

/* Frames are many: printf() would take most of the time. */
static const char digits[] = "0123456789abcdef";

static void add_hex(const unsigned char *bytes, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		buf_char(out, digits[bytes[i] >> 4]);
		buf_char(out, digits[bytes[i] & 15]);
	}
}

/* "+0x12" */
static void add_distance(uint64_t n, struct buf *out)
{
	char text[16];
	size_t at = sizeof(text);

	do
		text[--at] = digits[n & 15];
	while (n >>= 4);
	buf_add(out, "+0x", 3);
	buf_add(out, text + at, sizeof(text) - at);
}

/*
 * A function, or else the place in the file. Frames but the innermost have the address behind a
 * call, which may be another function's already.
 */
static void add_place(const struct elf *e, const char *path, uint64_t offset, bool innermost,
		      struct buf *out)
{
	uint64_t distance, back = innermost || !offset ? 0 : 1;
	const char *name = e ? elf_function(e, offset - back, &distance) : NULL;

	if (!name) {
		buf_str(out, path);
		add_distance(offset, out);
		return;
	}
	buf_add(out, name, strnlen(name, MAX_NAME));
	add_distance(distance + back, out);
	buf_str(out, " (");
	buf_str(out, path);
	buf_char(out, ')');
}

static void add_build_id_frame(struct symbols *s, const struct g_user_stack *stack,
			       const struct g_stack_frame *f, bool innermost, struct buf *out)
{
	struct module *m;

	/* Of an address between files the kernel gives the next file, and a place before or behind
	 * it. */
	if (f->where > INT64_MAX)
		return;
	m = find_build_id(s, f->build_id);
	m = m ?: find_among_files(s, stack->pid, f->build_id);
	m = m ?: find_among_files(s, stack->parent, f->build_id);
	if (m && f->where < m->size)
		add_place(m->elf, m->path, f->where, innermost, out);
	if (m)
		return;
	buf_str(out, "build-id:");
	add_hex(f->build_id, sizeof(f->build_id), out);
	add_distance(f->where, out);
}

/* What is no frame pointer is often taken for one: no process has anything there. */
static bool may_be_mapped(uint64_t address)
{
	return address >= 4096 && address < 1ull << 56;
}

static void add_address_frame(struct symbols *s, const struct g_user_stack *stack, uint64_t address,
			      bool innermost, struct buf *out)
{
	struct process *p = process_of(s, stack);
	const struct mapping *at = maps_find(&p->maps, address);
	struct module *m;

	if (!at && may_be_mapped(address) && look_at(s, p))
		at = maps_find(&p->maps, address);
	if (!at || !*at->path) {
		buf_printf(out, "0x%" PRIx64, address);
		return;
	}
	m = module_of(s, p, at);
	add_place(m ? m->elf : NULL, at->path, address - at->start + at->offset, innermost, out);
}

/* The bytes as a stack; returns the number of its frames. */
static size_t read_stack(const void *bytes, size_t len, struct g_user_stack *ret)
{
	size_t n;

	*ret = (struct g_user_stack){0};
	if (len < offsetof(struct g_user_stack, frames))
		return 0;
	memcpy(ret, bytes, len < sizeof(*ret) ? len : sizeof(*ret));
	n = (len - offsetof(struct g_user_stack, frames)) / sizeof(ret->frames[0]);
	return n < G_STACK_FRAMES ? n : G_STACK_FRAMES;
}

size_t symbols_stack(struct symbols *s, const void *bytes, size_t len, struct buf *out)
{
	_cleanup_(buf_done) struct buf text = {.max = 2048};
	struct g_user_stack stack;
	size_t n = read_stack(bytes, len, &stack), shown = 0, there = 0;

	for (size_t i = 0; i < n; i++) {
		const struct g_stack_frame *f = &stack.frames[i];

		buf_clear(&text);
		if (f->status == G_FRAME_BUILD_ID)
			add_build_id_frame(s, &stack, f, !i, &text);
		else if (f->status == G_FRAME_ADDRESS && f->where)
			add_address_frame(s, &stack, f->where, !i, &text);
		if (!text.len)
			continue;
		there++;
		if (shown == there - 1 && buf_reserve(out, text.len + 1)) {
			buf_add(out, buf_cstr(&text), text.len + 1);
			shown++;
		}
	}
	return there - shown;
}

/* ---- files of a stack ----------------------------------------------------------------------- */

/* Found without a look at a process: that was taken for the stack's own text. */
static const struct module *known_module(struct symbols *s, const struct g_user_stack *stack,
					 const struct g_stack_frame *f)
{
	const struct mapping *at;
	struct process *p;

	if (f->status == G_FRAME_BUILD_ID)
		return find_build_id(s, f->build_id);
	if (f->status != G_FRAME_ADDRESS)
		return NULL;
	p = process_of(s, stack);
	at = maps_find(&p->maps, f->where);
	return at ? module_of(s, p, at) : NULL;
}

static bool is_among(const struct module *const *all, size_t n, const struct module *m)
{
	for (size_t i = 0; i < n; i++)
		if (all[i] == m)
			return true;
	return false;
}

size_t symbols_files(struct symbols *s, const void *bytes, size_t len, struct buf *out)
{
	_cleanup_(buf_done) struct buf text = {.max = 2048};
	const struct module *met[G_STACK_FRAMES];
	struct g_user_stack stack;
	size_t n = read_stack(bytes, len, &stack), n_met = 0, left = 0;

	for (size_t i = 0; i < n; i++) {
		const struct module *m = known_module(s, &stack, &stack.frames[i]);

		if (!m || !m->elf || !elf_build_id(m->elf) || is_among(met, n_met, m))
			continue;
		met[n_met++] = m;
		buf_clear(&text);
		add_hex(elf_build_id(m->elf), ELF_BUILD_ID_BYTES, &text);
		buf_char(&text, ' ');
		buf_str(&text, m->path);
		if (!left && buf_reserve(out, text.len + 1))
			buf_add(out, buf_cstr(&text), text.len + 1);
		else
			left++;
	}
	return left;
}
