// SPDX-License-Identifier: Apache-2.0
/*
 * ig: tells what containers do, from eBPF; and, called by its other name, kubectl-gadget, which has
 * ig's agents do so on the nodes of a cluster. Finds the command and runs it.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cmd/era.h"
#include "cmd/flags.h"
#include "cmd/remote_flags.h"

static void usage(FILE *to)
{
	const struct command *c;

	const char *program = command_program();

	fprintf(to,
		"%s tells what containers do%s, as they do it.\n\nUsage: %s COMMAND "
		"[FLAGS]\n\nCommands:\n",
		program, command_is_kubectl() ? " on the nodes of a cluster" : "", program);
	for (size_t i = 0; (c = command_nth(i)); i++)
		fprintf(to, "  %-16s %s\n", c->name, c->summary);
	fprintf(to,
		"\n`%s COMMAND --help` tells a command's flags, `%s run GADGET --help` a "
		"gadget's.\n",
		program, program);
}

static const char *command_name(const void *ctx, size_t i)
{
	const struct command *c = command_nth(i);

	return c ? c->name : NULL;
}

/* `ig --log-level debug --remote tcp://… run …`: what stands before the command. Its place in argv.
 */
static int leading_flags(int argc, char **argv)
{
	struct err err = {0};
	int at = 1;

	while (at < argc && str_starts(argv[at], "--")) {
		int n = flags_leading(argc - at, argv + at, &err);

		if (!n)
			break;
		if (n < 0) {
			log_error("%s", err.text);
			exit(EXIT_USAGE);
		}
		at += n;
	}
	return at;
}

/* Whoever started us may have closed these; a map or file of ours must not take their place. */
static void fill_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static int run_command(int argc, char **argv)
{
	int at = leading_flags(argc, argv);
	const struct command *c;
	const char *word, *near;

	if (at >= argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	word = argv[at];
	if (!strcmp(word, "-h") || !strcmp(word, "--help") || !strcmp(word, "help")) {
		if (at + 1 == argc) {
			usage(stdout);
			return EXIT_OK;
		}
		word = argv[at + 1];
		c = command_find(word);
		if (c)
			return c->run(2, (char *[]){argv[at + 1], "--help", NULL});
	}
	if (!strcmp(word, "--version") || !strcmp(word, "-V"))
		word = "version";
	if (command_is_kubectl() && era_knows(argc - at, argv + at))
		return era_run(argc - at, argv + at);
	c = command_find(word);
	if (c && remote_flags_on_command_line() && !remote_flags_apply(c)) {
		log_error("`ig %s` is about this machine alone and takes no --remote", word);
		return EXIT_USAGE;
	}
	if (c)
		return c->run(argc - at, argv + at);
	if (command_is_kubectl() && era_gadget(argc - at, argv + at))
		return era_run(argc - at, argv + at);
	near = nearest(word, command_name, NULL);
	if (near)
		log_error("no command '%s'; did you mean '%s'?", word, near);
	else
		log_error("no command '%s'; `%s help` lists them", word, command_program());
	return EXIT_USAGE;
}

/* What went through stdio (help, pages, scripts) is only now known to be written. */
static int finish_output(int exit_code)
{
	struct pollfd out = {.fd = STDOUT_FILENO};

	if (!fflush(stdout) && !ferror(stdout))
		return exit_code;
	if (poll(&out, 1, 0) > 0 && out.revents & POLLERR) /* the reader has what it wanted */
		return exit_code;
	log_error("cannot write the output");
	return exit_code ?: EXIT_FAILED;
}

int main(int argc, char **argv)
{
	fill_standard_streams();
	command_set_program(argc ? argv[0] : "");
	signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of write, and ends us cleanly */
	return finish_output(run_command(argc, argv));
}
