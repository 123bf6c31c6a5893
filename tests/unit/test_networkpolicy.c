// SPDX-License-Identifier: Apache-2.0
/* Network policies of rows that are made up, as tests/unit/networkpolicy/ has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "columns/labels.h"
#include "columns/report.h"
#include "columns/types.h"
#include "containers/container.h"
#include "gadget/gadget.h"

#include "../../gadgets/advise_networkpolicy/policy.h"

/* ---- rows ----------------------------------------------------------------------------------- */

enum { WEB, WEB_TOO, WEB_NEXT, DB, CACHE, BARE, AGENT, CONTAINERS, HOST_ITSELF };

struct made {
	const char *name, *namespace, *pod, *ip;
	const char *labels[4];
	bool host_network;
};

#define POD(namespace_, pod_, ip_, ...)                                                      \
	{                                                                                    \
		.name = "main", .namespace = namespace_, .pod = pod_, .ip = ip_, .labels = { \
			__VA_ARGS__                                                          \
		}                                                                            \
	}

static const struct made made[CONTAINERS] = {
	[WEB] = POD("prod", "web-5d4f8-x7k2p", "10.1.0.1", "app=web", "pod-template-hash=5d4f8"),
	[WEB_TOO] =
		POD("prod", "web-5d4f8-abcde", "10.1.0.2", "pod-template-hash=5d4f8", "app=web"),
	[WEB_NEXT] = POD("prod", "web-77777-abcde", "10.1.0.3", "app=web", "release=2",
			 "pod-template-hash=77777"),
	[DB] = POD("data", "db-0", "10.1.0.4", "app=db", "on=true",
		   "topology.kubernetes.io/zone=a"),
	[CACHE] = {.name = "Cache_1"},
	[BARE] = POD("prod", "bare", "10.1.0.5", NULL),
	[AGENT] = {.name = "agent",
		   .namespace = "kube-system",
		   .pod = "agent-xyz",
		   .labels = {"app=agent"},
		   .host_network = true},
};

struct edge {
	int by;
	bool egress;
	uint8_t proto;
	uint16_t port;
	const char *address, *kind, *name, *namespace, *labels; /* labels: "a=b\0c=d\0" */
};

enum { IN, OUT };

#define SEEN(by_, way, proto_, port_, address_, kind_, ...)                                    \
	{                                                                                      \
		.by = by_, .egress = way, .proto = proto_, .port = port_, .address = address_, \
		.kind = kind_, ##__VA_ARGS__                                                   \
	}
#define OF_POD(name_, namespace_, labels_) .name = name_, .namespace = namespace_, .labels = labels_
#define OF_DB OF_POD("db-0", "data", "app=db\0on=true\0")
#define OF_WEB OF_POD("web-5d4f8-x7k2p", "prod", "app=web\0")

static const struct edge edges[] = {
	SEEN(WEB, OUT, 6, 5432, "10.1.0.4", "pod", OF_DB),
	SEEN(WEB, OUT, 6, 5432, "fd00::4", "pod", OF_POD("db-0", "data", "on=true\0app=db\0")),
	SEEN(WEB_TOO, OUT, 6, 5432, "10.1.0.4", "pod", OF_DB),
	SEEN(WEB_TOO, OUT, 6, 443, "1.1.1.1", "raw"),
	SEEN(WEB_TOO, OUT, 6, 443, "2606:4700::1", "raw"),
	SEEN(WEB, OUT, 6, 443, "1.1.1.1", "raw"),
	SEEN(WEB, OUT, 17, 443, "1.1.1.2", "raw"),
	SEEN(WEB, OUT, 17, 53, "10.96.0.10", "raw"),
	SEEN(WEB, OUT, 17, 53, "8.8.8.8", "raw"),
	SEEN(WEB, OUT, 6, 10250, "192.168.0.1", "host"),
	SEEN(WEB, OUT, 6, 9, "127.0.0.1", "loopback"),
	SEEN(WEB, OUT, 1, 0, "10.1.0.4", "pod", OF_DB),
	SEEN(WEB, OUT, 58, 0, "fd00::99", "raw"),
	SEEN(WEB, IN, 6, 8080, "192.168.0.1", "host"),
	SEEN(WEB, IN, 6, 8080, "10.1.0.2", "pod",
	     OF_POD("web-5d4f8-abcde", "prod", "app=web\0pod-template-hash=5d4f8\0")),
	SEEN(WEB, IN, 6, 8080, "10.1.0.5", "pod", OF_POD("bare", "prod", NULL)),
	SEEN(WEB, IN, 6, 8080, "10.9.0.9", "container", .name = "Cache_1"),
	/* Asked by a service's address: only the other end knows who was meant. */
	SEEN(WEB_NEXT, OUT, 6, 80, "10.96.0.7", "raw"),
	SEEN(DB, IN, 6, 5433, "10.1.0.3", "pod",
	     OF_POD("web-77777-abcde", "prod", "app=web\0release=2\0pod-template-hash=77777\0")),
	SEEN(DB, IN, 17, 65535, "fd00::1", "raw"),
	SEEN(CACHE, IN, 6, 6379, "10.9.0.8", "container", .name = "peer \"x\""),
	SEEN(CACHE, OUT, 6, 5432, "10.1.0.4", "pod", OF_DB),
	SEEN(BARE, OUT, 6, 8080, "10.1.0.1", "pod", OF_WEB),
	SEEN(AGENT, OUT, 6, 8080, "10.1.0.1", "pod", OF_WEB),
	SEEN(HOST_ITSELF, OUT, 6, 8080, "10.1.0.1", "pod", OF_WEB),
};

static struct container *new_container(const struct made *m)
{
	struct container *c = container_new();

	c->name = xstrdup(m->name);
	c->k8s_namespace = xstrdup(m->namespace);
	c->k8s_pod = xstrdup(m->pod);
	c->k8s_pod_ip = xstrdup(m->ip);
	c->k8s_container = xstrdup(m->pod ? m->name : NULL);
	c->k8s_hostnetwork = m->host_network;
	for (size_t i = 0; i < array_size(m->labels) && m->labels[i]; i++) {
		_cleanup_(freep) char *label = xstrdup(m->labels[i]);
		char *value = strchr(label, '=');

		*value++ = '\0';
		labels_add(&c->k8s_labels, label, value);
	}
	return c;
}

static void set_bytes(const struct schema *s, struct buf *record, const char *name,
		      const void *bytes, size_t n)
{
	const struct field *f = schema_field(s, name);

	assert_non_null(f);
	assert_true(n <= f->size);
	memcpy(record->data + f->offset, bytes, n);
}

static void set_text(const struct schema *s, struct buf *record, const char *name, const char *text,
		     size_t n)
{
	g_text place = {.offset = (uint32_t)record->len, .length = (uint32_t)n};

	buf_add(record, text, n);
	set_bytes(s, record, name, &place, sizeof(place));
}

static size_t length_of_list(const char *list)
{
	size_t n = 0;

	while (list && list[n])
		n += strlen(list + n) + 1;
	return n;
}

static void make_record(const struct schema *s, const struct edge *e, struct buf *record)
{
	uint32_t direction = e->egress;
	g_addr address = {[10] = 0xff, 0xff};

	if (inet_pton(AF_INET, e->address, address + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, e->address, address), 1);
	buf_clear(record);
	buf_reserve(record, s->record_size);
	memset(record->data, 0, s->record_size + 1);
	record->len = s->record_size;
	set_bytes(s, record, "direction", &direction, sizeof(direction));
	set_bytes(s, record, "proto", &e->proto, sizeof(e->proto));
	set_bytes(s, record, "port", &e->port, sizeof(e->port));
	set_bytes(s, record, "remote.addr", address, sizeof(address));
	set_text(s, record, "remote.kind", e->kind, strlen(e->kind));
	set_text(s, record, "remote.name", e->name ?: "", strlen(e->name ?: ""));
	set_text(s, record, "remote.namespace", e->namespace ?: "", strlen(e->namespace ?: ""));
	set_text(s, record, "remote.labels", e->labels, length_of_list(e->labels));
}

/* ---- documents ------------------------------------------------------------------------------ */

/* In the order of edges[], backwards, or twice. Returns what the report does. */
static int document(const char *mode, const char *diff, bool backwards, struct buf *out,
		    struct err *err)
{
	const struct gadget_open_options with_names = {.enrich = container_add_fields};
	const struct report *report = report_find("advise_networkpolicy");
	_cleanup_(buf_done) struct buf record = {.max = MAX_RECORD_BYTES};
	struct labels options = {0};
	struct gadget *g = NULL;
	void *state = NULL;
	int r;

	if (diff)
		labels_add(&options, "diff", diff);
	assert_int_equal(gadget_open_builtin(report->gadget, &with_names, &g, NULL), 0);
	r = report->open(mode, &options, &state, err);
	for (size_t n = 0; !r && n < array_size(edges) * (backwards ? 2 : 1); n++) {
		size_t i = n % array_size(edges);
		const struct edge *e = &edges[backwards ? array_size(edges) - 1 - i : i];
		struct container *c = e->by < CONTAINERS ? new_container(&made[e->by]) : NULL;
		struct row row;

		make_record(gadget_source(g, 0)->schema, e, &record);
		row = container_row(c, record.data, (uint32_t)record.len, NULL);
		assert_int_equal(report->row(state, gadget_source(g, 0)->schema, &row, err), 0);
		container_unref(c);
	}
	r = r ?: report->write(state, 0, out, err);
	report->close(state);
	labels_done(&options);
	gadget_free(g);
	return r;
}

static char *path_of(const char *name)
{
	char file[] = __FILE__;

	return xasprintf("%s/networkpolicy/%s", dirname(file), name);
}

static void expect_file(const char *name, struct buf *got)
{
	_cleanup_(buf_done) struct buf want = {.max = MAX_REPORT_BYTES};
	_cleanup_(freep) char *path = path_of(name);

	assert_int_equal(buf_read_file(&want, AT_FDCWD, path), 0);
	if (strcmp(buf_cstr(&want), buf_cstr(got)))
		fprintf(stderr, "%s: got\n%s", path, buf_cstr(got));
	assert_string_equal(buf_cstr(&want), buf_cstr(got));
}

static void expect_document(const char *mode, const char *name)
{
	_cleanup_(buf_done) struct buf out = {.max = MAX_REPORT_BYTES};
	_cleanup_(buf_done) struct buf again = {.max = MAX_REPORT_BYTES};

	assert_int_equal(document(mode, NULL, false, &out, NULL), 0);
	expect_file(name, &out);
	assert_int_equal(document(mode, NULL, true, &again, NULL), 0);
	assert_string_equal(buf_cstr(&out), buf_cstr(&again));
}

static void for_kubernetes(void **state)
{
	expect_document("k8s", "k8s.yaml");
}

static void for_cilium(void **state)
{
	expect_document("cilium", "cilium.yaml");
}

/* ---- differences ---------------------------------------------------------------------------- */

static void none_from_their_own(void **state)
{
	static const char *const names[] = {"k8s.yaml", "cilium.yaml"};

	for (size_t i = 0; i < array_size(names); i++) {
		_cleanup_(buf_done) struct buf out = {.max = MAX_REPORT_BYTES};
		_cleanup_(freep) char *path = path_of(names[i]);

		assert_int_equal(document("k8s", path, false, &out, NULL), 0);
		assert_string_equal(buf_cstr(&out), "");
	}
}

static void from_others(void **state)
{
	_cleanup_(buf_done) struct buf out = {.max = MAX_REPORT_BYTES};
	_cleanup_(freep) char *path = path_of("others");

	assert_int_equal(document("k8s", path, false, &out, NULL), 0);
	expect_file("others.txt", &out);
}

static void what_is_no_policy(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *says;
	} cases[] = {
		{"", -ENOENT, "neither a NetworkPolicy nor"},
		{"kind: Pod\n", -ENOENT, "neither"},
		{"- a\n- b\n", -ENOENT, "neither"},
		{"a: [\n", -EBADMSG, "line 2"},
		{"kind: NetworkPolicy\n", -EBADMSG, "without a spec"},
		{"kind: NetworkPolicy\nspec:\n  ingress:\n  - from:\n    - ipBlock: {cidr: "
		 "1.2.3/4}\n",
		 -EBADMSG, "line 5: not an address"},
		{"kind: NetworkPolicy\nspec:\n  ingress:\n  - from:\n    - ipBlock: {cidr: "
		 "1.2.3.4/33}\n",
		 -EBADMSG, "not an address"},
		{"kind: NetworkPolicy\nspec: {podSelector: {matchExpressions: [{key: a, operator: "
		 "Is}]}}\n",
		 -EBADMSG, "not an expression"},
		{"kind: NetworkPolicy\nspec: &a {podSelector: *a, ingress: [*a, 5, {from: 7}]}\n",
		 0, ""},
	};

	for (size_t i = 0; i < array_size(cases); i++) {
		char path[] = "/tmp/ig-policy-XXXXXX";
		struct policy_set set = {0};
		struct err err = {0};
		int fd = mkstemp(path);

		assert_true(fd >= 0);
		assert_int_equal(write(fd, cases[i].text, strlen(cases[i].text)),
				 strlen(cases[i].text));
		close(fd);
		assert_int_equal(policy_read(path, &set, &err), cases[i].code);
		assert_non_null(strstr(err.text, cases[i].says));
		policy_set_done(&set);
		unlink(path);
	}
}

/* A file that means very much: lists that are in each other by reference. */
static void too_much(void **state)
{
	char path[] = "/tmp/ig-policy-XXXXXX";
	_cleanup_(buf_done) struct buf text = {.max = 1 << 20};
	struct policy_set set = {0};
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	buf_str(&text, "kind: NetworkPolicy\nspec:\n  ingress:\n  - from: &from [");
	for (int i = 0; i < 1000; i++)
		buf_str(&text, "{podSelector: {}},");
	buf_str(&text, "]\n");
	for (int i = 0; i < 1000; i++)
		buf_str(&text, "  - from: *from\n");
	assert_int_equal(write(fd, text.data, text.len), text.len);
	close(fd);
	assert_int_equal(policy_read(path, &set, NULL), -E2BIG);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(for_kubernetes),      cmocka_unit_test(for_cilium),
		cmocka_unit_test(none_from_their_own), cmocka_unit_test(from_others),
		cmocka_unit_test(what_is_no_policy),   cmocka_unit_test(too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
