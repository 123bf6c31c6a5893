# SPDX-License-Identifier: Apache-2.0
"""Block devices: beside fio's own counts; whose it is what the kernel writes back later."""

import json
import os
import time

import containers
import ig
import pytest

WRITE = "mount -o remount,rw,bind / || mount -o remount,rw /; dd if=/dev/zero of=/later bs=65536 count=32; sleep 1000"


def io_controller():
    """cgroup v2 has it; on a hybrid machine cgroup v1 does."""
    with open(os.path.join(containers.cgroup2_root(), "cgroup.controllers")) as f:
        return "io" in f.read().split()


@pytest.mark.kernels
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


# Each request of 64 KiB goes to the device as it is, past the page cache.
FIO = ("fio --name=a --filename=/file --direct=1 --ioengine=psync --bs=64k --size=16m --allow_mounted_write=1 --randrepeat=1 "
       "--rw=randrw --rwmixread=70 --output-format=json --output=/fio.json")


def test_beside_fio(lab):
    """Requests and bytes of each direction, and how long they took."""
    rootfs = lab.rootfs_with("fio")

    def edit(config):
        containers.privileged(config)
        config["root"]["path"] = rootfs

    name = lab.name()
    with ig.Ig("run", "top_blockio", "profile_blockio", "--interval", "60s", "-o", "json", "-c", name) as running:
        running.ready()
        lab.container(f"mount -o remount,rw,bind / || mount -o remount,rw /; dd if=/dev/zero of=/file bs=1M count=16; sync; {FIO}",
                      name=name, edit=edit).run(check=True)
        assert running.stop() == 0, running.err
    with open(os.path.join(rootfs, "fio.json")) as f:
        job = json.load(f)["jobs"][0]
    ours = [r for r in running.records() if r["gadget"] == "top_blockio" and r["proc"]["comm"] == "fio"]
    for direction in ("read", "write"):
        theirs = job[direction]
        rows = [r for r in ours if r["rw"] == direction]
        assert sum(r["io"] for r in rows) == theirs["total_ios"] > 50, running.out
        assert sum(r["bytes"] for r in rows) == theirs["io_bytes"], running.out
        # The device's part of what fio has waited for.
        assert 0 < sum(r["us"] for r in rows) \
            < theirs["lat_ns"]["mean"] * theirs["total_ios"] / 1000, running.out
        profiled = [r for r in running.records() if r["gadget"] == "profile_blockio" and r["rw"] == direction]
        assert sum(slot["count"] for r in profiled for slot in r["device"]["data"]) >= theirs["total_ios"], running.out
