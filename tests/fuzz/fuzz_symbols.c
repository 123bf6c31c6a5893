// SPDX-License-Identifier: Apache-2.0
/*
 * What symbols/ reads from outside. The first byte chooses: `e` an ELF file, `m` a process's map,
 * `t` its stat, `s` a user stack (of processes that do not exist).
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"
#include "symbols/elf.h"
#include "symbols/maps.h"
#include "symbols/symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_elf(const uint8_t *data, size_t size)
{
	static const char *const names[] = {"main", "open", "malloc"};
	struct elf_input in = {.fd = -1, .bytes = data, .size = size};
	uint64_t places[array_size(names)];
	volatile char last;
	uint64_t distance;
	struct elf *e;

	if (elf_places(&in, names, array_size(names), places) > array_size(names))
		abort();
	if (elf_new(&in, &e))
		return;
	for (uint64_t offset = 0; offset < size; offset += 1 + size / 64) {
		const char *name = elf_function(e, offset, &distance);

		if (name)
			last = name[strlen(name)];
	}
	elf_function(e, UINT64_MAX, &distance);
	if (elf_build_id(e))
		last = (char)elf_build_id(e)[ELF_BUILD_ID_BYTES - 1];
	(void)last;
	elf_free(e);
}

static void fuzz_maps(const char *text, size_t size)
{
	struct maps m;

	maps_parse(xstrndup(text, size), &m);
	for (size_t i = 0; i < m.n; i++)
		if (maps_find(&m, m.items[i].start) != &m.items[i] ||
		    maps_find(&m, m.items[i].end - 1) != &m.items[i])
			abort();
	maps_done(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *copy = NULL;
	static struct symbols *symbols;
	struct buf out;

	if (!size)
		return 0;
	if (!symbols) /* no process is found there */
		symbols = symbols_new(open("/dev/null", O_RDONLY | O_CLOEXEC));
	switch (*data) {
	case 'e':
		fuzz_elf(data + 1, size - 1);
		break;
	case 'm':
		fuzz_maps((const char *)data + 1, size - 1);
		break;
	case 't':
		copy = xstrndup((const char *)data + 1, size - 1);
		maps_start_stack(copy);
		break;
	case 's':
		buf_init(&out, MAX_STACK_BYTES);
		symbols_stack(symbols, data + 1, size - 1, &out);
		buf_done(&out);
		break;
	}
	return 0;
}
