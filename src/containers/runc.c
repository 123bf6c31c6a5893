// SPDX-License-Identifier: Apache-2.0
/* Containers of runc, also under containerd and Docker, from state.json (libcontainer's State). */
#include "base/mem.h"
#include "containers/identify.h"

static const struct state_place places[] = {
	{"/run/runc", "state.json", oci_parse_runc, "runc"},
	{"/run/containerd/runc/*", "state.json", oci_parse_runc, "containerd"},
	{"/run/docker/runtime-runc/*", "state.json", oci_parse_runc, "docker"},
	{"/run/user/*/runc", "state.json", oci_parse_runc, "runc"},
};

static bool resolve_in(const struct runtime_context *ctx, const struct state_place *place,
		       struct container *c)
{
	_cleanup_(freep) char *id = NULL;
	struct oci_state s;

	if (!identify_state(ctx, place, c, &s, &id))
		return false;
	identify_fill(c, &s, id, place->runtime);
	return true;
}

static struct state_place extra_place(const char *root)
{
	return (struct state_place){root, "state.json", oci_parse_runc, "runc"};
}

static bool resolve(const struct runtime_context *ctx, struct container *c)
{
	for (size_t i = 0; ctx->runc_roots && ctx->runc_roots[i]; i++) {
		struct state_place place = extra_place(ctx->runc_roots[i]);

		if (resolve_in(ctx, &place, c))
			return true;
	}
	for (size_t i = 0; i < array_size(places); i++)
		if (resolve_in(ctx, &places[i], c))
			return true;
	return false;
}

static void list(const struct runtime_context *ctx, void (*fn)(void *arg, uint32_t pid), void *arg)
{
	for (size_t i = 0; ctx->runc_roots && ctx->runc_roots[i]; i++) {
		struct state_place place = extra_place(ctx->runc_roots[i]);

		identify_list(ctx, &place, fn, arg);
	}
	for (size_t i = 0; i < array_size(places); i++)
		identify_list(ctx, &places[i], fn, arg);
}

static const struct runtime runc = {"runc", 10, resolve, list};
RUNTIME(&runc);
