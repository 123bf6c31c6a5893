# SPDX-License-Identifier: Apache-2.0
"""profile_runqlat and profile_offcpu: beside the kernel's own counts, of several containers, as flame graphs."""

import glob
import os
import signal
import time

import containers
import ig
import pytest

pytestmark = pytest.mark.kernels


def run_delay(pid):
    """ns that all threads of the process have waited for a CPU, as the scheduler counts it."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path) as f:
            total += int(f.read().split()[1])
    return total


def threads(pid):
    return len(os.listdir(f"/proc/{pid}/task"))


def test_runqlat_is_what_the_scheduler_counts(lab):
    name = lab.name()
    with ig.Ig("run", "profile_runqlat", "--by-process", "--interval", "60s", "-o", "json", "-c", name) as running:
        running.ready()
        c = lab.container("taskset", "1", "tasks_many", "2", "busy", name=name).start()
        containers.wait_for(lambda: threads(c.pid) == 3, what="threads")
        time.sleep(3)
        pid = c.pid
        os.kill(pid, signal.SIGSTOP)  # from here on no thread waits
        time.sleep(0.3)
        expected = run_delay(pid)
        assert running.stop() == 0, running.err
        rows = [r for r in running.records() if r.get("pid") == pid]
    total = sum(r["total"] for r in rows)
    print(f"run delay {expected / 1e6:.1f} ms, profile_runqlat {total / 1e6:.1f} ms in {sum(r['count'] for r in rows)} waits")
    # One of two threads waits at any time. What was before its exec is the runtime's own.
    assert expected > 2.5e9
    assert abs(total - expected) < 0.03 * expected
    assert all(sum(slot["count"] for slot in r["latency"]["data"]) == r["count"] for r in rows)


def test_who_waits_and_not_who_runs(lab):
    """One container's wake-ups come while the other one's threads have the CPU."""
    busy, idle = lab.name("busy"), lab.name("idle")
    with ig.Ig("run", "profile_runqlat", "profile_offcpu", "--interval", "60s", "-o", "json", "-c", f"{busy},{idle}",
               "--by-process") as running:
        running.ready()
        lab.container("taskset", "1", "tasks_many", "2", "busy", name=busy).start()
        lab.container("taskset 1 sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 0.2; done'; sleep 100", name=idle).start()
        time.sleep(3 * containers.SLOWER)
        assert running.stop() == 0, running.err
        rows = running.records()
    of = {name: [r for r in rows if r["runtime"]["containerName"] == name] for name in (busy, idle)}
    assert {r["comm"] for r in of[busy]} <= {"tasks_many", "taskset", "runc:[2:INIT]", "init"}
    assert "sleep" in {r["comm"] for r in of[idle]} and "tasks_many" not in {r["comm"] for r in of[idle]}
    assert not any(r["comm"] == "tasks_many" and r.get("max", 0) > 2e9 for r in of[idle])
    slept = [r for r in of[idle] if r["gadget"] == "profile_offcpu" and r["comm"] == "sleep"]
    assert len({r["pid"] for r in slept if r["max"] >= 150e6}) == 8
    assert not any(r["max"] > 1e9 for r in slept)


def lines(out):
    return {stack: int(n) for stack, n in (line.rsplit(" ", 1) for line in out.splitlines())}


def test_offcpu_as_a_flame_graph(lab):
    # A timer ends a wait when it is over, and is set a moment before the wait; another task ends one when that comes to run.
    by_timer = {"calls_what_sleeps": 600, "wakes": 250}
    by_task = {"calls_what_waits_for_a_thread": 250, "calls_what_reads_a_pipe": 1200, "calls_what_waits_for_a_child": 800}
    name = lab.name()
    with ig.Ig("run", "profile_offcpu", "--ustack", "--kstack", "--interval", "300ms", "--min-duration", "100ms", "-o", "folded",
               "--value", "total", "-c", name) as running:
        running.ready()
        lab.container("/bin/block_ways", "", name=name).run(check=True)
        assert running.stop() == 0, running.err
        stacks = lines(running.out)
    for expected, most in (by_timer, 1.5), (by_task, 2 * containers.SLOWER):
        for function, ms in expected.items():
            found = sum(ns for stack, ns in stacks.items() if f";{function};" in stack) / 1e6
            assert ms * 0.97 <= found <= ms * most, (function, found, running.out)
    assert all("schedule_[k]" in stack and "bpf_" not in stack for stack in stacks), running.out
