// SPDX-License-Identifier: Apache-2.0
/*
 * Policies of Kubernetes and Cilium, from YAML (or JSON, which is YAML), as far as who may talk to
 * whom on which port is concerned.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <yaml.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/parse.h"
#include "policy.h"

struct reader {
	const char *path;
	yaml_document_t document;
	struct policy_set *set;
	struct err *err;
	int failed;
};

/* ---- nodes: what is not there, or is another kind of thing, is nothing ---------------------- */

static const yaml_node_t *node_at(struct reader *r, int id)
{
	return yaml_document_get_node(&r->document, id);
}

static const char *text_of(const yaml_node_t *node)
{
	return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value
						      : NULL;
}

static size_t count(const yaml_node_t *node)
{
	if (node && node->type == YAML_SEQUENCE_NODE)
		return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
	if (node && node->type == YAML_MAPPING_NODE)
		return (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
	return 0;
}

static const yaml_node_t *item(struct reader *r, const yaml_node_t *sequence, size_t i)
{
	return node_at(r, sequence->data.sequence.items.start[i]);
}

static const yaml_node_t *get(struct reader *r, const yaml_node_t *mapping, const char *key)
{
	if (!mapping || mapping->type != YAML_MAPPING_NODE)
		return NULL;
	for (const yaml_node_pair_t *p = mapping->data.mapping.pairs.start;
	     p < mapping->data.mapping.pairs.top; p++)
		if (str_equal(text_of(node_at(r, p->key)), key))
			return node_at(r, p->value);
	return NULL;
}

static size_t items_of(const yaml_node_t *node)
{
	return node && node->type == YAML_SEQUENCE_NODE ? count(node) : 0;
}

/* Counts a part; false: there are too many, and the reader has failed. */
static bool one_more(struct reader *r)
{
	if (!r->failed && r->set->parts++ >= MAX_POLICY_PARTS)
		r->failed = err_set(r->err, -E2BIG, "%s: more than %d rules, peers, ports", r->path,
				    MAX_POLICY_PARTS);
	return !r->failed;
}

static void malformed(struct reader *r, const yaml_node_t *at, const char *what)
{
	if (!r->failed)
		r->failed = err_set(r->err, -EBADMSG, "%s, line %zu: %s", r->path,
				    at->start_mark.line + 1, what);
}

static void not_compared(struct reader *r, const yaml_node_t *at, const char *what)
{
	if (at)
		log_warn("%s, line %zu: %s, which cannot be compared: taken to allow nothing",
			 r->path, at->start_mark.line + 1, what);
}

/* ---- selectors ------------------------------------------------------------------------------ */

static struct match *add_match(struct selector *s, const char *key, enum match_op op)
{
	struct match *m = grow(&s->items, &s->n, &s->room);

	m->key = xstrdup(key);
	m->op = op;
	return m;
}

static void add_value(struct match *m, const char *value)
{
	*grow(&m->values, &m->n, &m->room) = xstrdup(value);
}

/* Cilium puts before a key where the label comes from. */
static const char *plain_key(const char *key)
{
	return str_starts(key, "k8s:") || str_starts(key, "any:") ? key + 4 : key;
}

static void read_expression(struct reader *r, const yaml_node_t *node, struct selector *to)
{
	static const char *const ops[] = {[MATCH_IN] = "In",
					  [MATCH_NOT_IN] = "NotIn",
					  [MATCH_EXISTS] = "Exists",
					  [MATCH_NOT_EXISTS] = "DoesNotExist"};
	const char *key = text_of(get(r, node, "key")), *op = text_of(get(r, node, "operator"));
	const yaml_node_t *values = get(r, node, "values");
	struct match *m = NULL;

	for (size_t i = 0; key && op && i < array_size(ops); i++)
		if (!strcmp(op, ops[i]))
			m = add_match(to, plain_key(key), (enum match_op)i);
	if (!m) {
		malformed(r, node, "not an expression with key and operator");
		return;
	}
	for (size_t i = 0; i < items_of(values) && one_more(r); i++)
		add_value(m, text_of(item(r, values, i)) ?: "");
}

static void read_selector(struct reader *r, const yaml_node_t *node, struct selector *to)
{
	const yaml_node_t *labels = get(r, node, "matchLabels");
	const yaml_node_t *expressions = get(r, node, "matchExpressions");

	for (size_t i = 0; labels && labels->type == YAML_MAPPING_NODE && i < count(labels); i++) {
		const yaml_node_pair_t *p = &labels->data.mapping.pairs.start[i];
		const char *key = text_of(node_at(r, p->key));

		if (!key || !one_more(r))
			continue;
		add_value(add_match(to, plain_key(key), MATCH_IN),
			  text_of(node_at(r, p->value)) ?: "");
	}
	for (size_t i = 0; i < items_of(expressions) && one_more(r); i++)
		read_expression(r, item(r, expressions, i), to);
}

/* ---- peers ---------------------------------------------------------------------------------- */

static bool read_cidr(const char *text, struct cidr *ret)
{
	_cleanup_(freep) char *address = xstrdup(text);
	char *slash = address ? strchr(address, '/') : NULL;
	uint64_t bits = 0;
	bool v4;

	if (!address)
		return false;
	if (slash) {
		*slash = '\0';
		if (parse_u64(slash + 1, &bits))
			return false;
	}
	if (!policy_parse_address(address, ret->address))
		return false;
	v4 = policy_is_ipv4(ret->address);
	if (!slash)
		bits = v4 ? 32 : 128;
	if (bits > (v4 ? 32u : 128u))
		return false;
	ret->bits = (unsigned int)bits + (v4 ? 96 : 0);
	return true;
}

static struct rule_peer *add_peer(struct rule *rule)
{
	return grow(&rule->peers, &rule->n_peers, &rule->room_peers);
}

static void read_block(struct reader *r, const yaml_node_t *node, struct rule *rule)
{
	const yaml_node_t *except = get(r, node, "except");
	struct rule_peer *p = add_peer(rule);
	const char *text = text_of(node) ?: text_of(get(r, node, "cidr"));

	p->kind = RULE_CIDR;
	if (!read_cidr(text, &p->cidr))
		malformed(r, node, "not an address with its length");
	for (size_t i = 0; i < items_of(except) && one_more(r); i++)
		if (!read_cidr(text_of(item(r, except, i)),
			       grow(&p->except, &p->n_except, &p->room_except)))
			malformed(r, node, "an exception that is not an address with its length");
}

static void read_k8s_peers(struct reader *r, const yaml_node_t *peers, struct rule *rule)
{
	rule->any_peer = !items_of(peers);
	for (size_t i = 0; i < items_of(peers) && one_more(r); i++) {
		const yaml_node_t *node = item(r, peers, i);
		const yaml_node_t *block = get(r, node, "ipBlock");
		const yaml_node_t *namespaces = get(r, node, "namespaceSelector");
		struct rule_peer *p;

		if (block) {
			read_block(r, block, rule);
			continue;
		}
		p = add_peer(rule);
		p->any_namespace = namespaces;
		read_selector(r, namespaces, &p->namespaces);
		read_selector(r, get(r, node, "podSelector"), &p->pods);
	}
}

/* Namespaces stand among the labels there. */
static void read_endpoint(struct reader *r, const yaml_node_t *node, struct rule *rule)
{
	static const char *const keys[] = {
		"io.kubernetes.pod.namespace",
		"io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name"};
	struct rule_peer *p = add_peer(rule);
	size_t n = 0;

	read_selector(r, node, &p->pods);
	for (size_t i = 0; i < p->pods.n; i++) {
		struct match m = p->pods.items[i];

		if (strcmp(m.key, keys[0]) && strcmp(m.key, keys[1])) {
			p->pods.items[n++] = m;
			continue;
		}
		free(m.key);
		m.key = xstrdup("kubernetes.io/metadata.name");
		p->any_namespace = true;
		*grow(&p->namespaces.items, &p->namespaces.n, &p->namespaces.room) = m;
	}
	p->pods.n = n;
}

static void read_entity(struct reader *r, const yaml_node_t *node, struct rule *rule)
{
	struct rule_peer *p = add_peer(rule);

	p->kind = RULE_ENTITY;
	p->entity = xstrdup(text_of(node) ?: "");
}

static void read_cilium_peers(struct reader *r, const yaml_node_t *node, struct rule *rule)
{
	static const struct {
		const char *keys[2]; /* ingress, egress */
		void (*read)(struct reader *r, const yaml_node_t *node, struct rule *rule);
	} kinds[] = {
		{{"fromEndpoints", "toEndpoints"}, read_endpoint},
		{{"fromCIDR", "toCIDR"}, read_block},
		{{"fromCIDRSet", "toCIDRSet"}, read_block},
		{{"fromEntities", "toEntities"}, read_entity},
	};
	static const char *const others[] = {"toFQDNs",	   "toServices",   "toGroups",
					     "fromGroups", "fromRequires", "toRequires",
					     "fromNodes",  "toNodes"};

	rule->any_peer = true;
	for (size_t k = 0; k < array_size(kinds); k++) {
		const yaml_node_t *list = get(r, node, kinds[k].keys[rule->egress]);

		rule->any_peer &= !list;
		for (size_t i = 0; i < items_of(list) && one_more(r); i++)
			kinds[k].read(r, item(r, list, i), rule);
	}
	for (size_t k = 0; k < array_size(others); k++) {
		const yaml_node_t *other = get(r, node, others[k]);

		rule->any_peer &= !other;
		not_compared(r, other, others[k]);
	}
}

/* ---- ports ---------------------------------------------------------------------------------- */

static void read_port(struct reader *r, const yaml_node_t *node, struct rule *rule)
{
	static const struct {
		const char *name;
		uint8_t proto;
	} protocols[] = {{"TCP", PROTO_TCP}, {"UDP", PROTO_UDP}, {"SCTP", PROTO_SCTP}, {"ANY", 0}};
	const char *port = text_of(get(r, node, "port")), *end = text_of(get(r, node, "endPort"));
	const char *protocol = text_of(get(r, node, "protocol")) ?: "TCP";
	struct rule_port p = {.proto = PROTO_TCP, .to = UINT16_MAX};
	uint64_t from = 0, to = UINT16_MAX;

	if (port && strcmp(port, "0") && (parse_u64(port, &from) || from > UINT16_MAX)) {
		not_compared(r, node, "a port by its name");
		return;
	}
	if (from && (!end || parse_u64(end, &to) || to > UINT16_MAX))
		to = from;
	p.from = (uint16_t)from;
	p.to = (uint16_t)to;
	for (size_t i = 0; i < array_size(protocols); i++)
		if (!strcasecmp(protocol, protocols[i].name))
			p.proto = protocols[i].proto;
	*grow(&rule->ports, &rule->n_ports, &rule->room_ports) = p;
}

static void read_ports(struct reader *r, const yaml_node_t *ports, struct rule *rule)
{
	for (size_t i = 0; i < items_of(ports) && one_more(r); i++)
		read_port(r, item(r, ports, i), rule);
}

static void read_icmps(struct reader *r, const yaml_node_t *list, struct rule *rule)
{
	for (size_t i = 0; i < items_of(list); i++) {
		const yaml_node_t *fields = get(r, item(r, list, i), "fields");

		for (size_t k = 0; k < items_of(fields) && one_more(r); k++) {
			const yaml_node_t *field = item(r, fields, k);
			bool v6 = str_equal(text_of(get(r, field, "family")), "IPv6");
			const char *type = text_of(get(r, field, "type"));
			uint64_t number;

			if (!type || parse_u64(type, &number) || number > UINT8_MAX) {
				not_compared(r, field, "a type of ICMP by its name");
				continue;
			}
			*grow(&rule->ports, &rule->n_ports, &rule->room_ports) = (struct rule_port){
				v6 ? PROTO_ICMPV6 : PROTO_ICMP, (uint16_t)number, (uint16_t)number};
		}
	}
}

/* ---- policies ------------------------------------------------------------------------------- */

static void read_k8s_rule(struct reader *r, const yaml_node_t *node, struct rule *rule)
{
	const yaml_node_t *ports = get(r, node, "ports");

	read_k8s_peers(r, get(r, node, rule->egress ? "to" : "from"), rule);
	rule->any_port = !items_of(ports);
	read_ports(r, ports, rule);
}

/* One without anything in it is how to say that the rest is refused. */
static void read_cilium_rule(struct reader *r, const yaml_node_t *node, struct rule *rule)
{
	const yaml_node_t *ports = get(r, node, "toPorts"), *icmps = get(r, node, "icmps");

	if (!count(node))
		return;
	read_cilium_peers(r, node, rule);
	rule->any_port = !ports && !icmps;
	for (size_t i = 0; i < items_of(ports); i++) {
		not_compared(r, get(r, item(r, ports, i), "rules"), "what an application may say");
		read_ports(r, get(r, item(r, ports, i), "ports"), rule);
	}
	read_icmps(r, icmps, rule);
}

static void read_rules(struct reader *r, const yaml_node_t *list, bool egress, struct policy *p)
{
	for (size_t i = 0; i < items_of(list) && one_more(r); i++) {
		struct rule *rule = grow(&p->rules, &p->n, &p->room);

		rule->egress = egress;
		(p->cilium ? read_cilium_rule : read_k8s_rule)(r, item(r, list, i), rule);
	}
}

static void read_types(struct reader *r, const yaml_node_t *spec, struct policy *p)
{
	const yaml_node_t *types = get(r, spec, "policyTypes");

	p->closed[0] = p->cilium ? !!get(r, spec, "ingress") : !items_of(types);
	p->closed[1] = !!get(r, spec, "egress") && (p->cilium || !items_of(types));
	for (size_t i = 0; i < items_of(types); i++) {
		const char *type = text_of(item(r, types, i));

		p->closed[0] |= str_equal(type, "Ingress");
		p->closed[1] |= str_equal(type, "Egress");
	}
}

static void read_object(struct reader *r, const yaml_node_t *object)
{
	const char *kind = text_of(get(r, object, "kind"));
	const yaml_node_t *metadata = get(r, object, "metadata"), *spec = get(r, object, "spec");
	bool cilium = str_equal(kind, "CiliumNetworkPolicy");
	struct policy *p;

	if ((!cilium && !str_equal(kind, "NetworkPolicy")) || !one_more(r))
		return;
	p = grow(&r->set->items, &r->set->n, &r->set->room);
	p->cilium = cilium;
	p->name = xstrdup(text_of(get(r, metadata, "name")) ?: "");
	p->namespace = xstrdup(text_of(get(r, metadata, "namespace")));
	if (!spec || spec->type != YAML_MAPPING_NODE) {
		malformed(r, object, "a policy without a spec");
		return;
	}
	read_selector(r, get(r, spec, cilium ? "endpointSelector" : "podSelector"), &p->pods);
	read_types(r, spec, p);
	read_rules(r, get(r, spec, "ingress"), false, p);
	read_rules(r, get(r, spec, "egress"), true, p);
	not_compared(r, get(r, spec, "ingressDeny"), "ingressDeny");
	not_compared(r, get(r, spec, "egressDeny"), "egressDeny");
}

static void read_document(struct reader *r, const yaml_node_t *root)
{
	const yaml_node_t *items = get(r, root, "items");

	read_object(r, root);
	for (size_t i = 0; i < items_of(items) && one_more(r); i++)
		read_object(r, item(r, items, i));
}

static int read_text(struct buf *text, struct reader *r)
{
	yaml_parser_t parser;
	bool more = true;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)buf_cstr(text), text->len);
	while (more && !r->failed) {
		const yaml_node_t *root;

		if (!yaml_parser_load(&parser, &r->document)) {
			r->failed =
				err_set(r->err, -EBADMSG, "%s, line %zu: %s", r->path,
					parser.problem_mark.line + 1, parser.problem ?: "not YAML");
			break;
		}
		root = yaml_document_get_root_node(&r->document);
		more = root;
		if (root)
			read_document(r, root);
		yaml_document_delete(&r->document);
	}
	yaml_parser_delete(&parser);
	return r->failed;
}

/* ---- files ---------------------------------------------------------------------------------- */

static int read_file(const char *path, struct policy_set *set, struct err *err)
{
	_cleanup_(buf_done) struct buf text = {.max = MAX_POLICY_BYTES};
	struct reader r = {.path = path, .set = set, .err = err};
	int code = buf_read_file(&text, AT_FDCWD, path);

	return code ? err_set(err, code, "%s: %s", path, strerror(-code)) : read_text(&text, &r);
}

static int is_policy(const struct dirent *d)
{
	const char *dot = strrchr(d->d_name, '.');

	return dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml") || !strcmp(dot, ".json"));
}

static int read_folder(const char *path, struct policy_set *set, struct err *err)
{
	struct dirent **names;
	int n = scandir(path, &names, is_policy, alphasort), r = 0;

	if (n < 0)
		return err_set(err, -errno, "%s: %m", path);
	for (int i = 0; i < n; i++) {
		_cleanup_(freep) char *file = xasprintf("%s/%s", path, names[i]->d_name);

		r = r ?: read_file(file, set, err);
		free(names[i]);
	}
	free(names);
	return r;
}

int policy_read(const char *path, struct policy_set *ret, struct err *err)
{
	struct policy_set set = {0};
	struct stat st;
	int r;

	if (stat(path, &st))
		return err_set(err, -errno, "%s: %m", path);
	r = S_ISDIR(st.st_mode) ? read_folder(path, &set, err) : read_file(path, &set, err);
	if (!r && !set.n)
		r = err_set(err, -ENOENT,
			    "%s: neither a NetworkPolicy nor a CiliumNetworkPolicy is there", path);
	if (r) {
		policy_set_done(&set);
		return r;
	}
	*ret = set;
	return 0;
}

/* ---- their end ------------------------------------------------------------------------------ */

static void selector_done(struct selector *s)
{
	for (size_t i = 0; i < s->n; i++) {
		for (size_t k = 0; k < s->items[i].n; k++)
			free(s->items[i].values[k]);
		free(s->items[i].values);
		free(s->items[i].key);
	}
	free(s->items);
}

static void rule_done(struct rule *rule)
{
	for (size_t i = 0; i < rule->n_peers; i++) {
		selector_done(&rule->peers[i].namespaces);
		selector_done(&rule->peers[i].pods);
		free(rule->peers[i].except);
		free(rule->peers[i].entity);
	}
	free(rule->peers);
	free(rule->ports);
}

void policy_set_done(struct policy_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		struct policy *p = &set->items[i];

		selector_done(&p->pods);
		for (size_t k = 0; k < p->n; k++)
			rule_done(&p->rules[k]);
		free(p->rules);
		free(p->name);
		free(p->namespace);
	}
	free(set->items);
	*set = (struct policy_set){0};
}
