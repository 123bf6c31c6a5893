// SPDX-License-Identifier: Apache-2.0
/* Containers in record files: the known fields of struct container as one JSON object. */
#include "recorder/format.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "columns/format.h"

const struct member container_members[] = {
#define MEMBER(name, type, field)                             \
	{                                                     \
		name, type, offsetof(struct container, field) \
	}
	MEMBER("id", MEMBER_TEXT, id),
	MEMBER("name", MEMBER_TEXT, name),
	MEMBER("runtime", MEMBER_TEXT, runtime),
	MEMBER("bundle", MEMBER_TEXT, bundle),
	MEMBER("cgroupPath", MEMBER_TEXT, cgroup_path),
	MEMBER("imageName", MEMBER_TEXT, image_name),
	MEMBER("imageId", MEMBER_TEXT, image_id),
	MEMBER("imageDigest", MEMBER_TEXT, image_digest),
	MEMBER("k8sNamespace", MEMBER_TEXT, k8s_namespace),
	MEMBER("k8sPod", MEMBER_TEXT, k8s_pod),
	MEMBER("k8sPodUid", MEMBER_TEXT, k8s_pod_uid),
	MEMBER("k8sContainer", MEMBER_TEXT, k8s_container),
	MEMBER("cgroupId", MEMBER_U64, cgroup_id),
	MEMBER("mntns", MEMBER_U64, mntns),
	MEMBER("netns", MEMBER_U64, netns),
	MEMBER("pidns", MEMBER_U64, pidns),
	MEMBER("pid", MEMBER_U32, pid),
	MEMBER("startedBoot", MEMBER_U64, started_boot_ns),
	MEMBER("startedReal", MEMBER_U64, started_real_ns),
	MEMBER("byNamespace", MEMBER_BOOL, by_namespace),
#undef MEMBER
	{ 0 },
};

static void add_name(struct buf *out, const char *name)
{
	if (out->len > 1)
		buf_char(out, ',');
	json_quote(out, name, strlen(name));
	buf_char(out, ':');
}

static void add_member(const struct member *m, const struct container *c, struct buf *out)
{
	const void *at = (const char *)c + m->offset;
	const char *text;

	switch (m->type) {
	case MEMBER_TEXT:
		text = *(char *const *)at;
		if (!text)
			return;
		add_name(out, m->name);
		json_quote(out, text, strlen(text));
		return;
	case MEMBER_U64:
	case MEMBER_U32:
		add_name(out, m->name);
		buf_u64(out, m->type == MEMBER_U64 ? *(const uint64_t *)at : *(const uint32_t *)at);
		return;
	case MEMBER_BOOL:
		add_name(out, m->name);
		buf_str(out, *(const bool *)at ? "true" : "false");
		return;
	}
}

static void add_annotations(const struct container *c, struct buf *out)
{
	struct buf object;

	if (!c->n_annotations || c->n_annotations > CONTAINER_MAX_ANNOTATIONS)
		return;
	buf_init(&object, out->max - out->len - 32);
	for (size_t i = 0; i < c->n_annotations; i++) {
		const struct container_label *a = &c->annotations[i];

		buf_char(&object, i ? ',' : '{');
		json_quote(&object, a->key, strlen(a->key));
		buf_char(&object, ':');
		json_quote(&object, a->value, strlen(a->value));
	}
	buf_char(&object, '}');
	if (!object.failed) {
		add_name(out, "annotations");
		buf_add(out, object.data, object.len);
	}
	buf_done(&object);
}

void container_to_json(const struct container *c, struct buf *out)
{
	buf_char(out, '{');
	for (const struct member *m = container_members; m->name; m++)
		add_member(m, c, out);
	if (!out->failed && out->max - out->len > 64)
		add_annotations(c, out);
	buf_char(out, '}');
}
