// SPDX-License-Identifier: Apache-2.0
#include "cmd/remote_command.h"

#include "base/mem.h"
#include "cmd/flags.h"

int words_add(void *ctx, const char *word, struct err *err)
{
	struct words *w = ctx;

	*grow(&w->items, &w->n, &w->room) = word;
	return 0;
}

static int do_it(const struct words *words, const char *what, remote_command_fn *fn,
		 struct err *err)
{
	struct remote *remote = NULL;
	int r = what && !words->n ? err_set(err, -EINVAL, "name %s", what) : 0;

	r = r ?: remote_flags_open(&remote, err);
	r = r ?: fn(remote, words, err);
	remote_close(remote);
	return r;
}

int remote_command(const char *name, int argc, char **argv, const char *what, remote_command_fn *fn)
{
	struct words words = {0};
	struct err err = {0};
	struct flags flags;
	int exit_code, r;

	flags_init(&flags, command_find(name));
	flags.word = what ? words_add : NULL;
	flags.ctx = &words;
	if (flags_begin(&flags, argc, argv, &exit_code)) {
		r = do_it(&words, what, fn, &err);
		exit_code = r ? command_fail(r, &err) : EXIT_OK;
	}
	free(words.items);
	return exit_code;
}
