// SPDX-License-Identifier: Apache-2.0
/* Reading a container of a record file back. The text may be hostile. */
#include "recorder/format.h"

#include <errno.h>
#include <jansson.h>

#include "base/mem.h"

/* NULL, or what is wrong. */
static const char *read_member(const struct member *m, const json_t *value, struct container *c)
{
	void *at = (char *)c + m->offset;
	json_int_t n = json_integer_value(value);

	switch (m->type) {
	case MEMBER_TEXT:
		if (!json_is_string(value))
			return "a name is not text";
		*(char **)at = xstrdup(json_string_value(value));
		return NULL;
	case MEMBER_U64:
		if (!json_is_integer(value) || n < 0)
			return "a number is none";
		*(uint64_t *)at = (uint64_t)n;
		return NULL;
	case MEMBER_U32:
		if (!json_is_integer(value) || n < 0 || n > UINT32_MAX)
			return "a number is none";
		*(uint32_t *)at = (uint32_t)n;
		return NULL;
	case MEMBER_BOOL:
		if (!json_is_boolean(value))
			return "a truth value is none";
		*(bool *)at = json_is_true(value);
		return NULL;
	}
	return NULL;
}

static const char *read_annotations(json_t *object, struct container *c)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return "annotations are no object";
	if (json_object_size(object) > CONTAINER_MAX_ANNOTATIONS)
		return "too many annotations";
	c->annotations = xnew_n(struct container_label, json_object_size(object) + 1);
	json_object_foreach(object, key, value)
	{
		if (!json_is_string(value))
			return "an annotation is not text";
		c->annotations[c->n_annotations++] =
			(struct container_label){ xstrdup(key), xstrdup(json_string_value(value)) };
	}
	return NULL;
}

static void json_freep(json_t **j)
{
	json_decref(*j);
}

int container_from_json(const char *text, size_t len, struct container **ret,
			const char **ret_fault)
{
	_cleanup_(json_freep) json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	_cleanup_(container_unrefp) struct container *c = NULL;
	const char *fault = NULL;

	if (!json_is_object(root)) {
		*ret_fault = "not a JSON object";
		return -EBADMSG;
	}
	c = container_new();
	for (const struct member *m = container_members; m->name && !fault; m++) {
		const json_t *value = json_object_get(root, m->name);

		if (value) /* members that we do not know are a later version's */
			fault = read_member(m, value, c);
	}
	if (!fault && json_object_get(root, "annotations"))
		fault = read_annotations(json_object_get(root, "annotations"), c);
	if (fault) {
		*ret_fault = fault;
		return -EBADMSG;
	}
	if (!c->name)
		c->name = xstrdup(c->id ?: "");
	*ret = take(c);
	return 0;
}
