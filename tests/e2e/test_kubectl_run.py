# SPDX-License-Identifier: Apache-2.0
"""kubectl gadget run over several nodes does what ig run does on one: what is added up is added up over all of them."""

import contextlib
import gzip
import json
import os
import re
import subprocess

import containers
import ig
import pytest
import wires
from agent import Agent
from nodes import Nodes
from test_folded import DEEP
from test_folded import lines as folded
from test_histogram import TALK, drawn


def beside_one_node(nodes, gadget, *args, do):
    """What a run on both nodes has written at its end, and one on n1 alone beside it."""
    args = ("run", gadget, *nodes.ours, *args)
    with nodes.start(*args) as both, nodes.start(*args, "--node", "n1", nodes=("n1",)) as one:
        do()
        assert both.stop() == 0, both.err
        assert one.stop() == 0, one.err
        return both.out, one.out


def test_histograms_are_added(nodes, lab):
    """Those of one container's name, over pods and nodes; by pod and by node, where these are asked for."""
    def talk():
        for pod in ("web-1", "web-2"):
            nodes.start_in(lab, pod).exec("sh", "-c", TALK)
    both, one = beside_one_node(nodes, "profile_tcprtt", "-o", "histogram", do=talk)
    title = f"namespace={nodes.namespace} containerName=main: latency (us)"
    assert list(drawn(both)) == list(drawn(one)) == [title]
    assert drawn(both)[title] == {slot: 2 * n for slot, n in drawn(one)[title].items()}


def test_histograms_by_what_is_chosen(nodes, lab):
    """Of each node, of each pod, and of all in one."""
    def work():
        for pod in ("web-1", "web-2"):
            nodes.start_in(lab, pod).exec("sh", "-c", "for i in 1 2 3 4 5 6 7 8; do busybox sleep 0.01; done")
    fields = ("+k8s.node,+k8s.podName", "latency")
    apart, whole = (drawn(beside_one_node(nodes, "profile_runqlat", "-o", "histogram", "--fields", f, do=work)[0]) for f in fields)
    assert len(apart) == 4 and all("containerName=main" in title for title in apart), apart
    assert {tuple(re.search(rf"{key}=(\S+)", title).group(1) for key in ("node", "podName")) for title in apart} == {
        (n, pod) for n in ("n1", "n2") for pod in ("web-1", "web-2")}
    assert list(whole) == ["latency (us)"]


def test_stacks_are_added(nodes, lab):
    both, one = beside_one_node(nodes, "trace_open", "--ustack", "-o", "folded", "--filter", "proc.comm==open_deep",
                                do=lambda: nodes.start_in(lab, "web-1").exec("sh", "-c", DEEP))
    assert sum(folded(one).values()) == 4 and folded(both) == {stack: 2 * n for stack, n in folded(one).items()}


def test_pprof_has_the_nodes(nodes, lab):
    both, one = beside_one_node(nodes, "trace_open", "--ustack", "-o", "pprof", "--filter", "proc.comm==open_deep",
                                do=lambda: nodes.start_in(lab, "web-1").exec("sh", "-c", DEEP))
    both, one = (gzip.decompress(out.encode(errors="surrogateescape")) for out in (both, one))
    n1, n2 = b"2\x02n1", b"2\x02n2"  # entries of the file's table of strings
    assert all(word in both and word in one for word in (b"2\x04node", n1, b"calls_what_opens", nodes.namespace.encode()))
    assert n2 in both and n2 not in one


def test_a_flame_graph_is_one(nodes, lab):
    both, _ = beside_one_node(nodes, "trace_open", "--ustack", "-o", "flamegraph", "--filter", "proc.comm==open_deep",
                              do=lambda: nodes.start_in(lab, "web-1").exec("sh", "-c", DEEP))
    assert both.count("<svg") == 1 and f"{nodes.namespace}/web-1/main" in both


# ---- record files -------------------------------------------------------------------

@pytest.fixture
def skewed(two_agents, tmp_path):
    """n2's clock for dates is another one: its boot clock is some days ahead."""
    with Agent(enter=("unshare", "--time", "--boottime", "300000")) as ahead, \
            Nodes(tmp_path, (two_agents[0], ahead)) as nodes:
        yield nodes


@pytest.mark.parametrize("gadgets, flags", ((("trace_exec", "trace_open"), ()), (("top_file",), ("--interval", "300ms")),
                                            (("trace_exec",), ("--host",))))
def test_replay_is_what_was_shown(skewed, lab, gadgets, flags):
    nodes, agent = skewed, skewed.daemons["n1"]
    path = os.path.join(agent.records, f"{lab.name('many')}.rec")
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
    assert agent.once("replay", os.path.basename(path), "-o", "json", check=0).out == live


# ---- captures -----------------------------------------------------------------------

FRAME = ("frame.interface_name", "frame.interface_description", "frame.comment", "icmp.type")


@pytest.fixture
def ping(nodes, lab):
    """Pings once from a pod."""
    containers.require("tshark")
    one = nodes.start_in(lab, "web-1", edit=wires.may("NET_RAW"))
    wires.join(one, lab.start("sleep 1000", annotations=nodes.pod("web-2")))
    return lambda: one.exec("ping", "-c", "1", wires.address(2))


def test_a_capture_of_all_nodes(nodes, ping, tmp_path):
    """Namespaces and devices are numbered by each node: their interfaces stay apart."""
    path = str(tmp_path / "many.pcapng")
    with open(path, "wb") as out, nodes.start("run", "tcpdump", "-o", "pcap-ng", "-p", "web-1", "--pf", "icmp",
                                              stdout=out) as running:
        ping()
        assert running.stop() == 0, running.err
    frames = [line.split("\t") for line in containers.run(
        "tshark", "-n", "-r", path, "-T", "fields", *(word for field in FRAME for word in ("-e", field))).text.splitlines()
        if "\t" in line]
    where = f"{nodes.namespace}/web-1/main"
    assert sorted((f[1], f[3]) for f in frames) == [(f"node {n}, container {where}", kind) for n in ("n1", "n2") for kind in "08"]
    for n in ("n1", "n2"):
        comments = {f[3]: f[2] for f in frames if f[1].startswith(f"node {n}")}
        assert comments["0"] == f"node: {n}; container: {where}"
        assert comments["8"].startswith(f"node: {n}; container: {where}; process: ping[")


def test_a_capture_in_a_pipe(nodes, ping):
    """tshark shows packets of both nodes as they come."""
    reader = subprocess.Popen(["tshark", "-n", "-l", "-i", "-", "-c", "4", "-Y", "icmp"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    with nodes.start("run", "tcpdump", "-o", "pcap-ng", "-p", "web-1", "--pf", "icmp", stdout=reader.stdin) as running:
        reader.stdin.close()
        ping()
        assert reader.stdout.read().count("Echo (ping) re") == 4
        assert reader.wait(20 * containers.SLOWER) == 0
        assert running.stop() == 0, running.err


# ---- advice -------------------------------------------------------------------------

def document(gadget, nodes, do, *args):
    """What both nodes advise together; it is what one of them alone does, who has seen the same."""
    both, one = beside_one_node(nodes, gadget, *args, do=do)
    assert both == one and one
    return both


def test_profiles_of_system_calls_are_one(nodes, lab, tmp_path):
    def work():
        nodes.start_in(lab, "web-1").exec("mkdir", "/tmp/a")
        nodes.start_in(lab, "web-2").exec("ln", "-s", "a", "/tmp/b")
    apart = json.loads(document("advise_seccomp", nodes, work))
    assert set(apart) == {f"{nodes.namespace}/web-{i}/main" for i in (1, 2)}
    [rule, _] = json.loads(document("advise_seccomp", nodes, work, "--merge", "image"))["syscalls"]
    assert {"mkdir", "symlink"} <= set(rule["names"]) and len(set(rule["names"])) == len(rule["names"])
    spo = document("advise_seccomp", nodes, work, "-o", "spo", "--merge", "image")
    assert spo.count("kind: SeccompProfile") == 1 and "name: shop-1\n" in spo
    file = tmp_path / "profile.json"
    file.write_text(json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
        {"names": ["mkdir", "swapon"], "action": "SCMP_ACT_ALLOW"}]}))
    used, allowed = [line for line in document("advise_seccomp", nodes, work, "--merge", "image", "--diff", str(file)).splitlines()
                     if ": " in line]
    assert " symlink" in used and " mkdir" not in used and allowed.endswith("not used (1): swapon"), (used, allowed)


def test_capabilities_are_one(nodes, lab):
    def give(*names):
        sets = {s: [f"CAP_{n}" for n in names] for s in ("bounding", "effective", "permitted")}
        return lambda config: config["process"].update(capabilities=sets)

    def work():
        nodes.start_in(lab, "web-1", edit=give("CHOWN", "KILL")).exec("chown", "5:5", "/tmp")
        nodes.start_in(lab, "web-2", edit=give("SYS_ADMIN")).exec("hostname", "x")
    sets = json.loads(document("advise_capabilities", nodes, work, "-o", "oci", "--merge", "image"))
    assert sets["bounding"] == ["CAP_CHOWN", "CAP_SYS_ADMIN"]


def test_places_that_are_written_to_are_one(nodes, lab):
    def work():
        nodes.start_in(lab, "web-1").exec("mkdir", "/made", check=False)
        nodes.start_in(lab, "web-2").exec("sh", "-c", "echo x >/etc/passwd", check=False)
    text = document("advise_readonly", nodes, work, "--merge", "image")
    assert text.startswith("shop:1: writes to 2 folders of its root\n") and text.count("shop:1") == 1


@pytest.fixture
def deployment(nodes, containerd):
    """Makes a pod of a deployment `web`, whose names come from containerd."""
    with contextlib.ExitStack() as pods:
        yield lambda n, app="web": pods.enter_context(containerd.run_pod(f"{app}-7f-{n}", nodes.namespace, {"app": app, "pod-template-hash": "7f"}))


def test_network_policies_are_one(nodes, deployment, tmp_path):
    """Of two pods of a deployment, which do the same: to another one, in which there is a server."""
    server = deployment("a", "db")
    server.run("main", "while :; do nc -l -p 7000 >/dev/null; done")
    clients = [deployment(n).run("main", "sleep 1000") for n in "ab"]

    def talk():
        for client in clients:
            containers.wait_for(lambda client=client: client.exec("sh", "-c", f"echo x | nc -w 5 {server.ip} 7000")[0] == 0, what="talk")
    policies = document("advise_networkpolicy", nodes, talk)
    assert sorted(re.findall(r"^  name: (\S+)$", policies, re.M)) == ["db", "web"], policies
    assert policies.count("port: 7000") == 2, policies
    # As it was before `run`.
    file = str(tmp_path / "edges")
    with nodes.start("advise", "network-policy", "monitor", "--output", file) as running:
        talk()
        assert running.stop() == 0, running.err
    report = nodes.once("advise", "network-policy", "report", "--input", file, check=0).out
    assert report == running.out == policies


def test_profiles_of_a_deployment_are_one(nodes, deployment):
    def work():
        for n, command in (("a", ("mkdir", "/tmp/a")), ("b", ("ln", "-s", "a", "/tmp/b"))):
            c = deployment(n).run("main", "sleep 1000")
            nodes.wait_known(c.id, f"web-7f-{n}")
            assert c.exec(*command)[0] == 0
    both, one = beside_one_node(nodes, "advise_seccomp", "--merge", "owner", "-o", "spo", "-A", "-l", "app=web", do=work)
    assert both == one and both.count("kind: SeccompProfile") == 1, both
    assert "- mkdir\n" in both and "- symlink\n" in both and re.search(r"^  name: \S*web-main$", both, re.M), both


def test_two_nodes_that_saw_different_things(two_agents, lab, tmp_path):
    """One node is lost before the other joins: what each has told is in one profile."""
    record = str(tmp_path / "r.rec")
    with Nodes(tmp_path, two_agents) as nodes:
        one, two = (nodes.nodes[f"gadget-{n}"] for n in ("n1", "n2"))
        two.ready = False
        with nodes.start("run", "advise_seccomp", "--merge", "image", "--record", record, *nodes.ours,
                         nodes=("n1",)) as running:
            nodes.start_in(lab, "web-1").exec("mkdir", "/tmp/a")
            containers.wait_for(lambda: '"mkdir"' in ig.once("replay", record, "-o", "json").out, what="the call of n1")
            one.how = "forbidden"
            one.drop()
            containers.wait_for(lambda: "node n1 is lost" in running.err, what="the node's loss")
            before = nodes.attached()["n2"]
            two.ready = True
            nodes.change(two)
            containers.wait_for(lambda: nodes.attached()["n2"] - before, what="the gadget at n2")
            nodes.start_in(lab, "web-2").exec("ln", "-s", "a", "/tmp/b")
            assert running.stop() == 0, running.err
        names = set(json.loads(running.out)["syscalls"][0]["names"])
    assert {"mkdir", "symlink"} <= names
    alone = ig.once("replay", record, "--merge", "image", "-p", "web-2", check=0).out
    assert "symlink" in alone and "mkdir" not in alone


def test_a_profile_in_force_lies_on_its_node(nodes):
    done = nodes.once("run", "advise_seccomp", "--diff", "in-force", "--timeout", "1s")
    assert done.returncode == 2 and "on its node" in done.err and not done.out, done.err
