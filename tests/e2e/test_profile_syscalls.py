# SPDX-License-Identifier: Apache-2.0
"""profile_syscalls beside strace -c: the same process, watched by both."""

import collections
import os
import re

import ig
import pytest

ROW = re.compile(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(\d+ +)?(\w+)$", re.M)


def of_strace(text):
    """{call: (count, errors)}"""
    return {name: (int(calls), int(errors or 0)) for calls, errors, name in ROW.findall(text) if name != "total"}


def of_ig(records, comm):
    sums = collections.defaultdict(lambda: [0, 0])
    for r in records:
        if r.get("comm") == comm:
            sums[r["syscall"]][0] += r["count"]
            sums[r["syscall"]][1] += r["errors"]
    return {name: tuple(n) for name, n in sums.items()}


@pytest.mark.parametrize("program, least", [("syscalls_many", 80), ("call_ends", 15)])
def test_counts_and_errors_are_those_of_strace(lab, program, least):
    root = lab.rootfs_with("strace")
    c = lab.container(f"strace -f -c -o /dev/stderr /bin/{program}", edit=lambda config: config["root"].update(path=root))
    with ig.Ig("run", "profile_syscalls", "--by-process", "--interval", "1s", "-o", "json", "-c", c.name) as running:
        running.ready()
        assert c.run() == 0, c.log()
        assert running.stop() == 0, running.err
        found = of_ig(running.records(), program)
    expected = of_strace(c.log())
    # strace has no count of what never ends, nor of what a kill ends (call_ends' first thread, by another one's exec), and
    # takes what a signal's handler leaves in the registers for an error.
    assert found.pop("exit_group")[1] == 0
    found.pop("exit", None)
    assert found.pop("pause", (1, 1)) == (1, 1)
    calls, errors = found.get("rt_sigreturn", (0, 0))
    assert calls == expected.get("rt_sigreturn", (0,))[0] and errors == 0
    found.pop("rt_sigreturn", None), expected.pop("rt_sigreturn", None)
    assert found == expected
    assert len(expected) >= least and sum(errors for _, errors in expected.values()) > 2
    assert ig.totals(running.err).lost == 0


def test_each_reader_has_its_own_time(agent, lab):
    """Readers of a daemon share programs and tables: none has what was counted before it came, nor lacks what was until it went."""
    c = lab.start("sleep 1000")

    def opens(n):
        c.exec("/bin/load_open", "1", str(n), "/etc/passwd")

    def counted(running):
        assert running.stop() == 0, running.err
        return sum(r["count"] for r in running.records() if r["comm"] == "load_open" and r["syscall"] == "openat")

    args = ["profile_syscalls", "--by-process", "--interval", "60s", "-o", "json", "-c", c.name]
    with agent.run(*args) as first:
        opens(500)
        with agent.run(*args) as second:
            opens(300)
            assert counted(first) == 800
            opens(200)
            assert counted(second) == 500
