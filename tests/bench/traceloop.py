# SPDX-License-Identifier: Apache-2.0
"""traceloop: what recording all system calls costs, beside strace, perf trace and programs on the same hooks that do
nothing, which are the floor of whatever is there; what it adds to containers' starts; how long a start and a dump take."""

import os
import re
import shutil
import statistics
import subprocess
import time

import containers
import ig
import loop
from agent import Agent
from gate import Gate
from measure import REPEAT, Tracer, built, children_cpu, map_bytes, number, progress, scaled
from scale import Crowd

COUNT = scaled(200_000)
SLOW = {"strace": 50, "perf": 5}  # these get a part of the load
FILEIO = ("sysbench fileio --file-total-size=64M --file-num=1 --file-test-mode=seqrd --file-io-mode=sync "
          "--file-block-size=16384")
MANY = scaled(110)
BUDGET = 256 << 20  # the daemon's, if nothing else is said
VARIANTS = {
    "none": "none", "empty": "empty programs on the hooks", "other": "another container recorded", "recorded": "recorded",
    "strace": "strace -f", "perf": "perf trace -a"}


def tracer_for(lab, variant, name, pid):
    if variant == "empty":
        return Tracer(ig.IG, "run", built(lab, "empty_syscalls"), "-o", "none", "-c", name)
    if variant == "other":
        return Tracer(ig.IG, "traceloop", "-c", "no-such-container")
    if variant == "recorded":
        return Tracer(ig.IG, "traceloop", "-c", name)
    if variant == "strace":
        return Tracer("strace", "-f", "-qq", "-o", "/dev/null", "-p", str(pid), ready=0.5)
    if variant == "perf":
        return Tracer("perf", "trace", "-a", "-o", "/dev/null", ready=2)
    return None


def why_not(variant):
    """Why it cannot run here; None: it can."""
    if variant not in SLOW:
        return None
    if not shutil.which(variant):
        return "not installed"
    with subprocess.Popen(["sleep", "60"]) as watched:
        try:
            tracer_for(None, variant, None, watched.pid).stop()
        except RuntimeError as e:
            return f"cannot run here: {' '.join(str(e).split())}"
        finally:
            watched.kill()
    return None


def loop_speed(lab, variant):
    """Rounds of open, read, close a second: of the load's CPU, which our programs run in; else of time, for the load waits."""
    count = COUNT // SLOW.get(variant, 1)
    gate, tracer = Gate(lab, lab.name("read"), f"load_read {count}").start(), None
    try:
        tracer = tracer_for(lab, variant, gate.container.name, gate.pid)
        return count / gate.open_until_end()["wall" if variant in SLOW else "cpu"]
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
        tracer = tracer_for(lab, variant, c.name, pid)
        with open(f"/proc/{pid}/root/tmp/go", "w") as f:
            f.write("go\n")
        speed = containers.wait_for(lambda: re.search(r"read, MiB/s:\s+([\d.]+)", c.log()), 60, "sysbench's result")
        return float(speed.group(1))
    finally:
        if tracer:
            tracer.stop()
        c.delete()


def shares(runs, of):
    """Median of what it was of another variant in the same turn."""
    return statistics.median(a / b for a, b in zip(runs, of))


def take_turns(what, measure):
    absent = {v: why_not(v) for v in VARIANTS}
    runs = {v: [] for v in VARIANTS if not absent[v]}
    for turn in range(REPEAT):
        for v in list(runs)[::-1 if turn % 2 else 1]:
            progress(f"traceloop: {what}, {v}, {turn + 1} of {REPEAT}")
            runs[v].append(measure(v))
    return {v: {"why_not": absent[v]} if absent[v] else {
        "speed": statistics.median(runs[v]), "of_none": shares(runs[v], runs["none"]),
        "of_empty": shares(runs[v], runs["empty"])} for v in VARIANTS}


def time_of_starts(lab, then=lambda: None):
    """(ms, ms of CPU) in which runc starts so many containers, two at a time. then() is called while they run."""
    crowd, before = Crowd(lab, MANY), children_cpu()
    try:
        took = crowd.start() * 1000, (children_cpu() - before) * 1000
        then()
        return took
    finally:
        crowd.delete()
        lab.containers.remove(crowd)


def time_of_recorded_starts(lab):
    """The same while all of them are recorded; and bytes of maps that they needed."""
    with loop.LoopAgent() as agent:
        def names():
            return [name for name in agent.list() if "-crowd" in name]

        took = time_of_starts(lab, lambda: containers.wait_for(lambda: len(names()) == MANY, 30, "all in the list"))
        late = [name for name in names() if agent.calls(name=name)[0]["syscall"] != "execve"]
        if late:
            raise RuntimeError(f"not recorded from their first instruction on: {late}")
        return (*took, map_bytes(agent.pid))


def time_of_starts_beside_a_daemon(lab):
    """The same with a daemon that only follows containers."""
    with Agent():
        return time_of_starts(lab)


def many_starts(lab):
    """What recording adds to the start of so many containers, beyond a daemon without it; in turns."""
    kinds = {"none": time_of_starts, "daemon": time_of_starts_beside_a_daemon, "recorded": time_of_recorded_starts}
    runs = {kind: [] for kind in kinds}
    time_of_starts(lab)  # the first ones have to read programs from the disk
    for turn in range(REPEAT):
        for kind in list(kinds)[::-1 if turn % 2 else 1]:
            progress(f"traceloop: {MANY} starts, {kind}, {turn + 1} of {REPEAT}")
            runs[kind].append(kinds[kind](lab))

    def added(kind, base, at):
        return statistics.median(a[at] - b[at] for a, b in zip(runs[kind], runs[base]))

    return {"containers": MANY, "none_ms": statistics.median(r[0] for r in runs["none"]),
            **{f"{kind}_adds_{unit}": added(kind, base, at) for kind, base in (("daemon", "none"), ("recorded", "daemon"))
               for at, unit in enumerate(("ms", "cpu_ms"))},
            "map_bytes": max(r[2] for r in runs["recorded"]), "budget": BUDGET}


def start_beside_many(lab):
    """ms from the start of a daemon until it records so many containers, and until it is ready where there are none."""
    def until_recorded(n):
        begin = time.monotonic()
        with loop.LoopAgent() as agent:
            containers.wait_for(lambda: len(agent.list()) >= n, 30, "containers")
            return (time.monotonic() - begin) * 1000

    alone = statistics.median(until_recorded(0) for _ in range(3))
    crowd = Crowd(lab, MANY)
    crowd.start()
    all_ = statistics.median(until_recorded(MANY) for _ in range(3))
    crowd.delete()
    return {"containers": MANY, "none_ms": alone, "all_ms": all_}


def dump_times(lab):
    """ms that a full ring takes, the parts of all CPUs, by HTTP."""
    out = {}
    with loop.LoopAgent() as agent:
        c = lab.container("; ".join(f"busybox taskset {1 << cpu:x} load_read 20000" for cpu in os.sched_getaffinity(0)))
        c.run()
        containers.wait_for(lambda: agent.list().get(c.name, {}).get("status") == "ended")
        for form in ("text", "json"):
            times, size = [], 0
            for _ in range(max(REPEAT, 5)):
                begin = time.monotonic()
                size = len(agent.good("/dump-by-name", name=c.name, format=form))
                times.append((time.monotonic() - begin) * 1000)
            out[form] = {"ms": statistics.median(times), "bytes": size}
        out["records"], overwritten, _ = agent.count(name=c.name)
        if not overwritten:
            raise RuntimeError("the ring is not full")
    return out


def run(lab):
    containers.require("sysbench")
    rootfs = lab.rootfs_with("sysbench")
    out = {"loop": take_turns("loop", lambda v: loop_speed(lab, v)),
           "fileio": take_turns("fileio", lambda v: fileio_speed(lab, rootfs, v)),
           "dump": dump_times(lab), "many_starts": many_starts(lab), "start": start_beside_many(lab)}
    progress("")
    return out


def table(results):
    for load, unit in (("loop", "rounds/s"), ("fileio", "MiB/s")):
        for v, r in results[load].items():
            print(f"traceloop, {load}, {VARIANTS[v]}: " + (r.get("why_not") or (
                f"{number(r['speed'])} {unit}, {r['of_none']:.2f} of none, {r['of_empty']:.2f} of empty programs")))
    d = results["dump"]
    print(f"traceloop, dump of a full ring, {d['records']} records: " + ", ".join(
        f"{form} {d[form]['ms']:.0f} ms ({d[form]['bytes'] / 1e6:.1f} MB)" for form in ("text", "json")))
    s = results["many_starts"]
    print(f"traceloop, {s['containers']} containers start: {s['none_ms']:.0f} ms; "
          f"a daemon adds {s['daemon_adds_ms']:.0f} ms (runc's CPU {s['daemon_adds_cpu_ms']:+.0f}), "
          f"recording {s['recorded_adds_ms']:.0f} ms more (runc's CPU {s['recorded_adds_cpu_ms']:+.0f}); "
          f"{s['map_bytes'] / 1e6:.0f} MB of maps, budget of rings {s['budget'] / 1e6:.0f} MB")
    s = results["start"]
    print(f"traceloop, start of a daemon: {s['none_ms']:.0f} ms; until it records {s['containers']} containers: {s['all_ms']:.0f} ms")
