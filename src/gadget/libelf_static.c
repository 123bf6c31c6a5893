// SPDX-License-Identifier: Apache-2.0
/*
 * libelf.a of elfutils 0.192 (Debian 13) calls functions of elfutils' internal library, which is not in it
 * (sourceware bug 32293). These stand in for them: a search tree is a root for tsearch(3), whose lock we, with one
 * thread, do not need. Weak: a libelf that brings its own keeps it.
 */
#include <search.h>
#include <stddef.h>

struct search_tree {
	void *root;
};

#define STAND_IN __attribute__((weak))

STAND_IN void eu_search_tree_init(struct search_tree *tree);
STAND_IN void eu_search_tree_fini(struct search_tree *tree, void (*free_node)(void *));
STAND_IN void *eu_tsearch(const void *key, struct search_tree *tree, int (*compare)(const void *, const void *));

void eu_search_tree_init(struct search_tree *tree)
{
	tree->root = NULL;
}

void eu_search_tree_fini(struct search_tree *tree, void (*free_node)(void *))
{
	tdestroy(tree->root, free_node);
	tree->root = NULL;
}

void *eu_tsearch(const void *key, struct search_tree *tree, int (*compare)(const void *, const void *))
{
	return tsearch(key, &tree->root, compare);
}
