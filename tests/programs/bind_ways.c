// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: sockets of all kinds are bound; then binds that fail.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
	return result;
}

static void must_fail(int result, int error, const char *what)
{
	if (result < 0 && errno == error)
		return;
	perror(what);
	exit(1);
}

static int made(int family, int type)
{
	return must(socket(family, type, 0), "socket");
}

static void set(int fd, int level, int option)
{
	int one = 1;

	must(setsockopt(fd, level, option, &one, sizeof(one)), "setsockopt");
}

static int bind4(int fd, const char *ip, int port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, ip, &a.sin_addr);
	return bind(fd, (struct sockaddr *)&a, sizeof(a));
}

static int bind6(int fd, const char *ip, int port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	inet_pton(AF_INET6, ip, &a.sin6_addr);
	return bind(fd, (struct sockaddr *)&a, sizeof(a));
}

static void working(void)
{
	int fd = made(AF_INET, SOCK_STREAM);

	set(fd, SOL_SOCKET, SO_REUSEADDR);
	set(fd, SOL_SOCKET, SO_REUSEPORT);
	must(bind4(fd, "127.0.0.1", 5001), "5001");

	fd = made(AF_INET, SOCK_DGRAM);
	must(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 2), "SO_BINDTODEVICE");
	must(bind4(fd, "0.0.0.0", 5002), "5002");

	must(bind6(made(AF_INET6, SOCK_STREAM), "::1", 5003), "5003");
	must(bind6(made(AF_INET6, SOCK_DGRAM), "::ffff:127.0.0.1", 5004), "5004");
	must(bind4(made(AF_INET, SOCK_STREAM), "127.0.0.2", 0), "any port");

	fd = made(AF_INET, SOCK_STREAM);
	set(fd, IPPROTO_IP, IP_FREEBIND);
	must(bind4(fd, "192.0.2.1", 5005), "5005");

	fd = made(AF_INET, SOCK_STREAM);
	set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
	must(bind4(fd, "127.0.0.3", 0), "no port");
}

static void failing(void)
{
	struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "/tmp/bind_ways"};

	must_fail(bind4(made(AF_INET, SOCK_STREAM), "127.0.0.1", 5001), EADDRINUSE, "in use");
	must_fail(bind4(made(AF_INET, SOCK_DGRAM), "192.0.2.2", 5006), EADDRNOTAVAIL, "not here");
	must_fail(bind6(made(AF_INET6, SOCK_STREAM), "2001:db8::1", 5007), EADDRNOTAVAIL,
		  "not here");
	must_fail(bind(made(AF_INET, SOCK_STREAM), NULL, 16), EFAULT, "no address");
	must_fail(bind4(-1, "127.0.0.1", 5008), EBADF, "no descriptor");
	must_fail(bind4(0, "127.0.0.1", 5009), ENOTSOCK, "no socket");
	must(bind(made(AF_UNIX, SOCK_STREAM), (struct sockaddr *)&path, sizeof(path)), "unix");
	unlink(path.sun_path);
}

int main(void)
{
	working();
	failing();
	return 0;
}
