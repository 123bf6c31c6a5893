# SPDX-License-Identifier: Apache-2.0
"""profile_cpu at 99 Hz beside no tracer, an empty program on the same events, perf record and bpftrace: a container with
100 busy processes. What the tracer's process takes, what its programs take, and what the load gets done meanwhile."""

import contextlib
import re
import statistics
import time

import ig
from gadgets import counting, runs
from measure import REPEAT, SCALE, Tracer, built, number, progress, tasks_cpu

PROCESSES = 100
SECONDS = max(2, round(6 * SCALE))
VARIANTS = ("none", "empty", "ig", "perf", "bpftrace")
STACKS = "profile:hz:99 { @[kstack, ustack, comm] = count(); }"


def tracer_for(lab, variant, name):
    if variant == "empty":
        return Tracer(ig.IG, "run", built(lab, "empty_samples"), "-o", "none", "-c", name)
    if variant == "ig":
        return Tracer(ig.IG, "run", "profile_cpu", "-o", "folded", "-c", name)
    if variant == "perf":
        return Tracer("perf", "record", "-q", "-a", "-g", "-F", "99", "-e", "cpu-clock", "-o", "/dev/null", ready=1)
    return Tracer("bpftrace", "-e", STACKS, ready=3)


def measure(lab, variant):
    name = lab.name("busy")
    with contextlib.ExitStack() as stack:
        tracer = None
        if variant != "none":
            tracer = tracer_for(lab, variant, name)
            stack.callback(tracer.stop)
        c = lab.start("sleep 100000", name=name)
        stack.callback(c.delete)
        c.exec("sh", "-c", "load_busy 4 1")
        time.sleep(1.2)  # names of the kernel's functions are read once, with the first interval's stacks
        pid = tracer.process.pid if tracer else None
        cpu, ns = (tasks_cpu(pid), runs(pid)[0]) if tracer else (0, 0)
        c.exec("sh", "-c", f"load_busy {PROCESSES} {SECONDS}")
        if tracer:
            cpu, ns = tasks_cpu(pid) - cpu, runs(pid)[0] - ns
        done = int(re.findall(r"busy (\d+)", c.log())[-1])
    # A program that the kernel's counting of run times tells nothing of says nothing here: perf has none.
    return {"loops": done, "user_percent": 100 * cpu / SECONDS, "kernel_percent": 100 * ns / 1e9 / SECONDS}


def run(lab):
    runs_of = {v: [] for v in VARIANTS}
    with counting():
        for i in range(REPEAT):
            for variant in VARIANTS:
                progress(f"cpu: {variant} {i + 1}/{REPEAT}")
                runs_of[variant].append(measure(lab, variant))
    out = {v: {key: statistics.median(r[key] for r in rs) for key in rs[0]} for v, rs in runs_of.items()}
    for variant, r in out.items():
        r["of_none"] = statistics.median(a["loops"] / b["loops"] for a, b in zip(runs_of[variant], runs_of["none"]))
    return out


def table(results):
    for variant, r in results.items():
        print(f"profile at 99 Hz, {PROCESSES} busy processes: {variant:<9} own process {number(r['user_percent'], '{:.2f}')} %, "
              f"programs {number(r['kernel_percent'], '{:.2f}')} % of a core; load {number(r['of_none'], '{:.3f}')} of none's")
