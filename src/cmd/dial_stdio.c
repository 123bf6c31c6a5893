// SPDX-License-Identifier: Apache-2.0
/*
 * ig dial-stdio: the socket of this node's daemon as standard input and output, so that whoever may
 * start a program here (an exec into the agent's container, ssh) can speak to the daemon.
 */
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "cmd/flags.h"
#include "cmd/remote_flags.h"
#include "net/address.h"

/* One direction: bytes that were read and not written yet. */
struct flow {
	int from, to;
	char bytes[65536];
	size_t begin, end;
	bool closed; /* nothing more will be read */
};

static bool is_empty(const struct flow *f)
{
	return f->begin == f->end;
}

/* Called where `from` is readable. */
static int fill(struct flow *f)
{
	ssize_t n = read(f->from, f->bytes, sizeof(f->bytes));

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	f->begin = 0;
	f->end = (size_t)n;
	f->closed = !n;
	return 0;
}

/*
 * Called where `to` is writable: a pipe takes PIPE_BUF bytes then without blocking, and its mode is
 * not ours to change, since others may have it as well.
 */
static int drain(struct flow *f)
{
	size_t left = f->end - f->begin;
	ssize_t n = write(f->to, f->bytes + f->begin, left < PIPE_BUF ? left : PIPE_BUF);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	f->begin += (size_t)n;
	return 0;
}

/* Reads only what there is room for, so that one who does not read stops the other. */
static int move(struct flow *f, short readable, short writable)
{
	int r = 0;

	if (!is_empty(f) && writable)
		r = drain(f);
	if (!r && is_empty(f) && !f->closed && readable)
		r = fill(f);
	return r;
}

/* Until the daemon has closed and all that it said is written. */
static int copy(int daemon, struct err *err)
{
	static struct flow up = {.from = STDIN_FILENO}, down = {.to = STDOUT_FILENO};
	bool said_end = false;

	up.to = down.from = daemon;
	while (!down.closed || !is_empty(&down)) {
		struct pollfd p[] = {
			{is_empty(&up) && !up.closed ? up.from : -1, POLLIN, 0},
			{is_empty(&up) ? -1 : up.to, POLLOUT, 0},
			{is_empty(&down) && !down.closed ? down.from : -1, POLLIN, 0},
			{down.to, is_empty(&down) ? 0 : POLLOUT, 0},
		};
		int r;

		if (poll(p, array_size(p), -1) < 0)
			return err_set(err, -errno, "waiting: %s", strerror(errno));
		if (is_empty(&down) && p[3].revents) /* its reader has gone */
			return 0;
		r = move(&up, p[0].revents, p[1].revents);
		r = r ?: move(&down, p[2].revents, p[3].revents);
		if (r)
			return r == -EPIPE || r == -ECONNRESET
				       ? 0
				       : err_set(err, r, "%s", strerror(-r));
		if (up.closed && is_empty(&up) && !said_end) {
			shutdown(daemon, SHUT_WR);
			said_end = true;
		}
	}
	return 0;
}

static int dial(struct err *err)
{
	_cleanup_(address_done) struct address a = {0};
	_cleanup_(closep) int fd = -1;
	int r = address_parse(remote_flags_address(), &a, err);

	if (!r && !a.path)
		r = err_set(err, -EINVAL, "only a daemon's unix socket can be dialled");
	if (r)
		return r;
	fd = remote_dial(&a, remote_flags_address(), 0, err);
	return fd < 0 ? fd : copy(fd, err);
}

static int dial_main(int argc, char **argv)
{
	struct err err = {0};
	struct flags flags;
	int exit_code, r;

	flags_init(&flags, command_find("dial-stdio"));
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	r = dial(&err);
	return r ? command_fail(r, &err) : EXIT_OK;
}

static const struct flag_table *const tables[] = {&remote_flags, NULL};
static const struct command dial_stdio = {
	.name = "dial-stdio",
	.summary = "A daemon's socket as standard input and output",
	.usage = "[FLAGS]",
	.description = "Copies bytes both ways until one of both ends. kubectl-gadget reaches the "
		       "agents of a cluster by it.",
	.tables = tables,
	.run = dial_main,
};
COMMAND(&dial_stdio);
