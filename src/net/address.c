// SPDX-License-Identifier: Apache-2.0
#include "net/address.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "net/resolve.h"
#include "net/unix.h"

#define BACKLOG 128
#define RETRY_NS 10000000 /* where a server's queue is full */

/* ---- texts ----------------------------------------------------------------------- */

static int bad(const char *text, struct err *err)
{
	return err_set(err, -EINVAL, "'%s' is no address: unix:///PATH or tcp://HOST:PORT", text);
}

static int parse_tcp(const char *text, const char *host, struct address *ret, struct err *err)
{
	const char *colon = strrchr(host, ':');
	const char *end = colon;
	uint64_t port;

	if (!colon || strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    parse_u64(colon + 1, &port) || port > UINT16_MAX)
		return bad(text, err);
	if (*host == '[') {
		host++;
		if (end[-1] != ']' || --end == host)
			return bad(text, err);
	} else if (memchr(host, ':', (size_t)(end - host))) {
		return bad(text, err); /* an IPv6 address without brackets */
	}
	for (const char *c = host; c < end; c++)
		if (*c <= ' ' || strchr("/[]@\x7f", *c))
			return bad(text, err);
	ret->path = NULL;
	ret->host = xstrndup(host, (size_t)(end - host));
	ret->port = (uint16_t)port;
	return 0;
}

int address_parse(const char *text, struct address *ret, struct err *err)
{
	static const char tcp[] = "tcp://", local[] = "unix:";
	const char *path = text;

	if (str_starts(text, tcp))
		return parse_tcp(text, text + strlen(tcp), ret, err);
	if (str_starts(text, local)) {
		path += strlen(local);
		if (str_starts(path, "//"))
			path += 2;
		if (str_starts(text + strlen(local), "//") && *path != '/')
			return bad(text, err); /* unix://HOST/… */
	} else if (*path != '/') {
		return bad(text, err);
	}
	if (!*path || path[strlen(path) - 1] == '/')
		return bad(text, err);
	*ret = (struct address){.path = xstrdup(path)};
	return 0;
}

void address_done(struct address *a)
{
	free(a->path);
	free(a->host);
	*a = (struct address){0};
}

bool address_is_loopback(const struct address *a)
{
	struct in6_addr six;
	struct in_addr four;

	if (a->path || !strcmp(a->host, "localhost"))
		return true;
	if (inet_pton(AF_INET, a->host, &four) == 1)
		return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
	return inet_pton(AF_INET6, a->host, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* ---- both sides of TCP ----------------------------------------------------------- */

bool address_tune(int fd)
{
	static const struct option {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},	 {SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, 30}, {IPPROTO_TCP, TCP_KEEPINTVL, 10},
		{IPPROTO_TCP, TCP_KEEPCNT, 3},	 {IPPROTO_TCP, TCP_USER_TIMEOUT, 60000},
	};
	socklen_t size = sizeof(int);
	int domain;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) || domain == AF_UNIX)
		return false;
	for (size_t i = 0; i < array_size(options); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
	return true;
}

/* ---- listening ------------------------------------------------------------------- */

/* We have made it, at some time, or somebody has in our place; no folder that others use. */
static bool is_ours(int fd, const struct listen_options *o)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_uid == geteuid() &&
	       (st.st_mode & (mode_t)07777) == o->folder_mode;
}

/* The folder that a socket file lies in, made if need be; a descriptor or -errno. */
static int open_folder(const char *path, const struct listen_options *o)
{
	const char *slash = strrchr(path, '/');
	_cleanup_(freep) char *folder =
		slash ? xstrndup(path, slash == path ? 1 : (size_t)(slash - path)) : xstrdup(".");
	_cleanup_(closep) int fd = -1;
	bool made = !mkdir(folder, 0700);

	fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if ((made || is_ours(fd, o)) && (fchownat(fd, "", (uid_t)-1, o->group, AT_EMPTY_PATH) ||
					 (made && fchmodat(AT_FDCWD, folder, o->folder_mode, 0))))
		return -errno;
	return take_fd(&fd);
}

/* Removes a socket file that nobody listens on. */
static int remove_stale(const char *path, int folder, const char *name)
{
	struct stat st;
	int fd;

	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = unix_connect_path(path);
	if (fd >= 0)
		close(fd);
	if (fd >= 0 || fd == -EAGAIN)
		return -EADDRINUSE;
	if (fd != -ECONNREFUSED)
		return fd;
	return unlinkat(folder, name, 0) ? -errno : 0;
}

/* Nobody can connect before listen(), so the modes are right from the start. */
static int listen_unix(const char *path, const struct listen_options *o)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	_cleanup_(closep) int folder = open_folder(path, o);
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int r;

	if (folder < 0)
		return folder;
	if (fd < 0)
		return -errno;
	/* The address that others see in /proc/net/unix is the whole one where it fits. */
	if (strlen(path) < sizeof(at.sun_path))
		strncpy(at.sun_path, path, sizeof(at.sun_path) - 1);
	else if ((size_t)snprintf(at.sun_path, sizeof(at.sun_path), "/proc/self/fd/%d/%s", folder,
				  name) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	r = remove_stale(path, folder, name);
	if (r)
		return r;
	if (bind(fd, (const struct sockaddr *)&at, sizeof(at)) ||
	    fchownat(folder, name, (uid_t)-1, o->group, AT_SYMLINK_NOFOLLOW) ||
	    fchmodat(folder, name, o->socket_mode, 0) || listen(fd, BACKLOG))
		return -errno;
	return take_fd(&fd);
}

static int listen_tcp(const struct sockaddr_storage *at)
{
	_cleanup_(closep) int fd =
		socket(at->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const int on = 1, off = 0;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (at->ss_family == AF_INET6) /* [::] is all of IPv4 as well */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (const struct sockaddr *)at, sizeof(*at)) || listen(fd, BACKLOG))
		return -errno;
	return take_fd(&fd);
}

/* All addresses: by IPv6, or by IPv4 where the kernel has no other. */
static int listen_anywhere(uint16_t port)
{
	const struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	const struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_storage at = {0};
	int fd;

	memcpy(&at, &six, sizeof(six));
	fd = listen_tcp(&at);
	if (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL)
		return fd;
	at = (struct sockaddr_storage){0};
	memcpy(&at, &four, sizeof(four));
	return listen_tcp(&at);
}

int address_listen(const struct address *a, const struct listen_options *o, struct err *err)
{
	struct sockaddr_storage found[RESOLVE_MAX];
	int n, fd;

	if (a->path) {
		fd = listen_unix(a->path, o);
		return fd < 0 ? err_set(err, fd, "listening on %s: %s", a->path, strerror(-fd))
			      : fd;
	}
	if (!*a->host) {
		fd = listen_anywhere(a->port);
	} else {
		n = resolve(a->host, a->port, found, err);
		if (n < 0)
			return n;
		fd = listen_tcp(&found[0]);
	}
	return fd < 0 ? err_set(err, fd, "listening on %s:%u: %s", a->host, a->port, strerror(-fd))
		      : fd;
}

/* ---- connecting ------------------------------------------------------------------ */

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* A server that has many clients to accept already is asked again. */
static int connect_unix(const char *path, uint64_t timeout_ns)
{
	const struct timespec pause = {.tv_nsec = RETRY_NS};
	uint64_t begun = now_ns();
	int fd;

	while ((fd = unix_connect_path(path)) == -EAGAIN && now_ns() - begun < timeout_ns)
		nanosleep(&pause, NULL);
	return fd == -EAGAIN ? -ETIMEDOUT : fd;
}

/* connect(2) waits as long as a send might. */
static int connect_tcp(const struct sockaddr_storage *to, uint64_t timeout_ns)
{
	_cleanup_(closep) int fd = socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval timeout = {
		.tv_sec = (time_t)(timeout_ns / 1000000000),
		.tv_usec = (suseconds_t)(timeout_ns % 1000000000 / 1000),
	};
	int r;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)))
		return -errno;
	do
		r = connect(fd, (const struct sockaddr *)to, sizeof(*to));
	while (r && errno == EINTR);
	if (r)
		return errno == EINPROGRESS || errno == EALREADY ? -ETIMEDOUT : -errno;
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		return -errno;
	address_tune(fd);
	return take_fd(&fd);
}

int address_connect(const struct address *a, uint64_t timeout_ns, struct err *err)
{
	struct sockaddr_storage found[RESOLVE_MAX];
	int n, fd = -ENOENT;

	if (a->path) {
		fd = connect_unix(a->path, timeout_ns);
		return fd < 0 ? err_set(err, fd, "connecting to %s: %s", a->path, strerror(-fd))
			      : fd;
	}
	n = resolve(*a->host ? a->host : "localhost", a->port, found, err);
	if (n < 0)
		return n;
	for (int i = 0; i < n && fd < 0; i++)
		fd = connect_tcp(&found[i], timeout_ns);
	return fd < 0 ? err_set(err, fd, "connecting to %s:%u: %s", a->host, a->port, strerror(-fd))
		      : fd;
}

static int connect_tcp_begin(const struct sockaddr_storage *to)
{
	_cleanup_(closep) int fd =
		socket(to->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) && errno != EINPROGRESS)
		return -errno;
	address_tune(fd);
	return take_fd(&fd);
}

int address_connect_begin(const struct address *a, struct err *err)
{
	struct sockaddr_storage found[RESOLVE_MAX];
	unsigned char number[sizeof(struct in6_addr)];
	int fd;

	if (a->path ||
	    (!inet_pton(AF_INET, a->host, number) && !inet_pton(AF_INET6, a->host, number)))
		return err_set(err, -EINVAL, "not an address in numbers: %s", a->path ?: a->host);
	fd = resolve(a->host, a->port, found, err);
	if (fd < 0)
		return fd;
	fd = connect_tcp_begin(&found[0]);
	return fd < 0 ? err_set(err, fd, "connecting to %s:%u: %s", a->host, a->port, strerror(-fd))
		      : fd;
}
