# SPDX-License-Identifier: Apache-2.0
"""What network policies let through: a small judge of NetworkPolicy and CiliumNetworkPolicy objects, and of edges.

It is written from their documentation, apart from ig's own. An edge is a record of trace_network with its container's fields.
"""

import ipaddress

import containers

NAME, CILIUM_NAMESPACE = "kubernetes.io/metadata.name", "io.kubernetes.pod.namespace"
PING = {"ICMP": ("IPv4", 8), "ICMPV6": ("IPv6", 128)}


def load(text):
    yaml = containers.require_module("yaml", "python3-yaml")
    return [p for p in yaml.safe_load_all(text) if p]


def labels_of(texts):
    return dict(text.split("=", 1) for text in texts)


def selected(selector, labels):
    """Of what ig writes, matchLabels alone."""
    assert set(selector) <= {"matchLabels"}, selector
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())


class Edge:
    """direction, protocol, port, and both ends: (namespace, labels); a peer that is no pod has None and an address."""

    def __init__(self, record):
        k8s = record["k8s"]
        remote = record["remote"]
        self.egress = record["direction"] == "EGRESS"
        self.protocol, self.port = record["proto"], record["port"]
        self.subject = (k8s["namespace"], dict(k8s["podLabels"]))
        self.kind, self.address = remote["kind"], ipaddress.ip_address(remote["addr"])
        self.peer = (remote["namespace"], labels_of(remote["labels"])) if self.kind == "pod" else None

    def __repr__(self):
        return f"{self.subject} {'to' if self.egress else 'from'} {self.peer or self.address}: {self.protocol} {self.port}"


def k8s_peer(peer, edge, namespace):
    if "ipBlock" in peer:
        return edge.peer is None and edge.address in ipaddress.ip_network(peer["ipBlock"]["cidr"])
    if edge.peer is None:
        return False
    if "namespaceSelector" in peer:
        if not selected(peer["namespaceSelector"], {NAME: edge.peer[0]}):
            return False
    elif edge.peer[0] != namespace:
        return False
    return selected(peer["podSelector"], edge.peer[1])


def k8s_allows(policy, edge):
    key, peers = ("egress", "to") if edge.egress else ("ingress", "from")
    namespace = policy["metadata"]["namespace"]
    return any(any(k8s_peer(p, edge, namespace) for p in rule[peers]) and
               any((p["port"], p["protocol"]) == (edge.port, edge.protocol) for p in rule["ports"])
               for rule in policy["spec"].get(key, []))


def cilium_peer(rule, edge, namespace):
    way = "to" if edge.egress else "from"
    for endpoint in rule.get(way + "Endpoints", []):
        labels = dict(endpoint["matchLabels"])
        wanted = labels.pop(CILIUM_NAMESPACE, namespace)
        if edge.peer and edge.peer[0] == wanted and selected({"matchLabels": labels}, edge.peer[1]):
            return True
    if edge.kind == "host":
        return "host" in rule.get(way + "Entities", [])
    return edge.peer is None and any(edge.address in ipaddress.ip_network(c) for c in rule.get(way + "CIDR", []))


def cilium_port(rule, edge):
    if edge.protocol in PING:
        return any((f["family"], f["type"]) == PING[edge.protocol] for i in rule.get("icmps", []) for f in i["fields"])
    return any((p["port"], p["protocol"]) == (str(edge.port), edge.protocol) for t in rule.get("toPorts", []) for p in t["ports"])


def cilium_allows(policy, edge):
    rules = policy["spec"]["egress" if edge.egress else "ingress"]
    return any(cilium_peer(rule, edge, policy["metadata"]["namespace"]) and cilium_port(rule, edge) for rule in rules)


def about(policies, edge):
    """Those that select its pod."""
    return [p for p in policies if p["metadata"]["namespace"] == edge.subject[0] and
            selected(p["spec"].get("podSelector") or p["spec"]["endpointSelector"], edge.subject[1])]


def allowed(policies, edge):
    judge = {"NetworkPolicy": k8s_allows, "CiliumNetworkPolicy": cilium_allows}
    return any(judge[p["kind"]](p, edge) for p in about(policies, edge))


def concerned(policies, edge):
    """False: no policy of this kind is about such an edge."""
    if edge.kind == "loopback":
        return False
    return policies[0]["kind"] == "CiliumNetworkPolicy" or (edge.kind != "host" and edge.protocol not in PING)
