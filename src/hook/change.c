// SPDX-License-Identifier: Apache-2.0
#include "hook/change.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "containers/hostfs.h"

#define CONTEXT 3 /* lines around a difference */

void changes_init(struct changes *cs, const char *root)
{
	*cs = (struct changes){.root = root};
}

void changes_done(struct changes *cs)
{
	for (size_t i = 0; i < cs->n; i++) {
		buf_done(&cs->items[i]->before);
		buf_done(&cs->items[i]->after);
		free(cs->items[i]->path);
		free(cs->items[i]);
	}
	free(cs->items);
	*cs = (struct changes){0};
}

/* ---- reading --------------------------------------------------------------------- */

/* The folder that path lies in, as a new string; *ret_name is what is behind it. */
static char *folder_of(const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');

	*ret_name = slash + 1;
	return xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static int read_file(const char *root, struct change *c)
{
	const char *name;
	_cleanup_(freep) char *folder = folder_of(c->path, &name);
	_cleanup_(closep) int fd = host_open(root, folder, O_PATH | O_DIRECTORY);

	if (fd < 0)
		return fd;
	if (fstatat(fd, name, &c->st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	if (S_ISLNK(c->st.st_mode))
		return -ELOOP;
	return host_read(root, c->path, &c->before);
}

int change_file(struct changes *cs, const char *path, struct change **ret, struct err *err)
{
	struct change *c = xnew(struct change);
	int r;

	*grow(&cs->items, &cs->n, &cs->room) = c;
	c->path = xstrdup(path);
	buf_init(&c->before, MAX_CONFIG_BYTES);
	buf_init(&c->after, MAX_CONFIG_BYTES);
	r = read_file(cs->root, c);
	if (r && r != -ENOENT)
		return err_set(err, r, "reading %s%s: %s", cs->root, path,
			       r == -ELOOP ? "it is a symbolic link" : strerror(-r));
	c->existed = !r;
	*ret = c;
	return 0;
}

bool change_is_one(const struct change *c)
{
	return c->existed != c->exists ||
	       (c->exists && (c->before.len != c->after.len ||
			      memcmp(c->before.data, c->after.data, c->after.len)));
}

size_t changes_count(const struct changes *cs)
{
	size_t n = 0;

	for (size_t i = 0; i < cs->n; i++)
		n += change_is_one(cs->items[i]);
	return n;
}

/* ---- showing --------------------------------------------------------------------- */

struct text_lines {
	const char **at; /* n, and the end */
	size_t n, room;
};

static struct text_lines cut(struct buf *b)
{
	struct text_lines l = {0};
	const char *p = buf_cstr(b), *end = p + b->len;

	while (p < end) {
		const char *newline = memchr(p, '\n', (size_t)(end - p));

		*grow(&l.at, &l.n, &l.room) = p;
		p = newline ? newline + 1 : end;
	}
	*grow(&l.at, &l.n, &l.room) = end;
	l.n--;
	return l;
}

static size_t line_len(const struct text_lines *l, size_t i)
{
	return (size_t)(l->at[i + 1] - l->at[i]);
}

static bool same_line(const struct text_lines *a, size_t i, const struct text_lines *b, size_t j)
{
	return line_len(a, i) == line_len(b, j) && !memcmp(a->at[i], b->at[j], line_len(a, i));
}

static void show_lines(const struct text_lines *l, size_t from, size_t to, char sign, FILE *out)
{
	for (size_t i = from; i < to; i++) {
		size_t len = line_len(l, i);

		fputc(sign, out);
		fwrite(l->at[i], 1, len, out);
		if (l->at[i][len - 1] != '\n')
			fputs("\n\\ No newline at end of file\n", out);
	}
}

/* All differences as one hunk: what is changed lies together. */
static void show_hunk(const struct text_lines *a, const struct text_lines *b, FILE *out)
{
	size_t head = 0, tail = 0, from, to;

	while (head < a->n && head < b->n && same_line(a, head, b, head))
		head++;
	while (tail < a->n - head && tail < b->n - head &&
	       same_line(a, a->n - 1 - tail, b, b->n - 1 - tail))
		tail++;
	from = head > CONTEXT ? head - CONTEXT : 0;
	to = tail > CONTEXT ? tail - CONTEXT : 0; /* lines left out at the end */
	fprintf(out, "@@ -%zu,%zu +%zu,%zu @@\n", a->n - to > from ? from + 1 : 0, a->n - to - from,
		b->n - to > from ? from + 1 : 0, b->n - to - from);
	show_lines(a, from, head, ' ', out);
	show_lines(a, head, a->n - tail, '-', out);
	show_lines(b, head, b->n - tail, '+', out);
	show_lines(a, a->n - tail, a->n - to, ' ', out);
}

void changes_show(const struct changes *cs, FILE *to)
{
	for (size_t i = 0; i < cs->n; i++) {
		struct change *c = cs->items[i];
		struct text_lines a, b;

		if (!change_is_one(c))
			continue;
		a = cut(&c->before);
		b = cut(&c->after);
		fprintf(to, "--- %s%s\n", c->existed ? cs->root : "",
			c->existed ? c->path : "/dev/null");
		fprintf(to, "+++ %s%s\n", c->exists ? cs->root : "",
			c->exists ? c->path : "/dev/null");
		show_hunk(&a, &b, to);
		free(a.at);
		free(b.at);
	}
}

/* ---- making ---------------------------------------------------------------------- */

/* Opens a folder below the root, made with those above it where it is not there. */
static int make_folder(const char *root, const char *path)
{
	const char *name;
	_cleanup_(freep) char *above = folder_of(path, &name);
	_cleanup_(closep) int fd = -1;
	int r = host_open(root, path, O_RDONLY | O_DIRECTORY);

	if (r != -ENOENT || !*name)
		return r;
	fd = make_folder(root, above);
	if (fd < 0)
		return fd;
	if (mkdirat(fd, name, 0755) && errno != EEXIST)
		return -errno;
	return host_open(root, path, O_RDONLY | O_DIRECTORY);
}

static int write_all(int fd, const char *text, size_t len)
{
	while (len) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return fsync(fd) ? -errno : 0;
}

int change_write(int folder_fd, const char *name, const char *text, size_t len,
		 const struct stat *like)
{
	_cleanup_(freep) char *temporary = xasprintf(".%s.ig-%d", name, getpid());
	_cleanup_(closep) int fd = openat(
		folder_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = write_all(fd, text, len);
	if (!r && like && fchown(fd, like->st_uid, like->st_gid))
		r = -errno;
	if (!r && fchmod(fd, like ? like->st_mode & 07777 : 0644))
		r = -errno;
	if (!r && renameat(folder_fd, temporary, folder_fd, name))
		r = -errno;
	if (r)
		unlinkat(folder_fd, temporary, 0);
	return r;
}

static int make(const struct changes *cs, struct change *c)
{
	const char *name;
	_cleanup_(freep) char *folder = folder_of(c->path, &name);
	_cleanup_(closep) int fd = make_folder(cs->root, folder);

	if (fd < 0)
		return fd;
	if (!c->exists)
		return unlinkat(fd, name, 0) ? -errno : 0;
	return change_write(fd, name, buf_cstr(&c->after), c->after.len,
			    c->existed ? &c->st : NULL);
}

int changes_make(const struct changes *cs, struct err *err)
{
	for (size_t i = 0; i < cs->n; i++) {
		struct change *c = cs->items[i];
		int r = change_is_one(c) ? make(cs, c) : 0;

		if (r)
			return err_set(err, r, "changing %s%s: %s", cs->root, c->path,
				       strerror(-r));
	}
	return 0;
}
