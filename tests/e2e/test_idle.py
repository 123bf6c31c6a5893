# SPDX-License-Identifier: Apache-2.0
"""While nothing happens ig does nothing; and then it is there at once."""

import os
import re
import time

import containers
import ig
import pytest


def switches(pid):
    """How often it has gone to sleep."""
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M).group(1))


def forks():
    """Of the whole machine since it started."""
    with open("/proc/stat") as f:
        return int(re.search(r"^processes (\d+)", f.read(), re.M).group(1))


def armed_timers(pid):
    return sum(re.search(r"^it_value: \(0, 0\)", text, re.M) is None for text in timers(pid))


def timers(pid):
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        with open(f"/proc/{pid}/fdinfo/{fd}") as f:
            text = f.read()
        if "it_value:" in text:
            yield text


def sleeps(running, seconds=5):
    """It has no timer that runs, and is not woken. Where others start processes all the time, those may be an event."""
    assert list(timers(running.pid))
    containers.wait_for(lambda: not armed_timers(running.pid) and running.call() in ig.EPOLL, 60, "sleep without a timer")
    for _ in range(5):
        before, forks_before = switches(running.pid), forks()
        time.sleep(seconds)
        woken = switches(running.pid) - before
        if woken < 5:
            return
        assert forks() - forks_before > 10, f"woken {woken} times in {seconds} s"


@pytest.mark.parametrize("gadgets", ("trace_exec", "trace_exec,trace_open"))
def test_nothing_ticks_while_nothing_happens(lab, gadgets):
    c = lab.start("mkfifo /tmp/go; while read word </tmp/go; do busybox echo $word; done")
    go = f"/proc/{c.pid}/root/tmp/go"
    with ig.Ig("run", gadgets, "-o", "json", "-c", f"{c.name},nothing", "--window", "0") as running:
        running.ready()
        time.sleep(2)  # the start, and the last look at losses
        for word in ("first", "second"):
            sleeps(running)
            begin = time.monotonic()
            with open(go, "w") as f:
                f.write(f"{word}\n")
            while not any(word in (r.get("args") or []) for r in running.records()):
                assert time.monotonic() < begin + 10
                time.sleep(0.002)
            assert time.monotonic() - begin < 0.1 * containers.SLOWER
            time.sleep(2)
        assert running.stop() == 0
        t = running.totals()
        assert t.delivered >= 2 and t.seen == t.delivered + t.discarded + t.lost


def test_no_container_no_wake_up():
    with ig.Ig("run", "trace_exec", "-c", "nothing") as running:
        running.ready()
        time.sleep(2)
        sleeps(running)
        assert running.stop() == 0
