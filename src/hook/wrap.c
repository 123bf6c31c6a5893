// SPDX-License-Identifier: Apache-2.0
/* Docker's hooks: an OCI runtime that adds them, and is runc otherwise. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "containers/cmdline.h"
#include "hook/install.h"

/* The bundle of a command that makes a container; NULL: it makes none. Points into *args. */
static const char *bundle_of(char **argv, struct buf *args)
{
	bool makes = false;
	struct cmdline line;

	buf_add(args, "runc", sizeof("runc"));
	for (; *argv; argv++) {
		makes = makes || !strcmp(*argv, "create") || !strcmp(*argv, "run");
		buf_add(args, *argv, strlen(*argv) + 1);
	}
	if (!makes || args->failed || !cmdline_parse(args->data, args->len, &line))
		return NULL;
	return line.bundle ?: ".";
}

static int add_hooks(const struct hook_setup *s, const char *bundle)
{
	_cleanup_(closep) int fd = open(bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(buf_done) struct buf before = {.max = MAX_CONFIG_BYTES},
				       after = {.max = MAX_CONFIG_BYTES};
	struct stat st;
	int r;

	if (fd < 0 || fstatat(fd, "config.json", &st, AT_SYMLINK_NOFOLLOW))
		return -errno;
	r = S_ISREG(st.st_mode) ? buf_read_file(&before, fd, "config.json") : -EINVAL;
	r = r ?: hook_add(s, buf_cstr(&before), before.len, &after);
	return r ?: change_write(fd, "config.json", after.data, after.len, &st);
}

int hook_run_runtime(const struct hook_setup *s, char **argv, struct err *err)
{
	_cleanup_(buf_done) struct buf args = {.max = MAX_PROC_FILE_BYTES};
	const char *bundle = bundle_of(argv + 1, &args);

	if (bundle)
		add_hooks(s, bundle); /* it can do without */
	signal(SIGPIPE, SIG_DFL);
	execvp(argv[0], argv);
	return err_set(err, -errno, "starting %s: %s", argv[0], strerror(errno));
}
