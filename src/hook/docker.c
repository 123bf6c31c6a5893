// SPDX-License-Identifier: Apache-2.0
/*
 * Docker reads no hooks: it gets one more runtime, `ig hook runtime`, which adds them to a bundle
 * and goes on as runc. Containers use it by --runtime ig, or all do by default.
 */
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/format.h"
#include "hook/install.h"
#include "hook/json_text.h"

#define FILE_PATH "/etc/docker/daemon.json"

/* What is ours begins so, which a person would not write. */
#define NOTHING "{\n }\n" /* the file, where there was none */
#define DEFAULT "\n  \"default-runtime\": \"ig\""
#define MEMBER "\n  \"runtimes\": {\"ig\": "
#define INNER "\n    \"ig\": "

/* ---- out ------------------------------------------------------------------------- */

/* The text without what stands from `begin` to `end`, and a comma behind it. */
static void cut(struct buf *text, size_t begin, size_t end)
{
	end += text->data[end] == ',';
	memmove(text->data + begin, text->data + end, text->len - end + 1);
	text->len -= end - begin;
}

static void take_out(struct buf *text, size_t top)
{
	struct json_member list, own;

	if (str_starts(text->data + top + 1, DEFAULT))
		cut(text, top + 1, top + 1 + strlen(DEFAULT));
	if (!json_text_member(text->data, top, "runtimes", &list) ||
	    !json_text_member(text->data, list.value, "ig", &own))
		return;
	if (str_starts(text->data + top + 1, MEMBER) && own.end + 1 == list.end)
		cut(text, top + 1, list.end);
	else if (str_starts(text->data + list.value + 1, INNER))
		cut(text, list.value + 1, own.end);
}

/* ---- in -------------------------------------------------------------------------- */

static void put_flag(struct buf *b, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(b, ", \"%s\", ", name);
	json_quote(b, value, strlen(value));
}

static void put_runtime(const struct hook_setup *s, struct buf *b)
{
	buf_str(b, "{\"path\": ");
	json_quote(b, s->program, strlen(s->program));
	buf_str(b, ", \"runtimeArgs\": [\"hook\", \"runtime\", \"--stages\", \"");
	for (size_t i = 0; i < s->n_stages; i++)
		buf_printf(b, "%s%s", i ? "," : "", s->stages[i]);
	buf_str(b, "\"");
	put_flag(b, "--host", s->host);
	put_flag(b, "--runc", s->runc);
	buf_str(b, ", \"--\"]}");
}

static int put_in(const struct hook_setup *s, const struct buf *text, size_t top, struct buf *ret,
		  struct err *err)
{
	_cleanup_(buf_done) struct buf item = {.max = MAX_CONFIG_BYTES};
	struct json_member list, own;
	bool has_list = json_text_member(text->data, top, "runtimes", &list);

	if (has_list &&
	    (text->data[list.value] != '{' || json_text_member(text->data, list.value, "ig", &own)))
		return err_set(err, -EEXIST, FILE_PATH ": there is a runtime 'ig' already");
	buf_str(&item, has_list ? INNER : MEMBER);
	put_runtime(s, &item);
	if (!has_list)
		buf_char(&item, '}');
	json_text_insert(text->data, text->len, has_list ? list.value : top, buf_cstr(&item), ret);
	return 0;
}

static int put_default(struct buf *text, size_t top, struct err *err)
{
	struct buf with = {.max = text->max};
	struct json_member m;

	if (json_text_member(text->data, top, "default-runtime", &m))
		return err_set(err, -EEXIST, FILE_PATH ": there is a default-runtime already");
	json_text_insert(text->data, text->len, top, DEFAULT, &with);
	buf_done(text);
	*text = with;
	return 0;
}

/* ---- both ------------------------------------------------------------------------ */

static int plan(struct changes *cs, const struct hook_setup *s, struct err *err)
{
	_cleanup_(buf_done) struct buf text = {.max = MAX_CONFIG_BYTES};
	struct change *c;
	size_t top;
	int r = change_file(cs, FILE_PATH, &c, err);

	if (r)
		return r;
	buf_str(&text, c->existed ? buf_cstr(&c->before) : NOTHING);
	if (text.len != c->before.len && c->existed)
		return err_set(err, -EINVAL, FILE_PATH ": not JSON");
	if (!text.len || !json_text_object(text.data, text.len, &top))
		return err_set(err, -EINVAL, FILE_PATH ": not a JSON object");
	take_out(&text, top);
	c->exists = s || strcmp(text.data, NOTHING);
	if (!s) {
		buf_add(&c->after, text.data, text.len);
		return 0;
	}
	r = put_in(s, &text, top, &c->after, err);
	return r || !s->as_default ? r : put_default(&c->after, top, err);
}

static const struct hook_installer docker = {"docker", plan, "reload Docker's daemon (SIGHUP)"};
HOOK_INSTALLER(&docker);
