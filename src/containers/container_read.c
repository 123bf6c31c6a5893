// SPDX-License-Identifier: Apache-2.0
/* A container out of its JSON, which may be hostile. */
#include "containers/container_json.h"

#include <errno.h>
#include <jansson.h>

#include "base/mem.h"

static const char *read_labels(json_t *object, struct labels *ret)
{
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return "labels are no object";
	if (json_object_size(object) > CONTAINER_MAX_LABELS)
		return "too many labels";
	json_object_foreach(object, key, value)
	{
		if (!json_is_string(value))
			return "a label is not text";
		/* No key comes twice in an object: labels_add() need not look. */
		*grow(&ret->items, &ret->n, &ret->room) =
			(struct label){xstrdup(key), xstrdup(json_string_value(value))};
	}
	return NULL;
}

/* NULL, or what is wrong. */
static const char *read_member(const struct member *m, json_t *value, struct container *c)
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
	case MEMBER_LABELS:
		return read_labels(value, at);
	}
	return NULL;
}

/* The text tells only the name of the container around c: enough to select c by it. */
static void make_outer(struct container *c)
{
	_cleanup_(container_unrefp) struct container *outer = container_new();

	outer->name = xstrdup(c->outer_name);
	container_set_outer(c, outer);
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
		json_t *value = json_object_get(root, m->name);

		if (value) /* members that we do not know are a later version's */
			fault = read_member(m, value, c);
	}
	if (fault) {
		*ret_fault = fault;
		return -EBADMSG;
	}
	if (!c->name)
		c->name = xstrdup(c->id ?: "");
	if (c->outer_name)
		make_outer(c);
	*ret = take(c);
	return 0;
}
