// SPDX-License-Identifier: Apache-2.0
/* The manager's state as JSON, for a person who looks for a fault. */
#include <bpf/bpf.h>
#include <jansson.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "manager/internal.h"
#include "traces/set.h"

static json_t *text(const char *s)
{
	json_t *t = s ? json_string(s) : json_null();

	return t ?: json_string("(not UTF-8)");
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static void put(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

static void add_container(void *ctx, struct container *c)
{
	json_t *o = json_object();

	put(o, "id", text(c->id));
	put(o, "name", text(c->name));
	put(o, "runtime", text(c->runtime));
	put(o, "namespace", text(c->k8s_namespace));
	put(o, "pod", text(c->k8s_pod));
	put(o, "container", text(c->k8s_container));
	put(o, "pid", number(c->pid));
	put(o, "cgroupId", number(c->cgroup_id));
	put(o, "cgroup", text(c->cgroup_path));
	put(o, "mntns", number(c->mntns));
	put(o, "netns", number(c->netns));
	put(o, "resolved", json_boolean(c->resolved));
	put(o, "pending", json_boolean(c->pending));
	put(o, "ended", json_boolean(c->ended));
	json_array_append_new(ctx, o);
}

/* ---- tracers --------------------------------------------------------------------- */

static void add_name(void *ctx, struct container *c)
{
	json_array_append_new(ctx, text(c->name));
}

/* The whole of a map of u64 to u64 or u32, as pairs. */
static json_t *map_contents(int fd)
{
	json_t *all = json_array();
	uint64_t key, next, value = 0;
	bool more = !bpf_map_get_next_key(fd, NULL, &next);

	while (more) {
		key = next;
		value = 0;
		if (!bpf_map_lookup_elem(fd, &key, &value)) {
			json_t *pair = json_array();

			json_array_append_new(pair, number(key));
			json_array_append_new(pair, number(value));
			json_array_append_new(all, pair);
		}
		more = !bpf_map_get_next_key(fd, &key, &next);
	}
	return all;
}

static void add_queue(void *ctx, size_t queued)
{
	json_array_append_new(ctx, number(queued));
}

static void add_tracer(void *ctx, struct tracer *t)
{
	json_t *o = json_object(), *matches = json_array(), *queues = json_array();
	const struct set *s = tracer_set(t);

	set_each(s, add_name, matches);
	put(o, "id", text(tracer_id(t)));
	put(o, "selector", json_loads(tracer_selector_text(t), 0, NULL));
	put(o, "containers", matches);
	put(o, "cgroupidset", map_contents(set_cgroups_fd(s)));
	put(o, "mntnsset", map_contents(set_mntns_fd(s)));
	tracer_each_reader(t, add_queue, queues);
	put(o, "readers", number(tracer_n_readers(t)));
	put(o, "queues", queues);
	put(o, "lines", number(tracer_n_lines(t)));
	json_array_append_new(ctx, o);
}

/* ---- runs ------------------------------------------------------------------------ */

static json_t *totals(struct totals n)
{
	json_t *o = json_object();

	put(o, "seen", number(n.seen));
	put(o, "delivered", number(n.delivered));
	put(o, "discarded", number(n.discarded));
	put(o, "lost", number(n.lost));
	return o;
}

static void add_total(void *ctx, struct container *c, struct totals n)
{
	json_t *o = totals(n);

	put(o, "container", c ? text(c->name) : json_null());
	json_array_append_new(ctx, o);
}

static json_t *params(const struct labels *l)
{
	json_t *o = json_object();

	for (size_t i = 0; i < l->n; i++)
		put(o, l->items[i].key, text(l->items[i].value));
	return o;
}

static void add_run(void *ctx, struct run *r)
{
	struct trace *t = run_trace(r);
	json_t *o = json_object(), *by_container = json_array();

	put(o, "id", text(run_id(r)));
	put(o, "gadget", text(run_name(r)));
	put(o, "params", params(&run_spec(r)->params));
	put(o, "tracer", text(run_tracer(r)));
	put(o, "queue", number(run_queued(r)));
	if (t) {
		put(o, "containers", number(trace_n_containers(t)));
		put(o, "totals", totals(trace_totals(t)));
		trace_each_total(t, add_total, by_container);
	}
	put(o, "byContainer", by_container);
	json_array_append_new(ctx, o);
}

static void add_instance(void *ctx, struct instance *i)
{
	struct instance_facts f;
	json_t *o = json_object(), *queues = json_array();

	instance_facts(i, &f);
	put(o, "id", text(f.id));
	put(o, "name", text(f.name));
	put(o, "image", text(f.run_spec->image));
	put(o, "run", text(f.run ? run_id(f.run) : NULL));
	put(o, "error", text(f.error));
	instance_each_reader(i, add_queue, queues);
	put(o, "readers", number(f.readers));
	put(o, "queues", queues);
	put(o, "kept", number(f.kept));
	put(o, "history", number(f.history));
	json_array_append_new(ctx, o);
}

static int append(const char *bytes, size_t n, void *ctx)
{
	buf_add(ctx, bytes, n);
	return 0;
}

void manager_dump(struct manager *m, struct buf *out)
{
	json_t *root = json_object(), *containers = json_array(), *tracers = json_array(),
	       *runs = json_array(), *instances = json_array();

	containers_each(m->containers, add_container, containers);
	manager_each_tracer(m, add_tracer, tracers);
	manager_each_run(m, add_run, runs);
	manager_each_instance(m, add_instance, instances);
	put(root, "version", text(IG_VERSION));
	put(root, "tracers", tracers);
	put(root, "instances", instances);
	put(root, "runs", runs);
	put(root, "containers", containers);
	json_dump_callback(root, append, out, JSON_INDENT(2));
	json_decref(root);
}
