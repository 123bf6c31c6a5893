// SPDX-License-Identifier: Apache-2.0
#include "cmd/era.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cmd/command.h"
#include "gadget/gadget.h"

/* ---- commands that are no gadget's name --------------------------------------------------- */

#define AT_ITS_END(gadget)                                                            \
	"which tells all when it ends, by Ctrl-C or --timeout; to leave it running: " \
	"`kubectl gadget run " gadget " --detach`, later attach and stop"
#define SECCOMP "`kubectl gadget run advise_seccomp`, " AT_ITS_END("advise_seccomp")
#define BLOCKIO "`kubectl gadget run profile_blockio -o histogram`, " AT_ITS_END("profile_blockio")
#define LAST_WORDS "`kubectl gadget attach NAME --timeout 1`, then `kubectl gadget stop NAME`"
#define RINGS                                                                   \
	"nothing, as the agents keep rings of all containers; `kubectl gadget " \
	"traceloop list` shows them"

/* One of these is what the words, the command line's first ones, are now. */
static const struct era_command {
	const char *words;
	const char *gadget;  /* which is run */
	const char *command; /* another one */
	const char *instead; /* none: what to do is said */
} commands[] = {
	{"advise network-policy monitor", .gadget = "advise_networkpolicy"},
	{"advise network-policy report", .command = "replay"},
	{"advise seccomp-profile list", .command = "ps"},
	{"advise seccomp-profile start", .instead = SECCOMP},
	{"advise seccomp-profile stop", .instead = LAST_WORDS},
	{"biolatency list", .command = "ps"},
	{"biolatency start", .instead = BLOCKIO},
	{"biolatency stop", .instead = LAST_WORDS},
	{"network-policy monitor", .gadget = "advise_networkpolicy"},
	{"network-policy report", .command = "replay"},
	{"seccomp-advisor list", .command = "ps"},
	{"seccomp-advisor start", .instead = SECCOMP},
	{"seccomp-advisor stop", .instead = LAST_WORDS},
	{"traceloop delete", .command = "traceloop close"},
	{"traceloop pod", .instead = "`kubectl gadget traceloop show NAMESPACE/POD`"},
	{"traceloop start", .instead = RINGS},
	{"traceloop stop", .instead = RINGS},
};

/* How many words of argv the entry has, if they are its. */
static int matches(const struct era_command *c, int argc, char **argv)
{
	_cleanup_(freep) char **words = NULL;
	int n = (int)split(c->words, ' ', false, &words);

	for (int i = 0; i < n; i++)
		if (i == argc || strcmp(words[i], argv[i]) != 0)
			return 0;
	return n;
}

static const struct era_command *command_of(int argc, char **argv, int *ret_words)
{
	for (size_t i = 0; i < array_size(commands); i++) {
		*ret_words = matches(&commands[i], argc, argv);
		if (*ret_words)
			return &commands[i];
	}
	return NULL;
}

/* ---- gadgets ------------------------------------------------------------------------------- */

static const char *const categories[] = {"advise", "audit", "profile", "snapshot", "top", "trace"};

static bool is_category(const char *word)
{
	for (size_t i = 0; i < array_size(categories); i++)
		if (!strcmp(categories[i], word))
			return true;
	return false;
}

/* "block-io": block_io, blockio. To be freed. */
static char *without_dashes(const char *word, const char *instead)
{
	char *out = xcalloc(1, strlen(word) + 1), *at = out;

	for (; *word; word++)
		if (*word != '-')
			*at++ = *word;
		else if (*instead)
			*at++ = *instead;
	return out;
}

static const char *builtin(const char *category, const char *word)
{
	_cleanup_(freep) char *name = xasprintf("%s_%s", category, word);
	const struct gadget_object *g = gadget_builtin_find(name) ?: gadget_builtin_find(word);

	return g ? g->name : NULL;
}

/* Its name, and by how many words it was called; NULL: none. */
static const char *gadget_of(int argc, char **argv, int *ret_words)
{
	_cleanup_(freep) char *lines = NULL, *joined = NULL;
	const struct gadget_object *g;

	if (argc > 1 && is_category(argv[0]) && argv[1][0] != '-') {
		*ret_words = 2;
		lines = without_dashes(argv[1], "_");
		joined = without_dashes(argv[1], "");
		return builtin(argv[0], lines) ?: builtin(argv[0], joined);
	}
	*ret_words = 1;
	g = argc > 0 ? gadget_builtin_find(argv[0]) : NULL;
	return g ? g->name : NULL;
}

/* ---- their flags --------------------------------------------------------------------------- */

/* Those that have another name now, or a letter that was the gadget's own. */
static const struct era_flag {
	const char *gadget, *was, *letter, *now;
} flags[] = {
	{"advise_networkpolicy", "--output", NULL, "--record"},
	{"bpfstats", "--max-rows", "-m", "--max-entries"},
	{"profile_cpu", "--kernel", "-K", "--kernel-stacks-only"},
	{"profile_cpu", "--user", "-U", "--user-stacks-only"},
	{"snapshot_process", "--threads", "-t", "--threads"},
	{"top_blockio", "--max-rows", "-m", "--max-entries"},
	{"top_file", "--all", "-a", "--all-files"},
	{"top_file", "--max-rows", "-m", "--max-entries"},
	{"top_tcp", "--family", "-f", "--family"},
	{"top_tcp", "--max-rows", "-m", "--max-entries"},
	{"trace_bind", "--ports", "-P", "--ports"},
	{"trace_bind", "--ignore-errors", "-i", "--ignore-errors=true"},
	{"trace_capabilities", "--print-stack", NULL, "--kstack"},
	{"trace_fsslower", "--filesystem", "-f", "--filesystem"},
	{"trace_fsslower", "--min", "-m", "--min"},
	{"trace_signal", "--failed-only", "-f", "--failed"},
	{"trace_signal", "--kill-only", "-k", "--kill-only"},
};

/* The flag of now, with the value that stands behind it, "--min=5"; NULL: the word is as it was. */
static char *flag_now(const char *gadget, const char *word)
{
	size_t n = strcspn(word, "=");

	for (size_t i = 0; i < array_size(flags); i++) {
		const struct era_flag *f = &flags[i];
		bool named = strlen(f->was) == n && !strncmp(word, f->was, n);

		if (strcmp(f->gadget, gadget) != 0 || (!named && !str_equal(word, f->letter)))
			continue;
		return word[n] && strchr(f->now, '=') ? NULL : xasprintf("%s%s", f->now, word + n);
	}
	return NULL;
}

/* Columns of then that ours do not end with. */
static const char *field_now(const char *column)
{
	if (!strcmp(column, "pod"))
		return "k8s.podName";
	return !strcmp(column, "container") ? "k8s.containerName" : column;
}

#define CUSTOM "custom-columns="
#define INPUT "--input"

/* "custom-columns=pod,comm": "--fields=k8s.podName,comm". */
static char *fields_now(const char *columns)
{
	_cleanup_(buf_done) struct buf text = {.max = 65536};
	_cleanup_(freep) char **words = NULL;
	size_t n = split(columns + strlen(CUSTOM), ',', false, &words);

	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "%s%s", i ? "," : "--fields=", field_now(words[i]));
	return xstrdup(buf_cstr(&text));
}

static bool is_number(const char *word)
{
	return *word && strspn(word, "0123456789") == strlen(word);
}

/* One word of now for one, or two, of then. Texts are as long as the process, as argv's are. */
static char *word_now(const char *gadget, char *const *argv, bool first, int *ret_words)
{
	const char *word = argv[0], *next = argv[1] ?: "";

	*ret_words = 1;
	if (gadget && first && is_number(word)) /* top tcp 5 */
		return xasprintf("--interval=%s", word);
	if (str_starts(word, "-o" CUSTOM))
		return fields_now(word + strlen("-o"));
	if (str_starts(word, "--output=" CUSTOM))
		return fields_now(word + strlen("--output="));
	if ((!strcmp(word, "-o") || !strcmp(word, "--output")) && str_starts(next, CUSTOM)) {
		*ret_words = 2;
		return fields_now(next);
	}
	return (gadget ? flag_now(gadget, word) : NULL) ?: argv[0];
}

/* ---- running ------------------------------------------------------------------------------- */

/* The command, which may be several words, with what stands in argv behind the words of then. */
static int run_now(const char *command, const char *gadget, int argc, char **argv)
{
	_cleanup_(freep) char **words = NULL;
	size_t n = split(command, ' ', false, &words);
	_cleanup_(freep) char **all = xnew_n(char *, n + (size_t)argc + 1);

	memcpy(all, words, n * sizeof(*words));
	for (int i = 0, taken; i < argc; i += taken) {
		char *word = word_now(gadget, argv + i, i == 0, &taken);

		if (!gadget && str_starts(word, INPUT)) /* a file is a word now */
			word += strlen(INPUT) + (word[strlen(INPUT)] == '=');
		if (*word)
			all[n++] = word;
	}
	return command_find(all[0])->run((int)n, all);
}

static int run_gadget(const char *gadget, int argc, char **argv)
{
	_cleanup_(freep) char *command = xasprintf("run %s", gadget);

	return run_now(command, gadget, argc, argv);
}

/* The gadget as a word behind its category: of its own name, or else of another one it has. */
static const char *word_of(const struct gadget *g, const char *category)
{
	size_t n = strlen(category);

	for (size_t i = 0; i <= gadget_n_aliases(g); i++) {
		const char *name = i ? gadget_alias(g, i - 1) : gadget_name(g);

		if (!strncmp(name, category, n) && name[n] == '_')
			return name + n + 1;
	}
	return NULL;
}

static int help_category(const char *category)
{
	printf("Usage: kubectl gadget %s GADGET [FLAGS]\n\nGadgets:\n", category);
	for (size_t i = 0; i < gadget_builtin_count(); i++) {
		struct gadget *g = NULL;
		const char *word;

		if (gadget_open_builtin(gadget_builtin(i)->name, NULL, &g, NULL))
			continue;
		word = word_of(g, category);
		if (word)
			printf("  %-16s %.*s\n", word, (int)strcspn(gadget_doc(g), "\n"),
			       gadget_doc(g));
		gadget_free(g);
	}
	return EXIT_OK;
}

bool era_knows(int argc, char **argv)
{
	int words;

	return command_of(argc, argv, &words);
}

bool era_gadget(int argc, char **argv)
{
	int words;

	return gadget_of(argc, argv, &words) || is_category(argv[0]);
}

int era_run(int argc, char **argv)
{
	int words;
	const char *word = argc > 1 && argv[1][0] != '-' ? argv[1] : "";
	const struct era_command *c = command_of(argc, argv, &words);
	const char *gadget = c ? c->gadget : gadget_of(argc, argv, &words);

	if (gadget)
		return run_gadget(gadget, argc - words, argv + words);
	if (c && c->command)
		return run_now(c->command, NULL, argc - words, argv + words);
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
		return help_category(argv[0]);
	if (c)
		log_error("'%s' is of before `run`; now: %s", c->words, c->instead);
	else
		log_error("no gadget '%s%s%s'; `kubectl gadget list` shows them", argv[0],
			  *word ? "_" : "", word);
	return EXIT_USAGE;
}
