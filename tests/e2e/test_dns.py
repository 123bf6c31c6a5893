# SPDX-License-Identifier: Apache-2.0
"""trace_dns against dnsmasq, dig and getent in containers of their own: every answer as dnsmasq's log has it."""

import os
import re
import time

import containers
import ig
import pytest
import wires

SERVER = ("dnsmasq --keep-in-foreground --user=root --group=root --conf-file=/dev/null --pid-file= --no-hosts --no-resolv "
          "--log-queries=extra --log-facility=- --host-record=a.test,10.1.2.3,2001:db8::7 --host-record=two.test,10.1.2.4 "
          "--host-record=two.test,10.1.2.5 --cname=c1.test,c2.test --cname=c2.test,a.test --mx-host=a.test,mail.test,10 "
          "--txt-record=t.test,'some text' --srv-host=_x._tcp.test,a.test,443 --ptr-record=p.test,a.test --local=/test/ "
          "--caa-record=a.test,0,issue,ca.test")

# What dig is asked for: name, type, other flags.
QUESTIONS = [("a.test", "A"), ("a.test", "AAAA"), ("two.test", "A"), ("c1.test", "A"), ("a.test", "MX"), ("t.test", "TXT"),
             ("_x._tcp.test", "SRV"), ("p.test", "PTR"), ("nix.test", "A"), ("a.test", "TYPE65400"), ("A.tEsT", "A"),
             ("a.test", "A", "+tcp"), ("c1.test", "AAAA", "+tcp"), ("t.test", "TXT", "+noedns"), ("a.test", "A", "+dnssec")]


@pytest.fixture(scope="module")
def rootfs(whole_lab):
    path = whole_lab.rootfs_with("dnsmasq", "dig", "getent")
    for name, text in (("resolv.conf", f"nameserver {wires.address(1)}\n"), ("nsswitch.conf", "hosts: dns\npasswd: files\n"),
                       ("services", "domain 53/udp\n")):
        with open(os.path.join(path, "etc", name), "w") as f:
            f.write(text)
    return path


def in_rootfs(rootfs, *capabilities):
    def edit(config):
        config["root"]["path"] = rootfs
        wires.may(*capabilities)(config)
    return edit


@pytest.fixture
def peers(lab, rootfs):
    """A server and a client; the server is up."""
    server = lab.start(f"until ip addr | grep -q {wires.address(1, 6)}/; do sleep 0.05; done; {SERVER}; sleep 1000",
                       edit=in_rootfs(rootfs, "NET_BIND_SERVICE", "NET_ADMIN", "NET_RAW", "SETUID", "SETGID", "SETPCAP"))
    client = lab.start("sleep 1000", edit=in_rootfs(rootfs))
    wires.join(server, client)
    containers.wait_for(lambda: "started" in server.log(), what=f"dnsmasq: {server.log()}")
    return server, client


def ask(client, questions, version=4):
    for name, kind, *flags in questions:
        client.exec("dig", f"@{wires.address(1, version)}", "+tries=1", "+time=2", *flags, name, kind)


def log_of(server):
    """{(address, port, type, name): [what it is]}, of each query that dnsmasq had."""
    queries, by_port = {}, {}
    for line in server.log().splitlines():
        m = re.search(r"dnsmasq(?:\[\d+\])?: \d+ (\S+)/(\d+) (.*)", line)
        if not m:
            continue
        address, port, said = m.group(1), int(m.group(2)), m.group(3)
        query = re.match(r"query\[(?:type=)?(\S+)\] (\S+) from", said)
        if query:
            kind = query.group(1) if not query.group(1).isdigit() else f"TYPE{query.group(1)}"
            key = (address, port, kind, query.group(2))
            queries[key] = by_port[address, port] = []
        else:
            answer = re.match(r"\S+ \S+ is (\S+)", said)
            if answer and (address, port) in by_port:
                by_port[address, port].append(answer.group(1))
    return queries


def key_of(record, end):
    return (record[end]["addr"], record[end]["port"], record["qtype"], record["name"].rstrip("."))


def check(records, log, client, server):
    for kind, c, qr, end in (("OUTGOING", client, "Q", "src"), ("HOST", server, "Q", "src"),
                             ("OUTGOING", server, "R", "dst"), ("HOST", client, "R", "dst")):
        seen = sorted(key_of(r, end) for r in records
                      if (r["pkt_type"], r["qr"], ig.container_of(r)) == (kind, qr, c.name))
        assert seen == sorted(log), (kind, qr, c.name)
    for r in records:
        assert not r["malformed"] and not r["timeout"], r
        if r["qr"] == "Q":
            continue
        said = log[key_of(r, "dst")]
        assert sorted(r["addresses"]) == sorted(w for w in said if re.fullmatch(r"[0-9a-f.:]+", w)), (r, said)
        assert (r["rcode"] == "NXDOMAIN") == ("NXDOMAIN" in said), (r, said)
        assert r["latency_ns"] > 0, r


def test_every_answer_is_as_the_server_says(peers):
    server, client = peers
    with ig.Ig("run", "trace_dns", "-o", "json", "-c", f"{server.name},{client.name}") as running:
        running.ready()
        ask(client, QUESTIONS)
        ask(client, QUESTIONS, 6)
        client.exec("getent", "ahosts", "two.test")
        containers.wait_for(lambda: len(log_of(server)) >= 2 * len(QUESTIONS) + 2, what="queries in dnsmasq's log")
        time.sleep(0.5)
        assert running.stop() == 0
        records, err = running.records(), running.err
    log = log_of(server)
    check(records, log, client, server)
    assert len(log) == 2 * len(QUESTIONS) + 2 and ig.totals(err).lost == 0
    answers = {(r["name"], r["qtype"]): r for r in records if r["qr"] == "R" and r["pkt_type"] == "HOST"}
    assert answers["c1.test.", "A"]["cnames"] == ["c2.test.", "a.test."]
    assert re.fullmatch(r"a\.test\. \d+ MX 10 mail\.test\.", answers["a.test.", "MX"]["answers"][0])
    assert answers["t.test.", "TXT"]["answers"][0].endswith('TXT "some text"')
    assert re.search(r" SRV \d+ \d+ 443 a\.test\.$", answers["_x._tcp.test.", "SRV"]["answers"][0])
    assert {r["proc"]["comm"] for r in records if r["pkt_type"] == "HOST" and r["qr"] == "Q"} == {"dnsmasq"}
    assert {r["nameserver"]["addr"] for r in records} == {wires.address(1), wires.address(1, 6)}


def test_a_server_that_is_older(peers):
    """Its owner is found, and TCP's too."""
    server, client = peers
    ask(client, QUESTIONS[:1])
    with ig.Ig("run", "trace_dns", "-o", "json", "-c", server.name) as running:
        running.ready()
        ask(client, [("a.test", "A"), ("a.test", "A", "+tcp")])
        time.sleep(0.5)
        assert running.stop() == 0
        got = running.records()
    assert [(r["qr"], r["nameserver"]["proto"]) for r in got] == [("Q", "UDP"), ("R", "UDP"), ("Q", "TCP"), ("R", "TCP")]
    assert {r["proc"]["comm"] for r in got} == {"dnsmasq"}


def test_nobody_answers(peers):
    """A server that does not listen there: the query, and that it had no answer."""
    _, client = peers
    with ig.Ig("run", "trace_dns", "-o", "json", "-c", client.name, "--port", "5300") as running:
        running.ready()
        client.exec("dig", f"@{wires.address(1)}", "-p", "5300", "+tries=1", "+time=1", "lost.test", check=False)
        time.sleep(0.3)
        assert running.stop() == 0
        got = running.records()
    assert [(r["qr"], r["timeout"], r["name"]) for r in got] == [("Q", False, "lost.test."), ("Q", True, "lost.test.")]
