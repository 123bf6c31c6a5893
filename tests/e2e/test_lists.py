# SPDX-License-Identifier: Apache-2.0
"""What iterators find, once or at each interval: here and at a daemon, in the containers' own network namespaces."""

import os
import re
import socket
import time

import fakes
import ig
import pytest
from agent import Agent
from containers import keep_saying, wait_for

SNAPSHOTS = ("snapshot_process", "snapshot_socket", "snapshot_file")


def without_time(text):
    return sorted(({k: v for k, v in r.items() if k != "timestamp"} for r in ig.records(text)), key=repr)


def netns(pid):
    return os.stat(f"/proc/{pid}/ns/net").st_ino


def descriptors(agent):
    return len(os.listdir(f"/proc/{agent.pid}/fd"))


def quiet(lab):
    c = lab.start("nc -l -p 7000 & sleep 100 & exec sleep 300")
    return c.wait_comms("nc", "sleep", "sleep").wait_listens(7000)


# ---- at a daemon --------------------------------------------------------------------

@pytest.mark.parametrize("gadget", SNAPSHOTS)
def test_a_snapshot_at_a_daemon_is_the_same(agent, lab, gadget):
    """It ends by itself, with the same rows and sums; twice: nothing of the first is left in the second."""
    c = quiet(lab)
    here = ig.once("run", gadget, "-o", "json", "-c", c.name, check=0)
    assert len(ig.records(here.out)) >= 3 or gadget == "snapshot_socket"
    for _ in range(2):
        there = agent.once("run", gadget, "-o", "json", "-c", c.name, check=0)
        assert without_time(there.out) == without_time(here.out) != []
        assert there.err == here.err


def test_two_clients_have_their_own_snapshots(agent, lab):
    one, two = quiet(lab), quiet(lab)
    with agent.ig("run", "snapshot_process", "-o", "json", "-c", one.name) as a, \
            agent.ig("run", "snapshot_process", "-o", "json", "-c", two.name) as b:
        assert a.wait() == b.wait() == 0
        assert {ig.container_of(r) for r in a.records()} == {one.name}
        assert {ig.container_of(r) for r in b.records()} == {two.name}


def test_a_snapshot_with_a_stream(agent, lab):
    """The rows of the one come, and the other goes on."""
    c = lab.start(keep_saying("both"))
    for run in (lambda *args: ig.Ig("run", *args), lambda *args: agent.ig("run", *args)):
        with run("snapshot_process,trace_exec", "-o", "json", "-c", c.name) as running:
            running.wait_record(lambda r: r.get("gadget") == "snapshot_process")
            running.wait_record(lambda r: r.get("gadget") == "trace_exec", 5)
            assert running.stop() == 0


def test_a_sampled_table_is_a_top_table(agent, lab, tmp_path):
    """--interval, --sort, --max-entries, the sums and what a record file has, here and there."""
    c = lab.start("for i in 1 2 3 4 5; do sleep 100 & done; exec sleep 300").wait_comms(*["sleep"] * 6)
    path = str(tmp_path / "top.rec")
    args = ("run", "top_process", "-o", "json", "-c", c.name, "--interval", "300ms", "--sort", "-proc.pid", "--max-entries", "2",
            "--filter", "proc.comm==sleep", "-t", "2")
    for done in (ig.once(*args, check=0), agent.once(*args, "--record", path, check=0)):
        rows = [r for r in ig.records(done.out) if r["source"] == "processes"]
        assert 8 <= len(rows) <= 14 and len(rows) % 2 == 0, done.out
        pids = [ig.get(r, "proc.pid") for r in rows]
        assert pids == sorted(pids[:2], reverse=True) * (len(rows) // 2) and pids[0] > c.pid
        n = ig.totals(done.err, "top_process")
        assert n.lost == 0 and n.seen == n.delivered + n.discarded and n.delivered == len(ig.records(done.out))
    again = ig.once("replay", path, "-o", "json", "--sort", "-proc.pid", "--max-entries", "2", check=0)
    assert again.out == done.out


def test_the_first_table_is_of_the_first_interval(lab):
    """What was used before is not in it, though it is in cpuTime; the container's sum is that of its processes."""
    c = lab.start("timeout 3 tasks_many 1 busy; exec sleep 300").wait_comms("sleep")
    done = ig.once("run", "top_process", "-o", "json", "-c", c.name, "--interval", "500ms", "-t", "1.2", check=0)
    rows = [r for r in ig.records(done.out) if r["source"] == "processes"]
    assert rows and all(r["cpuUsage"] < 20 for r in rows), rows
    sums = [r for r in ig.records(done.out) if r["source"] == "containers"]
    assert sums and all(r["processes"] == 1 and r["cpuUsage"] < 20 for r in sums), sums


# ---- names that do not come ----------------------------------------------------------

def test_a_snapshot_does_not_wait_for_ever(lab, docker):
    """A daemon that does not answer would hold it for 60 seconds. What may be wanted, and cannot be told, is marked."""
    def rows(text):
        shown = [r for r in ig.records(text) if ig.get(r, "runtime.resolved") is not False]
        assert {ig.container_of(r) for r in shown} == {c.name}
        assert len(shown) < len(ig.records(text)), "no name was missing: the test tests nothing"
        return len(shown)
    path = os.path.join(lab.dir, lab.name("socket"))
    flags = ["--resolve-timeout", "60s", "--docker-socketpath", path]
    c = quiet(lab)
    with fakes.Fake(path, "silent", "docker"), docker.start(lab.name("mute"), keep_saying("mute")):
        started = time.monotonic()
        here = ig.once("run", "snapshot_process", "-o", "json", "-c", c.name, *flags, check=0)
        assert rows(here.out) == 3
        with Agent(*flags) as agent:
            there = agent.once("run", "snapshot_process", "-o", "json", "-c", c.name, check=0)
            assert rows(there.out) == 3
        assert time.monotonic() - started < 30


# ---- network namespaces --------------------------------------------------------------

def test_each_in_its_own_network_namespace(agent, lab):
    """Both listen on the same port; the daemon is in its own namespace again afterwards."""
    one, two = quiet(lab), quiet(lab)
    before, files = netns(agent.pid), descriptors(agent)
    for _ in range(3):
        done = agent.once("run", "snapshot_socket", "-o", "json", "-c", f"{one.name},{two.name}", check=0)
    rows = {(ig.container_of(r), r["netns_id"]) for r in ig.records(done.out) if ig.get(r, "src.port") == 7000}
    assert rows == {(c.name, netns(c.pid)) for c in (one, two)}
    assert netns(agent.pid) == before == netns(os.getpid())
    wait_for(lambda: descriptors(agent) == files, what="as many descriptors as before")


def test_containers_that_share_a_network_namespace(lab):
    """Its lists are read once: each socket is there once, with the container of the process that has it."""
    one = quiet(lab)

    def join(config):
        for n in config["linux"]["namespaces"]:
            if n["type"] == "network":
                n["path"] = f"/proc/{one.pid}/ns/net"
    two = lab.container("nc -l -p 7001 & exec sleep 300", edit=join)
    two.start().wait_comms("nc", "sleep").wait_listens(7001)
    done = ig.once("run", "snapshot_socket", "-o", "json", "-c", f"{one.name},{two.name}", check=0)
    rows = sorted((ig.get(r, "src.port"), ig.container_of(r)) for r in ig.records(done.out) if r["state"] == "LISTEN")
    assert rows == [(7000, one.name), (7001, two.name)]
    alone = ig.once("run", "snapshot_socket", "-o", "json", "-c", two.name, check=0)
    assert {ig.container_of(r) for r in ig.records(alone.out)} == {two.name}


def test_the_hosts_sockets(lab):
    """With --host alone those of the host's namespace, too, and each once."""
    c = quiet(lab)
    with socket.create_server(("127.0.0.1", 0)) as ours:
        port = ours.getsockname()[1]
        for flags, there in (((), False), (("--host",), True)):
            done = ig.once("run", "snapshot_socket", "-o", "json", *flags, check=0)
            rows = ig.records(done.out)
            mine = [r for r in rows if ig.get(r, "src.port") == port and r["kind"] == "TCP"]
            assert [(ig.container_of(r), ig.get(r, "proc.pid")) for r in mine] == [(None, os.getpid())] * there
            assert [ig.container_of(r) for r in rows if ig.get(r, "src.port") == 7000] == [c.name]


# ---- the tree ------------------------------------------------------------------------

def test_tree(lab):
    c = lab.start("sh -c 'sleep 100 & exec nc -l -p 7000' & sh -c 'exec sleep 200' & exec sleep 300")
    c.wait_comms("nc", "sleep", "sleep", "sleep")
    done = ig.once("run", "snapshot_process", "-o", "tree", "-c", c.name, check=0)
    lines = done.out.splitlines()
    assert re.match(r"PROCESS +RUNTIME.CONTAINERNAME +PID", lines[0])
    assert [line.split(c.name)[0].rstrip() for line in lines[1:]] == ["sleep", "├─nc", "│ └─sleep", "└─sleep"]
    assert ig.totals(done.err) == (4, 4, 0, 0)


def test_tree_of_what_is_none():
    done = ig.once("run", "trace_exec", "-o", "tree", "-t", "1")
    assert done.returncode == 2 and "-o tree is for tables of processes" in done.err
