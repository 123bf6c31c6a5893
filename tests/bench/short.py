# SPDX-License-Identifier: Apache-2.0
"""Containers of some milliseconds: is each one's first exec delivered with its name, how long names were waited for, and
what ig adds to a container's start."""

import contextlib
import os
import re
import statistics
import subprocess
import time

import containerd
import containers
import ig
import measure

COUNT = measure.scaled(500)
AT_A_TIME = 4
PAIRS = max(8, measure.scaled(60))
PAIRS_IN_A_TURN = 5


# ---- are they all named? ---------------------------------------------------------------------------

def command(name):
    """Ends at once. Its name is in its arguments: whose the exec is, is told by the record itself."""
    return ["load_exec", "true", name]


def watch(flags, run, is_right):
    """run() while ig watches; what became of the first exec of each container."""
    with ig.Ig("run", "trace_exec", "-o", "json", "--log-level", "info", *flags) as tracer:
        tracer.ready()
        begin = time.monotonic()
        names = run()
        took = time.monotonic() - begin
        time.sleep(1.5)  # names are waited for no longer than a second
        tracer.stop()
        return dict(judge(tracer, set(names), is_right), wall_s=took)


def judge(tracer, names, is_right):
    first = {}
    for r in tracer.records():
        args = r.get("args") or []
        if args[:2] == ["load_exec", "true"] and len(args) > 2 and args[2] in names and not r.get("error"):
            first.setdefault(args[2], r)
    waited, told, longest = map(int, re.search(
        r"records of (\d+) of (\d+) containers, at most (\d+) us", tracer.err).groups())
    return {
        "expected": len(names), "delivered": len(first),
        "named": sum(is_right(r, name) for name, r in first.items()),
        "resolved": sum(ig.get(r, "runtime.resolved") is True for r in first.values()),
        "lost": tracer.totals().lost, "containers": told, "waited_for": waited, "longest_us": longest,
        "wrong": [f"{name}: {r.get('runtime')} {r.get('k8s')}" for name, r in first.items() if not is_right(r, name)][:5],
    }


def by_runc(lab):
    """Below a root that ig is not told of."""
    root = os.path.join(lab.dir, "an-unusual-root")
    runs = [containers.Container(lab, name, command(name), root=root)
            for name in (f"{lab.prefix}-short{n}" for n in range(COUNT))]

    def run():
        measure.each(lambda c: measure.quietly(*c.command, "run", "--bundle", c.bundle, c.name), runs, AT_A_TIME)
        return [c.name for c in runs]
    try:
        return watch([], run, lambda r, name: ig.container_of(r) == name == ig.get(r, "runtime.containerId"))
    finally:
        with contextlib.suppress(OSError):
            for name in os.listdir(root):
                containers.run("runc", "--root", root, "delete", "-f", name, check=False)


def by_cri(lab):
    """In one pod. The id is a random number, and only containerd knows the name."""
    daemon = containerd.Containerd(lab)
    try:
        pod = daemon.run_pod(f"{lab.prefix}-pod", namespace="bench")
        names = [f"short{n}" for n in range(COUNT)]

        def run():
            measure.each(lambda name: pod.run(name, *command(name)), names, AT_A_TIME)
            return names
        return watch(daemon.flags, run, lambda r, name: (
            ig.get(r, "k8s.containerName") == name and ig.get(r, "k8s.podName") == pod.name
            and ig.get(r, "k8s.namespace") == "bench"))
    finally:
        daemon.close()


def run(lab):
    out = {}
    for label, function in (("runc --root", by_runc), ("containerd CRI", by_cri)):
        measure.progress(f"short containers: {label}")
        out[label] = function(lab)
    measure.progress("")
    return out


def table(short):
    """What is held is told of all containers of the machine: others' that started meanwhile are among them."""
    row = "{:<17}{:>10}{:>10}{:>10}{:>10}{:>8}{:>10}{:>14}{:>9}{:>12}"
    print(row.format("short containers", "expected", "delivered", "named", "resolved", "lost", "a second", "held of all",
                            "others", "longest ms"))
    for label, r in short.items():
        print(row.format(label, *(r[k] for k in ("expected", "delivered", "named", "resolved", "lost")),
                         f"{r['expected'] / r['wall_s']:.0f}", f"{r['waited_for']} of {r['containers']}",
                         r["containers"] - r["expected"], f"{r['longest_us'] / 1000:.1f}"))
        for text in r["wrong"]:
            print(f"  wrong: {text}")


# ---- what does a start cost? -----------------------------------------------------------------------

def start_once(container):
    """ms from runc's start to its end, and of its CPU and its children's."""
    begin = time.monotonic()
    process = subprocess.Popen([*container.command, "run", "--bundle", container.bundle, container.name],
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)
    _, status, used = os.wait4(process.pid, 0)
    wall = time.monotonic() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise RuntimeError(f"runc run failed: {process.returncode}")
    return {"wall": wall * 1000, "cpu": (used.ru_utime + used.ru_stime) * 1000}


def start_some(container, traced):
    if not traced:
        return [start_once(container) for _ in range(PAIRS_IN_A_TURN)]
    tracer = measure.Tracer(ig.IG, "run", "trace_exec", "-o", "none", ready=0.6)
    try:
        return [start_once(container) for _ in range(PAIRS_IN_A_TURN)]
    finally:
        tracer.stop()


def start_cost(lab):
    """Turns with and without ig, in changing order."""
    container = lab.container(*command("start"))
    runs = {True: [], False: []}
    start_once(container)
    for turn in range(-(-PAIRS // PAIRS_IN_A_TURN)):
        measure.progress(f"start of a container: {len(runs[True])} of {PAIRS}")
        for traced in ((False, True), (True, False))[turn % 2]:
            runs[traced] += start_some(container, traced)
    measure.progress("")
    out = {"pairs": len(runs[True])}
    for key in ("wall", "cpu"):
        plain, traced = (measure.median(runs[t], key) for t in (False, True))
        out[key] = {"plain_ms": plain, "traced_ms": traced, "ratio": traced / plain, "added_ms": traced - plain,
                    "added_ms_paired": statistics.median(t[key] - p[key] for p, t in zip(runs[False], runs[True]))}
    return out


def start_table(start):
    print(f"start to end of a container, {start['pairs']} pairs: " + "; ".join(
        f"{label} {r['plain_ms']:.2f} ms, with ig {r['traced_ms']:.2f} ms: x{r['ratio']:.3f}, {r['added_ms']:+.2f} ms "
        f"({r['added_ms_paired']:+.2f} paired)"
        for label, r in (("time", start["wall"]), ("CPU", start["cpu"]))))
