// SPDX-License-Identifier: Apache-2.0
/* Could containers run with a read-only root? From the rows of advise_readonly. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "columns/format.h"
#include "columns/report_groups.h"
#include "places.h"

struct writer {
	struct report_group group;
	struct places places;
};

static void writer_done(struct report_group *g)
{
	places_done(&((struct writer *)g)->places);
}

static int advice_open(const char *mode, const struct labels *options, void **ret, struct err *err)
{
	return report_groups_new(sizeof(struct writer), writer_done, mode, options, ret, err);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static char *text_of(const struct schema *s, const struct row *row, const char *name)
{
	const struct field *f = schema_field(s, name);
	bool truncated;
	const char *text;
	size_t len;

	return f && row_text(row, f, &text, &len, &truncated) ? xstrndup(text, len) : xstrdup("");
}

static int advice_row(void *state, const struct schema *s, const struct row *row, struct err *err)
{
	_cleanup_(freep) char *dir = text_of(s, row, "dir"), *path = text_of(s, row, "path");
	_cleanup_(freep) char *fs = text_of(s, row, "fs"), *whole = path_join(dir, path);
	int64_t how, place, error, read_only;
	struct report_group *g;
	struct places *places;
	int r = report_number(s, row, "how", &how, err);

	r = r ?: report_number(s, row, "place", &place, err);
	r = r ?: report_number(s, row, "error", &error, err);
	r = r ?: report_number(s, row, "read_only", &read_only, err);
	r = r ?: report_group_of(state, s, row, &g, err);
	if (r)
		return r;
	if (how < 0 || how >= WRITE_HOWS || place < BY_PATH || place > ELSEWHERE)
		return err_set(err, -EBADMSG, "a row that is not advise_readonly's");
	places = &((struct writer *)g)->places;
	if (how == MOUNTED) {
		places_mount(places, whole, fs, read_only);
		return 0;
	}
	r = places_write(places, whole, (enum write_how)how, (enum write_place)place, error != 0);
	return r ? err_set(err, r, "%s wrote to more than %d folders", g->name, MAX_WRITES) : 0;
}

/* ---- for people ------------------------------------------------------------------------------ */

static void add_text(struct buf *out, const char *text)
{
	escape_text(out, text, strlen(text));
}

static size_t count_on_root(const struct places *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_folders; i++)
		n += p->folders[i].place == ON_ROOT;
	return n;
}

static void text_folder(const struct folder *f, struct buf *out)
{
	static const char *const hows[] = {[OPENED] = "opened",
					   [CREATED] = "created",
					   [REMOVED] = "removed",
					   [RENAMED] = "renamed",
					   [CHANGED] = "changed"};
	const char *comma = "";

	buf_str(out, "  ");
	add_text(out, f->path);
	buf_str(out, ": ");
	for (size_t i = OPENED; i < array_size(hows); i++) {
		if (!(f->how & 1u << i))
			continue;
		buf_printf(out, "%s%s", comma, hows[i]);
		comma = ", ";
	}
	buf_str(out, f->refused ? ", refused as it is read-only" : "");
	buf_str(out, "; such as ");
	add_text(out, f->example);
	buf_char(out, '\n');
}

static void write_text(const void *ctx, const struct report_group *g, struct buf *out)
{
	const struct writer *w = (const struct writer *)g;
	const struct places *p = &w->places;
	size_t on_root = count_on_root(p);
	bool any = false;

	add_text(out, w->group.name);
	if (on_root)
		buf_printf(out, ": writes to %zu folder%s of its root\n", on_root,
			   on_root > 1 ? "s" : "");
	else
		buf_str(out, ": can run with a read-only root\n");
	for (size_t i = 0; i < p->n_folders; i++)
		if (p->folders[i].place == ON_ROOT)
			text_folder(&p->folders[i], out);
	for (size_t i = 0; i < p->n_mounts; i++) {
		if (!p->mounts[i].written)
			continue;
		buf_str(out, any ? ", " : "  also on mounts: ");
		add_text(out, p->mounts[i].path);
		buf_str(out, " (");
		add_text(out, p->mounts[i].fs);
		buf_char(out, ')');
		any = true;
	}
	buf_str(out, any ? "\n" : "");
}

/* ---- for configurations ---------------------------------------------------------------------- */

static bool needs_volume(const struct folder *f)
{
	return folder_is_volume(f) && !f->covered;
}

/* A volume's name for Kubernetes, which must be one of its own: "written-1". */
static void volume_name(size_t n, struct buf *out)
{
	buf_printf(out, "written-%zu", n);
}

static void comment_on(const struct folder *f, struct buf *out)
{
	if (f->place != ON_ROOT)
		return;
	if (!folder_is_volume(f)) {
		buf_str(out, "# written in / itself, where no volume can be: ");
		add_text(out, f->example);
		buf_char(out, '\n');
	} else if (!f->covered && folder_has_content(f)) {
		buf_str(out, "# has files already, which a new volume hides: ");
		add_text(out, f->path);
		buf_char(out, '\n');
	}
}

static void yaml_volumes(const struct places *p, bool mounts, struct buf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_folders; i++) {
		if (!needs_volume(&p->folders[i]))
			continue;
		if (!n++)
			buf_str(out, mounts ? "  volumeMounts:\n" : "volumes:\n");
		buf_str(out, mounts ? "  - name: " : "- name: ");
		volume_name(n, out);
		buf_str(out, mounts ? "\n    mountPath: " : "\n  emptyDir: {}");
		if (mounts)
			json_quote(out, p->folders[i].path, strlen(p->folders[i].path));
		buf_char(out, '\n');
	}
}

static void write_pod(const void *ctx, const struct report_group *g, struct buf *out)
{
	const struct writer *w = (const struct writer *)g;
	const struct places *p = &w->places;

	buf_str(out, "# ");
	add_text(out, w->group.name);
	buf_char(out, '\n');
	for (size_t i = 0; i < p->n_folders; i++)
		comment_on(&p->folders[i], out);
	buf_str(out, "containers:\n- name: ");
	report_object_name(&w->group, out);
	buf_str(out, "\n  securityContext:\n    readOnlyRootFilesystem: true\n");
	yaml_volumes(p, true, out);
	yaml_volumes(p, false, out);
}

static void write_oci(const void *ctx, const struct report_group *g, struct buf *out)
{
	const struct places *p = &((const struct writer *)g)->places;
	const char *comma = "";

	buf_str(out, "{\"root\":{\"readonly\":true},\"mounts\":[");
	for (size_t i = 0; i < p->n_folders; i++) {
		if (!needs_volume(&p->folders[i]))
			continue;
		buf_printf(out, "%s{\"destination\":", comma);
		json_quote(out, p->folders[i].path, strlen(p->folders[i].path));
		buf_str(out, ",\"type\":\"tmpfs\",\"source\":\"tmpfs\"}");
		comma = ",";
	}
	buf_str(out, "]}");
}

static int advice_write(void *state, uint64_t lost, struct buf *out, struct err *err)
{
	static const struct report_writer writers[] = {
		{"text", REPORT_TEXT, write_text},
		{"k8s", REPORT_YAML, write_pod},
		{"oci", REPORT_JSON, write_oci},
		{0},
	};
	struct report_groups *groups = state;
	int r = report_groups_sort(groups, err);

	if (r)
		return r;
	report_say_lost(lost, "folders");
	for (size_t i = 0; i < groups->n; i++)
		places_settle(&((struct writer *)groups->items[i])->places);
	report_write(groups, writers, NULL, out);
	return 0;
}

static const struct report_mode modes[] = {
	{"text",
	 "Whether each container can run with a read-only root, and the folders it writes to"},
	{"k8s",
	 "readOnlyRootFilesystem, and an emptyDir for each folder, of a Kubernetes pod (YAML)"},
	{"oci", "The same as an OCI configuration has it: root.readonly, and tmpfs mounts (JSON)"},
	{0},
};

static const struct report_option options[] = {REPORT_MERGE_OPTION, {0}};

static const struct report report = {
	.gadget = "advise_readonly",
	.modes = modes,
	.options = options,
	.open = advice_open,
	.row = advice_row,
	.write = advice_write,
	.close = report_groups_free,
};
GADGET_REPORT(&report);
