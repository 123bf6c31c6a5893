// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "containers/oci.h"

/* As runc 1.1.5 writes it, shortened. */
static const char runc_state[] =
	"{\"id\":\"c1\",\"init_process_pid\":17850,\"init_process_start\":181963,"
	"\"created\":\"2026-11-22T10:58:01.828988069Z\",\"rootless\":false,"
	"\"config\":{\"labels\":[\"io.container.manager=libpod\",\"a=b=c\",\"broken\",7,\"bundle=/"
	"b/c1\"]},"
	"\"cgroup_paths\":{\"\":\"/sys/fs/cgroup/unified/c1\",\"pids\":\"/sys/fs/cgroup/pids/"
	"c1\",\"x\":1}}";

/* As crun 1.8.1. */
static const char crun_status[] =
	"{\n \"pid\": 17909,\n \"process-start-time\": 181991,\n"
	" \"cgroup-path\": \"/libpod_parent/libpod-8c5a\",\n \"bundle\": \"/b/8c5a\",\n"
	" \"created\": \"2026-11-22T10:58:02.119552Z\"\n}\n";

static void test_runc(void **state)
{
	struct oci_state s;

	assert_int_equal(oci_parse_runc(runc_state, sizeof(runc_state) - 1, &s), 0);
	assert_string_equal(s.id, "c1");
	assert_int_equal(s.pid, 17850);
	assert_int_equal(s.start_ticks, 181963);
	assert_int_equal(s.created_real_ns, 1795345081828988069);
	assert_string_equal(s.bundle, "/b/c1");
	assert_int_equal(s.annotations.n, 2); /* the bundle is none, nor is what is malformed */
	assert_string_equal(s.annotations.items[1].key, "a");
	assert_string_equal(s.annotations.items[1].value, "b=c");
	assert_int_equal(s.n_cgroups, 2);
	oci_state_done(&s);
	assert_null(s.id);
}

static void test_crun(void **state)
{
	struct oci_state s;

	assert_int_equal(oci_parse_crun(crun_status, sizeof(crun_status) - 1, &s), 0);
	assert_int_equal(s.pid, 17909);
	assert_int_equal(s.start_ticks, 181991);
	assert_string_equal(s.bundle, "/b/8c5a");
	assert_string_equal(s.cgroups[0], "/libpod_parent/libpod-8c5a");
	oci_state_done(&s);
}

static void test_config(void **state)
{
	static const char text[] =
		"{\"annotations\":{\"k\":\"v\",\"n\":1},\"ociVersion\":\"1.0\","
		"\"root\":{\"path\":\"rootfs\"},\"linux\":{\"uidMappings\":["
		"{\"containerID\":0,\"hostID\":100000,\"size\":65536},"
		"{\"containerID\":70000,\"hostID\":\"x\"},7]}}";
	struct oci_state s;

	assert_int_equal(oci_parse_config(text, sizeof(text) - 1, &s), 0);
	assert_int_equal(s.annotations.n, 1);
	assert_string_equal(s.annotations.items[0].value, "v");
	assert_string_equal(s.rootfs, "rootfs");
	assert_string_equal(s.uid_map, "0 100000 65536\n70000 0 0\n0 0 0\n");
	assert_null(s.gid_map);
	oci_state_done(&s);
	assert_int_equal(oci_parse_config("{}", 2, &s), 0);
	oci_state_done(&s);
	assert_int_equal(oci_parse_config("[]", 2, &s), -EINVAL);
}

static void test_podman(void **state)
{
	static const char text[] =
		"[{\"id\":\"aa\",\"names\":[\"other\"]},{\"id\":\"bb\",\"names\":[\"n\"],\"image\":"
		"\"84c8\","
		"\"metadata\":\"{\\\"image-name\\\":\\\"localhost/"
		"busybox:lab\\\",\\\"name\\\":\\\"c1\\\"}\"},"
		"{\"id\":\"cc\",\"names\":[\"plain\"],\"metadata\":\"{broken\"}]";
	struct podman_container p = {0};

	assert_int_equal(oci_parse_podman(text, sizeof(text) - 1, "bb", &p), 0);
	assert_string_equal(p.name, "c1");
	assert_string_equal(p.image, "localhost/busybox:lab");
	assert_string_equal(p.image_id, "84c8");
	podman_container_done(&p);
	assert_int_equal(oci_parse_podman(text, sizeof(text) - 1, "cc", &p), 0);
	assert_string_equal(p.name, "plain");
	assert_null(p.image);
	podman_container_done(&p);
	assert_int_equal(oci_parse_podman(text, sizeof(text) - 1, "b", &p), -ENOENT);
	assert_int_equal(oci_parse_podman("{}", 2, "b", &p), -ENOENT);
	assert_int_equal(oci_parse_podman("[{\"id\":\"b\",}]", 13, "b", &p), -EINVAL);
}

static void test_malformed(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"null",
		"[]",
		"{}",
		"{\"id\":\"x\"}",
		"{\"id\":7,\"init_process_pid\":1}",
		"{\"id\":\"x\",\"init_process_pid\":-1}",
		"{\"id\":\"x\",\"init_process_pid\":4294967297}",
		"{\"id\":\"x\",\"init_process_pid\":1} trailing",
	};
	struct oci_state s = { .pid = 7 };

	for (size_t i = 0; i < array_size(bad); i++) {
		assert_int_equal(oci_parse_runc(bad[i], strlen(bad[i]), &s), -EINVAL);
		assert_int_equal(oci_parse_crun(bad[i], strlen(bad[i]), &s), -EINVAL);
	}
	assert_int_equal(s.pid, 7); /* untouched */
	/* A state cut short anywhere is refused: runc may be writing it. */
	for (size_t len = 0; len < sizeof(runc_state) - 1; len++)
		assert_int_equal(oci_parse_runc(runc_state, len, &s), -EINVAL);
}

static void test_depth(void **state)
{
	_cleanup_(buf_done) struct buf b = { .max = 1 << 20 };
	struct oci_state s;

	buf_str(&b, "{\"id\":\"x\",\"init_process_pid\":1,\"a\":");
	for (unsigned int i = 0; i < MAX_JSON_DEPTH; i++)
		buf_char(&b, '[');
	for (unsigned int i = 0; i < MAX_JSON_DEPTH; i++)
		buf_char(&b, ']');
	buf_char(&b, '}');
	assert_int_equal(oci_parse_runc(b.data, b.len, &s), -EINVAL);
	buf_clear(&b); /* brackets in strings are no nesting */
	buf_str(&b, "{\"id\":\"x\",\"init_process_pid\":1,\"a\":\"\\\"");
	for (unsigned int i = 0; i < MAX_JSON_DEPTH; i++)
		buf_char(&b, '[');
	buf_str(&b, "\"}");
	assert_int_equal(oci_parse_runc(b.data, b.len, &s), 0);
	oci_state_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runc),	  cmocka_unit_test(test_crun),
		cmocka_unit_test(test_config),	  cmocka_unit_test(test_podman),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_depth),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
