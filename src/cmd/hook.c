// SPDX-License-Identifier: Apache-2.0
/* ig hook: what runtimes call for each container, and how they are made to. */
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cmd/flags.h"
#include "hook/install.h"
#include "hook/notify.h"

#define MAX_WORDS 256		/* of a runtime's command line */
#define TIMEOUT_NS 900000000ull /* of the call; the rest is for everything else */

static const char *const runtimes[] = {"podman", "crio", "containerd", "docker", NULL};

static struct {
	const char *host, *runtime, *stages, *program, *runc, *root;
	bool dry_run, as_default;
} opt = {.stages = "createRuntime,poststop", .root = ""};

static const struct flag flag_list[] = {
	{"host", 0, "ADDRESS", "The daemon (default: $IG_HOST, else " HOOK_HOST ")", flag_text,
	 &opt.host, NULL},
	{"runtime", 0, "NAME", "Whose hooks are installed: podman, crio, containerd, docker",
	 flag_text, &opt.runtime, runtimes},
	{"stages", 0, "LIST", "When it is called (default: createRuntime,poststop)", flag_text,
	 &opt.stages, NULL},
	{"program", 0, "PATH", "This program, where the runtime finds it", flag_text, &opt.program,
	 NULL},
	{"default", 0, NULL, "Docker: for all containers, not for those with --runtime ig alone",
	 flag_on, &opt.as_default, NULL},
	{"runc", 0, "PATH", "Docker: what runs the containers (default: runc)", flag_text,
	 &opt.runc, NULL},
	{"root", 0, "DIR", "Where the host's root is mounted", flag_text, &opt.root, NULL},
	{"dry-run", 0, NULL, "Show what would be changed, and change nothing", flag_on,
	 &opt.dry_run, NULL},
	{0},
};
static const struct flag_table own_flags = {"Hook", flag_list};

/* ---- a container's start or end -------------------------------------------------- */

static void give_up(int signal)
{
	_exit(EXIT_OK);
}

/*
 * A runtime waits for its hooks, and fails a container whose hook fails: whatever hangs here, or
 * breaks, it is over after a second.
 */
static void never_fail(void)
{
	static const int signals[] = {SIGALRM, SIGABRT, SIGSEGV, SIGBUS};
	const struct itimerval second = {.it_value.tv_sec = 1};
	const struct sigaction action = {.sa_handler = give_up};
	sigset_t all;

	for (size_t i = 0; i < array_size(signals); i++)
		sigaction(signals[i], &action, NULL);
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	setitimer(ITIMER_REAL, &second, NULL);
}

static int notify(const char *stage)
{
	const char *host = opt.host ?: getenv("IG_HOST");
	struct err err = {0};

	never_fail();
	if (hook_notify(stage, host && *host ? host : HOOK_HOST, TIMEOUT_NS, &err))
		log_debug("hook %s: %s", stage, err.text);
	return EXIT_OK;
}

/* ---- installing it --------------------------------------------------------------- */

/* words: freed by the caller, as setup's stages. */
static int read_setup(struct hook_setup *ret, char ***words, struct err *err)
{
	*ret = (struct hook_setup){.program = opt.program,
				   .host = opt.host,
				   .runc = opt.runc,
				   .as_default = opt.as_default};
	ret->n_stages = split(opt.stages, ',', false, words);
	ret->stages = *words;
	for (size_t i = 0; i < ret->n_stages; i++)
		if (!hook_is_stage(ret->stages[i]))
			return err_set(err, -EINVAL, "--stages: '%s' is no stage of a container",
				       ret->stages[i]);
	if (!ret->n_stages)
		return err_set(err, -EINVAL, "--stages: none");
	return 0;
}

/* Where we are, for a runtime that is told no other place. */
static int find_program(char **ret, struct err *err)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path));

	if (n < 0 || (size_t)n == sizeof(path))
		return err_set(err, -ENOENT, "--program: where is it?");
	*ret = xstrndup(path, (size_t)n);
	return 0;
}

static int plan(struct changes *cs, const struct hook_installer *i, bool install, struct err *err)
{
	_cleanup_(freep) char *program = NULL;
	_cleanup_(freep) char **words = NULL;
	struct hook_setup setup;
	int r;

	if (!install)
		return i->plan(cs, NULL, err);
	r = read_setup(&setup, &words, err);
	if (!r && !setup.program) {
		r = find_program(&program, err);
		setup.program = program;
	}
	return r ?: i->plan(cs, &setup, err);
}

static int change(bool install, struct err *err)
{
	_cleanup_(changes_done) struct changes cs;
	const struct hook_installer *i = opt.runtime ? hook_installer_find(opt.runtime) : NULL;
	int r;

	changes_init(&cs, opt.root);
	if (!i)
		return err_set(err, -EINVAL,
			       "--runtime is one of podman, crio, containerd, docker");
	r = plan(&cs, i, install, err);
	if (r)
		return r;
	if (opt.dry_run) {
		changes_show(&cs, stdout);
		return 0;
	}
	r = changes_make(&cs, err);
	if (!r && changes_count(&cs) && i->then)
		printf("Now %s.\n", i->then);
	return r;
}

static int install(char **words, struct err *err)
{
	return change(true, err);
}

static int uninstall(char **words, struct err *err)
{
	return change(false, err);
}

static int run_runtime(char **words, struct err *err)
{
	_cleanup_(freep) char **stages = NULL;
	struct hook_setup setup;
	int r = read_setup(&setup, &stages, err);
	_cleanup_(freep) char *program = NULL;

	r = r ?: find_program(&program, err);
	if (r)
		return r;
	setup.program = program;
	words[0] = (char *)(opt.runc ?: "runc");
	return hook_run_runtime(&setup, words, err);
}

/* ---- the command ----------------------------------------------------------------- */

static const struct verb {
	const char *name;
	bool has_words; /* after it */
	int (*run)(char **words, struct err *err);
} verbs[] = {
	{"install", false, install},
	{"uninstall", false, uninstall},
	{"runtime", true, run_runtime},
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; name && i < array_size(verbs); i++)
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

struct words {
	char *at[MAX_WORDS + 1]; /* the verb, what follows, NULL */
	size_t n;
};

static int on_word(void *ctx, const char *word, struct err *err)
{
	struct words *w = ctx;
	const struct verb *verb = find_verb(w->at[0]);

	if (w->n && !(verb && verb->has_words))
		return err_set(err, -EINVAL, "unexpected word '%s'", word);
	if (w->n == MAX_WORDS)
		return err_set(err, -E2BIG, "more than %d words", MAX_WORDS);
	w->at[w->n++] = (char *)word;
	return 0;
}

static int run_verb(struct words *w, struct err *err)
{
	const struct verb *verb = find_verb(w->at[0]);

	if (verb)
		return verb->run(w->at, err);
	return err_set(err, -EINVAL,
		       w->n ? "'%s' is neither a stage of a container nor install, uninstall"
			    : "%swhich stage of a container? Or install, uninstall",
		       w->at[0] ?: "");
}

static int hook_main(int argc, char **argv)
{
	bool is_stage = argc > 1 && hook_is_stage(argv[1]);
	struct words words = {0};
	struct err err = {0};
	struct flags flags;
	int r;

	flags_init(&flags, command_find("hook"));
	flags.word = on_word;
	flags.ctx = &words;
	r = flags_parse(&flags, argc, argv, &err);
	if (flags.help) {
		flags_help(&flags);
		return EXIT_OK;
	}
	if (is_stage && r) { /* also where the runtime was told nonsense */
		log_debug("hook: %s", err.text);
		return EXIT_OK;
	}
	if (!r && words.n && hook_is_stage(words.at[0]))
		return notify(words.at[0]);
	r = r ?: run_verb(&words, &err);
	return r ? command_fail(r, &err) : EXIT_OK;
}

static void complete(int argc, char **argv)
{
	const char *stage;

	if (argc > 1)
		return;
	for (size_t i = 0; i < array_size(verbs); i++)
		puts(verbs[i].name);
	for (unsigned int i = 0; (stage = hook_stage(i)); i++)
		puts(stage);
}

static const struct flag_table *const tables[] = {&own_flags, NULL};
static const struct command hook = {
	.name = "hook",
	.summary = "Tell the daemon of containers as runtimes make them",
	.usage = "STAGE | install --runtime NAME | uninstall --runtime NAME [FLAGS]",
	.description =
		"An OCI runtime calls `ig hook STAGE` with the container's state on stdin "
		"(prestart, "
		"createRuntime,\ncreateContainer, startContainer, poststart, poststop); the daemon "
		"knows the container before its\nfirst instruction then. It never fails, and is "
		"over "
		"after a second at most.\n\n"
		"`ig hook install` makes a runtime call it: Podman and CRI-O by files in their "
		"folder "
		"of hooks,\ncontainerd by the base specification of its CRI, Docker by a runtime "
		"of "
		"its own, `ig hook runtime`.\n`ig hook uninstall` restores what was there.",
	.tables = tables,
	.run = hook_main,
	.complete = complete,
};
COMMAND(&hook);
