// SPDX-License-Identifier: Apache-2.0
#include "cmd/era.h"

#include <string.h>

#include "base/mem.h"
#include "cmd/command.h"
#include "gadget/gadget.h"

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
static const char *find(int argc, char **argv, int *ret_words)
{
	_cleanup_(freep) char *lines = NULL, *joined = NULL;
	const struct gadget_object *g;

	if (argc > 1 && is_category(argv[0])) {
		*ret_words = 2;
		lines = without_dashes(argv[1], "_");
		joined = without_dashes(argv[1], "");
		return builtin(argv[0], lines) ?: builtin(argv[0], joined);
	}
	*ret_words = 1;
	g = argc > 0 ? gadget_builtin_find(argv[0]) : NULL;
	return g ? g->name : NULL;
}

bool era_gadget(int argc, char **argv)
{
	int words;

	return find(argc, argv, &words);
}

int era_run(int argc, char **argv)
{
	int words, exit_code;
	const char *name = find(argc, argv, &words);
	char **all = xnew_n(char *, (size_t)argc + 3);

	all[0] = "run";
	all[1] = (char *)name;
	memcpy(all + 2, argv + words, (size_t)(argc - words) * sizeof(*argv));
	exit_code = command_find("run")->run(argc - words + 2, all);
	free(all);
	return exit_code;
}
