// SPDX-License-Identifier: Apache-2.0
/* Network policies from the rows of advise_networkpolicy, or how they differ from others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "columns/report_groups.h"
#include "policy.h"

struct advice {
	bool cilium;
	bool diff; /* compare with `there` */
	struct policy_set there;
	struct seen seen;
};

/* ---- the document --------------------------------------------------------------------------- */

/* Several may have the same owner, in two revisions of it: the second is NAME-2. */
static void object_name(const struct advice *a, size_t i, struct buf *out)
{
	struct report_group group = {.name = a->seen.subjects[i]->name};
	const char *namespace = a->seen.subjects[i]->pods.namespace ?: "";
	size_t before = 0;

	report_object_name(&group, out);
	for (size_t k = 0; k < i; k++) {
		struct report_group other = {.name = a->seen.subjects[k]->name};
		_cleanup_(buf_done) struct buf name = {.max = 64};

		if (strcmp(a->seen.subjects[k]->pods.namespace ?: "", namespace))
			continue;
		report_object_name(&other, &name);
		before += !strcmp(buf_cstr(&name), buf_cstr(out));
	}
	if (before && out->len > 58)
		out->len = 58;
	if (before)
		buf_printf(out, "-%zu", before + 1);
}

static void write_policies(const struct advice *a, struct buf *out)
{
	for (size_t i = 0; i < a->seen.n; i++) {
		_cleanup_(buf_done) struct buf name = {.max = 80};

		object_name(a, i, &name);
		if (i)
			buf_str(out, "---\n");
		(a->cilium ? policy_write_cilium : policy_write_k8s)(a->seen.subjects[i],
								     buf_cstr(&name), out);
	}
}

static void write_apart(const struct seen *a, struct buf *out)
{
	for (size_t i = 0; i < a->n_apart; i++) {
		buf_str(out, "# ");
		escape_text(out, a->apart[i], strlen(a->apart[i]));
		buf_char(out, '\n');
	}
}

static int advice_write(void *state, uint64_t lost, struct buf *out, struct err *err)
{
	struct advice *a = state;
	int r;

	if (!a->seen.n && !a->seen.n_apart)
		return err_set(err, -ENODATA, "nothing to report: no container talked to anybody");
	report_say_lost(lost, "edges");
	r = seen_settle(&a->seen, err);
	if (r)
		return r;
	if (a->diff) {
		policy_diff(&a->seen, &a->there, out);
	} else {
		write_apart(&a->seen, out);
		write_policies(a, out);
	}
	return 0;
}

/* ---- its life ------------------------------------------------------------------------------- */

static void advice_close(void *state)
{
	struct advice *a = state;

	if (a) {
		policy_set_done(&a->there);
		seen_done(&a->seen);
	}
	free(a);
}

/* Policies are read before the run, which may be long: what is wrong with them is told at once. */
static int advice_open(const char *mode, const struct labels *options, void **ret, struct err *err)
{
	const char *path = labels_get(options, "diff");
	struct advice *a = xnew(struct advice);
	int r = path ? policy_read(path, &a->there, err) : 0;

	a->cilium = !strcmp(mode, "cilium");
	a->diff = path;
	if (r) {
		advice_close(a);
		return r;
	}
	*ret = a;
	return 0;
}

static int advice_row(void *state, const struct schema *s, const struct row *row, struct err *err)
{
	return seen_add(&((struct advice *)state)->seen, s, row, err);
}

static const struct report_mode modes[] = {
	{"k8s", "A NetworkPolicy of Kubernetes for each kind of pod (YAML)"},
	{"cilium", "A CiliumNetworkPolicy for each kind of pod (YAML)"},
	{0},
};

static const struct report_option options[] = {
	{"diff", "FILE",
	 "Write instead what was done and these policies (YAML; a file, or a folder of them) "
	 "refuse, "
	 "and what they allow and was not done; nothing where there is no difference"},
	{0},
};

static const struct report report = {
	.gadget = "advise_networkpolicy",
	.modes = modes,
	.options = options,
	.open = advice_open,
	.row = advice_row,
	.write = advice_write,
	.close = advice_close,
};
GADGET_REPORT(&report);
