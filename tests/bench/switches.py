# SPDX-License-Identifier: Apache-2.0
"""What a switch of tasks costs more when the gadgets that look at each one run, for another container and for its own."""

import statistics

import ig
from gate import Gate
from measure import REPEAT, Tracer, progress, scaled

COUNT = scaled(200_000)
OTHER = ("-c", "no-such-container")
RUNQLAT = ("profile_runqlat",)
OFFCPU = ("profile_offcpu",)
STACKS = ("profile_offcpu", "--ustack", "--kstack")
# Gadget, and whether the load's container is wanted.
VARIANTS = {
    "untraced": None,
    "runqlat, another": (RUNQLAT, False),
    "runqlat": (RUNQLAT, True),
    "offcpu, another": (OFFCPU, False),
    "offcpu": (OFFCPU, True),
    "offcpu, stacks": (STACKS, True),
}


def once(lab, variant):
    """ns of CPU that both tasks took for a round: two switches and two wake-ups."""
    name = lab.name("switch")
    gate, tracer = Gate(lab, name, f"load_switch {COUNT}").start(), None
    try:
        if VARIANTS[variant]:
            gadget, wanted = VARIANTS[variant]
            tracer = Tracer(ig.IG, "run", *gadget, "-o", "json", *(("-c", name) if wanted else OTHER))
        return gate.open_until_end()["cpu"] * 1e9 / COUNT
    finally:
        if tracer:
            tracer.stop()
        gate.container.delete()


def run(lab):
    runs = {v: [] for v in VARIANTS}
    for turn in range(REPEAT):
        for v in runs:
            progress(f"switches: {v}, {turn + 1} of {REPEAT}")
            runs[v].append(once(lab, v))
    progress("")
    base = statistics.median(runs["untraced"])
    return {v: {"ns": statistics.median(r), "ns_more_per_switch": (statistics.median(r) - base) / 2} for v, r in runs.items()}


def table(results):
    print("{:<20}{:>12}{:>20}".format("switches", "ns a round", "more ns a switch"))
    for v, r in results.items():
        print(f"{v:<20}{r['ns']:>12.0f}{r['ns_more_per_switch']:>20.0f}")
