// SPDX-License-Identifier: Apache-2.0
/* ig hook: what runtimes call for each container, and how they are made to. */
#include "hook/notify.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/flags.h"

#define TIMEOUT_NS 900000000ull /* of the call; the rest is for everything else */

static struct {
	const char *host;
} opt;

static const struct flag flag_list[] = {
	{"host", 0, "ADDRESS", "The daemon (default: $IG_HOST, else " HOOK_HOST ")", flag_text,
	 &opt.host, NULL},
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

/* ---- the command ----------------------------------------------------------------- */

static int on_word(void *ctx, const char *word, struct err *err)
{
	const char **verb = ctx;

	if (*verb)
		return err_set(err, -EINVAL, "unexpected word '%s'", word);
	*verb = word;
	return 0;
}

static int hook_main(int argc, char **argv)
{
	const char *verb = NULL;
	bool is_stage = argc > 1 && hook_is_stage(argv[1]);
	struct err err = {0};
	struct flags flags;
	int r;

	flags_init(&flags, command_find("hook"));
	flags.word = on_word;
	flags.ctx = &verb;
	r = flags_parse(&flags, argc, argv, &err);
	if (flags.help) {
		flags_help(&flags);
		return EXIT_OK;
	}
	if (is_stage && r) { /* also where the runtime was told nonsense */
		log_debug("hook: %s", err.text);
		return EXIT_OK;
	}
	if (!r && verb && hook_is_stage(verb))
		return notify(verb);
	if (!r)
		err_set(&err, -EINVAL, "'%s' is no stage of a container", verb ?: "");
	return command_fail(-EINVAL, &err);
}

static const struct flag_table *const tables[] = {&own_flags, NULL};
static const struct command hook = {
	.name = "hook",
	.summary = "Tell the daemon of a container as its runtime makes it, or install that",
	.usage = "STAGE [FLAGS]",
	.tables = tables,
	.run = hook_main,
};
COMMAND(&hook);
