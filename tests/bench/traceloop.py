# SPDX-License-Identifier: Apache-2.0
"""traceloop: what recording all system calls costs, beside strace and perf trace; how long a start and a dump take."""

import os
import re
import shutil
import statistics
import time

import containers
import ig
import loop
from gate import Gate
from measure import REPEAT, Tracer, each, number, progress, scaled

COUNT = scaled(200_000)
SLOW = {"strace": 50, "perf": 5}  # these get a part of the load
FILEIO = ("sysbench fileio --file-total-size=64M --file-num=1 --file-test-mode=seqrd --file-io-mode=sync "
          "--file-block-size=16384")
MANY = scaled(110)


def tracer_for(variant, name, pid):
    if variant == "other":
        return Tracer(ig.IG, "traceloop", "-c", "no-such-container")
    if variant == "recorded":
        return Tracer(ig.IG, "traceloop", "-c", name)
    if variant == "strace":
        return Tracer("strace", "-f", "-qq", "-o", "/dev/null", "-p", str(pid), ready=0.5)
    if variant == "perf":
        return Tracer("perf", "trace", "-a", "-o", "/dev/null", ready=2)
    return None


def variants():
    return ["none", "other", "recorded"] + [v for v in ("strace", "perf") if shutil.which(v)]


def loop_speed(lab, variant):
    """Rounds of open, read, close a second."""
    count = COUNT // SLOW.get(variant, 1)
    gate, tracer = Gate(lab, lab.name("read"), f"load_read {count}").start(), None
    try:
        tracer = tracer_for(variant, gate.container.name, gate.pid)
        return count / gate.open_until_end()["wall"]
    finally:
        if tracer:
            tracer.stop()
        gate.container.delete()


def fileio_speed(lab, rootfs, variant):
    """MiB/s of sysbench's sequential reads from a tmpfs."""
    def edit(config):
        config["root"]["path"] = rootfs

    c = lab.container(f"cd /tmp; {FILEIO} prepare; mkfifo go; read x <go; {FILEIO} --time={max(1, scaled(2))} run; exec sleep 60",
                      name=lab.name("fileio"), edit=edit)
    tracer = None
    try:
        c.start()
        pid = c.pid
        containers.wait_for(lambda: os.path.exists(f"/proc/{pid}/root/tmp/go"), 30, "sysbench's files")
        tracer = tracer_for(variant, c.name, pid)
        with open(f"/proc/{pid}/root/tmp/go", "w") as f:
            f.write("go\n")
        speed = containers.wait_for(lambda: re.search(r"read, MiB/s:\s+([\d.]+)", c.log()), 60, "sysbench's result")
        return float(speed.group(1))
    finally:
        if tracer:
            tracer.stop()
        c.delete()


def take_turns(what, measure):
    runs = {v: [] for v in variants()}
    for turn in range(REPEAT):
        for v in runs:
            progress(f"traceloop: {what}, {v}, {turn + 1} of {REPEAT}")
            runs[v].append(measure(v))
    speeds = {v: statistics.median(r) for v, r in runs.items()}
    return {v: {"speed": s, "of_none": s / speeds["none"]} for v, s in speeds.items()}


def start_with_many(lab):
    """ms from the start of a daemon until it records so many containers, and until it is ready where there are none."""
    def until_recorded(n):
        begin = time.monotonic()
        with loop.LoopAgent() as agent:
            containers.wait_for(lambda: len(agent.list()) >= n, 30, "containers")
            return (time.monotonic() - begin) * 1000

    alone = statistics.median(until_recorded(0) for _ in range(3))
    each(lambda _: lab.start("sleep", "600"), range(MANY), 2)
    return {"containers": MANY, "none_ms": alone, "all_ms": statistics.median(until_recorded(MANY) for _ in range(3))}


def dump_times(lab):
    """ms that a full ring takes, by HTTP."""
    out = {}
    with loop.LoopAgent() as agent:
        c = lab.container("/bin/load_read", "100000")
        c.run()
        containers.wait_for(lambda: agent.list().get(c.name, {}).get("status") == "ended")
        for form in ("text", "json"):
            times, size = [], 0
            for _ in range(max(REPEAT, 5)):
                begin = time.monotonic()
                size = len(agent.good("/dump-by-name", name=c.name, format=form))
                times.append((time.monotonic() - begin) * 1000)
            out[form] = {"ms": statistics.median(times), "bytes": size}
    return out


def run(lab):
    containers.require("sysbench")
    rootfs = lab.rootfs_with("sysbench")
    out = {"loop": take_turns("loop", lambda v: loop_speed(lab, v)),
           "fileio": take_turns("fileio", lambda v: fileio_speed(lab, rootfs, v)),
           "dump": dump_times(lab)}
    before = len(lab.containers)
    out["start"] = start_with_many(lab)
    lab.reap(before)
    progress("")
    return out


def table(results):
    for load, unit in (("loop", "rounds/s"), ("fileio", "MiB/s")):
        print(f"traceloop, {load}: " + ", ".join(
            f"{v} {number(r['speed'])} {unit} ({r['of_none']:.2f})" for v, r in results[load].items()))
    print("traceloop, dump of a full ring: " + ", ".join(
        f"{form} {r['ms']:.0f} ms ({r['bytes'] / 1e6:.1f} MB)" for form, r in results["dump"].items()))
    s = results["start"]
    print(f"traceloop, start of a daemon: {s['none_ms']:.0f} ms; until it records {s['containers']} containers: {s['all_ms']:.0f} ms")
