/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What advise_networkpolicy has seen: subjects, which are pods with the same labels in a namespace,
 * and their edges to peers. Written as policies (policy_write.c), or compared with policies that
 * are there (policy_read.c, policy_diff.c).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "columns/labels.h"
#include "columns/types.h"

struct buf;
struct err;
struct row;
struct schema;

enum { PROTO_ICMP = 1, PROTO_TCP = 6, PROTO_UDP = 17, PROTO_ICMPV6 = 58, PROTO_SCTP = 132 };

/* Pods by their labels; without a namespace they are containers in no pod, by a label for them. */
struct pods {
	char *namespace;      /* NULL: in no pod */
	struct labels labels; /* sorted */
};

enum peer_kind {
	PEER_PODS,
	PEER_BLOCK, /* an address */
	PEER_HOST,  /* the machine that the subject is on */
};

struct peer {
	char *key; /* equal where the peers are; sorts them */
	enum peer_kind kind;
	struct pods pods;
	g_addr address; /* of one of them, where it was seen */
};

struct policy_edge {
	const struct peer *peer;
	uint16_t port;
	uint8_t proto;
	bool egress;
	bool assumed; /* goes with what was seen, and was not itself */
};

struct subject {
	char *name; /* of the pods' owner */
	char *key;  /* as a peer's */
	struct pods pods;
	g_addr address; /* of one of its pods */
	struct policy_edge *edges;
	size_t n, room;
};

/* ---- policy_seen.c -------------------------------------------------------------------------- */

/* All that was seen. Begins as zeroes. */
struct seen {
	struct subject **subjects;
	size_t n, room;
	void *peers; /* tree of struct peer, by key */
	size_t n_edges;
	char **apart; /* what can have no policy, and why */
	size_t n_apart, room_apart;
};

/* A row of the gadget's; -EBADMSG: it is none. */
int seen_add(struct seen *all, const struct schema *s, const struct row *row, struct err *err);

/* After the last row: what one end tells of the other is added; all is sorted, without doubles. */
int seen_settle(struct seen *all, struct err *err);
void seen_done(struct seen *all);

int policy_compare_edges(const void *a, const void *b); /* direction, peer, protocol, port */
bool policy_is_icmp(const struct policy_edge *e);
bool policy_is_ipv4(const g_addr address);
bool policy_parse_address(const char *text, g_addr ret);    /* false: it is none */
void policy_address(const g_addr address, struct buf *out); /* "10.0.0.1/32" */

/* ---- policy_write.c ------------------------------------------------------------------------- */

const char *policy_protocol(uint8_t proto); /* TCP, UDP or SCTP */

/* Edges are sorted, without doubles. name: of the object. */
void policy_write_k8s(const struct subject *s, const char *name, struct buf *out);
void policy_write_cilium(const struct subject *s, const char *name, struct buf *out);

/* ---- policy_read.c -------------------------------------------------------------------------- */

enum match_op { MATCH_IN, MATCH_NOT_IN, MATCH_EXISTS, MATCH_NOT_EXISTS };

struct match {
	char *key;
	enum match_op op;
	char **values;
	size_t n, room;
};

struct selector {
	struct match *items;
	size_t n, room;
};

struct cidr {
	g_addr address;
	unsigned int bits; /* of 128 */
};

struct rule_peer {
	enum { RULE_PODS, RULE_CIDR, RULE_ENTITY } kind;
	bool any_namespace; /* pods: by `namespaces`, else the policy's own alone */
	struct selector namespaces, pods;
	struct cidr cidr, *except;
	size_t n_except, room_except;
	char *entity; /* Cilium's: host, world, … */
};

struct rule_port {
	uint8_t proto;	   /* 0: any but ICMP */
	uint16_t from, to; /* 0, 65535: all; ICMP: its type */
};

struct rule {
	bool egress;
	bool any_peer, any_port;
	struct rule_peer *peers;
	size_t n_peers, room_peers;
	struct rule_port *ports;
	size_t n_ports, room_ports;
};

struct policy {
	bool cilium;
	bool closed[2];		/* [egress]: what no rule lets through is refused */
	char *name, *namespace; /* namespace NULL: whichever the subject is in */
	struct selector pods;
	struct rule *rules;
	size_t n, room;
};

struct policy_set {
	struct policy *items;
	size_t n, room;
	size_t parts; /* peers, ports, labels of all, which have a limit */
};

/*
 * All NetworkPolicy and CiliumNetworkPolicy objects of a file, or of the .yaml, .yml and .json
 * files of a folder; others are left out, and what cannot be compared (ports by name, FQDNs) warned
 * of.
 */
int policy_read(const char *path, struct policy_set *ret, struct err *err);
void policy_set_done(struct policy_set *set);

/* ---- policy_diff.c -------------------------------------------------------------------------- */

/* Nothing where the policies allow what was done, and no more. */
void policy_diff(const struct seen *seen, const struct policy_set *set, struct buf *out);
