// SPDX-License-Identifier: Apache-2.0
/* What capabilities containers should have, from the rows of advise_capabilities. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "columns/format.h"
#include "columns/kernel_names.h"
#include "columns/report_groups.h"

/* As the gadget numbers them. */
enum use { GRANTED, USED, REFUSED, RESERVE };

enum { CAPABILITIES = 64 };

struct needs {
	struct report_group group;
	g_capability_set bounding, used, refused;
	/* Which calls; the first ones of each. */
	struct calls {
		g_syscall items[8];
		size_t n;
		bool more;
	} used_in[CAPABILITIES], refused_in[CAPABILITIES];
};

static int advice_open(const char *mode, const struct labels *options, void **ret, struct err *err)
{
	return report_groups_new(sizeof(struct needs), NULL, mode, options, ret, err);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void add_call(struct calls *to, g_syscall call)
{
	for (size_t i = 0; i < to->n; i++)
		if (to->items[i] == call)
			return;
	if (to->n < array_size(to->items))
		to->items[to->n++] = call;
	else
		to->more = true;
}

static void add_use(struct calls *calls, g_capability_set *set, g_capability_set caps,
		    g_syscall call)
{
	*set |= caps;
	for (size_t i = 0; i < CAPABILITIES; i++)
		if (caps >> i & 1)
			add_call(&calls[i], call);
}

static int advice_row(void *state, const struct schema *s, const struct row *row, struct err *err)
{
	int64_t what, caps, call, bounding, own_userns;
	struct report_group *g;
	struct needs *needs;
	int r = report_number(s, row, "what", &what, err);

	r = r ?: report_number(s, row, "cap", &caps, err);
	r = r ?: report_number(s, row, "syscall", &call, err);
	r = r ?: report_number(s, row, "bounding", &bounding, err);
	r = r ?: report_number(s, row, "own_userns", &own_userns, err);
	r = r ?: report_group_of(state, s, row, &g, err);
	if (r)
		return r;
	needs = (struct needs *)g;
	needs->bounding |= (g_capability_set)bounding;
	if (what == USED && !own_userns)
		add_use(needs->used_in, &needs->used, (g_capability_set)caps, (g_syscall)call);
	else if (what == REFUSED)
		add_use(needs->refused_in, &needs->refused, (g_capability_set)caps,
			(g_syscall)call);
	return 0;
}

/* ---- for people ------------------------------------------------------------------------------ */

static void list_set(const char *what, g_capability_set set, const struct calls *calls,
		     struct buf *out)
{
	buf_printf(out, "  %-9s", what);
	if (!set)
		buf_str(out, " none");
	for (uint32_t i = 0; i < CAPABILITIES; i++) {
		if (!(set >> i & 1))
			continue;
		buf_char(out, ' ');
		capability_name(i, out);
		for (size_t k = 0; calls && k < calls[i].n; k++) {
			buf_char(out, k ? ' ' : '(');
			syscall_name(calls[i].items[k], out);
		}
		if (calls && calls[i].n)
			buf_str(out, calls[i].more ? " …)" : ")");
	}
	buf_char(out, '\n');
}

/* What was refused once and had another time is had. */
static void write_text(const void *ctx, const struct report_group *g, struct buf *out)
{
	const struct needs *n = (const struct needs *)g;

	escape_text(out, n->group.name, strlen(n->group.name));
	buf_char(out, '\n');
	list_set("granted", n->bounding, NULL, out);
	list_set("used", n->used, n->used_in, out);
	list_set("refused", n->refused & ~n->bounding, n->refused_in, out);
	list_set("drop", n->bounding & ~n->used, NULL, out);
}

/* ---- for configurations ---------------------------------------------------------------------- */

static void json_set(g_capability_set set, struct buf *out)
{
	const char *comma = "";

	buf_char(out, '[');
	for (uint32_t i = 0; i < CAPABILITIES; i++) {
		if (!(set >> i & 1))
			continue;
		buf_printf(out, "%s\"", comma);
		capability_name(i, out);
		buf_char(out, '"');
		comma = ",";
	}
	buf_char(out, ']');
}

static void write_oci(const void *ctx, const struct report_group *g, struct buf *out)
{
	static const char *const sets[] = {"bounding", "effective", "permitted"};
	const struct needs *n = (const struct needs *)g;

	for (size_t i = 0; i < array_size(sets); i++) {
		buf_printf(out, "%s\"%s\":", i ? "," : "{", sets[i]);
		json_set(n->used & n->bounding, out);
	}
	buf_char(out, '}');
}

/* Kubernetes leaves out CAP_. */
static void write_context(const void *ctx, const struct report_group *g, struct buf *out)
{
	const struct needs *n = (const struct needs *)g;
	g_capability_set keep = n->used & n->bounding;

	buf_str(out, "# ");
	escape_text(out, n->group.name, strlen(n->group.name));
	buf_str(out, "\nsecurityContext:\n  capabilities:\n    drop:\n    - ALL\n");
	buf_str(out, keep ? "    add:\n" : "");
	for (uint32_t i = 0; i < CAPABILITIES; i++) {
		_cleanup_(buf_done) struct buf name = {.max = 64};

		if (!(keep >> i & 1))
			continue;
		capability_name(i, &name);
		buf_printf(out, "    - %s\n",
			   buf_cstr(&name) + (strncmp(buf_cstr(&name), "CAP_", 4) ? 0 : 4));
	}
}

static int advice_write(void *state, uint64_t lost, struct buf *out, struct err *err)
{
	static const struct report_writer writers[] = {
		{"text", REPORT_TEXT, write_text},
		{"oci", REPORT_JSON, write_oci},
		{"k8s", REPORT_YAML, write_context},
		{0},
	};
	struct report_groups *groups = state;
	int r = report_groups_sort(groups, err);

	if (r)
		return r;
	report_say_lost(lost, "capabilities");
	report_write(groups, writers, NULL, out);
	return 0;
}

static const struct report_mode modes[] = {
	{"text",
	 "What each container was granted, used and was refused, and what it can do without"},
	{"oci", "The sets that process.capabilities of an OCI configuration should have (JSON)"},
	{"k8s", "The securityContext of a Kubernetes container (YAML)"},
	{0},
};

static const struct report_option options[] = {REPORT_MERGE_OPTION, {0}};

static const struct report report = {
	.gadget = "advise_capabilities",
	.modes = modes,
	.options = options,
	.open = advice_open,
	.row = advice_row,
	.write = advice_write,
	.close = report_groups_free,
};
GADGET_REPORT(&report);
