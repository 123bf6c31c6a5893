// SPDX-License-Identifier: Apache-2.0
/* From rows to subjects, peers and edges. */
#include <arpa/inet.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/parse.h"
#include "columns/report_groups.h"
#include "policy.h"

/* ---- addresses ------------------------------------------------------------------------------ */

bool policy_is_ipv4(const g_addr address)
{
	static const g_addr mapped = {[10] = 0xff, 0xff};

	return !memcmp(address, mapped, 12);
}

void policy_address(const g_addr address, struct buf *out)
{
	bool v4 = policy_is_ipv4(address);
	char text[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, address + (v4 ? 12 : 0), text, sizeof(text));
	buf_printf(out, "%s/%d", text, v4 ? 32 : 128);
}

bool policy_parse_address(const char *text, g_addr ret)
{
	static const g_addr mapped = {[10] = 0xff, 0xff};

	if (inet_pton(AF_INET6, text, ret) == 1)
		return true;
	memcpy(ret, mapped, sizeof(mapped));
	return inet_pton(AF_INET, text, ret + 12) == 1;
}

/* Where a cluster has its services: RFC 1918, 6598 and 4193. */
static bool is_private(const g_addr address)
{
	const unsigned char *v4 = address + 12;

	if (!policy_is_ipv4(address))
		return (address[0] & 0xfe) == 0xfc;
	return v4[0] == 10 || (v4[0] == 172 && (v4[1] & 0xf0) == 16) ||
	       (v4[0] == 192 && v4[1] == 168) || (v4[0] == 100 && (v4[1] & 0xc0) == 64);
}

/* ---- pods ----------------------------------------------------------------------------------- */

/* Labels that are not a workload's own: of one revision, one pod, one place. */
static bool is_of_one_pod(const char *key)
{
	static const char *const keys[] = {
		"pod-template-hash",
		"controller-revision-hash",
		"pod-template-generation",
		"controller-uid",
		"job-name",
		"batch.kubernetes.io/controller-uid",
		"batch.kubernetes.io/job-name",
		"batch.kubernetes.io/job-completion-index",
		"statefulset.kubernetes.io/pod-name",
		"apps.kubernetes.io/pod-index",
	};

	for (size_t i = 0; i < array_size(keys); i++)
		if (!strcmp(key, keys[i]))
			return true;
	return str_starts(key, "topology.kubernetes.io/");
}

static void add_label(struct pods *p, const char *key, const char *value)
{
	if (!is_of_one_pod(key))
		labels_add(&p->labels, key, value);
}

/* Of containers in no pod: theirs is a label that a pod may be given. */
static void label_by_name(struct pods *p, const char *name)
{
	struct report_group group = {.name = (char *)name};
	_cleanup_(buf_done) struct buf value = {.max = 64};

	report_object_name(&group, &value);
	labels_add(&p->labels, "app.kubernetes.io/name", buf_cstr(&value));
}

static void pods_done(struct pods *p)
{
	free(p->namespace);
	labels_done(&p->labels);
}

static char *pods_key(const struct pods *p)
{
	_cleanup_(buf_done) struct buf key = {.max = MAX_RECORD_BYTES};

	buf_printf(&key, "p%s\n", p->namespace ?: "");
	for (size_t i = 0; i < p->labels.n; i++)
		buf_printf(&key, "%s=%s\n", p->labels.items[i].key, p->labels.items[i].value);
	return xstrdup(buf_cstr(&key));
}

/* ---- peers ---------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct peer *)a)->key, ((const struct peer *)b)->key);
}

static void peer_free(void *peer)
{
	struct peer *p = peer;

	pods_done(&p->pods);
	free(p->key);
	free(p);
}

/* The one that is equal; *p is taken over. */
static const struct peer *intern(struct seen *a, struct peer *p)
{
	struct peer *made = xnew(struct peer), **found;

	*made = *p;
	*p = (struct peer){0};
	found = tsearch(made, &a->peers, by_key);
	if (*found != made)
		peer_free(made);
	return *found;
}

/* Pods by their labels where they have some; anything else by its address. */
static void settle_kind(struct peer *p, const char *kind, bool subject_in_pod)
{
	bool in_pod = str_equal(kind, "pod");
	_cleanup_(buf_done) struct buf key = {.max = 64};

	if (in_pod && p->pods.namespace && p->pods.labels.n) {
		p->kind = PEER_PODS;
	} else if (str_equal(kind, "container") && !subject_in_pod && p->pods.labels.n) {
		p->kind = PEER_PODS;
	} else {
		pods_done(&p->pods);
		p->pods = (struct pods){0};
		p->kind = str_equal(kind, "host") ? PEER_HOST : PEER_BLOCK;
	}
	if (p->kind == PEER_PODS) {
		labels_sort(&p->pods.labels);
		p->key = pods_key(&p->pods);
		return;
	}
	buf_str(&key, p->kind == PEER_HOST ? "h" : policy_is_ipv4(p->address) ? "a4 " : "a6 ");
	for (size_t i = 0; p->kind == PEER_BLOCK && i < sizeof(p->address); i++)
		buf_printf(&key, "%02x", p->address[i]);
	p->key = xstrdup(buf_cstr(&key));
}

static void read_labels(const struct schema *s, const struct row *row, struct pods *to)
{
	const struct field *f = schema_field(s, "remote.labels");
	const char *text, *end;
	bool truncated;
	size_t len;

	if (!f || f->kind != KIND_LIST || !row_text(row, f, &text, &len, &truncated))
		return;
	for (end = text + len; text < end; text += strlen(text) + 1) {
		_cleanup_(freep) char *label = xstrndup(text, (size_t)(end - text));
		char *value = strchr(label, '=');

		if (value) {
			*value++ = '\0';
			add_label(to, label, value);
		}
		if (!memchr(text, '\0', (size_t)(end - text)))
			break;
	}
}

static const struct peer *read_peer(struct seen *a, const struct schema *s, const struct row *row,
				    const char *kind, bool subject_in_pod)
{
	const struct field *f = schema_field(s, "remote.addr");
	_cleanup_(freep) char *name = report_text(s, row, "remote.name");
	struct peer p = {0};
	const char *address;
	bool truncated;
	size_t len;

	if (!f || !row_text(row, f, &address, &len, &truncated) || len != sizeof(p.address))
		return NULL;
	memcpy(p.address, address, sizeof(p.address));
	if (str_equal(kind, "pod")) {
		p.pods.namespace = report_text(s, row, "remote.namespace");
		read_labels(s, row, &p.pods);
	} else if (str_equal(kind, "container") && name) {
		label_by_name(&p.pods, name);
	}
	settle_kind(&p, kind, subject_in_pod);
	return intern(a, &p);
}

/* ---- subjects ------------------------------------------------------------------------------- */

static void set_apart(struct seen *a, char *comment)
{
	for (size_t i = 0; i < a->n_apart; i++)
		if (!strcmp(a->apart[i], comment)) {
			free(comment);
			return;
		}
	if (a->n_apart < MAX_REPORT_GROUPS)
		*grow(&a->apart, &a->n_apart, &a->room_apart) = comment;
	else
		free(comment);
}

static void subject_free(struct subject *s)
{
	pods_done(&s->pods);
	free(s->name);
	free(s->key);
	free(s->edges);
	free(s);
}

static void read_pods(const struct schema *s, const struct row *row, struct subject *ret)
{
	const struct field *f = schema_field(s, "k8s.podLabels");
	_cleanup_(freep) char *ip = report_text(s, row, "k8s.podIP");
	struct labels labels;

	if (ip)
		policy_parse_address(ip, ret->address);
	ret->name = report_pod_owner(s, row);
	if (ret->name) {
		ret->pods.namespace = report_text(s, row, "k8s.namespace") ?: xstrdup("default");
		for (size_t i = 0; f && row_labels(row, f, &labels) && i < labels.n; i++)
			add_label(&ret->pods, labels.items[i].key, labels.items[i].value);
	} else {
		ret->name = report_text(s, row, "runtime.containerName");
		if (ret->name)
			label_by_name(&ret->pods, ret->name);
	}
	labels_sort(&ret->pods.labels);
	ret->key = pods_key(&ret->pods);
}

/* False: no policy can be about it, and it is said why. */
static bool may_have_policy(struct seen *a, const struct schema *s, const struct row *row,
			    const struct subject *one)
{
	int64_t host_network = 0;
	const char *why = NULL;

	report_number(s, row, "k8s.hostnetwork", &host_network, NULL);
	if (!one->name)
		why = "processes of the host: no policy is about them";
	else if (host_network)
		why = ": has the host's network: no policy is about it";
	else if (!one->pods.labels.n)
		why = ": has no labels that a policy could select it by";
	if (why)
		set_apart(a, xasprintf("%s%s%s%s", one->pods.namespace ?: "",
				       one->pods.namespace ? "/" : "", one->name ?: "", why));
	return !why;
}

/* *ret NULL: it can have no policy. */
static int subject_of(struct seen *a, const struct schema *s, const struct row *row,
		      struct subject **ret, struct err *err)
{
	struct subject *one = xnew(struct subject);

	*ret = NULL;
	read_pods(s, row, one);
	for (size_t i = 0; i < a->n && !*ret; i++)
		if (!strcmp(a->subjects[i]->key, one->key))
			*ret = a->subjects[i];
	if (*ret && one->name && strcmp(one->name, (*ret)->name) < 0) {
		char *name = one->name;

		one->name = (*ret)->name;
		(*ret)->name = name;
	}
	if (*ret || !may_have_policy(a, s, row, one)) {
		subject_free(one);
		return 0;
	}
	if (a->n == MAX_REPORT_GROUPS) {
		subject_free(one);
		return err_set(err, -E2BIG, "a report of more than %d kinds of pods",
			       MAX_REPORT_GROUPS);
	}
	*ret = *grow(&a->subjects, &a->n, &a->room) = one;
	return 0;
}

/* ---- edges ---------------------------------------------------------------------------------- */

bool policy_is_icmp(const struct policy_edge *e)
{
	return e->proto == PROTO_ICMP || e->proto == PROTO_ICMPV6;
}

int policy_compare_edges(const void *a, const void *b)
{
	const struct policy_edge *x = a, *y = b;
	int r = (x->egress - y->egress) ?: strcmp(x->peer->key, y->peer->key);

	return r ?: (x->proto - y->proto) ?: (x->port - y->port) ?: (x->assumed - y->assumed);
}

/* Of equal ones that stays which was seen. */
static void sort_edges(struct seen *a, struct subject *s)
{
	size_t n = 0;

	if (s->n)
		qsort(s->edges, s->n, sizeof(*s->edges), policy_compare_edges);
	for (size_t i = 0; i < s->n; i++) {
		struct policy_edge e = s->edges[i];

		e.assumed = n ? s->edges[n - 1].assumed : false;
		if (!n || policy_compare_edges(&s->edges[n - 1], &e))
			s->edges[n++] = s->edges[i];
	}
	a->n_edges -= s->n - n;
	s->n = n;
}

static int add_edge(struct seen *a, struct subject *s, struct policy_edge edge, struct err *err)
{
	if (a->n_edges >= MAX_POLICY_EDGES)
		for (size_t i = 0; i < a->n; i++)
			sort_edges(a, a->subjects[i]);
	if (a->n_edges >= MAX_POLICY_EDGES)
		return err_set(err, -E2BIG, "policies of more than %d edges", MAX_POLICY_EDGES);
	*grow(&s->edges, &s->n, &s->room) = edge;
	a->n_edges++;
	return 0;
}

/*
 * The name server that a pod asks is a service, behind whose address are pods that the policy must
 * select. Long answers come over TCP.
 */
static int add_cluster_dns(struct seen *a, struct subject *s, const struct policy_edge *seen,
			   struct err *err)
{
	struct peer dns = {.kind = PEER_PODS};
	struct policy_edge edge = {.port = 53, .egress = true, .assumed = true};
	int r;

	if (!s->pods.namespace || !seen->egress || seen->port != 53 || policy_is_icmp(seen) ||
	    seen->peer->kind != PEER_BLOCK || !is_private(seen->peer->address))
		return 0;
	dns.pods.namespace = xstrdup("kube-system");
	labels_add(&dns.pods.labels, "k8s-app", "kube-dns");
	dns.key = pods_key(&dns.pods);
	edge.peer = intern(a, &dns);
	edge.proto = PROTO_TCP;
	r = add_edge(a, s, edge, err);
	edge.proto = PROTO_UDP;
	return r ?: add_edge(a, s, edge, err);
}

int seen_add(struct seen *a, const struct schema *s, const struct row *row, struct err *err)
{
	_cleanup_(freep) char *kind = report_text(s, row, "remote.kind");
	int64_t direction = 0, proto = 0, port = 0;
	struct policy_edge edge;
	struct subject *subject;
	int r = report_number(s, row, "direction", &direction, err);

	r = r ?: report_number(s, row, "proto", &proto, err);
	r = r ?: report_number(s, row, "port", &port, err);
	if (r || str_equal(kind, "loopback"))
		return r;
	r = subject_of(a, s, row, &subject, err);
	if (r || !subject)
		return r;
	edge = (struct policy_edge){
		.proto = (uint8_t)proto, .port = (uint16_t)port, .egress = direction == 1};
	if (edge.proto != PROTO_TCP && edge.proto != PROTO_UDP && !policy_is_icmp(&edge))
		return 0;
	edge.peer = read_peer(a, s, row, kind, subject->pods.namespace);
	if (!edge.peer)
		return err_set(err, -EBADMSG, "these rows have no address 'remote.addr'");
	r = add_edge(a, subject, edge, err);
	return r ?: add_cluster_dns(a, subject, &edge, err);
}

/* ---- all of it ------------------------------------------------------------------------------ */

static struct subject *find_subject(const struct seen *a, const char *key)
{
	for (size_t i = 0; i < a->n; i++)
		if (!strcmp(a->subjects[i]->key, key))
			return a->subjects[i];
	return NULL;
}

/* As a peer of others. */
static const struct peer *peer_of(struct seen *a, const struct subject *s)
{
	struct peer p = {.kind = PEER_PODS, .key = xstrdup(s->key)};

	p.pods.namespace = xstrdup(s->pods.namespace);
	labels_merge(&p.pods.labels, &s->pods.labels);
	memcpy(p.address, s->address, sizeof(p.address));
	return intern(a, &p);
}

/*
 * What pods here were asked by other ones, those have asked for, perhaps by the address of a
 * service: then only this side knows for whom it was.
 */
static int add_other_ends(struct seen *a, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < a->n; i++) {
		const struct subject *server = a->subjects[i];

		for (size_t k = 0, n = server->n; !r && k < n; k++) {
			struct policy_edge e = server->edges[k];
			struct subject *client = e.egress ? NULL : find_subject(a, e.peer->key);

			if (!client || client == server)
				continue;
			e.peer = peer_of(a, server);
			e.egress = true;
			r = add_edge(a, client, e, err);
		}
	}
	return r;
}

static int by_name(const void *a, const void *b)
{
	const struct subject *x = *(struct subject *const *)a, *y = *(struct subject *const *)b;

	return strcmp(x->pods.namespace ?: "", y->pods.namespace ?: "")
		       ?: strcmp(x->name, y->name)
		       ?: strcmp(x->key, y->key);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int seen_settle(struct seen *a, struct err *err)
{
	int r;

	for (size_t i = 0; i < a->n; i++)
		sort_edges(a, a->subjects[i]);
	r = add_other_ends(a, err);
	for (size_t i = 0; i < a->n; i++)
		sort_edges(a, a->subjects[i]);
	if (a->n)
		qsort(a->subjects, a->n, sizeof(struct subject *), by_name);
	if (a->n_apart)
		qsort(a->apart, a->n_apart, sizeof(char *), by_text);
	return r;
}

void seen_done(struct seen *a)
{
	for (size_t i = 0; i < a->n; i++)
		subject_free(a->subjects[i]);
	for (size_t i = 0; i < a->n_apart; i++)
		free(a->apart[i]);
	tdestroy(a->peers, peer_free);
	free(a->subjects);
	free(a->apart);
	*a = (struct seen){0};
}
