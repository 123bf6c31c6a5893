// SPDX-License-Identifier: Apache-2.0
/*
 * Containers that somebody tells of. A runtime's hook does so while the first process is still the
 * runtime's own, in the container's cgroup: the container is in the maps before the detector could
 * see it, and at its exec the detector meets a cgroup that is known.
 */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/labels.h"
#include "containers/bundle.h"
#include "containers/internal.h"
#include "containers/kubernetes.h"
#include "containers/proc.h"

/* ---- which container? ------------------------------------------------------------ */

/* Containers in containers have names of their own. */
static struct entry *find_id(const struct entries *entries, const char *id, bool announced)
{
	struct entry *e;

	TAILQ_FOREACH(e, entries, link)
		if (e->announced == announced && !e->container->outer &&
		    str_equal(e->container->id, id))
			return e;
	return NULL;
}

/* Only a cgroup of its own is never another's. */
static struct container *by_cgroup(const struct containers *cs, const struct container_notice *n)
{
	uint64_t id = n->cgroup_id ?: n->cgroup_path ? scan_cgroup_id(cs, n->cgroup_path) : 0;
	struct container *c;

	if (!id || id == scan_cgroup_id(cs, NULL))
		return NULL;
	c = container_new();
	c->cgroup_id = id;
	c->mntns = n->mntns;
	c->netns = n->netns;
	c->started_boot_ns = proc_boot_ns();
	c->started_real_ns = boot_to_real(c->started_boot_ns);
	c->cgroup_path = xstrdup(n->cgroup_path);
	return c;
}

static int find(struct containers *cs, const struct container_notice *n, uint32_t *ret_parent,
		struct container **ret, struct err *err)
{
	struct container *c = n->pid ? scan_process(cs, n->pid, ret_parent) : by_cgroup(cs, n);
	uint64_t inum;

	*ret = c;
	if (c)
		return 0;
	if (!n->pid)
		return err_set(err, -EINVAL, "container '%s' has neither pid nor cgroup", n->id);
	if (proc_namespace(cs->proc_fd, n->pid, "mnt", &inum)) /* also of a zombie */
		return err_set(err, -ESRCH, "no process %u of container '%s'", n->pid, n->id);
	return err_set(err, -EINVAL, "process %u of container '%s' is in its parent's cgroups",
		       n->pid, n->id);
}

/* The program above it, as it was started: crun's process goes by other names. */
static void name_parent(struct containers *cs, struct entry *e)
{
	_cleanup_(buf_done) struct buf args = {.max = MAX_PROC_FILE_BYTES};
	const char *program, *slash;

	if (proc_cmdline(cs->proc_fd, e->ppid, &args))
		return;
	program = buf_cstr(&args);
	slash = strrchr(program, '/');
	snprintf(e->parent, sizeof(e->parent), "%s", slash ? slash + 1 : program);
}

/* ---- what is said of it ---------------------------------------------------------- */

static void fill_text(char **to, const char *text)
{
	if (text && *text && !*to)
		*to = xstrdup(text);
}

static void read_config(struct container *c, const char *text)
{
	struct oci_state config = {0};

	if (!text || oci_parse_config(text, strlen(text), &config))
		return;
	bundle_take_annotations(c, &config);
	oci_state_done(&config);
}

/* What is known already stays. */
static void fill(struct container *c, const struct container_notice *n)
{
	fill_text(&c->id, n->id);
	fill_text(&c->k8s_namespace, n->namespace_);
	fill_text(&c->k8s_pod, n->pod);
	fill_text(c->k8s_pod ? &c->k8s_container : &c->name, n->name);
	read_config(c, n->oci_config);
	kubernetes_fill(c, &c->annotations);
	if (n->labels)
		labels_merge(c->k8s_pod ? &c->k8s_labels : &c->labels, n->labels);
}

/* ---- both ------------------------------------------------------------------------ */

static int exists(const struct container_notice *n, struct err *err)
{
	return err_set(err, -EEXIST, "container '%s' is known already", n->id);
}

static int ended(const struct container_notice *n, struct err *err)
{
	return err_set(err, -ESRCH, "the process of container '%s' has ended", n->id);
}

/* The detector or a look at /proc was faster; nobody has announced it yet. */
static int join(struct containers *cs, uint64_t key, const struct container_notice *n,
		struct err *err)
{
	struct entry *e = slots_entry(&cs->slots, key);

	if (e && e->container->ended && e->init_pid == n->pid)
		return ended(n, err);
	if (!e || e->announced || e->container->ended)
		return exists(n, err);
	e->announced = true;
	fill(e->container, n);
	resolve_more(cs, e);
	return 0;
}

int containers_announce(struct containers *cs, const struct container_notice *n, struct err *err)
{
	_cleanup_(container_unrefp) struct container *c = NULL;
	uint32_t parent = 0;
	struct entry *e;
	uint64_t key;
	int r;

	if (!n->id || !*n->id)
		return err_set(err, -EINVAL, "a container without an id");
	containers_dispatch(cs); /* what was seen before is told before */
	if (find_id(&cs->live, n->id, true))
		return exists(n, err);
	r = find(cs, n, &parent, &c, err);
	if (r)
		return r;
	if (scan_is_known(cs, c, true, &key))
		return join(cs, key, n, err);
	fill(c, n);
	r = scan_enter(cs, take(c), &e);
	if (r == -EEXIST)
		return exists(n, err);
	if (r == -ESRCH)
		return ended(n, err);
	if (r)
		return err_set(err, r, "container '%s': too many containers", n->id);
	e->sure = e->announced = true;
	e->ppid = parent;
	name_parent(cs, e);
	resolve_now(cs, e);
	return 0;
}

int containers_retract(struct containers *cs, const char *id, struct err *err)
{
	struct entry *e;

	if (!id || !*id)
		return err_set(err, -EINVAL, "a container without an id");
	containers_dispatch(cs);
	e = find_id(&cs->live, id, true) ?: find_id(&cs->live, id, false);
	if (e) {
		entry_end(cs, e, proc_boot_ns());
		return 0;
	}
	if (find_id(&cs->ended, id, true) || find_id(&cs->ended, id, false))
		return 0;
	return err_set(err, -ENOENT, "no container '%s'", id);
}
