# SPDX-License-Identifier: Apache-2.0
"""kubectl gadget run over several nodes does what ig run does on one: what is added up is added up over all of them."""

import gzip

import containers
import ig
import pytest
from agent import Agent
from nodes import Nodes
from test_folded import DEEP
from test_folded import lines as folded
from test_histogram import TALK, drawn


@pytest.fixture(scope="module")
def agents(whole_lab):
    containers.require("kubectl")
    with Agent() as one, Agent() as two:
        yield one, two


@pytest.fixture
def nodes(agents, tmp_path):
    with Nodes(tmp_path, agents) as nodes:
        yield nodes


def beside_one_node(nodes, gadget, *args, do):
    """What a run on both nodes has written at its end, and one on n1 alone beside it."""
    with nodes.start("run", gadget, *args) as both, nodes.start("run", gadget, *args, "--node", "n1", nodes=("n1",)) as one:
        do()
        assert both.stop() == 0, both.err
        assert one.stop() == 0, one.err
        return both.out, one.out


def test_histograms_are_added(nodes, lab):
    """Those of one container's name, over pods and nodes; by pod and by node, where these are asked for."""
    def talk():
        for pod in ("web-1", "web-2"):
            lab.container(TALK, annotations=nodes.pod(pod)).run()
    both, one = beside_one_node(nodes, "profile_tcprtt", "-o", "histogram", do=talk)
    title = f"namespace={nodes.namespace} containerName=main: latency (us)"
    assert list(drawn(both)) == list(drawn(one)) == [title]
    assert drawn(both)[title] == {slot: 2 * n for slot, n in drawn(one)[title].items()}


def test_stacks_are_added(nodes, lab):
    both, one = beside_one_node(nodes, "trace_open", "--ustack", "-o", "folded", "--filter", "proc.comm==open_deep",
                                do=lambda: lab.container(DEEP, annotations=nodes.pod("web-1")).run())
    assert sum(folded(one).values()) == 4 and folded(both) == {stack: 2 * n for stack, n in folded(one).items()}


def test_pprof_has_the_nodes(nodes, lab):
    both, one = beside_one_node(nodes, "trace_open", "--ustack", "-o", "pprof", "--filter", "proc.comm==open_deep",
                                do=lambda: lab.container(DEEP, annotations=nodes.pod("web-1")).run())
    both, one = (gzip.decompress(out.encode(errors="surrogateescape")) for out in (both, one))
    n1, n2 = b"2\x02n1", b"2\x02n2"  # entries of the file's table of strings
    assert all(word in both and word in one for word in (b"2\x04node", n1, b"calls_what_opens", nodes.namespace.encode()))
    assert n2 in both and n2 not in one


def test_a_flame_graph_is_one(nodes, lab):
    both, _ = beside_one_node(nodes, "trace_open", "--ustack", "-o", "flamegraph", "--filter", "proc.comm==open_deep",
                              do=lambda: lab.container(DEEP, annotations=nodes.pod("web-1")).run())
    assert both.count("<svg") == 1 and f"{nodes.namespace}/web-1/main" in both


# ---- record files -------------------------------------------------------------------

@pytest.fixture
def skewed(agents, tmp_path):
    """n2's clock for dates is another one: its boot clock is some days ahead."""
    with Agent(enter=("unshare", "--time", "--boottime", "300000")) as ahead, \
            Nodes(tmp_path, (agents[0], ahead)) as nodes:
        yield nodes


@pytest.mark.parametrize("gadgets, flags", ((("trace_exec", "trace_open"), ()), (("top_file",), ("--interval", "300ms")),
                                            (("trace_exec",), ("--host",))))
def test_replay_is_what_was_shown(skewed, lab, tmp_path, gadgets, flags):
    path, nodes = str(tmp_path / "r.rec"), skewed
    lab.start(f"{containers.keep_saying('many')} & while :; do cat /etc/hosts; sleep 0.1; done", annotations=nodes.pod("web-1"))
    with nodes.start("run", *gadgets, *flags, "-o", "json", "--record", path, n=len(gadgets)) as running:
        for node in ("n1", "n2"):
            running.wait_record(lambda r, node=node: ig.get(r, "k8s.node") == node)
        if flags == ("--host",):
            ig.once("list", check=0)
            running.wait_record(lambda r: not ig.container_of(r))
        assert running.stop() == 0, running.err
        live = running.out
    days = {ig.get(r, "k8s.node"): r["timestamp"][:10] for r in ig.records(live) if "timestamp" in r}
    assert gadgets == ("top_file",) or days["n1"] > days["n2"]
    done = ig.once("replay", path, "-o", "json", check=0)
    assert ig.records(done.out) == ig.records(live) and done.out == live
    assert ig.totals(done.err) == ig.totals(running.err) or gadgets == ("top_file",)
