# SPDX-License-Identifier: Apache-2.0
"""Gadgets that look into TCP, over a veth between two containers, against what ss tells of the same connections."""

import re
import time

import containers
import ig
import pytest

CLIENT, SERVER = "192.0.2.1", "192.0.2.2"


class Pair:
    """Two containers whose network namespaces have a link to each other, and a server of one connection on port 7000 in one."""

    def __init__(self, lab):
        containers.require("ip", "ss", "nsenter", "iptables")
        self.client = lab.start("sleep 1000", edit=containers.privileged)
        self.server = lab.start("sleep 1000 | nc -l -p 7000 >/dev/null; sleep 1000", edit=containers.privileged)
        containers.run("ip", "link", "add", "v0", "netns", str(self.client.pid), "type", "veth",
                       "peer", "name", "v0", "netns", str(self.server.pid))
        for c, address in ((self.client, CLIENT), (self.server, SERVER)):
            self.inside(c, "ip", "addr", "add", f"{address}/24", "dev", "v0")
            self.inside(c, "ip", "link", "set", "v0", "up")
        containers.wait_for(lambda: ":7000" in self.inside(self.server, "ss", "-ltnH").text, what="server")

    @staticmethod
    def inside(c, *command):
        return containers.run("nsenter", f"--net=/proc/{c.pid}/ns/net", *command)

    def send(self, script):
        """Starts what sends the output of a script, and keeps the connection for some seconds."""
        return self.client.exec("sh", "-c", f"(({script}; sleep 4) | timeout 8 nc {SERVER} 7000) >/dev/null 2>&1 &")

    def told_by_ss(self):
        """What ss says of the connection's end at the client: {"rtt": "0.05/0.02", "bytes_sent": "12", …}"""
        text = self.inside(self.client, "ss", "-tinHO", "state", "established", "dport", "=", ":7000").text
        return dict(re.findall(r"(\w+):(\S+)", text))

    def wait_sent(self, n):
        def done():
            ss = self.told_by_ss()
            return int(ss.get("bytes_acked", 0)) >= n

        containers.wait_for(done, 8, f"{n} bytes at the other end")
        return self.told_by_ss()


@pytest.fixture
def pair(lab):
    return Pair(lab)


def names(pair):
    return ",".join((pair.client.name, pair.server.name))


def of_client(records, pair):
    return [r for r in records if r["runtime"]["containerName"] == pair.client.name and r["dst"]["port"] == 7000]


def test_round_trips_are_those_of_ss(pair):
    """A slow link fills its queue, so that round trips take long and differ."""
    pair.client.exec("slow_link", "v0", "100000")
    args = ("--by-connection", "--interval", "500ms", "-o", "json", "-c", names(pair))
    with ig.Ig("run", "profile_tcprtt", *args) as running, ig.Ig("run", "profile_qdisc_latency", *args) as queue:
        running.ready()
        queue.ready()
        pair.send("head -c 100000 /dev/zero")
        ss = pair.wait_sent(100000)
        time.sleep(0.6)
        assert running.stop() == 0 and queue.stop() == 0
        rows = of_client(running.records(), pair)
        waited = [r for r in queue.records() if r["dev"] == "v0" and r["src"]["addr"] == CLIENT and r["dst"] == {
            "addr": SERVER, "port": 7000, "proto": "TCP", "version": 4}]
    assert {r["runtime"]["containerName"] for r in waited} == {pair.client.name}
    rtt_us = float(ss["rtt"].split("/")[0]) * 1000
    slots = [s for r in rows for s in r["latency"]["data"] if s["count"]]
    assert rtt_us > 10000, ss
    assert any(s["intervalStart"] / 2 <= rtt_us <= s["intervalEnd"] * 2 for s in rows[-1]["latency"]["data"] if s["count"]), (ss, rows)
    assert all(s["intervalStart"] <= 8 * rtt_us for s in slots), (ss, rows)
    longest = max(s["intervalStart"] for r in waited for s in r["latency"]["data"] if s["count"])
    assert rtt_us / 8 <= longest <= rtt_us * 8, (ss, waited)


def test_what_is_sent_again_is_what_ss_counts(pair):
    names_of = names(pair)
    with ig.Ig("run", "trace_tcpretrans", "tcplife", "-o", "json", "-c", names_of) as running:
        running.ready()
        pair.send("printf 12345; until test -e /tmp/unreachable; do sleep 0.05; done; printf 1234567")
        pair.wait_sent(5)
        pair.inside(pair.server, "ip", "addr", "del", f"{SERVER}/24", "dev", "v0")
        with open(f"/proc/{pair.client.pid}/root/tmp/unreachable", "w"):
            pass
        time.sleep(0.9)
        pair.inside(pair.server, "ip", "addr", "add", f"{SERVER}/24", "dev", "v0")
        ss = pair.wait_sent(12)
        time.sleep(6)
        assert running.stop() == 0
        records = running.records()
    again = of_client([r for r in records if r["gadget"] == "trace_tcpretrans"], pair)
    counted = int(ss["retrans"].split("/")[1])
    assert counted and len(again) == counted, (ss, running.out)
    assert {(r["proc"]["comm"], r["bytes"], r["state"]) for r in again} == {("nc", 7, "ESTABLISHED")}
    assert sum(r["bytes"] for r in again) == int(ss["bytes_retrans"])
    (life,) = of_client([r for r in records if r["gadget"] == "tcplife"], pair)
    assert (life["sent"], life["received"], life["retransmits"]) == (12, 0, counted)
    assert life["proc"]["comm"] == "nc" and 4e9 < life["duration"] < 9e9
    (other,) = [r for r in records if r["gadget"] == "tcplife" and r["src"]["port"] == 7000]
    assert other["runtime"]["containerName"] == pair.server.name and other["received"] == 12


def test_a_closed_port_is_its_container_s(pair):
    """The SYN is dropped at the server's: that is where it is shown, and the client's time is the client's."""
    with ig.Ig("run", "trace_tcpdrop", "tcpconnlat", "-o", "json", "-c", names(pair)) as running:
        running.ready()
        pair.client.exec("nc", SERVER, "7009", check=False)
        time.sleep(0.5)
        assert running.stop() == 0
        records = running.records()
    (drop,) = [r for r in records if r["gadget"] == "trace_tcpdrop" and r["dst"]["port"] == 7009]
    assert drop["runtime"]["containerName"] == pair.server.name
    assert drop["reason"] == "SKB_DROP_REASON_NO_SOCKET" and drop["src"]["addr"] == CLIENT
    (connect,) = [r for r in records if r["gadget"] == "tcpconnlat"]
    assert connect["runtime"]["containerName"] == pair.client.name and connect["error"] == "ECONNREFUSED"


def test_what_a_packet_filter_drops(pair):
    pair.inside(pair.server, "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "7009", "-j", "DROP")
    with ig.Ig("run", "trace_tcpdrop", "--kstack", "-o", "json", "-c", names(pair)) as running:
        running.ready()
        pair.client.exec("timeout", "2", "nc", SERVER, "7009", check=False)
        time.sleep(0.3)
        assert running.stop() == 0
        drops = [r for r in running.records() if r["reason"] == "SKB_DROP_REASON_NETFILTER_DROP"]
    counted = pair.inside(pair.server, "iptables", "-L", "INPUT", "-nvx").text.splitlines()[2].split()[0]
    assert len(drops) == int(counted) >= 2, running.out
    for r in drops:
        assert r["runtime"]["containerName"] == pair.server.name and r["dst"] == {
            "addr": SERVER, "port": 7009, "proto": "TCP", "version": 4}
        assert r["tcpflags"] == "SYN" and any(f.startswith("ip_local_deliver+") for f in r["kernel_stack"]), r
