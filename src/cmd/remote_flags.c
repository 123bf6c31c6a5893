// SPDX-License-Identifier: Apache-2.0
#include "cmd/remote_flags.h"

#include <stdlib.h>

#include "cmd/flags.h"

static struct {
	const char *address;
	struct tls_files tls;
} opt;

static const struct flag flags[] = {
	{"remote", 0, "ADDRESS",
	 "Do it at that daemon: unix:///PATH, tcp://HOST:PORT (default: $IG_REMOTE, if set)",
	 flag_text, &opt.address, NULL},
	{"remote-ca", 0, "FILE", "Over TCP: who signs the daemon's certificate", flag_text,
	 &opt.tls.ca, NULL},
	{"remote-cert", 0, "FILE", "Over TCP: our certificate", flag_text, &opt.tls.certificate,
	 NULL},
	{"remote-key", 0, "FILE", "Over TCP: the key of it", flag_text, &opt.tls.key, NULL},
	{0},
};
const struct flag_table remote_flags = {"Daemon", flags};

void remote_flags_look(const struct command *c, int argc, char **argv)
{
	for (const struct flag *f = flags; f->name; f++) {
		const char *value = flags_peek(c, argc, argv, f->name);

		if (value)
			*(const char **)f->to = value;
	}
}

/* NULL: none was named. */
static const char *address(void)
{
	const char *a = opt.address ?: getenv("IG_REMOTE");

	return a && *a ? a : NULL;
}

bool remote_flags_given(void)
{
	return address();
}

bool remote_flags_on_command_line(void)
{
	return opt.address;
}

bool remote_flags_apply(const struct command *c)
{
	for (const struct flag_table *const *t = c->tables; t && *t; t++)
		if (*t == &remote_flags)
			return true;
	return false;
}

const char *remote_flags_address(void)
{
	return address() ?: REMOTE_DEFAULT;
}

int remote_flags_open(struct remote **ret, struct err *err)
{
	const struct remote_options o = {.address = remote_flags_address(), .tls = opt.tls};

	return remote_open(&o, ret, err);
}
