// SPDX-License-Identifier: Apache-2.0
#include "traceloop/syscalls.h"

#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "traceloop/kinds.h"

/* {kind, "name"} or {kind, "name", "of"} */
#define _(kind, ...) {ARG_##kind, THIRD(__VA_ARGS__, NAME_OF, NAME, )(__VA_ARGS__)},
#define THIRD(a, b, c, ...) c
#define NAME_OF(name, of) #name, #of
#define NAME(name) #name, NULL
#ifdef __x86_64__
#define CALL(x86, arm, name, ...) [x86] = {#name, {__VA_ARGS__}},
#define X86(nr, name, ...) [nr] = {#name, {__VA_ARGS__}},
#define ARM(nr, name, ...)
#else
#define CALL(x86, arm, name, ...) [arm] = {#name, {__VA_ARGS__}},
#define X86(nr, name, ...)
#define ARM(nr, name, ...) [nr] = {#name, {__VA_ARGS__}},
#endif
static const struct syscall table[] = {
#include "traceloop/syscalls.def"
};

/* ---- look-ups ---------------------------------------------------------------------- */

const struct syscall *syscall_find(int32_t nr)
{
	return nr >= 0 && (size_t)nr < array_size(table) && table[nr].name ? &table[nr] : NULL;
}

int syscall_number(const char *name)
{
	for (size_t i = 0; i < array_size(table); i++)
		if (str_equal(table[i].name, name))
			return (int)i;
	return -1;
}

unsigned int syscall_n_args(const struct syscall *s)
{
	unsigned int n = 0;

	while (n < LOOP_ARGS && s->args[n].name)
		n++;
	return n;
}

/* ---- the plan ---------------------------------------------------------------------- */

static unsigned int arg_named(const struct syscall *s, const char *name)
{
	unsigned int i = 0;

	while (i < LOOP_ARGS - 1 && !str_equal(s->args[i].name, name))
		i++;
	return i;
}

/* Where what another argument counts is given back, that one points to the number. */
static uint8_t count_of(const struct syscall *s, const struct arg *a)
{
	unsigned int i = arg_named(s, a->of);
	bool pointer = s->args[i].kind == ARG_int_out;

	return (uint8_t)((pointer ? LOOP_OF_POINTER : LOOP_OF_ARG) + i);
}

static void plan_probe(const struct syscall *s, unsigned int i, struct loop_call *c)
{
	const struct keep *k = &kinds[s->args[i].kind].keep;

	if (!k->kind || c->n_probes == LOOP_PARTS)
		return;
	c->executes |= k->kind == LOOP_PROBE_EXEC;
	c->probes[c->n_probes++] = (struct loop_probe){
		.kind = k->kind,
		.arg = (uint8_t)i,
		.of = k->of == KEEP_OF_ARG ? count_of(s, &s->args[i]) : k->of,
		.at_exit = k->at_exit,
		.unit = k->unit,
		.max = k->max,
	};
}

static void plan_call(const struct syscall *s, bool kept, struct loop_call *ret)
{
	*ret = (struct loop_call){.kept = kept, .n_args = LOOP_ARGS};
	if (!s)
		return;
	ret->n_args = (uint8_t)syscall_n_args(s);
	for (unsigned int i = 0; i < ret->n_args; i++)
		plan_probe(s, i, ret);
}

int syscall_plan(const char *only, struct loop_call *ret, struct err *err)
{
	_cleanup_(freep) char **words = NULL;
	size_t n = split(only ?: "", ',', false, &words);

	for (int32_t i = 0; i <= LOOP_CALLS; i++)
		plan_call(i < LOOP_CALLS ? syscall_find(i) : NULL, !n, &ret[i]);
	for (size_t i = 0; i < n; i++) {
		int nr = syscall_number(words[i]);

		if (nr < 0)
			return err_set(err, -EINVAL, "no system call '%s'", words[i]);
		ret[nr].kept = 1;
	}
	return 0;
}
