# SPDX-License-Identifier: Apache-2.0
"""trace_network and advise_networkpolicy: containers and pods that talk, and what policies made of it let through."""

import ipaddress
import random
import re
import time

import containers
import ig
import netpol
import pytest
import wires
from ig import container_of, get

# Listens on what it is told, again and again.
SERVE = "while :; do nc -l -p {port} >/dev/null; done & "


def edges(records):
    """{(container, direction, protocol, port, remote's address, kind, name)}"""
    return {(container_of(r), r["direction"], r["proto"], r["port"], r["remote"]["addr"], r["remote"]["kind"], r["remote"]["name"])
            for r in records}


def listening(c, *ports):
    for port in ports:
        containers.wait_for(lambda: f":{port:04X} " in wires.inside(c, "cat", "/proc/net/tcp", "/proc/net/tcp6").text,
                            what=f"server at {port}")


def established(c, port):
    lines = wires.inside(c, "cat", "/proc/net/tcp", "/proc/net/tcp6").text.splitlines()
    return sum(f":{port:04X} " in line and " 01 " in line for line in lines)


def test_both_ends_have_names(lab):
    """Containers that are joined after they were started: by address, and refused ones as well; each edge once."""
    server = lab.start(SERVE.format(port=7000) + "sleep 1000", edit=wires.may("NET_RAW"))
    client = lab.start("sleep 1000", edit=wires.may("NET_RAW"))
    wires.join(server, client)
    listening(server, 7000)
    with ig.Ig("run", "trace_network", "-o", "json", "-c", f"{server.name},{client.name}") as running:
        running.ready()
        for version in (4, 6):
            address = wires.address(1, version)
            for _ in range(3):
                client.exec("sh", "-c", f"nc -w 2 {address} 7000 </dev/null", check=False)
                time.sleep(0.1)
            client.exec("sh", "-c", f"nc -w 2 {address} 7009 </dev/null", check=False)
            client.exec("udp_talk", "refused", address, "53053")
            client.exec("ping", "-c", "1", address)
        server.exec("sh", "-c", f"timeout 1 nc {wires.address(9)} 443 </dev/null", check=False)
        running.wait_record(lambda r: r["port"] == 443)
        assert running.stop() == 0
        records, err = running.records(), running.err
    want = {(server.name, "EGRESS", "TCP", 443, wires.address(9), "raw", "")}
    for version, ping in ((4, "ICMP"), (6, "ICMPV6")):
        one, two = wires.address(1, version), wires.address(2, version)
        for proto, port in (("TCP", 7000), ("TCP", 7009), ("UDP", 53053)):
            want.add((client.name, "EGRESS", proto, port, one, "container", server.name))
            want.add((server.name, "INGRESS", proto, port, two, "container", client.name))
        want.add((client.name, "EGRESS", ping, 0, one, "container", server.name))
    assert edges(records) == want
    assert len(records) == len(want) and ig.totals(err).lost == 0


@pytest.mark.kernels
def test_connections_that_were_there_before(lab):
    """At their next packet; who opened them is told by who listens. Those that come after are told once."""
    c = lab.start("nc -ll -p 7000 -e cat & until netstat -ltn | grep -q :7000; do :; done\n"
                  "for a in 127.0.0.1 ::1; do (while sleep 0.2; do echo x; done | nc $a 7000 >/dev/null) & done; sleep 1000")
    containers.wait_for(lambda: established(c, 7000) == 4, what="both ends of both connections")
    with ig.Ig("run", "trace_network", "-o", "json", "-c", c.name) as running:
        running.ready()
        time.sleep(1)
        c.exec("sh", "-c", "echo x | nc -w 1 127.0.0.1 7000", check=False)
        time.sleep(0.5)
        assert running.stop() == 0
        records = running.records()
    assert len(records) == 4 and edges(records) == {
        (c.name, way, "TCP", 7000, address, "loopback", "") for way in ("EGRESS", "INGRESS") for address in ("127.0.0.1", "::1")}


def test_the_hosts_own_addresses(lab):
    """A cable to the host, from where a container is asked and which it asks."""
    c = lab.start(SERVE.format(port=7000) + "sleep 1000")
    name = f"igh{c.pid}"[-15:]
    containers.run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(c.pid))
    containers.run("ip", "addr", "add", "10.98.0.1/24", "dev", name)
    containers.run("ip", "link", "set", name, "up")
    wires.inside(c, "ip", "addr", "add", "10.98.0.2/24", "dev", "eth0")
    wires.inside(c, "ip", "link", "set", "eth0", "up")
    listening(c, 7000)
    with ig.Ig("run", "trace_network", "-o", "json", "-c", c.name) as running:
        running.ready()
        containers.run("busybox", "nc", "-w", "2", "10.98.0.2", "7000", check=False)
        c.exec("sh", "-c", "nc -w 2 10.98.0.1 7009 </dev/null", check=False)
        running.wait_record(lambda r: r["port"] == 7009)
        assert running.stop() == 0
        records = running.records()
    assert edges(records) == {(c.name, "INGRESS", "TCP", 7000, "10.98.0.1", "host", ""),
                              (c.name, "EGRESS", "TCP", 7009, "10.98.0.1", "host", "")}


# ---- pods ------------------------------------------------------------------------------------------

OUTSIDE = "10.88.77.250"  # nobody's, on the pods' own network


@pytest.fixture(scope="module")
def pods(containerd, whole_lab):
    """Two web pods of one deployment, and a database in another namespace. All have an IPv6 address as well."""
    web = {"app": "web", "tier": "true"}
    with containerd.run_pod(whole_lab.name("web-5d4f8-a"), "prod", {**web, "pod-template-hash": "5d4f8"}) as one, \
            containerd.run_pod(whole_lab.name("web-5d4f8-b"), "prod", {**web, "pod-template-hash": "5d4f8"}) as two, \
            containerd.run_pod(whole_lab.name("db-0"), "test", {"app": "db", "statefulset.kubernetes.io/pod-name": "db-0"}) as db:
        for n, pod in enumerate((one, two, db), 1):
            pod.main = pod.run("main", SERVE.format(port=8080) + SERVE.format(port=5432) + "sleep 1000")
            pod.ip6 = f"fd77::{n}"
            wires.inside(pod, "ip", "addr", "add", f"{pod.ip6}/64", "dev", "eth0", "nodad")
            listening(pod, 8080, 5432)
        yield one, two, db


def at_random(pods, n=40):
    """The same on each run: datagrams from each to each, and to others, at any port."""
    dice = random.Random(1)
    others = [OUTSIDE, "10.88.77.251", "fd77::99", "fd77::9a"]
    for pod in pods:
        peers = others + [a for p in pods if p is not pod for a in (p.ip, p.ip6)]
        pod.main.exec("sh", "-c", "\n".join(
            f"udp_talk refused {dice.choice(peers)} {dice.choice((53, 123, 4433, dice.randrange(1, 65536)))}" for _ in range(n)))


def talk(one, two, db):
    def connect(pod, address, port):
        pod.main.exec("sh", "-c", f"nc -w 2 {address} {port} </dev/null")
        time.sleep(0.05)
    connect(one, db.ip, 5432)
    connect(two, db.ip6, 5432)
    connect(one, two.ip, 8080)
    one.main.exec("udp_talk", "refused", db.ip, "40000")
    db.main.exec("udp_talk", "refused", OUTSIDE, "53")
    db.main.exec("udp_talk", "refused", "fd77::99", "123")
    one.main.exec("sh", "-c", f"timeout 1 nc {OUTSIDE} 443 </dev/null")
    one.main.exec("ping", "-c", "1", db.ip)
    at_random((one, two, db))
    one.main.exec("udp_talk", "ask", "127.0.0.1", "9999")


def selection(pods):
    return ["-p", ",".join(p.name for p in pods)]


@pytest.fixture(scope="module")
def observed(containerd, pods, tmp_path_factory):
    """(edges as trace_network has them, record file, {mode: document})"""
    folder = tmp_path_factory.mktemp("network")
    file = str(folder / "rows")
    # What is started and gone beside us, before it has a name, is shown whatever the selector.
    args = [*selection(pods), *containerd.flags, "--filter", "runtime.resolved==true"]
    with ig.Ig("run", "trace_network", "-o", "json", *args) as plain, \
            ig.Ig("run", "advise_networkpolicy", "-o", "cilium", *args) as cilium, \
            ig.Ig("run", "advise_networkpolicy", "--record", file, *args) as k8s:
        for running in (plain, cilium, k8s):
            running.ready()
        talk(*pods)
        plain.wait_record(lambda r: r["remote"]["kind"] == "loopback")
        time.sleep(0.5)
        for running in (plain, cilium, k8s):
            assert running.stop() == 0, running.err
        return plain.records(), file, {"k8s": k8s.out, "cilium": cilium.out}


def test_pods_have_names_and_labels(pods, observed):
    one, two, db = pods
    records, _, _ = observed
    r = next(r for r in records if r["port"] == 5432 and r["direction"] == "EGRESS" and r["version"] == 6)
    assert get(r, "k8s.podName") == two.name and r["remote"] == {
        "addr": db.ip6, "kind": "pod", "name": db.name, "namespace": "test", "labels": r["remote"]["labels"]}
    assert db.labels.items() <= netpol.labels_of(r["remote"]["labels"]).items()
    r = next(r for r in records if r["port"] == 40000 and r["direction"] == "INGRESS")
    assert get(r, "k8s.podName") == db.name and r["remote"]["name"] == one.name and r["remote"]["addr"] == one.ip


@pytest.mark.parametrize("mode", ("k8s", "cilium"))
def test_policies_allow_what_was_done(observed, mode):
    records, _, documents = observed
    policies = netpol.load(documents[mode])
    seen = [e for e in map(netpol.Edge, records) if netpol.concerned(policies, e)]
    assert len(policies) == 2 and len(seen) > 100
    for edge in seen:
        assert len(netpol.about(policies, edge)) == 1, edge
        assert netpol.allowed(policies, edge), f"{edge}\n{documents[mode]}"
    # And no more: another port, another peer.
    for edge in seen:
        edge.port = 6666
        assert not netpol.allowed(policies, edge) or edge.protocol in netpol.PING, edge
        edge.kind, edge.peer, edge.address = "raw", None, ipaddress.ip_address("10.88.77.252")
        assert not netpol.allowed(policies, edge), edge
    assert "5d4f8" not in documents[mode].replace("web-5d4f8", "")


def test_cluster_dns(observed):
    """A private name server may be the cluster's service, behind which are pods."""
    policies = netpol.load(observed[2]["k8s"])
    db = next(p for p in policies if p["metadata"]["namespace"] == "test")
    kube_dns = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}},
                "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    assert any(kube_dns in rule["to"] and {"port": 53, "protocol": "UDP"} in rule["ports"] for rule in db["spec"]["egress"])


@pytest.mark.parametrize("mode", ("k8s", "cilium"))
def test_replay_and_differences(observed, tmp_path, mode):
    _, file, documents = observed
    assert ig.once("replay", file, "-o", mode, check=0).out == documents[mode]
    policy = tmp_path / "policies.yaml"
    policy.write_text(documents[mode])
    assert ig.once("replay", file, "-o", mode, "--diff", str(policy), check=0).out == ""
    # Without a rule, and with one more.
    changed = re.sub("5432", "5433", documents[mode])
    policy.write_text(changed)
    out = ig.once("replay", file, "-o", mode, "--diff", str(tmp_path), check=0).out
    assert "egress TCP 5432 to pods app=db in test" in out and "ingress TCP 5433 from pods app=web,tier=true" in out
    assert "40000" not in out and "443" not in out.replace("5443", "")


def test_containers_in_no_pod(lab, tmp_path):
    server = lab.start(SERVE.format(port=7000) + "sleep 1000")
    client = lab.start("sleep 1000")
    wires.join(server, client)
    listening(server, 7000)
    with ig.Ig("run", "advise_networkpolicy", "-c", f"{server.name},{client.name}", "--record", str(tmp_path / "rows")) as running:
        running.ready()
        client.exec("sh", "-c", f"nc -w 2 {wires.address(1)} 7000 </dev/null", check=False)
        time.sleep(0.5)
        assert running.stop() == 0, running.err
        text = running.out
    policies = {p["metadata"]["name"]: p["spec"] for p in netpol.load(text)}
    label = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": client.name}}}
    assert policies[server.name]["ingress"] == [{"from": [label], "ports": [{"port": 7000, "protocol": "TCP"}]}]
    assert "egress" not in policies[server.name] and policies[client.name]["policyTypes"] == ["Ingress", "Egress"]
    assert f'# container: "{server.name}"' in text
    (tmp_path / "policy.yaml").write_text(text)
    assert ig.once("replay", str(tmp_path / "rows"), "--diff", str(tmp_path / "policy.yaml"), check=0).out == ""


def test_through_a_daemon(agent, lab):
    """Names are the daemon's, the document the client's."""
    server, client = lab.start(SERVE.format(port=7000) + "sleep 1000"), lab.start("sleep 1000")
    wires.join(server, client)
    listening(server, 7000)
    with ig.Ig("--remote", agent.address, "run", "advise_networkpolicy", "-c", f"{server.name},{client.name}",
               "--timeout", "4s") as running:
        time.sleep(2)
        client.exec("sh", "-c", f"nc -w 1 {wires.address(1)} 7000 </dev/null", check=False)
        assert running.wait() == 0, running.err
        policies = {p["metadata"]["name"]: p["spec"] for p in netpol.load(running.out)}
    assert policies[client.name]["egress"][0]["to"] == [
        {"podSelector": {"matchLabels": {"app.kubernetes.io/name": server.name}}}]


@pytest.mark.parametrize("text, complaint", (
    ("kind: Pod\n", "neither a NetworkPolicy"), ("a: [\n", "line 2"), ("kind: NetworkPolicy\n", "without a spec")))
def test_no_policies(observed, tmp_path, text, complaint):
    (tmp_path / "p.yaml").write_text(text)
    for command in (("replay", observed[1]), ("run", "advise_networkpolicy")):  # before there is anything to compare
        done = ig.once(*command, "--diff", str(tmp_path / "p.yaml"))
        assert done.returncode and complaint in done.err, done.err
