# SPDX-License-Identifier: Apache-2.0
"""-o histogram: added up and drawn, of a run, of its record file, at a daemon; sums of containers."""

import json
import os
import re

import ig

TALK = (
    "(sleep 2 | nc -l -p 7000 >/dev/null) & until netstat -ltn | grep -q :7000; do :; done; "
    "(for i in 1 2 3 4 5 6 7 8 9; do echo $i; sleep 0.05; done) | nc 127.0.0.1 7000; wait"
)


def drawn(out):
    """{title: {interval's start: count}}, where each drawing holds what its title says."""
    found = {}
    for block in out.strip().split("\n\n"):
        title, *lines = block.splitlines()
        name, n = re.fullmatch(r"(.*), (\d+) values?", title).groups()
        slots = {int(a): int(c) for a, c in re.findall(r"(\d+)\.\.\d+ +(\d+) \|", block)}
        assert len(slots) == len(lines) and sum(slots.values()) == int(n), block
        assert max(line.count("*") for line in lines) == 50, block
        found[name] = slots
    return found


def test_histograms_live_replayed_and_of_several_containers(agent, lab):
    path, names = os.path.join(agent.records, "rtt.rec"), [lab.name(), lab.name()]
    with ig.Ig("run", "profile_tcprtt", "-o", "histogram", "-c", ",".join(names), "--record", path) as running:
        running.ready()
        for name in names:
            lab.container(TALK, name=name).run()
        assert running.stop() == 0, running.err
        live = drawn(running.out)
    assert set(live) == {f"containerName={name}: latency (us)" for name in names}
    here = ig.once("replay", path, "-o", "histogram", check=0)
    there = agent.once("replay", os.path.basename(path), "-o", "histogram", check=0)
    assert drawn(here.out) == drawn(there.out) == live
    whole = drawn(ig.once("replay", path, "-o", "histogram", "--fields", "latency", check=0).out)
    assert list(whole) == ["latency (us)"]
    for start, count in whole["latency (us)"].items():
        assert count == sum(slots.get(start, 0) for slots in live.values())
    rows = [json.loads(line) for line in ig.once("replay", path, "-o", "json", check=0).out.splitlines()]
    assert all(row["latency"]["unit"] == "us" for row in rows)
    told = sum(slot["count"] for row in rows for slot in row["latency"]["data"])
    assert told == sum(whole["latency (us)"].values())


def test_each_interval_at_a_daemon(agent, lab):
    name = lab.name()
    with agent.run("profile_tcprtt", "--interval", "300ms", "-o", "histogram", "-c", name) as running:
        lab.container(TALK, name=name).run()
        assert running.stop() == 0, running.err
        assert running.out.count(f"containerName={name}: latency (us)") >= 2


def test_what_has_no_histograms():
    done = ig.once("run", "top_tcp", "-o", "histogram")
    assert done.returncode and "no histogram is shown of top_tcp" in done.err
    done = ig.once("run", "profile_tcprtt", "-o", "histogram", "--fields", "src")
    assert done.returncode and "no histogram is shown of profile_tcprtt" in done.err
