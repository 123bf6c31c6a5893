// SPDX-License-Identifier: Apache-2.0
/* kube/names: pods and services as a server lists and tells them, pages of many, and refusals. */
#include "kube/names.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/reactor.h"
#include "containers/addresses.h"
#include "kube/server.h"

/* A server that is asked by one reflector, and answers when the test says so. */
struct fake {
	struct kube_server server; /* first */
	struct lab *lab;
	bool asked;
	char *path;
	struct kube_request q;
};

struct lab {
	struct reactor *reactor;
	struct fake *fakes[16];
	size_t n;
	char said[2000];
	size_t n_said;
	struct kube_names *names;
};

static int ask(struct kube_server *s, const struct kube_request *q, struct err *err)
{
	struct fake *f = (struct fake *)s;

	free(f->path);
	f->path = xstrdup(q->path);
	f->q = *q;
	f->asked = true;
	return 0;
}

static void cancel(struct kube_server *s)
{
	((struct fake *)s)->asked = false;
}

static void forsake(struct kube_server *s)
{
}

static void free_fake(struct kube_server *s)
{
	struct fake *f = (struct fake *)s;

	for (size_t i = 0; i < f->lab->n; i++)
		if (f->lab->fakes[i] == f)
			f->lab->fakes[i] = NULL;
	free(f->path);
	free(f);
}

static struct kube_server *new_fake(void *ctx)
{
	static const struct kube_server_ops ops = {ask, cancel, forsake, free_fake};
	struct lab *lab = ctx;
	struct fake *f = xnew(struct fake);

	*f = (struct fake){.server = {&ops}, .lab = lab};
	assert_true(lab->n < array_size(lab->fakes));
	lab->fakes[lab->n++] = f;
	return &f->server;
}

static void on_warning(void *ctx, const char *text)
{
	struct lab *lab = ctx;

	snprintf(lab->said, sizeof(lab->said), "%s", text);
	lab->n_said++;
}

static void open_lab(struct lab *lab, const char *const *namespaces, size_t n, bool labels)
{
	*lab = (struct lab){0};
	assert_int_equal(reactor_new(&lab->reactor, NULL), 0);
	lab->names = kube_names_new(&(struct kube_names_options){.reactor = lab->reactor,
								 .server = new_fake,
								 .namespaces = namespaces,
								 .n_namespaces = n,
								 .labels = labels,
								 .warn = on_warning,
								 .ctx = lab});
}

static void close_lab(struct lab *lab)
{
	kube_names_free(lab->names);
	for (size_t i = 0; i < lab->n; i++)
		assert_null(lab->fakes[i]);
	reactor_free(lab->reactor);
}

/* Waits until one with such a path is asked. */
static struct fake *asked(struct lab *lab, const char *path)
{
	struct pollfd p = {.fd = reactor_fd(lab->reactor), .events = POLLIN};

	for (;;) {
		for (size_t i = 0; i < lab->n; i++)
			if (lab->fakes[i] && lab->fakes[i]->asked &&
			    strstr(lab->fakes[i]->path, path))
				return lab->fakes[i];
		if (poll(&p, 1, 20000) <= 0)
			fail_msg("nobody asked for %s", path);
		reactor_dispatch(lab->reactor);
	}
}

static void answer(struct lab *lab, const char *path, unsigned int status, const char *text)
{
	struct fake *f = asked(lab, path);
	_cleanup_(buf_done) struct buf body = {.max = 64u << 20};

	buf_str(&body, text);
	assert_true(body.len <= f->q.max_body);
	f->asked = false;
	f->q.done(f->q.ctx, NULL, status, &body);
}

static void tell(struct lab *lab, const char *path, const char *event)
{
	struct fake *f = asked(lab, path);

	f->q.on_part(f->q.ctx, event, strlen(event));
}

/* "KIND NAMESPACE/NAME"; "": nobody's */
static void expect(const struct lab *lab, const char *address, const char *whose)
{
	static const char *const kinds[] = {[KUBE_POD] = "pod", [KUBE_SERVICE] = "svc"};
	struct kube_holder h;
	char found[200] = "";
	g_addr parsed;

	assert_true(addresses_parse(address, parsed));
	if (kube_addresses_find(kube_names_addresses(lab->names), parsed, &h))
		snprintf(found, sizeof(found), "%s %s/%s", kinds[h.kind], h.namespace_, h.name);
	assert_string_equal(found, whose);
}

#define LIST(items) "{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[" items "]}"
#define META(name) "\"metadata\":{\"namespace\":\"shop\",\"name\":\"" name "\"}"
#define POD(name, spec, status) "{" META(name) ",\"spec\":{" spec "},\"status\":{" status "}}"
#define IP(address) "\"podIP\":\"" address "\""
#define SERVICE(name, spec) "{" META(name) ",\"spec\":{" spec "}}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"

static void test_who_has_addresses(void **state)
{
	struct lab lab;

	open_lab(&lab, NULL, 0, false);
	answer(&lab, "/api/v1/pods?", 200,
	       LIST(POD("web", "", IP("10.0.0.1")) "," /* one of before 1.16 */
		    POD("both", "",
			"\"phase\":\"Running\"," IP(
				"10.0.0.2") ",\"podIPs\":[{\"ip\":\"10.0.0.2\"},"
					    "{\"ip\":\"fd00::2\"}]") "," POD("done", "",
									     "\"phase\":"
									     "\"Succeeded\""
									     "," IP("10.0.0."
										    "3")) "," POD("fell",
												  "",
												  "\"phase\":\"Failed\"," IP(
													  "10.0.0.4")) "," POD("host",
															       "\"hostNetwork\":true",
															       IP("10.0.0.5")) "," POD("new",
																		       "",
																		       "\"phase\":\"Pending\"") "," POD("odd",
																							"",
																							"\"podIP\":7,\"podIPs\":{}") ",7,{}," POD("odder",
																												  "",
																												  IP("10.0.0.256"))));
	assert_false(kube_names_complete(lab.names));
	answer(&lab, "/api/v1/services?", 200,
	       LIST(SERVICE(
		       "web",
		       "\"clusterIP\":\"10.96.0.1\",\"clusterIPs\":[\"10.96.0.1\","
		       "\"fd00:96::1\"]") "," SERVICE("old",
						      "\"clusterIP\":\"10.96.0."
						      "2\"") "," SERVICE("headl"
									 "ess",
									 "\"clu"
									 "sterI"
									 "P\":"
									 "\"Non"
									 "e\","
									 "\"clu"
									 "sterI"
									 "Ps\":"
									 "[\"No"
									 "ne\""
									 "]") "," SERVICE("outside",
											  "\"type\""
											  ":\"Exter"
											  "nalName"
											  "\"")));
	assert_true(kube_names_complete(lab.names));
	assert_int_equal(kube_addresses_count(kube_names_addresses(lab.names)), 4);
	expect(&lab, "10.0.0.1", "pod shop/web");
	expect(&lab, "10.0.0.2", "pod shop/both");
	expect(&lab, "fd00::2", "pod shop/both");
	expect(&lab, "10.0.0.5", "");
	expect(&lab, "10.96.0.1", "svc shop/web");
	expect(&lab, "fd00:96::1", "svc shop/web");
	expect(&lab, "10.96.0.2", "svc shop/old");

	tell(&lab, "/api/v1/pods?",
	     EVENT("ADDED", POD("new", "", IP("10.0.0.9")))
		     EVENT("MODIFIED", POD("web", "", "\"phase\":\"Failed\"," IP("10.0.0.1")))
			     EVENT("DELETED", POD("both", "", IP("10.0.0.2"))));
	expect(&lab, "10.0.0.9", "pod shop/new");
	expect(&lab, "10.0.0.1", "");
	expect(&lab, "fd00::2", "");
	tell(&lab, "/api/v1/services?",
	     EVENT("DELETED", SERVICE("web", "\"clusterIP\":\"10.96.0.1\"")));
	expect(&lab, "10.96.0.1", "");
	assert_int_equal(lab.n_said, 0);
	close_lab(&lab);
}

/* No cluster has such a name: it costs nothing. */
static void test_endless_name(void **state)
{
	static char name[100000], event[sizeof(name) + 200];
	struct lab lab;

	memset(name, 'x', sizeof(name) - 1);
	snprintf(event, sizeof(event),
		 "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"namespace\":\"a\",\"name\":\"%"
		 "s\"},"
		 "\"status\":{" IP("10.0.0.1") "}}}\n",
		 name);
	open_lab(&lab, NULL, 0, false);
	answer(&lab, "/pods?", 200, LIST(""));
	asked(&lab, "&watch=true");
	tell(&lab, "/pods?", event);
	expect(&lab, "10.0.0.1", "");
	close_lab(&lab);
}

/* The place in history is gone: listed anew, those that are in no list are gone as well. */
static void test_relist(void **state)
{
	struct lab lab;

	open_lab(&lab, NULL, 0, false);
	answer(&lab, "/pods?", 200,
	       LIST(POD("one", "", IP("10.0.0.1")) "," POD("two", "", IP("10.0.0.2"))));
	asked(&lab,
	      "/pods?fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed&watch");
	answer(&lab, "/pods?", 410, "{\"message\":\"too old\"}");
	answer(&lab, "/services?", 500, "{\"message\":\"etcd\"}");
	assert_int_equal(lab.n_said, 1);
	expect(&lab, "10.0.0.1", "pod shop/one");
	answer(&lab, "/pods?", 200, LIST(POD("two", "", IP("10.0.0.2"))));
	assert_int_equal(lab.n_said, 1);
	answer(&lab, "/services?", 200, LIST(""));
	expect(&lab, "10.0.0.1", "");
	expect(&lab, "10.0.0.2", "pod shop/two");
	assert_string_equal(lab.said, "names of pods and services are told again");
	close_lab(&lab);
}

static void test_labels_are_kept_on_demand(void **state)
{
	for (int wanted = 0; wanted < 2; wanted++) {
		struct kube_holder h;
		struct lab lab;
		g_addr address;

		open_lab(&lab, NULL, 0, wanted);
		answer(&lab, "/pods?", 200,
		       LIST("{\"metadata\":{\"namespace\":\"a\",\"name\":\"b\",\"labels\":{\"app\":"
			    "\"web\",\"x\":7}},\"status\":{\"podIP\":\"10.0.0.1\"}}"));
		addresses_parse("10.0.0.1", address);
		assert_true(kube_addresses_find(kube_names_addresses(lab.names), address, &h));
		assert_int_equal(h.labels_len, wanted ? sizeof("app=web") : 0);
		if (wanted)
			assert_string_equal(h.labels, "app=web");
		close_lab(&lab);
	}
}

/* What is refused of all is asked for in the namespaces; it is said once, whatever is refused. */
static void test_refusals(void **state)
{
	static const char forbidden[] = "{\"message\":\"pods is forbidden\"}";
	static const char *const namespaces[] = {"shop", "bank"};
	struct lab lab;

	open_lab(&lab, namespaces, 2, false);
	answer(&lab, "/api/v1/pods?", 500, "{}");
	assert_non_null(strstr(lab.said, "missing, or old"));
	answer(&lab, "/api/v1/pods?", 403, forbidden);
	answer(&lab, "/api/v1/services?", 200, LIST(""));
	assert_false(kube_names_complete(lab.names));
	answer(&lab, "/api/v1/namespaces/shop/pods?", 200, LIST(POD("web", "", IP("10.0.0.1"))));
	answer(&lab, "/api/v1/namespaces/bank/pods?", 403, forbidden);
	asked(&lab,
	      "shop/"
	      "pods?fieldSelector=status.phase%21%3DSucceeded%2Cstatus.phase%21%3DFailed&watch");
	assert_true(kube_names_complete(lab.names));
	expect(&lab, "10.0.0.1", "pod shop/web");
	assert_int_equal(lab.n_said, 2);
	assert_non_null(strstr(lab.said, "pods is forbidden"));
	answer(&lab, "/api/v1/services?", 403, "{}"); /* the right was taken away */
	asked(&lab, "/shop/services?");
	asked(&lab, "/bank/services?");
	assert_int_equal(lab.n_said, 2);
	close_lab(&lab);
}

/* ---- many pods ------------------------------------------------------------------- */

enum { PODS = 50000 };

/* A page as a server gives it, each pod with kilobytes that are of no interest. */
static void give_page(struct lab *lab, size_t *next)
{
	static char filler[3000];
	struct fake *f = asked(lab, "/api/v1/pods?");
	_cleanup_(buf_done) struct buf body = {.max = 64u << 20};
	const char *limit = strstr(f->path, "&limit=");
	size_t n = (size_t)atol(limit + strlen("&limit=")),
	       end = *next + n < PODS ? *next + n : PODS;

	assert_true(n > 0 && n <= 500);
	memset(filler, 'x', sizeof(filler) - 1);
	buf_str(&body, "{\"items\":[");
	for (size_t i = *next; i < end; i++)
		buf_printf(&body,
			   "%s{\"metadata\":{\"namespace\":\"team-%zu\",\"name\":\"service-%zu-"
			   "6d4f-%05zx\","
			   "\"managedFields\":\"%s\"},\"status\":{\"podIP\":\"10.%zu.%zu.%zu\"}}",
			   i > *next ? "," : "", i / 500, i / 20, i, filler, i >> 16, i >> 8 & 255,
			   i & 255);
	buf_printf(&body, "],\"metadata\":{\"resourceVersion\":\"1\",\"continue\":\"%s\"}}",
		   end < PODS ? "more" : "");
	*next = end;
	f->asked = false;
	f->q.done(f->q.ctx, NULL, 200, &body);
}

static void test_50000_pods(void **state)
{
	struct lab lab;
	size_t n = 0;

	open_lab(&lab, NULL, 0, false);
	while (n < PODS)
		give_page(&lab, &n);
	asked(&lab, "&watch=true");
	assert_int_equal(kube_addresses_count(kube_names_addresses(lab.names)), PODS);
	expect(&lab, "10.0.195.79", "pod team-99/service-2499-6d4f-0c34f");
	print_message("%d pods: %.1f MB\n", PODS,
		      (double)kube_addresses_bytes(kube_names_addresses(lab.names)) / 1e6);
	assert_true(kube_addresses_bytes(kube_names_addresses(lab.names)) < 15000000);
	close_lab(&lab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_has_addresses),
		cmocka_unit_test(test_endless_name),
		cmocka_unit_test(test_relist),
		cmocka_unit_test(test_labels_are_kept_on_demand),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_50000_pods),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
