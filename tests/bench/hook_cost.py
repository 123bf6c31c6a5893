# SPDX-License-Identifier: Apache-2.0
"""What `ig hook` adds to a container's life, beside an empty static program in the same stages: the floor of any hook."""

import os
import statistics
import subprocess

import agent
import ig
import measure
from short import start_once

PAIRS = max(20, measure.scaled(100))
STAGES = ("createRuntime", "poststop")
EMPTY = "int main(void) { return 0; }\n"


def empty_program(lab):
    path = os.path.join(lab.dir, "empty_hook")
    with open(f"{path}.c", "w") as f:
        f.write(EMPTY)
    subprocess.run(["gcc", "-O2", "-static", "-o", path, f"{path}.c"], check=True)
    return path


def with_hooks(program, *args):
    def edit(config):
        config["hooks"] = {stage: [{"path": program, "args": [program, *(a.format(stage) for a in args)]}] for stage in STAGES}
    return edit


def cost(lab):
    with agent.Agent() as daemon:
        kinds = {
            "none": lab.container("true"),
            "empty": lab.container("true", edit=with_hooks(empty_program(lab))),
            "ig": lab.container("true", edit=with_hooks(ig.IG, "hook", "{}", "--host", daemon.address)),
            "no daemon": lab.container("true", edit=with_hooks(ig.IG, "hook", "{}", "--host", "unix:///nowhere")),
        }
        runs = {kind: [] for kind in kinds}
        for turn in range(PAIRS + 1):
            measure.progress(f"hooks: {turn} of {PAIRS}")
            order = list(kinds) if turn % 2 else list(kinds)[::-1]
            for kind in order:
                took = start_once(kinds[kind])["wall"]
                if turn:  # the first one may have to read programs from the disk
                    runs[kind].append(took)
    measure.progress("")
    return {"pairs": PAIRS, **{kind: {
        "ms": statistics.median(runs[kind]),
        "beyond_empty_ms": statistics.median(a - b for a, b in zip(runs[kind], runs["empty"])),
    } for kind in kinds}}


def table(results):
    print(f"hooks in two stages, {results['pairs']} pairs: " + "; ".join(
        f"{kind} {results[kind]['ms']:.2f} ms ({results[kind]['beyond_empty_ms']:+.2f} paired)"
        for kind in ("none", "empty", "ig", "no daemon")))
