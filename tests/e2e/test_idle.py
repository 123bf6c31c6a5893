# SPDX-License-Identifier: Apache-2.0
"""While nothing happens ig does nothing; and then it is there at once."""

import time

import containers
import ig
import pytest
from idle import assert_quiet


@pytest.mark.parametrize("gadgets", ("trace_exec", "trace_exec,trace_open"))
def test_nothing_ticks_while_nothing_happens(lab, gadgets):
    c = lab.start("mkfifo /tmp/go; while :; do read word </tmp/go && busybox echo $word; done")
    go = f"/proc/{c.pid}/root/tmp/go"
    with ig.Ig("run", gadgets, "-o", "json", "-c", f"{c.name},nothing", "--window", "0") as running:
        running.ready()
        time.sleep(2)  # the start, and the last look at losses
        took = []
        for word in ("first", "second", "third", "fourth", "fifth"):
            if len(took) < 2:
                assert_quiet(running.pid)
            begin = time.monotonic()
            with open(go, "w") as f:
                f.write(f"{word}\n")
            while not any(word in (r.get("args") or []) for r in running.records()):
                assert time.monotonic() < begin + 10
                time.sleep(0.002)
            took.append(time.monotonic() - begin)
            time.sleep(2)
        # What ig holds back it holds back each time; a busy machine lets it wait now and then.
        assert min(took) < 0.1 * containers.SLOWER and max(took) < 1 * containers.SLOWER, took
        assert running.stop() == 0
        t = running.totals()
        assert t.delivered >= 2 and t.seen == t.delivered + t.discarded + t.lost


def test_no_container_no_wake_up():
    with ig.Ig("run", "trace_exec", "-c", "nothing") as running:
        running.ready()
        time.sleep(2)
        assert_quiet(running.pid)
        assert running.stop() == 0
