// SPDX-License-Identifier: Apache-2.0
#include "recorder/set.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "recorder/format.h"

#define NEXT_ROW_BYTES (ROW_MAX_BYTES + 4096) /* more than one more row can add to a file */

static const char name_form[] = "00000000T000000.000000Z.rec";

struct record_set {
	struct record_set_options o;
	struct set_source {
		struct schema *schema;
		unsigned int kind;
	} * sources;
	size_t n_sources, room_sources;
	struct record_writer *writer; /* NULL: none is open */
	uint64_t begun_ns;	      /* CLOCK_BOOTTIME */
	uint64_t last_us;	      /* Unix time by which the last file was named */
	int error;		      /* the first, -errno */
};

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- the directory --------------------------------------------------------------- */

static bool is_ours(const char *name)
{
	size_t i = 0;

	for (; name[i] && name_form[i]; i++)
		if (name_form[i] == '0' ? !isdigit((unsigned char)name[i])
					: name[i] != name_form[i])
			return false;
	return !name[i] && !name_form[i];
}

static int by_name(const void *a, const void *b)
{
	const struct record_set_file *x = a, *y = b;

	return strcmp(x->name, y->name);
}

int record_set_list(int dir_fd, struct record_set_file **ret, size_t *ret_n)
{
	struct record_set_file *files = NULL;
	size_t n = 0, room = 0;
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct stat st;

	if (!dir) {
		int r = -errno;

		closep(&fd);
		return r;
	}
	while ((entry = readdir(dir))) {
		if (!is_ours(entry->d_name) ||
		    fstatat(dir_fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) ||
		    !S_ISREG(st.st_mode))
			continue;
		*grow(&files, &n, &room) =
			(struct record_set_file){xstrdup(entry->d_name), (uint64_t)st.st_size};
	}
	closedir(dir);
	if (n)
		qsort(files, n, sizeof(*files), by_name);
	*ret = files;
	*ret_n = n;
	return 0;
}

void record_set_list_free(struct record_set_file *files, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(files[i].name);
	free(files);
}

/* Of n files with so many bytes there is no room for another one. */
static bool too_much(const struct record_set_options *o, size_t n, uint64_t bytes)
{
	return (o->keep_bytes && bytes + o->rotate_bytes > o->keep_bytes) ||
	       (o->keep_files && n + 1 > o->keep_files);
}

static int make_place(struct record_set *s)
{
	struct record_set_file *files;
	uint64_t bytes = 0;
	size_t n, first = 0;
	int r = record_set_list(s->o.dir_fd, &files, &n);

	if (r)
		return r;
	for (size_t i = 0; i < n; i++)
		bytes += files[i].bytes;
	for (; !r && first < n && too_much(&s->o, n - first, bytes); first++) {
		const struct record_set_file *f = &files[first];

		if (unlinkat(s->o.dir_fd, f->name, 0) && errno != ENOENT)
			r = -errno;
		else if (s->o.removed)
			s->o.removed(s->o.ctx, f->name, f->bytes);
		bytes -= f->bytes;
	}
	record_set_list_free(files, n);
	return r;
}

/* ---- files ----------------------------------------------------------------------- */

static char *name_for(uint64_t unix_us)
{
	time_t seconds = (time_t)(unix_us / 1000000);
	struct tm t;
	char date[32];

	gmtime_r(&seconds, &t);
	strftime(date, sizeof(date), "%Y%m%dT%H%M%S", &t);
	return xasprintf("%s.%06uZ.rec", date, (unsigned int)(unix_us % 1000000));
}

/* A name that none has and that sorts behind the last one. */
static int open_next(struct record_set *s)
{
	uint64_t us = now_ns(CLOCK_REALTIME) / 1000;
	int fd;

	if (us <= s->last_us)
		us = s->last_us + 1;
	do {
		_cleanup_(freep) char *name = name_for(us);

		fd = openat(s->o.dir_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		s->last_us = us++;
	} while (fd < 0 && errno == EEXIST);
	return fd < 0 ? -errno : fd;
}

static void begin(struct record_set *s)
{
	int r = make_place(s), fd = r ?: open_next(s);

	if (fd < 0) {
		s->error = fd;
		return;
	}
	s->begun_ns = now_ns(CLOCK_BOOTTIME);
	r = record_writer_new(fd, &s->o.clock, &s->writer, NULL);
	for (size_t i = 0; !r && i < s->n_sources; i++) {
		unsigned int number;

		r = record_writer_source(s->writer, s->sources[i].schema, s->sources[i].kind,
					 &number, NULL);
	}
	s->error = r;
}

static void finish(struct record_set *s)
{
	int r = record_writer_close(take(s->writer), NULL);

	s->error = s->error ?: r;
}

int record_set_new(const struct record_set_options *o, struct record_set **ret, struct err *err)
{
	struct record_set_options all = *o;
	struct record_set *s;

	if (!all.rotate_bytes && all.keep_bytes)
		all.rotate_bytes =
			all.keep_bytes / 8 > SET_LEAST_BYTES ? all.keep_bytes / 8 : SET_LEAST_BYTES;
	if (all.rotate_bytes && all.rotate_bytes < SET_LEAST_BYTES)
		return err_set(err, -EINVAL, "a record file has at least %u bytes",
			       SET_LEAST_BYTES);
	if (all.keep_bytes && all.keep_bytes < all.rotate_bytes)
		return err_set(err, -EINVAL,
			       "%" PRIu64 " bytes cannot be kept in files of %" PRIu64,
			       all.keep_bytes, all.rotate_bytes);
	s = xnew(struct record_set);
	s->o = all;
	*ret = s;
	return 0;
}

int record_set_source(struct record_set *s, const struct schema *schema, unsigned int kind,
		      unsigned int *ret_source, struct err *err)
{
	if (s->n_sources == FILE_MAX_SOURCES)
		return err_set(err, -ENOSPC, "a record file holds at most %u data sources",
			       FILE_MAX_SOURCES);
	*ret_source = (unsigned int)s->n_sources;
	*grow(&s->sources, &s->n_sources, &s->room_sources) =
		(struct set_source){schema_ref((struct schema *)schema), kind};
	return 0;
}

static bool is_too_large(const struct record_set *s)
{
	return s->o.rotate_bytes &&
	       record_writer_bytes(s->writer) + NEXT_ROW_BYTES > s->o.rotate_bytes;
}

static bool is_too_old(const struct record_set *s)
{
	return s->o.rotate_ns && now_ns(CLOCK_BOOTTIME) - s->begun_ns >= s->o.rotate_ns;
}

struct record_writer *record_set_writer(struct record_set *s)
{
	if (s->writer && !record_writer_amid_table(s->writer) && (is_too_large(s) || is_too_old(s)))
		finish(s);
	if (!s->writer && !s->error)
		begin(s);
	return s->error ? NULL : s->writer;
}

int record_set_flush(struct record_set *s)
{
	if (!s->writer)
		return s->error;
	s->error = s->error ?: record_writer_flush(s->writer);
	if (!record_writer_amid_table(s->writer) && is_too_old(s))
		finish(s);
	return s->error;
}

int record_set_close(struct record_set *s, struct err *err)
{
	int r;

	if (!s)
		return 0;
	finish(s);
	r = s->error;
	for (size_t i = 0; i < s->n_sources; i++)
		schema_unref(s->sources[i].schema);
	free(s->sources);
	free(s);
	return r ? err_set(err, r, "writing record files: %s", strerror(-r)) : 0;
}
