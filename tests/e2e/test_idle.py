# SPDX-License-Identifier: Apache-2.0
"""While nothing happens ig does nothing; and then it is there at once."""

import re
import time

import containers
import ig
import pytest


def switches(pid):
    """How often it has gone to sleep."""
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M).group(1))


def quiet_seconds(running, seconds=5):
    """It sleeps all the time. (Other containers that start on this machine are an event; then once more.)"""
    woken = []
    for _ in range(12):
        before = switches(running.pid)
        time.sleep(seconds)
        woken.append(switches(running.pid) - before)
        if woken[-1] < 5:
            return
    raise AssertionError(f"woken in each {seconds} s: {woken}")


@pytest.mark.parametrize("gadgets", ("trace_exec", "trace_exec,trace_open"))
def test_nothing_ticks_while_nothing_happens(lab, gadgets):
    c = lab.start("mkfifo /tmp/go; while read word </tmp/go; do busybox echo $word; done")
    go = f"/proc/{c.pid}/root/tmp/go"
    with ig.Ig("run", gadgets, "-o", "json", "-c", f"{c.name},nothing", "--window", "0") as running:
        running.ready()
        time.sleep(2)  # the start, and the last look at losses
        for word in ("first", "second"):
            quiet_seconds(running)
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
        quiet_seconds(running)
        assert running.stop() == 0
