// SPDX-License-Identifier: Apache-2.0
#include "cmd/container_flags.h"

#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "cmd/flags.h"
#include "containers/daemon.h"

#define MAX_RUNTIMES 12 /* with a daemon */

static struct {
	const char *host_root, *roots;
	uint64_t resolve_timeout_ns;
	const char *paths[MAX_RUNTIMES];
} opt;

static const struct flag fixed[] = {
	{"host-root", 0, "DIR",
	 "Where the host's root is mounted, if ig runs in a container (default: $HOST_ROOT)",
	 flag_text, &opt.host_root, NULL},
	{"runc-root", 0, "LIST", "More folders of state, as runc or crun --root was told",
	 flag_text, &opt.roots, NULL},
	{"resolve-timeout", 0, "TIME",
	 "Hold a container's records so long for its names (default 1s)", flag_duration,
	 &opt.resolve_timeout_ns, NULL},
};

/* One more for each runtime that is asked over a socket. */
static struct flag flags[array_size(fixed) + MAX_RUNTIMES + 1];
static struct runtime_socket sockets[MAX_RUNTIMES + 1];
const struct flag_table container_flags = {"Host and runtimes", flags};

/* Before main(): help and completion are made of the table as well. */
__attribute__((constructor)) static void make_flags(void)
{
	size_t n = 0;

	memcpy(flags, fixed, sizeof(fixed));
	for_each_registered(ig_runtimes, r) if ((*r)->daemon && n < MAX_RUNTIMES)
	{
		flags[array_size(fixed) + n] = (struct flag){
			xasprintf("%s-socketpath", (*r)->name),
			0,
			"PATH",
			xasprintf("Socket of %s (default: %s)", (*r)->name,
				  (*r)->daemon->sockets[0]),
			flag_text,
			&opt.paths[n],
			NULL,
		};
		sockets[n++].runtime = (*r)->name;
	}
}

static void warn(void *ctx, const char *text)
{
	log_warn("%s", text);
}

void container_flags_options(struct containers_options *ret)
{
	static struct runtime_socket given[MAX_RUNTIMES + 1];
	static char **roots;
	size_t n = 0;

	for (size_t i = 0; sockets[i].runtime; i++)
		if (opt.paths[i])
			given[n++] = (struct runtime_socket){sockets[i].runtime, opt.paths[i]};
	if (opt.roots && !roots) {
		char **words;
		size_t n_roots = split(opt.roots, ',', true, &words);

		roots = xnew_n(char *, n_roots + 1);
		memcpy(roots, words, n_roots * sizeof(*roots));
	}
	*ret = (struct containers_options){
		.host_root = opt.host_root ?: getenv("HOST_ROOT"),
		.runc_roots = (const char *const *)roots,
		.sockets = given,
		.resolve_timeout_ns = opt.resolve_timeout_ns,
		.warn = warn,
	};
}
