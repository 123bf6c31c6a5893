// SPDX-License-Identifier: Apache-2.0
/* Names of containers from runtimes' files, below a host's root of our own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "columns/labels.h"
#include "containers/hostfs.h"
#include "containers/identify.h"
#include "containers/proc.h"
#include "containers/state.h"
#include "containers/trouble.h"

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

/* ---- a host's root --------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int setup(void **state)
{
	char template[] = "/tmp/ig-test-XXXXXX";

	*state = xstrdup(mkdtemp(template));
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(*state);
	return 0;
}

static void put(const char *root, const char *path, const char *text)
{
	_cleanup_(freep) char *whole = xasprintf("%s%s", root, path);
	FILE *f;

	for (char *slash = strchr(whole + strlen(root) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(whole, 0755);
		*slash = '/';
	}
	f = fopen(whole, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void put_runc(const char *root, const char *path, const char *id, unsigned int pid,
		     unsigned int ticks, const char *cgroup, const char *bundle)
{
	_cleanup_(freep) char *text = xasprintf("{\"id\":\"%s\",\"init_process_pid\":%u,\"init_"
						"process_start\":%u,\"config\":{\"labels\":"
						"[\"bundle=%s\",\"org.opencontainers.image.ref."
						"name=img:1\"]},\"cgroup_paths\":{\"\":\"%s\"}}",
						id, pid, ticks, bundle, cgroup);

	put(root, path, text);
}

/* What identify() says of c below a host's root, with these state roots besides. */
static bool known(const char *root, const char *const *roots, struct container *c)
{
	struct runtime_context ctx = {root, states_new(root, roots, NULL), NULL};
	const struct clues clues = {.pid = c->pid, .found_boot_ns = UINT64_MAX};
	bool yes = identify(&ctx, c, &clues);

	states_free(ctx.states);
	return yes;
}

static struct container *process(unsigned int pid, unsigned int ticks, const char *cgroup)
{
	struct container *c = container_new();

	c->pid = pid;
	c->started_boot_ns = proc_ticks_to_ns(ticks) + 1234;
	c->cgroup_path = xstrdup(cgroup);
	return c;
}

/* ---- ids ------------------------------------------------------------------------- */

static void test_id(void **state)
{
	static const char *const cases[][2] = {
		{"/c1", "c1"},
		{"/docker/" ID, ID},
		{"/system.slice/docker-" ID ".scope", ID},
		{"/machine.slice/libpod-" ID ".scope/container", ID},
		{"/kubepods.slice/kubepods-podX.slice/cri-containerd-" ID ".scope", ID},
		{"/docker/" ID "/system.slice/a.service", ID},
		{"/lxc.payload.box", "box"},
		{"/default/c2", "c2"},
		{"/libpod-", "libpod-"},
		{"/a//", "a"},
	};
	static const char *const tops[][2] = {
		{"/docker/" ID "/init.scope", "/docker/" ID},
		{"/docker/" ID, NULL},
		{"/libpod_parent/" ID "/libpod-" ID2, NULL}, /* a pod, and a container of it */
		{"/docker/" ID "/docker/" ID2 "/a.service", "/docker/" ID "/docker/" ID2},
		{"/c1/init.scope", NULL},
		{"/", NULL},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		_cleanup_(freep) char *id = identify_id(cases[i][0]);

		assert_string_equal(id, cases[i][1]);
	}
	for (size_t i = 0; i < array_size(tops); i++) {
		_cleanup_(freep) char *top = identify_top(tops[i][0]);

		if (tops[i][1])
			assert_string_equal(top, tops[i][1]);
		else
			assert_null(top);
	}
	assert_null(identify_id("/"));
	assert_null(identify_id(NULL));
}

/* ---- runtimes -------------------------------------------------------------------- */

static void test_runc(void **state)
{
	_cleanup_(container_unrefp) struct container *c = process(50, 700, "/docker/" ID);

	put_runc(*state, "/run/docker/runtime-runc/moby/" ID "/state.json", ID, 50, 700,
		 "/sys/fs/cgroup/docker/" ID, "/b");
	put(*state, "/run/runc/broken/state.json", "{");
	assert_true(known(*state, NULL, c));
	assert_string_equal(c->id, ID);
	assert_string_equal(c->runtime, "docker");
	assert_string_equal(c->bundle, "/b");
	assert_string_equal(c->image_name, "img:1");
	assert_null(c->name);
}

static void test_not_by_reused_pid(void **state)
{
	_cleanup_(container_unrefp) struct container *c = process(50, 701, "/other");

	put_runc(*state, "/run/runc/old/state.json", "old", 50, 700, "/sys/fs/cgroup/unified/old",
		 "/b");
	assert_false(known(*state, NULL, c)); /* the same pid, but started later */
	assert_null(c->id);
}

static void test_by_cgroup(void **state)
{
	_cleanup_(container_unrefp) struct container *c = process(60, 900, "/x/c1/init.scope");
	_cleanup_(container_unrefp) struct container *other = process(61, 900, "/c1/y");

	put_runc(*state, "/run/runc/c1/state.json", "c1", 50, 700, "/sys/fs/cgroup/unified/x/c1",
		 "/b");
	assert_true(known(*state, NULL, c));
	assert_string_equal(c->id, "c1");
	assert_int_equal(c->pid, 50); /* the runtime knows its first process */
	assert_string_equal(c->cgroup_path, "/x/c1");
	assert_false(known(*state, NULL, other)); /* only the end of the path is alike */
}

static void test_extra_root(void **state)
{
	static const char *const roots[] = {"/srv/runc", NULL};
	_cleanup_(container_unrefp) struct container *c = process(50, 700, "/whatever");

	put_runc(*state, "/srv/runc/c9/state.json", "c9", 50, 700, "/sys/fs/cgroup/c9", "/b");
	assert_false(known(*state, NULL, c));
	assert_true(known(*state, roots, c));
	assert_string_equal(c->id, "c9");
}

static void test_crun(void **state)
{
	_cleanup_(container_unrefp) struct container *c = process(70, 800, "/c3");

	put(*state, "/run/crun/c3/status",
	    "{\"pid\":70,\"process-start-time\":800,\"cgroup-path\":\"/c3\",\"bundle\":\"/srv/"
	    "c3\"}");
	put(*state, "/srv/c3/config.json", "{\"annotations\":{\"team\":\"blue\"}}");
	assert_true(known(*state, NULL, c));
	assert_string_equal(c->runtime, "crun");
	assert_string_equal(c->id, "c3");
	assert_string_equal(container_annotation(c, "team"), "blue");
}

static void test_podman(void **state)
{
	_cleanup_(container_unrefp) struct container *c =
		process(50, 700, "/libpod_parent/libpod-" ID);
	_cleanup_(container_unrefp) struct container *late = process(51, 900, "/libpod-" ID2);

	put_runc(*state, "/run/runc/" ID "/state.json", ID, 50, 700,
		 "/sys/fs/cgroup/libpod_parent/libpod-" ID,
		 "/home/u/st/overlay-containers/" ID "/userdata");
	put(*state, "/home/u/st/overlay-containers/containers.json", "[]");
	put(*state, "/home/u/st/overlay-containers/volatile-containers.json",
	    "[{\"id\":\"" ID "\",\"names\":[\"web\"],\"image\":\"84c8\",\"metadata\":"
	    "\"{\\\"image-name\\\":\\\"localhost/web:1\\\",\\\"name\\\":\\\"web\\\"}\"}]");
	assert_true(known(*state, NULL, c));
	assert_string_equal(c->name, "web");
	assert_string_equal(c->runtime, "podman");
	assert_string_equal(c->image_name, "localhost/web:1");
	assert_string_equal(c->image_id, "84c8");
	/* runc's state is gone already: the cgroup's name leads to the usual storage. */
	put(*state, "/var/lib/containers/storage/overlay-containers/containers.json",
	    "[{\"id\":\"" ID2 "\",\"names\":[\"db\"]}]");
	assert_true(known(*state, NULL, late));
	assert_string_equal(late->name, "db");
	assert_string_equal(late->id, ID2);
}

static void list_pid(void *arg, uint32_t pid, uint64_t start_ticks)
{
	assert_int_equal(start_ticks, 700);
	*(uint32_t *)arg += pid;
}

static uint32_t sum_of_listed(struct runtime_context *ctx)
{
	uint32_t sum = 0;

	for_each_registered(ig_runtimes, r)
		if ((*r)->list)
			(*r)->list(ctx, list_pid, &sum);
	return sum;
}

static void test_list(void **state)
{
	struct runtime_context ctx = {*state, states_new(*state, NULL, NULL), NULL};
	_cleanup_(freep) char *gone = xasprintf("%s/run/runc/c1/state.json", (char *)*state);

	put_runc(*state, "/run/runc/c1/state.json", "c1", 50, 700, "/c1", "/b");
	put_runc(*state, "/run/runc/c2/state.json", "c2", 51, 700, "/c2", "/b");
	put(*state, "/run/crun/c3/status", "{\"pid\":7,\"process-start-time\":700}");
	assert_int_equal(sum_of_listed(&ctx), 50 + 51 + 7);
	unlink(gone); /* what was read once is not believed for ever */
	put_runc(*state, "/run/runc/c2/state.json", "c2", 5200, 700, "/c2", "/b");
	assert_int_equal(sum_of_listed(&ctx), 5200 + 7);
	states_free(ctx.states);
}

/* A runtime with a root of its own is followed there. */
static void test_learned_root(void **state)
{
	struct runtime_context ctx = {*state, states_new(*state, NULL, NULL), NULL};
	static const char args[] = "/usr/sbin/runc\0--log=x\0--root\0/odd/place\0run\0c5";
	_cleanup_(container_unrefp) struct container *c = process(50, 700, "/x");
	struct clues clues = {.pid = 50};
	struct cmdline line;

	put_runc(*state, "/odd/place/c5/state.json", "c5", 50, 700, "/sys/fs/cgroup/c5", "/b");
	assert_false(identify(&ctx, c, &clues));
	assert_true(cmdline_parse(args, sizeof(args), &line));
	assert_string_equal(line.root, "/odd/place");
	states_learn(ctx.states, line.root);
	clues.found_boot_ns = UINT64_MAX;
	assert_true(identify(&ctx, c, &clues));
	assert_string_equal(c->id, "c5");
	states_free(ctx.states);
}

static void test_cmdline(void **state)
{
	static const char shim[] =
		"/usr/bin/containerd-shim-runc-v2\0-namespace\0k8s.io\0-id\0abc\0"
		"-address\0/run/c.sock";
	static const char conmon[] = "conmon\0--api-version\0"
				     "1\0-c\0ID\0-n\0web\0-b\0/b/ID/userdata";
	static const char cut[] = {'r', 'u', 'n', 'c', 0, '-', '-',
				   'r', 'o', 'o', 't', 0, '/', 'a'};
	struct cmdline line;

	assert_true(cmdline_parse(shim, sizeof(shim), &line));
	assert_string_equal(line.namespace_, "k8s.io");
	assert_string_equal(line.id, "abc");
	assert_string_equal(line.address, "/run/c.sock");
	assert_true(cmdline_parse(conmon, sizeof(conmon), &line));
	assert_string_equal(line.name, "web");
	assert_string_equal(line.bundle, "/b/ID/userdata");
	assert_true(cmdline_parse(cut, sizeof(cut), &line));
	assert_null(line.root); /* its end is missing: it may be another */
	assert_false(cmdline_parse("bash\0--root\0/x", 14, &line));
	assert_false(cmdline_parse("", 0, &line));
}

static void count_text(void *ctx, const char *text)
{
	assert_non_null(strstr(text, "/run/runc/"));
	++*(unsigned int *)ctx;
}

/* Files that are broken are counted, each once, and a few of them are told of. */
static void test_broken_files(void **state)
{
	unsigned int told = 0;
	struct trouble *t = trouble_new(count_text, &told);
	struct runtime_context ctx = {*state, states_new(*state, NULL, t), t};

	for (unsigned int i = 0; i < 30; i++) {
		_cleanup_(freep) char *path = xasprintf("/run/runc/bad%u/state.json", i);

		put(*state, path, i % 2 ? "{" : "[]");
	}
	put_runc(*state, "/run/runc/good/state.json", "good", 50, 700, "/good", "/b");
	assert_int_equal(sum_of_listed(&ctx), 50);
	assert_int_equal(trouble_count(t), 30);
	assert_in_range(told, 1, 29);
	assert_int_equal(trouble_file(t, "/run/runc/gone", -ENOENT), -ENOENT); /* is no trouble */
	assert_int_equal(trouble_count(t), 30);
	states_free(ctx.states);
	trouble_free(t);
}

/* A containerd's container that no state of an OCI runtime tells of: by its bundle. */
static void test_containerd_bundle(void **state)
{
	_cleanup_(container_unrefp) struct container *c = process(50, 700, "/kubepods/podU/" ID);

	put(*state, "/run/containerd/io.containerd.runtime.v2.task/k8s.io/" ID "/init.pid", "50");
	put(*state, "/run/containerd/io.containerd.runtime.v2.task/k8s.io/" ID "/config.json",
	    "{\"annotations\":{\"io.kubernetes.cri.container-name\":\"web\","
	    "\"io.kubernetes.cri.container-type\":\"container\","
	    "\"io.kubernetes.cri.image-name\":\"img:2\",\"io.kubernetes.cri.sandbox-id\":\"s\","
	    "\"io.kubernetes.cri.sandbox-name\":\"pod-1\","
	    "\"io.kubernetes.cri.sandbox-namespace\":\"prod\","
	    "\"io.kubernetes.cri.sandbox-uid\":\"u-1\"}}");
	assert_true(known(*state, NULL, c));
	assert_string_equal(c->runtime, "containerd");
	assert_string_equal(c->name, "web");
	assert_string_equal(c->k8s_container, "web");
	assert_string_equal(c->k8s_pod, "pod-1");
	assert_string_equal(c->k8s_namespace, "prod");
	assert_string_equal(c->k8s_pod_uid, "u-1");
	assert_string_equal(c->image_name, "img:2");
	assert_false(c->sandbox);
}

#define CRIO "io.kubernetes.cri-o."
#define CRIO_DIR "/run/containers/storage/overlay-containers/"

/* Keys and shapes of values are those of `crictl inspect` and `inspectp`, as people have recorded
 * them with CRI-O of 2020, 2022 and 2023; ids and names are ours. */
static void put_crio(const char *root, const char *name, const char *image_ref,
		     const char *container, const char *sandbox)
{
	_cleanup_(freep) char *of_container = xasprintf(
		"{\"annotations\":{\"io.container.manager\":\"cri-o\",%s"
		"\"" CRIO "ContainerType\":\"container\",\"" CRIO "ContainerID\":\"" ID "\","
		"\"" CRIO "Image\":\"quay.io/app:1\",\"" CRIO "ImageName\":\"quay.io/app:1\","
		"\"" CRIO "ImageRef\":\"%s\",\"" CRIO "IP.0\":\"10.0.0.7\","
		"\"" CRIO "Metadata\":\"{\\\"name\\\":\\\"%s\\\"}\","
		"\"" CRIO "Labels\":\"{\\\"tier\\\":\\\"back\\\"}\","
		"\"" CRIO "Name\":\"k8s_%s_p_ns_u_0\",\"" CRIO "SandboxName\":\"k8s_p_ns_u_0\","
		"\"" CRIO "SandboxID\":\"" ID2 "\",\"" CRIO "TTY\":\"false\"}}",
		container, image_ref, name, name);
	_cleanup_(freep) char *of_sandbox = xasprintf(
		"{\"annotations\":{\"io.container.manager\":\"cri-o\","
		"\"io.kubernetes.container.name\":\"POD\",\"app\":\"web\","
		"\"" CRIO "ContainerType\":\"sandbox\",\"" CRIO "ContainerID\":\"" ID2 "\","
		"\"" CRIO "SandboxID\":\"" ID2 "\",\"" CRIO "KubeName\":\"p\","
		"\"" CRIO "Namespace\":\"ns\",\"" CRIO "HostNetwork\":\"false\","
		"\"" CRIO "ContainerName\":\"k8s_POD_p_ns_u_0\","
		"\"" CRIO "IP.0\":\"10.0.0.7\",\"" CRIO "Metadata\":\"%s\","
		"\"" CRIO "Labels\":\"{\\\"app\\\":\\\"web\\\","
		"\\\"io.kubernetes.container.name\\\":\\\"POD\\\"}\"}}",
		sandbox);

	put(root, "/run/crun/" ID "/status",
	    "{\"pid\":50,\"process-start-time\":700,\"bundle\":\"" CRIO_DIR ID "/userdata\"}");
	put(root, CRIO_DIR ID "/userdata/config.json", of_container);
	put(root, CRIO_DIR ID2 "/userdata/config.json", of_sandbox);
}

static void expect_crio(const char *root, struct container *c)
{
	assert_true(known(root, NULL, c));
	assert_string_equal(c->runtime, "cri-o");
	assert_string_equal(c->name, "app");
	assert_string_equal(c->k8s_container, "app");
	assert_string_equal(c->k8s_pod, "p");
	assert_string_equal(c->k8s_namespace, "ns");
	assert_string_equal(c->k8s_pod_uid, "u");
	assert_string_equal(c->k8s_pod_ip, "10.0.0.7");
	assert_string_equal(c->image_name, "quay.io/app:1");
	assert_int_equal(c->k8s_labels.n, 1); /* the pod's, which stand in the sandbox's */
	assert_string_equal(labels_get(&c->k8s_labels, "app"), "web");
	assert_false(c->sandbox);
}

static void test_crio(void **state)
{
	_cleanup_(container_unrefp) struct container *c =
		process(50, 700, "/kubepods-podu.slice/crio-" ID ".scope");

	put_crio(*state, "app", "5f1d",
		 "\"io.kubernetes.container.name\":\"app\",\"io.kubernetes.pod.name\":\"p\","
		 "\"io.kubernetes.pod.namespace\":\"ns\",\"io.kubernetes.pod.uid\":\"u\",",
		 "{\\\"Name\\\":\\\"p\\\",\\\"UID\\\":\\\"u\\\",\\\"Namespace\\\":\\\"ns\\\","
		 "\\\"Attempt\\\":0}");
	expect_crio(*state, c);
	assert_string_equal(c->image_id, "5f1d");
	assert_null(c->image_digest);
}

/* Of crictl: no label has the names. */
static void test_crio_without_kubelet(void **state)
{
	_cleanup_(container_unrefp) struct container *c =
		process(50, 700, "/pod_1.slice/crio-" ID ".scope");

	put_crio(*state, "app", "docker.io/library/app@sha256:19", "",
		 "{\\\"name\\\":\\\"p\\\",\\\"uid\\\":\\\"u\\\",\\\"namespace\\\":\\\"ns\\\","
		 "\\\"attempt\\\":1}");
	expect_crio(*state, c);
	assert_null(c->image_id);
	assert_string_equal(c->image_digest, "sha256:19");
}

static void test_crio_sandbox(void **state)
{
	_cleanup_(container_unrefp) struct container *c =
		process(60, 800, "/pod_1.slice/crio-" ID2 ".scope");

	put_crio(*state, "app", "5f1d", "",
		 "{\\\"name\\\":\\\"p\\\",\\\"uid\\\":\\\"u\\\",\\\"namespace\\\":\\\"ns\\\","
		 "\\\"attempt\\\":1}");
	put(*state, "/run/crun/" ID2 "/status",
	    "{\"pid\":60,\"process-start-time\":800,\"bundle\":\"" CRIO_DIR ID2 "/userdata\"}");
	assert_true(known(*state, NULL, c));
	assert_true(c->sandbox);
	assert_string_equal(c->k8s_pod, "p");
	assert_string_equal(c->k8s_namespace, "ns");
	assert_string_equal(c->k8s_pod_uid, "u");
	assert_null(c->k8s_container);
	assert_string_equal(labels_get(&c->k8s_labels, "app"), "web");
}

static void test_docker(void **state)
{
	_cleanup_(container_unrefp) struct container *c = process(50, 700, "/docker/" ID);

	put(*state, "/var/lib/docker/containers/" ID "/config.v2.json",
	    "{\"Name\":\"/db\",\"Image\":\"sha256:77\",\"Config\":{\"Image\":\"db:3\","
	    "\"Labels\":{\"team\":\"blue\"}}}");
	assert_true(known(*state, NULL, c));
	assert_string_equal(c->runtime, "docker");
	assert_string_equal(c->id, ID);
	assert_string_equal(c->name, "db");
	assert_string_equal(c->image_name, "db:3");
	assert_string_equal(c->image_id, "sha256:77");
	assert_string_equal(labels_get(&c->labels, "team"), "blue");
	assert_null(c->k8s_pod);
}

/* ---- the host's files ------------------------------------------------------------ */

static void test_stays_in_root(void **state)
{
	_cleanup_(freep) char *link = xasprintf("%s/etc", (char *)*state);
	_cleanup_(buf_done) struct buf b = {.max = 100}, big = {.max = 3};

	put(*state, "/inside", "host");
	assert_int_equal(symlink("/../../../../inside", link), 0);
	assert_int_equal(host_read(*state, "/etc", &b), 0); /* a link's `/` is the host's root */
	assert_string_equal(b.data, "host");
	assert_int_equal(host_read(*state, "/inside", &big), -EFBIG);
	assert_int_equal(host_read(*state, "/", &b), -EINVAL);
	assert_int_equal(host_read(*state, "/none", &b), -ENOENT);
}

static void test_pipe_in_place_of_file(void **state)
{
	_cleanup_(freep) char *pipe = xasprintf("%s/state.json", (char *)*state);
	_cleanup_(buf_done) struct buf b = {.max = 100};

	assert_int_equal(mkfifo(pipe, 0600), 0);
	assert_int_equal(host_read(*state, "/state.json", &b), -EINVAL); /* and it did not wait */
}

int main(void)
{
#define IN_ROOT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_id),
		IN_ROOT(test_runc),
		IN_ROOT(test_not_by_reused_pid),
		IN_ROOT(test_by_cgroup),
		IN_ROOT(test_extra_root),
		IN_ROOT(test_crun),
		IN_ROOT(test_podman),
		IN_ROOT(test_list),
		IN_ROOT(test_learned_root),
		cmocka_unit_test(test_cmdline),
		IN_ROOT(test_broken_files),
		IN_ROOT(test_containerd_bundle),
		IN_ROOT(test_crio),
		IN_ROOT(test_crio_without_kubelet),
		IN_ROOT(test_crio_sandbox),
		IN_ROOT(test_docker),
		IN_ROOT(test_stays_in_root),
		IN_ROOT(test_pipe_in_place_of_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
