// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: descriptors are passed from a process to its child by each call, several in several
 * blocks, more than there is room for; then one that is none.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { BLOCKS = 2, FDS = 2, MANY = 200, FIRST = 300 };

static void must(int yes, const char *what)
{
	if (!yes) {
		perror(what);
		exit(1);
	}
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY);

	must(fd >= 0, path);
	return fd;
}

/* A message of one byte with `blocks` blocks of `n` descriptors, from `fd` on by steps of `by`. */
static struct msghdr message(void *room, size_t size, int blocks, int n, int fd, int by)
{
	static struct iovec byte = {"x", 1};
	struct msghdr m = {.msg_iov = &byte, .msg_iovlen = 1, .msg_control = room};
	struct cmsghdr *c = room;

	memset(room, 0, size);
	for (int b = 0; b < blocks; b++) {
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN((size_t)n * sizeof(int));
		for (int i = 0; i < n; i++)
			((int *)CMSG_DATA(c))[i] = fd + i * by;
		c = (struct cmsghdr *)((char *)c + CMSG_SPACE((size_t)n * sizeof(int)));
	}
	m.msg_controllen = (size_t)((char *)c - (char *)room);
	return m;
}

static void receive(int sock, size_t room)
{
	char byte[16], control[4096];
	struct iovec part = {byte, sizeof(byte)};
	struct msghdr m = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = room};

	must(recvmsg(sock, &m, 0) == 1, "recvmsg");
}

static void receive_two(int sock)
{
	char byte[2][16], control[2][256];
	struct mmsghdr all[2] = {};
	struct iovec parts[2];

	for (int i = 0; i < 2; i++) {
		parts[i] = (struct iovec){byte[i], sizeof(byte[i])};
		all[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i],
						 .msg_iovlen = 1,
						 .msg_control = control[i],
						 .msg_controllen = sizeof(control[i])};
	}
	must(recvmmsg(sock, all, 2, MSG_WAITFORONE, NULL) == 2, "recvmmsg");
}

static void receiver(int sock)
{
	receive(sock, 4096);
	receive_two(sock);
	receive(sock, CMSG_SPACE(3 * sizeof(int)));
	_exit(0);
}

static void sender(int sock)
{
	char room[4096], rooms[2][256];
	int passwd = open_file("/etc/passwd"), group = open_file("/etc/group");
	struct msghdr m = message(room, sizeof(room), BLOCKS, FDS, passwd, 0);
	struct mmsghdr two[2] = {{.msg_hdr = message(rooms[0], 256, 1, 1, group, 0)},
				 {.msg_hdr = message(rooms[1], 256, 1, 1, sock, 0)}};

	must(sendmsg(sock, &m, 0) == 1, "sendmsg");
	must(sendmmsg(sock, two, 2, 0) == 2, "sendmmsg");
	for (int i = 0; i < MANY; i++)
		must(dup2(passwd, FIRST + i) >= 0, "dup2");
	m = message(room, sizeof(room), 1, MANY, FIRST, 1);
	must(sendmsg(sock, &m, 0) == 1, "many");
	m = message(room, sizeof(room), 1, 1, 999, 0);
	must(sendmsg(sock, &m, 0) < 0, "no descriptor");
	m = message(room, sizeof(room), 0, 0, 0, 0);
	must(sendmsg(sock, &m, 0) == 1, "none");
}

int main(void)
{
	int ends[2];
	pid_t pid;

	must(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), "socketpair");
	sender(ends[0]);
	pid = fork();
	if (!pid)
		receiver(ends[1]);
	waitpid(pid, NULL, 0);
	return 0;
}
