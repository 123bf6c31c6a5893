# SPDX-License-Identifier: Apache-2.0
"""A load in a container that waits until it is let go, and tells what it took."""

import os
import re
import time

import containers


class Gate:
    def __init__(self, lab, name, command):
        self.container = lab.container(f"mkfifo /tmp/go; read x </tmp/go; load_timed {command}; exec sleep 60", name=name)

    def open_until_end(self):
        with open(f"/proc/{self.pid}/root/tmp/go", "w") as f:
            f.write("go\n")
        end = time.monotonic() + 600
        while "timed" not in self.container.log():
            if time.monotonic() > end or not os.path.exists(f"/proc/{self.pid}"):
                raise RuntimeError(f"the load failed: {self.container.log()}")
            time.sleep(0.01)
        user, system, wall = map(int, re.search(r"timed (\d+) (\d+) (\d+)", self.container.log()).groups())
        return {"cpu": (user + system) / 1e6, "wall": wall / 1e6}

    def start(self):
        self.container.start()
        self.pid = self.container.pid
        containers.wait_for(lambda: os.path.exists(f"/proc/{self.pid}/root/tmp/go"), 10, "gate")
        return self
