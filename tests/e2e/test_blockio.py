# SPDX-License-Identifier: Apache-2.0
"""Block devices: whose it is what the kernel writes back later."""

import os
import time

import containers
import ig
import pytest

pytestmark = pytest.mark.kernels

WRITE = "mount -o remount,rw,bind / || mount -o remount,rw /; dd if=/dev/zero of=/later bs=65536 count=32; sleep 1000"


def io_controller():
    """cgroup v2 has it; on a hybrid machine cgroup v1 does."""
    with open(os.path.join(containers.cgroup2_root(), "cgroup.controllers")) as f:
        return "io" in f.read().split()


def test_what_is_written_back_later(lab):
    with ig.Ig("run", "top_blockio", "profile_blockio", "--host", "--interval", "500ms", "-o", "json") as running:
        running.ready()
        c = lab.start(WRITE, edit=containers.privileged)
        path = f"/proc/{c.pid}/root/later"
        containers.wait_for(lambda: os.path.exists(path) and os.path.getsize(path) == 32 * 65536, what="file")
        time.sleep(0.2)
        containers.run("sync", "-f", lab.rootfs)
        time.sleep(1.2)
        os.remove(path)
        assert running.stop() == 0, running.err
        records = [r for r in running.records() if r["rw"] == "write"]
    top = [r for r in records if r["gadget"] == "top_blockio"]
    theirs = [r for r in top if r.get("runtime", {}).get("containerName") == c.name]
    others = [r for r in top if not r.get("runtime", {}).get("containerName")]
    if io_controller():
        assert sum(r["bytes"] for r in theirs) >= 32 * 65536, running.out
        assert any(r.get("runtime", {}).get("containerName") == c.name for r in records if r["gadget"] == "profile_blockio")
    else:
        assert not theirs and sum(r["bytes"] for r in others) >= 32 * 65536, running.out
