// SPDX-License-Identifier: Apache-2.0
/* A table of programs and their flags. */
#include "containers/cmdline.h"

#include <string.h>

#include "base/mem.h"
#include "base/parse.h"

struct flag {
	const char *name; /* with its dashes; `--flag=value` is understood as well */
	size_t place;	  /* of a text in struct cmdline */
};

#define PLACE(member) offsetof(struct cmdline, member)

static const struct flag runtime_flags[] = {
	{"--root", PLACE(root)},
	{"--bundle", PLACE(bundle)},
	{"-b", PLACE(bundle)},
	{0},
};
static const struct flag shim_flags[] = {
	{"-namespace", PLACE(namespace_)},
	{"-id", PLACE(id)},
	{"-address", PLACE(address)},
	{"-bundle", PLACE(bundle)},
	{0},
};
static const struct flag conmon_flags[] = {
	{"-c", PLACE(id)},
	{"-n", PLACE(name)},
	{"-b", PLACE(bundle)},
	{0},
};

static const struct program {
	const char *prefix; /* of the program's name without its folder */
	const struct flag *flags;
} programs[] = {
	{"runc", runtime_flags},
	{"crun", runtime_flags},
	{"containerd-shim", shim_flags},
	{"conmon", conmon_flags},
};

static const struct flag *flags_of(const char *program)
{
	const char *slash = strrchr(program, '/');
	const char *name = slash ? slash + 1 : program;

	for (size_t i = 0; i < array_size(programs); i++)
		if (str_starts(name, programs[i].prefix))
			return programs[i].flags;
	return NULL;
}

/* The value of the flag that `arg` is: behind its `=`, or `next`. NULL: it is not this flag. */
static const char *value_of(const struct flag *f, const char *arg, const char *next)
{
	size_t len = strlen(f->name);

	if (strncmp(arg, f->name, len))
		return NULL;
	if (!arg[len])
		return next;
	return arg[len] == '=' ? arg + len + 1 : NULL;
}

/* The string behind `s`; NULL: that was the last whole one. */
static const char *next_string(const char *s, const char *end)
{
	const char *next = s + strlen(s) + 1;

	return next < end && memchr(next, '\0', (size_t)(end - next)) ? next : NULL;
}

bool cmdline_parse(const char *args, size_t len, struct cmdline *ret)
{
	const char *end = args + len;
	const char *arg = memchr(args, '\0', len) ? args : NULL;
	const struct flag *flags = arg ? flags_of(arg) : NULL;

	if (!flags)
		return false;
	*ret = (struct cmdline){0};
	while ((arg = next_string(arg, end))) {
		const char *next = next_string(arg, end);

		for (const struct flag *f = flags; f->name; f++) {
			const char *value = value_of(f, arg, next);
			const char **to = (const char **)((char *)ret + f->place);

			if (value && *value && !*to)
				*to = value;
		}
	}
	return true;
}
