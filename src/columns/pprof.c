// SPDX-License-Identifier: Apache-2.0
/* Rows become numbers of strings, files, functions, places and samples here; pprof_write.c packs
 * them. */
#include "columns/pprof.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "columns/format.h"
#include "columns/pprof_internal.h"

struct pprof *pprof_new(void)
{
	struct pprof *p = xnew(struct pprof);

	buf_init(&p->text, MAX_RECORD_BYTES + 2 * MAX_STACK_BYTES);
	intern(&p->strings, &p->arena, "", 0);
	return p;
}

struct pprof *pprof_free(struct pprof *p)
{
	if (!p)
		return NULL;
	intern_done(&p->strings);
	intern_done(&p->files);
	intern_done(&p->functions);
	intern_done(&p->places);
	intern_done(&p->samples);
	free(p->sums);
	arena_done(&p->arena);
	buf_done(&p->text);
	free(p);
	return NULL;
}

/* ---- which fields --------------------------------------------------------------------------- */

static const char *unit_of(const struct field *f)
{
	if (f && f->type && !strcmp(f->type, "g_duration"))
		return "nanoseconds";
	return f && f->type && !strcmp(f->type, "g_bytes") ? "bytes" : "count";
}

/* The same kind of value in several gadgets is one. */
static int add_value(struct pprof *p, const struct field *f, struct pprof_plan *to)
{
	const char *name = f ? f->name : "rows", *unit = unit_of(f);
	struct pprof_type type = {pprof_string(p, name, strlen(name)),
				  pprof_string(p, unit, strlen(unit))};
	unsigned int i = 0;

	while (i < p->n_types && memcmp(&p->types[i], &type, sizeof(type)) != 0)
		i++;
	if (i == PPROF_VALUES || to->n_values == PPROF_VALUES)
		return -E2BIG;
	if (i == p->n_types)
		p->types[p->n_types++] = type;
	to->values[to->n_values] = f;
	to->types[to->n_values++] = i;
	return 0;
}

static bool adds_up(const struct field *f)
{
	return stack_is_number(f) && !(f->flags & (FIELD_KEY | FIELD_INTERNAL)) && !f->format->date;
}

static int add_values(struct pprof *p, const struct schema *s, bool table, struct pprof_plan *to)
{
	int r = 0;

	for (size_t i = 0; table && !r && i < s->n_fields; i++)
		if (adds_up(&s->fields[i]))
			r = add_value(p, &s->fields[i], to);
	return to->n_values ? r : add_value(p, NULL, to);
}

int pprof_plan(struct pprof *p, const struct schema *s, bool table, const char *value,
	       struct pprof_plan *ret, struct err *err)
{
	struct pprof_plan plan = {0};
	const struct field *f;
	int r;

	if (!stack_fields_find(s, &plan.fields))
		return err_set(err, -ENOENT, "%s tells no stacks", s->gadget ?: s->name);
	if (value) {
		f = schema_require(s, value, err);
		if (!f)
			return -ENOENT;
		if (!stack_is_number(f))
			return err_set(err, -EINVAL, "--value: %s is no number", f->name);
		r = add_value(p, f, &plan);
	} else {
		r = add_values(p, s, table, &plan);
	}
	if (r)
		return err_set(err, r, "-o pprof: more than %d kinds of values", PPROF_VALUES);
	*ret = plan;
	return 0;
}

/* ---- rows ----------------------------------------------------------------------------------- */

/* Names come from outside: what is no text is escaped as it is for people. */
int64_t pprof_string(struct pprof *p, const char *s, size_t len)
{
	buf_clear(&p->text);
	escape_text(&p->text, s, len);
	return (int64_t)intern(&p->strings, &p->arena, buf_cstr(&p->text), p->text.len)->number;
}

static int64_t string_of(struct pprof *p, struct stack_text t)
{
	return pprof_string(p, t.s, t.len);
}

/* The row's list of "BUILDID path" tells the build id of a file. */
static struct stack_text build_id_of(const struct stack_text *files, struct stack_text path)
{
	static const char unknown[] = "build-id:"; /* a file that was never met */
	size_t n = sizeof(unknown) - 1;

	if (path.len > n && !memcmp(path.s, unknown, n))
		return (struct stack_text){path.s + n, path.len - n};
	for (const char *at = files->s, *end = at + files->len; at < end;) {
		size_t len = strnlen(at, (size_t)(end - at));
		const char *space = memchr(at, ' ', len);

		if (space && (size_t)(at + len - space - 1) == path.len &&
		    !memcmp(space + 1, path.s, path.len))
			return (struct stack_text){at, (size_t)(space - at)};
		at += len + 1;
	}
	return (struct stack_text){"", 0};
}

/* Ids count from 1; 0 is none. */
static uint64_t file_id(struct pprof *p, const struct stack_text *files, struct stack_text path)
{
	struct pprof_file file;

	if (!path.len)
		return 0;
	file = (struct pprof_file){string_of(p, path), string_of(p, build_id_of(files, path))};
	return intern(&p->files, &p->arena, &file, sizeof(file))->number + 1;
}

struct adding {
	struct pprof *p;
	struct stack_text files;
	struct pprof_sample *sample;
};

static void add_place(void *ctx, const struct stack_frame *f)
{
	static const struct stack_text kernel = {"[kernel.kallsyms]", 17}, unknown = {"[…]", 5};
	struct adding *a = ctx;
	struct stack_text file = f->kernel && !f->file.len ? kernel : f->file;
	struct stack_text function = f->cut ? unknown : f->function;
	struct pprof_place place = {.file = file_id(a->p, &a->files, file), .address = f->place};

	if (a->sample->n_places == PPROF_PLACES)
		return;
	if (function.len) {
		struct pprof_function id = {string_of(a->p, function), string_of(a->p, file)};

		place.function =
			intern(&a->p->functions, &a->p->arena, &id, sizeof(id))->number + 1;
	}
	a->sample->places[a->sample->n_places++] =
		intern(&a->p->places, &a->p->arena, &place, sizeof(place))->number + 1;
}

static void set_labels(struct pprof *p, const struct stack_fields *f, const struct row *row,
		       struct pprof_sample *to)
{
	struct stack_text k8s = stack_field_text(row, f->k8s_container);

	to->container = string_of(p, k8s.len ? k8s : stack_field_text(row, f->container));
	to->pod = string_of(p, stack_field_text(row, f->pod));
	to->namespace = string_of(p, stack_field_text(row, f->namespace));
	to->node = string_of(p, stack_field_text(row, f->node));
	to->comm = string_of(p, stack_field_text(row, f->comm));
	if (f->pid)
		row_number(row, f->pid, &to->pid);
}

static int64_t added(int64_t sum, int64_t value)
{
	if (__builtin_add_overflow(sum, value, &sum))
		return value > 0 ? INT64_MAX : INT64_MIN;
	return sum;
}

bool pprof_add(struct pprof *p, const struct pprof_plan *plan, const struct row *row)
{
	struct pprof_sample sample = {0};
	struct adding a = {p, stack_field_text(row, plan->fields.files), &sample};
	size_t bytes = offsetof(struct pprof_sample, places), number;

	if (p->arena.bytes > MAX_FOLDED_BYTES) {
		p->refused++;
		return false;
	}
	set_labels(p, &plan->fields, row, &sample);
	stack_each_frame(&plan->fields, row, add_place, &a);
	bytes += sample.n_places * sizeof(sample.places[0]);
	number = intern(&p->samples, &p->arena, &sample, bytes)->number;
	grow_to(&p->sums, &p->n_sums, p->samples.n);
	for (size_t i = 0; i < plan->n_values; i++) {
		int64_t value = 1, *sum = &p->sums[number].of[plan->types[i]];

		if (plan->values[i] && !row_number(row, plan->values[i], &value))
			value = 0;
		*sum = added(*sum, value);
	}
	return true;
}

uint64_t pprof_refused(const struct pprof *p)
{
	return p->refused;
}
