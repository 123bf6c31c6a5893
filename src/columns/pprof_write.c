// SPDX-License-Identifier: Apache-2.0
#include "columns/pprof_internal.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "base/limits.h"
#include "base/mem.h"
#include "columns/profile.pb-c.h"

/* A message of array a's, and the array of pointers to them that protobuf-c wants. */
#define MESSAGES(arena_, message, n_, init, ret_all, ret_list)                        \
	do {                                                                          \
		size_t count_ = (n_);                                                 \
                                                                                      \
		(ret_all) = arena_alloc(arena_, (count_ + 1) * sizeof(*(ret_all)));   \
		(ret_list) = arena_alloc(arena_, (count_ + 1) * sizeof(*(ret_list))); \
		for (size_t i_ = 0; i_ < count_; i_++) {                              \
			(ret_all)[i_] = (message)init;                                \
			(ret_list)[i_] = &(ret_all)[i_];                              \
		}                                                                     \
	} while (0)

static void write_strings(struct pprof *p, struct arena *a, Profile__Profile *to)
{
	to->n_string_table = p->strings.n;
	to->string_table = arena_alloc(a, p->strings.n * sizeof(char *));
	for (size_t i = 0; i < p->strings.n; i++) {
		const struct interned *s = p->strings.items[i];
		char *text = arena_alloc(a, s->len + 1);

		memcpy(text, s->bytes, s->len);
		text[s->len] = '\0';
		to->string_table[i] = text;
	}
}

static void write_types(const struct pprof *p, struct arena *a, Profile__Profile *to)
{
	Profile__ValueType *types;

	to->n_sample_type = p->n_types;
	MESSAGES(a, Profile__ValueType, p->n_types, PROFILE__VALUE_TYPE__INIT, types,
		 to->sample_type);
	for (size_t i = 0; i < p->n_types; i++) {
		types[i].type = p->types[i].name;
		types[i].unit = p->types[i].unit;
	}
}

static void write_files(const struct pprof *p, struct arena *a, Profile__Profile *to)
{
	Profile__Mapping *files;

	to->n_mapping = p->files.n;
	MESSAGES(a, Profile__Mapping, p->files.n, PROFILE__MAPPING__INIT, files, to->mapping);
	for (size_t i = 0; i < p->files.n; i++) {
		const struct pprof_file *from = (const void *)p->files.items[i]->bytes;

		files[i].id = i + 1;
		files[i].memory_limit = INT64_MAX;
		files[i].filename = from->path;
		files[i].build_id = from->build_id;
	}
}

static void write_functions(const struct pprof *p, struct arena *a, Profile__Profile *to)
{
	Profile__Function *functions;

	to->n_function = p->functions.n;
	MESSAGES(a, Profile__Function, p->functions.n, PROFILE__FUNCTION__INIT, functions,
		 to->function);
	for (size_t i = 0; i < p->functions.n; i++) {
		const struct pprof_function *from = (const void *)p->functions.items[i]->bytes;

		functions[i].id = i + 1;
		functions[i].name = functions[i].system_name = from->name;
		functions[i].filename = from->file;
	}
}

/* After the files: those of which a function is known say so. */
static void write_places(const struct pprof *p, struct arena *a, Profile__Profile *to)
{
	Profile__Location *places;
	Profile__Line *lines, **list;

	to->n_location = p->places.n;
	MESSAGES(a, Profile__Location, p->places.n, PROFILE__LOCATION__INIT, places, to->location);
	MESSAGES(a, Profile__Line, p->places.n, PROFILE__LINE__INIT, lines, list);
	for (size_t i = 0; i < p->places.n; i++) {
		const struct pprof_place *from = (const void *)p->places.items[i]->bytes;

		places[i].id = i + 1;
		places[i].mapping_id = from->file;
		places[i].address = from->address;
		if (!from->function)
			continue;
		lines[i].function_id = from->function;
		places[i].n_line = 1;
		places[i].line = &list[i];
		if (from->file)
			to->mapping[from->file - 1]->has_functions = true;
	}
}

static void add_label(struct arena *a, Profile__Sample *to, int64_t key, int64_t text,
		      int64_t number)
{
	Profile__Label *label;

	if (!text && !number)
		return;
	label = arena_alloc(a, sizeof(*label));
	*label = (Profile__Label)PROFILE__LABEL__INIT;
	label->key = key;
	label->str = text;
	label->num = number;
	to->label[to->n_label++] = label;
}

enum { CONTAINER, POD, NAMESPACE, NODE, COMM, PID, N_LABELS };

static void write_sample(const struct pprof *p, struct arena *a, size_t i, const int64_t *keys,
			 Profile__Sample *to)
{
	const struct pprof_sample *from = (const void *)p->samples.items[i]->bytes;

	to->n_value = p->n_types;
	to->value = p->sums[i].of;
	to->n_location_id = from->n_places;
	to->location_id = arena_alloc(a, (from->n_places + 1) * sizeof(uint64_t));
	for (size_t k = 0; k < from->n_places; k++)
		to->location_id[k] = from->places[from->n_places - 1 - k];
	to->label = arena_alloc(a, N_LABELS * sizeof(*to->label));
	add_label(a, to, keys[CONTAINER], from->container, 0);
	add_label(a, to, keys[POD], from->pod, 0);
	add_label(a, to, keys[NAMESPACE], from->namespace, 0);
	add_label(a, to, keys[NODE], from->node, 0);
	add_label(a, to, keys[COMM], from->comm, 0);
	add_label(a, to, keys[PID], 0, from->pid);
}

static void write_samples(const struct pprof *p, struct arena *a, const int64_t *keys,
			  Profile__Profile *to)
{
	Profile__Sample *samples;

	to->n_sample = p->samples.n;
	MESSAGES(a, Profile__Sample, p->samples.n, PROFILE__SAMPLE__INIT, samples, to->sample);
	for (size_t i = 0; i < p->samples.n; i++)
		write_sample(p, a, i, keys, &samples[i]);
}

/* Where the last kind of value is a time and the first one how often: the time of each. */
static void write_period(struct pprof *p, Profile__ValueType *type, Profile__Profile *to)
{
	int64_t ns = pprof_string(p, "nanoseconds", 11), count = pprof_string(p, "count", 5);
	unsigned int last = p->n_types - 1;
	__int128_t times = 0, all = 0;

	if (!last || p->types[last].unit != ns || p->types[0].unit != count)
		return;
	for (size_t i = 0; i < p->samples.n; i++) {
		times += p->sums[i].of[0];
		all += p->sums[i].of[last];
	}
	*type = (Profile__ValueType)PROFILE__VALUE_TYPE__INIT;
	type->type = p->types[last].name;
	type->unit = ns;
	to->period_type = type;
	to->period = times > 0 ? (int64_t)(all / times) : 0;
}

static int zip(const unsigned char *bytes, size_t len, struct buf *out)
{
	z_stream z = {.next_in = (unsigned char *)bytes, .avail_in = (uInt)len};
	size_t most;
	int r;

	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	most = deflateBound(&z, len);
	if (!buf_reserve(out, most)) {
		deflateEnd(&z);
		return -ENOMEM;
	}
	z.next_out = (unsigned char *)out->data + out->len;
	z.avail_out = (uInt)most;
	r = deflate(&z, Z_FINISH);
	out->len += most - z.avail_out;
	out->data[out->len] = '\0';
	deflateEnd(&z);
	return r == Z_STREAM_END ? 0 : -EIO;
}

static void arenap(struct arena *a)
{
	arena_done(a);
}

int pprof_write(struct pprof *p, struct buf *out)
{
	static const char *const names[] = {"container", "pod", "namespace", "node", "comm", "pid"};
	_cleanup_(arenap) struct arena a = {0};
	_cleanup_(freep) unsigned char *bytes = NULL;
	Profile__Profile profile = PROFILE__PROFILE__INIT;
	Profile__ValueType period;
	int64_t keys[N_LABELS];
	size_t len;

	for (size_t i = 0; i < N_LABELS; i++)
		keys[i] = pprof_string(p, names[i], strlen(names[i]));
	write_types(p, &a, &profile);
	write_files(p, &a, &profile);
	write_functions(p, &a, &profile);
	write_places(p, &a, &profile);
	write_samples(p, &a, keys, &profile);
	if (p->n_types)
		write_period(p, &period, &profile);
	write_strings(p, &a, &profile); /* the last: all of them are there now */
	len = profile__profile__get_packed_size(&profile);
	if (len > MAX_HELD_BYTES)
		return -ENOMEM;
	bytes = xcalloc(1, len + 1);
	profile__profile__pack(&profile, bytes);
	return zip(bytes, len, out);
}
