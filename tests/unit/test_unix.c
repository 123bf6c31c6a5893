// SPDX-License-Identifier: Apache-2.0
/* net/unix: sockets that listen, that nobody listens on, and that are none. */
#include "net/unix.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

struct place {
	char dir[64];
	char path[512]; /* longer than a socket's address may be */
	int listener;
};

static void listen_at(struct place *p)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "socket"};
	int before = open(".", O_PATH | O_CLOEXEC);

	snprintf(p->dir, sizeof(p->dir), "/tmp/test_unix.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/%0200d", p->dir, 0);
	assert_int_equal(mkdir(p->path, 0700), 0);
	assert_int_equal(chdir(p->path), 0);
	p->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(p->listener, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(fchdir(before), 0);
	close(before);
	strcat(p->path, "/socket");
}

static void remove_all(struct place *p)
{
	close(p->listener);
	unlink(p->path);
	*strrchr(p->path, '/') = '\0';
	rmdir(p->path);
	rmdir(p->dir);
}

static void test_connect(void **state)
{
	struct place p;
	int path_fd, fd, n = 0;

	listen_at(&p);
	assert_int_equal(unix_connect_path(p.path), -ECONNREFUSED); /* nobody listens yet */
	assert_int_equal(listen(p.listener, 1), 0);
	path_fd = open(p.path, O_PATH | O_CLOEXEC);
	fd = unix_connect(path_fd);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	/* Nobody accepts: no wait, but an error. */
	while ((fd = unix_connect(path_fd)) >= 0 && n++ < 100)
		close(fd);
	assert_int_equal(fd, -EAGAIN);
	close(path_fd);
	remove_all(&p);
}

static void test_no_socket(void **state)
{
	assert_int_equal(unix_connect_path("/nowhere/at/all"), -ENOENT);
	assert_int_equal(unix_connect_path("/dev/null"), -ECONNREFUSED);
	assert_int_equal(unix_connect_path("/tmp"), -ECONNREFUSED);
	assert_int_equal(unix_connect(-1), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_connect),
		cmocka_unit_test(test_no_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
