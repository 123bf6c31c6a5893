# SPDX-License-Identifier: Apache-2.0
"""Tables and snapshots: top_tcp, and the gadgets of tests/gadgets."""

import os
import time

import containers
import ig
import pytest


@pytest.fixture(scope="module")
def built(whole_lab):
    """Path of a gadget of tests/gadgets, built by ig."""
    def build(name):
        path = os.path.join(whole_lab.dir, name + ".bpf.o")
        if not os.path.exists(path):
            ig.once("build", os.path.join(containers.TOP, "tests/gadgets", name), "-o", path, check=0)
        return path
    return build


def test_snapshot_is_what_there_is_now(lab):
    c = lab.start("sleep 100 & sleep 200 & exec sleep 300").wait_comms(*["sleep"] * 3)
    done = ig.once("run", "snapshot_process", "-o", "json", "-c", c.name, check=0)
    got = ig.records(done.out)
    assert [ig.get(r, "proc.comm") for r in got] == ["sleep"] * 3
    assert c.pid in {ig.get(r, "proc.pid") for r in got}
    assert {ig.container_of(r) for r in got} == {c.name}


def test_snapshot_sorted_and_cut(lab):
    c = lab.start("for i in 1 2 3 4 5; do sleep 100 & done; exec sleep 300").wait_comms(*["sleep"] * 6)
    done = ig.once("run", "snapshot_process", "-o", "json", "-c", c.name, "--sort", "-proc.pid",
                   "--max-entries", "4", check=0)
    pids = [ig.get(r, "proc.pid") for r in ig.records(done.out)]
    assert len(pids) == 4 and pids == sorted(pids, reverse=True)
    assert ig.totals(done.err) == (6, 4, 2, 0)


def test_rows_that_are_cut_are_recorded(lab):
    c = lab.start("for i in 1 2 3 4 5; do sleep 100 & done; exec sleep 300").wait_comms(*["sleep"] * 6)
    path = os.path.join(lab.dir, "cut.rec")
    shown = ig.once("run", "snapshot_process", "-o", "json", "-c", c.name, "--filter", "proc.comm==sleep",
                    "--sort", "-proc.pid", "--max-entries", "2", "--record", path, check=0).out
    again = ig.once("replay", path, "-o", "json", "--sort", "-proc.pid", "--max-entries", "2", check=0).out
    everything = ig.records(ig.once("replay", path, "-o", "json", check=0).out)
    assert len(ig.records(shown)) == 2 and again == shown
    assert len(everything) == 6


def test_snapshot_of_some_processes(lab):
    """The process filters are asked of the process that is shown, not of ig, which reads."""
    c = lab.start("sleep 100 & exec nc -l -p 7000").wait_comms("sleep", "nc")
    for flags, comms in ((("--pid", str(c.pid)), ["nc"]), (("--comm", "sleep"), ["sleep"]), (("--uid", "77"), []),
                         (("--gid", "0", "--tid", str(c.pid)), ["nc"])):
        done = ig.once("run", "snapshot_process", "-o", "json", "-c", c.name, *flags, check=0)
        assert [ig.get(r, "proc.comm") for r in ig.records(done.out)] == comms, flags


def test_snapshot_of_the_host(lab):
    us = os.getpid()
    done = ig.once("run", "snapshot_process", "-o", "json", "--host", "--filter", f"proc.pid=={us}", check=0)
    assert [(ig.get(r, "proc.pid"), ig.container_of(r)) for r in ig.records(done.out)] == [(us, None)]


def test_top_counts_exactly_over_all_intervals(lab, built):
    """Tables are swapped while a storm goes on: no update is lost between two."""
    c = lab.container("load_open", "2", "300000")
    with ig.Ig("run", built("top_open"), "-o", "json", "-c", c.name, "--interval", "100ms") as running:
        running.ready()
        c.run()
        time.sleep(0.5)
        assert running.stop() == 0
        rows = [r for r in running.records() if r["comm"] == "load_open"]
        assert len(rows) > 2
        assert sum(r["opens"] for r in rows) == 300000


def test_top_by_container(lab, built):
    one, two = lab.container("load_open", "1", "1000"), lab.container("load_open", "1", "2000")
    with ig.Ig("run", built("top_open"), "-o", "json", "-c", f"{one.name},{two.name}", "--interval", "1") as running:
        running.ready()
        one.run()
        two.run()
        time.sleep(1.5)
        running.stop()
        sums = {}
        for r in running.records():
            if r["comm"] == "load_open":
                sums[ig.container_of(r)] = sums.get(ig.container_of(r), 0) + r["opens"]
        assert sums == {one.name: 1000, two.name: 2000}


def test_top_sort_and_entries(lab, built):
    c = lab.start("for i in 1 2 3 4; do (while :; do load_open 1 $((i * 100)) ; done) & done; wait")
    with ig.Ig("run", built("top_open"), "-o", "json", "-c", c.name, "--interval", "1", "--timeout", "3",
               "--sort", "-opens", "--max-entries", "3") as running:
        assert running.wait() == 0
        rows = running.records()
        assert 3 <= len(rows) <= 12
        first = [r["opens"] for r in rows[:3]]
        assert first == sorted(first, reverse=True)
        t = ig.totals(running.err)
        assert t.delivered == len(rows) and t.seen == t.delivered + t.discarded + t.lost


def test_top_tcp(lab):
    """Bytes of a transfer over loopback, by the sending and the receiving end."""
    c = lab.start("nc -l -p 7000 -e sh -c 'cat >/dev/null' & sleep 2;"
                  "(dd if=/dev/zero bs=1024 count=5000 2>/dev/null; sleep 1) | nc 127.0.0.1 7000; sleep 60")
    with ig.Ig("run", "top_tcp", "-o", "json", "-c", c.name, "--interval", "500ms") as running:
        running.ready()
        time.sleep(5)
        running.stop()
        sent = sum(r.get("sent") or 0 for r in running.records())
        received = sum(r.get("received") or 0 for r in running.records())
        assert sent == received == 5000 * 1024
