# SPDX-License-Identifier: Apache-2.0
"""Does a process sleep all the time?"""

import re
import time


def switches(pid):
    """How often it has gone to sleep."""
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", f.read(), re.M).group(1))


def resident(pid):
    """Bytes of its memory that are in use."""
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(r"^VmRSS:\s+(\d+) kB", f.read(), re.M).group(1)) << 10


def assert_quiet(*pids, seconds=5):
    """(Other containers that start on this machine are an event; then once more.)"""
    woken = []
    for _ in range(12):
        before = sum(map(switches, pids))
        time.sleep(seconds)
        woken.append(sum(map(switches, pids)) - before)
        if woken[-1] < 5:
            return
    raise AssertionError(f"woken in each {seconds} s: {woken}")
