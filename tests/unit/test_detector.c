// SPDX-License-Identifier: Apache-2.0
/*
 * The detector and the collection against processes that this test makes as a runtime would: a
 * cgroup of their own, new namespaces, exec. Needs root, BPF and a cgroup v2 mount, and fails
 * without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/prctl.h>

#include "made_container.h"

#define QUICK 200 /* containers that end at once, one after another */

/* ---- tests ----------------------------------------------------------------------- */

static void test_life(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("life");
	struct fixture *f = fixture_new(NULL, name);
	uint64_t id = make_cgroup(name);
	struct made m = { .cgroup = name, .namespaces = CONTAINER };
	struct container *c;
	struct pollfd p = { .fd = containers_fd(f->cs), .events = POLLIN };

	start(&m);
	/* It runs, and nothing was read yet: it was the kernel side that put it there. */
	assert_true(has(f->wanted, id));
	assert_int_equal(f->seen.added, 0);
	assert_int_equal(poll(&p, 1, 1000), 1);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 1);
	c = f->seen.container;
	assert_string_equal(c->id, name + 1);
	assert_string_equal(c->name, name + 1);
	assert_int_equal(c->pid, m.pid);
	assert_int_equal(c->cgroup_id, id);
	assert_int_equal(c->mntns | G_NAMESPACE_KEY, namespace_of(m.pid, "mnt"));
	assert_int_equal(c->netns | G_NAMESPACE_KEY, namespace_of(m.pid, "net"));
	assert_false(c->by_namespace);
	assert_ptr_equal(containers_find(f->cs, c->key), c);
	end(&m);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 1);
	assert_true(c->ended && c->ended_boot_ns > c->started_boot_ns);
	remove_cgroup(name);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 1);
	/* Its last records may not be read yet. */
	assert_ptr_equal(containers_find(f->cs, c->key), c);
	assert_true(has(f->wanted, id));
	containers_forget(f->cs, c);
	assert_null(containers_find(f->cs, c->key));
	assert_false(has(f->wanted, id));
	assert_false(has(containers_all_fd(f->cs), id));
	fixture_free(f);
}

static void test_children(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("children"),
			      *before = xasprintf("%s/before", name);
	_cleanup_(freep) char *child = xasprintf("%s/child", name),
			      *below = xasprintf("%s/below", child);
	uint64_t id = make_cgroup(name), id_before, id_child, id_below;
	struct made m = { .cgroup = name, .namespaces = CONTAINER };
	struct fixture *f;

	start(&m);
	id_before = make_cgroup(before);
	f = fixture_new(NULL, name); /* finds it running */
	assert_int_equal(f->seen.added, 1);
	assert_int_equal(f->seen.container->pid, m.pid);
	assert_true(has(f->wanted, id) && has(f->wanted, id_before));
	id_child = make_cgroup(child);
	id_below = make_cgroup(below);
	assert_true(has(f->wanted, id_child) && has(f->wanted, id_below)); /* by the kernel side */
	containers_map_remove(f->cs, f->wanted, f->seen.container);	   /* which tells us late */
	containers_dispatch(f->cs);
	assert_false(has(f->wanted, id) || has(f->wanted, id_child) || has(f->wanted, id_below));
	containers_map_add(f->cs, f->wanted, f->seen.container);
	assert_true(has(f->wanted, id) && has(f->wanted, id_child) && has(f->wanted, id_below));
	remove_cgroup(below);
	assert_false(has(f->wanted, id_below) || has(containers_all_fd(f->cs), id_below));
	end(&m);
	remove_cgroup(child);
	remove_cgroup(before);
	remove_cgroup(name);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 1);
	assert_int_equal(f->seen.removed, 1);
	fixture_free(f);
}

/* In the root cgroup, as containers are that use cgroup v1 only. */
static void test_shared_cgroup(void **state)
{
	_cleanup_(freep) char *elsewhere = cgroup_name("elsewhere");
	struct fixture *f = fixture_new(NULL, NULL);
	struct made m = { .cgroup = "", .runtime_cgroup = elsewhere, .namespaces = CONTAINER };
	uint64_t mntns, netns, value, root = 1;

	make_cgroup(elsewhere);
	start(&m);
	f->seen.pid = (uint32_t)m.pid;
	mntns = namespace_of(m.pid, "mnt");
	netns = namespace_of(m.pid, "net");
	assert_true(has(f->wanted, mntns) && has(f->wanted, netns));
	assert_int_equal(bpf_map_lookup_elem(f->wanted, &root, &value), 0);
	assert_true(value == G_BY_NAMESPACE);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 1);
	assert_true(f->seen.container->by_namespace);
	end(&m);
	/* These numbers are given to others at once: gone before anything was read. */
	assert_false(has(f->wanted, mntns) || has(f->wanted, netns));
	assert_false(has(containers_all_fd(f->cs), mntns) || has(containers_all_fd(f->cs), netns));
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 1);
	remove_cgroup(elsewhere);
	fixture_free(f);
}

/* Other namespaces, but no cgroup: somebody tries unshare(1). */
static void test_no_cgroup(void **state)
{
	struct fixture *f = fixture_new(NULL, NULL);
	struct made m = { .namespaces = CONTAINER };

	start(&m);
	f->seen.pid = (uint32_t)m.pid;
	assert_false(has(f->wanted, namespace_of(m.pid, "mnt")));
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 0);
	end(&m);
	fixture_free(f);
}

static void write_state(const char *root, const char *id, pid_t pid)
{
	_cleanup_(closep) int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(freep) char *dir = xasprintf("%s/%s", root, id),
			      *path = xasprintf("%s/state.json", dir);
	struct proc_stat stat;
	FILE *f;

	assert_int_equal(proc_stat(proc, (uint32_t)pid, &stat), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
	f = fopen(path, "we");
	assert_non_null(f);
	fprintf(f, "{\"id\":\"%s\",\"init_process_pid\":%d,\"init_process_start\":%llu}", id, pid,
		(unsigned long long)stat.start_ticks);
	fclose(f);
}

/* Without a pid namespace of its own: a container if a runtime says so, else a service with private
 * mounts. */
static void test_host_pid(void **state)
{
	char root[] = "/tmp/ig-test-XXXXXX";
	const char *const roots[] = {mkdtemp(root), NULL};
	_cleanup_(freep) char *name = cgroup_name("hostpid"), *dir = xasprintf("%s/named", root),
			      *file = xasprintf("%s/state.json", dir);
	struct fixture *f = fixture_new(roots, name);
	uint64_t id = make_cgroup(name);
	struct made m = { .cgroup = name, .namespaces = CLONE_NEWNS };

	start(&m);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 0);
	assert_false(has(f->wanted, id) || has(containers_all_fd(f->cs), id));
	end(&m);
	start(&m);
	write_state(root, "named", m.pid);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 1);
	assert_string_equal(f->seen.container->id, "named");
	assert_string_equal(f->seen.container->runtime, "runc");
	assert_true(has(f->wanted, id));
	fixture_free(f);
	f = fixture_new(roots, name); /* and it is found running, too */
	assert_int_equal(f->seen.added, 1);
	end(&m);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 1);
	fixture_free(f);
	remove_cgroup(name);
	unlink(file);
	rmdir(dir);
	rmdir(root);
}

/* A runtime runs in a container, and its container in a cgroup below: the inner one is another. */
static void test_inner(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("outer"), *inner = xasprintf("%s/inner", name),
			      *deep = xasprintf("%s/deep", inner);
	struct fixture *f = fixture_new(NULL, name);
	uint64_t id = make_cgroup(name), id_inner, id_deep, value, key;
	struct made m = { .cgroup = name, .namespaces = CONTAINER };
	struct made n = { .cgroup = inner, .namespaces = CONTAINER };

	start(&m);
	containers_dispatch(f->cs);
	key = f->seen.container->key;
	id_inner = make_cgroup(inner);
	start(&n);
	assert_int_equal(bpf_map_lookup_elem(f->wanted, &id_inner, &value), 0);
	assert_true(value != key);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 2);
	assert_int_equal(f->seen.container->key, value);
	assert_int_equal(f->seen.container->pid, n.pid);
	assert_int_equal(f->seen.container->outer->key, key);
	id_deep = make_cgroup(deep);
	assert_int_equal(bpf_map_lookup_elem(f->wanted, &id_deep, &value), 0);
	assert_int_equal(value, f->seen.container->key);
	/* The outer one chosen anew does not take the inner one's cgroup. */
	containers_dispatch(f->cs);
	containers_map_add(f->cs, f->wanted, f->seen.container->outer);
	assert_int_equal(bpf_map_lookup_elem(f->wanted, &id_inner, &value), 0);
	assert_int_equal(value, f->seen.container->key);
	assert_true(has(f->wanted, id));
	fixture_free(f);

	f = fixture_new(NULL, name); /* both are found running */
	assert_int_equal(f->seen.added, 2);
	assert_int_equal(f->seen.container->pid, n.pid);
	assert_int_equal(f->seen.container->outer->pid, m.pid);
	assert_int_equal(bpf_map_lookup_elem(f->wanted, &id_deep, &value), 0);
	assert_int_equal(value, f->seen.container->key);
	end(&n);
	end(&m);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 2);
	remove_cgroup(deep);
	remove_cgroup(inner);
	remove_cgroup(name);
	fixture_free(f);
}

/* With all namespaces of the host: a container because it was a runtime that made the cgroup. */
static void test_host_namespaces(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("hostall"), *other = cgroup_name("service");
	struct fixture *f = fixture_new(NULL, name);
	struct made m = { .cgroup = name }, n = { .cgroup = other };
	uint64_t id, id_other;
	char comm[16];

	prctl(PR_GET_NAME, comm);
	id_other = make_cgroup(other);
	prctl(PR_SET_NAME, "runc");
	id = make_cgroup(name);
	prctl(PR_SET_NAME, comm);
	start(&n);
	start(&m);
	assert_true(has(f->wanted, id));
	assert_false(has(f->wanted, id_other));
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 1);
	assert_string_equal(f->seen.container->name, name + 1);
	end(&m);
	end(&n);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.removed, 1);
	remove_cgroup(name);
	remove_cgroup(other);
	fixture_free(f);
}

/* More containers start than there are keys: the host side looks for itself. */
static void test_no_keys(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("nokeys"), *next = cgroup_name("nokeys2");
	struct fixture *f = fixture_new(NULL, name);
	uint64_t id = make_cgroup(name), id_next = make_cgroup(next), key;
	struct made m = { .cgroup = name, .namespaces = CONTAINER };
	struct made n = { .cgroup = next, .namespaces = CONTAINER };

	while (detector_take_key(f->cs->detector, &key))
		slots_give(&f->cs->slots, key);
	f->cs->slots.waiting = 0;
	start(&m);
	assert_false(has(f->wanted, id));
	settle(f);
	assert_int_equal(f->seen.added, 1);
	assert_true(has(f->wanted, id));
	start(&n); /* there are keys again */
	assert_true(has(f->wanted, id_next));
	end(&m);
	end(&n);
	containers_dispatch(f->cs);
	assert_int_equal(f->seen.added, 2);
	assert_int_equal(f->seen.removed, 2);
	remove_cgroup(name);
	remove_cgroup(next);
	fixture_free(f);
}

/* A tracer that leaves does not cut off those that came after it. */
static void test_tracers_leave(void **state)
{
	LIBBPF_OPTS(bpf_map_create_opts, o, .map_flags = BPF_F_NO_PREALLOC);
	_cleanup_(freep) char *name = cgroup_name("leave");
	struct fixture *f = fixture_new(NULL, name);
	uint64_t id = make_cgroup(name);
	struct made m = { .cgroup = name, .namespaces = CLONE_NEWNS | CLONE_NEWPID };
	int more[MAX_WANTED_MAPS];

	for (size_t i = 0; i < MAX_WANTED_MAPS; i++) {
		more[i] = bpf_map_create(BPF_MAP_TYPE_HASH, "g_wanted", 8, 8, 64, &o);
		assert_int_equal(containers_attach_map(f->cs, more[i], NULL),
				 i + 1 < MAX_WANTED_MAPS ? 0 : -ENOSPC); /* the fixture has one */
	}
	containers_detach_map(f->cs, f->wanted);
	for (size_t i = 0; i < MAX_WANTED_MAPS; i += 2)
		containers_detach_map(f->cs, more[i]);
	containers_dispatch(f->cs); /* keys, which other containers may have used up meanwhile */
	start(&m);
	for (size_t i = 0; i < MAX_WANTED_MAPS; i++) {
		assert_int_equal(has(more[i], id), i % 2 && i + 1 < MAX_WANTED_MAPS);
		containers_detach_map(f->cs, more[i]);
		close(more[i]);
	}
	end(&m);
	remove_cgroup(name);
	fixture_free(f);
}

static void test_quick(void **state)
{
	_cleanup_(freep) char *name = cgroup_name("quick");
	struct fixture *f = fixture_new(NULL, name);
	struct container *last = NULL;

	for (unsigned int i = 0; i < QUICK; i++) {
		_cleanup_(freep) char *own = xasprintf("%s-%u", name, i);
		uint64_t id = make_cgroup(own);
		struct made m = { .cgroup = own,
				 .namespaces = CLONE_NEWNS | CLONE_NEWPID,
				 .program = "/bin/true"};

		start(&m);
		end(&m);
		remove_cgroup(own);
		if (i % 16) /* many are over before anybody reads */
			continue;
		containers_dispatch(f->cs);
		assert_int_equal(f->seen.added, i + 1);
		assert_int_equal(f->seen.container->cgroup_id, id);
		assert_string_equal(f->seen.container->name, own + 1);
		last = f->seen.container;
	}
	containers_dispatch(f->cs);
	assert_non_null(last);
	assert_int_equal(f->seen.added, QUICK);
	assert_int_equal(f->seen.removed, QUICK);
	assert_int_equal(detector_lost(f->cs->detector), 0);
	fixture_free(f);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),	      cmocka_unit_test(test_children),
		cmocka_unit_test(test_shared_cgroup), cmocka_unit_test(test_no_cgroup),
		cmocka_unit_test(test_host_pid),      cmocka_unit_test(test_no_keys),
		cmocka_unit_test(test_tracers_leave), cmocka_unit_test(test_quick),
		cmocka_unit_test(test_inner),	      cmocka_unit_test(test_host_namespaces),
	};

	if (argc > 1)
		return wait_program();
	return cmocka_run_group_tests(tests, find_cgroup_root, free_cgroup_root);
}
