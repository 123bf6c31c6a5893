# SPDX-License-Identifier: Apache-2.0
"""With 1,000 containers that run already: how long ig takes to attach and to know their names, what memory it needs, and
what a record's look-up costs.

Containers come and go once only, so "with none" is measured before them and after them: what changes on the machine
meanwhile falls on both sides.
"""

import contextlib
import json
import os
import signal
import statistics
import subprocess
import time

import containers
import ig
import measure

COUNT = measure.scaled(1000)
RUNC = "/run/runc"  # where ig finds the state of those that ran before it


class Crowd:
    """Containers of one bundle that sleep. The lab removes them when it is closed."""

    def __init__(self, lab, count):
        self.names = [f"{lab.prefix}-crowd{n}" for n in range(count)]
        self.bundle = containers.Container(lab, f"{lab.prefix}-crowd", ["load_pause"]).bundle
        lab.containers.append(self)

    def start(self):
        begin = time.monotonic()
        # runc's output is not a pipe: the containers would hold it.
        measure.each(lambda name: subprocess.run(
            ["runc", "run", "-d", "--bundle", self.bundle, name], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, check=True, start_new_session=True), self.names, 2)
        return time.monotonic() - begin

    def delete(self):
        names = [name for name in self.names if os.path.exists(f"{RUNC}/{name}")]
        for name in names:
            # By hand: runc would look ten times a second whether each is gone.
            with contextlib.suppress(OSError, ValueError, KeyError):
                with open(f"{RUNC}/{name}/state.json") as f:
                    pid = json.load(f)["init_process_pid"]
                with open(f"/proc/{pid}/cgroup") as f:
                    if f"/{name}\n" in f.read():
                        os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(RuntimeError):
            measure.each(lambda name: measure.quietly("runc", "delete", "-f", name), names, 2)
        left = set(self.names)
        for top in containers.hierarchies():
            for name in left.intersection(os.listdir(top)):
                with contextlib.suppress(OSError):
                    os.rmdir(os.path.join(top, name))
        self.names = []


@contextlib.contextmanager
def attaching(gadget, links):
    """ig from its start to its last link: (its process id, seconds that took). It follows all containers, and is ended."""
    process = subprocess.Popen([ig.IG, "run", gadget, "-o", "none"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ig.ENV)
    begin = time.monotonic()
    try:
        while measure.attached(process.pid) < links:
            if process.poll() is not None or time.monotonic() > begin + 30:
                raise RuntimeError(f"ig run {gadget} does not attach")
            time.sleep(0.001)
        yield process.pid, time.monotonic() - begin
    finally:
        process.terminate()
        process.wait()


def links_of(gadget):
    """How many links it has when it is attached; without probes, of which there are as many as containers have libraries."""
    with ig.Ig("run", gadget, "-o", "none", "-c", "no-such-container") as first:
        return measure.attached(first.ready().pid)


def attach(links):
    """How long trace_exec takes; then, when names are known, its memory."""
    with attaching("trace_exec", links) as (pid, wall):
        cpu = measure.tasks_cpu(pid)
        last = 0
        while measure.tasks_cpu(pid) - last > 0.003:
            last = measure.tasks_cpu(pid)
            time.sleep(0.3)
        return {"wall": wall * 1000, "cpu": cpu * 1000, **measure.memory(pid), "maps": measure.map_bytes(pid)}


def list_containers(prefix):
    """From the start of list-containers to its end, and how many of those with this prefix it knows all of."""
    begin, before = time.monotonic(), measure.children_cpu()
    rows = ig.listed()
    wall, cpu = time.monotonic() - begin, measure.children_cpu() - before
    named = [r for r in rows if (ig.container_of(r) or "").startswith(prefix) and ig.get(r, "runtime.resolved")]
    return {"wall": wall * 1000, "cpu": cpu * 1000, "named": len(named), "rows": len(rows)}


def turns(crowd, links, what):
    runs = []
    for turn in range(measure.REPEAT):
        measure.progress(f"scale: {what}, {turn + 1} of {measure.REPEAT}")
        runs.append({"attach": attach(links), "list": list_containers(crowd)})
    return runs


def summary(runs):
    out = {f"{key}_{part}_ms": measure.median(runs, key, part) for key in ("attach", "list") for part in ("wall", "cpu")}
    out.update({f"{key}_bytes": measure.median(runs, "attach", key) for key in ("resident", "peak", "maps")})
    out["named"] = min(r["list"]["named"] for r in runs)
    out["listed"] = statistics.median(r["list"]["rows"] for r in runs)
    return out


def run(lab):
    prefix = f"{lab.prefix}-crowd"
    links = links_of("trace_exec")
    none = turns(prefix, links, "with none")
    crowd = Crowd(lab, COUNT)
    measure.progress(f"scale: making {COUNT} containers")
    took = crowd.start()
    many = turns(prefix, links, f"with {COUNT}")
    measure.progress("scale: removing them")
    crowd.delete()
    none += turns(prefix, links, "with none again")
    measure.progress("")
    result = {"containers": COUNT, "making_s": took, "none": summary(none), "many": summary(many)}
    for key in ("attach_wall_ms", "attach_cpu_ms", "list_wall_ms", "list_cpu_ms"):
        result[f"added_{key}"] = result["many"][key] - result["none"][key]
    return result


def table(scale):
    row = "{:<14}{:>11}{:>11}{:>11}{:>11}{:>9}{:>9}{:>9}{:>9}"
    print(row.format("containers", "attach ms", "CPU ms", "list ms", "CPU ms", "named", "RSS MB", "peak MB", "maps MB"))
    keys = ("attach_wall_ms", "attach_cpu_ms", "list_wall_ms", "list_cpu_ms")
    for which, label in (("none", "none"), ("many", scale["containers"])):
        r = scale[which]
        print(row.format(label, *(f"{r[k]:.0f}" for k in keys), r["named"],
                         *(f"{r[k] / 1e6:.1f}" for k in ("resident_bytes", "peak_bytes", "maps_bytes"))))
    print(row.format("more", *(f"{scale[f'added_{k}']:.0f}" for k in keys), "", "", "", ""))
    print("(others that ran as well: {:.0f} and {:.0f})".format(
        scale["none"]["listed"], scale["many"]["listed"] - scale["many"]["named"]))


def look_up(lab):
    """ns that a record's way to its container takes, by the number of containers."""
    done = containers.run(os.path.join(os.path.dirname(ig.IG), "tests/bench/bench_lookup"), "json")
    return [json.loads(line) for line in done.text.splitlines()]


def look_up_table(rows):
    print("look-up of a record's container: " + "; ".join(
        f"{r['containers']} containers, {r['case']} {r['ns']:.1f} ns" for r in rows))
