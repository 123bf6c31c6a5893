// SPDX-License-Identifier: Apache-2.0
/* net/address, net/resolve: texts, and sockets of this machine. */
#include "net/address.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/mem.h"
#include "net/resolve.h"

static const struct {
	const char *text, *path, *host;
	unsigned int port;
	bool is_loopback;
} good[] = {
	{"unix:///run/x.socket", "/run/x.socket", NULL, 0, true},
	{"unix:/run/x.socket", "/run/x.socket", NULL, 0, true},
	{"unix:x.socket", "x.socket", NULL, 0, true},
	{"/run/x.socket", "/run/x.socket", NULL, 0, true},
	{"tcp://127.0.0.1:80", NULL, "127.0.0.1", 80, true},
	{"tcp://127.9.9.9:1", NULL, "127.9.9.9", 1, true},
	{"tcp://[::1]:65535", NULL, "::1", 65535, true},
	{"tcp://localhost:0", NULL, "localhost", 0, true},
	{"tcp://localhost.example.org:1", NULL, "localhost.example.org", 1, false},
	{"tcp://10.0.0.1:2000", NULL, "10.0.0.1", 2000, false},
	{"tcp://[fe80::1]:2000", NULL, "fe80::1", 2000, false},
	{"tcp://:2000", NULL, "", 2000, false},
};

static const char *const bad[] = {
	"",
	"unix:",
	"unix://",
	"unix://host/x",
	"unix:///",
	"/",
	"/run/",
	"x.socket",
	"tcp://",
	"tcp://host",
	"tcp://host:",
	"tcp://host:x",
	"tcp://host:-1",
	"tcp://host:65536",
	"tcp://host: 1",
	"tcp://::1:80",
	"tcp://[::1]",
	"tcp://[]:80",
	"tcp://[::1:80",
	"tcp://a b:80",
	"tcp://a/b:80",
	"tcp://a@b:80",
	"http://host:80",
	"tcp://h\xc3\xa4:99999",
	"tcp://[a]b:80",
};

static void test_texts(void **state)
{
	struct address a;
	struct err err;

	for (size_t i = 0; i < array_size(good); i++) {
		assert_int_equal(address_parse(good[i].text, &a, NULL), 0);
		assert_string_equal(a.path ? a.path : "-", good[i].path ? good[i].path : "-");
		assert_string_equal(a.host ? a.host : "-", good[i].host ? good[i].host : "-");
		assert_int_equal(a.port, good[i].port);
		assert_int_equal(address_is_loopback(&a), good[i].is_loopback);
		address_done(&a);
	}
	for (size_t i = 0; i < array_size(bad); i++) {
		if (!address_parse(bad[i], &a, &err))
			print_error("'%s' is taken\n", bad[i]);
		assert_int_equal(address_parse(bad[i], &a, &err), -EINVAL);
		assert_non_null(strstr(err.text, bad[i]));
	}
}

static int listen_at(const char *text, const struct listen_options *o, struct err *err)
{
	struct address a;
	int fd;

	assert_int_equal(address_parse(text, &a, NULL), 0);
	fd = address_listen(&a, o, err);
	address_done(&a);
	return fd;
}

static int connect_to(const char *text, uint64_t timeout_ns, struct err *err)
{
	struct address a;
	int fd;

	assert_int_equal(address_parse(text, &a, NULL), 0);
	fd = address_connect(&a, timeout_ns, err);
	address_done(&a);
	return fd;
}

static bool does_not_block(int fd)
{
	return fcntl(fd, F_GETFL) & O_NONBLOCK && fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static void expect_mode(const char *path, mode_t mode)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
	assert_int_equal(st.st_gid, 12);
}

static void test_unix(void **state)
{
	const struct listen_options o = {.folder_mode = 0750, .socket_mode = 0660, .group = 12};
	char folder[] = "/tmp/test_address.XXXXXX", deep[80], path[100], text[120];
	struct err err;
	int fd, client;

	assert_non_null(mkdtemp(folder));
	snprintf(deep, sizeof(deep), "%s/made", folder);
	snprintf(path, sizeof(path), "%s/socket", deep);
	snprintf(text, sizeof(text), "unix://%s", path);
	assert_int_equal(connect_to(text, 0, &err), -ENOENT);
	for (int i = 0; i < 2; i++) { /* the second finds the file of the first */
		fd = listen_at(text, &o, &err);
		assert_true(fd >= 0 && does_not_block(fd));
		expect_mode(deep, 0750);
		expect_mode(path, 0660);
		assert_int_equal(listen_at(text, &o, &err), -EADDRINUSE);
		client = connect_to(text, 0, &err);
		assert_true(client >= 0 && does_not_block(client));
		close(client);
		close(fd);
		assert_int_equal(connect_to(text, 0, &err), -ECONNREFUSED);
	}
	assert_int_equal(unlink(path), 0);
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	assert_int_equal(listen_at(text, &o, &err), -EEXIST); /* and is left alone */
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(deep), 0);
	assert_int_equal(listen_at("/nowhere/made/socket", &o, &err), -ENOENT);
	assert_int_equal(rmdir(folder), 0);
}

/* A path that a sockaddr_un cannot hold. */
static void test_long_path(void **state)
{
	const struct listen_options o = {0700, 0600, (gid_t)-1};
	char folder[] = "/tmp/test_address.XXXXXX", path[180];
	struct err err;
	int fd;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/%0100d/socket", folder, 0);
	fd = listen_at(path, &o, &err);
	assert_true(fd >= 0);
	close(connect_to(path, 0, &err));
	assert_int_equal(listen_at(path, &o, &err), -EADDRINUSE);
	close(fd);
	assert_int_equal(unlink(path), 0);
	*strrchr(path, '/') = '\0';
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* A server that does not accept is waited for as long as was said. */
static void test_timeout(void **state)
{
	const struct listen_options o = {0700, 0600, (gid_t)-1};
	char folder[] = "/tmp/test_address.XXXXXX", path[60];
	struct timespec begun, now;
	int clients[200], n = 0, fd;
	struct err err;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	fd = listen_at(path, &o, &err);
	do
		clients[n] = connect_to(path, 0, &err);
	while (clients[n] >= 0 && ++n < 200);
	assert_int_equal(clients[n], -ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &begun);
	assert_int_equal(connect_to(path, 100000000, &err), -ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_true((now.tv_sec - begun.tv_sec) * 1000 + (now.tv_nsec - begun.tv_nsec) / 1000000 >=
		    99);
	while (n--)
		close(clients[n]);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void test_tcp(void **state)
{
	static const char *const hosts[] = {"127.0.0.1", "[::1]", "localhost", ""};
	const struct listen_options o = {0};
	struct sockaddr_in6 at;
	struct err err;
	char text[60];

	for (size_t i = 0; i < array_size(hosts); i++) {
		socklen_t n = sizeof(at);
		int fd, client;

		snprintf(text, sizeof(text), "tcp://%s:0", hosts[i]);
		fd = listen_at(text, &o, &err);
		assert_true(fd >= 0 && does_not_block(fd));
		assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &n), 0);
		snprintf(text, sizeof(text), "tcp://%s:%u", hosts[i], ntohs(at.sin6_port));
		assert_int_equal(listen_at(text, &o, &err), -EADDRINUSE);
		client = connect_to(text, 1000000000, &err);
		assert_true(client >= 0 && does_not_block(client));
		assert_true(address_tune(client));
		close(client);
		close(fd);
		assert_int_equal(connect_to(text, 1000000000, &err), -ECONNREFUSED);
	}
}

static void test_resolve(void **state)
{
	struct sockaddr_storage found[RESOLVE_MAX];
	const struct sockaddr_in *four = (const struct sockaddr_in *)&found[0];
	struct err err;
	int n;

	assert_int_equal(resolve("10.1.2.3", 80, found, &err), 1);
	assert_int_equal(four->sin_family, AF_INET);
	assert_int_equal(ntohl(four->sin_addr.s_addr), 0x0a010203);
	assert_int_equal(ntohs(four->sin_port), 80);
	n = resolve("LocalHost", 81, found, &err);
	assert_true(n >= 1);
	for (int i = 0; i < n; i++)
		assert_true(found[i].ss_family == AF_INET || found[i].ss_family == AF_INET6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),	  cmocka_unit_test(test_unix),
		cmocka_unit_test(test_long_path), cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_tcp),	  cmocka_unit_test(test_resolve),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
