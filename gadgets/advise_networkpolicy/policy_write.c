// SPDX-License-Identifier: Apache-2.0
/*
 * A subject's edges as rules: peers with the same ports share one. The same edges give the same
 * document.
 *
 * https://kubernetes.io/docs/reference/kubernetes-api/policy-resources/network-policy-v1/
 * https://docs.cilium.io/en/stable/security/policy/language/
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/mem.h"
#include "columns/format.h"
#include "policy.h"

/* ---- scalars --------------------------------------------------------------------------------- */

/* What YAML 1.1 takes for something else than a text. */
static bool is_word_of_yaml(const char *text)
{
	static const char *const words[] = {"y",   "n",	   "yes",   "no",  "on",
					    "off", "true", "false", "null"};

	for (size_t i = 0; i < array_size(words); i++)
		if (!strcasecmp(text, words[i]))
			return true;
	return false;
}

static void yaml_text(const char *text, struct buf *out)
{
	bool plain = isalpha((unsigned char)*text) && !is_word_of_yaml(text);

	for (const char *c = text; *c && plain; c++)
		plain = isascii((unsigned char)*c) &&
			(isalnum((unsigned char)*c) || strchr("-_./", *c));
	if (plain)
		buf_str(out, text);
	else
		json_quote(out, text, strlen(text));
}

static void yaml_label(const char *indent, const char *key, const char *value, struct buf *out)
{
	buf_str(out, indent);
	yaml_text(key, out);
	buf_str(out, ": ");
	yaml_text(value, out);
	buf_char(out, '\n');
}

static void yaml_labels(const char *indent, const struct labels *labels, struct buf *out)
{
	for (size_t i = 0; i < labels->n; i++)
		yaml_label(indent, labels->items[i].key, labels->items[i].value, out);
}

/* ---- rules ----------------------------------------------------------------------------------- */

/* A peer and its ports, which are edges one behind the other; what may share a rule is of a class.
 */
struct group {
	int class;
	const struct policy_edge *edges;
	size_t n;
};

struct form {
	int (*class)(const struct policy_edge *e); /* -1: it has no words for it */
	void (*rule)(const struct subject *s, const struct group *groups, size_t n,
		     struct buf *out);
};

static int compare_ports(const struct group *a, const struct group *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		const struct policy_edge *x = &a->edges[i], *y = &b->edges[i];

		if (x->proto != y->proto)
			return x->proto < y->proto ? -1 : 1;
		if (x->port != y->port)
			return x->port < y->port ? -1 : 1;
	}
	return a->n == b->n ? 0 : a->n < b->n ? -1 : 1;
}

static int compare_rules(const struct group *a, const struct group *b)
{
	return a->class == b->class ? compare_ports(a, b) : a->class < b->class ? -1 : 1;
}

static int compare_groups(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return compare_rules(x, y) ?: strcmp(x->edges->peer->key, y->edges->peer->key);
}

/* Returns how many rules there are. */
static size_t write_rules(const struct subject *s, bool egress, const struct form *form,
			  struct buf *out)
{
	_cleanup_(freep) struct group *groups = NULL;
	size_t n = 0, room = 0, rules = 0, end;

	for (size_t i = 0; i < s->n; i++) {
		const struct policy_edge *e = &s->edges[i];
		int class = form->class(e);

		if (e->egress != egress || class < 0)
			continue;
		if (n && groups[n - 1].class == class && groups[n - 1].edges->peer == e->peer)
			groups[n - 1].n++;
		else
			*grow(&groups, &n, &room) = (struct group){class, e, 1};
	}
	if (n)
		qsort(groups, n, sizeof(*groups), compare_groups);
	for (size_t i = 0; i < n; i = end) {
		for (end = i + 1; end < n && !compare_rules(&groups[i], &groups[end]);)
			end++;
		form->rule(s, &groups[i], end - i, out);
		rules++;
	}
	return rules;
}

static bool same_namespace(const struct subject *s, const struct peer *p)
{
	return !p->pods.namespace ||
	       (s->pods.namespace && !strcmp(s->pods.namespace, p->pods.namespace));
}

static void write_head(const char *kind, const char *selector, const struct subject *s,
		       const char *name, struct buf *out)
{
	if (!s->pods.namespace) {
		buf_str(out, "# in no pod: the label stands for the container's name\n");
		buf_printf(out, "# container: ");
		json_quote(out, s->name, strlen(s->name));
		buf_char(out, '\n');
	}
	buf_printf(out, "%smetadata:\n  name: ", kind);
	yaml_text(name, out);
	if (s->pods.namespace) {
		buf_str(out, "\n  namespace: ");
		yaml_text(s->pods.namespace, out);
	}
	buf_printf(out, "\nspec:\n  %s:\n    matchLabels:\n", selector);
	yaml_labels("      ", &s->pods.labels, out);
}

/* ---- NetworkPolicy --------------------------------------------------------------------------- */

/* The node that a pod is on may always reach it, and be reached. */
static int k8s_class(const struct policy_edge *e)
{
	return e->peer->kind == PEER_HOST || policy_is_icmp(e) ? -1 : 0;
}

const char *policy_protocol(uint8_t proto)
{
	return proto == PROTO_TCP ? "TCP" : proto == PROTO_UDP ? "UDP" : "SCTP";
}

static void k8s_peer(const struct subject *s, const struct peer *p, struct buf *out)
{
	if (p->kind == PEER_BLOCK) {
		buf_str(out, "    - ipBlock:\n        cidr: \"");
		policy_address(p->address, out);
		buf_str(out, "\"\n");
		return;
	}
	buf_str(out, "    - ");
	if (!same_namespace(s, p)) {
		buf_str(out, "namespaceSelector:\n        matchLabels:\n");
		yaml_label("          ", "kubernetes.io/metadata.name", p->pods.namespace, out);
		buf_str(out, "      ");
	}
	buf_str(out, "podSelector:\n        matchLabels:\n");
	yaml_labels("          ", &p->pods.labels, out);
}

static void k8s_rule(const struct subject *s, const struct group *groups, size_t n, struct buf *out)
{
	buf_str(out, groups->edges->egress ? "  - to:\n" : "  - from:\n");
	for (size_t i = 0; i < n; i++)
		k8s_peer(s, groups[i].edges->peer, out);
	buf_str(out, "    ports:\n");
	for (size_t i = 0; i < groups->n; i++)
		buf_printf(out, "    - port: %u\n      protocol: %s\n", groups->edges[i].port,
			   policy_protocol(groups->edges[i].proto));
}

static void comment_on_pings(const struct subject *s, struct buf *out)
{
	for (size_t i = 0; i < s->n; i++)
		if (policy_is_icmp(&s->edges[i])) {
			buf_str(out, "# it sends pings, for which a NetworkPolicy has no words\n");
			return;
		}
}

void policy_write_k8s(const struct subject *s, const char *name, struct buf *out)
{
	static const struct form form = {k8s_class, k8s_rule};
	static const char *const keys[] = {"  ingress:\n", "  egress:\n"};

	comment_on_pings(s, out);
	write_head("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n", "podSelector", s,
		   name, out);
	buf_str(out, "  policyTypes:\n  - Ingress\n  - Egress\n");
	for (int egress = 0; egress < 2; egress++) {
		size_t before = out->len;

		buf_str(out, keys[egress]);
		if (!write_rules(s, egress, &form, out) && !out->failed)
			out->len = before; /* a type without rules lets nothing through */
	}
}

/* ---- CiliumNetworkPolicy --------------------------------------------------------------------- */

/* A rule has one kind of peers, and either ports or types of ICMP. */
static int cilium_class(const struct policy_edge *e)
{
	return (int)e->peer->kind * 2 + policy_is_icmp(e);
}

static void cilium_peer(const struct subject *s, const struct peer *p, struct buf *out)
{
	switch (p->kind) {
	case PEER_PODS:
		buf_str(out, "    - matchLabels:\n");
		yaml_labels("        ", &p->pods.labels, out);
		if (!same_namespace(s, p))
			yaml_label("        ", "io.kubernetes.pod.namespace", p->pods.namespace,
				   out);
		break;
	case PEER_BLOCK:
		buf_str(out, "    - \"");
		policy_address(p->address, out);
		buf_str(out, "\"\n");
		break;
	case PEER_HOST:
		buf_str(out, "    - host\n");
		break;
	}
}

static void cilium_ports(const struct group *g, struct buf *out)
{
	bool icmp = policy_is_icmp(g->edges);

	buf_str(out, icmp ? "    icmps:\n    - fields:\n" : "    toPorts:\n    - ports:\n");
	for (size_t i = 0; i < g->n; i++) {
		const struct policy_edge *e = &g->edges[i];

		if (icmp)
			buf_printf(out, "      - family: %s\n        type: %d\n",
				   e->proto == PROTO_ICMP ? "IPv4" : "IPv6",
				   e->proto == PROTO_ICMP ? 8 : 128);
		else
			buf_printf(out, "      - port: \"%u\"\n        protocol: %s\n", e->port,
				   policy_protocol(e->proto));
	}
}

static void cilium_rule(const struct subject *s, const struct group *groups, size_t n,
			struct buf *out)
{
	static const char *const keys[] = {
		[PEER_PODS] = "Endpoints", [PEER_BLOCK] = "CIDR", [PEER_HOST] = "Entities"};

	buf_printf(out, "  - %s%s:\n", groups->edges->egress ? "to" : "from",
		   keys[groups->edges->peer->kind]);
	for (size_t i = 0; i < n; i++)
		cilium_peer(s, groups[i].edges->peer, out);
	cilium_ports(groups, out);
}

void policy_write_cilium(const struct subject *s, const char *name, struct buf *out)
{
	static const struct form form = {cilium_class, cilium_rule};
	static const char *const keys[] = {"  ingress:\n", "  egress:\n"};

	write_head("apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n", "endpointSelector", s,
		   name, out);
	for (int egress = 0; egress < 2; egress++) {
		buf_str(out, keys[egress]);
		if (!write_rules(s, egress, &form, out))
			buf_str(out, "  - {}\n"); /* a rule that lets nothing through */
	}
}
