# SPDX-License-Identifier: Apache-2.0
"""kubectl gadget traceloop: what containers of a cluster did last, at a fake API server with real agents."""

import containers
import ig
import pytest
from kube_api import KubeApi, Node
from loop import LoopAgent
from nodes import Plugin

NAMESPACE = "kube-loop-test"


@pytest.fixture(scope="module")
def agents(containerd):
    """Two daemons, of what is one machine: both have a ring of each container."""
    containers.require("kubectl")
    with LoopAgent(*containerd.flags) as one, LoopAgent(*containerd.flags) as two:
        yield one, two


@pytest.fixture(scope="module")
def pod(agents, containerd, whole_lab):
    """It has run, and crashed."""
    with containerd.run_pod(whole_lab.name("crash"), NAMESPACE, {"app": "crash"}) as pod:
        pod.run("main", "echo the last words; sleep 0.5; exit 3")
        for agent in agents:
            containers.wait_for(lambda agent=agent: any(row.get("podname") == pod.name and row["status"] == "ended"
                                                        for row in agent.list().values()), 20, "the ring's end")
        yield pod


@pytest.fixture
def cluster(agents, tmp_path):
    with KubeApi(str(tmp_path), [Node(f"n{i}", a.address, traceloop=a.loop_socket) for i, a in enumerate(agents, 1)]) as api:
        api.write_config(NAMESPACE)
        plugin = Plugin(str(tmp_path), api)
        yield api, lambda *args, **kwargs: plugin.once("traceloop", *args, **kwargs)


def test_list(cluster, pod):
    _, traceloop = cluster
    rows = [r for r in ig.records(traceloop("list", "-o", "json", check=0).out) if r.get("pod") == pod.name]
    assert sorted((ig.get(r, "k8s.node"), r["namespace"], r["name"], r["state"]) for r in rows) == \
        [(node, NAMESPACE, "main", "ended") for node in ("n1", "n2")]
    head, *lines = traceloop("list", check=0).out.splitlines()
    assert head.split()[0] == "NODE" and {line.split()[0] for line in lines} == {"n1", "n2"}


@pytest.mark.parametrize("args, found", (
    (("-n", "other"), False), (("-A",), True), (("-A", "-l", "app=crash"), True), (("-A", "-l", "app=web"), False),
    (("-n", NAMESPACE, "-p", "*-crash*", "-c", "main"), True), (("-A", "-c", "side"), False), (("--node", "n3"), None)))
def test_selection(cluster, pod, args, found):
    _, traceloop = cluster
    done = traceloop("list", "-o", "json", *args)
    rings = ig.records(done.out)
    assert all(r["pod"] for r in rings)
    if found is None:
        assert done.returncode and "no agent runs on a node" in done.err, done.err
    else:
        assert not done.returncode and (pod.name in {r["pod"] for r in rings}) == found, done.err


def test_a_name_is_of_the_namespace(cluster, pod):
    api, traceloop = cluster
    assert '"the last words' in traceloop("show", "main", "--node", "n1", check=0).out
    api.write_config("elsewhere")
    assert traceloop("show", "main").returncode == 2
    assert traceloop("show", f"{NAMESPACE}/{pod.name}").returncode == 0
    assert traceloop("list", "--image", "x").returncode == 2


def test_show(cluster, agents, pod):
    """Of all nodes that have it; of one it is what the agent says."""
    _, traceloop = cluster
    shown = traceloop("show", f"{NAMESPACE}/{pod.name}", "--node", "n2", check=0).out
    assert '"the last words\\n"' in shown
    assert shown == agents[1].good("/dump-pod", namespace=NAMESPACE, podname=pod.name)
    both = traceloop("show", f"{NAMESPACE}/{pod.name}", check=0).out
    assert sorted(line for line in both.splitlines() if line.startswith("# n")) == \
        [f"# {node} {NAMESPACE}/{pod.name} main (ended)" for node in ("n1", "n2")]
    assert shown in both
    calls = ig.records(traceloop("show", f"{NAMESPACE}/{pod.name}", "--node", "n1", "-o", "json", check=0).out)
    assert any(c.get("syscall") == "exit_group" for c in calls), calls[-3:]


def test_close(cluster, agents, pod):
    """Only one that is told apart; the other node's stays."""
    _, traceloop = cluster
    done = traceloop("close", f"{NAMESPACE}/{pod.name}")
    assert done.returncode and "2 rings are" in done.err
    traceloop("close", f"{NAMESPACE}/{pod.name}", "--node", "n2", check=0)
    names = [{row.get("podname") for row in a.list().values()} for a in agents]
    assert pod.name in names[0] and pod.name not in names[1]
    done = traceloop("show", f"{NAMESPACE}/{pod.name}", "--node", "n2")
    assert done.returncode == 2 and "no ring" in done.err


def test_a_node_without(cluster, agents, pod):
    """An agent that does not record is named, and the rest goes on."""
    api, traceloop = cluster
    api.nodes["gadget-n2"].places.clear()
    done = traceloop("list", "-o", "json", "--socket", agents[0].loop_socket + ".no")
    assert done.returncode and "node n" in done.err
    api.nodes["gadget-n2"].places = {"unix:///run/traceloop.socket": "unix:///no/such.socket"}
    done = traceloop("list", "-o", "json", check=0)
    assert {ig.get(r, "k8s.node") for r in ig.records(done.out)} == {"n1"}
    assert 'level=warn msg="node n2: no traceloop there: no daemon at unix:///no/such.socket' in done.err, done.err


@pytest.mark.parametrize("args, words", (((), "name what to do"), (("show",), "one ring"), (("list", "x"), "no more"),
                                         (("dump", "x"), "list, show or close")))
def test_bad_words(cluster, args, words):
    done = cluster[1](*args)
    assert done.returncode == 2 and words in done.err, done.err
