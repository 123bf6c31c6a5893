// SPDX-License-Identifier: Apache-2.0
#include "net/transport.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/mem.h"

static ssize_t failed(const char *what, struct err *err)
{
	int code = errno;

	if (code == EAGAIN || code == EINTR)
		return -EAGAIN;
	return err_set(err, -code, "%s: %s", what, strerror(code));
}

static ssize_t plain_recv(struct transport *t, void *bytes, size_t room, struct err *err)
{
	ssize_t n = recv(t->fd, bytes, room, MSG_DONTWAIT);

	return n < 0 ? failed("reading", err) : n;
}

static ssize_t plain_send(struct transport *t, const void *bytes, size_t n, struct err *err)
{
	ssize_t sent = send(t->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	return sent < 0 ? failed("writing", err) : sent;
}

static void plain_end(struct transport *t)
{
	shutdown(t->fd, SHUT_WR);
}

static void plain_free(struct transport *t)
{
	closep(&t->fd);
	free(t);
}

struct transport *transport_plain(int fd)
{
	static const struct transport_ops ops = {plain_recv, plain_send, plain_end, plain_free};
	struct transport *t = xnew(struct transport);

	*t = (struct transport){.ops = &ops, .fd = fd, .recv_on = EPOLLIN, .send_on = EPOLLOUT};
	return t;
}
