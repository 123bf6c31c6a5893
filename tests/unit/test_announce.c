// SPDX-License-Identifier: Apache-2.0
/*
 * Announced containers, against processes that wait for their exec in their cgroups and namespaces,
 * as a container's first process does while its runtime runs hooks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <signal.h>

#include "columns/labels.h"
#include "made_container.h"

static const char config[] = "{\"annotations\":{\"io.kubernetes.cri.sandbox-namespace\":\"shop\","
			     "\"io.kubernetes.cri.sandbox-name\":\"web-1\",\"io.kubernetes.cri."
			     "container-name\":\"nginx\","
			     "\"io.kubernetes.cri.image-name\":\"img:1\"}}";

static int announce(struct fixture *f, const char *id, pid_t pid)
{
	const struct container_notice n = {.id = id, .pid = (uint32_t)pid, .oci_config = config};

	return containers_announce(f->cs, &n, NULL);
}

/* In the maps, and with its names, before its exec; the same container after it. */
static void test_life(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("announced");
	struct fixture *f = fixture_new(NULL, name);
	uint64_t id = make_cgroup(name);
	struct made m = {.cgroup = name, .namespaces = CONTAINER, .held = true};
	struct container *c;

	start(&m);
	while (announce(f, "c1", m.pid) == -EINVAL) /* until it is in its cgroup */
		usleep(1000);
	c = f->seen.container;
	assert_int_equal(f->seen.added, 1);
	assert_true(has(f->wanted, id));
	assert_string_equal(c->id, "c1");
	assert_string_equal(c->name, "nginx");
	assert_string_equal(c->k8s_namespace, "shop");
	assert_string_equal(c->k8s_pod, "web-1");
	assert_string_equal(c->image_name, "img:1");
	assert_string_equal(c->cgroup_path, name);
	assert_int_equal(c->cgroup_id, id);
	assert_int_equal(c->pid, m.pid);
	assert_int_equal(c->mntns | G_NAMESPACE_KEY, namespace_of(m.pid, "mnt"));
	assert_int_equal(c->pidns | G_NAMESPACE_KEY, namespace_of(m.pid, "pid"));
	assert_int_equal(announce(f, "c1", m.pid), -EEXIST);
	assert_int_equal(announce(f, "c2", m.pid), -EEXIST);
	release(&m);
	settle(f);
	f->cs->want_scan = true;
	settle(f);
	assert_int_equal(f->seen.added, 1);
	assert_ptr_equal(containers_find(f->cs, c->key), c);
	assert_int_equal(announce(f, "c1", m.pid), -EEXIST);
	end(&m);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 1);
	assert_true(has(f->wanted, id)); /* its last records may not be read yet */
	assert_int_equal(containers_retract(f->cs, "c1", NULL), 0);
	assert_int_equal(f->seen.removed, 1);
	containers_forget(f->cs, c);
	assert_false(has(f->wanted, id) || has(containers_all_fd(f->cs), id));
	assert_int_equal(containers_retract(f->cs, "c1", NULL), -ENOENT);
	remove_cgroup(name);
	fixture_free(f);
}

/* Its runtime gives up before it is started. */
static void test_never_started(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("unstarted");
	struct fixture *f = fixture_new(NULL, name);
	uint64_t id = make_cgroup(name);
	struct made m = {.cgroup = name, .namespaces = CONTAINER, .held = true};
	struct pollfd p = {.fd = containers_fd(f->cs), .events = POLLIN};
	int status;

	start(&m);
	while (announce(f, "c1", m.pid) == -EINVAL)
		usleep(1000);
	assert_int_equal(f->seen.added, 1);
	kill(m.pid, SIGKILL);
	assert_int_equal(poll(&p, 1, 1000), 1);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 1);
	assert_true(f->seen.container->ended);
	assert_int_equal(announce(f, "c1", m.pid), -ESRCH);
	containers_forget(f->cs, f->seen.container);
	assert_false(has(f->wanted, id) || has(containers_all_fd(f->cs), id));
	close(m.to);
	close(m.from);
	waitpid(m.runtime, &status, 0);
	remove_cgroup(name);
	fixture_free(f);
}

/* It ends when it is retracted, and once; its process may go on. */
static void test_retract(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("retracted");
	struct fixture *f = fixture_new(NULL, name);
	uint64_t id = make_cgroup(name);
	struct made m = {.cgroup = name, .namespaces = CONTAINER, .held = true};

	assert_int_equal(containers_retract(f->cs, "", NULL), -EINVAL);
	assert_int_equal(containers_retract(f->cs, "c1", NULL), -ENOENT);
	start(&m);
	while (announce(f, "c1", m.pid) == -EINVAL)
		usleep(1000);
	release(&m);
	assert_int_equal(containers_retract(f->cs, "c1", NULL), 0);
	assert_int_equal(f->seen.removed, 1);
	assert_true(has(f->wanted, id));
	end(&m);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 1);
	remove_cgroup(name);
	fixture_free(f);
}

/* The detector was faster: the notice tells what it lacks, and is no second container. */
static void test_found_before(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("found");
	struct fixture *f = fixture_new(NULL, name);
	struct made m = {.cgroup = name, .namespaces = CONTAINER};
	struct labels labels = {0};
	struct container *c;

	make_cgroup(name);
	start(&m);
	settle(f);
	assert_int_equal(f->seen.added, 1);
	c = f->seen.container;
	assert_null(c->k8s_pod);
	labels_add(&labels, "app", "web");
	assert_int_equal(containers_announce(f->cs,
					     &(struct container_notice){.id = "c1",
									.pid = (uint32_t)m.pid,
									.pod = "web-1",
									.name = "nginx",
									.labels = &labels},
					     NULL),
			 0);
	assert_int_equal(f->seen.added, 1);
	assert_string_equal(c->id, name + 1);
	assert_string_equal(c->k8s_pod, "web-1");
	assert_string_equal(c->k8s_container, "nginx");
	assert_string_equal(labels_get(&c->k8s_labels, "app"), "web");
	assert_int_equal(announce(f, "c1", m.pid), -EEXIST);
	end(&m);
	labels_done(&labels);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 1);
	remove_cgroup(name);
	fixture_free(f);
}

/* Told by numbers alone, it lasts as long as its cgroup. */
static void test_without_pid(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("numbers");
	struct fixture *f = fixture_new(NULL, name);
	uint64_t id = make_cgroup(name);
	const struct container_notice n = {.id = "c1", .cgroup_id = id, .cgroup_path = name};
	const struct container_notice root = {.id = "c2", .cgroup_id = 1, .cgroup_path = "/"};

	assert_int_equal(containers_announce(f->cs, &root, NULL), -EINVAL);
	assert_int_equal(containers_announce(f->cs, &(struct container_notice){.id = "c2"}, NULL),
			 -EINVAL);
	assert_int_equal(containers_announce(f->cs, &n, NULL), 0);
	assert_int_equal(f->seen.added, 1);
	assert_true(has(f->wanted, id));
	assert_int_equal(containers_announce(f->cs, &n, NULL), -EEXIST);
	f->cs->want_scan = true;
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 0);
	remove_cgroup(name);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 1);
	fixture_free(f);
}

static void test_refused(void **state)
{
	struct fixture *f = fixture_new(NULL, "/none");
	struct err err = {0};
	const struct container_notice own = {.id = "c1", .pid = (uint32_t)getpid()};

	assert_int_equal(announce(f, "", getpid()), -EINVAL);
	assert_int_equal(announce(f, NULL, getpid()), -EINVAL);
	assert_int_equal(announce(f, "c1", INT32_MAX), -ESRCH);
	/* No runtime has made it: it is where its parent is. */
	assert_int_equal(containers_announce(f->cs, &own, &err), -EINVAL);
	assert_non_null(strstr(err.text, "parent's cgroups"));
	fixture_free(f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),	    cmocka_unit_test(test_never_started),
		cmocka_unit_test(test_retract),	    cmocka_unit_test(test_found_before),
		cmocka_unit_test(test_without_pid), cmocka_unit_test(test_refused),
	};

	if (argc > 1)
		return wait_program();
	return cmocka_run_group_tests(tests, find_cgroup_root, free_cgroup_root);
}
