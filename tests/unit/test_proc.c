// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "containers/proc.h"

static int stat_of(const char *text, struct proc_stat *ret)
{
	return proc_parse_stat(text, strlen(text), ret);
}

static void test_stat(void **state)
{
	struct proc_stat s;

	/* A name may hold what looks like the rest of the line. */
	assert_int_equal(stat_of("17 (a) R 1 (b c) S 42 17 17 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 "
				 "0 18196 1 2\n",
				 &s),
			 0);
	assert_int_equal(s.ppid, 42);
	assert_int_equal(s.start_ticks, 18196);
	assert_int_equal(stat_of("", &s), -EINVAL);
	assert_int_equal(stat_of("17 (a)", &s), -EINVAL);
	assert_int_equal(stat_of("17 (a) S x 17 17 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 18196", &s),
			 -EINVAL);
	assert_int_equal(stat_of("17 (a) S 4 17 17 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0", &s), -EINVAL);
	assert_int_equal(
		stat_of("17 (a) S 99999999999 17 17 0 -1 0 1 2 3 4 5 6 7 8 20 0 1 0 5", &s),
		-EINVAL);
}

static void test_nspid(void **state)
{
	static const char deep[] = "Name:\tx\nNSpid:\t170\t12\t1\nNSpgid:\t1\n";
	static const char bad[] = "Name:\tx\nNSpid:\t170\tx\n";
	struct proc_nspid pids;

	assert_int_equal(proc_parse_nspid(deep, sizeof(deep) - 1, &pids), 0);
	assert_int_equal(pids.levels, 3);
	assert_int_equal(pids.inner, 1);
	assert_int_equal(pids.above, 12);
	assert_int_equal(proc_parse_nspid(bad, sizeof(bad) - 1, &pids), -EINVAL);
	assert_int_equal(proc_parse_nspid("Name:\tNSpid:\t1\n", 15, &pids), -ENOENT);
	/* Cut in the middle of a number: the end of the bytes ends it. */
	assert_int_equal(proc_parse_nspid(deep, 21, &pids), 0);
	assert_int_equal(pids.levels, 2);
}

static void test_cgroups(void **state)
{
	static const char own[] = "9:name=systemd:/a\n8:pids:/lib/x:y\n0::/lib/x:y\n";
	static const char parents[] = "9:name=systemd:/a\n8:pids:/\n0::/\n";
	char *path;

	path = proc_parse_cgroup2(own);
	assert_string_equal(path, "/lib/x:y");
	free(path);
	path = proc_parse_cgroup1(own, parents);
	assert_string_equal(path, "/lib/x:y");
	free(path);
	assert_null(proc_parse_cgroup1(own, own));
	assert_null(proc_parse_cgroup1("0::/a\n", "0::/b\n"));
	assert_null(proc_parse_cgroup2("1:cpu:/a\n"));
	assert_null(proc_parse_cgroup2("0::\n0:\n0\n:\n"));
}

static void test_mount(void **state)
{
	static const char text[] =
		"40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
		"41 31 0:38 /part /mnt rw shared:1 - cgroup2 cgroup2 rw\n"
		"42 31 0:38 / /sys/fs/a\\040b\\134c rw,relatime shared:2 - cgroup2 cgroup2 rw\n";
	char *path = proc_parse_cgroup2_mount(text);

	assert_string_equal(path, "/sys/fs/a b\\c");
	free(path);
	assert_null(proc_parse_cgroup2_mount("x - cgroup2 \n - cgroup2 cgroup2 rw"));
}

static void test_namespace(void **state)
{
	uint64_t inum;

	assert_int_equal(proc_parse_namespace("mnt:[4026531832]", &inum), 0);
	assert_int_equal(inum, 4026531832);
	assert_int_equal(proc_parse_namespace("mnt:[40265318320]", &inum), -EINVAL);
	assert_int_equal(proc_parse_namespace("mnt:[1", &inum), -EINVAL);
	assert_int_equal(proc_parse_namespace("mnt:[]", &inum), -EINVAL);
	assert_int_equal(proc_parse_namespace("socket", &inum), -EINVAL);
}

static void test_self(void **state)
{
	_cleanup_(closep) int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(buf_done) struct buf b = { .max = MAX_PROC_FILE_BYTES };
	struct proc_nspid pids;
	struct proc_stat s;
	uint64_t inum;

	assert_int_equal(proc_stat(proc, (uint32_t)getpid(), &s), 0);
	assert_int_equal(s.ppid, getppid());
	assert_int_equal(proc_nspid(proc, (uint32_t)getpid(), &pids), 0);
	assert_int_equal(pids.inner, getpid());
	assert_int_equal(proc_namespace(proc, (uint32_t)getpid(), "mnt", &inum), 0);
	assert_true(inum);
	assert_int_equal(proc_cgroups(proc, (uint32_t)getpid(), &b), 0);
	assert_int_equal(proc_stat(proc, 0, &s), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stat),	  cmocka_unit_test(test_nspid),
		cmocka_unit_test(test_cgroups),	  cmocka_unit_test(test_mount),
		cmocka_unit_test(test_namespace), cmocka_unit_test(test_self),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
