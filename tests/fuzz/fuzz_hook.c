// SPDX-License-Identifier: Apache-2.0
/* Configuration files that `ig hook install` edits. The first byte chooses which. */
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/limits.h"
#include "base/mem.h"
#include "hook/install.h"
#include "hook/json_text.h"
#include "hook/toml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was JSON is JSON afterwards, and has the hooks. */
static void fuzz_json(const char *text, size_t len)
{
	static char *stages[] = {"createRuntime", "poststop"};
	const struct hook_setup setup = {.program = "/ig", .stages = stages, .n_stages = 2};
	_cleanup_(buf_done) struct buf after = {.max = MAX_CONFIG_BYTES};
	json_t *before = json_loadb(text, len, JSON_DECODE_INT_AS_REAL, NULL), *root;

	if (!hook_add(&setup, text, len, &after) && before) {
		root = json_loadb(after.data, after.len, JSON_DECODE_INT_AS_REAL, NULL);
		if (!json_array_size(json_object_get(json_object_get(root, "hooks"), "poststop")))
			abort();
		json_decref(root);
	}
	json_decref(before);
}

static void fuzz_toml(const char *text, size_t len)
{
	enum toml_line line;
	struct toml t;

	toml_init(&t, text, len);
	while (toml_next(&t, &line))
		if (line == TOML_VALUE)
			free(toml_string(&t));
	toml_done(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(freep) char *text = size ? xcalloc(1, size) : NULL;

	if (!size)
		return 0;
	memcpy(text, data + 1, size - 1);
	if (data[0] == '0')
		fuzz_json(text, size - 1);
	if (data[0] == '1')
		fuzz_toml(text, size - 1);
	return 0;
}
