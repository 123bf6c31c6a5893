// SPDX-License-Identifier: Apache-2.0
/* client/endpoints: columns that say whose addresses are, through a view, and peers in the record.
 */
#include "client/endpoints.h"

#include "columns/types.h"
#include "containers/addresses.h"
#include "kube/addresses.h"
#include "view_fixture.h"

struct flow {
	struct g_endpoint src, dst;
	struct g_peer remote;
	char tail[3]; /* of remote.kind */
};

static struct schema *flow_schema(void)
{
#define PLACE(member) \
	.offset = offsetof(struct flow, member), .size = sizeof(((struct flow *)0)->member)
	static const struct field table[] = {
		{.name = "src", .type = "struct g_endpoint", PLACE(src)},
		{.name = "src.addr", .type = "g_addr", .kind = KIND_BYTES, PLACE(src.addr)},
		{.name = "src.port", .type = "g_port", .kind = KIND_UINT, PLACE(src.port)},
		{.name = "dst", .type = "struct g_endpoint", PLACE(dst)},
		{.name = "dst.addr", .type = "g_addr", .kind = KIND_BYTES, PLACE(dst.addr)},
		{.name = "dst.port", .type = "g_port", .kind = KIND_UINT, PLACE(dst.port)},
		{.name = "remote.addr", .type = "g_addr", .kind = KIND_BYTES, PLACE(remote.addr)},
		{.name = "remote.kind",
		 .type = "g_peer_kind",
		 .kind = KIND_TEXT,
		 PLACE(remote.kind)},
		{.name = "remote.name",
		 .type = "g_peer_name",
		 .kind = KIND_TEXT,
		 PLACE(remote.name)},
		{.name = "remote.namespace",
		 .type = "g_peer_namespace",
		 .kind = KIND_TEXT,
		 PLACE(remote.namespace)},
		{.name = "remote.labels",
		 .type = "g_peer_labels",
		 .kind = KIND_LIST,
		 PLACE(remote.labels)},
	};
	struct schema *s = schema_new("flows", "flow", sizeof(struct flow));
	struct err err;

	if (schema_add_table(s, table, array_size(table), &err) || schema_finish(s, &err) ||
	    endpoints_add_fields(s, &err))
		fail_msg("%s", err.text);
	return s;
}

static struct kube_addresses *some_addresses(void)
{
	static const char labels[] = "app=web";
	static const struct kube_holder holders[] = {
		{KUBE_POD, "shop", "web-1", labels, sizeof(labels)},
		{KUBE_SERVICE, "bank", "db", NULL, 0},
	};
	struct kube_addresses *as = kube_addresses_new();
	g_addr address;

	for (size_t i = 0; i < array_size(holders); i++) {
		addresses_parse(i ? "10.0.0.2" : "10.0.0.1", address);
		kube_addresses_set(as, &holders[i], &address, 1);
	}
	return as;
}

static struct flow flow(const char *src, const char *dst, const char *remote, const char *kind)
{
	struct flow f = {.src = {.port = 40000, .version = 4}, .dst = {.port = 80, .version = 4}};

	addresses_parse(src, f.src.addr);
	addresses_parse(dst, f.dst.addr);
	addresses_parse(remote, f.remote.addr);
	memcpy(f.tail, kind, sizeof(f.tail));
	f.remote.kind = (struct g_text_place){offsetof(struct flow, tail), sizeof(f.tail)};
	return f;
}

static const char *shown(struct view_options o, enum view_source_kind kind,
			 const struct flow *flows, size_t n)
{
	static char text[4096];
	struct kube_addresses *as = some_addresses();
	struct schema *s = flow_schema();
	struct endpoints *e = endpoints_new(s);
	struct view *v;
	struct err err;
	unsigned int source;
	ssize_t got;

	o.fd = memfd_create("out", MFD_CLOEXEC);
	if (view_new(&o, &v, &err) || view_add(v, s, kind, &source, &err) || view_start(v, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < n; i++) {
		struct row row = {.part = {&flows[i]}, .size = {sizeof(flows[i])}};

		endpoints_name(e, as, &row);
		view_row(v, source, &row, false);
	}
	view_table_end(v, source);
	assert_int_equal(view_flush(v), 0);
	got = pread(o.fd, text, sizeof(text) - 1, 0);
	text[got < 0 ? 0 : got] = '\0';
	close(o.fd);
	view_free(v);
	endpoints_free(e);
	schema_unref(s);
	kube_addresses_free(as);
	return text;
}

static void test_json(void **state)
{
	struct flow f = flow("10.0.0.1", "10.0.0.2", "10.0.0.1", "raw");

	assert_string_equal(
		shown(options("json"), VIEW_STREAM, &f, 1),
		"{\"src\":{\"addr\":\"10.0.0.1\",\"port\":40000,\"k8s\":{\"kind\":\"pod\",\"name\":"
		"\"web-1\",\"namespace\":\"shop\"}},\"dst\":{\"addr\":\"10.0.0.2\",\"port\":80,"
		"\"k8s\":{\"kind\":\"svc\",\"name\":\"db\",\"namespace\":\"bank\"}},\"remote\":{"
		"\"addr\":\"10.0.0.1\",\"kind\":\"pod\",\"name\":\"web-1\",\"namespace\":\"shop\","
		"\"labels\":[\"app=web\"]}}\n");
	f = flow("10.0.0.3", "10.0.0.4", "10.0.0.2", "pod"); /* the node knows better */
	f.src.version = 0;				     /* it was not filled */
	assert_string_equal(
		shown(options("json"), VIEW_STREAM, &f, 1),
		"{\"dst\":{\"addr\":\"10.0.0.4\",\"port\":80,\"k8s\":{\"kind\":\"raw\"}},"
		"\"remote\":{\"addr\":\"10.0.0.2\",\"kind\":\"pod\",\"name\":\"\",\"namespace\":"
		"\"\","
		"\"labels\":[]}}\n");
}

static void test_columns(void **state)
{
	const struct flow flows[] = {flow("10.0.0.1", "10.0.0.2", "::", "raw"),
				     flow("fd00::1", "10.0.0.1", "::", "raw")};
	struct view_options o = options("columns");

	o.fields = "src,dst,dst.k8s.name";
	assert_string_equal(
		shown(o, VIEW_STREAM, flows, 2),
		"SRC                                  DST                                  "
		"DST.K8S.NAME\n"
		"p/shop/web-1:40000                   s/bank/db:80                         "
		"db\n"
		"[fd00::1]:40000                      p/shop/web-1:80                      "
		"web-1\n");
	o.columns = 42; /* both ends of a name say most */
	o.fields = "src,dst";
	o.no_headers = true;
	assert_string_equal(shown(o, VIEW_STREAM, flows, 1),
			    "p/shop/web-1:40000    s/bank/db:80\n");
	o.columns = 20;
	assert_string_equal(shown(o, VIEW_STREAM, flows, 1), "p/sho…0000 s/ba…b:80\n");
}

/* A table keeps what was made of a row, which the next one overwrites. */
static void test_tables_and_filters(void **state)
{
	const struct flow flows[] = {flow("10.0.0.1", "10.0.0.1", "::", "raw"),
				     flow("10.0.0.1", "10.0.0.9", "::", "raw"),
				     flow("10.0.0.1", "10.0.0.2", "::", "raw")};
	const char *filters[] = {"dst.k8s.kind!=raw"};
	struct view_options o = options("columns");

	o.fields = "dst";
	o.no_headers = true;
	o.sort = "dst.k8s.name";
	assert_string_equal(shown(o, VIEW_TABLE, flows, 3),
			    "10.0.0.9:80\ns/bank/db:80\np/shop/web-1:80\n");
	o.filters = filters;
	o.n_filters = 1;
	assert_string_equal(shown(o, VIEW_TABLE, flows, 3), "s/bank/db:80\np/shop/web-1:80\n");
	filters[0] = "dst==p/shop/web-1:80";
	assert_string_equal(shown(o, VIEW_TABLE, flows, 3), "p/shop/web-1:80\n");
}

/* Rows of a node that lies: too short, or with places that are none. */
static void test_broken_rows(void **state)
{
	struct kube_addresses *as = some_addresses();
	struct schema *s = flow_schema();
	struct endpoints *e = endpoints_new(s);
	struct flow f = flow("10.0.0.1", "10.0.0.2", "10.0.0.1", "raw");

	for (uint32_t size = 0; size <= sizeof(f); size++) {
		_cleanup_(freep) char *copy = xcalloc(1, size + 1);
		struct row row = {.part = {copy}, .size = {size}};

		memcpy(copy, &f, size);
		endpoints_name(e, as, &row);
		assert_true(row.size[PART_RECORD] >= size);
	}
	f.remote.kind.offset = UINT32_MAX;
	endpoints_name(e, as, &(struct row){.part = {&f}, .size = {sizeof(f)}});
	endpoints_name(e, as, &(struct row){0});
	endpoints_free(e);
	schema_unref(s);
	kube_addresses_free(as);
}

/* Twice adds nothing; and what has no addresses is nobody's affair. */
static void test_schemas(void **state)
{
	struct schema *s = flow_schema(), *other = schema_new("a", "b", 4);
	size_t n = s->n_fields;
	const struct field number = {.name = "n", .kind = KIND_UINT, .size = 4};
	struct schema *plain = NULL;
	_cleanup_(buf_done) struct buf json = {.max = 65536};
	struct endpoints *e;
	struct err err;

	assert_int_equal(endpoints_add_fields(s, &err), 0);
	assert_int_equal(s->n_fields, n);
	assert_non_null(schema_require(s, "dst.k8s.name", &err));
	assert_null(schema_require(s, "dst.alias", &err)); /* it is no column of its own */
	schema_to_json(s, &json);
	assert_null(strstr(json.data, "k8s"));
	assert_int_equal(schema_from_json(json.data, json.len, &plain, &err), 0);
	assert_int_equal(schema_finish(plain, &err), 0);
	assert_true(schema_same(s, plain));
	e = endpoints_new(s);
	assert_true(endpoints_want_labels(e));
	endpoints_free(e);
	assert_int_equal(schema_add(other, &number, &err) ?: schema_finish(other, &err), 0);
	assert_int_equal(endpoints_add_fields(other, &err), 0);
	assert_int_equal(other->n_fields, 1);
	assert_null(endpoints_new(other));
	schema_unref(plain);
	schema_unref(other);
	schema_unref(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_tables_and_filters),
		cmocka_unit_test(test_broken_rows),
		cmocka_unit_test(test_schemas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
