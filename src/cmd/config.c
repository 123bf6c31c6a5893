// SPDX-License-Identifier: Apache-2.0
#include "cmd/config.h"

#include <fcntl.h>
#include <string.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"

struct file {
	struct flags *flags;
	struct config *keep;
	const char *path;
	yaml_document_t document;
};

static const struct flag *find(const struct flags *f, const char *name)
{
	for (size_t t = 0; t < f->n_tables; t++)
		for (const struct flag *flag = f->tables[t]->flags; flag->name; flag++)
			if (flag->set && !strcmp(flag->name, name))
				return flag;
	return NULL;
}

static int fault(const struct file *f, const yaml_node_t *at, struct err *err, const char *text)
{
	return err_set(err, -EINVAL, "%s, line %zu: %s", f->path, at->start_mark.line + 1, text);
}

/* A scalar, or scalars as a comma list; a new string. NULL: it is neither. */
static char *value_of(struct file *f, const yaml_node_t *node)
{
	_cleanup_(buf_done) struct buf list = {.max = MAX_CONFIG_FILE_BYTES};

	if (node->type == YAML_SCALAR_NODE)
		return xstrndup((const char *)node->data.scalar.value, node->data.scalar.length);
	if (node->type != YAML_SEQUENCE_NODE)
		return NULL;
	for (yaml_node_item_t *i = node->data.sequence.items.start;
	     i < node->data.sequence.items.top; i++) {
		const yaml_node_t *item = yaml_document_get_node(&f->document, *i);

		if (!item || item->type != YAML_SCALAR_NODE)
			return NULL;
		buf_str(&list, list.len ? "," : "");
		buf_add(&list, item->data.scalar.value, item->data.scalar.length);
	}
	return xstrdup(buf_cstr(&list));
}

static int set_flag(struct file *f, const struct flag *flag, const yaml_node_t *at,
		    const char *value, struct err *err)
{
	bool on = true;
	int r;

	if (flag->argument) {
		r = flag->set(flag, value, err);
	} else {
		r = parse_bool(value, &on) ? err_set(err, -EINVAL, "not true or false") : 0;
		if (!r && on)
			r = flag->set(flag, NULL, err);
	}
	return r ? err_wrap(err, r, "%s, line %zu", f->path, at->start_mark.line + 1) : 0;
}

static int set_pair(struct file *f, const yaml_node_t *key, const yaml_node_t *value,
		    struct err *err)
{
	_cleanup_(freep) char *name = value_of(f, key), *text = NULL;
	const struct flag *flag = name ? find(f->flags, name) : NULL;

	if (!flag) {
		text = xasprintf("no flag --%s", name ?: "");
		return fault(f, key, err, text);
	}
	text = value_of(f, value);
	if (!text)
		return fault(f, value, err, "a value is wanted, or a list of values");
	*grow(&f->keep->texts, &f->keep->n, &f->keep->room) = text;
	return set_flag(f, flag, value, take(text), err);
}

static int set_all(struct file *f, struct err *err)
{
	const yaml_node_t *root = yaml_document_get_root_node(&f->document);
	int r = 0;

	if (!root) /* an empty file */
		return 0;
	if (root->type != YAML_MAPPING_NODE)
		return fault(f, root, err, "flags and their values are wanted");
	for (yaml_node_pair_t *p = root->data.mapping.pairs.start;
	     !r && p < root->data.mapping.pairs.top; p++)
		r = set_pair(f, yaml_document_get_node(&f->document, p->key),
			     yaml_document_get_node(&f->document, p->value), err);
	return r;
}

void config_done(struct config *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->texts[i]);
	free(c->texts);
	*c = (struct config){0};
}

int config_read(struct flags *flags, const char *path, struct config *keep, struct err *err)
{
	_cleanup_(buf_done) struct buf text = {.max = MAX_CONFIG_FILE_BYTES};
	struct file f = {.flags = flags, .keep = keep, .path = path};
	yaml_parser_t parser;
	int r = buf_read_file(&text, AT_FDCWD, path);

	if (r)
		return err_set(err, r, "cannot read %s: %s", path, strerror(-r));
	if (!yaml_parser_initialize(&parser))
		abort(); /* out of memory */
	yaml_parser_set_input_string(&parser, (const unsigned char *)buf_cstr(&text), text.len);
	if (!yaml_parser_load(&parser, &f.document)) {
		r = err_set(err, -EBADMSG, "%s, line %zu: %s", path, parser.problem_mark.line + 1,
			    parser.problem ?: "no YAML");
	} else {
		r = set_all(&f, err);
		yaml_document_delete(&f.document);
	}
	yaml_parser_delete(&parser);
	return r;
}
