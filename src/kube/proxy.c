// SPDX-License-Identifier: Apache-2.0
#include "kube/proxy.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "kube/kubectl.h"

#define MAX_LINE 4096
#define START_MS 30000
#define SERVES "Starting to serve on "

/* ---- what it says ---------------------------------------------------------------- */

static void take_text(struct proxy *p, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] != '\n') {
			buf_char(&p->line, bytes[i]); /* a line that is too long is cut */
			continue;
		}
		buf_clear(&p->last);
		buf_add(&p->last, p->line.data, p->line.len);
		buf_clear(&p->line);
	}
}

/* 0: it has closed; -EAGAIN; else bytes were read. */
static ssize_t hear(struct proxy *p)
{
	char bytes[4096];
	ssize_t n = read(p->said_fd, bytes, sizeof(bytes));

	if (n > 0)
		take_text(p, bytes, (size_t)n);
	return n < 0 ? -errno : n;
}

static void on_said(void *ctx, uint32_t events)
{
	struct proxy *p = ctx;
	ssize_t n = hear(p);

	if (!n || (n < 0 && n != -EAGAIN && n != -EINTR))
		watch_remove(&p->watch);
}

/* ---- its start ------------------------------------------------------------------- */

/* It ended instead of serving. */
static int explain(struct proxy *p, struct err *err)
{
	const char *said = buf_cstr(&p->last);
	int exit_code = kubectl_wait(p->pid);

	p->pid = 0;
	if (exit_code == 127)
		return err_set(err, -ENOENT,
			       "no program kubectl, by which the cluster is reached (%s)", said);
	return err_set(err, -EINVAL, "kubectl: %s",
		       *said ? said + (str_starts(said, "error: ") ? strlen("error: ") : 0)
			     : "it ended and did not say why");
}

static int wait_until_it_serves(struct proxy *p, struct err *err)
{
	struct pollfd readable = {.fd = p->said_fd, .events = POLLIN};

	while (!str_starts(buf_cstr(&p->last), SERVES)) {
		int ready = poll(&readable, 1, START_MS);
		ssize_t n = ready > 0 ? hear(p) : -EAGAIN;

		if (ready < 0)
			return err_set(err, -errno, "waiting for kubectl: %s", strerror(errno));
		if (!ready)
			return err_set(err, -ETIMEDOUT, "kubectl proxy does not begin to serve");
		if (!n)
			return explain(p, err);
	}
	buf_clear(&p->last);
	return 0;
}

/* ---- life ------------------------------------------------------------------------ */

/* Of ours alone; to be freed. NULL: errno. */
static char *make_folder(void)
{
	const char *where = getenv("XDG_RUNTIME_DIR") ?: getenv("TMPDIR");
	char *folder = xasprintf("%s/kubectl-gadget-XXXXXX", where && *where ? where : "/tmp");

	if (mkdtemp(folder))
		return folder;
	free(folder);
	folder = xstrdup("/tmp/kubectl-gadget-XXXXXX");
	if (mkdtemp(folder))
		return folder;
	free(folder);
	return NULL;
}

static int serve(struct proxy *p, const char *path, const char *const *flags, struct reactor *r,
		 struct err *err)
{
	_cleanup_(freep) char *socket = xasprintf("--unix-socket=%s", path);
	/* Of itself it refuses execs, since its port would be everybody's. */
	const char *const words[] = {"proxy", socket, "--reject-paths=^$", NULL};
	int code = kubectl_start(words, flags, true, &p->pid, &p->said_fd, err);

	code = code ?: wait_until_it_serves(p, err);
	if (code)
		return code;
	p->socket = open(path, O_PATH | O_CLOEXEC);
	if (p->socket < 0)
		return err_set(err, -errno, "kubectl's socket: %s", strerror(errno));
	code = watch_add(&p->watch, r, p->said_fd, EPOLLIN, on_said, p);
	return code ? err_set(err, code, "waiting for kubectl: %s", strerror(-code)) : 0;
}

int proxy_start(struct proxy *p, const char *const *flags, struct reactor *r, struct err *err)
{
	_cleanup_(freep) char *folder = make_folder(), *path = NULL;
	int code;

	*p = (struct proxy){.socket = -1, .said_fd = -1};
	buf_init(&p->line, MAX_LINE);
	buf_init(&p->last, MAX_LINE);
	if (!folder)
		return err_set(err, -errno, "making a folder for a socket: %s", strerror(errno));
	path = xasprintf("%s/s", folder);
	code = serve(p, path, flags, r, err);
	unlink(path); /* who has its descriptor can connect all the same */
	rmdir(folder);
	return code;
}

void proxy_end(struct proxy *p)
{
	watch_remove(&p->watch);
	kubectl_end(p->pid);
	if (p->line.max) { /* it was started: descriptors are -1, or ours */
		closep(&p->socket);
		closep(&p->said_fd);
	}
	buf_done(&p->line);
	buf_done(&p->last);
	*p = (struct proxy){0};
}
