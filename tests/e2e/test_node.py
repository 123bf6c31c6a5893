# SPDX-License-Identifier: Apache-2.0
"""A node by ig alone: a daemon, hooks that tell it of containers, a tracer, an instance that stays."""

import os
import signal
import time

import ig
import pytest
from agent import Agent
from containers import wait_for

pytestmark = pytest.mark.kernels

SCRIPT = "cat /no/such; busybox true"


@pytest.fixture
def agent():
    with Agent() as a:
        yield a


def hooked(agent):
    """An `edit` of a container's config: its runtime tells the daemon of it."""
    def edit(config):
        config["hooks"] = {stage: [{"path": ig.IG, "args": ["ig", "hook", stage, "--host", agent.address]}]
                           for stage in ("createRuntime", "poststop")}
    return edit


def programs(running, name):
    return [" ".join(r["args"]) for r in running.records() if ig.get(r, "runtime.containerName") == name and "args" in r]


def test_a_trace_that_hooks_drive(agent, lab):
    name = lab.name("web")
    assert agent.once("tracer", "add", "web", "-c", name).out == "web\n"
    assert sorted(os.listdir(agent.pins)) == ["cgroupidset-web", "mntnsset-web"]
    with agent.ig("run", "--tracer", "web", "trace_exec,trace_open", "-o", "json") as running:
        wait_for(lambda: '"runs"' in agent.once("dump-state").out and "trace_open" in agent.once("dump-state").out, what="runs")
        lab.container(SCRIPT, name=name, edit=hooked(agent)).run()
        wait_for(lambda: len(programs(running, name)) == 3, what="all that it runs")
        assert running.stop() == 0
    assert programs(running, name)[0] == f"sh -c {SCRIPT}"
    assert any(r.get("fname") == "/no/such" and r["error"] == "ENOENT" for r in running.records())
    assert all(t.lost == 0 and t.seen == t.delivered + t.discarded for t in (running.totals("trace_exec"), running.totals("trace_open")))
    assert agent.once("tracer", "remove", "web").out == ""
    assert os.listdir(agent.pins) == []


def test_an_instance_outlives_its_daemon(agent, lab):
    id_ = agent.once("run", "--detach", "--name", "execs", "trace_exec").out.strip()
    first, second = lab.container("busybox true"), lab.container("busybox true")
    first.run()
    wait_for(lambda: first.name in agent.once("attach", "execs", "--last", "100", "-t", "1", "-o", "json").out, what="its records")
    time.sleep(1.2)  # they are on the disk by then
    assert agent.stop(signal.SIGKILL) == -signal.SIGKILL
    agent.start()
    assert "execs" in agent.log
    second.run()
    wait_for(lambda: second.name in agent.once("attach", "execs", "-t", "1", "-o", "json").out, what="records after the crash")
    assert first.name in agent.once("attach", id_, "--last", "100", "-t", "1", "-o", "json").out
    assert agent.once("stop", "execs").out == ""
    assert agent.once("ps", "-o", "json").out == ""
