// SPDX-License-Identifier: Apache-2.0
/*
 * For tests: commands of the call bpf(), as a program would give them that makes a map, loads a
 * program, attaches it and looks at both; then some that fail. With the word "fail": only those
 * that a process without privileges is refused.
 */
#define _GNU_SOURCE
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int bpf(enum bpf_cmd cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
	return result;
}

static int make_map(void)
{
	union bpf_attr attr = {.map_type = BPF_MAP_TYPE_HASH,
			       .key_size = 4,
			       .value_size = 8,
			       .max_entries = 77,
			       .map_name = "my_map"};

	return bpf(BPF_MAP_CREATE, &attr);
}

/* It does nothing: r0 = 0; exit. */
static int load_program(enum bpf_prog_type type, enum bpf_attach_type hook, const char *name)
{
	static const struct bpf_insn nothing[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K},
						  {.code = BPF_JMP | BPF_EXIT}};
	union bpf_attr attr = {.prog_type = type,
			       .expected_attach_type = hook,
			       .insns = (uintptr_t)nothing,
			       .insn_cnt = 2,
			       .license = (uintptr_t) "GPL"};

	memcpy(attr.prog_name, name, strlen(name));
	return bpf(BPF_PROG_LOAD, &attr);
}

static void elements(int map)
{
	uint32_t key = 1;
	uint64_t value = 2;
	union bpf_attr attr = {
		.map_fd = (uint32_t)map, .key = (uintptr_t)&key, .value = (uintptr_t)&value};

	must(bpf(BPF_MAP_UPDATE_ELEM, &attr), "update");
	must(bpf(BPF_MAP_LOOKUP_ELEM, &attr), "look up");
}

static void attach(int program)
{
	union bpf_attr attr = {.raw_tracepoint = {.name = (uintptr_t) "sched_process_exit",
						  .prog_fd = (uint32_t)program}};
	union bpf_attr wrong = {.attach_bpf_fd = (uint32_t)program,
				.target_fd = 0,
				.attach_type = BPF_CGROUP_DEVICE};

	must(bpf(BPF_RAW_TRACEPOINT_OPEN, &attr), "raw tracepoint");
	if (!bpf(BPF_PROG_ATTACH, &wrong))
		exit(1);
}

static void paths(int map)
{
	static char long_path[5000];
	union bpf_attr pin = {.pathname = (uintptr_t) "/tmp/no\033bpffs", .bpf_fd = (uint32_t)map};
	union bpf_attr get = {.pathname = (uintptr_t)long_path};

	memset(long_path, 'p', sizeof(long_path) - 1);
	if (!bpf(BPF_OBJ_PIN, &pin) || bpf(BPF_OBJ_GET, &get) >= 0)
		exit(1);
}

static void look(int map)
{
	char info[256] = {};
	union bpf_attr attr = {.info = {.bpf_fd = (uint32_t)map,
					.info = (uintptr_t)info,
					.info_len = sizeof(info)}};
	union bpf_attr nobody = {.prog_id = 0x7ffffff0};

	must(bpf(BPF_OBJ_GET_INFO_BY_FD, &attr), "info");
	if (bpf(BPF_PROG_GET_FD_BY_ID, &nobody) >= 0)
		exit(1);
}

int main(int argc, char **argv)
{
	int map = make_map();

	if (argc > 1)
		return load_program(BPF_PROG_TYPE_KPROBE, 0, "refused") >= 0;
	must(map, "map");
	elements(map);
	look(map);
	paths(map);
	must(load_program(BPF_PROG_TYPE_CGROUP_SOCK, BPF_CGROUP_INET4_POST_BIND, "of_hook"),
	     "load");
	attach(must(load_program(BPF_PROG_TYPE_RAW_TRACEPOINT, 0, "my_prog"), "load"));
	return 0;
}
