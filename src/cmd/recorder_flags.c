// SPDX-License-Identifier: Apache-2.0
#include "cmd/recorder_flags.h"

#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "recorder/trigger.h"

#define MAX_WHEN 16

static struct {
	uint64_t per_container, budget;
	const char *dump_on;
	const char *when[MAX_WHEN + 1];
	size_t n_when;
} opt = {.dump_on = "exit,signal,oom"};

static int add_when(const struct flag *f, const char *value, struct err *err)
{
	if (opt.n_when == MAX_WHEN)
		return err_set(err, -EINVAL, "--%s: at most %d times", f->name, MAX_WHEN);
	opt.when[opt.n_when++] = value;
	return 0;
}

static const struct flag flags[] = {
	{"per-container", 0, "BYTES", "Memory of each container's ring (default 1MiB)", flag_bytes,
	 &opt.per_container, NULL},
	{"budget", 0, "BYTES", "Memory of all rings (default 64MiB)", flag_bytes, &opt.budget,
	 NULL},
	{"dump-on", 0, "LIST",
	 "Dump a container's ring on: exit (of the container, not well), signal (a fault ends a "
	 "process), oom; '': none (default: all)",
	 flag_text, &opt.dump_on, NULL},
	{"dump-when", 0, "GADGET: EXPR",
	 "And when a record of GADGET passes this filter; repeatable", add_when, NULL, NULL},
	{0},
};
const struct flag_table recorder_flags = {"Flight recorder", flags};

void recorder_flags_options(struct recording_options *ret)
{
	static char **words, **on; /* live as long as the command */
	size_t n;

	free(words);
	free(on);
	n = split(opt.dump_on, ',', false, &words);
	on = xnew_n(char *, n + 1); /* NULL at the end */
	memcpy(on, words, n * sizeof(*on));
	*ret = (struct recording_options){
		.per_container = opt.per_container,
		.budget = opt.budget,
		.dump_on = (const char *const *)on,
		.dump_when = opt.when,
	};
	gadget_load_options_init(&ret->load);
	clock_base_now(&ret->clock);
}
