// SPDX-License-Identifier: Apache-2.0
/* System calls and capabilities: their names, and fields that hold them. */
#include "columns/kernel_names.h"

#include <ctype.h>
#include <errno.h>
#include <seccomp.h>
#include <string.h>
#include <sys/capability.h>

#include "base/mem.h"
#include "base/parse.h"
#include "columns/format_internal.h"

enum { CAPABILITIES = 64 };

/* libseccomp numbers its architectures as the kernel's audit does. */
void syscall_name(g_syscall call, struct buf *out)
{
	_cleanup_(freep) char *name = NULL;

	if (call == G_NO_SYSCALL)
		return;
	name = seccomp_syscall_resolve_num_arch((uint32_t)(call >> 32), (int)(uint32_t)call);
	if (name)
		buf_str(out, name);
	else
		buf_u64(out, (uint32_t)call);
}

/* Names of calls that only other architectures have stand for negative numbers. */
g_syscall syscall_named(const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	return number < 0 ? G_NO_SYSCALL
			  : (g_syscall)seccomp_arch_native() << 32 | (uint32_t)number;
}

void capability_name(uint32_t capability, struct buf *out)
{
	char *name = capability < CAPABILITIES ? cap_to_name((cap_value_t)capability) : NULL;

	if (!name || !str_starts(name, "cap_")) {
		buf_u64(out, capability);
	} else {
		for (const char *c = name; *c; c++)
			buf_char(out, (char)toupper((unsigned char)*c));
	}
	cap_free(name);
}

int capability_named(const char *name)
{
	_cleanup_(freep) char *full =
		xasprintf("%s%s", strncasecmp(name, "cap_", 4) ? "cap_" : "", name);
	cap_value_t value;

	return cap_from_name(full, &value) ? -EINVAL : (int)value;
}

/* ---- fields -------------------------------------------------------------------------------- */

void syscall_text(FORMAT_ARGS)
{
	int64_t value;

	if (row_number(row, f, &value))
		syscall_name((g_syscall)value, out);
}

int syscall_parse(const struct field *f, const char *word, int64_t *ret)
{
	g_syscall call = *word ? syscall_named(word) : G_NO_SYSCALL;

	if (*word && call == G_NO_SYSCALL)
		return -EINVAL;
	*ret = (int64_t)call;
	return 0;
}

void capability_text(FORMAT_ARGS)
{
	int64_t value;

	if (row_number(row, f, &value))
		capability_name((uint32_t)value, out);
}

int capability_parse(const struct field *f, const char *word, int64_t *ret)
{
	int value = capability_named(word);

	if (value < 0)
		return value;
	*ret = value;
	return 0;
}

void capability_set_text(FORMAT_ARGS)
{
	bool first = true;
	int64_t value;

	if (!row_number(row, f, &value))
		return;
	for (uint32_t i = 0; i < CAPABILITIES; i++) {
		if (!((uint64_t)value >> i & 1))
			continue;
		if (!first)
			buf_char(out, '|');
		capability_name(i, out);
		first = false;
	}
}

int capability_set_parse(const struct field *f, const char *word, int64_t *ret)
{
	_cleanup_(freep) char **words = NULL;
	size_t n = split(word, '|', false, &words);
	uint64_t all = 0;

	for (size_t i = 0; *word && i < n; i++) {
		int value = capability_named(words[i]);

		if (value < 0)
			return value;
		all |= 1ull << value;
	}
	*ret = (int64_t)all;
	return 0;
}
