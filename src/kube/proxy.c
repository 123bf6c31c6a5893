// SPDX-License-Identifier: Apache-2.0
#include "kube/proxy.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/child.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"

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

/* ---- the child ------------------------------------------------------------------- */

/* flags, and what makes a proxy of it; NULL-terminated, to be freed. */
static const char **make_arguments(const char *program, const char *socket,
				   const char *const *flags)
{
	/* Of itself it refuses execs, since its port would be everybody's. */
	const char *own[] = {program, "proxy", socket, "--reject-paths=^$"};
	size_t n = 0;
	const char **argv;

	while (flags && flags[n])
		n++;
	argv = xnew_n(const char *, n + array_size(own) + 1);
	memcpy(argv, own, sizeof(own));
	if (n)
		memcpy(argv + array_size(own), flags, n * sizeof(*flags));
	return argv;
}

/* In the child. */
static void become(const char *const *argv, int said, pid_t parent)
{
	int none = open("/dev/null", O_RDONLY);

	child_reset_signals();
	setpgid(0, 0); /* Ctrl-C is for us, who have records to wait for */
	if (none < 0 || dup2(none, STDIN_FILENO) < 0 || dup2(said, STDOUT_FILENO) < 0 ||
	    dup2(said, STDERR_FILENO) < 0)
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == parent) /* else we are too late for its signal */
		execvp(argv[0], (char *const *)argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

static int spawn(struct proxy *p, const char *const *argv, struct err *err)
{
	pid_t parent = getpid();
	int said[2];

	if (pipe2(said, O_CLOEXEC))
		return err_set(err, -errno, "making a pipe: %s", strerror(errno));
	fcntl(said[0], F_SETFL, O_NONBLOCK);
	p->said_fd = said[0];
	p->pid = fork();
	if (!p->pid)
		become(argv, said[1], parent);
	close(said[1]);
	if (p->pid < 0) {
		p->pid = 0;
		return err_set(err, -errno, "starting kubectl: %s", strerror(errno));
	}
	setpgid(p->pid, p->pid); /* whoever of both is first */
	return 0;
}

/* It ended instead of serving. */
static int explain(struct proxy *p, struct err *err)
{
	const char *said = buf_cstr(&p->last);
	int status = 0;

	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	p->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
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
	_cleanup_(freep) const char **argv =
		make_arguments(getenv("KUBECTL") ?: "kubectl", socket, flags);
	int code = spawn(p, argv, err);

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
	if (p->pid) {
		kill(-p->pid, SIGKILL); /* it keeps nothing that it could lose */
		while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
			;
		closep(&p->socket);
	}
	if (p->line.max)
		closep(&p->said_fd);
	buf_done(&p->line);
	buf_done(&p->last);
	*p = (struct proxy){0};
}
