// SPDX-License-Identifier: Apache-2.0
/* Both forms of a ContainerDefinition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "api/definition.h"
#include "api/gadgettracermanager.pb-c.h"
#include "base/err.h"
#include "base/mem.h"

static Gadgettracermanager__Label app = {
	PROTOBUF_C_MESSAGE_INIT(&gadgettracermanager__label__descriptor), "app", "web"};
static Gadgettracermanager__Label *labels[] = {&app};

static void read_message(const ProtobufCMessage *m, struct definition *ret)
{
	uint8_t bytes[512];
	size_t len = protobuf_c_message_pack(m, bytes);

	assert_true(len <= sizeof(bytes));
	assert_int_equal(definition_read(bytes, len, ret, NULL), 0);
}

static void test_v12(void **state)
{
	Gadgettracermanager__ContainerDefinition m =
		GADGETTRACERMANAGER__CONTAINER_DEFINITION__INIT;
	struct definition d;

	m.id = "c1";
	m.pid = 4711;
	m.oci_config = "{}";
	m.namespace_ = "shop";
	m.podname = "web-1";
	m.name = "nginx";
	m.labels = labels;
	m.n_labels = 1;
	read_message(&m.base, &d);
	assert_false(d.is_v04);
	assert_string_equal(d.notice.id, "c1");
	assert_int_equal(d.notice.pid, 4711);
	assert_string_equal(d.notice.oci_config, "{}");
	assert_string_equal(d.notice.namespace_, "shop");
	assert_string_equal(d.notice.pod, "web-1");
	assert_string_equal(d.notice.name, "nginx");
	assert_string_equal(labels_get(d.notice.labels, "app"), "web");
	definition_done(&d);
}

static void test_v04(void **state)
{
	Gadgettracermanager__ContainerDefinitionV04 m =
		GADGETTRACERMANAGER__CONTAINER_DEFINITION_V04__INIT;
	char *sources[] = {"/var/lib/x"};
	struct definition d;

	m.id = "c1";
	m.cgroup_path = "/sys/fs/cgroup/unified/a/c1";
	m.cgroup_id = 1ull << 40 | 5;
	m.mntns = 4026532001;
	m.netns = 4026532002;
	m.namespace_ = "shop";
	m.podname = "web-1";
	m.name = "nginx";
	m.labels = labels;
	m.n_labels = 1;
	m.cgroup_v1 = "/a/c1";
	m.cgroup_v2 = "/a/c1";
	m.mount_sources = sources;
	m.n_mount_sources = 1;
	m.pid = 4711;
	read_message(&m.base, &d);
	assert_true(d.is_v04);
	assert_string_equal(d.notice.id, "c1");
	assert_int_equal(d.notice.pid, 4711);
	assert_int_equal(d.notice.cgroup_id, 1ull << 40 | 5);
	assert_int_equal(d.notice.mntns, 4026532001);
	assert_int_equal(d.notice.netns, 4026532002);
	assert_string_equal(d.notice.cgroup_path, "/a/c1");
	assert_null(d.notice.oci_config);
	assert_string_equal(d.notice.name, "nginx");
	assert_string_equal(labels_get(d.notice.labels, "app"), "web");
	definition_done(&d);
}

static bool is_v04(const char *bytes, size_t len)
{
	struct definition d;
	bool yes;

	assert_int_equal(definition_read(bytes, len, &d, NULL), 0);
	yes = d.is_v04;
	definition_done(&d);
	return yes;
}

#define FORM(text) is_v04(text, sizeof(text) - 1)

/* Each field that tells, by itself. */
static void test_forms(void **state)
{
	assert_true(FORM("\x12\x02/a"));
	assert_true(FORM("\x18\x05"));
	assert_true(FORM("\x20\x05"));
	assert_true(FORM("\x0a\x01x\x60\x05"));	  /* 12: pid */
	assert_true(FORM("\x0a\x01x\x52\x02/a")); /* 10: cgroup_v2 */
	assert_false(FORM("\x10\x05"));
	assert_false(FORM("\x1a\x02{}"));
	assert_false(FORM("\x22\x01n"));
	assert_false(FORM("\x0a\x01x"));
	assert_false(FORM(""));
	/* What both have, and what neither knows, tells nothing. */
	assert_false(FORM("\x2a\x01p\x78\x01\x81\x01........\x8d\x01....\x10\x05"));
	assert_true(FORM("\x2a\x01p\x78\x01\x20\x05"));
}

static void test_malformed(void **state)
{
	static const char *const cases[] = {
		"\x0a\x05x",	     /* ends in a text */
		"\x0a",		     /* ends before its length */
		"\xff",		     /* ends in a tag */
		"\x12\x01/\x10\x05", /* a field of both forms */
		"\x0b\x01",	     /* a group */
	};
	struct definition d;

	for (size_t i = 0; i < array_size(cases); i++)
		assert_int_equal(definition_read(cases[i], strlen(cases[i]), &d, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_v12),
		cmocka_unit_test(test_v04),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
