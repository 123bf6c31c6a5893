// SPDX-License-Identifier: Apache-2.0
/* A container as JSON. */
#include "containers/container_json.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "columns/format.h"
#include "columns/labels.h"

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
	MEMBER("k8sNode", MEMBER_TEXT, k8s_node),
	MEMBER("k8sPodIp", MEMBER_TEXT, k8s_pod_ip),
	MEMBER("k8sOwnerKind", MEMBER_TEXT, k8s_owner_kind),
	MEMBER("k8sOwnerName", MEMBER_TEXT, k8s_owner_name),
	MEMBER("k8sHostNetwork", MEMBER_BOOL, k8s_hostnetwork),
	MEMBER("outer", MEMBER_TEXT, outer_name),
	MEMBER("sandbox", MEMBER_BOOL, sandbox),
	MEMBER("resolved", MEMBER_BOOL, resolved),
	/* What may be large comes last: it is left out where it does not fit. */
	MEMBER("k8sLabels", MEMBER_LABELS, k8s_labels),
	MEMBER("labels", MEMBER_LABELS, labels),
	MEMBER("annotations", MEMBER_LABELS, annotations),
#undef MEMBER
	{0},
};

static void add_name(struct buf *out, const char *name)
{
	if (out->len && out->data[out->len - 1] != '{')
		buf_char(out, ',');
	json_quote(out, name, strlen(name));
	buf_char(out, ':');
}

static void add_labels(const char *name, const struct labels *labels, struct buf *out)
{
	struct buf object;

	if (!labels->n || labels->n > CONTAINER_MAX_LABELS || out->failed ||
	    out->max - out->len <= 64)
		return;
	buf_init(&object, out->max - out->len - 32);
	labels_to_json(labels, &object);
	if (!object.failed) {
		add_name(out, name);
		buf_add(out, object.data, object.len);
	}
	buf_done(&object);
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
	case MEMBER_LABELS:
		add_labels(m->name, at, out);
		return;
	}
}

void container_to_json(const struct container *c, enum container_json what, struct buf *out)
{
	buf_char(out, '{');
	for (const struct member *m = container_members; m->name; m++)
		if (what == CONTAINER_ALL || m->offset != offsetof(struct container, annotations))
			add_member(m, c, out);
	buf_char(out, '}');
}
