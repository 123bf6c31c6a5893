// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: a pseudo-terminal is written to on both sides and read from, in each way; a file is
 * written to, too.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <termios.h>
#include <unistd.h>

static void must(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
}

static int slave_of(int master)
{
	struct termios t;
	int slave;

	must(grantpt(master), "grantpt");
	must(unlockpt(master), "unlockpt");
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	must(slave, "slave");
	must(tcgetattr(slave, &t), "tcgetattr");
	cfmakeraw(&t);
	must(tcsetattr(slave, TCSANOW, &t), "tcsetattr");
	return slave;
}

/* They may come in pieces. */
static void read_all(int fd, long bytes)
{
	char got[64];

	while (bytes > 0) {
		long n = read(fd, got, sizeof(got));

		must(n - 1, "read");
		bytes -= n;
	}
}

int main(void)
{
	int master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY), slave, file;
	struct iovec parts[] = {{"one ", 4}, {"", 0}, {"two ", 4}, {"three", 5}};
	static char many[4096];

	must(master, "ptmx");
	slave = slave_of(master);
	must(write(slave, "hello \033[2J\377", 11), "write");
	must(writev(slave, parts, 4), "writev");
	read_all(master, 24);
	must(write(master, "typed", 5), "write of master");
	read_all(slave, 5);
	memset(many, 'm', sizeof(many));
	struct iovec large[] = {{many, 2500}, {many, 2500}};
	must(writev(slave, large, 2), "many");
	file = open("/tmp/file", O_CREAT | O_RDWR, 0600);
	must(write(file, "to a file", 9), "file");
	return 0;
}
