// SPDX-License-Identifier: Apache-2.0
/* What all runtimes know together, and ids out of cgroups' names. */
#include "containers/identify.h"

#include <string.h>

#include "base/mem.h"

/* ---- ids ------------------------------------------------------------------------- */

static bool is_full_id(const char *s, size_t len)
{
	return len == 64 && strspn(s, "0123456789abcdef") >= len;
}

/* What runtimes put before the id in a cgroup's name; folders that they make for their containers.
 */
static const struct naming {
	const char *prefix;
	const char *runtime; /* NULL: the name does not tell */
} prefixes[] =
	{
		{"libpod-payload-", "podman"},
		{"libpod-", "podman"},
		{"docker-", "docker"},
		{"cri-containerd-", "containerd"},
		{"nerdctl-", "containerd"},
		{"crio-", "cri-o"},
		{"runc-", "runc"},
		{"crun-", "crun"},
		{"lxc.payload.", NULL},
		{"machine-", NULL},
},
  folders[] = {
	  {"/docker/", "docker"},
	  {"/libpod_parent/", "podman"},
};

static const struct naming *naming_of(const char *name, size_t len)
{
	for (size_t i = 0; i < array_size(prefixes); i++) {
		size_t n = strlen(prefixes[i].prefix);

		if (len > n && !strncmp(name, prefixes[i].prefix, n))
			return &prefixes[i];
	}
	return NULL;
}

/* A cgroup's name without what runtimes put around the id. */
static char *bare_id(const char *name, size_t len)
{
	const struct naming *n;

	if (len > 6 && !strncmp(name + len - 6, ".scope", 6))
		len -= 6;
	n = naming_of(name, len);
	if (n) {
		name += strlen(n->prefix);
		len -= strlen(n->prefix);
	}
	return xstrndup(name, len);
}

/*
 * A container's processes may have made cgroups of their own: a name with a full id in it wins over
 * the last.
 */
char *identify_id(const char *cgroup_path)
{
	const char *end = cgroup_path ? cgroup_path + strlen(cgroup_path) : NULL;
	char *last = NULL;

	while (end > cgroup_path) {
		const char *slash = memrchr(cgroup_path, '/', (size_t)(end - cgroup_path));
		const char *name = slash ? slash + 1 : cgroup_path;
		char *id = end > name ? bare_id(name, (size_t)(end - name)) : NULL;

		if (id && is_full_id(id, strlen(id))) {
			free(last);
			return id;
		}
		if (id && !last)
			last = id;
		else
			free(id);
		end = slash ?: cgroup_path;
	}
	return last;
}

char *identify_top(const char *cgroup_path)
{
	const char *name = cgroup_path, *end, *top = NULL;

	while (name && *name == '/') {
		_cleanup_(freep) char *id = NULL;

		end = strchrnul(++name, '/');
		id = bare_id(name, (size_t)(end - name));
		if (is_full_id(id, strlen(id)))
			top = end; /* a pod's cgroup may stand before the container's */
		name = end;
	}
	return top && *top ? xstrndup(cgroup_path, (size_t)(top - cgroup_path)) : NULL;
}

const char *identify_runtime(const char *cgroup_path)
{
	const char *slash = cgroup_path ? strrchr(cgroup_path, '/') : NULL;
	const struct naming *n = slash ? naming_of(slash + 1, strlen(slash + 1)) : NULL;

	for (size_t i = 0; cgroup_path && !n && i < array_size(folders); i++)
		if (strstr(cgroup_path, folders[i].prefix))
			n = &folders[i];
	return n ? n->runtime : NULL;
}

bool identify_is_full_id(const char *id)
{
	return id && is_full_id(id, strlen(id));
}

bool identify_has_full_id(const char *cgroup_path)
{
	_cleanup_(freep) char *id = identify_id(cgroup_path);

	return identify_is_full_id(id);
}

/* ---- all runtimes ---------------------------------------------------------------- */

bool identify(const struct runtime_context *ctx, struct container *c, const struct clues *clues)
{
	bool known = false;
	int done = -1;

	for (;;) { /* registered in any order, and few */
		const struct runtime *next = NULL;

		for_each_registered(ig_runtimes, r)
			if ((*r)->order > done && (!next || (*r)->order < next->order))
				next = *r;
		if (!next)
			return known;
		done = next->order;
		known = next->resolve(ctx, c, clues) || known;
	}
}
