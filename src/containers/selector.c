// SPDX-License-Identifier: Apache-2.0
/* Selectors: lists of globs over a container's texts. */
#include "containers/selector.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "containers/container.h"

/* A comma list: `words` is one allocation. A word that begins with `!` excludes. */
struct list {
	char **words;
	size_t n;
};

struct selector {
	struct list name, id, image, namespace_, pod;
	struct list annotations, labels; /* words key=glob, or key alone */
};

struct selector *selector_free(struct selector *s)
{
	if (!s)
		return NULL;
	free(s->name.words);
	free(s->id.words);
	free(s->image.words);
	free(s->namespace_.words);
	free(s->pod.words);
	free(s->annotations.words);
	free(s->labels.words);
	free(s);
	return NULL;
}

/* "" between commas is a slip that would select nothing or everything: it is refused. */
static int parse_list(struct list *l, const char *text, const char *what, bool pairs,
		      struct err *err)
{
	if (!text || !*text)
		return 0;
	l->n = split(text, ',', true, &l->words);
	for (size_t i = 0; i < l->n; i++) {
		const char *word = l->words[i] + (*l->words[i] == '!');

		if (!*word || (pairs && *word == '='))
			return err_set(err, -EINVAL, "%s '%s': empty word", what, text);
	}
	return 0;
}

int selector_new(const struct selector_options *o, struct selector **ret, struct err *err)
{
	struct selector *s = xnew(struct selector);
	int r;

	r = parse_list(&s->name, o->container_name, "container name", false, err);
	r = r ?: parse_list(&s->id, o->container_id, "container id", false, err);
	r = r ?: parse_list(&s->image, o->image, "image", false, err);
	r = r ?: parse_list(&s->namespace_, o->namespace_, "namespace", false, err);
	r = r ?: parse_list(&s->pod, o->pod, "pod", false, err);
	r = r ?: parse_list(&s->annotations, o->annotations, "annotation", true, err);
	r = r ?: parse_list(&s->labels, o->labels, "label", true, err);
	if (r) {
		selector_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

typedef bool word_fn(const char *word, const char *text);

static bool id_matches(const char *word, const char *id)
{
	/* Runtimes print 12 digits of an id: that, too, names it. */
	return glob_matches(word, id) || (strlen(word) >= 12 && str_starts(id, word));
}

/* One of the words that include, if there are any, and none of those that exclude. */
static bool list_matches(const struct list *l, const char *text, word_fn *matches)
{
	bool included = false, only_excludes = true;

	for (size_t i = 0; i < l->n; i++) {
		bool exclude = *l->words[i] == '!';
		bool holds = text && matches(l->words[i] + exclude, text);

		if (exclude && holds)
			return false;
		only_excludes = only_excludes && exclude;
		included = included || (!exclude && holds);
	}
	return included || only_excludes;
}

static bool pair_holds(const char *word, const struct label *labels, size_t n)
{
	size_t key_len = strcspn(word, "=");

	for (size_t i = 0; i < n; i++)
		if (!strncmp(labels[i].key, word, key_len) && !labels[i].key[key_len])
			return !word[key_len] || glob_matches(word + key_len + 1, labels[i].value);
	return false;
}

/* Every pair must hold; one with `!` must not. */
static bool pairs_match(const struct list *l, const struct labels *labels)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *word = l->words[i];
		bool exclude = *word == '!';

		if (pair_holds(word + exclude, labels->items, labels->n) == exclude)
			return false;
	}
	return true;
}

bool selector_matches(const struct selector *s, const struct container *c)
{
	return list_matches(&s->name, c->name, glob_matches) &&
	       list_matches(&s->id, c->id, id_matches) &&
	       list_matches(&s->image, c->image_name, glob_matches) &&
	       list_matches(&s->namespace_, c->k8s_namespace, glob_matches) &&
	       list_matches(&s->pod, c->k8s_pod, glob_matches) &&
	       pairs_match(&s->annotations, &c->annotations) &&
	       pairs_match(&s->labels, container_labels(c));
}

bool selector_is_all(const struct selector *s)
{
	return !s->name.n && !s->id.n && !s->image.n && !s->namespace_.n && !s->pod.n &&
	       !s->annotations.n && !s->labels.n;
}
