/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0) */
/*
 * For iterators over BPF programs: the host fills g_programs before each look, and has the kernel
 * count run times as long as the gadget is loaded.
 */
#pragma once

#include <gadget/gadget.bpf.h>

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u32); /* the program's id */
	__type(value, struct g_program);
} g_programs SEC(".maps");
