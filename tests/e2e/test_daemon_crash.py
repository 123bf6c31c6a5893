# SPDX-License-Identifier: Apache-2.0
"""`ig daemon` and its clients killed under load: nothing of them stays in the kernel, and the next daemon goes on."""

import contextlib
import datetime
import glob
import os
import re
import signal
import struct
import subprocess
import sys
import zlib

import agent
import bpf
import containers
import ig
import pytest
from agent_client import STUBS, Client, status_of


@pytest.fixture
def node(whole_lab):
    with agent.Agent() as a:
        yield a


def kill(node):
    """Dead, with all that it had in the kernel gone a moment later."""
    held = bpf.held_by(node.pid)
    node.process.kill()
    node.process.wait()
    bpf.assert_gone(held)
    containers.wait_for(lambda: not os.path.exists(node.pins), 5, "end of the pins")


def opened(run):
    return [r for r in run.rows if r["fname"] == "/bin/busybox"]


def opens(c, n):
    c.exec("/bin/load_open", "1", str(n), "/bin/busybox")


def test_killed_under_load(node, lab):
    c = lab.start("while :; do /bin/load_open 2 1000; done")
    with Client(node.address) as client:
        client.add_tracer("t", name=c.name)
        made = client.create("trace_open", name="kept", container=c.name)
        lines = client.receive("t")
        run, top = client.run("trace_open", tracer="t").started(), client.run("top_tcp", container=c.name).started()
        lines.wait(lambda: len(lines.records) > 1000)
        assert len(os.listdir(node.pins)) == 2
        kill(node)
        assert run.end()[0] == top.end()[0] == lines.end()[0] == "UNAVAILABLE"
    assert os.path.exists(node.socket)  # nobody was there to remove it
    node.start()
    with Client(node.address) as client:
        assert [t["id"] for t in client.state()["tracers"]] == ["t"]
        assert [(i.id, i.name, i.state.status, i.timeCreated) for i in client.listed()] == \
            [(made.id, "kept", 1, made.timeCreated)]
        assert client.listed()[0].gadgetConfig == made.gadgetConfig
        containers.wait_for(lambda: c.mntns in dict(client.state()["tracers"][0]["mntnsset"]), what="container in its map")
        run = client.attach("kept").started()
        run.wait(lambda: len(run.rows) > 1000)
        run.cancel()


def test_the_last_records_stay(node, lab):
    """Each restart has the last hundred, whatever the end, and says what a crash lost."""
    first, second = lab.start("sleep 100"), lab.start("sleep 100")
    with Client(node.address) as client:
        client.create("trace_open", name="kept", history=100, container=f"{lab.prefix}-*")
        reader = client.attach("kept").started()
        opens(first, 60)
        reader.wait(lambda: len(opened(reader)) == 60)
    wait_written(node)
    kill(node)
    opens(first, 5)  # nobody sees them
    node.start()
    said = re.search(r"crashed: instance kept has lost what happened between (\S+ \S+) and (\S+ \S+)\"", node.log)
    assert said and said[1] <= said[2]
    with Client(node.address) as client:
        reader = client.attach("kept").started()
        reader.wait(lambda: len(opened(reader)) == 60)
        opens(second, 30)
        reader.wait(lambda: len(opened(reader)) == 90)
        names = [r["runtime.containerName"] for r in opened(reader)]
    assert names == 60 * [first.name] + 30 * [second.name]
    assert node.stop() == 0
    for _ in range(3):  # also where nothing came in between
        node.start()
        assert "crashed" not in node.log
        with Client(node.address) as client:
            again = client.attach("kept").started()
            again.wait(lambda r=again: len(opened(r)) == 90)
            times = [r["timestamp"] for r in opened(again)]
        assert [r["runtime.containerName"] for r in opened(again)] == names and times == sorted(times)
        assert node.stop() == 0


def has_rows(path):
    """A chunk of rows, in this record file."""
    with open(path, "rb") as f:
        data = f.read()
    at = 16
    while at + 8 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if kind == 4:
            return True
        at += 8 + length + 4
    return False


def wait_written(node):
    containers.wait_for(lambda: any(map(has_rows, glob.glob(f"{node.state_dir}/instances/*.rows"))), 5,
                        "records on disk")


def test_times_of_another_boot(node, lab):
    """Records of before a reboot, since which the clock counts from elsewhere, are as old as they are."""
    c = lab.start("sleep 100")
    with Client(node.address) as client:
        client.create("trace_open", name="kept", container=c.name)
        reader = client.attach("kept").started()
        opens(c, 10)
        reader.wait(lambda: len(opened(reader)) == 10)
        shown = [times_of(r) for r in opened(reader)]
    assert node.stop() == 0
    file, = glob.glob(f"{node.state_dir}/instances/*.rows")
    move_clock(file, 3600 * 10**9)
    node.start()
    with Client(node.address) as client:
        reader = client.attach("kept").started()
        reader.wait(lambda: len(opened(reader)) == 10)
        moved = [(b - a).total_seconds() for a, b in zip(shown, (times_of(r) for r in opened(reader)))]
        assert all(abs(m - 3600) < 1 for m in moved), moved


def times_of(row):
    return datetime.datetime.fromisoformat(row["timestamp"][:26])


def move_clock(path, ns):
    """Of a record file: docs/record-file.md. Its first chunk, behind 16 bytes, is the clock."""
    with open(path, "r+b") as f:
        f.seek(16)
        head = f.read(8)
        kind, length = struct.unpack("<II", head)
        assert kind == 1
        payload = f.read(length)
        payload = struct.pack("<q", struct.unpack("<q", payload[:8])[0] + ns) + payload[8:]
        f.seek(24)
        f.write(payload + struct.pack("<I", zlib.crc32(head + payload)))


def test_an_instance_whose_time_is_over(node):
    """It does not begin anew with the daemon."""
    s = STUBS.api
    with Client(node.address) as client:
        for name, seconds in (("short", 1), ("long", 100)):
            client.instances.CreateGadgetInstance(s.CreateGadgetInstanceRequest(gadgetInstance=s.GadgetInstance(
                name=name, gadgetConfig=s.GadgetRunRequest(imageName="trace_exec", version=1, timeout=seconds * 10**9))))
        containers.wait_for(lambda: {i.name: i.state.status for i in client.listed()} == {"short": 2, "long": 1}, what="end")
    node.stop()
    node.start()
    with Client(node.address) as client:
        assert {i.name: (i.state.status, i.state.message) for i in client.listed()} == \
            {"short": (2, "it has ended"), "long": (1, "")}
        assert {i.gadgetConfig.timeout for i in client.listed()} == {10**9, 100 * 10**9}
    assert "not running" not in node.log


def test_killed_clients(node, lab):
    c = lab.start("while :; do /bin/load_open 2 1000; done")
    program = (f"import sys; sys.path.insert(0, {containers.HERE!r})\n"
               "from agent_client import *\nimport time\n"
               f"c = Client({node.address!r})\n"
               f"runs = [c.run('trace_open', container={c.name!r}).started(), c.run('trace_exec').started(), c.receive('t')]\n"
               "runs[0].wait(lambda: runs[0].read > 100)\n"
               "print('runs', flush=True); time.sleep(100)\n")
    with Client(node.address) as client:
        client.add_tracer("t", name=c.name)
        before = bpf.held_by(node.pid)
        files = len(os.listdir(f"/proc/{node.pid}/fd"))
        for _ in range(3):
            killed = [subprocess.Popen([sys.executable, "-B", "-c", program], stdout=subprocess.PIPE, text=True)
                      for _ in range(3)]
            for p in killed:
                assert p.stdout.readline() == "runs\n"
            held = bpf.held_by(node.pid) - before
            for p in killed:
                p.kill()
                p.communicate()
            containers.wait_for(lambda: not client.state()["runs"] and not client.state()["tracers"][0]["readers"], 10,
                                "end of their runs")
            bpf.assert_gone(held)
            assert bpf.held_by(node.pid) == before and len(os.listdir(f"/proc/{node.pid}/fd")) == files


def test_two_daemons(node):
    with Client(node.address) as client:
        client.add_tracer("t")
        done = ig.once("daemon", "--host", node.address + "2", "--pin-dir", node.pins, "--state-dir", node.dir + "/other")
        assert done.returncode == 1 and "another ig daemon runs on this node" in done.err and node.pins in done.err
        done = ig.once("daemon", "--host", node.address + "2", "--pin-dir", node.pins + "-2", "--state-dir", node.state_dir)
        assert done.returncode == 1 and "another ig daemon uses" in done.err and node.state_dir in done.err
        done = ig.once("daemon", "--host", node.address, "--pin-dir", node.pins + "-2", "--state-dir", node.dir + "/other")
        assert done.returncode == 1 and "Address already in use" in done.err
        # The first one has noticed nothing.
        assert len(os.listdir(node.pins)) == 2 and not os.path.exists(node.pins + "-2")
        assert [t["id"] for t in client.state()["tracers"]] == ["t"]
    assert node.stop() == 0
    node.start()
    assert "crashed" not in node.log


def test_one_after_the_other(node):
    """The next one comes while the last one's child still clears up."""
    for sig in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL, signal.SIGKILL):
        with Client(node.address) as client:
            if "t" not in [t["id"] for t in client.state()["tracers"]]:
                client.add_tracer("t")
        node.stop(sig)
        node.start()
        assert sorted(os.listdir(node.pins)) == ["cgroupidset-t", "mntnsset-t"]
    bpf_left = [p for p in bpf.pins() if p.startswith(node.pins)]
    assert len(bpf_left) == 2


def test_bad_files(node):
    """They are said and left; what is good beside them is there."""
    with Client(node.address) as client:
        client.add_tracer("good")
        client.create("trace_exec", name="good")
    assert node.stop() == 0
    bad = {"tracers/cut.json": '{"namespace": "x', "tracers/empty.json": "", "tracers/list.json": "[]",
           "tracers/a b.json": "{}", "tracers/selector.json": '{"labels": "=x"}',
           "instances/cd.json": "{}", "instances/ef.json": '{"name": "x", "image": "no_such_gadget"}',
           "instances/NOHEX.json": '{"name": "y", "image": "trace_exec"}', "instances/12.json": "\0\1\2",
           "instances/34.json": '{"name": "a\\nb", "image": "trace_exec"}'}
    for name, text in bad.items():
        with open(f"{node.state_dir}/{name}", "w") as f:
            f.write(text)
    for file in glob.glob(f"{node.state_dir}/instances/*.rows*"):
        with open(file, "r+b") as f:
            f.truncate(os.path.getsize(file) // 2)
    node.start()
    for name, text in bad.items():
        assert os.path.basename(name).removesuffix(".json") in node.log, name
        with open(f"{node.state_dir}/{name}") as f:
            assert f.read() == text
    with Client(node.address) as client:
        assert [t["id"] for t in client.state()["tracers"]] == ["good"]
        listed = {i.name or i.id: i for i in client.listed()}
        assert listed["good"].state.status == 1
        assert listed["x"].state.status == 2 and "no_such_gadget" in listed["x"].state.message
        client.remove(listed["x"].id)
    assert not os.path.exists(f"{node.state_dir}/instances/ef.json")


def fill(path):
    with open(path, "wb", buffering=0) as f, contextlib.suppress(OSError):
        while True:
            f.write(b"x" * 4096)


def test_a_full_disk(node, lab, tmp_path):
    """An instance goes on when its records cannot be kept, and says so."""
    small = tmp_path / "small"
    small.mkdir()
    containers.run("mount", "-t", "tmpfs", "-o", "size=64k", "small", str(small))
    try:
        with agent.Agent("--state-dir", str(small)) as other, Client(other.address) as client:
            c = lab.start("sleep 100")
            client.create("trace_open", name="kept", container=c.name, history=10000)
            reader = client.attach("kept").started()
            for i in range(5):
                if i == 2:
                    fill(small / "other")
                opens(c, 1000)
                reader.wait(lambda n=1000 * (i + 1): len(opened(reader)) == n)
            containers.wait_for(lambda: "instance kept: keeping the last records: No space left" in other.log, 5, "its word")
            assert other.log.count("No space left") == 1
            code, text = status_of(lambda: client.create("trace_open", name="more"))
            assert code in ("OK", "RESOURCE_EXHAUSTED"), text
            opens(c, 10)
            reader.wait(lambda: len(opened(reader)) == 5010)
            assert reader.stop() == ("OK", "")
    finally:
        containers.run("umount", str(small))
