// SPDX-License-Identifier: Apache-2.0
/*
 * Plans: compiling a schema into operations, and running them for a row.
 *
 * Each member is written with a comma behind it; a closing brace takes the last comma's place, or,
 * where nothing came since its opening one, both vanish. So whether a member is left out matters to
 * nobody else.
 */
#include "columns/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/owners.h"
#include "columns/arena.h"
#include "columns/digits.h"
#include "columns/format_internal.h"
#include "columns/types.h"

enum code {
	CODE_OPEN,
	CODE_OPEN_ENDPOINT, /* the group is skipped where it was not filled */
	CODE_CLOSE,
	CODE_U1,
	CODE_U2,
	CODE_U4,
	CODE_U8,
	CODE_I4,
	CODE_NAMED, /* a number whose JSON depends on nothing but itself: remembered */
	CODE_TIME,
	CODE_CHARS,
	CODE_TEXT,
	CODE_LIST,
	CODE_CSTR,
	CODE_OTHER, /* by the format's functions */
};

enum { NAMED_SLOTS = 16, NAMED_BYTES = 48, CONTAINER_SLOTS = 256, COPY_STEP = 16, SPARE = 64 };

/* What named numbers looked like lately. */
struct named_cache {
	struct {
		int64_t value;
		uint64_t owners; /* version of the names, where these are users' or groups' */
		uint32_t len;	 /* 0: empty slot */
		char json[NAMED_BYTES];
	} slot[NAMED_SLOTS];
};

struct op {
	uint8_t code, part;
	bool skip_empty;
	bool owner;    /* NAMED: a user or group */
	uint16_t skip; /* OPEN_ENDPOINT: operations up to behind its CLOSE */
	uint32_t offset, end;
	uint32_t key_len; /* CLOSE: of its OPEN */
	const char *key;  /* "name": or "name":{ ; readable up to a multiple of COPY_STEP */
	const struct field *field;
	struct named_cache *named;
};

/* The members that a container gave to earlier rows. */
struct container_slot {
	uint64_t version;
	uint32_t len, room;
	char *json; /* readable up to a multiple of COPY_STEP */
};

struct json_plan {
	struct clock_base clock;
	struct arena arena;
	char *head; /* "{" and what comes first */
	size_t head_len;
	struct op *ops;
	size_t n_ops, room_ops;
	size_t n_container_ops; /* the first ones, which only look at PART_CONTAINER */
	size_t fixed_max;	/* bytes of a row without its texts */
	int64_t second;		/* whose date is in second_text */
	char second_text[20];	/* 2026-11-22T10:00:00. */
	struct container_slot *containers;
};

/* ---- compiling ----------------------------------------------------------------------------- */

static const char *last_part(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

/* "name": with `end` behind it, in memory that may be copied in steps */
static void set_key(struct json_plan *p, struct op *op, const char *name, const char *end)
{
	_cleanup_(buf_done) struct buf key = {.max = 4096};

	json_quote(&key, name, strlen(name));
	buf_char(&key, ':');
	buf_str(&key, end);
	op->key_len = (uint32_t)key.len;
	op->key = memcpy(arena_alloc(&p->arena, key.len + COPY_STEP), buf_cstr(&key), key.len + 1);
	p->fixed_max += key.len;
}

static enum code code_of(const struct field *f)
{
	static const enum code by_size[] = {
		[1] = CODE_U1, [2] = CODE_U2, [4] = CODE_U4, [8] = CODE_U8};
	const struct format *plain = format_find(NULL, KIND_UINT, 0);
	bool number = f->kind == KIND_UINT || f->kind == KIND_INT || f->kind == KIND_BOOL;

	if (f->type && !strcmp(f->type, "g_time") && f->format->type)
		return CODE_TIME;
	if (f->kind == KIND_UINT && f->format->json == plain->json)
		return by_size[f->size];
	if (f->kind == KIND_INT && f->size == 4 && f->format->json == plain->json)
		return CODE_I4;
	if (number)
		return CODE_NAMED;
	if (f->format->text != format_find(NULL, f->kind, 0)->text)
		return CODE_OTHER;
	switch (f->kind) {
	case KIND_CHARS:
		return CODE_CHARS;
	case KIND_TEXT:
		return CODE_TEXT;
	case KIND_LIST:
		return CODE_LIST;
	case KIND_CSTR:
	case KIND_LABEL:
		return CODE_CSTR;
	default:
		return CODE_OTHER;
	}
}

static size_t value_max(const struct op *op)
{
	return op->code == CODE_CHARS ? JSON_QUOTED_MAX(op->field->size) : NAMED_BYTES;
}

static void add_leaf(struct json_plan *p, const struct field *f)
{
	struct op *op = grow(&p->ops, &p->n_ops, &p->room_ops);

	*op = (struct op){
		.code = code_of(f),
		.part = f->part,
		.skip_empty = f->flags & FIELD_SKIP_EMPTY,
		.owner = field_owner(f) != OWNER_NONE,
		.offset = f->offset,
		.end = f->offset + f->size,
		.field = f,
	};
	if (op->code == CODE_NAMED) {
		op->named = arena_alloc(&p->arena, sizeof(*op->named));
		memset(op->named, 0, sizeof(*op->named));
	}
	set_key(p, op, f->label ?: last_part(f->name), "");
	/* twice: the name may come again as NAME_truncated */
	p->fixed_max += value_max(op) + op->key_len + SPARE;
}

static bool is_selected(const struct selection *selected, size_t i)
{
	return !selected || selected->json[i];
}

static void open_object(struct json_plan *p, const struct field *f)
{
	struct op *op = grow(&p->ops, &p->n_ops, &p->room_ops);

	*op = (struct op){.code = f->kind == KIND_NONE && f->format->width ? CODE_OPEN_ENDPOINT
									   : CODE_OPEN,
			  .field = f};
	set_key(p, op, last_part(f->name), "{");
}

/* False, and there is no object, where nothing came since its operation at `open`. */
static bool close_object(struct json_plan *p, size_t open)
{
	struct op *op;

	if (p->n_ops == open + 1) {
		p->n_ops = open;
		return false;
	}
	op = grow(&p->ops, &p->n_ops, &p->room_ops);
	*op = (struct op){.code = CODE_CLOSE, .key_len = p->ops[open].key_len};
	p->ops[open].skip = (uint16_t)(p->n_ops - open);
	p->fixed_max += SPARE;
	return true;
}

/* Of a set that is not wanted whole: the labels that are. */
static void add_labels(struct json_plan *p, const struct field *set,
		       const struct selection *selected)
{
	size_t open = p->n_ops;

	open_object(p, set);
	for (size_t i = 0; i < selected->n_labels; i++)
		if (selected->labels[i]->part == set->part &&
		    selected->labels[i]->offset == set->offset)
			add_leaf(p, selected->labels[i]);
	close_object(p, open);
}

static void add_field(struct json_plan *p, const struct schema *s, const struct selection *selected,
		      size_t i)
{
	const struct field *f = &s->fields[i];
	size_t open = p->n_ops, members = 0;

	if (f->flags & FIELD_INTERNAL)
		return;
	if (f->kind != KIND_NONE) {
		if (is_selected(selected, i))
			add_leaf(p, f);
		else if (f->kind == KIND_LABELS)
			add_labels(p, f, selected);
		return;
	}
	open_object(p, f);
	for (size_t j = i + 1; j < s->n_fields; j++)
		if (s->fields[j].parent == (int16_t)i) {
			members++;
			add_field(p, s, selected, j);
		}
	if (!close_object(p, open) && !members && f->format->width && is_selected(selected, i))
		add_leaf(p, f);
}

/* True where all of a top-level field's leaves lie in PART_CONTAINER. */
static bool only_container(const struct schema *s, size_t i)
{
	const struct field *f = &s->fields[i];

	if (f->part != PART_CONTAINER)
		return false;
	for (size_t j = i + 1; j < s->n_fields; j++)
		if (s->fields[j].parent == (int16_t)i && !only_container(s, j))
			return false;
	return true;
}

struct json_plan *json_plan_new(const struct schema *s, const struct selection *selected,
				const char *head, const struct clock_base *clock)
{
	struct json_plan *p = xnew(struct json_plan);
	bool leading = true;

	p->clock = clock ? *clock : (struct clock_base){0};
	p->second = INT64_MIN;
	p->room_ops = s->n_fields;
	p->ops = xnew_n(struct op, p->room_ops);
	p->head_len = strlen(head) + 1;
	p->head = arena_alloc(&p->arena, p->head_len + COPY_STEP);
	p->head[0] = '{';
	memcpy(p->head + 1, head, p->head_len);
	for (size_t i = 0; i < s->n_fields; i++) {
		if (s->fields[i].parent >= 0)
			continue;
		leading = leading && only_container(s, i);
		add_field(p, s, selected, i);
		if (leading)
			p->n_container_ops = p->n_ops;
	}
	p->fixed_max += p->head_len + SPARE;
	p->containers = xnew_n(struct container_slot, CONTAINER_SLOTS);
	return p;
}

struct json_plan *json_plan_free(struct json_plan *p)
{
	if (!p)
		return NULL;
	for (size_t i = 0; i < CONTAINER_SLOTS; i++)
		free(p->containers[i].json);
	free(p->containers);
	free(p->ops);
	arena_done(&p->arena);
	free(p);
	return NULL;
}

/* ---- running ------------------------------------------------------------------------------- */

/* Both may be touched up to the next multiple of COPY_STEP. */
static inline char *put_literal(char *to, const char *from, size_t len)
{
	size_t at = 0;

	do {
		memcpy(to + at, from + at, COPY_STEP);
		at += COPY_STEP;
	} while (at < len);
	return to + len;
}

static char *put_time(struct json_plan *p, char *to, uint64_t boot_ns, const struct row *row)
{
	const struct clock_base *clock = row_clock(row, &p->clock);
	int64_t real_ns = (int64_t)(boot_ns + (uint64_t)clock->boot_to_real_ns);
	int64_t second = real_ns / 1000000000;
	uint32_t ns = (uint32_t)(real_ns - second * 1000000000);

	if (!boot_ns)
		return memcpy(to, "null", 4) + 4;
	*to++ = '"';
	if (real_ns < 0) { /* before 1970 */
		to = put_rfc3339(to, real_ns);
	} else {
		if (second != p->second) {
			char text[32];

			put_rfc3339(text, real_ns);
			memcpy(p->second_text, text, sizeof(p->second_text));
			p->second = second;
		}
		memcpy(to, p->second_text, sizeof(p->second_text));
		to += sizeof(p->second_text);
		*to++ = (char)('0' + ns / 100000000);
		to = put_padded(to, ns % 100000000, 8);
		*to++ = 'Z';
	}
	*to++ = '"';
	return to;
}

/*
 * A value by the format's functions, with its key; nothing where it is absent or empty and to be
 * skipped.
 */
static void add_other(struct json_plan *p, const struct op *op, const struct row *row,
		      struct buf *out)
{
	const struct format *format = op->field->format;
	_cleanup_(buf_done) struct buf text = {.max = out->max};
	size_t start = out->len, value;
	static const char *const empty[] = {"\"\"", "[]", "{}", "0", "false", ""};

	if (!row_has(row, op->field))
		return;
	buf_add(out, op->key, op->key_len);
	value = out->len;
	if (format->json) {
		format->json(op->field, row, &p->clock, out);
	} else {
		format->text(op->field, row, &p->clock, &text);
		json_quote(out, text.data, text.len);
	}
	for (size_t i = op->skip_empty ? 0 : array_size(empty) - 1; i < array_size(empty); i++)
		if (out->len - value == strlen(empty[i]) &&
		    !memcmp(out->data + value, empty[i], out->len - value)) {
			out->len = start;
			return;
		}
	buf_char(out, ',');
}

/* "NAME_truncated":true, */
static char *put_truncated(char *to, const struct op *op)
{
	static const char rest[] = "_truncated\":true,";

	memcpy(to, op->key, op->key_len - 2); /* without its quote and colon */
	to += op->key_len - 2;
	memcpy(to, rest, sizeof(rest) - 1);
	return to + sizeof(rest) - 1;
}

struct writer {
	struct json_plan *plan;
	const struct row *row;
	struct buf *out;
	uint32_t size[ROW_PARTS]; /* 0 for parts that are missing */
};

/* The operations whose values have no bound of their own; returns NULL where out is full. */
static char *put_long(struct writer *w, const struct op *op, char *to)
{
	bool truncated = false;
	const char *bytes;
	size_t len = 0;

	if (!row_text(w->row, op->field, &bytes, &len, &truncated))
		return to;
	if (op->skip_empty && !len && !truncated)
		return to;
	w->out->len = (size_t)(to - w->out->data);
	if (op->code == CODE_LIST) {
		add_other(w->plan, op, w->row, w->out);
		if (!buf_reserve(w->out, w->plan->fixed_max))
			return NULL;
		to = w->out->data + w->out->len;
	} else {
		if (!buf_reserve(w->out, JSON_QUOTED_MAX(len) + w->plan->fixed_max))
			return NULL;
		to = put_literal(w->out->data + w->out->len, op->key, op->key_len);
		to = json_put_quoted(to, bytes, len);
		*to++ = ',';
	}
	return truncated ? put_truncated(to, op) : to;
}

/* A number with a name, as it was written before or by its format. */
static char *put_named(struct writer *w, const struct op *op, char *to)
{
	uint64_t owners = op->owner && w->row->owners ? w->row->owners->version : 0;
	int64_t value = 0;
	size_t start, slot;

	row_number(w->row, op->field, &value);
	if (op->skip_empty && !value)
		return to;
	slot = ((uint64_t)value * 0x9e3779b97f4a7c15ull) >> 60;
	to = put_literal(to, op->key, op->key_len);
	if (op->named->slot[slot].len && op->named->slot[slot].value == value &&
	    op->named->slot[slot].owners == owners) {
		memcpy(to, op->named->slot[slot].json, NAMED_BYTES);
		return to + op->named->slot[slot].len;
	}
	start = w->out->len = (size_t)(to - w->out->data) - op->key_len;
	add_other(w->plan, op, w->row, w->out);
	if (w->out->len > start) {
		size_t len = w->out->len - start - op->key_len;

		if (len <= NAMED_BYTES) {
			memcpy(op->named->slot[slot].json, w->out->data + start + op->key_len, len);
			op->named->slot[slot].len = (uint32_t)len;
			op->named->slot[slot].value = value;
			op->named->slot[slot].owners = owners;
		}
	}
	if (!buf_reserve(w->out, w->plan->fixed_max))
		return NULL;
	return w->out->data + w->out->len;
}

static char *put_other(struct writer *w, const struct op *op, char *to)
{
	struct labels labels;

	/* Most containers have none: that is quick. */
	if (op->skip_empty && row_labels(w->row, op->field, &labels) && !labels.n)
		return to;
	w->out->len = (size_t)(to - w->out->data);
	add_other(w->plan, op, w->row, w->out);
	return buf_reserve(w->out, w->plan->fixed_max) ? w->out->data + w->out->len : NULL;
}

static inline uint64_t load_unsigned(enum code code, const char *from)
{
	uint64_t value = 0;

	switch (code) {
	case CODE_U1:
		return (unsigned char)*from;
	case CODE_U2: {
		uint16_t small;

		memcpy(&small, from, sizeof(small));
		return small;
	}
	case CODE_U4: {
		uint32_t small;

		memcpy(&small, from, sizeof(small));
		return small;
	}
	default:
		memcpy(&value, from, sizeof(value));
		return value;
	}
}

/* One field with its key; fixed_max bytes are free at `to`. NULL where out is full. */
static inline char *put_value(struct writer *w, const struct op *op, char *to)
{
	const char *from = (const char *)w->row->part[op->part] + op->offset;
	uint64_t number;
	int32_t small;
	size_t len;

	switch (op->code) {
	case CODE_U1:
	case CODE_U2:
	case CODE_U4:
	case CODE_U8:
		number = load_unsigned(op->code, from);
		if (op->skip_empty && !number)
			return to;
		to = put_u64(put_literal(to, op->key, op->key_len), number);
		break;
	case CODE_I4:
		memcpy(&small, from, sizeof(small));
		if (op->skip_empty && !small)
			return to;
		to = put_i64(put_literal(to, op->key, op->key_len), small);
		break;
	case CODE_TIME:
		memcpy(&number, from, sizeof(number));
		if (op->skip_empty && !number)
			return to;
		to = put_time(w->plan, put_literal(to, op->key, op->key_len), number, w->row);
		break;
	case CODE_CHARS:
		len = strnlen(from, op->field->size);
		if (op->skip_empty && !len)
			return to;
		to = json_put_quoted(put_literal(to, op->key, op->key_len), from, len);
		break;
	case CODE_NAMED:
		return put_named(w, op, to);
	case CODE_TEXT:
	case CODE_LIST:
	case CODE_CSTR:
		return put_long(w, op, to);
	default:
		return put_other(w, op, to);
	}
	*to++ = ',';
	return to;
}

static char *put_close(char *to, const struct op *op)
{
	if (to[-1] == '{')
		return to - op->key_len;
	to[-1] = '}';
	*to++ = ',';
	return to;
}

static char *run(struct writer *w, const struct op *op, const struct op *end, char *to)
{
	for (; to && op < end; op++) {
		switch (op->code) {
		case CODE_OPEN_ENDPOINT:
			if (endpoint_absent(op->field, w->row)) {
				op += op->skip - 1;
				break;
			}
			/* fall through */
		case CODE_OPEN:
			to = put_literal(to, op->key, op->key_len);
			break;
		case CODE_CLOSE:
			to = put_close(to, op);
			break;
		default:
			if (op->end <= w->size[op->part])
				to = put_value(w, op, to);
		}
	}
	return to;
}

/* The container's members, remembered by the version of its contents. */
static char *put_container(struct writer *w, char *to)
{
	struct json_plan *p = w->plan;
	uint64_t version = w->row->container_version;
	struct container_slot *slot = &p->containers[(version * 0x9e3779b97f4a7c15ull) >> 56];
	size_t start = (size_t)(to - w->out->data), len;

	if (!w->size[PART_CONTAINER])
		return to;
	if (version && slot->version == version) {
		w->out->len = start;
		if (!buf_reserve(w->out, slot->len + p->fixed_max))
			return NULL;
		return put_literal(w->out->data + start, slot->json, slot->len);
	}
	to = run(w, p->ops, p->ops + p->n_container_ops, to);
	if (!to || !version)
		return to;
	len = (size_t)(to - w->out->data) - start;
	if (slot->room < len + COPY_STEP) {
		slot->room = (uint32_t)(len + COPY_STEP);
		slot->json = xrealloc(slot->json, slot->room, 1);
	}
	memcpy(slot->json, w->out->data + start, len);
	slot->len = (uint32_t)len;
	slot->version = version;
	return to;
}

bool json_plan_row(struct json_plan *p, const struct row *row, bool late, struct buf *out)
{
	struct writer w = {.plan = p, .row = row, .out = out};
	size_t start = out->len;
	char *to;

	for (int i = 0; i < ROW_PARTS; i++)
		w.size[i] = row->part[i] ? row->size[i] : 0;
	if (!buf_reserve(out, p->fixed_max))
		return false;
	to = put_literal(out->data + start, p->head, p->head_len);
	to = put_container(&w, to);
	if (to)
		to = run(&w, p->ops + p->n_container_ops, p->ops + p->n_ops, to);
	if (!to || out->failed) {
		out->len = start;
		out->data[start] = '\0';
		return false;
	}
	if (late)
		to = memcpy(to, "\"late\":true,", 12) + 12;
	if (to[-1] == ',')
		to[-1] = '}';
	else
		*to++ = '}';
	*to = '\0';
	out->len = (size_t)(to - out->data);
	return true;
}
