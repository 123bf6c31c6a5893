# SPDX-License-Identifier: Apache-2.0
"""ig selftest: what a gadget tells of is made, and must be told."""

import os
import signal

import containers
import ig
import pytest

SAMPLES = os.environ.get("BUILT") or os.path.join(containers.TOP, "build", "tests", "gadgets")


def run(*args, **kwargs):
    done = ig.once("selftest", "-o", "json", *args, **kwargs)
    return done, {r["gadget"]: r for r in ig.records(done.out)}


def leftovers():
    return [f for top in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory") if os.path.isdir(top)
            for f in os.listdir(top) if f.startswith("ig-selftest-")]


@pytest.mark.kernels
def test_every_gadget_that_works_here_tells_what_happened():
    works = {r["gadget"]: r["works"] for r in ig.records(ig.once("doctor", "-o", "json", check=0).out)}
    done, rows = run(timeout=200 * containers.SLOWER)
    assert set(rows) == set(works)
    wrong = [r for r in rows.values() if r["result"] != ("untried" if works[r["gadget"]] == "no" else "ok")]
    assert not wrong and done.returncode == 0, done.err
    assert not leftovers()


@pytest.mark.kernels
def test_a_record_that_does_not_come_fails():
    done, rows = run(os.path.join(SAMPLES, "sample_hooks.bpf.o"))
    assert done.returncode == 1 and "1 gadgets" in done.err
    assert rows["sample_hooks"]["result"] == "failed"
    assert "ended with 0, and no such record came" in rows["sample_hooks"]["reason"]
    assert not leftovers()


@pytest.mark.kernels
def test_a_command_that_the_machine_lacks_is_no_failure():
    done, rows = run(os.path.join(SAMPLES, "sample_top.bpf.o"))
    assert done.returncode == 0 and rows["sample_top"]["result"] == "untried"
    assert "no-such-program" in rows["sample_top"]["reason"]


@pytest.mark.kernels
def test_it_sees_its_own_container_only(lab):
    """Another container does the same all the time."""
    lab.container("sh", "-c", "while :; do cat /etc/passwd >/dev/null; sleep 0.05; done").start()
    done, rows = run("trace_open", "trace_exec")
    assert done.returncode == 0 and {r["result"] for r in rows.values()} == {"ok"}


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(child) for child in f.read().split()]


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGKILL])
def test_ended_in_the_middle(sig):
    """Its container goes with it; the folder that one that was killed leaves is removed by the next."""
    with ig.Ig("selftest", os.path.join(SAMPLES, "sample_hooks.bpf.o")) as running:
        made = containers.wait_for(lambda: leftovers() and children(running.pid), 10, "its container")
        os.kill(running.pid, sig)
        running.wait()
    containers.wait_for(lambda: not any(os.path.exists(f"/proc/{child}") for child in made), 5, "end of its container")
    assert bool(leftovers()) == (sig == signal.SIGKILL)
    run("trace_exec")
    assert not leftovers()


def test_not_root():
    done = ig.once("selftest", user=65534, group=65534, extra_groups=[])
    assert done.returncode and "root" in done.err
