// SPDX-License-Identifier: Apache-2.0
#include "columns/tree.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"

#define NONE SIZE_MAX
#define MAX_NAME 256
#define MAX_DEPTH 40 /* what is deeper is drawn at this depth */

struct node {
	int64_t id, parent;
	size_t up, child, last, next; /* indexes of nodes, or NONE */
	size_t indent;		      /* bytes of branches before its own */
	unsigned int depth;
	bool placed;
};

struct tree {
	const struct schema *schema;
	const struct kept_row *rows;
	size_t n;
	struct node *nodes;
	size_t *by_id; /* their indexes */
	struct buf branches;
	struct tree_line *lines;
	size_t n_lines;
};

bool tree_fits(const struct schema *s)
{
	return schema_field(s, "proc.pid") && schema_field(s, "proc.parent.pid") &&
	       schema_field(s, TREE_NAME_FIELD);
}

/* ---- who is whose child ---------------------------------------------------------------------- */

static int64_t number(const struct tree *t, const char *field, size_t i)
{
	const struct field *f = schema_field(t->schema, field);
	int64_t value = -1;

	if (f)
		row_number(&t->rows[i].row, f, &value);
	return value;
}

static int compare(const void *a, const void *b, void *nodes)
{
	const struct node *all = nodes;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;

	if (all[x].id != all[y].id)
		return all[x].id < all[y].id ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* The first row of that id. */
static size_t find(const struct tree *t, int64_t id)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (t->nodes[t->by_id[middle]].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < t->n && t->nodes[t->by_id[low]].id == id ? t->by_id[low] : NONE;
}

static void link_child(struct tree *t, size_t up, size_t i)
{
	struct node *parent = &t->nodes[up];

	if (parent->last == NONE)
		parent->child = i;
	else
		t->nodes[parent->last].next = i;
	parent->last = i;
	t->nodes[i].up = up;
}

static void build(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++) {
		int64_t pid = number(t, "proc.pid", i), tid = number(t, "proc.tid", i);
		bool thread = tid >= 0 && tid != pid;

		t->by_id[i] = i;
		t->nodes[i] = (struct node){
			.id = thread ? tid : pid,
			.parent = thread ? pid : number(t, "proc.parent.pid", i),
			.up = NONE,
			.child = NONE,
			.last = NONE,
			.next = NONE,
		};
	}
	qsort_r(t->by_id, t->n, sizeof(*t->by_id), compare, t->nodes);
	for (size_t i = 0; i < t->n; i++) {
		size_t up = find(t, t->nodes[i].parent);

		if (up != NONE && t->nodes[up].id != t->nodes[i].id)
			link_child(t, up, i);
	}
}

/* ---- lines ----------------------------------------------------------------------------------- */

static void place(struct tree *t, size_t i)
{
	struct node *n = &t->nodes[i];
	const char *name;
	bool truncated, more = n->next != NONE;
	size_t len;

	t->branches.len = n->indent;
	if (n->depth)
		buf_str(&t->branches, more ? "├─" : "└─");
	if (row_text(&t->rows[i].row, schema_field(t->schema, TREE_NAME_FIELD), &name, &len,
		     &truncated))
		buf_add(&t->branches, name, len < MAX_NAME ? len : MAX_NAME);
	t->lines[t->n_lines++] =
		(struct tree_line){&t->rows[i].row, xstrdup(buf_cstr(&t->branches))};
	n->placed = true;
	t->branches.len = n->indent;
	if (n->depth && n->depth < MAX_DEPTH)
		buf_str(&t->branches, more ? "│ " : "  ");
}

/* A process may be its own ancestor where ids were used again: what is placed is left out. */
static size_t first_unplaced(const struct tree *t, size_t i)
{
	while (i != NONE && t->nodes[i].placed)
		i = t->nodes[i].next;
	return i;
}

/* All that is below it, without recursion: chains of processes may be long. */
static void place_from(struct tree *t, size_t root)
{
	size_t now = root, next;

	t->nodes[root].depth = 0;
	t->nodes[root].indent = 0;
	place(t, root);
	for (;;) {
		next = first_unplaced(t, t->nodes[now].child);
		if (next != NONE) {
			t->nodes[next].depth = t->nodes[now].depth + 1;
			t->nodes[next].indent = t->branches.len;
			place(t, next);
			now = next;
			continue;
		}
		if (now == root)
			return;
		t->nodes[now].child = NONE; /* nothing there is left to be looked for */
		next = first_unplaced(t, t->nodes[now].next);
		if (next == NONE) {
			now = t->nodes[now].up;
			continue;
		}
		t->nodes[next].depth = t->nodes[now].depth;
		t->nodes[next].indent = t->nodes[now].indent;
		place(t, next);
		now = next;
	}
}

struct tree_line *tree_lines(const struct schema *s, const struct kept_row *rows, size_t n)
{
	struct tree t = {.schema = s, .rows = rows, .n = n};

	t.nodes = xnew_n(struct node, n);
	t.by_id = xnew_n(size_t, n);
	t.lines = xnew_n(struct tree_line, n);
	buf_init(&t.branches, 4096);
	build(&t);
	for (size_t i = 0; i < n; i++)
		if (t.nodes[i].up == NONE)
			place_from(&t, i);
	for (size_t i = 0; i < n; i++)
		if (!t.nodes[i].placed)
			place_from(&t, i);
	buf_done(&t.branches);
	free(t.nodes);
	free(t.by_id);
	return t.lines;
}

struct tree_line *tree_lines_free(struct tree_line *lines, size_t n)
{
	for (size_t i = 0; lines && i < n; i++)
		free(lines[i].text);
	free(lines);
	return NULL;
}
