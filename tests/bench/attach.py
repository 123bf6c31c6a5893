# SPDX-License-Identifier: Apache-2.0
"""Every gadget that runs until it is ended: how long from the start of ig to its last link, with 1,000 containers that run
already and with none. As in scale.py, "with none" is measured before them and after them. CPU is what ig itself took of
that time, which says how much of it the machine was busy with something else."""

import ig
import measure
import scale

MOST_MS = 150  # what they may add to it


def gadgets():
    """Those that work here; a snapshot is attached to nothing, and takes as long as what it shows is long."""
    kinds = {g["name"]: g["kind"] for g in ig.records(ig.once("list", "-o", "json", check=0).out)}
    works = ig.records(ig.once("doctor", "-o", "json", check=0, timeout=120).out)
    return [r["gadget"] for r in works if r["works"] != "no" and kinds[r["gadget"]] != "snapshot"]


def turns(links, what):
    """What each turn took, by gadget."""
    runs = {gadget: [] for gadget in links}
    for turn in range(measure.REPEAT):
        for gadget in links:
            measure.progress(f"attach: {gadget} {what}, {turn + 1} of {measure.REPEAT}")
            with scale.attaching(gadget, links[gadget]) as (pid, seconds):
                runs[gadget].append({"wall": seconds * 1000, "cpu": measure.tasks_cpu(pid) * 1000})
    return runs


def run(lab):
    links = {gadget: scale.links_of(gadget) for gadget in gadgets()}
    before = turns(links, "with none")
    crowd = scale.Crowd(lab, scale.COUNT)
    measure.progress(f"attach: making {scale.COUNT} containers")
    crowd.start()
    many = turns(links, f"with {scale.COUNT}")
    measure.progress("attach: removing them")
    crowd.delete()
    after = turns(links, "with none again")
    measure.progress("")
    out = {}
    for gadget in links:
        out[gadget] = {}
        for key in ("wall", "cpu"):
            none_ms = measure.median(before[gadget] + after[gadget], key)
            many_ms = measure.median(many[gadget], key)
            out[gadget].update({f"none_{key}_ms": none_ms, f"many_{key}_ms": many_ms, f"added_{key}_ms": many_ms - none_ms})
    return {"containers": scale.COUNT, "gadgets": out}


def table(results):
    row = "{:<24}" + "{:>10}" * 6
    print(row.format("start to attached, ms", "none", results["containers"], "more", "CPU, none", results["containers"], "more"))
    for gadget, r in sorted(results["gadgets"].items(), key=lambda item: -item[1]["added_wall_ms"]):
        print(row.format(gadget, *(f"{r[f'{which}_{key}_ms']:.0f}" for key in ("wall", "cpu")
                                   for which in ("none", "many", "added"))))
    over = [g for g, r in results["gadgets"].items() if r["added_wall_ms"] > MOST_MS]
    print(f"more than {MOST_MS} ms longer: {', '.join(over) or 'none'}")
