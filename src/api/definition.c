// SPDX-License-Identifier: Apache-2.0
#include "api/definition.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "api/gadgettracermanager.pb-c.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/utf8.h"

/* ---- which form? ----------------------------------------------------------------- */

enum form { FORM_V12, FORM_V04, FORM_OPEN /* may be either */ };
enum wire_type { VARINT, FIXED64, BYTES, FIXED32 = 5 };

struct reader {
	const uint8_t *at, *end;
};

static bool read_varint(struct reader *r, uint64_t *ret)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; r->at < r->end && shift < 64; shift += 7) {
		uint8_t byte = *r->at++;

		value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80)) {
			*ret = value;
			return true;
		}
	}
	return false;
}

/* Past a field's value. False: the message ends in it, or it has no such type. */
static bool skip(struct reader *r, unsigned int type)
{
	uint64_t n = 0;

	switch (type) {
	case VARINT:
		return read_varint(r, &n);
	case FIXED64:
		n = 8;
		break;
	case BYTES:
		if (!read_varint(r, &n))
			return false;
		break;
	case FIXED32:
		n = 4;
		break;
	default:
		return false;
	}
	if (n > (uint64_t)(r->end - r->at))
		return false;
	r->at += n;
	return true;
}

/* Fields 2 (pid, or a path), 3 and 4 (texts, or numbers) have other types; only one has 8 … 13. */
static enum form form_of(uint64_t field, unsigned int type)
{
	if (field == 2 && (type == VARINT || type == BYTES))
		return type == VARINT ? FORM_V12 : FORM_V04;
	if ((field == 3 || field == 4) && (type == VARINT || type == BYTES))
		return type == VARINT ? FORM_V04 : FORM_V12;
	return FORM_OPEN;
}

static enum form find_form(const void *bytes, size_t len)
{
	struct reader r = {bytes, (const uint8_t *)bytes + len};
	bool has_more = false;
	uint64_t tag;

	while (r.at < r.end && read_varint(&r, &tag)) {
		enum form form = form_of(tag >> 3, tag & 7);

		if (form != FORM_OPEN)
			return form;
		has_more = has_more || (tag >> 3 >= 8 && tag >> 3 <= 13);
		if (!skip(&r, tag & 7))
			break;
	}
	return has_more ? FORM_V04 : FORM_V12;
}

/* ---- one struct ------------------------------------------------------------------ */

static const char *text(const char *s)
{
	return s && *s ? s : NULL;
}

/* What is kept of a container is bounded, and shown to clients who take nothing but UTF-8. */
static bool is_fit(const char *s, size_t max)
{
	size_t len = s ? strlen(s) : 0, n;
	uint32_t c;

	if (len > max)
		return false;
	for (; len; s += n, len -= n) {
		n = utf8_decode(s, len, &c);
		if (!n)
			return false;
	}
	return true;
}

static bool is_fit_notice(const struct container_notice *n, const struct labels *l)
{
	size_t bytes = 0;

	for (size_t i = 0; i < l->n; i++) {
		bytes += strlen(l->items[i].key) + strlen(l->items[i].value);
		if (!is_fit(l->items[i].key, MAX_TOLD_CONFIG_BYTES) ||
		    !is_fit(l->items[i].value, MAX_TOLD_CONFIG_BYTES))
			return false;
	}
	return bytes <= MAX_TOLD_CONFIG_BYTES && is_fit(n->id, MAX_TOLD_TEXT_BYTES) &&
	       is_fit(n->namespace_, MAX_TOLD_TEXT_BYTES) && is_fit(n->pod, MAX_TOLD_TEXT_BYTES) &&
	       is_fit(n->name, MAX_TOLD_TEXT_BYTES) && is_fit(n->cgroup_path, MAX_TOLD_TEXT_BYTES);
}

static void take_labels(struct definition *d, Gadgettracermanager__Label **labels, size_t n)
{
	for (size_t i = 0; i < n && i < MAX_LABELS; i++)
		labels_add(&d->labels, labels[i]->key, labels[i]->value);
}

static bool read_v12(const void *bytes, size_t len, struct definition *d)
{
	const Gadgettracermanager__ContainerDefinition *m = d->message =
		gadgettracermanager__container_definition__unpack(NULL, len, bytes);

	if (!m)
		return false;
	d->notice = (struct container_notice){
		.id = m->id,
		.pid = m->pid,
		.oci_config = text(m->oci_config),
		.namespace_ = text(m->namespace_),
		.pod = text(m->podname),
		.name = text(m->name),
	};
	take_labels(d, m->labels, m->n_labels);
	return true;
}

static bool read_v04(const void *bytes, size_t len, struct definition *d)
{
	const Gadgettracermanager__ContainerDefinitionV04 *m = d->message =
		gadgettracermanager__container_definition_v04__unpack(NULL, len, bytes);

	if (!m)
		return false;
	d->notice = (struct container_notice){
		.id = m->id,
		.pid = m->pid,
		.namespace_ = text(m->namespace_),
		.pod = text(m->podname),
		.name = text(m->name),
		.cgroup_id = m->cgroup_id,
		.mntns = m->mntns,
		.netns = m->netns,
		/* The other one begins with where it is mounted. */
		.cgroup_path = text(m->cgroup_v2) ?: text(m->cgroup_path),
	};
	take_labels(d, m->labels, m->n_labels);
	return true;
}

int definition_read(const void *bytes, size_t len, struct definition *ret, struct err *err)
{
	struct definition d = {.is_v04 = find_form(bytes, len) == FORM_V04};

	if (!(d.is_v04 ? read_v04 : read_v12)(bytes, len, &d))
		return err_set(err, -EINVAL, "not a ContainerDefinition");
	if (!is_fit_notice(&d.notice, &d.labels)) {
		definition_done(&d);
		return err_set(err, -EINVAL, "a text of the container is too long, or no UTF-8");
	}
	*ret = d;
	ret->notice.labels = &ret->labels;
	return 0;
}

void definition_done(struct definition *d)
{
	if (d->message)
		protobuf_c_message_free_unpacked(d->message, NULL);
	labels_done(&d->labels);
	*d = (struct definition){0};
}
