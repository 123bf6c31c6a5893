# SPDX-License-Identifier: Apache-2.0
"""kubectl gadget, at a fake API server whose nodes are daemons of the test: what a real cluster cannot be made to do."""

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import time
from concurrent import futures

import containers
import ig
import pytest
from agent_client import STUBS
from containers import keep_saying
from kube_api import V4, V5, KubeApi, Node
from nodes import Plugin


NAMESPACE = f"shop-{os.getpid()}"  # no other test's pods are in it


@pytest.fixture(scope="module")
def pod(containerd, whole_lab):
    with containerd.run_pod(whole_lab.name("web"), NAMESPACE, {"app": "web"}) as pod:
        pod.run("main", f"{keep_saying('kube')} & while :; do cat /etc/hosts; sleep 0.2; done")
        yield pod


@pytest.fixture
def cluster(two_agents, tmp_path):
    """(The API server, the plugin.)"""
    with KubeApi(str(tmp_path), [Node("n1", two_agents[0].address), Node("n2", two_agents[1].address)]) as api:
        api.write_config(NAMESPACE)
        yield api, Plugin(str(tmp_path), api)


def nodes(records):
    return {ig.get(r, "k8s.node") for r in records}


# ---- as it should be ----------------------------------------------------------------

@pytest.mark.parametrize("protocols", ((V5, V4), (V4,)))
def test_version(cluster, protocols):
    api, plugin = cluster
    api.protocols, api.page = protocols, 1
    done = plugin.once("version", check=0)
    client = done.out.splitlines()[0].split()[1]
    assert done.out == f"client {client}\nnode n1 {client}\nnode n2 {client}\n" and not done.err
    assert api.chosen == [protocols[0]] * 2
    assert sum("continue=1" in path for path in api.asked) == 1


@contextlib.contextmanager
def other_agent(address):
    """Of another version, which says so and can do nothing else."""
    import grpc

    class Other(STUBS.api_grpc.BuiltInGadgetManagerServicer):
        def GetInfo(self, request, context):
            return STUBS.api.InfoResponse(version="1.0", serverVersion="v0.0.1\x1b")

    server = grpc.server(futures.ThreadPoolExecutor(2))
    STUBS.api_grpc.add_BuiltInGadgetManagerServicer_to_server(Other(), server)
    server.add_insecure_port(address)
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()


def test_agents_of_other_versions(cluster, tmp_path):
    """Each is told, and that they are is a failure with a status of its own."""
    api, plugin = cluster
    with other_agent(f"unix:{tmp_path}/other"):
        api.nodes["gadget-n2"].address = f"unix://{tmp_path}/other"
        done = plugin.once("version")
    client, first, second = done.out.splitlines()
    assert done.returncode == 10 and first == client.replace("client", "node n1") and second == "node n2 v0.0.1\\x1b", done.out
    assert done.err == 'level=error msg="1 of the agents are of another version"\n'


def test_kubectl_finds_it(cluster, tmp_path):
    _, plugin = cluster
    done = subprocess.run(["kubectl", "gadget", "version"], env=dict(ig.ENV, **plugin.env, PATH=f"{tmp_path}:{os.environ['PATH']}"),
                          capture_output=True, text=True, timeout=30 * containers.SLOWER)
    assert done.returncode == 0 and "node n2 v" in done.stdout, done.stderr


def test_list(cluster, two_agents):
    _, plugin = cluster
    assert plugin.once("list", check=0).out == two_agents[0].once("list", check=0).out


@pytest.mark.parametrize("words", (("run", "trace_exec"), ("trace", "exec"), ("execsnoop",)))
def test_stream_of_all_nodes(cluster, pod, words):
    """In order of time, each record with its node; of the namespace that kubectl would take."""
    _, plugin = cluster
    with plugin.start(*words, "-o", "json") as running:
        for node in ("n1", "n2"):
            running.wait_record(lambda r, node=node: ig.said("kube")(r) and ig.get(r, "k8s.node") == node)
        assert running.stop() == 0, running.err
        records, totals = ig.records(running.out), running.totals("trace_exec")
    assert totals.seen == totals.delivered == len(records) and not totals.lost
    records = ig.resolved(records)
    assert {ig.get(r, "k8s.namespace") for r in records} == {NAMESPACE}
    assert {ig.get(r, "k8s.podName") for r in records} == {pod.name}
    times = [r["timestamp"] for r in records if not r.get("late")]
    assert len(times) > len(records) / 2
    assert times == sorted(times)
    assert re.search(r"(?s) n1/main: seen \d+.* n2/main: seen", running.err), running.err


def test_columns_name_the_node(cluster, pod):
    _, plugin = cluster
    out = plugin.once("run", "trace_exec", "--timeout", "1s", "--node", "n[2-9]", check=0).out.splitlines()
    assert out[0].split()[:4] == ["K8S.NODE", "K8S.NAMESPACE", "K8S.PODNAME", "RUNTIME.CONTAINERNAME"]
    assert all(line.startswith("n2 ") for line in out[1:])
    assert ["n2", NAMESPACE, pod.name, "main"] in [line.split()[:4] for line in out[1:]]


@pytest.mark.parametrize("args, found", (
    (("-n", "other"), False), (("-A", "-p", "*-web*"), True), (("-l", "app=web"), True), (("-l", "app=db"), False),
    (("-c", "main"), True), (("-c", "side"), False), (("-p", "nothing"), False), (("--filter", "k8s.node==n1"), True)))
def test_selection(cluster, pod, args, found):
    _, plugin = cluster
    out = plugin.once("run", "trace_exec", "-o", "json", "--timeout", "1s", *args, check=0).out
    records = ig.resolved(ig.records(out))
    assert bool(records) == found
    if "--filter" in args:
        assert nodes(records) == {"n1"}


def test_namespace_of_the_configuration(cluster, pod):
    api, plugin = cluster
    api.write_config("elsewhere")
    assert not ig.resolved(ig.records(plugin.once("run", "trace_exec", "-o", "json", "--timeout", "1s", check=0).out))


def test_tables_are_one(cluster, pod):
    """A snapshot of two nodes is one table, sorted as one; so is each of a top gadget's."""
    _, plugin = cluster
    done = plugin.once("run", "snapshot_process", "--fields", "k8s.node,proc.comm,proc.pid", "--sort", "proc.pid,k8s.node",
                       "--no-headers", check=0)
    rows = [line.split() for line in done.out.splitlines()]
    assert {r[0] for r in rows} == {"n1", "n2"} and rows == sorted(rows, key=lambda r: (int(r[-1]), r[0]))
    with plugin.start("run", "top_file", "--interval", "500ms", "--fields", "k8s.node") as running:
        containers.wait_for(lambda: running.out.count("K8S.NODE") > 6, 20, "tables")
        assert running.stop() == 0, running.err
        tables = [set(table.split()) for table in running.out.split("K8S.NODE")[1:]]
    assert sum(table == {"n1", "n2"} for table in tables) >= len(tables) - 2, tables


def test_host_rows_have_their_node(cluster):
    _, plugin = cluster
    done = plugin.once("run", "trace_exec", "--host", "-o", "json", "--max-entries", "1", check=0)
    assert nodes(ig.records(done.out)) <= {"n1", "n2"}, done.out


def test_list_containers(cluster, pod):
    api, plugin = cluster
    rows = ig.records(plugin.once("list-containers", "-o", "json", check=0).out)
    ours = [r for r in rows if ig.get(r, "k8s.podName") == pod.name]
    assert nodes(ours) == {"n1", "n2"} and {ig.container_of(r) for r in ours} == {"main"}
    assert not ig.resolved(ig.records(plugin.once("list-containers", "-o", "json", "-n", "other", check=0).out))
    api.nodes["gadget-n1"].how = "forbidden"
    head, *rows = plugin.once("list-containers", check=0).out.splitlines()
    assert head.split()[:3] == ["K8S.NODE", "K8S.NAMESPACE", "K8S.PODNAME"] and pod.name in "".join(rows)
    assert all(row.startswith("n2 ") for row in rows)


def test_containers_of_a_node_that_hangs(cluster, pod):
    api, plugin = cluster
    api.nodes["gadget-n2"].how = "stalls"
    done = plugin.once("list-containers", "-o", "json", check=0)
    assert "n1" in nodes(r for r in ig.records(done.out) if ig.get(r, "k8s.podName") == pod.name), done.err
    assert 'level=warn msg="node n2: no answer in time; going on without it"' in done.err


def test_a_list_with_a_column_that_is_none(cluster):
    """A slip of the user's, which is no node's."""
    _, plugin = cluster
    done = plugin.once("list-containers", "--fields", "nonsense")
    assert done.returncode == 2 and "nonsense" in done.err and "node n" not in done.err, done.err


@pytest.mark.parametrize("words", (("list-containers",), ("list-containers", "-w"), ("ps",)))
def test_a_list_that_no_node_tells(cluster, tmp_path, words):
    """As one that one node does not tell is of the rest, and it is a failure."""
    api, plugin = cluster
    with other_agent(f"unix:{tmp_path}/other"):
        api.nodes["gadget-n2"].address = f"unix://{tmp_path}/other"
        if len(words) == 1:
            done = plugin.once(*words, check=0)
            assert "node n2: " in done.err and "going on without it" in done.err, done.err
        api.nodes["gadget-n1"].address = f"unix://{tmp_path}/other"
        done = plugin.once(*words)
    assert done.returncode not in (0, 2) and not done.out, done.err
    assert done.err.count("going on without it") == 2 and 'level=error msg="node n' in done.err, done.err


def test_watch_containers(cluster, pod):
    _, plugin = cluster
    with plugin.start("list-containers", "-w", "-o", "json") as running:
        running.wait_record(lambda r: ig.get(r, "k8s.node") == "n1" and ig.get(r, "k8s.podName") == pod.name)
        running.wait_record(lambda r: ig.get(r, "k8s.node") == "n2" and ig.get(r, "k8s.podName") == pod.name)
        assert running.stop() == 0 and not running.err


def test_instances(cluster, two_agents, pod):
    """They are made on all nodes, listed, read as one, and ended; one that a single node has as well."""
    _, plugin = cluster
    done = plugin.once("run", "trace_exec", "--detach", "--name", "audit", check=0)
    two_agents[1].once("run", "trace_open", "--detach", "--name", "single", "-c", "main", check=0)
    try:
        made = dict(line.split() for line in done.out.splitlines())
        rows = ig.records(plugin.once("ps", "-o", "json", check=0).out)
        assert {(r["node"], r["name"], r["id"]) for r in rows if r["name"] == "audit"} == \
            {(node, "audit", made[node]) for node in ("n1", "n2")}
        assert [r["node"] for r in rows if r["name"] == "single"] == ["n2"]
        for name, expected in (("audit", {"n1", "n2"}), ("single", {"n2"})):
            with plugin.start("attach", name, "-o", "json") as running:
                for node in expected:
                    running.wait_record(lambda r, node=node: ig.get(r, "k8s.node") == node)
                time.sleep(0.3)
                assert running.stop() == 0 and nodes(running.records()) == expected and "level=" not in running.err, running.err
    finally:
        assert plugin.once("stop", "audit", "single").returncode == 0
    assert not ig.records(plugin.once("ps", "-o", "json", check=0).out)
    done = plugin.once("stop", "audit")
    assert done.returncode == 2 and "no node has an instance 'audit'" in done.err
    assert plugin.once("attach", "audit").returncode == 2


def test_an_instance_is_stopped_while_it_is_read(cluster, pod):
    """No node is lost by that, and none is said to be."""
    _, plugin = cluster
    plugin.once("run", "trace_exec", "--detach", "--name", "brief", check=0)
    try:
        with plugin.start("attach", "brief", "-o", "json") as running:
            for node in ("n1", "n2"):
                running.wait_record(lambda r, node=node: ig.get(r, "k8s.node") == node)
            plugin.once("stop", "brief", check=0)
            assert running.wait() == 0 and "level=" not in running.err, running.err
    finally:
        plugin.once("stop", "brief")


# ---- nodes that are not well --------------------------------------------------------

def test_a_node_is_lost(cluster, pod):
    """It is said, once, and the rest goes on."""
    api, plugin = cluster
    with plugin.start("run", "trace_exec,trace_open", "-o", "json") as running:
        running.wait_record(lambda r: ig.get(r, "k8s.node") == "n2")
        api.nodes["gadget-n2"].how = "forbidden"
        api.nodes["gadget-n2"].drop()
        containers.wait_for(lambda: "node n2 is lost" in running.err, 10, "the node's loss")
        n = len(running.records())
        containers.wait_for(lambda: len(running.records()) > n + 10, 10, "records of the other")
        assert running.stop() == 0
        last = running.records()[-4:]
    assert running.err.count("node n2 is lost") == 1 and nodes(last) == {"n1"}


def test_nodes_come_back(cluster, pod):
    """All were lost; the records of each go on, under the names that are theirs, and all are in the totals."""
    api, plugin = cluster
    with plugin.start("run", "trace_exec", "-o", "json") as running:
        for node in api.nodes.values():
            running.wait_record(lambda r, node=node: ig.get(r, "k8s.node") == node.name)
            node.drop()
            containers.wait_for(lambda node=node: f"node {node.name} is lost" in running.err, 10, "the node's loss")
        containers.wait_for(lambda: running.err.count("is back") == 2, 10, "the nodes' return")
        n = len(running.records())
        containers.wait_for(lambda: nodes(running.records()[n:]) == {"n1", "n2"}, 10, "records of both")
        assert running.stop() == 0, running.err
        records, totals = running.records(), running.totals("trace_exec")
    assert {ig.get(r, "k8s.podName") for r in ig.resolved(records)} == {pod.name}
    assert totals.delivered == len(records)


def test_all_nodes_stay_lost(cluster, pod):
    api, plugin = cluster
    with plugin.start("run", "trace_exec", "-o", "json") as running:
        running.wait_record(lambda r: True)
        for node in api.nodes.values():
            node.how = "forbidden"
            node.drop()
        containers.wait_for(lambda: running.err.count("is lost") == 2, 10, "the nodes' loss")
        assert running.stop() == 1 and "level=error msg=\"node n" in running.err, running.err


@contextlib.contextmanager
def cannot_load(*agents):
    """They have no descriptors for a gadget's maps and programs, and enough for calls."""
    before = [resource.prlimit(agent.pid, resource.RLIMIT_NOFILE) for agent in agents]
    try:
        for agent in agents:
            most = max(int(fd) for fd in os.listdir(f"/proc/{agent.pid}/fd")) + 6
            resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, (most, before[0][1]))
        yield
    finally:
        for agent, limit in zip(agents, before, strict=True):
            resource.prlimit(agent.pid, resource.RLIMIT_NOFILE, limit)


def test_a_gadget_that_no_node_can_load(cluster, two_agents, pod):
    """It runs nowhere and will not: nothing is waited for. Where one node can, the rest goes on."""
    _, plugin = cluster
    with cannot_load(*two_agents):
        done = plugin.once("run", "trace_exec")
    assert done.returncode not in (0, 2) and done.err.count("going on without it") == 2, done.err
    assert re.search(r'level=error msg="node n\d: .*"\n$', done.err), done.err
    with cannot_load(two_agents[1]), plugin.start("run", "trace_exec", "-o", "json") as running:
        running.wait_record(lambda r: True)
        containers.wait_for(lambda: "node n2: trace_exec: " in running.err, 10, "the node's failure")
        n = len(running.records())
        containers.wait_for(lambda: len(running.records()) > n, 10, "records of the other")
        assert running.stop() == 0 and nodes(running.records()) == {"n1"}


def test_a_node_joins(two_agents, pod, tmp_path):
    """One that is not asked for does not, and one whose agent is not ready does when it is."""
    with KubeApi(str(tmp_path), [Node("n1", two_agents[0].address)]) as api:
        api.write_config(NAMESPACE)
        plugin = Plugin(str(tmp_path), api)
        with plugin.start("run", "trace_exec", "-o", "json", "--node", "n*") as running:
            running.wait_record(lambda r: True)
            late = Node("n2", two_agents[1].address, ready=False)
            api.change(Node("m1", two_agents[1].address), "ADDED")
            api.change(late, "ADDED")
            time.sleep(1)
            assert not running.err
            late.ready = True
            api.change(late)
            running.wait_record(lambda r: ig.get(r, "k8s.node") == "n2")
            assert running.stop() == 0
    assert running.err.count("has joined") == 1 and nodes(running.records()) == {"n1", "n2"}
    assert re.search(r"(?s) n1/main: seen \d+.* n2/main: seen", running.err), running.err


def test_nodes_are_not_seen_for_a_while(two_agents, pod, tmp_path):
    """That they are again is said though nothing happens; and one that came meanwhile joins."""
    back = "nodes that join are seen again"
    with KubeApi(str(tmp_path), [Node("n1", two_agents[0].address)]) as api:
        api.write_config(NAMESPACE)
        with Plugin(str(tmp_path), api).start("run", "trace_exec", "-o", "json") as running:
            for meanwhile in (None, Node("n2", two_agents[1].address)):
                containers.wait_for(lambda: api.agents.watches, 10, "the watch")
                api.refuse = 403
                api.agents.watches.pop().shutdown(socket.SHUT_RDWR)
                n = running.err.count(back)
                containers.wait_for(lambda n=n: running.err.count("nodes that join are not seen") == n + 1, 10, "the end of the watch")
                if meanwhile:
                    api.change(meanwhile, "ADDED")
                api.refuse = None
                containers.wait_for(lambda n=n: running.err.count(back) == n + 1, 20, "the next watch")
            running.wait_record(lambda r: ig.get(r, "k8s.node") == "n2")
            assert running.stop() == 0, running.err


def test_an_agent_is_replaced(cluster, two_agents, pod):
    """As by a rolling restart: the daemon ends, and another one takes its place some seconds later."""
    api, plugin = cluster
    with plugin.start("run", "trace_exec", "-o", "json") as running:
        running.wait_record(lambda r: ig.get(r, "k8s.node") == "n2")
        node = api.nodes["gadget-n2"]
        node.ready = False
        api.change(node)
        assert two_agents[1].stop() == 0
        containers.wait_for(lambda: "node n2 is lost" in running.err, 10, "the node's loss")
        two_agents[1].start()
        time.sleep(1.5)
        n, said = len(running.records()), running.err
        assert "is back" not in said and nodes(running.records()[-4:]) == {"n1"}
        node.ready = True
        api.change(node)
        containers.wait_for(lambda: "n2" in nodes(running.records()[n:]), 10, "records of the new one")
        assert running.stop() == 0 and running.err.count("node n2 is lost") == running.err.count("node n2 is back") == 1


def test_ctrl_c_does_not_wait_for_a_node_that_hangs(cluster, two_agents, pod):
    _, plugin = cluster
    with plugin.start("run", "trace_exec", "-o", "json") as running:
        running.wait_record(lambda r: ig.get(r, "k8s.node") == "n2")
        os.kill(two_agents[1].pid, signal.SIGSTOP)
        try:
            begin = time.monotonic()
            assert running.stop() == 0
            assert time.monotonic() - begin < 1.2 * containers.SLOWER
        finally:
            os.kill(two_agents[1].pid, signal.SIGCONT)
    assert "node n2 does not answer" in running.err


def test_a_snapshot_does_without_a_node_that_hangs(cluster, pod):
    api, plugin = cluster
    api.nodes["gadget-n2"].how = "stalls"
    done = plugin.once("run", "snapshot_process", "-o", "json", check=0)
    records = ig.records(done.out)
    assert nodes(records) == {"n1"} and pod.name in {ig.get(r, "k8s.podName") for r in records}, done.err
    assert "node n2 does not answer" in done.err


def test_a_node_that_hangs_is_named(cluster, two_agents, pod):
    _, plugin = cluster
    with plugin.start("run", "trace_exec", "-o", "json") as running:
        running.wait_record(lambda r: ig.get(r, "k8s.node") == "n2")
        os.kill(two_agents[1].pid, signal.SIGSTOP)
        try:
            containers.wait_for(lambda: "node n2 does not answer" in running.err, 30, "the node's silence")
        finally:
            os.kill(two_agents[1].pid, signal.SIGCONT)
        containers.wait_for(lambda: "node n2 answers again" in running.err, 10, "the node's return")
        assert running.stop() == 0 and "n1" not in running.err.split("trace_exec:")[0], running.err


@pytest.mark.parametrize("how, words", (
    ("silent", "does not answer"), ("garbage", "WebSocket"), ("missing", "executable file not found"),
    ("forbidden", "cannot create resource"), ("old", "older than this kubectl-gadget"),
    ("gone", r'pods \\"gadget-n1\\" not found'), ("cut off", "error dialing backend: dial tcp .*: i/o timeout")))
def test_the_rest_goes_on(cluster, how, words):
    api, plugin = cluster
    api.nodes["gadget-n1"].how = how
    done = plugin.once("version", check=0)
    assert "node n2 v" in done.out and "node n1" not in done.out
    assert re.search(rf'level=warn msg="node n1: .*{words}.*; going on without it"', done.err), done.err


def test_a_daemon_that_is_gone(two_agents, tmp_path):
    with KubeApi(str(tmp_path), [Node("n1", f"unix://{tmp_path}/none")]) as api:
        done = Plugin(str(tmp_path), api).once("version")
    assert done.returncode == 1 and "node n1: no daemon at unix://" in done.err, done.err


# ---- errors as kubectl's users know them ---------------------------------------------

def refused(api, tmp_path, code, words):
    done = Plugin(str(tmp_path), api).once("run", "trace_exec")
    assert done.returncode == code and words in done.err and len(done.err.splitlines()) == 1, done.err


@pytest.mark.parametrize("node, code, words", (
    (Node("n1", how="forbidden"), 3, "not allowed"),
    (Node("n1", ready=False), 8, "node n1: the agent is not ready (Running)"),
    (Node("n1", ready=False, waiting="CrashLoopBackOff"), 8, "not ready (CrashLoopBackOff)"),
    (Node("n1", ready=False, waiting="ImagePullBackOff"), 9, "the image ig:test is missing (ImagePullBackOff)"),
    (Node("n1", cut_off=True), 8, "node n1: the node is not ready"),
    (Node("n1", how="cut off"), 8, "node n1: pod gadget/gadget-n1: HTTP status 500: error dialing backend: dial tcp"),
    (Node("n1", how="gone"), 8, 'node n1: pod gadget/gadget-n1: pods \\"gadget-n1\\" not found'),
    (Node("n1", how="old"), 10, "older than this kubectl-gadget")))
def test_a_node_that_cannot_be_reached(tmp_path, node, code, words):
    containers.require("kubectl")
    with KubeApi(str(tmp_path), [node]) as api:
        refused(api, tmp_path, code, words)


def test_a_cluster_that_cannot_be_reached(tmp_path):
    containers.require("kubectl")
    with KubeApi(str(tmp_path), []) as api:
        refused(api, tmp_path, 7, "not deployed: namespace gadget")
        api.refuse = 403
        refused(api, tmp_path, 3, "the agents' pods: not allowed: not for you")
        api.refuse = 401
        refused(api, tmp_path, 3, "does not accept your credentials")
    refused(api, tmp_path, 6, "no cluster: the API server cannot be reached")
    plugin = Plugin(str(tmp_path), api)
    for command in ("deploy", "undeploy"):  # kubectl says it, and so do we
        done = plugin.once(command)
        assert done.returncode == 6 and "no cluster: the API server cannot be reached" in done.err, done.err
    done = plugin.once("list", "--context", "nope")
    assert done.returncode == 2 and 'kubectl: context \\"nope\\" does not exist' in done.err
    plugin.env["KUBECTL"] = "/no/such"
    done = plugin.once("list")
    assert done.returncode == 2 and "no program kubectl" in done.err


# ---- what it leaves, and what it takes ------------------------------------------------

def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return [int(p) for p in f.read().split()]


@pytest.mark.parametrize("sig", (signal.SIGINT, signal.SIGKILL))
def test_one_helper_which_ends_with_it(two_agents, pod, tmp_path, sig):
    """Of however many nodes; and its socket is nobody else's."""
    many = [Node(f"n{i:02}", two_agents[0].address) for i in range(20)]
    (tmp_path / "t").mkdir()
    with KubeApi(str(tmp_path), many) as api:
        api.write_config(NAMESPACE)
        plugin = Plugin(str(tmp_path), api)
        plugin.env["TMPDIR"] = str(tmp_path / "t")
        with plugin.start("run", "trace_exec", "-o", "json") as running:
            containers.wait_for(lambda: len(nodes(running.records())) == 20, 20, "records of all")
            helpers = children(running.pid)
            assert len(helpers) == 1 and not os.listdir(tmp_path / "t")
            running.process.send_signal(sig)
            running.wait()
            containers.wait_for(lambda: not os.path.exists(f"/proc/{helpers[0]}"), 5, "the helper's end")
        for node in many:
            for program in node.programs:
                assert program.wait(10 * containers.SLOWER) == 0, "dial-stdio stays behind"
