# SPDX-License-Identifier: Apache-2.0
"""What many readers of one gadget cost those who are traced: they share what is attached, so it should be nothing more."""

import contextlib
import statistics

import agent
import ig
from gate import Gate
from measure import REPEAT, Tracer, memory, progress, scaled, tasks_cpu

COUNT = scaled(500_000)
READERS = (1, 4, 16)


def one(lab, readers):
    """A storm of opens, read by so many."""
    name = lab.name("readers")
    with contextlib.ExitStack() as stack:
        gate = Gate(lab, name, f"load_open 2 {COUNT}").start()
        stack.callback(gate.container.delete)
        daemon = stack.enter_context(agent.Agent())
        tracers = []
        for _ in range(readers):
            tracers.append(Tracer(ig.IG, "--remote", daemon.address, "run", "trace_open", "-o", "none", "-c", name))
            stack.callback(tracers[-1].stop)
        before = tasks_cpu(daemon.pid)
        load = gate.open_until_end()
        for t in tracers:
            t.settle_after()
        figures = {"load": load["cpu"], "daemon": tasks_cpu(daemon.pid) - before, **memory(daemon.pid)}
        for t in tracers:
            t.stop()
        totals = [ig.totals(t.errors()) for t in tracers]
        figures["lost"], figures["seen"] = sum(t.lost for t in totals), min(t.seen for t in totals)
        return figures


def run(lab):
    runs = {n: [] for n in READERS}
    for turn in range(REPEAT):
        for n in READERS:
            progress(f"{n} readers, {turn + 1} of {REPEAT}")
            runs[n].append(one(lab, n))
    progress("")
    return {str(n): {key: statistics.median(r[key] for r in runs[n]) for key in runs[n][0]} for n in READERS}


def table(results):
    base = results[str(READERS[0])]["load"]
    for n, r in results.items():
        print(f"{n} readers of trace_open: load x {r['load'] / base:.3f} of that with 1, daemon {r['daemon'] * 1e6 / COUNT:.2f} "
              f"us/record, peak {r['peak'] / 1e6:.1f} MB, seen {r['seen']:.0f} of {COUNT}, lost {r['lost']:.0f}")
