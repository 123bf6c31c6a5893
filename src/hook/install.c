// SPDX-License-Identifier: Apache-2.0
#include "hook/install.h"

#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/format.h"
#include "hook/json_text.h"
#include "hook/notify.h"

const struct hook_installer *hook_installer_find(const char *runtime)
{
	for_each_registered(ig_hook_installers, i)
		if (!strcmp((*i)->runtime, runtime))
			return *i;
	return NULL;
}

static void quote(struct buf *b, const char *text)
{
	json_quote(b, text, strlen(text));
}

void hook_item(const struct hook_setup *s, const char *stage, struct buf *ret)
{
	buf_str(ret, "{\"path\":");
	quote(ret, s->program);
	buf_printf(ret, ",\"args\":[\"ig\",\"hook\",\"%s\"", stage);
	if (s->host) {
		buf_str(ret, ",\"--host\",");
		quote(ret, s->host);
	}
	buf_str(ret, "]}");
}

/* ---- config.json ----------------------------------------------------------------- */

/* One stage's hook, before others of the same stage. */
static int add_stage(const char *text, size_t len, const char *stage, const char *item,
		     struct buf *ret)
{
	_cleanup_(buf_done) struct buf wrapped = {.max = MAX_CONFIG_BYTES};
	struct json_member hooks, list;
	size_t top;

	if (!json_text_object(text, len, &top))
		return -EINVAL;
	if (!json_text_member(text, top, "hooks", &hooks)) {
		buf_printf(&wrapped, "\"hooks\":{\"%s\":[%s]}", stage, item);
		json_text_insert(text, len, top, buf_cstr(&wrapped), ret);
	} else if (text[hooks.value] != '{') {
		return -EINVAL;
	} else if (!json_text_member(text, hooks.value, stage, &list)) {
		buf_printf(&wrapped, "\"%s\":[%s]", stage, item);
		json_text_insert(text, len, hooks.value, buf_cstr(&wrapped), ret);
	} else if (text[list.value] != '[') {
		return -EINVAL;
	} else {
		json_text_insert(text, len, list.value, item, ret);
	}
	return ret->failed ? -EFBIG : 0;
}

int hook_add(const struct hook_setup *s, const char *text, size_t len, struct buf *ret)
{
	struct buf now = {.max = MAX_CONFIG_BYTES};
	int r = 0;

	buf_add(&now, text, len);
	for (size_t i = 0; !r && i < s->n_stages; i++) {
		_cleanup_(buf_done) struct buf item = {.max = MAX_CONFIG_BYTES};
		struct buf next = {.max = MAX_CONFIG_BYTES};

		hook_item(s, s->stages[i], &item);
		r = add_stage(buf_cstr(&now), now.len, s->stages[i], buf_cstr(&item), &next);
		buf_done(&now);
		now = next;
	}
	if (!r)
		buf_add(ret, now.data, now.len);
	buf_done(&now);
	return r;
}

/* ---- hooks.d --------------------------------------------------------------------- */

static void fill_file(struct change *c, const struct hook_setup *s, const char *stage)
{
	c->exists = true;
	buf_str(&c->after, "{\n  \"version\": \"1.0.0\",\n  \"hook\": ");
	hook_item(s, stage, &c->after);
	buf_printf(&c->after, ",\n  \"when\": {\"always\": true},\n  \"stages\": [\"%s\"]\n}\n",
		   stage);
}

/* https://github.com/containers/common/blob/main/pkg/hooks/docs/oci-hooks.5.md */
int hook_plan_folder(struct changes *cs, const struct hook_setup *s, const char *folder,
		     struct err *err)
{
	const char *stage;

	for (unsigned int i = 0; (stage = hook_stage(i)); i++) {
		_cleanup_(freep) char *path = xasprintf("%s/ig-%s.json", folder, stage);
		struct change *c;
		int r = change_file(cs, path, &c, err);

		if (r)
			return r;
		for (size_t j = 0; s && j < s->n_stages; j++)
			if (!strcmp(s->stages[j], stage))
				fill_file(c, s, stage);
	}
	return 0;
}
