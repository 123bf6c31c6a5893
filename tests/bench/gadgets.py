# SPDX-License-Identifier: Apache-2.0
"""Every gadget: what a run of its programs takes in a container that is wanted and in one that is not, what one record
takes, how long it takes to attach, and its maps. The load is the first block of its .test, again and again."""

import contextlib
import glob
import os
import re
import signal
import time

import containers
import gadget_spec
import ig
from measure import SCALE, map_bytes, number, progress, tasks_cpu

SECONDS = max(0.5, 2 * SCALE)
CHOSEN = os.environ.get("ONLY", "").split()  # all where it is empty
STATS = "/proc/sys/kernel/bpf_stats_enabled"


@contextlib.contextmanager
def counting():
    """The kernel measures each run of a program."""
    with open(STATS) as f:
        before = f.read()
    with open(STATS, "w") as f:
        f.write("1")
    try:
        yield
    finally:
        with open(STATS, "w") as f:
            f.write(before)


def runs(pid, not_these=()):
    """(ns, runs) of the programs that it holds."""
    programs = {}
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        with contextlib.suppress(OSError):
            with open(path) as f:
                found = dict(re.findall(r"^(prog_tag|prog_id|run_time_ns|run_cnt):\s+(\S+)", f.read(), re.M))
            if "run_cnt" in found and found["prog_tag"] not in not_these:
                programs[found["prog_id"]] = int(found["run_time_ns"]), int(found["run_cnt"])
    return tuple(map(sum, zip(*programs.values()))) if programs else (0, 0)


def tags(pid):
    found = set()
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        with contextlib.suppress(OSError):
            with open(path) as f:
                found.update(re.findall(r"^prog_tag:\s+(\S+)", f.read(), re.M))
    return found


def attach_ms(running, began):
    while not (running.call() in ig.EPOLL and running.links()):
        if running.process.poll() is not None:
            raise RuntimeError(f"ig {' '.join(running.args)}: {running.err}")
        time.sleep(0.001)
    return (time.monotonic() - began) * 1000


def measure(gadget, args, detector):
    began = time.monotonic()
    with open(os.devnull, "wb") as null, ig.Ig("run", gadget, "-o", "json", *args, stdout=null) as running:
        out = {"attach_ms": attach_ms(running, began)}
        cpu, (ns, n) = tasks_cpu(running.pid), runs(running.pid, detector["tags"])
        time.sleep(SECONDS)
        cpu, after = tasks_cpu(running.pid) - cpu, runs(running.pid, detector["tags"])
        out.update(ns=after[0] - ns, runs=after[1] - n, cpu=cpu, maps=map_bytes(running.pid) - detector["maps"])
        running.stop(signal.SIGINT)
        out["seen"] = ig.totals(running.err).seen
    return out


def measure_snapshot(gadget, args):
    """It is over before its maps could be looked at."""
    began = time.monotonic()
    done = ig.once("run", gadget, "-o", "json", *args, check=0)
    return {"attach_ms": (time.monotonic() - began) * 1000, "ns": 0, "runs": 0, "cpu": 0, "maps": None,
            "seen": ig.totals(done.err).seen}


def script_of(name):
    with open(os.path.join(containers.TOP, "gadgets", name, f"{name}.test")) as f:
        block = gadget_spec.parse(f.read())[0]
    script = "\n".join(text for kind, text in block.steps if kind == "do")
    return f"while :; do (\n{script}\n) >/dev/null 2>&1; done", block


def one(lab, name, kind, detector):
    script, block = script_of(name)
    c = lab.container(script, edit=block.configure).start()
    args = [a.replace("{CONTAINER}", c.name) for a in block.args]
    chosen = {"--host", "-c", "--containername"} & set(args)
    try:
        time.sleep(0.3)
        progress(f"gadgets: {name}")
        its = [] if chosen else ["-c", c.name]
        if kind == "snapshot":
            wanted, unwanted = measure_snapshot(name, args + its), None
        else:
            wanted = measure(name, args + its, detector)
            unwanted = measure(name, args + ["-c", "no-such-container"], detector) if not chosen else None
    finally:
        c.delete()
    seen = wanted["seen"]
    return {
        "records": seen,
        "kernel_ns_per_record": wanted["ns"] / seen if seen else None,
        "ig_us_per_record": wanted["cpu"] * 1e6 / seen if seen else None,
        "ns_per_run": wanted["ns"] / wanted["runs"] if wanted["runs"] else None,
        "ns_per_unwanted_run": unwanted["ns"] / unwanted["runs"] if unwanted and unwanted["runs"] else None,
        "attach_ms": wanted["attach_ms"],
        "map_bytes": wanted["maps"],
    }


def run(lab):
    with ig.Ig("list-containers", "--watch") as running:
        running.ready()
        detector = {"tags": tags(running.pid), "maps": map_bytes(running.pid)}
    gadgets = [(g["name"], g["kind"]) for g in ig.records(ig.once("list", "-o", "json", check=0).out)]
    works = {r["gadget"]: r["works"] for r in ig.records(ig.once("doctor", "-o", "json", check=0, timeout=120).out)}
    with counting():
        return {g: one(lab, g, kind, detector) for g, kind in gadgets
                if works[g] != "no" and (not CHOSEN or g in CHOSEN)}


def table(results):
    row = "{:<22}{:>10}{:>9}{:>13}{:>13}{:>10}{:>11}{:>9}"
    print(row.format("gadget", "records", "ns/run", "unwanted ns", "kernel ns/r", "ig us/r", "attach ms", "maps MB"))
    worst = sorted(results.items(), key=lambda item: -(item[1]["ns_per_run"] or 0))
    for name, r in worst:
        print(row.format(name, r["records"], number(r["ns_per_run"], "{:.0f}"), number(r["ns_per_unwanted_run"], "{:.0f}"),
                         number(r["kernel_ns_per_record"], "{:.0f}"), number(r["ig_us_per_record"], "{:.1f}"),
                         number(r["attach_ms"], "{:.0f}"), number(r["map_bytes"] and r["map_bytes"] / 1e6, "{:.1f}")))
