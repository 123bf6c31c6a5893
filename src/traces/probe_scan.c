// SPDX-License-Identifier: Apache-2.0
#include "traces/probe_scan.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "gadget/gadget.h"
#include "gadget/probe.h"
#include "symbols/elf.h"
#include "symbols/file.h"
#include "symbols/library.h"
#include "symbols/maps.h"

#if defined(__x86_64__)
#define TRIPLET "x86_64-linux-gnu" /* Debian's and Ubuntu's folders are named so */
#elif defined(__aarch64__)
#define TRIPLET "aarch64-linux-gnu"
#endif

static const char *const folders[] = {
	"/lib",
	"/lib64",
	"/usr/lib",
	"/usr/lib64",
	"/usr/local/lib",
	"/usr/local/lib64",
	"/lib/" TRIPLET,
	"/usr/lib/" TRIPLET,
	"/usr/local/lib/" TRIPLET,
	"/lib/" TRIPLET "/nss",
	"/usr/lib/" TRIPLET "/nss",
};

/* A process of the host's /proc. */
struct process {
	uint32_t pid;
	uint64_t mntns;
};

struct scan {
	struct probe_scan *in;
	struct process *processes;
	size_t n_processes, room_processes;
	const char **libraries, **symbols; /* of each probe */
	uint64_t *places;		   /* of each probe's symbol, in the file that is met */
	size_t n_probes;

	/* Of the place that is looked at: */
	const struct probe_place *place;
	int root;
	struct seen {
		dev_t dev;
		ino_t inode;
	} seen[array_size(folders)];
	size_t n_seen;
	size_t n_names; /* that were read of its folders */
};

/* ---- words ----------------------------------------------------------------------- */

union control {
	struct cmsghdr head;
	char bytes[CMSG_SPACE(2 * sizeof(int))];
};

/* With the first of these descriptors that are not -1. */
static void say(const struct scan *s, struct probe_word word, int a, int b)
{
	size_t n = a < 0 ? 0 : b < 0 ? 1 : 2;
	union control control = {.head = {.cmsg_level = SOL_SOCKET,
					  .cmsg_type = SCM_RIGHTS,
					  .cmsg_len = CMSG_LEN(n * sizeof(int))}};
	struct iovec bytes = {&word, sizeof(word)};
	struct msghdr m = {.msg_iov = &bytes, .msg_iovlen = 1};

	if (n) {
		m.msg_control = &control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		memcpy(CMSG_DATA(&control.head), (int[]){a, b}, n * sizeof(int));
	}
	while (sendmsg(s->in->socket, &m, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			_exit(1); /* nobody listens */
}

int probe_scan_hear(int socket, struct probe_word *ret, int ret_fds[2])
{
	union control control;
	struct iovec bytes = {ret, sizeof(*ret)};
	struct msghdr m = {.msg_iov = &bytes,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(socket, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;

	ret_fds[0] = ret_fds[1] = -1;
	if (n < 0)
		return errno == EINTR || errno == EAGAIN ? -EAGAIN : 0;
	c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len <= CMSG_LEN(2 * sizeof(int)))
		memcpy(ret_fds, CMSG_DATA(c), c->cmsg_len - CMSG_LEN(0));
	return n == sizeof(*ret);
}

/* ---- files ----------------------------------------------------------------------- */

static int open_below(int root, const char *path, uint64_t flags)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};

	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/* What is opened before it is known to be a file may be a device, which feels it. */
static int open_regular(int root, const char *path)
{
	_cleanup_(closep) int at = open_below(root, path, O_PATH);
	struct stat st;
	char again[40];

	if (at < 0 || fstat(at, &st) || !S_ISREG(st.st_mode))
		return -1;
	snprintf(again, sizeof(again), "/proc/self/fd/%d", at);
	return open(again, O_RDONLY | O_CLOEXEC);
}

/* The probes that are for this library (NULL: all) and of which the file has the function. */
static size_t find_places(struct scan *s, int fd, const char *name)
{
	const struct elf_input in = {.fd = fd};
	size_t n = 0;

	elf_places(&in, s->symbols, s->n_probes, s->places);
	for (size_t i = 0; i < s->n_probes; i++) {
		if (name && !library_is(name, s->libraries[i]))
			s->places[i] = 0;
		n += s->places[i] != 0;
	}
	return n;
}

static void attach(struct scan *s, uint64_t file, int fd)
{
	struct probe_word word = {.place = s->place->key, .file = file};

	for (size_t i = 0; i < s->n_probes; i++) {
		struct gadget_probe_fds probe = {-1, -1};

		if (!s->places[i])
			continue;
		word.error = gadget_probe_open(s->in->gadget, i, fd, s->places[i], &probe);
		word.kind = word.error ? PROBE_REFUSED : PROBE_OPENED;
		say(s, word, probe.hold, probe.event);
		closep(&probe.event);
		closep(&probe.hold);
	}
}

/* A file that is met first and has the functions. Takes over its descriptor. */
static void meet_new(struct scan *s, int fd, const char *name)
{
	struct probe_scan *in = s->in;
	struct probe_word word = {.place = s->place->key};

	if (!find_places(s, fd, name)) {
		close(fd);
		return;
	}
	if (in->n_files >= MAX_PROBED_FILES) {
		close(fd);
		word.kind = PROBE_REFUSED;
		word.error = -ENOSPC;
		say(s, word, -1, -1);
		return;
	}
	word.kind = PROBE_FILE;
	word.file = in->next_id++;
	*grow(&in->files, &in->n_files, &in->room_files) = (struct probe_file){word.file, fd};
	say(s, word, fd, -1);
	attach(s, word.file, fd);
	word.kind = PROBE_USES;
	say(s, word, -1, -1);
}

/* Takes over the descriptor of a file that the place has. name: NULL for a program. */
static void meet(struct scan *s, int fd, const char *name)
{
	const struct probe_scan *in = s->in;

	if (fd < 0 || file_may_hang(fd)) {
		closep(&fd);
		return;
	}
	for (size_t i = 0; i < in->n_files; i++) {
		if (!file_is_same(fd, in->files[i].fd))
			continue;
		close(fd);
		say(s,
		    (struct probe_word){
			    .kind = PROBE_USES, .place = s->place->key, .file = in->files[i].id},
		    -1, -1);
		return;
	}
	meet_new(s, fd, name);
}

static bool is_wanted(const struct scan *s, const char *name)
{
	for (size_t i = 0; i < s->n_probes; i++)
		if (library_is(name, s->libraries[i]))
			return true;
	return false;
}

/* ---- folders --------------------------------------------------------------------- */

/* Many names of folders are links to one. */
static bool was_seen(struct scan *s, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return true;
	for (size_t i = 0; i < s->n_seen; i++)
		if (s->seen[i].dev == st.st_dev && s->seen[i].inode == st.st_ino)
			return true;
	s->seen[s->n_seen++] = (struct seen){st.st_dev, st.st_ino};
	return false;
}

static void look_in_folder(struct scan *s, const char *folder)
{
	int fd = open_below(s->root, folder, O_RDONLY | O_DIRECTORY);
	DIR *dir = fd >= 0 && !file_may_hang(fd) && !was_seen(s, fd) ? fdopendir(fd) : NULL;
	struct dirent *entry;

	if (!dir) {
		closep(&fd);
		return;
	}
	while (s->n_names < MAX_LIBRARY_NAMES && (entry = readdir(dir))) {
		s->n_names++;
		if (is_wanted(s, entry->d_name)) {
			_cleanup_(freep) char *path = xasprintf("%s/%s", folder, entry->d_name);

			meet(s, open_regular(s->root, path), entry->d_name);
		}
	}
	closedir(dir);
}

static void look_at_binaries(struct scan *s)
{
	const char *list = gadget_text_value(s->in->gadget, "binary");
	_cleanup_(freep) char **paths = NULL;
	size_t n = split(list ?: "", ',', false, &paths);

	for (size_t i = 0; i < n; i++)
		meet(s, open_regular(s->root, paths[i]), NULL);
}

/* ---- processes ------------------------------------------------------------------- */

static uint64_t mntns_of(const struct scan *s, const char *pid)
{
	char path[40];
	struct stat st;

	snprintf(path, sizeof(path), "%.10s/ns/mnt", pid);
	return fstatat(s->in->proc, path, &st, 0) ? 0 : st.st_ino;
}

static void list_processes(struct scan *s)
{
	int fd = openat(s->in->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	uint64_t pid;

	while (dir && (entry = readdir(dir)))
		if (!parse_u64(entry->d_name, &pid) && pid <= INT32_MAX)
			*grow(&s->processes, &s->n_processes, &s->room_processes) =
				(struct process){(uint32_t)pid, mntns_of(s, entry->d_name)};
	if (dir)
		closedir(dir);
}

static void look_at_mapping(struct scan *s, uint32_t pid, const struct mapping *m)
{
	const char *slash = strrchr(m->path, '/');
	_cleanup_(freep) char *name = NULL;
	char *deleted, path[80];

	if (!m->inode || !slash)
		return;
	name = xstrdup(slash + 1);
	deleted = strstr(name, " (deleted)");
	if (deleted)
		*deleted = '\0';
	if (!is_wanted(s, name))
		return;
	snprintf(path, sizeof(path), "%u/map_files/%" PRIx64 "-%" PRIx64, pid, m->start, m->end);
	meet(s, openat(s->in->proc, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY), name);
}

static void look_at_process(struct scan *s, uint32_t pid)
{
	_cleanup_(buf_done) struct buf text;
	struct maps maps;
	char path[32];

	buf_init(&text, MAX_PROC_FILE_BYTES);
	snprintf(path, sizeof(path), "%u/maps", pid);
	if (buf_read_file(&text, s->in->proc, path))
		return;
	buf_cstr(&text);
	maps_parse(take(text.data), &maps);
	for (size_t i = 0; i < maps.n; i++)
		look_at_mapping(s, pid, &maps.items[i]);
	maps_done(&maps);
}

/* ---- places ---------------------------------------------------------------------- */

static bool same_folder(const struct scan *s, int a, const char *b)
{
	struct stat x, y;

	return !fstat(a, &x) && !fstatat(s->in->proc, b, &y, 0) && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/*
 * The root that a process of the place has. One that a runtime is about to start may be in the
 * container's mount namespace and have the host's root still: -1.
 */
static int open_root(const struct scan *s, uint32_t pid)
{
	int fd;
	char path[32];

	snprintf(path, sizeof(path), "%u", pid);
	if (mntns_of(s, path) != s->place->mntns)
		return -1;
	snprintf(path, sizeof(path), "%u/root", pid);
	fd = openat(s->in->proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && !s->place->host && same_folder(s, fd, "1/root")) {
		close(fd);
		return -1;
	}
	return fd;
}

static void look_at(struct scan *s, const struct probe_place *place)
{
	s->place = place;
	s->n_seen = s->n_names = 0;
	s->root = open_root(s, place->pid);
	for (size_t i = 0; i < s->n_processes && s->root < 0; i++)
		if (s->processes[i].mntns == place->mntns)
			s->root = open_root(s, s->processes[i].pid);
	for (size_t i = 0; s->root >= 0 && i < array_size(folders); i++)
		look_in_folder(s, folders[i]);
	if (s->root >= 0)
		look_at_binaries(s);
	for (size_t i = 0; i < s->n_processes; i++)
		if (s->processes[i].mntns == place->mntns)
			look_at_process(s, s->processes[i].pid);
	say(s, (struct probe_word){.kind = PROBE_DONE, .place = place->key, .rooted = s->root >= 0},
	    -1, -1);
	closep(&s->root);
}

static void keep_own(const struct probe_scan *in)
{
	size_t n = 0, most = in->n_files + gadget_n_probes(in->gadget) + 2;
	int *fds = xnew_n(int, most);

	fds[n++] = in->socket;
	fds[n++] = in->proc;
	for (size_t i = 0; i < in->n_files; i++)
		fds[n++] = in->files[i].fd;
	for (size_t i = 0; i < gadget_n_probes(in->gadget); i++)
		fds[n++] = gadget_probe_program(in->gadget, i);
	child_sort(fds, n);
	child_keep_only(fds, n);
	free(fds);
}

_Noreturn void probe_scan_run(struct probe_scan *in)
{
	struct scan s = {.in = in, .n_probes = gadget_n_probes(in->gadget), .root = -1};

	child_reset_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	keep_own(in);
	say(&s, (struct probe_word){.kind = PROBE_READY}, -1, -1);
	s.libraries = xnew_n(const char *, s.n_probes);
	s.symbols = xnew_n(const char *, s.n_probes);
	s.places = xnew_n(uint64_t, s.n_probes);
	for (size_t i = 0; i < s.n_probes; i++) {
		s.libraries[i] = gadget_probe(in->gadget, i).library;
		s.symbols[i] = gadget_probe(in->gadget, i).symbol;
	}
	list_processes(&s);
	for (size_t i = 0; i < in->n_places; i++)
		look_at(&s, &in->places[i]);
	_exit(0);
}
