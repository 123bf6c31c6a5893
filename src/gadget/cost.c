// SPDX-License-Identifier: Apache-2.0
#include "gadget/cost.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/parse.h"

void program_runtime_add(int program_fd, struct gadget_runtime *sum)
{
	struct bpf_prog_info info = {};
	uint32_t size = sizeof(info);

	if (bpf_obj_get_info_by_fd(program_fd, &info, &size))
		return;
	sum->ns += info.run_time_ns;
	sum->runs += info.run_cnt;
}

/* The line "memlock:<tab>BYTES" of a map's fdinfo. */
uint64_t map_bytes(int map_fd)
{
	static const char label[] = "memlock:\t";
	_cleanup_(buf_done) struct buf b = {.max = 4096};
	uint64_t bytes = 0;
	char path[40], *at;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", map_fd);
	if (buf_read_file(&b, AT_FDCWD, path))
		return 0;
	buf_cstr(&b);
	at = strstr(b.data, label);
	if (!at)
		return 0;
	at += strlen(label);
	at[strcspn(at, "\n")] = '\0';
	return parse_u64(at, &bytes) ? 0 : bytes;
}
