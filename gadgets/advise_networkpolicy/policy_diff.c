// SPDX-License-Identifier: Apache-2.0
/*
 * What subjects did and policies refuse, and what they allow and was not done. Policies add
 * up: what one of them lets through is let through; where none is about a direction, all is.
 */
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/parse.h"
#include "base/utf8.h"
#include "policy.h"

/* ---- who is meant --------------------------------------------------------------------------- */

static bool has_value(const struct match *m, const char *value)
{
	for (size_t i = 0; i < m->n; i++)
		if (str_equal(m->values[i], value))
			return true;
	return false;
}

static bool holds(const struct match *m, const char *value) /* NULL: no such label */
{
	switch (m->op) {
	case MATCH_IN:
		return value && has_value(m, value);
	case MATCH_NOT_IN:
		return !value || !has_value(m, value);
	case MATCH_EXISTS:
		return value;
	case MATCH_NOT_EXISTS:
		return !value;
	}
	return false;
}

static bool selects(const struct selector *s, const struct labels *labels)
{
	for (size_t i = 0; i < s->n; i++)
		if (!holds(&s->items[i], labels_get(labels, s->items[i].key)))
			return false;
	return true;
}

/* Of a namespace nothing but its name is known. */
static bool selects_namespace(const struct selector *s, const char *namespace)
{
	for (size_t i = 0; i < s->n; i++)
		if (!holds(&s->items[i], str_equal(s->items[i].key, "kubernetes.io/metadata.name")
						 ? namespace
						 : NULL))
			return false;
	return true;
}

static bool is_about(const struct policy *p, const struct subject *s)
{
	return (!p->namespace || str_equal(p->namespace, s->pods.namespace)) &&
	       selects(&p->pods, &s->pods.labels);
}

static bool is_within(const struct cidr *c, const g_addr address)
{
	unsigned int bytes = c->bits / 8, bits = c->bits % 8;

	return policy_is_ipv4(c->address) == policy_is_ipv4(address) &&
	       !memcmp(c->address, address, bytes) &&
	       (!bits || !((c->address[bytes] ^ address[bytes]) >> (8 - bits)));
}

static bool is_in_block(const struct rule_peer *p, const g_addr address)
{
	for (size_t i = 0; i < p->n_except; i++)
		if (is_within(&p->except[i], address))
			return false;
	return is_within(&p->cidr, address);
}

static bool is_entity(const char *entity, enum peer_kind kind)
{
	if (!strcmp(entity, "all"))
		return true;
	if (!strcmp(entity, "cluster"))
		return kind != PEER_BLOCK;
	return !strcmp(entity, kind == PEER_HOST ? "host" : kind == PEER_BLOCK ? "world" : "");
}

/* Blocks of Cilium's are of what is outside the cluster; others go by the address alone. */
static bool peer_matches(const struct policy *policy, const struct rule_peer *p,
			 const struct subject *s, const struct peer *peer)
{
	switch (p->kind) {
	case RULE_PODS:
		if (peer->kind != PEER_PODS || !selects(&p->pods, &peer->pods.labels))
			return false;
		return p->any_namespace ? selects_namespace(&p->namespaces, peer->pods.namespace)
					: str_equal(peer->pods.namespace, s->pods.namespace);
	case RULE_CIDR:
		return peer->kind != PEER_HOST && !(policy->cilium && peer->kind == PEER_PODS) &&
		       is_in_block(p, peer->address);
	case RULE_ENTITY:
		return is_entity(p->entity, peer->kind);
	}
	return false;
}

static bool port_matches(const struct rule_port *p, const struct policy_edge *e)
{
	if (policy_is_icmp(e))
		return p->proto == e->proto && p->from == (e->proto == PROTO_ICMP ? 8 : 128);
	return (!p->proto || p->proto == e->proto) && e->port >= p->from && e->port <= p->to;
}

/* peer, port NULL: any. */
static bool allows(const struct policy *policy, const struct rule *rule,
		   const struct rule_peer *peer, const struct rule_port *port,
		   const struct subject *s, const struct policy_edge *e)
{
	return rule->egress == e->egress && (!peer || peer_matches(policy, peer, s, e->peer)) &&
	       (!port || port_matches(port, e));
}

/* ---- each peer with each port of a rule --------------------------------------------------- */

struct pair {
	const struct rule_peer *peer; /* NULL: any */
	const struct rule_port *port;
};

static size_t count_pairs(const struct rule *rule)
{
	return (rule->any_peer ? 1 : rule->n_peers) * (rule->any_port ? 1 : rule->n_ports);
}

static struct pair pair_at(const struct rule *rule, size_t i)
{
	size_t ports = rule->any_port ? 1 : rule->n_ports;

	return (struct pair){rule->any_peer ? NULL : &rule->peers[i / ports],
			     rule->any_port ? NULL : &rule->ports[i % ports]};
}

static bool rule_allows(const struct policy *policy, const struct rule *rule,
			const struct subject *s, const struct policy_edge *e)
{
	for (size_t i = 0; i < count_pairs(rule); i++) {
		struct pair pair = pair_at(rule, i);

		if (allows(policy, rule, pair.peer, pair.port, s, e))
			return true;
	}
	return false;
}

/*
 * A NetworkPolicy has no words for pings, and a pod and its own machine may always talk; Cilium
 * lets only the machine always in.
 */
static bool is_concerned(const struct policy *p, const struct policy_edge *e)
{
	if (!p->closed[e->egress])
		return false;
	if (p->cilium)
		return e->peer->kind != PEER_HOST || e->egress;
	return e->peer->kind != PEER_HOST && !policy_is_icmp(e);
}

static bool is_refused(const struct subject *s, const struct policy_set *set,
		       const struct policy_edge *e)
{
	bool concerned = false;

	for (size_t i = 0; i < set->n; i++) {
		const struct policy *p = &set->items[i];

		if (!is_about(p, s) || !is_concerned(p, e))
			continue;
		concerned = true;
		for (size_t k = 0; k < p->n; k++)
			if (rule_allows(p, &p->rules[k], s, e))
				return false;
	}
	return concerned;
}

/* ---- words -------------------------------------------------------------------------------- */

static void put(const char *text, struct buf *out)
{
	escape_text(out, text, strlen(text));
}

static void put_labels(const struct labels *labels, struct buf *out)
{
	for (size_t i = 0; i < labels->n; i++) {
		buf_str(out, i ? "," : "");
		put(labels->items[i].key, out);
		buf_char(out, '=');
		put(labels->items[i].value, out);
	}
}

static void put_selector(const struct selector *s, struct buf *out)
{
	static const char *const ops[] = {" in ", " not in ", "", " is not there"};

	for (size_t i = 0; i < s->n; i++) {
		const struct match *m = &s->items[i];

		buf_str(out, i ? "," : "");
		put(m->key, out);
		if (m->op == MATCH_IN && m->n == 1) {
			buf_char(out, '=');
			put(m->values[0], out);
			continue;
		}
		buf_str(out, ops[m->op]);
		for (size_t k = 0; k < m->n; k++) {
			buf_char(out, k ? '|' : '(');
			put(m->values[k], out);
		}
		buf_str(out, m->n ? ")" : "");
	}
	buf_str(out, s->n ? "" : "any");
}

static void put_protocol(uint8_t proto, uint16_t from, uint16_t to, struct buf *out)
{
	bool all = !from && to == UINT16_MAX;

	if (proto == PROTO_ICMP || proto == PROTO_ICMPV6) {
		buf_str(out, proto == PROTO_ICMP ? "ICMP" : "ICMPv6");
		return;
	}
	buf_str(out, proto ? policy_protocol(proto) : all ? "any port" : "any protocol");
	if (from == to)
		buf_printf(out, " %u", from);
	else if (!all)
		buf_printf(out, " %u-%u", from, to);
}

static void put_way(bool egress, struct buf *out)
{
	buf_str(out, egress ? "    egress " : "    ingress ");
}

static void put_edge(const struct policy_edge *e, struct buf *out)
{
	put_way(e->egress, out);
	put_protocol(e->proto, e->port, e->port, out);
	buf_str(out, e->egress ? " to " : " from ");
	if (e->peer->kind == PEER_HOST) {
		buf_str(out, "the host");
	} else if (e->peer->kind == PEER_BLOCK) {
		policy_address(e->peer->address, out);
	} else {
		buf_str(out, "pods ");
		put_labels(&e->peer->pods.labels, out);
		if (e->peer->pods.namespace) {
			buf_str(out, " in ");
			put(e->peer->pods.namespace, out);
		}
	}
	buf_char(out, '\n');
}

static void put_rule_peer(const struct rule_peer *p, struct buf *out)
{
	_cleanup_(buf_done) struct buf address = {.max = 64};

	switch (p->kind) {
	case RULE_PODS:
		buf_str(out, "pods ");
		put_selector(&p->pods, out);
		if (p->any_namespace) {
			buf_str(out, " in namespaces ");
			put_selector(&p->namespaces, out);
		}
		break;
	case RULE_CIDR:
		policy_address(p->cidr.address, &address);
		*strchr(buf_cstr(&address), '/') = '\0';
		buf_printf(out, "%s/%u", buf_cstr(&address),
			   p->cidr.bits - (policy_is_ipv4(p->cidr.address) ? 96 : 0));
		break;
	case RULE_ENTITY:
		put(p->entity, out);
		break;
	}
}

static void put_pair(const struct rule *rule, const struct pair *pair, struct buf *out)
{
	put_way(rule->egress, out);
	put_protocol(pair->port ? pair->port->proto : 0, pair->port ? pair->port->from : 0,
		     pair->port ? pair->port->to : UINT16_MAX, out);
	buf_str(out, rule->egress ? " to " : " from ");
	if (pair->peer)
		put_rule_peer(pair->peer, out);
	else
		buf_str(out, "anybody");
	buf_char(out, '\n');
}

/* ---- both lists ------------------------------------------------------------------------------ */

static void put_name(const char *namespace, const char *name, struct buf *out)
{
	if (namespace) {
		put(namespace, out);
		buf_char(out, '/');
	}
	put(name, out);
	buf_char(out, '\n');
}

static void put_list(const char *what, size_t n, const struct buf *list, struct buf *out)
{
	buf_printf(out, "  %s (%zu):\n", what, n);
	buf_add(out, list->data ?: "", list->len);
}

static void put_refused(const struct subject *s, const struct policy_set *set, struct buf *out)
{
	_cleanup_(buf_done) struct buf list = {.max = out->max};
	bool about = false;
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		about |= is_about(&set->items[i], s);
	for (size_t i = 0; i < s->n; i++)
		if (!s->edges[i].assumed && is_refused(s, set, &s->edges[i])) {
			put_edge(&s->edges[i], &list);
			n++;
		}
	if (about && !n)
		return;
	put_name(s->pods.namespace, s->name, out);
	if (about)
		put_list("done, not allowed", n, &list, out);
	else
		buf_str(out, "  no policy is about it: all is allowed\n");
}

static bool is_used(const struct policy *policy, const struct rule *rule, const struct pair *pair,
		    const struct seen *seen)
{
	for (size_t i = 0; i < seen->n; i++) {
		const struct subject *s = seen->subjects[i];

		for (size_t k = 0; is_about(policy, s) && k < s->n; k++)
			if (allows(policy, rule, pair->peer, pair->port, s, &s->edges[k]))
				return true;
	}
	return false;
}

/* By none of those whom the policy is about; nothing is said of one that is about nobody here. */
static void put_unused(const struct policy *p, const struct seen *seen, struct buf *out)
{
	_cleanup_(buf_done) struct buf list = {.max = out->max};
	bool about = false;
	size_t n = 0;

	for (size_t i = 0; i < seen->n; i++)
		about |= is_about(p, seen->subjects[i]);
	for (size_t k = 0; about && k < p->n; k++)
		for (size_t i = 0; i < count_pairs(&p->rules[k]); i++) {
			struct pair pair = pair_at(&p->rules[k], i);

			if (is_used(p, &p->rules[k], &pair, seen))
				continue;
			put_pair(&p->rules[k], &pair, &list);
			n++;
		}
	if (!n)
		return;
	buf_str(out, "policy ");
	put_name(p->namespace, p->name, out);
	put_list("allowed, not done", n, &list, out);
}

void policy_diff(const struct seen *seen, const struct policy_set *set, struct buf *out)
{
	for (size_t i = 0; i < seen->n; i++)
		put_refused(seen->subjects[i], set, out);
	for (size_t i = 0; i < set->n; i++)
		put_unused(&set->items[i], seen, out);
}
