# SPDX-License-Identifier: Apache-2.0
"""Tables of bytes and packets (top_udp, top_net, top_tcp) against what iperf3, ip, ss and the kernel count of the same traffic,
between two containers in network namespaces of their own."""

import json
import re
import time
from collections import Counter

import agent
import containers
import ig
import pytest
import wires

PORT = 5201
COUNTS = ("sent", "received", "sentPackets", "receivedPackets", "sendDrops")


@pytest.fixture(scope="module")
def rootfs(whole_lab):
    containers.require("iperf3", "ip", "ss", "nsenter")
    return whole_lab.rootfs_with("iperf3")


def in_rootfs(rootfs):
    def edit(config):
        config["root"]["path"] = rootfs
        config["root"]["readonly"] = False  # iperf3 has a file in /tmp for each stream
        wires.may("NET_ADMIN", "NET_RAW")(config)
    return edit


@pytest.fixture
def peers(lab, rootfs):
    """A server and a client; the server is up."""
    server = lab.start(f"until ip addr | grep -q {wires.address(1, 6)}/; do sleep 0.05; done; iperf3 -s -J -p {PORT}",
                       edit=in_rootfs(rootfs))
    client = lab.start("sleep 1000", edit=in_rootfs(rootfs))
    wires.join(server, client)
    containers.wait_for(lambda: inside(server, "ss", "-ltnH", "sport", "=", f":{PORT}"), what=f"iperf3: {server.log()}")
    return server, client


def inside(c, *command):
    return containers.run("nsenter", f"--net=/proc/{c.pid}/ns/net", *command).text


def iperf(client, *args, version=4):
    """What the client says, which has what the server says in it."""
    before = len(client.log())
    client.exec("iperf3", "-J", "--get-server-output", "-p", str(PORT), "-c", wires.address(1, version), f"-{version}", *args)
    return json.loads(client.log()[before:])


def of(records, gadget, c):
    return [r for r in records if r["gadget"] == gadget and ig.container_of(r) == c.name]


def summed(rows, *keys):
    return tuple(sum(r[k] for r in rows) for k in keys)


def both(peers):
    return ",".join(c.name for c in peers)


# ---- datagrams


def udp_counters(c):
    """InDatagrams, OutDatagrams … of a network namespace, IPv4 and IPv6 together."""
    with open(f"/proc/{c.pid}/net/snmp") as f:
        names, values = (line.split()[1:] for line in f if line.startswith("Udp:"))
    counts = Counter(dict(zip(names, map(int, values))))
    with open(f"/proc/{c.pid}/net/snmp6") as f:
        for name, value in re.findall(r"^Udp6(\w+)\s+(\d+)", f.read(), re.M):
            counts[name] += int(value)
    return counts


def test_datagrams_are_those_of_iperf3(peers):
    """And of the namespace's own counters. Before the streams, iperf3 sends 4 bytes each way."""
    server, client = peers
    before = {c: udp_counters(c) for c in peers}
    with ig.Ig("run", "top_udp", "--interval", "60s", "-o", "json", "-c", both(peers)) as running:
        running.ready()
        told = {v: iperf(client, "-u", "-b", "30M", "-t", "1", "-P", "2", version=v) for v in (4, 6)}
        assert running.stop() == 0
        rows = running.records()
    for version, said in told.items():
        of_client = [r for r in rows if ig.container_of(r) == client.name and r["dst"]["version"] == version]
        of_server = [r for r in rows if ig.container_of(r) == server.name and r["dst"]["version"] == version]
        streams = [s["udp"] for s in said["end"]["streams"]]
        sent, received = said["end"]["sum"], said["server_output_json"]["end"]["sum"]
        assert len(of_client) == len(of_server) == len(streams) == 2
        assert sorted(r["sent"] for r in of_client) == sorted(s["bytes"] + 4 for s in streams)
        assert summed(of_client, "sent", "sentDatagrams") == (sent["bytes"] + 8, sent["packets"] + 2)
        assert summed(of_client, "received", "receivedDatagrams") == (8, 2)
        arrived, bytes_of_one = summed(of_server, "receivedDatagrams")[0] - 2, said["start"]["test_start"]["blksize"]
        assert received["packets"] - received["lost_packets"] <= arrived <= sent["packets"]
        assert summed(of_server, "received") == (arrived * bytes_of_one + 8,)
        assert {r["dst"]["addr"] for r in of_client} == {wires.address(1, version)}
        assert {r["src"]["port"] for r in of_server} == {PORT}
    counted = {c: udp_counters(c) - before[c] for c in peers}
    for c, other in ((server, client), (client, server)):
        sent, received = summed([r for r in rows if ig.container_of(r) == c.name], "sentDatagrams", "receivedDatagrams")
        assert sent == counted[c]["OutDatagrams"]
        # The kernel counts them when they are read, or find the buffer full; iperf3 may close before it has read all.
        read = counted[c]["InDatagrams"] + counted[c]["RcvbufErrors"]
        assert read <= received <= counted[other]["OutDatagrams"] and received - read < 0.01 * received + 10
    assert running.totals().lost == 0


def test_processes_and_ends_are_those_of_ss(peers):
    server, client = peers
    with ig.Ig("run", "top_udp", "--interval", "1s", "-o", "json", "-c", both(peers)) as running:
        running.ready()
        client.exec("sh", "-c", f"iperf3 -u -b 8M -t 3 -p {PORT} -c {wires.address(1)} >/dev/null 2>&1 &")
        containers.wait_for(lambda: inside(client, "ss", "-unH", "state", "established").strip(), what="stream")
        time.sleep(1)
        told = {c: re.findall(r"(\S+):(\d+)\s+(\S+):(\d+)\s+users:\(\(\"([^\"]+)\",pid=(\d+)", inside(c, "ss", "-unpH"))
                for c in peers}
        time.sleep(2)
        assert running.stop() == 0
        rows = running.records()
    for c in peers:
        assert told[c], inside(c, "ss", "-unpH")
        ours = {(r["src"]["addr"], str(r["src"]["port"]), r["dst"]["addr"], str(r["dst"]["port"]), r["comm"], str(r["pid"]))
                for r in rows if ig.container_of(r) == c.name}
        assert ours == {tuple(word.replace("[", "").replace("]", "").replace("::ffff:", "") for word in t) for t in told[c]}
    # 8 Mbit/s are a million bytes a second: in an interval in the middle of it.
    rates = sorted(r["sentRate"] for r in rows if ig.container_of(r) == client.name)
    assert 0.9e6 < rates[len(rates) // 2] < 1.1e6, rates
    for r in rows:
        assert 0.5 * r["sent"] <= r["sentRate"] or r["sent"] < 1000, r


# ---- interfaces


def link_counters(c):
    """As `ip -s link` has them: {interface: [sent, received, …]}"""
    links = json.loads(inside(c, "ip", "-j", "-s", "link"))
    return {link["ifname"]: [link["stats64"][way][what] for what in ("bytes", "packets") for way in ("tx", "rx")]
            + [link["stats64"]["tx"]["dropped"]] for link in links}


class Counted:
    """top_net beside `ip -s link`, which is asked right before and after it, on both sides."""

    def __init__(self, peers, *args):
        self.peers = peers
        self.running = ig.Ig("run", "top_net", "--interval", "60s", "-o", "json", "-c", both(peers), *args)

    def ask(self):
        return {c: link_counters(c) for c in self.peers}

    def __enter__(self):
        self.first = self.ask()
        self.running.__enter__().ready()
        self.begun = self.ask()
        return self

    def __exit__(self, *failure):
        self.ending = self.ask()
        time.sleep(0.5)  # a veth counts as received what the other end's softirq may still have before it
        code = self.running.stop()
        self.last = self.ask()
        self.running.__exit__(*failure)
        if failure[0] is None:
            assert code == 0 and self.running.totals().lost == 0, self.running.err
            self.compare()

    def compare(self):
        """Packets of the kernel's own (IPv6's routers are looked for) may come at the edges, seen by one and not by the other."""
        rows = {(ig.container_of(r), r["dev"]): r for r in self.running.records()}
        for c in self.peers:
            for dev in self.last[c]:
                row = rows.get((c.name, dev), dict.fromkeys(COUNTS, 0))
                ours = [row[k] for k in COUNTS]
                least, most = ([e - b for e, b in zip(end[c][dev], begin[c][dev])]
                               for end, begin in ((self.ending, self.begun), (self.last, self.first)))
                assert all(low <= n <= high for low, n, high in zip(least, ours, most)), (c.name, dev, least, ours, most)
        self.rows = rows


def cable(c):
    return next(dev for dev in link_counters(c) if dev != "lo")


def test_interfaces_are_those_of_ip(peers):
    """TCP (whose segments pass a veth uncut), UDP, ICMP, ARP; IPv4 and IPv6; lo as well."""
    server, client = peers
    with Counted(peers) as counted:
        said = [iperf(client, "-n", "20M", version=v) for v in (4, 6)]
        said += [iperf(client, "-R", "-n", "5M"), iperf(client, "-u", "-b", "20M", "-t", "1")]
        client.exec("ping", "-c", "3", "-s", "1000", wires.address(1))
        client.exec("ping", "-c", "2", "-s", "3000", wires.address(1, 6))
        client.exec("udp_ways", "connected", "127.0.0.1", "7000", "5", "100")
    came = [(s["end"].get("sum_received") or s["end"]["sum"])["bytes"] for s in said]
    mine = counted.rows[client.name, cable(client)]
    assert mine["sent"] > came[0] + came[1] + came[3] and mine["received"] > came[2]
    lo = counted.rows[client.name, "lo"]
    assert [lo[k] for k in COUNTS] == [640, 640, 5, 5, 0]


def test_what_an_interface_does_not_take(peers):
    """The other end finds the packets too long."""
    server, client = peers
    inside(server, "ip", "link", "set", cable(server), "mtu", "1000")
    # Until the link is up, packets are dropped before they come to it.
    containers.wait_for(lambda: "state UP" in inside(client, "ip", "link", "show", cable(client)), what="link")
    with Counted(peers) as counted:
        client.exec("ping", "-c", "3", "-W", "1", "-s", "1200", wires.address(1), check=False)
    assert counted.rows[client.name, cable(client)]["sendDrops"] == 3


def test_a_shared_namespace_is_its_container_s_that_is_wanted(lab, rootfs):
    """Two containers in one, as in a pod: whichever is asked for, whether it was there before or not."""
    first = lab.start("sleep 1000", edit=in_rootfs(rootfs))

    def beside(config):
        in_rootfs(rootfs)(config)
        for namespace in config["linux"]["namespaces"]:
            if namespace["type"] == "network":
                namespace["path"] = f"/proc/{first.pid}/ns/net"

    second = lab.start("sleep 1000", edit=beside)
    later = lab.container("sleep 1; udp_ways connected 127.0.0.1 7000 5 100", edit=beside)
    for c in (first, second):
        with ig.Ig("run", "top_net", "--interval", "60s", "-o", "json", "-c", c.name) as running:
            running.ready()
            first.exec("udp_ways", "connected", "127.0.0.1", "7000", "5", "100")
            assert running.stop() == 0
            assert [(ig.container_of(r), r["sent"]) for r in running.records()] == [(c.name, 640)]
    with ig.Ig("run", "top_net", "--interval", "60s", "-o", "json", "-c", later.name) as running:
        running.ready()
        later.run()
        assert running.stop() == 0
        assert [(ig.container_of(r), r["sent"]) for r in running.records()] == [(later.name, 640)]


def test_who_joins_later_sees_its_containers_too(lab):
    """At a daemon two share the programs, which were attached when only the first one's container was wanted."""
    one, other = lab.start("sleep 1000"), lab.start("sleep 1000")
    args = ("--interval", "1s", "-o", "json", "-c")
    with agent.Agent() as node, node.run("top_net", *args, one.name) as first, node.run("top_net", *args, other.name) as second:
        cost = ig.lines(node.once("cost", "--once", "-o", "json", check=0).out)
        assert [r["tracers"] for r in cost if r["what"] == "top_net"] == [2]
        for c in (one, other):
            c.exec("udp_ways", "connected", "127.0.0.1", "7000", "5", "100")
        for c, running in ((one, first), (other, second)):
            row = running.wait_record(lambda r: r["dev"] == "lo")
            assert (ig.container_of(row), row["sent"], row["receivedPackets"]) == (c.name, 640, 5)
            assert {ig.container_of(r) for r in running.records()} == {c.name}


def test_packets_have_no_process(peers):
    server, client = peers
    with ig.Ig("run", "top_net", "--interval", "1s", "-o", "json", "-c", both(peers), "--comm", "iperf3") as running:
        running.ready()
        iperf(client, "-n", "1M")
        assert running.stop() == 0
        assert running.records() == []


# ---- streams


def test_bytes_of_streams_are_those_of_iperf3(peers):
    server, client = peers
    with ig.Ig("run", "top_tcp", "--interval", "60s", "-o", "json", "-c", both(peers)) as running:
        running.ready()
        told = {v: iperf(client, "-n", "20M", "-P", "2", version=v) for v in (4, 6)}
        assert running.stop() == 0
        rows = running.records()
    for version, said in told.items():
        for s in said["start"]["connected"]:
            end = next(t["sender"] for t in said["end"]["streams"] if t["sender"]["socket"] == s["socket"])
            ours = [r for r in rows if r["src"]["port"] == s["local_port"] and r["dst"]["version"] == version]
            theirs = [r for r in rows if r["dst"]["port"] == s["local_port"] and r["dst"]["version"] == version]
            # A cookie of 37 bytes goes before the data.
            assert summed(ours, "sent") == (end["bytes"] + 37,) and {ig.container_of(r) for r in ours} == {client.name}
            assert {ig.container_of(r) for r in theirs} == {server.name}
            assert sum(r["received"] for r in theirs) <= end["bytes"] + 37
    assert {r["comm"] for r in rows} == {"iperf3"}
