// SPDX-License-Identifier: Apache-2.0
#include "columns/select.h"

#include <ctype.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/format.h"
#include "columns/labels.h"

struct word {
	char sign; /* '+', '-' or 0 */
	char *name;
	bool known;
};

/* What stands between two semicolons. */
struct section {
	char *source; /* NULL: any */
	struct word *words;
	size_t n, room;
	bool known; /* the source */
};

struct field_choice {
	struct section *sections;
	size_t n, room;
};

void selection_hide(struct selection *s, const char *field)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->columns[i]->name, field))
			s->columns[kept++] = s->columns[i];
	s->n = kept;
}

void selection_done(struct selection *s)
{
	for (size_t i = 0; i < s->n_labels; i++)
		free(s->labels[i]);
	free(s->labels);
	free(s->columns);
	free(s->json);
	*s = (struct selection){0};
}

struct field_choice *field_choice_free(struct field_choice *c)
{
	if (!c)
		return NULL;
	for (size_t i = 0; i < c->n; i++) {
		for (size_t j = 0; j < c->sections[i].n; j++)
			free(c->sections[i].words[j].name);
		free(c->sections[i].words);
		free(c->sections[i].source);
	}
	free(c->sections);
	free(c);
	return NULL;
}

static char *trimmed(const char *s)
{
	size_t len;

	while (isspace((unsigned char)*s))
		s++;
	len = strlen(s);
	while (len && isspace((unsigned char)s[len - 1]))
		len--;
	return xstrndup(s, len);
}

static int parse_section(struct field_choice *c, const char *text, struct err *err)
{
	struct section *to = grow(&c->sections, &c->n, &c->room);
	_cleanup_(freep) char **words = NULL;
	const char *colon = strchr(text, ':');
	size_t n;

	if (colon) {
		to->source = xstrndup(text, (size_t)(colon - text));
		text = colon + 1;
	}
	n = split(text, ',', false, &words);
	for (size_t i = 0; i < n; i++) {
		struct word *word = grow(&to->words, &to->n, &to->room);
		_cleanup_(freep) char *name = trimmed(words[i]);
		bool sign = *name == '+' || *name == '-';

		word->sign = sign ? *name : 0;
		word->name = xstrdup(name + sign);
		if (!*word->name)
			return err_set(err, -EINVAL, "--fields: a name is missing in '%s'", text);
	}
	return 0;
}

int field_choice_new(const char *spec, struct field_choice **ret, struct err *err)
{
	struct field_choice *c = xnew(struct field_choice);
	_cleanup_(freep) char **sections = NULL;
	size_t n = split(spec ? spec : "", ';', false, &sections);

	for (size_t i = 0; i < n; i++) {
		int r = parse_section(c, sections[i], err);

		if (r) {
			field_choice_free(c);
			return r;
		}
	}
	*ret = c;
	return 0;
}

bool schema_is_called(const struct schema *s, const char *name)
{
	return (s->gadget && !strcmp(s->gadget, name)) || (s->name && !strcmp(s->name, name));
}

bool field_is_shown_group(const struct field *f)
{
	return f->kind == KIND_NONE && f->format->width;
}

/* ---- applying ------------------------------------------------------------------------------ */

static void choose_column(struct selection *to, const struct field *f, bool on)
{
	size_t at = 0;

	while (at < to->n && to->columns[at] != f)
		at++;
	if (on && at == to->n) {
		to->columns[to->n++] = f;
	} else if (!on && at < to->n) {
		memmove(&to->columns[at], &to->columns[at + 1],
			(to->n - at - 1) * sizeof(*to->columns));
		to->n--;
	}
}

/* A field and what is below it. in_shown: within a group that is the column for all of them. */
static void choose(const struct schema *s, struct selection *to, size_t i, bool on, bool in_shown)
{
	const struct field *f = &s->fields[i];

	if (f->flags & FIELD_INTERNAL)
		return;
	to->json[i] = on;
	if (!in_shown && (f->kind != KIND_NONE || field_is_shown_group(f)))
		choose_column(to, f, on);
	if (f->kind != KIND_NONE)
		return;
	in_shown = in_shown || (on && field_is_shown_group(f));
	for (size_t j = i + 1; j < s->n_fields; j++)
		if (s->fields[j].parent == (int16_t)i)
			choose(s, to, j, on, in_shown);
}

static void choose_label(struct selection *to, const struct field *set, const char *key, bool on)
{
	_cleanup_(freep) struct field *f = label_field(set, key);
	size_t at = 0;

	while (at < to->n_labels && strcmp(to->labels[at]->name, f->name))
		at++;
	if (on && at == to->n_labels) {
		choose_column(to, f, true);
		to->labels[to->n_labels++] = take(f);
	} else if (!on && at < to->n_labels) {
		choose_column(to, to->labels[at], false);
		free(to->labels[at]);
		to->labels[at] = to->labels[--to->n_labels];
	}
}

/* A word of --fields; false where it means nothing in s. */
static bool choose_word(const struct schema *s, struct selection *to, const struct word *word)
{
	const char *key;
	const struct field *f = schema_require_or_label(s, word->name, &key, NULL);

	if (f && key)
		choose_label(to, f, key, word->sign != '-');
	else if (f)
		choose(s, to, (size_t)(f - s->fields), word->sign != '-', false);
	return f;
}

static void choose_defaults(const struct schema *s, struct selection *to)
{
	for (size_t i = 0; i < s->n_fields; i++) {
		const struct field *f = &s->fields[i];
		bool in_shown = false;

		if (f->flags & FIELD_INTERNAL)
			continue;
		to->json[i] = true;
		for (int16_t p = f->parent; p >= 0; p = s->fields[p].parent)
			in_shown |= field_is_shown_group(&s->fields[p]);
		if (!in_shown && !(f->flags & FIELD_HIDDEN) &&
		    (f->kind != KIND_NONE || field_is_shown_group(f)))
			choose_column(to, f, true);
	}
}

/* 0: a field of the container, 1: one of its labels, 2: of the record. */
static int rank(const struct schema *s, const struct field *f)
{
	if (f->part != PART_CONTAINER)
		return 2;
	return f < s->fields || f >= s->fields + s->n_fields;
}

/*
 * What was added to the defaults stands behind them, but the container's fields stand together, in
 * front and in their order: namespace, pod, container.
 */
static void container_first(const struct schema *s, struct selection *to)
{
	for (size_t i = 1; i < to->n; i++) {
		const struct field *f = to->columns[i];
		int own = rank(s, f);
		size_t at = i;

		for (; at; at--) {
			int before = rank(s, to->columns[at - 1]);

			if (before < own || (before == own && (own || to->columns[at - 1] < f)))
				break;
			to->columns[at] = to->columns[at - 1];
		}
		to->columns[at] = f;
	}
}

static bool only_changes(const struct section *section)
{
	for (size_t i = 0; i < section->n; i++)
		if (!section->words[i].sign)
			return false;
	return true;
}

void field_choice_apply(struct field_choice *c, const struct schema *s, struct selection *ret)
{
	bool from_defaults = true;
	size_t words = 0;

	for (size_t i = 0; i < c->n; i++) {
		struct section *section = &c->sections[i];

		if (section->source && !schema_is_called(s, section->source))
			continue;
		section->known = true;
		words += section->n;
		from_defaults = from_defaults && only_changes(section);
	}
	*ret = (struct selection){.columns = xnew_n(const struct field *, s->n_fields + words),
				  .json = xnew_n(bool, s->n_fields),
				  .labels = xnew_n(struct field *, words)};
	if (from_defaults)
		choose_defaults(s, ret);
	for (size_t i = 0; i < c->n; i++) {
		struct section *section = &c->sections[i];

		if (section->source && !schema_is_called(s, section->source))
			continue;
		for (size_t j = 0; j < section->n; j++) {
			struct word *word = &section->words[j];

			word->known |= choose_word(s, ret, word);
		}
	}
	if (from_defaults)
		container_first(s, ret);
}

int field_choice_check(const struct field_choice *c, const struct schema *s, struct err *err)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct section *section = &c->sections[i];

		if (!section->known)
			return err_set(err, -ENOENT, "--fields: no data source '%s'",
				       section->source);
		for (size_t j = 0; j < section->n; j++)
			if (!section->words[j].known) {
				const char *key;

				schema_require_or_label(s, section->words[j].name, &key, err);
				return err_wrap(err, -ENOENT, "--fields");
			}
	}
	return 0;
}
