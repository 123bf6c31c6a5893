# SPDX-License-Identifier: Apache-2.0
"""-o folded: stacks added up, of a run, of its record file, at a daemon."""

import os

import ig

DEEP = "for i in 1 2 3; do open_deep /etc/passwd 300; done; open_deep /etc/group 300"


def lines(out):
    """{stack: count}"""
    return {stack: int(n) for stack, n in (line.rsplit(" ", 1) for line in out.splitlines())}


def test_folded_live_replayed_and_remote(agent, lab):
    path, name = os.path.join(agent.records, "stacks.rec"), lab.name()
    with ig.Ig("run", "trace_open", "--ustack", "-o", "folded", "-c", name, "--filter", "proc.comm==open_deep",
               "--record", path) as running:
        running.ready()
        lab.container(DEEP, name=name).run()
        assert running.stop() == 0, running.err
        live = running.out
    stacks = lines(live)
    assert sum(stacks.values()) == 4
    assert all(s.startswith("open_deep;") and ";main;calls_what_opens;" in s for s in stacks), live
    here = ig.once("replay", path, "-o", "folded", check=0)
    there = agent.once("replay", os.path.basename(path), "-o", "folded", check=0)
    assert here.out == there.out == live
    by_flags = ig.once("replay", path, "-o", "folded", "--value", "flags", check=0)
    assert by_flags.out == ""  # O_RDONLY is 0: there is nothing to show
    group = ig.once("replay", path, "-o", "folded", "--filter", "fname==/etc/group", check=0)
    assert sum(lines(group.out).values()) == 1


def test_folded_at_a_daemon(agent, lab):
    name = lab.name()
    with agent.run("trace_open", "--ustack", "-o", "folded", "-c", name, "--filter", "proc.comm==open_deep") as running:
        lab.container(DEEP, name=name).run()
        assert running.stop() == 0, running.err
        assert sum(lines(running.out).values()) == 4


def test_what_has_no_stacks():
    done = ig.once("run", "trace_exec", "-o", "folded")
    assert done.returncode and "trace_exec tells no stacks" in done.err
    done = ig.once("run", "trace_open", "--value", "fd")
    assert done.returncode and "--value goes with -o folded" in done.err
    done = ig.once("run", "trace_open", "-o", "folded", "--value", "fname")
    assert done.returncode and "fname is no number" in done.err
