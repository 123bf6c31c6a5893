// SPDX-License-Identifier: Apache-2.0
/*
 * ig build: a user's gadget, from a folder with one NAME.bpf.c to NAME.bpf.o, with clang and the
 * headers that were installed with ig.
 */
#include <dirent.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/parse.h"
#include "cmd/flags.h"
#include "gadget/gadget.h"

static const char *opt_dir, *opt_output, *opt_clang = "clang", *opt_include, *opt_arch;

static const char *const archs[] = {"x86_64", "arm64", NULL};
static const struct flag flag_list[] = {
	{"output", 'o', "FILE", "Where the object goes (default: NAME.bpf.o in the folder)",
	 flag_text, &opt_output, NULL},
	{"arch", 0, "ARCH", "x86_64 or arm64 (default: this machine's)", flag_text, &opt_arch,
	 archs},
	{"clang", 0, "PROGRAM", "The compiler (default: clang)", flag_text, &opt_clang, NULL},
	{"include", 'I', "DIR",
	 "Where gadget/gadget.bpf.h is (default: beside this program, then " IG_PREFIX "/include)",
	 flag_text, &opt_include, NULL},
	{0},
};
static const struct flag_table own_flags = {"Build", flag_list};

static int set_dir(void *ctx, const char *word, struct err *err)
{
	if (opt_dir)
		return err_set(err, -EINVAL, "one folder at a time, not '%s' as well", word);
	opt_dir = word;
	return 0;
}

/* The folder's only NAME.bpf.c. */
static int find_source(const char *dir, char **ret, struct err *err)
{
	_cleanup_(freep) char *found = NULL;
	DIR *d = opendir(dir);
	struct dirent *e;

	if (!d)
		return err_set(err, -errno, "cannot read folder %s: %s", dir, strerror(errno));
	while ((e = readdir(d))) {
		size_t n = strlen(e->d_name);

		if (n < 7 || strcmp(e->d_name + n - 6, ".bpf.c"))
			continue;
		if (found) {
			closedir(d);
			return err_set(err, -EINVAL,
				       "%s holds several .bpf.c files; a gadget has one", dir);
		}
		found = xstrdup(e->d_name);
	}
	closedir(d);
	if (!found)
		return err_set(err, -ENOENT, "%s holds no NAME.bpf.c", dir);
	*ret = xasprintf("%s/%s", dir, found);
	return 0;
}

static bool has_headers(const char *dir)
{
	_cleanup_(freep) char *path = xasprintf("%s/gadget/gadget.bpf.h", dir);

	return !access(path, R_OK);
}

/* --include, else PREFIX/include of an installed ig or include/ of its source tree. */
static int find_include(char **ret, struct err *err)
{
	static const char *const beside[] = {"../include", "../../include"};
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (opt_include) {
		*ret = xstrdup(opt_include);
		return has_headers(*ret)
			       ? 0
			       : err_set(err, -ENOENT, "no gadget/gadget.bpf.h in %s", opt_include);
	}
	self[n > 0 ? n : 0] = '\0';
	for (size_t i = 0; n > 0 && i < array_size(beside); i++) {
		_cleanup_(freep) char *copy = xstrdup(self);
		_cleanup_(freep) char *dir = xasprintf("%s/%s", dirname(copy), beside[i]);

		if (has_headers(dir)) {
			*ret = take(dir);
			return 0;
		}
	}
	if (!has_headers(IG_PREFIX "/include"))
		return err_set(err, -ENOENT,
			       "no gadget/gadget.bpf.h beside ig or in " IG_PREFIX
			       "/include; see --include");
	*ret = xstrdup(IG_PREFIX "/include");
	return 0;
}

static int run(char *const argv[], struct err *err)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return err_set(err, -errno, "cannot start %s: %s", argv[0], strerror(errno));
	if (!pid) {
		execvp(argv[0], argv);
		fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && !WEXITSTATUS(status))
		return 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(err, -ENOENT, "cannot run %s: install it, or name it with --clang",
			       argv[0]);
	return err_set(err, -ENOEXEC, "%s failed; what it said stands above", argv[0]);
}

static int target_define(char **ret, struct err *err)
{
	struct utsname u;
	const char *arch = opt_arch;

	if (!arch)
		arch = uname(&u) ? "x86_64" : u.machine;
	if (!strcmp(arch, "x86_64"))
		*ret = xstrdup("-D__TARGET_ARCH_x86");
	else if (!strcmp(arch, "arm64") || !strcmp(arch, "aarch64"))
		*ret = xstrdup("-D__TARGET_ARCH_arm64");
	else
		return err_set(err, -EINVAL, "--arch is x86_64 or arm64, not '%s'", arch);
	return 0;
}

/* What was built is read as `ig run` will read it, so that a wrong description shows here. */
static int check(const char *path, struct err *err)
{
	struct gadget *g = NULL;
	int r = gadget_open_file(path, NULL, &g, err);
	struct stat st;

	if (r && !lstat(path, &st) && S_ISREG(st.st_mode)) /* not the device that -o names */
		unlink(path);
	gadget_free(g);
	return r;
}

static int build(struct err *err)
{
	_cleanup_(freep) char *source = NULL, *include = NULL, *define = NULL, *output = NULL;
	int r;

	r = find_source(opt_dir, &source, err);
	r = r ?: find_include(&include, err);
	r = r ?: target_define(&define, err);
	if (r)
		return r;
	output = opt_output ? xstrdup(opt_output)
			    : xasprintf("%.*s.o", (int)(strlen(source) - 2), source);
	/* One slip in a macro's argument would else fill screens. */
	char *const argv[] = {(char *)opt_clang,
			      "-g",
			      "-O2",
			      "-Wall",
			      "-Wno-unused-function",
			      "-ferror-limit=3",
			      "-fmacro-backtrace-limit=1",
			      "-target",
			      "bpf",
			      "-mcpu=v2",
			      define,
			      "-I",
			      include,
			      "-c",
			      source,
			      "-o",
			      output,
			      NULL};
	r = run(argv, err);
	r = r ?: check(output, err);
	if (!r)
		printf("%s\n", output);
	return r;
}

static int build_main(int argc, char **argv)
{
	struct err err = {0};
	struct flags flags;
	int exit_code, r;

	flags_init(&flags, command_find("build"));
	flags.word = set_dir;
	if (!flags_begin(&flags, argc, argv, &exit_code))
		return exit_code;
	r = opt_dir ? build(&err) : err_set(&err, -EINVAL, "name the gadget's folder");
	return r ? command_fail(r, &err) : EXIT_OK;
}

static const struct flag_table *const tables[] = {&own_flags, NULL};
static const struct command build_command = {
	.name = "build",
	.summary = "Compile a gadget of your own",
	.usage = "FOLDER [FLAGS]",
	.description = "FOLDER holds one NAME.bpf.c. Needs clang and libbpf's headers; see "
		       "docs/writing-a-gadget.md.\n"
		       "Then: ig run FOLDER/NAME.bpf.o",
	.tables = tables,
	.run = build_main,
};
COMMAND(&build_command);
