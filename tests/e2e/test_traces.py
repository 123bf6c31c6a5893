# SPDX-License-Identifier: Apache-2.0
"""The trace collection through libig: what `ig run` has no flags for, two selectors at once."""

import json
import os
import subprocess
import time

import containers
import ig
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.environ.get("EXAMPLES", os.path.join(os.path.dirname(ig.IG), "examples"))


@pytest.fixture(scope="module")
def two_tracers(whole_lab):
    """The program of that name, built as a user's would be: from the installation that `make examples` stages."""
    stage = os.path.join(os.path.dirname(EXAMPLES), "stage", "usr")
    flags = containers.run("pkg-config", "--static", f"--define-variable=prefix={stage}", "--cflags", "--libs",
                           os.path.join(stage, "lib/pkgconfig/ig.pc")).text.split()
    program = os.path.join(whole_lab.dir, "two_tracers")
    containers.run("gcc", "-std=gnu17", "-Wall", "-Wextra", "-Wno-unused-parameter", "-g", os.path.join(HERE, "two_tracers.c"),
                   "-static", *flags, "-o", program)
    return program


class Two:
    def __init__(self, program, *args):
        self.process = subprocess.Popen([program, *map(str, args)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        line = self.process.stdout.readline()
        assert line == "ready\n", self.process.stderr.read()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def stop(self):
        """What each tracer says, after the sums that must always hold."""
        out, err = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, err
        tracers = [json.loads(line) for line in out.splitlines()]
        for t in tracers:
            assert t["unaccounted"] == 0
            of_all = [0, 0, 0, 0]
            for name, (seen, delivered, discarded, lost) in t["containers"].items():
                assert seen == delivered + discarded + lost, name
                assert t["told"].get(name, [0, 0]) == [delivered, lost], name
                of_all = [a + b for a, b in zip(of_all, (seen, delivered, discarded, lost))]
            assert t["totals"] == of_all
        return tracers


def storms(lab, *counts):
    return [lab.container("load_open", "2", str(n)) for n in counts]


def run_all(cs):
    for c in cs:
        c.start()
    for c in cs:
        c.wait()


@pytest.mark.parametrize("window", [0, 100_000_000])
@pytest.mark.parametrize("buffer", [4096, 1 << 20])
def test_two_selectors_at_once(lab, two_tracers, buffer, window):
    one, both, other = storms(lab, 30_000, 50_000, 20_000)
    early = lab.start("while :; do cat /etc/hosts; sleep 0.01; done >/dev/null")
    with Two(two_tracers, "trace_open", buffer, window, f"{one.name},{both.name}", f"{both.name},{early.name}") as two:
        run_all([one, both, other])
        a, b = two.stop()
    assert a["told"].keys() == {one.name, both.name}
    assert b["told"].keys() == {both.name, early.name}
    opens = {one.name: 30_000, both.name: 50_000}
    for t in (a, b):
        for name in t["told"].keys() & opens.keys():
            assert t["containers"][name][0] == opens[name]
        # Of a container that is not wanted there may be some, until its name was known: discarded, never lost.
        for name in t["containers"].keys() - t["told"].keys():
            seen, _, discarded, _ = t["containers"][name]
            assert seen == discarded <= 30_000
    lost = a["totals"][3]
    assert lost > 0 if buffer == 4096 else lost == 0
    if window:
        assert a["unordered"] + b["unordered"] == 0


def test_a_container_is_let_go_after_its_last_record(lab, two_tracers):
    """It leaves the selection when it ended and all was read, without waiting for the end of the run."""
    cs = [lab.container("cat /etc/hosts >/dev/null") for _ in range(20)]
    with Two(two_tracers, "trace_exec", 1 << 20, 0, "*", "!*") as two:
        for c in cs:
            assert c.run() == 0
        time.sleep(1)
        a, b = two.stop()
    assert a["out"] >= 20
    for c in cs:
        assert a["told"][c.name] == [2, 0] # sh, cat
    assert not b["told"] and b["in"] == 0


def test_a_table_outlives_its_containers(lab, two_tracers):
    """Rows of a container that ended within the interval are read with its name."""
    c = lab.container("(nc -l -p 7000 </dev/null >/dev/null) & sleep 0.1; echo hello | nc 127.0.0.1 7000; wait")
    with Two(two_tracers, "top_tcp", 0, 0, c.name, "!*") as two:
        c.run()
        time.sleep(2.5)
        a, _ = two.stop()
    assert a["told"][c.name][0] > 0
    assert a["containers"][c.name][3] == 0
