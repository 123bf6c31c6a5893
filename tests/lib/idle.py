# SPDX-License-Identifier: Apache-2.0
"""Does a process sleep all the time?"""

import os
import re
import time

import containers


def switches(pid):
    """How often it has gone to sleep."""
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M).group(1))


def resident(pid):
    """Bytes of its memory that are in use."""
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"^VmRSS:\s+(\d+) kB", f.read(), re.M).group(1)) << 10


def forks():
    """Of the whole machine since it started."""
    with open("/proc/stat") as f:
        return int(re.search(r"^processes (\d+)", f.read(), re.M).group(1))


def has_armed_timer(pid):
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}") as f:
                text = f.read()
        except FileNotFoundError:
            continue
        if "it_value:" in text and "it_value: (0, 0)" not in text:
            return True
    return False


def assert_quiet(*pids, seconds=5):
    """
    They are not woken. Where others start processes all the time, which may be containers, that is an event; then at
    least there is a moment without a timer that runs.
    """
    for _ in range(5):
        before, forks_before = sum(map(switches, pids)), forks()
        time.sleep(seconds)
        woken = sum(map(switches, pids)) - before
        if woken < 5:
            return
        assert forks() - forks_before > 10, f"woken {woken} times in {seconds} s"
    containers.wait_for(lambda: not any(map(has_armed_timer, pids)), 60, "sleep without a timer")
