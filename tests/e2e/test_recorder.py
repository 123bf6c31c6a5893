# SPDX-License-Identifier: Apache-2.0
"""The flight recorder: what happened before something went wrong."""

import concurrent.futures
import os
import re
import signal
import time

import ig
import pytest
from agent import Agent
from containers import SLOWER, wait_for

RECORDED = "trace_exec,trace_open"


def with_memory(limit):
    """An `edit` of a container's config."""
    def edit(config):
        config["linux"]["resources"]["memory"] = {"limit": limit, "swap": limit}
    return edit


@pytest.fixture
def out(tmp_path):
    return str(tmp_path / "out")


def dumps(out):
    return sorted(os.listdir(out)) if os.path.isdir(out) else []


def dump_of(out, container, reason):
    found = wait_for(lambda: [f for f in dumps(out) if re.fullmatch(rf"{container}-\d{{8}}T\d{{6}}Z-{reason}\.ig", f)], 15,
                     f"dump of {container}")
    assert len(found) == 1, found
    return os.path.join(out, found[0])


def replayed(path):
    return ig.records(ig.once("replay", path, "-o", "json", check=0).out)


def by_gadget(records, gadget):
    return [r for r in records if r["gadget"] == gadget]


def times(records):
    return [r["timestamp"] for r in records]


@pytest.mark.kernels
def test_an_exit_that_is_none(lab, out):
    bad, good, killed = lab.container("cat /no/such; exit 3"), lab.container("cat /etc/hosts"), lab.container("sh -c 'kill -SEGV $$'; true")
    with ig.Ig("record", RECORDED, "--out", out) as running:
        running.ready()
        for c in (bad, good, killed):
            c.run()
        records = replayed(dump_of(out, bad.name, "exit"))
        died = replayed(dump_of(out, killed.name, "signal"))
        assert running.stop() == 0
    assert not [f for f in dumps(out) if f.startswith(good.name)]
    assert times(records) == sorted(times(records))
    assert {ig.get(r, "runtime.containerName") for r in records} == {bad.name}
    assert by_gadget(records, "trace_exec")[0]["args"][:2] == ["sh", "-c"]
    assert any(r["fname"] == "/no/such" and r["error"] == "ENOENT" for r in by_gadget(records, "trace_open"))
    assert by_gadget(records, "trace_exit")[-1]["exit_code"] == 3
    assert any(r["signal"] == "SIGSEGV" for r in by_gadget(died, "trace_exit"))


def test_many_at_once(lab, out):
    """Each that fails has its dump."""
    cs = [lab.container("cat /no/such; exit 4") for _ in range(12)]
    with ig.Ig("record", RECORDED, "--out", out) as running:
        running.ready()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda c: c.run(), cs)) == [4] * len(cs)
        for c in cs:
            assert by_gadget(replayed(dump_of(out, c.name, "exit")), "trace_exit")[-1]["exit_code"] == 4
        running.stop()


@pytest.mark.kernels
def test_twenty_milliseconds(lab, out):
    c = lab.container("exit 1")
    with ig.Ig("record", "trace_exec", "--out", out) as running:
        running.ready()
        c.run()
        records = replayed(dump_of(out, c.name, "exit"))
        running.stop()
    assert [r["gadget"] for r in records] == ["trace_exec", "trace_exit"]


def test_no_memory(lab, out):
    c = lab.container("tail /dev/zero; sleep 3", edit=with_memory(24 << 20))
    with ig.Ig("record", "trace_exec", "--out", out, "--dump-on", "oom") as running:
        running.ready()
        c.run()
        records = replayed(dump_of(out, c.name, "oom"))
        running.stop()
    assert by_gadget(records, "trace_oomkill")[0]["tcomm"] == "tail"
    assert any(r["args"] == ["tail", "/dev/zero"] for r in by_gadget(records, "trace_exec"))


def test_a_filter_dumps_once(lab, out):
    c = lab.container("for i in 1 2 3 4 5 6; do cat /no/such; done; sleep 2")
    with ig.Ig("record", "trace_exec", "--out", out, "--dump-on", "", "--dump-when",
               "opensnoop: fname==/no/such,error==ENOENT") as running:
        running.ready()
        c.run()
        assert len(by_gadget(replayed(dump_of(out, c.name, "when")), "trace_open")) >= 6
        running.stop()
    assert len(dumps(out)) == 1


@pytest.mark.kernels
def test_a_flood_is_its_own_affair(lab, out):
    quiet, flood = lab.container("cat /no/such; sleep 60"), lab.container("load_open 2 30000; sleep 60")
    with ig.Ig("record", "trace_open", "--out", out, "--per-container", "64KiB", "--dump-on", "") as running:
        running.ready()
        quiet.start()
        flood.start()
        time.sleep(3 * SLOWER)
        running.process.send_signal(signal.SIGUSR1)
        kept = replayed(dump_of(out, flood.name, "asked"))
        calm = replayed(dump_of(out, quiet.name, "asked"))
        assert running.stop() == 0
    sums = dict(re.findall(rf"^({quiet.name}|{flood.name}): (.*)$", running.err, re.M))
    # Where a thread interrupts another one's program the kernel leaves a run out, and tells how many but not whose.
    nameless = sum(map(int, re.findall(r"^\(host\): .* lost (\d+)$", running.err, re.M)))
    for name, text in sums.items():
        last, held, overwritten, lost = map(int, re.findall(r"\d+", text))
        assert last == held + overwritten + lost
        assert overwritten == 0 if name == quiet.name else overwritten > 0 and last + nameless >= 30000, running.err
    assert any(r["fname"] == "/no/such" for r in calm)
    assert len(kept) > 100 and times(kept) == sorted(times(kept))


@pytest.mark.parametrize("flags,message", (
    (["--dump-on", "fire"], "exit, signal or oom"),
    (["--dump-when", "fname==x"], "GADGET: EXPRESSION"),
    (["--dump-when", "trace_open: nothing==1"], "no field"),
    (["--dump-when", "trace_nothing: a==1"], "no gadget"),
    (["top_tcp"], "is a table"),
    (["trace_exec"], "already"),
    (["--per-container", "100"], "at least 4096 bytes"),
    (["--budget", "512KiB"], "no room"),
))
def test_bad_flags(flags, message, out):
    done = ig.once("record", "trace_exec", "--out", out, *flags)
    assert done.returncode and message in done.err, done.err


def test_rings_of_a_daemon(lab):
    with Agent("--record", RECORDED) as agent:
        c, gone = lab.container("cat /no/such; sleep 60"), lab.container("cat /no/such; exit 1")
        c.start()
        gone.run()
        rings = wait_for(lambda: {r["name"]: r for r in ig.records(agent.once("rings", "list", "-o", "json").out)
                                  if r["name"] in (c.name, gone.name) and r["kept"] > 2}, what="rings")
        wait_for(lambda: "ended" in agent.once("rings", "list", "-F", f"name=={gone.name}").out, what="end")
        assert c.name in rings and all(r["last"] == r["kept"] + r["overwritten"] + r["lost"] for r in rings.values())
        shown = ig.records(agent.once("replay", "--ring", gone.name, "-o", "json", check=0).out)
        name = agent.once("rings", "dump", gone.name, check=0).out.strip()
        assert shown == ig.records(agent.once("replay", name, "-o", "json", check=0).out)
        assert any(r.get("fname") == "/no/such" for r in ig.records(agent.once("replay", name, "-o", "json", check=0).out))
        wait_for(lambda: [f for f in os.listdir(agent.records) if f.startswith(gone.name) and f.endswith("-exit.ig")], what="dump")
        agent.once("rings", "close", gone.name, check=0)
        assert gone.name not in agent.once("rings", "list").out
        assert agent.once("rings", "dump", gone.name).returncode
        assert agent.once("replay", "--ring", gone.name).returncode


@pytest.mark.kernels
def test_files_of_a_daemon(lab):
    """Several are one stream in order of time, as here."""
    with Agent("--record", RECORDED, "--dump-on", "") as agent:
        one, two = lab.start("while :; do cat /no/one; sleep 0.1; done"), lab.start("while :; do cat /no/two; sleep 0.1; done")
        time.sleep(1)
        wait_for(lambda: {r["name"] for r in ig.records(agent.once("rings", "list", "-o", "json").out) if r["kept"] > 10} >=
                 {one.name, two.name}, what="rings")
        files = [agent.once("rings", "dump", c.name, check=0).out.strip() for c in (one, two)]
        there = ig.records(agent.once("replay", *files, "-o", "json", check=0).out)
        paths = [os.path.join(agent.records, f) for f in files]
        assert there == ig.records(ig.once("replay", *paths, "-o", "json", check=0).out)
        assert times(there) == sorted(times(there))
        names = [ig.get(r, "runtime.containerName") for r in there]
        assert set(names) == {one.name, two.name} and names != sorted(names)
        late = agent.once("replay", *files, "--from", "+300ms", "-o", "json", check=0).out
        assert ig.records(late) == ig.records(ig.once("replay", *paths, "--from", "+300ms", "-o", "json", check=0).out)
        assert 0 < len(ig.records(late)) < len(there)
        assert "no record file 'gone.ig'" in agent.once("replay", files[0], "gone.ig").err
        assert "more than 64" in agent.once("replay", *files[:1] * 65).err
        with open(os.path.join(agent.records, "junk.ig"), "w") as f:
            f.write("junk")
        assert "junk.ig: record file, byte 0: not a record file" in agent.once("replay", "junk.ig", files[0]).err


def test_all_in_files(lab, out):
    """Files follow each other, and are one stream; of more than is to be kept the oldest go."""
    c = lab.container("load_open 2 100000; cat /etc/hostname; sleep 60")
    with ig.Ig("record", "trace_open", "--out", out, "--dump-on", "", "--all", "--rotate-size", "256KiB", "--keep", "700KiB",
               "-c", c.name) as running:
        running.ready()
        c.start()
        wait_for(lambda: len(dumps(out)) > 1, 30, "a second file")
        time.sleep(3)
        assert running.stop() == 0
    files = dumps(out)
    assert 2 <= len(files) <= 5 and sum(os.path.getsize(os.path.join(out, f)) for f in files) <= 700 << 10
    records = ig.records(ig.once("replay", out, "-o", "json", check=0, timeout=60).out)
    assert any(r["fname"] == "/etc/hostname" for r in records)
    assert {ig.get(r, "runtime.containerName") for r in records} == {c.name}
