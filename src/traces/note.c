// SPDX-License-Identifier: Apache-2.0
#include "traces/note.h"

#include <string.h>

#include "columns/format.h"
#include "containers/container.h"

void note_lost(struct buf *json, const char *gadget, const struct container *c, uint64_t count)
{
	const char *name = c ? c->name : "";

	buf_str(json, "\"event\":\"lost\",\"gadget\":");
	json_quote(json, gadget, strlen(gadget));
	buf_str(json, ",\"container\":");
	json_quote(json, name, strlen(name));
	if (c && c->k8s_node) {
		buf_str(json, ",\"node\":");
		json_quote(json, c->k8s_node, strlen(c->k8s_node));
	}
	buf_str(json, ",\"count\":");
	buf_u64(json, count);
}
