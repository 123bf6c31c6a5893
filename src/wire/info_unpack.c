// SPDX-License-Identifier: Apache-2.0
/* A GadgetInfo as a gadget with schemas. Whatever it says may be hostile. */
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "wire/decoder.h"

/* Messages of protobuf-c take up to a hundred times the bytes that they were. */
enum { MAX_INFO = 1 << 20, MAX_TEXT = 1 << 16, MAX_FIELDS_TOLD = 1024 };

char *wire_shown(const char *text)
{
	_cleanup_(buf_done) struct buf b = {.max = MAX_TEXT};

	escape_text(&b, text, strlen(text));
	return xstrdup(buf_cstr(&b));
}

/* The same for a text of several lines. */
static char *shown_lines(const char *text)
{
	_cleanup_(buf_done) struct buf b = {.max = MAX_TEXT};

	for (;;) {
		size_t len = strcspn(text, "\n");

		escape_text(&b, text, len);
		if (!text[len])
			break;
		buf_char(&b, '\n');
		text += len + 1;
	}
	return xstrdup(buf_cstr(&b));
}

const char *wire_note(Api__Entry *const *notes, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(notes[i]->key, key))
			return notes[i]->value;
	return NULL;
}

static const char *source_note(const Api__DataSource *source, const char *key)
{
	return wire_note(source->annotations, source->n_annotations, key);
}

/* ---- data sources -------------------------------------------------------------------------- */

/* Texts of a schema that are shown as they are. */
static bool is_clean(const struct schema *s)
{
	for (size_t i = 0; i < s->n_fields; i++) {
		_cleanup_(freep) char *doc = wire_shown(s->fields[i].doc ?: "");

		if (s->fields[i].doc && strcmp(doc, s->fields[i].doc))
			return false;
	}
	return true;
}

/* Where ids of users and groups lie whose names come with each row. */
static void find_owners(const Api__DataSource *source, const struct schema *s,
			struct decoded_source *to)
{
	const char *said = source_note(source, NOTE_OWNERS);
	uint64_t payload;

	if (!said || parse_u64(said, &payload) || payload >= WIRE_MAX_PAYLOADS)
		return;
	to->owners = (int32_t)payload;
	if (to->n_payloads <= payload)
		to->n_payloads = (uint32_t)payload + 1;
	for (size_t i = 0; i < s->n_fields; i++) {
		const struct field *f = &s->fields[i];

		if (f->part == PART_RECORD && field_owner(f) != OWNER_NONE)
			*grow(&to->owner_fields, &to->n_owners, &to->room_owners) =
				(struct wire_owner){f->offset, field_owner(f)};
	}
}

/* Of our own server: its schema, with what this program knows of containers. */
static int own_schema(const Api__DataSource *source, const char *json, struct decoded_source *to,
		      struct schema **ret, struct err *err)
{
	_cleanup_(schema_unrefp) struct schema *plain = NULL, *s = NULL;

	if (schema_from_json(json, strlen(json), &plain, err) ||
	    container_extend_schema(plain, &s, err))
		return err_wrap(err, -EBADMSG, "data source %u", source->id);
	if (!is_clean(s))
		return err_set(err, -EBADMSG, "data source %u: texts with control characters",
			       source->id);
	to->own = true;
	to->record_size = s->record_size;
	to->n_payloads = 1;
	if (source_note(source, NOTE_CONTAINER)) {
		to->whole_container = 1;
		to->n_payloads = 2;
	} else {
		wire_find_members(source, to, NULL);
	}
	find_owners(source, s, to);
	*ret = take(s);
	return 0;
}

static enum source_kind kind_of(const Api__DataSource *source)
{
	const char *said = source_note(source, NOTE_KIND);

	if (source->type != API_ARRAY)
		return SOURCE_TRACER;
	return str_equal(said, wire_kind_names[SOURCE_SNAPSHOT]) ? SOURCE_SNAPSHOT : SOURCE_TOP;
}

/* 0 also for a source of which nothing can be shown: then it is left out. */
static int add_source(struct wire_gadget *g, const Api__DataSource *source, struct err *err)
{
	_cleanup_(freep) char *name = wire_shown(source->name);
	const char *json = source_note(source, NOTE_SCHEMA), *sort = source_note(source, NOTE_SORT);
	struct decoded_source *to = &g->decoder->sources[g->n_sources];
	struct schema *s = NULL;
	int r = 0;

	*to = (struct decoded_source){
		.id = source->id,
		.array = source->type == API_ARRAY,
		.big_endian = source->flags & API_BIG_ENDIAN,
		.whole_container = -1,
		.owners = -1,
	};
	if (source->n_fields > MAX_FIELDS_TOLD)
		return err_set(err, -EBADMSG, "data source %u has %zu fields", source->id,
			       source->n_fields);
	if (json)
		r = own_schema(source, json, to, &s, err);
	else
		s = wire_other_schema(source, g->name, name, to);
	if (!s) {
		free(to->record.items);
		free(to->members.items);
		return r;
	}
	g->sources[g->n_sources++] = (struct gadget_source){
		.kind = kind_of(source),
		.name = take(name),
		.sort = sort ? wire_shown(sort) : NULL,
		.schema = s,
	};
	return 0;
}

static int add_sources(struct wire_gadget *g, const Api__GadgetInfo *info, struct err *err)
{
	uint32_t n_payloads = 1;

	if (info->n_datasources > WIRE_MAX_SOURCES)
		return err_set(err, -EBADMSG, "%zu data sources", info->n_datasources);
	g->sources = xnew_n(struct gadget_source, info->n_datasources);
	g->decoder->sources = xnew_n(struct decoded_source, info->n_datasources);
	for (size_t i = 0; i < info->n_datasources; i++) {
		int r = add_source(g, info->datasources[i], err);

		if (r)
			return r;
	}
	for (size_t i = 0; i < g->n_sources; i++)
		if (g->decoder->sources[i].n_payloads > n_payloads)
			n_payloads = g->decoder->sources[i].n_payloads;
	g->decoder->payloads = xnew_n(struct wire_slice, n_payloads);
	return 0;
}

/* ---- all of it ----------------------------------------------------------------------------- */

static struct wire_decoder *decoder_new(void)
{
	struct wire_decoder *d = xnew(struct wire_decoder);

	d->containers = container_cache_new();
	d->host = owner_names_new();
	buf_init(&d->record, 64 << 20);
	buf_init(&d->key, 64 << 20);
	return d;
}

static void decoder_free(struct wire_decoder *d)
{
	container_cache_free(d->containers);
	owner_names_unref(d->host);
	buf_done(&d->record);
	buf_done(&d->key);
	free(d->payloads);
	free(d->sources);
	free(d);
}

struct wire_gadget *wire_gadget_free(struct wire_gadget *g)
{
	if (!g)
		return NULL;
	for (size_t i = 0; i < g->n_sources; i++) {
		schema_unref(g->sources[i].schema);
		free((char *)g->sources[i].name);
		free((char *)g->sources[i].sort);
		free(g->decoder->sources[i].record.items);
		free(g->decoder->sources[i].members.items);
		free(g->decoder->sources[i].owner_fields);
	}
	for (size_t i = 0; i < g->n_params; i++) {
		free((char *)g->params[i].name);
		free((char *)g->params[i].doc);
		free((char *)g->params[i].type);
		free((char *)g->params[i].default_text);
	}
	decoder_free(g->decoder);
	free(g->sources);
	free(g->params);
	free(g->name);
	free(g->image);
	free(g->doc);
	free(g->id);
	free(g);
	return NULL;
}

void wire_gadget_share(struct wire_gadget *g, size_t source, struct schema *same)
{
	schema_unref(g->sources[source].schema);
	g->sources[source].schema = schema_ref(same);
}

static void wire_gadget_freep(struct wire_gadget **g)
{
	wire_gadget_free(*g);
}

static void free_info(Api__GadgetInfo **info)
{
	api__gadget_info__free_unpacked(*info, NULL);
}

int wire_gadget_unpack(const void *bytes, size_t len, struct wire_gadget **ret, struct err *err)
{
	_cleanup_(wire_gadget_freep) struct wire_gadget *g = NULL;
	_cleanup_(free_info) Api__GadgetInfo *info = NULL;
	const char *clock, *doc;
	int r;

	if (len > MAX_INFO)
		return err_set(err, -EBADMSG, "a gadget's description of %zu bytes", len);
	info = api__gadget_info__unpack(NULL, len, bytes);
	if (!info)
		return err_set(err, -EBADMSG, "what should describe a gadget does not");
	g = xnew(struct wire_gadget);
	g->decoder = decoder_new();
	g->name = wire_shown(info->name);
	g->image = wire_shown(info->imagename);
	g->id = wire_shown(info->id);
	doc = wire_note(info->annotations, info->n_annotations, NOTE_DOC);
	g->doc = shown_lines(doc ?: "");
	clock = wire_note(info->annotations, info->n_annotations, NOTE_CLOCK);
	if (clock && parse_i64(clock, &g->clock.boot_to_real_ns))
		return err_set(err, -EBADMSG, "'%s' of %s is no clock", clock, g->name);
	wire_params_unpack(info, g);
	r = add_sources(g, info, err);
	if (r)
		return r;
	*ret = take(g);
	return 0;
}
