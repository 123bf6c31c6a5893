/* SPDX-License-Identifier: Apache-2.0 */
/* Rows with stacks, made by hand, for what adds them up. */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "columns/schema.h"
#include "columns/types.h"

struct stack_row {
	g_pid pid;
	g_comm comm;
	__u64 samples, cpu;
	g_args user, kernel, files;
	char tail[4096];
};

#define STACK_FIELD(member, type_, kind_, ...)                               \
	{                                                                    \
		.name = #member, .type = type_, .kind = kind_,               \
		.offset = offsetof(struct stack_row, member),                \
		.size = sizeof(((struct stack_row *)0)->member), __VA_ARGS__ \
	}

static struct schema *stack_schema(void)
{
	static const struct field fields[] = {
		STACK_FIELD(pid, "g_pid", KIND_UINT, .flags = FIELD_KEY),
		STACK_FIELD(comm, "g_comm", KIND_CHARS, .flags = FIELD_KEY),
		STACK_FIELD(user, "g_ustack_id", KIND_LIST, .flags = FIELD_KEY),
		STACK_FIELD(kernel, "g_kstack_id", KIND_LIST, .flags = FIELD_KEY),
		STACK_FIELD(samples, "__u64", KIND_UINT),
		STACK_FIELD(cpu, "g_duration", KIND_UINT),
		STACK_FIELD(files, "g_ustack_files", KIND_LIST),
	};
	struct schema *s = schema_new("gadget", "source", offsetof(struct stack_row, tail));

	if (schema_add_table(s, fields, array_size(fields), NULL) || schema_finish(s, NULL))
		abort();
	return s;
}

/* Frames as a literal with a NUL between them: innermost first. */
static uint32_t stack_put(struct stack_row *r, uint32_t size, g_args *to, const char *frames,
			  size_t len)
{
	*to = (g_args){size, (uint32_t)len};
	memcpy((char *)r + size, frames, len);
	return size + (uint32_t)len;
}

/* A row of these; what is returned is its size. */
#define STACK_ROW(r, comm_, samples_, user_, kernel_, files_)                                     \
	({                                                                                        \
		uint32_t size_ = offsetof(struct stack_row, tail);                                \
                                                                                                  \
		*(r) = (struct stack_row){.pid = 7, .samples = (samples_), .cpu = (samples_)*10}; \
		snprintf((r)->comm, sizeof((r)->comm), "%s", comm_);                              \
		size_ = stack_put(r, size_, &(r)->user, user_, sizeof(user_));                    \
		size_ = stack_put(r, size_, &(r)->kernel, kernel_, sizeof(kernel_));              \
		stack_put(r, size_, &(r)->files, files_, sizeof(files_));                         \
	})
