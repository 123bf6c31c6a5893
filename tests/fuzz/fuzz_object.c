// SPDX-License-Identifier: Apache-2.0
/*
 * Any bytes as a gadget's object: the validator and, behind it, the description must neither crash
 * nor read outside. With WITH_LIBBPF in the environment, what the validator lets through is opened
 * by libbpf as well, in this process: what crashes there is left to the child process (sandbox.c),
 * and tells where the validator may be made stricter.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "base/err.h"
#include "gadget/gadget.h"
#include "gadget/internal.h"

static int silent(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return 0;
}

static void set_some(struct gadget *g)
{
	static const char *const values[] = { "1", "-1", "true", "10ms", "text", "" };

	for (size_t i = 0; i < gadget_n_params(g); i++)
		for (size_t v = 0; v < sizeof(values) / sizeof(values[0]); v++)
			gadget_set(g, gadget_param(g, i)->name, values[v], NULL);
}

/*
 * An object is tables of words: ids, offsets, sizes. Half of the mutations change one word to a
 * likely one, which plain flips of bytes seldom reach.
 */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	uint32_t at, other, word;

	if (size < 64 || seed & 1)
		return LLVMFuzzerMutate(data, size, max);
	at = (uint32_t)rand_r(&seed) % (uint32_t)(size - 4) & ~3u;
	other = (uint32_t)rand_r(&seed) % (uint32_t)(size - 4) & ~3u;
	memcpy(&word, data + at, sizeof(word));
	switch (rand_r(&seed) % 6) {
	case 0:
		word++;
		break;
	case 1:
		word--;
		break;
	case 2:
		word = (uint32_t)rand_r(&seed) % 64;
		break;
	case 3:
		word ^= 1u << rand_r(&seed) % 32;
		break;
	case 4:
		memcpy(&word, data + other, sizeof(word));
		break;
	default:
		word = (uint32_t)rand_r(&seed) % (uint32_t)size;
		break;
	}
	memcpy(data + at, &word, sizeof(word));
	return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct gadget *g = NULL;
	struct err err;

	if (object_validate(data, size, &err) < 0) {
		if (!err.text[0] || err.code != -EINVAL)
			abort();
		return 0;
	}
	if (gadget_open_bytes("fuzz", data, size, NULL, &g, &err) == 0) {
		set_some(g);
		gadget_free(g);
	}
	if (getenv("WITH_LIBBPF")) {
		libbpf_set_print(silent);
		bpf_object__close(bpf_object__open_mem(data, size, NULL));
	}
	return 0;
}
