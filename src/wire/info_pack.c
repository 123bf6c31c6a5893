// SPDX-License-Identifier: Apache-2.0
/* A gadget and its data sources as a GadgetInfo. All of it lies in one arena until it is packed. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/parse.h"
#include "wire/encoder.h"

enum { MAX_NOTES = 12, MAX_INFO_TEXT = 1 << 20 };

const char *const wire_kind_names[] = {
	[SOURCE_TRACER] = "tracer",
	[SOURCE_TOP] = "top",
	[SOURCE_SNAPSHOT] = "snapshot",
};

const char *const wire_ellipses[] = {
	[ELLIPSIS_END] = "end",
	[ELLIPSIS_START] = "start",
	[ELLIPSIS_MIDDLE] = "middle",
	[ELLIPSIS_NONE] = "none",
};

struct notes {
	struct arena *arena;
	Api__Entry **items; /* MAX_NOTES */
	size_t n;
};

static struct notes notes_new(struct arena *a)
{
	return (struct notes){a, arena_alloc(a, MAX_NOTES * sizeof(Api__Entry *)), 0};
}

/* Both texts are borrowed; a note without a value is none. */
static void note(struct notes *to, const char *key, const char *value)
{
	Api__Entry *e;

	if (!value || to->n == MAX_NOTES)
		return;
	e = to->items[to->n++] = arena_alloc(to->arena, sizeof(*e));
	api__entry__init(e);
	e->key = (char *)key;
	e->value = (char *)value;
}

static void note_number(struct notes *to, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	note(to, key, arena_strdup(to->arena, text));
}

/* What a schema or a gadget says as text, copied to the arena. */
static char *keep(struct arena *a, struct buf *b)
{
	char *text = arena_strdup(a, b->failed ? "" : buf_cstr(b));

	buf_done(b);
	return text;
}

/* ---- fields -------------------------------------------------------------------------------- */

/* Ready-made looks that clients know by name. */
static const char *template_of(const struct field *f)
{
	static const struct {
		const char *type, *name, *template;
	} known[] = {
		{.type = "g_comm", .template = "comm"},
		{.type = "g_pid", .template = "pid"},
		{.type = "g_time", .template = "timestamp"},
		{.name = "k8s.namespace", .template = "namespace"},
		{.name = "k8s.podName", .template = "pod"},
		{.name = "k8s.containerName", .template = "container"},
		{.name = "runtime.containerName", .template = "container"},
	};

	for (size_t i = 0; i < array_size(known); i++)
		if (known[i].type ? str_equal(known[i].type, f->type)
				  : str_equal(known[i].name, f->name))
			return known[i].template;
	return NULL;
}

static void describe_looks(const struct wire_field *w, struct notes *to)
{
	const struct field *f = w->field;

	note(to, "description", f->doc);
	note(to, "template", w->raw ? NULL : template_of(f));
	if (w->flags & API_HIDDEN)
		note(to, "columns.hidden", "true");
	if (w->flags & API_EMPTY)
		return;
	if (f->width)
		note_number(to, "columns.width", f->width);
	note(to, "columns.alignment", f->flags & FIELD_RIGHT ? "right" : "left");
	note(to, "columns.ellipsis", wire_ellipses[f->ellipsis]);
	if (f->flags & FIELD_FIXED)
		note(to, "columns.fixed", "true");
}

static Api__Field *describe_field(const struct wire_source *s, size_t i, struct arena *a)
{
	const struct wire_field *w = &s->fields[i];
	const struct field *f = w->field;
	Api__Field *to = arena_alloc(a, sizeof(*to));
	struct notes notes = notes_new(a);
	char full[300];
	const char *dot;

	api__field__init(to);
	snprintf(full, sizeof(full), "%s%s", f->name, w->raw ? "_raw" : "");
	to->fullname = arena_strdup(a, full);
	dot = strrchr(to->fullname, '.');
	to->name = dot ? (char *)dot + 1 : to->fullname;
	to->index = (uint32_t)i;
	to->order = (int32_t)i;
	to->flags = w->flags;
	to->kind = w->kind;
	to->payloadindex = w->payload;
	if (w->flags & API_STATIC) {
		to->offs = f->offset;
		to->size = f->size;
	}
	if (w->parent >= 0)
		to->parent = (uint32_t)w->parent;
	describe_looks(w, &notes);
	to->annotations = notes.items;
	to->n_annotations = notes.n;
	return to;
}

/* ---- sources and all of it ----------------------------------------------------------------- */

static Api__DataSource *describe_source(const struct wire_source *s, struct arena *a)
{
	Api__DataSource *to = arena_alloc(a, sizeof(*to));
	struct notes notes = notes_new(a);
	struct buf schema = {.max = MAX_INFO_TEXT};

	api__data_source__init(to);
	to->id = s->id;
	to->name = s->name;
	to->type = s->kind == SOURCE_TRACER ? API_SINGLE : API_ARRAY;
	to->n_fields = s->n_fields;
	to->fields = arena_alloc(a, s->n_fields * sizeof(*to->fields));
	for (size_t i = 0; i < s->n_fields; i++)
		to->fields[i] = describe_field(s, i, a);
	schema_to_json(s->schema, &schema);
	note(&notes, NOTE_SCHEMA, keep(a, &schema));
	note(&notes, NOTE_KIND, wire_kind_names[s->kind]);
	note(&notes, NOTE_SORT, s->sort);
	if (s->kind == SOURCE_TOP)
		note(&notes, "cli.clear-screen-before", "true");
	if (s->compact && s->enriched)
		note(&notes, NOTE_CONTAINER, "1");
	if (s->n_owners) /* behind the record and all others */
		note_number(&notes, NOTE_OWNERS,
			    1 + (int64_t)s->n_payloads + (s->compact && s->enriched));
	to->annotations = notes.items;
	to->n_annotations = notes.n;
	return to;
}

/* What the ecosystem writes beside a gadget, as far as it is looked at. JSON is YAML. */
static void describe_yaml(const struct gadget *g, struct arena *a, Api__GadgetInfo *info)
{
	const char *doc = gadget_doc(g);
	struct buf yaml = {.max = MAX_INFO_TEXT};

	buf_str(&yaml, "name: ");
	json_quote(&yaml, gadget_name(g), strlen(gadget_name(g)));
	buf_str(&yaml, "\ndescription: ");
	json_quote(&yaml, doc, strcspn(doc, "\n"));
	buf_char(&yaml, '\n');
	info->metadata.data = (uint8_t *)keep(a, &yaml);
	info->metadata.len = strlen((char *)info->metadata.data);
}

static void pack(const Api__GadgetInfo *info, struct buf *out)
{
	size_t size = api__gadget_info__get_packed_size(info);

	if (buf_reserve(out, size))
		out->len += api__gadget_info__pack(info, (uint8_t *)out->data + out->len);
}

/* What a gadget says of itself. */
static void describe_gadget(const struct gadget *g, struct arena *a, struct notes *notes,
			    Api__GadgetInfo *info)
{
	info->name = (char *)gadget_name(g);
	wire_params_pack(g, a, info);
	describe_yaml(g, a, info);
	note(notes, NOTE_DOC, gadget_doc(g));
}

void wire_info_pack(const struct wire_about *about, struct wire_source *const *sources,
		    size_t n_sources, struct buf *out)
{
	Api__GadgetInfo info = API__GADGET_INFO__INIT;
	_cleanup_(arena_done) struct arena a = {0};
	struct notes notes = notes_new(&a);

	if (about->gadget)
		describe_gadget(about->gadget, &a, &notes, &info);
	else
		info.name = (char *)about->name;
	info.imagename = (char *)about->image;
	if (about->id)
		info.id = (char *)about->id;
	info.n_datasources = n_sources;
	info.datasources = arena_alloc(&a, n_sources * sizeof(*info.datasources));
	for (size_t i = 0; i < n_sources; i++)
		info.datasources[i] = describe_source(sources[i], &a);
	if (n_sources)
		note_number(&notes, NOTE_CLOCK, sources[0]->clock.boot_to_real_ns);
	info.annotations = notes.items;
	info.n_annotations = notes.n;
	pack(&info, out);
}
