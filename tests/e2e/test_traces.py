# SPDX-License-Identifier: Apache-2.0
"""The trace collection through libig: what `ig run` has no flags for."""

import json
import os
import subprocess
import time

import bpf
import containers
import ig
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.environ.get("EXAMPLES", os.path.join(os.path.dirname(ig.IG), "examples"))


@pytest.fixture(scope="module")
def program(whole_lab):
    """tracers.c, built as a user's would be: from the installation that `make examples` stages."""
    stage = os.path.join(os.path.dirname(EXAMPLES), "stage", "usr")
    flags = containers.run("pkg-config", "--static", f"--define-variable=prefix={stage}", "--cflags", "--libs",
                           os.path.join(stage, "lib/pkgconfig/ig.pc")).text.split()
    program = os.path.join(whole_lab.dir, "tracers")
    containers.run("gcc", "-std=gnu17", "-Wall", "-Wextra", "-Wno-unused-parameter", "-g", os.path.join(HERE, "tracers.c"),
                   "-static", *flags, "-o", program)
    return program


def tracer(line):
    """What its reader was told, and what the collection says of it: sums that must always hold."""
    t = json.loads(line)
    assert t["unaccounted"] == 0
    of_all = [0, 0, 0, 0]
    for name, (seen, delivered, discarded, lost) in t["containers"].items():
        assert seen == delivered + discarded + lost, name
        assert t["told"].get(name, [0, 0]) == [delivered, lost], name
        of_all = [a + b for a, b in zip(of_all, (seen, delivered, discarded, lost))]
    assert t["totals"] == of_all
    return t


class Tracers:
    def __init__(self, program, window=0):
        self.process = subprocess.Popen([program, str(window)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    @property
    def pid(self):
        return self.process.pid

    def do(self, *commands):
        """All of them, and nothing is read in between. Their answers; one where there is one command."""
        self.process.stdin.write(";".join(commands) + "\n")
        self.process.stdin.flush()
        answers = [self.process.stdout.readline().rstrip("\n") for _ in commands]
        return answers if len(answers) > 1 else answers[0]

    def add(self, gadget, names, buffer=0, share=True):
        return int(self.do(f"add {gadget} {buffer} {int(share)} {names}"))

    def finish(self, number):
        return tracer(self.do(f"finish {number}"))

    def stop(self):
        out, err = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, err
        return [tracer(line) for line in out.splitlines()]


def two(program, gadget, buffer, window, *names):
    """Two with programs of their own."""
    tracers = Tracers(program, window)
    for of_one in names:
        tracers.add(gadget, of_one, buffer, share=False)
    assert tracers.do("start") == "ok"
    return tracers


def storms(lab, *counts):
    return [lab.container("load_open", "2", str(n)) for n in counts]


def run_all(cs):
    for c in cs:
        c.start()
    for c in cs:
        c.wait()


@pytest.mark.parametrize("window", [0, 100_000_000])
@pytest.mark.parametrize("buffer", [4096, 1 << 25])
def test_two_selectors_at_once(lab, program, buffer, window):
    one, both, other = storms(lab, 30_000, 50_000, 20_000)
    early = lab.start("while :; do cat /etc/hosts; sleep 0.01; done >/dev/null")
    with two(program, "trace_open", buffer, window, f"{one.name},{both.name}", f"{both.name},{early.name}") as tracers:
        run_all([one, both, other])
        a, b = tracers.stop()
    assert a["told"].keys() == {one.name, both.name}
    assert b["told"].keys() == {both.name, early.name}
    opens = {one.name: 30_000, both.name: 50_000}
    for t in (a, b):
        for name in t["told"].keys() & opens.keys():
            assert t["containers"][name][0] == opens[name]
        # What a container that is not wanted did until its name was known counts for nobody.
        assert t["containers"].keys() == t["told"].keys()
    lost = a["totals"][3]
    assert lost > 0 if buffer == 4096 else lost == 0
    if window:
        assert a["unordered"] + b["unordered"] == 0


def test_a_container_is_let_go_after_its_last_record(lab, program):
    """It leaves the selection when it ended and all was read, without waiting for the end of the run."""
    cs = [lab.container("cat /etc/hosts >/dev/null") for _ in range(20)]
    with two(program, "trace_exec", 1 << 20, 0, "*", "!*") as tracers:
        for c in cs:
            assert c.run() == 0
        time.sleep(1)
        a, b = tracers.stop()
    assert a["out"] >= 20
    for c in cs:
        assert a["told"][c.name] == [2, 0] # sh, cat
    assert not b["told"] and b["in"] == 0


def test_a_table_outlives_its_containers(lab, program):
    """Rows of a container that ended within the interval are read with its name."""
    c = lab.container("(nc -l -p 7000 </dev/null >/dev/null) & sleep 0.1; echo hello | nc 127.0.0.1 7000; wait")
    with two(program, "top_tcp", 0, 0, c.name, "!*") as tracers:
        c.run()
        time.sleep(2.5)
        a, _ = tracers.stop()
    assert a["told"][c.name][0] > 0
    assert a["containers"][c.name][3] == 0


def programs_of(tracers):
    return sum(kind == "prog" for kind, _ in bpf.held_by(tracers.pid))


@pytest.mark.parametrize("buffer", [4096, 1 << 25])
@pytest.mark.parametrize("n", [1, 4, 16])
def test_tracers_share_programs(lab, program, n, buffer):
    """Each has a selector of its own, and exact totals; the programs are there once."""
    counts = (20_000, 21_000, 22_000, 23_000)
    cs = storms(lab, *counts)
    opens = {c.name: count for c, count in zip(cs, counts)}
    names = [[name for j, name in enumerate(opens) if i >> j & 1] for i in range(n - 1, -1, -1)] if n > 1 else [list(opens)]
    with Tracers(program) as tracers:
        tracers.add("trace_open", ",".join(names[0]), buffer)
        alone = programs_of(tracers)
        for some in names[1:]:
            tracers.add("trace_open", ",".join(some) or "!*", buffer)
        assert programs_of(tracers) == alone
        assert tracers.do("start") == "ok"
        run_all(cs)
        told = tracers.stop()
    of_container = {}
    for t, some in zip(told, names, strict=True):
        assert t["containers"].keys() == set(some)
        for name, totals in t["containers"].items():
            assert totals[0] == opens[name]
            assert of_container.setdefault(name, totals) == totals  # what one is given, all are
    lost = sum(totals[3] for totals in of_container.values())
    assert lost > 0 if buffer == 4096 else lost == 0


@pytest.mark.parametrize("window", [0, 50_000_000])
@pytest.mark.parametrize("buffer", [4096, 1 << 25])
def test_tracers_come_and_go_under_load(lab, program, buffer, window):
    """Those that follow each other without a gap are given together what one is given that is there all the time."""
    cs = storms(lab, 300_000, 200_000)
    both = ",".join(c.name for c in cs)
    with Tracers(program, window) as tracers:
        tracers.add("trace_open", both, buffer)
        tracers.add("trace_exec", both, share=False)  # a second stream, for the window
        assert tracers.do("start") == "ok"
        last, parts = tracers.add("trace_open", both, buffer), []
        for c in cs:
            c.start()
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            passing = tracers.add("trace_open", cs[len(parts) % 2].name, buffer)
            line, number = tracers.do(f"finish {last}", f"add trace_open {buffer} 1 {both}")
            parts.append(tracer(line))
            assert tracers.do(f"remove {last}") == "ok"
            last = int(number)
            time.sleep(0.03)
            assert tracers.finish(passing)["containers"].keys() <= {cs[(len(parts) - 1) % 2].name}
            assert tracers.do(f"remove {passing}") == "ok"
        for c in cs:
            c.wait()
        whole, _, rest = tracers.stop()
    parts.append(rest)
    assert len(parts) > 10 and sum(t["totals"][0] > 0 for t in parts) > 3
    for c, count in zip(cs, (300_000, 200_000)):
        assert whole["containers"][c.name][0] == count
        _, delivered, _, lost = (sum(t["containers"].get(c.name, [0] * 4)[i] for t in parts) for i in range(4))
        # What waits in the window is given to the one that leaves, and then to the one that has come as well.
        assert delivered >= whole["containers"][c.name][1] if window else delivered == whole["containers"][c.name][1]
        assert lost <= whole["containers"][c.name][3]  # some are lost when neither is there
    if buffer == 4096:
        assert whole["totals"][3] > 0


def test_the_last_one_takes_the_programs_away(lab, program):
    c = lab.start("while :; do cat /etc/hosts; done >/dev/null")
    with Tracers(program) as tracers:
        assert tracers.do("start") == "ok"
        before = bpf.held_by(tracers.pid)
        for _ in range(3):
            numbers = [tracers.add("trace_open", c.name) for _ in range(3)]
            held = bpf.held_by(tracers.pid) - before
            time.sleep(0.3)
            for number in numbers:
                assert tracers.finish(number)["containers"][c.name][1] > 0
                assert tracers.do(f"remove {number}") == "ok"
            assert bpf.held_by(tracers.pid) == before
            bpf.assert_gone(held)
        assert tracers.stop() == []


def test_what_differs_is_not_shared(lab, program):
    with Tracers(program) as tracers:
        assert tracers.do("start") == "ok"
        counts = []
        for command in ("trace_open 0 1", "trace_open 4096 1", "trace_open 0 0", "trace_exec 0 1", "trace_open 0 1"):
            before = programs_of(tracers)
            tracers.do(f"add {command} x")
            counts.append(programs_of(tracers) - before)
        assert all(counts[:4]) and counts[4] == 0


def test_too_many_share(lab, program):
    with Tracers(program) as tracers:
        assert tracers.do("start") == "ok"
        for _ in range(64):
            tracers.add("trace_exec", "x")
        before = bpf.held_by(tracers.pid)
        answer = tracers.do("add trace_exec 0 1 x")
        assert answer == "failed: more than 64 tracers share one trace_exec"
        assert bpf.held_by(tracers.pid) == before
        tracers.finish(7)
        tracers.add("trace_exec", "x")


# ---- sets ----


@pytest.fixture
def pins(tmp_path):
    containers.run("mount", "-t", "bpf", "bpf", str(tmp_path))
    yield str(tmp_path / "cgroups"), str(tmp_path / "mntns")
    containers.run("umount", str(tmp_path))


def dump(path):
    """A pinned map's keys and values, as numbers."""
    def number(octets):
        return int.from_bytes(bytes(int(o, 16) for o in octets), "little")
    done = containers.run("bpftool", "-j", "map", "dump", "pinned", path)
    return {number(e["key"]): number(e["value"]) for e in json.loads(done.text)}


def test_a_set_follows_its_containers(lab, program, pins):
    name = lab.name("set")
    here = lab.start("sleep", "60", name=f"{name}-a")
    other = lab.start("sleep", "60")
    with Tracers(program) as tracers:
        assert tracers.do("start", f"set {name}-* {pins[0]} {pins[1]}") == ["ok", "ok"]

        def is_in(c):
            cgroups, mntns = dump(pins[0]), dump(pins[1])
            assert 0 not in cgroups.values() and set(mntns.values()) <= {1}
            assert (c.cgroup_id in cgroups) == (c.mntns in mntns)
            return c.cgroup_id in cgroups
        containers.wait_for(lambda: is_in(here), 5, "container in the set")
        assert not is_in(other)
        assert tracers.do("members") == f"1 {here.name}"
        come = [lab.start("sleep", "60", name=f"{name}-{i}") for i in range(5)]
        for c in come:
            containers.wait_for(lambda: is_in(c), 5, "container in the set")
        assert int(tracers.do("members").split()[0]) == 6
        ids = [(c.cgroup_id, c.mntns) for c in come]
        for c in come:
            c.delete()
        containers.wait_for(lambda: tracers.do("members") == f"1 {here.name}", 5, "members that leave")
        cgroups, mntns = dump(pins[0]), dump(pins[1])
        assert not cgroups.keys() & {i for i, _ in ids} and not mntns.keys() & {i for _, i in ids}
        assert tracers.do("unset") == "ok"
        assert not any(map(os.path.exists, pins))
        assert tracers.stop() == []
