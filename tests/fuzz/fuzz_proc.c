// SPDX-License-Identifier: Apache-2.0
/* Files of /proc, and ids out of cgroups' names. The first byte chooses which. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"
#include "containers/addresses.h"
#include "containers/cmdline.h"
#include "containers/identify.h"
#include "containers/proc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_addresses(const char *text, void (*parse)(const char *, struct address_list *))
{
	struct address_list list = {0};

	parse(text, &list);
	free(list.items);
}

/* Files that are read as lines; `|` parts the process's from its parent's. */
static void fuzz_lines(char kind, char *text)
{
	char *other = strchr(text, '|');
	uint64_t inum;

	if (other)
		*other++ = '\0';
	switch (kind) {
	case '2':
		free(proc_parse_cgroup2(text));
		free(proc_parse_cgroup1(text, other ?: ""));
		break;
	case '3':
		free(proc_parse_cgroup2_mount(text));
		break;
	case '4':
		proc_parse_namespace(text, &inum);
		break;
	case '7':
		fuzz_addresses(text, addresses_parse_fib_trie);
		break;
	case '8':
		fuzz_addresses(text, addresses_parse_if_inet6);
		break;
	case '5':
		free(identify_id(text));
		free(identify_top(text));
		identify_runtime(text);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data + 1;
	_cleanup_(freep) char *copy = NULL;
	struct proc_nspid pids;
	struct proc_stat stat;
	struct cmdline line;

	if (!size)
		return 0;
	if (data[0] == '0')
		proc_parse_stat(text, size - 1, &stat);
	if (data[0] == '1')
		proc_parse_nspid(text, size - 1, &pids);
	if (data[0] == '6' && cmdline_parse(text, size - 1, &line) && line.root)
		free(xstrdup(line.root));
	copy = xstrndup(text, size - 1);
	fuzz_lines((char)data[0], copy);
	return 0;
}
