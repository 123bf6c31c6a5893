// SPDX-License-Identifier: Apache-2.0
#include "kube/kubectl.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/buf.h"
#include "base/child.h"
#include "base/err.h"
#include "base/mem.h"

#define NO_PROGRAM 127

static size_t count(const char *const *words)
{
	size_t n = 0;

	while (words && words[n])
		n++;
	return n;
}

/* To be freed. */
static const char **make_arguments(const char *const *words, const char *const *flags)
{
	size_t n = count(words), more = count(flags);
	const char **argv = xnew_n(const char *, n + more + 2);

	argv[0] = getenv("KUBECTL") ?: "kubectl";
	memcpy(argv + 1, words, n * sizeof(*words));
	if (more)
		memcpy(argv + 1 + n, flags, more * sizeof(*flags));
	return argv;
}

/* In the child. */
static void become(const char *const *argv, pid_t parent)
{
	child_reset_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* too late for its signal */
		_exit(126);
	execvp(argv[0], (char *const *)argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? NO_PROGRAM : 126);
}

/* In the child: what it reads and says is ours, and Ctrl-C is not for it. */
static void become_helper(const char *const *argv, int said, bool with_errors, pid_t parent)
{
	int none = open("/dev/null", O_RDWR);

	setpgid(0, 0);
	if (none < 0 || dup2(none, STDIN_FILENO) < 0 || dup2(said, STDOUT_FILENO) < 0 ||
	    dup2(with_errors ? said : none, STDERR_FILENO) < 0)
		_exit(126);
	become(argv, parent);
}

int kubectl_start(const char *const *words, const char *const *flags, bool with_errors,
		  pid_t *ret_pid, int *ret_said, struct err *err)
{
	_cleanup_(freep) const char **argv = make_arguments(words, flags);
	pid_t parent = getpid(), pid;
	int said[2], code;

	if (pipe2(said, O_CLOEXEC))
		return err_set(err, -errno, "making a pipe: %s", strerror(errno));
	fcntl(said[0], F_SETFL, O_NONBLOCK);
	pid = fork();
	code = -errno;
	if (!pid)
		become_helper(argv, said[1], with_errors, parent);
	close(said[1]);
	if (pid < 0) {
		close(said[0]);
		return err_set(err, code, "starting kubectl: %s", strerror(-code));
	}
	setpgid(pid, pid); /* whoever of both is first */
	*ret_pid = pid;
	*ret_said = said[0];
	return 0;
}

int kubectl_wait(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void kubectl_end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(-pid, SIGKILL); /* it keeps nothing that it could lose */
	kubectl_wait(pid);
}

/* ---- for the user ----------------------------------------------------------------- */

/* A file in memory with the text; -1: errno. */
static int file_of(const char *text)
{
	int fd = memfd_create("input", MFD_CLOEXEC);

	if (fd >= 0 && (dprintf(fd, "%s", text) < 0 || lseek(fd, 0, SEEK_SET) < 0))
		closep(&fd);
	return fd;
}

int kubectl_run(const char *const *words, const char *const *flags, const char *input,
		struct err *err)
{
	_cleanup_(freep) const char **argv = make_arguments(words, flags);
	_cleanup_(closep) int in = file_of(input);
	pid_t parent = getpid(), pid;
	int exit_code;

	if (in < 0)
		return err_set(err, -errno, "a file for kubectl: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		return err_set(err, -errno, "starting kubectl: %s", strerror(errno));
	if (!pid) {
		if (dup2(in, STDIN_FILENO) < 0)
			_exit(126);
		become(argv, parent);
	}
	exit_code = kubectl_wait(pid);
	if (exit_code == NO_PROGRAM)
		return err_set(err, -ENOENT, "no program kubectl");
	return exit_code ? err_set(err, -EIO, "kubectl %s: exit status %d", words[0], exit_code)
			 : 0;
}

/* ---- its configuration ----------------------------------------------------------- */

static int read_all(int fd, struct buf *out)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char bytes[1024];
	ssize_t n;

	do {
		if (poll(&p, 1, -1) < 0)
			return -errno;
		n = read(fd, bytes, sizeof(bytes));
		if (n > 0)
			buf_add(out, bytes, (size_t)n);
	} while (n > 0 || (n < 0 && errno == EAGAIN));
	return n < 0 ? -errno : 0;
}

int kube_default_namespace(const char *const *flags, char **ret, struct err *err)
{
	static const char *const words[] = {"config", "view", "--minify",
					    "-o=jsonpath={.contexts[0].context.namespace}", NULL};
	_cleanup_(buf_done) struct buf out = {.max = 4096};
	_cleanup_(closep) int said = -1;
	pid_t pid;
	int exit_code, r = kubectl_start(words, flags, false, &pid, &said, err);

	if (r)
		return r;
	r = read_all(said, &out);
	if (r) {
		kubectl_end(pid);
		return err_set(err, r, "reading what kubectl says: %s", strerror(-r));
	}
	exit_code = kubectl_wait(pid);
	if (exit_code == NO_PROGRAM)
		return err_set(err, -ENOENT, "no program kubectl");
	/* Without a configuration it is that of a cluster which was named by flags. */
	*ret = xstrdup(!exit_code && out.len ? buf_cstr(&out) : "default");
	return 0;
}
