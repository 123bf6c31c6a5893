// SPDX-License-Identifier: Apache-2.0
/* Selectors: lists of globs over a container's texts and labels, in three-valued logic. */
#include "containers/selector.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"
#include "containers/container.h"
#include "containers/identify.h"

struct word {
	const char *text; /* a glob, or a key */
	const char *glob; /* of a pair's value; NULL: the key alone */
	bool exclude;
};

/* A comma list: the words' texts are in `texts`, one allocation. */
struct list {
	char **texts;
	struct word *words;
	size_t n;
};

enum {
	LIST_NAME,
	LIST_ID,
	LIST_IMAGE,
	LIST_NAMESPACE,
	LIST_POD,
	LIST_ANNOTATIONS,
	LIST_LABELS,
	N_LISTS
};

struct selector {
	struct list lists[N_LISTS];
	bool sandboxes;
	bool all; /* there is no list */
};

struct selector *selector_free(struct selector *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < N_LISTS; i++) {
		free(s->lists[i].texts);
		free(s->lists[i].words);
	}
	free(s);
	return NULL;
}

/* ---- what lists are about ------------------------------------------------------------------ */

static bool id_matches(const char *word, const char *id)
{
	/* Runtimes print 12 digits of an id: that, too, names it. */
	return glob_matches(word, id) || (strlen(word) >= 12 && str_starts(id, word));
}

/* Nobody will tell what is not known yet. */
static bool is_final(const struct container *c)
{
	return c->resolved || c->unaskable;
}

/* An id that a runtime has drawn stands for a name that is not known. */
static const char *name_of(const struct container *c)
{
	bool is_id = str_equal(c->name, c->id) && identify_is_full_id(c->id);

	return is_final(c) || !is_id ? c->name : NULL;
}

static const char *id_of(const struct container *c)
{
	return c->id;
}

static const char *image_of(const struct container *c)
{
	return c->image_name;
}

static const char *namespace_of(const struct container *c)
{
	return c->k8s_namespace;
}

static const char *pod_of(const struct container *c)
{
	return c->k8s_pod;
}

/* As long as the pod is not known, so are the labels that count. */
static const struct labels *labels_of(const struct container *c)
{
	return is_final(c) || c->k8s_pod ? container_labels(c) : NULL;
}

static const struct labels *annotations_of(const struct container *c)
{
	return &c->annotations;
}

/* Lists of texts have `text`, lists of pairs have `labels`. */
static const struct {
	const char *what;
	size_t option;						   /* in struct selector_options */
	const char *(*text)(const struct container *c);		   /* NULL: not known */
	const struct labels *(*labels)(const struct container *c); /* the same, or empty */
	bool (*matches)(const char *word, const char *text);
} kinds[N_LISTS] = {
#define OPTION(member) offsetof(struct selector_options, member)
	[LIST_NAME] = {"container name", OPTION(container_name), name_of, NULL, glob_matches},
	[LIST_ID] = {"container id", OPTION(container_id), id_of, NULL, id_matches},
	[LIST_IMAGE] = {"image", OPTION(image), image_of, NULL, glob_matches},
	[LIST_NAMESPACE] = {"namespace", OPTION(namespace_), namespace_of, NULL, glob_matches},
	[LIST_POD] = {"pod", OPTION(pod), pod_of, NULL, glob_matches},
	[LIST_ANNOTATIONS] = {"annotation", OPTION(annotations), NULL, annotations_of, NULL},
	[LIST_LABELS] = {"label", OPTION(labels), NULL, labels_of, NULL},
#undef OPTION
};

/* ---- parsing ------------------------------------------------------------------------------- */

/* key, !key, key=glob, key==glob, key!=glob, !key=glob. Cuts the text behind the key. */
static int parse_pair(char *text, struct word *ret, const char *what, struct err *err)
{
	bool denied = *text == '!', unequal = false;
	char *key = text + denied, *equals = strchr(key, '=');

	if (equals) {
		unequal = equals > key && equals[-1] == '!';
		equals[unequal ? -1 : 0] = '\0';
		ret->glob = equals + 1 + (equals[1] == '=');
	}
	ret->text = key;
	ret->exclude = denied || unequal;
	if (denied && unequal)
		return err_set(err, -EINVAL, "%s '!%s!=…': one ! is enough", what, key);
	if (strpbrk(key, " ()"))
		return err_set(err, -EINVAL,
			       "%s '%s': write key=value, key!=value, key or !key; values may be "
			       "globs such as [ab]*",
			       what, key);
	return 0;
}

/* "" between commas is a slip that would select nothing or everything: it is refused. */
static int parse_list(struct list *l, const char *text, const char *what, bool pairs,
		      struct err *err)
{
	if (!text || !*text)
		return 0;
	l->n = split(text, ',', true, &l->texts);
	l->words = xnew_n(struct word, l->n);
	for (size_t i = 0; i < l->n; i++) {
		struct word *word = &l->words[i];
		char *start = l->texts[i];
		int r = 0;

		if (pairs) {
			r = parse_pair(start + strspn(start, " "), word, what, err);
		} else {
			word->exclude = *start == '!';
			word->text = start + word->exclude;
		}
		if (!r && !*word->text)
			r = err_set(err, -EINVAL, "%s '%s': empty word", what, text);
		if (r)
			return r;
	}
	return 0;
}

int selector_new(const struct selector_options *o, struct selector **ret, struct err *err)
{
	struct selector *s = xnew(struct selector);

	s->sandboxes = o->sandboxes;
	s->all = true;
	for (size_t i = 0; i < N_LISTS; i++) {
		const char *text = *(const char *const *)((const char *)o + kinds[i].option);
		int r = parse_list(&s->lists[i], text, kinds[i].what, kinds[i].labels, err);

		if (r) {
			selector_free(s);
			return r;
		}
		s->all = s->all && !s->lists[i].n;
	}
	*ret = s;
	return 0;
}

/* ---- deciding ------------------------------------------------------------------------------ */

static enum selector_answer either(enum selector_answer a, enum selector_answer b)
{
	return a > b ? a : b;
}

static enum selector_answer both(enum selector_answer a, enum selector_answer b)
{
	return a < b ? a : b;
}

static enum selector_answer not(enum selector_answer a) { return SELECT_YES - a; }

static enum selector_answer known(bool holds)
{
	return holds ? SELECT_YES : SELECT_NO;
}

/* Whether what a word says is so; what nobody will tell is not so. */
static enum selector_answer word_holds(size_t list, const struct word *word, const struct container *c)
{
	enum selector_answer unknown = is_final(c) ? SELECT_NO : SELECT_MAYBE;
	const struct labels *labels;
	const char *text;

	if (kinds[list].text) {
		text = kinds[list].text(c);
		return text ? known(kinds[list].matches(word->text, text)) : unknown;
	}
	labels = kinds[list].labels(c);
	if (!labels || !labels->n)
		return unknown;
	text = labels_get(labels, word->text);
	return known(text && (!word->glob || glob_matches(word->glob, text)));
}

/* The words of a list that ask for something: one text, or all pairs. */
static enum selector_answer list_holds(const struct selector *s, size_t list, const struct container *c)
{
	const struct list *l = &s->lists[list];
	enum selector_answer any = SELECT_NO, all = SELECT_YES;
	bool asks = false;

	for (size_t i = 0; i < l->n; i++) {
		enum selector_answer holds;

		if (l->words[i].exclude)
			continue;
		asks = true;
		holds = word_holds(list, &l->words[i], c);
		any = either(any, holds);
		all = both(all, holds);
	}
	return asks && kinds[list].text ? any : all;
}

static enum selector_answer excluded(const struct selector *s, const struct container *c)
{
	enum selector_answer result = SELECT_NO;

	for (size_t list = 0; list < N_LISTS; list++)
		for (size_t i = 0; i < s->lists[list].n; i++)
			if (s->lists[list].words[i].exclude)
				result = either(result,
						word_holds(list, &s->lists[list].words[i], c));
	return result;
}

/* Any container may turn out to be a sandbox as long as not all is known of it. */
static enum selector_answer sandbox_allowed(const struct selector *s, const struct container *c)
{
	if (s->sandboxes || (is_final(c) && !c->sandbox))
		return SELECT_YES;
	return c->sandbox ? SELECT_NO : SELECT_MAYBE;
}

enum selector_answer selector_decide(const struct selector *s, const struct container *c)
{
	enum selector_answer asked = SELECT_NO, result = sandbox_allowed(s, c);

	if (s->all)
		return result;
	for (; c; c = c->outer) {
		enum selector_answer all = SELECT_YES;

		for (size_t list = 0; list < N_LISTS; list++)
			all = both(all, list_holds(s, list, c));
		asked = either(asked, all);
		result = both(result, not(excluded(s, c)));
	}
	return both(result, asked);
}

bool selector_matches(const struct selector *s, const struct container *c)
{
	return selector_decide(s, c) != SELECT_NO;
}

bool selector_is_all(const struct selector *s)
{
	return s->all;
}
