// SPDX-License-Identifier: Apache-2.0
#include "columns/report_groups.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "columns/format.h"
#include "columns/restyle.h"
#include "columns/labels.h"

static const char *const merges[] = {
	[MERGE_CONTAINER] = "container",
	[MERGE_IMAGE] = "image",
	[MERGE_OWNER] = "owner",
	[MERGE_ALL] = "all",
};

int report_groups_init(struct report_groups *g, size_t size, const char *mode,
		       const struct labels *options, struct err *err)
{
	const char *merge = labels_get(options, "merge");

	*g = (struct report_groups){.size = size, .mode = mode};
	for (size_t i = 0; merge && i < array_size(merges); i++)
		if (!strcmp(merge, merges[i])) {
			g->merge = (enum report_merge)i;
			return 0;
		}
	return merge ? err_set(err, -EINVAL, "--merge is container, image, owner or all, not '%s'",
			       merge)
		     : 0;
}

void report_groups_done(struct report_groups *g)
{
	for (size_t i = 0; i < g->n; i++) {
		struct report_group *group = g->items[i];

		if (g->done)
			g->done(group);
		free(group->name);
		free(group->namespace);
		free(group->bundle);
		free(group);
	}
	free(g->items);
	*g = (struct report_groups){0};
}

int report_groups_new(size_t size, void (*done)(struct report_group *g), const char *mode,
		      const struct labels *options, void **ret, struct err *err)
{
	struct report_groups *g = xnew(struct report_groups);
	int r = report_groups_init(g, size, mode, options, err);

	g->done = done;
	if (r) {
		report_groups_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

void report_groups_free(void *state)
{
	if (state)
		report_groups_done(state);
	free(state);
}

/* ---- whose row it is ----------------------------------------------------------------------- */

char *report_text(const struct schema *s, const struct row *row, const char *name)
{
	const struct field *f = schema_field(s, name);
	const char *text;
	bool truncated;
	size_t len;

	if (!f || !row_text(row, f, &text, &len, &truncated) || !len)
		return NULL;
	return xstrndup(text, len);
}

static char *label_of(const struct schema *s, const struct row *row, const char *key)
{
	const struct field *f = schema_field(s, "k8s.podLabels");
	struct labels labels;

	return f && row_labels(row, f, &labels) ? xstrdup(labels_get(&labels, key)) : NULL;
}

static void cut_last_part(char *name)
{
	char *dash = strrchr(name, '-');

	if (dash && dash > name)
		*dash = '\0';
}

/*
 * A pod's name without what its owner puts behind its own: a hash of the template, and a word for
 * the pod. The labels tell which kind of owner it is.
 */
static void cut_to_owner(const struct schema *s, const struct row *row, char *pod)
{
	_cleanup_(freep) char *template = label_of(s, row, "pod-template-hash");
	_cleanup_(freep) char *revision = label_of(s, row, "controller-revision-hash");
	_cleanup_(freep) char *job = label_of(s, row, "job-name");

	if (template || revision || job)
		cut_last_part(pod);
	if (template)
		cut_last_part(pod);
}

char *report_pod_owner(const struct schema *s, const struct row *row)
{
	char *pod = report_text(s, row, "k8s.podName");

	if (pod)
		cut_to_owner(s, row, pod);
	return pod;
}

static char *pods_name(const struct report_groups *g, const struct schema *s, const struct row *row)
{
	_cleanup_(freep) char *pod = g->merge == MERGE_OWNER ? report_pod_owner(s, row)
							     : report_text(s, row, "k8s.podName");
	_cleanup_(freep) char *namespace = report_text(s, row, "k8s.namespace");
	_cleanup_(freep) char *container = report_text(s, row, "k8s.containerName");

	if (!pod)
		return NULL;
	return xasprintf("%s/%s/%s", namespace ?: "", pod, container ?: "");
}

static char *name_of(const struct report_groups *g, const struct schema *s, const struct row *row)
{
	char *name = NULL;

	if (g->merge == MERGE_ALL)
		return xstrdup("all");
	if (g->merge == MERGE_IMAGE)
		name = report_text(s, row, "runtime.containerImageName");
	name = name ?: pods_name(g, s, row);
	name = name ?: report_text(s, row, "runtime.containerName");
	return name ?: xstrdup("host");
}

int report_group_of(struct report_groups *g, const struct schema *s, const struct row *row,
		    struct report_group **ret, struct err *err)
{
	_cleanup_(freep) char *name = name_of(g, s, row);
	struct report_group *group;

	for (size_t i = 0; i < g->n; i++)
		if (!strcmp(g->items[i]->name, name)) {
			*ret = g->items[i];
			return 0;
		}
	if (g->n == MAX_REPORT_GROUPS)
		return err_set(err, -E2BIG, "a report of more than %d containers; try --merge",
			       MAX_REPORT_GROUPS);
	group = xcalloc(1, g->size);
	group->name = take(name);
	group->namespace = report_text(s, row, "k8s.namespace");
	group->bundle = report_text(s, row, "runtime.bundle");
	*grow(&g->items, &g->n, &g->room) = group;
	*ret = group;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct report_group *const *)a)->name,
		      (*(struct report_group *const *)b)->name);
}

int report_groups_sort(struct report_groups *g, struct err *err)
{
	if (!g->n)
		return err_set(err, -ENODATA, "nothing to report: no container did anything");
	qsort(g->items, g->n, sizeof(struct report_group *), by_name);
	return 0;
}

int report_number(const struct schema *s, const struct row *row, const char *field, int64_t *ret,
		  struct err *err)
{
	const struct field *f = schema_field(s, field);

	return f && row_number(row, f, ret)
		       ? 0
		       : err_set(err, -EBADMSG, "these rows have no number '%s': they are not %s's",
				 field, s->gadget ?: "the gadget");
}

/* ---- what is written ----------------------------------------------------------------------- */

static void write_json(const struct report_groups *g, const struct report_writer *w,
		       const void *ctx, struct buf *out)
{
	_cleanup_(buf_done) struct buf json = {.max = out->max};

	for (size_t i = 0; i < g->n; i++) {
		if (g->n > 1) {
			buf_char(&json, i ? ',' : '{');
			json_quote(&json, g->items[i]->name, strlen(g->items[i]->name));
			buf_char(&json, ':');
		}
		w->one(ctx, g->items[i], &json);
	}
	if (g->n > 1)
		buf_char(&json, '}');
	out->failed |= json.failed;
	if (!json.failed)
		json_indent(json.data, json.len, out);
}

void report_write(const struct report_groups *g, const struct report_writer *writers,
		  const void *ctx, struct buf *out)
{
	const struct report_writer *w = writers;

	while (w->mode && strcmp(w->mode, g->mode))
		w++;
	if (w->mode && w->form == REPORT_JSON)
		write_json(g, w, ctx, out);
	for (size_t i = 0; w->mode && w->form != REPORT_JSON && i < g->n; i++) {
		buf_str(out, i && w->form == REPORT_YAML ? "---\n" : "");
		w->one(ctx, g->items[i], out);
	}
}

void report_say_lost(uint64_t lost, const char *what)
{
	if (lost)
		log_warn("%llu records were lost: the advice may lack %s", (unsigned long long)lost,
			 what);
}

void report_object_name(const struct report_group *g, struct buf *out)
{
	enum { LONGEST = 63 };
	size_t start = out->len, end;

	for (const char *c = g->name; *c && out->len - start < LONGEST; c++) {
		bool good = isalnum((unsigned char)*c) && isascii((unsigned char)*c);

		if (good)
			buf_char(out, (char)tolower((unsigned char)*c));
		else if (out->len > start && out->data[out->len - 1] != '-')
			buf_char(out, '-');
	}
	for (end = out->len; end > start && out->data[end - 1] == '-';)
		end--;
	out->len = end;
	if (end == start)
		buf_str(out, "container");
}
