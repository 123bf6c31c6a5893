# SPDX-License-Identifier: Apache-2.0
"""kubectl gadget at two nodes: what its flags choose, what stays at the nodes, and which of them answer, lose, or are gone."""

import contextlib
import json
import os
import re
import signal

import containers
import ig
import pytest


@pytest.fixture(scope="module")
def pods(containerd, whole_lab):
    """shop has web-1 with containers main and side, and db-1; bank has db-1."""
    names = {"shop": f"shop-{os.getpid()}", "bank": f"bank-{os.getpid()}"}
    with contextlib.ExitStack() as stack:
        for namespace, name, app in (("shop", "web-1", "web"), ("shop", "db-1", "db"), ("bank", "db-1", "db")):
            pod = stack.enter_context(containerd.run_pod(name, names[namespace], {"app": app, "test": str(os.getpid())}))
            for container in ("main", "side") if app == "web" else ("main",):
                pod.run(container, f"{containers.keep_saying(name)} & while :; do cat /etc/hosts; sleep 0.1; done")
        yield names


@pytest.fixture
def shop(nodes, pods):
    """The nodes, where kubectl's namespace is the shop's."""
    nodes.write_config(pods["shop"])
    return nodes


WEB, SIDE, DB, BANK = "shop/web-1/main", "shop/web-1/side", "shop/db-1/main", "bank/db-1/main"


@pytest.mark.parametrize("args, found, nodes_found", (
    ((), {WEB, SIDE, DB}, "n1 n2"),
    (("-n", "bank-*"), {BANK}, "n1 n2"),
    (("-n", "bank-*,shop-*", "-p", "db-*"), {DB, BANK}, "n1 n2"),
    (("-A", "-l", "test={pid}"), {WEB, SIDE, DB, BANK}, "n1 n2"),
    (("-A", "-l", "test={pid},app=db"), {DB, BANK}, "n1 n2"),
    (("-p", "web-1"), {WEB, SIDE}, "n1 n2"),
    (("-c", "side"), {SIDE}, "n1 n2"),
    (("-c", "!side"), {WEB, DB}, "n1 n2"),
    (("--node", "n2", "-l", "app=web"), {WEB, SIDE}, "n2"),
    (("--node", "n[13]"), {WEB, SIDE, DB}, "n1"),
    (("--filter", "k8s.node==n2", "--filter", "k8s.containerName!=side"), {WEB, DB}, "n2"),
    (("-p", "none"), set(), "")))
def test_which(shop, pods, args, found, nodes_found):
    args = [word.format(pid=os.getpid()) for word in args]
    rows = ig.resolved(ig.records(shop.once("run", "snapshot_process", "-o", "json", *args, check=0).out))
    assert {(ig.get(r, "k8s.node"), *ig.place(r)) for r in rows} == {
        (node, pods[place.split("/")[0]], *place.split("/")[1:]) for node in nodes_found.split() for place in found}


# ---- how it is shown ----------------------------------------------------------------

def test_rows_of_all_nodes_are_sorted_and_cut_as_one(shop):
    args = ("run", "snapshot_process", "-o", "json", "-F", "proc.comm==sh", "--sort", "proc.pid,-k8s.node")
    whole = ig.records(shop.once(*args, check=0).out)
    order = [(r["proc"]["pid"], ig.get(r, "k8s.node")) for r in whole]
    assert len(order) >= 6 and order == sorted(sorted(order, key=lambda o: o[1], reverse=True), key=lambda o: o[0])
    done = shop.once(*args, "--max-entries", "3", "--totals", check=0)
    assert [(r["proc"]["pid"], ig.get(r, "k8s.node")) for r in ig.records(done.out)] == order[:3]
    totals = ig.totals(done.err, "snapshot_process")
    assert totals.delivered == 3 and totals.seen == totals.delivered + totals.discarded > 6 and not totals.lost


def test_what_was_cut_off_is_its_node_s(shop):
    done = shop.once("run", "snapshot_process", "--host", "-o", "json", "--sort", "-k8s.node", "--max-entries", "2", "--totals", check=0)
    assert {ig.get(r, "k8s.node") for r in ig.records(done.out)} == {"n2"}
    told = re.findall(r"^  (n\d)/.*: seen (\d+) = delivered (\d+) ", done.err, re.M)
    sums = {node: [sum(int(t[i]) for t in told if t[0] == node) for i in (1, 2)] for node in ("n1", "n2")}
    assert sums["n1"][0] > 2 and sums["n1"][1] == 0 and sums["n2"][1] == 2, done.err


def test_totals_of_containers_of_one_name(shop):
    """Two pods' are both `main`: what was filtered out here is told of the one that it was of."""
    with shop.start("run", "trace_exec", "-o", "json", "--node", "n1", "-c", "main", "-F", "k8s.podName==web-1", "--totals", nodes=("n1",)) as running:
        containers.wait_for(lambda: len(running.records()) > 5, 20, "records")
        assert running.stop() == 0, running.err
    shown, totals = ig.records(running.out), ig.totals(running.err, "trace_exec")
    lines = [tuple(map(int, t)) for t in
             re.findall(r"^  n1/main: seen (\d+) = delivered (\d+) \+ discarded (\d+) \+ lost (\d+)", running.err, re.M)]
    assert len(lines) == 2 and totals.discarded and totals.delivered == len(shown), running.err
    of_web, of_db = sorted(lines, key=lambda t: t[1], reverse=True)
    assert of_web[1] == totals.delivered and of_web[2] == 0 and of_db[1] == 0 and of_db[2] == totals.discarded, running.err


def test_each_table_is_cut_as_one(shop):
    with shop.start("run", "top_file", "--interval", "300ms", "--max-entries", "3", "--fields", "k8s.node,file") as running:
        containers.wait_for(lambda: running.out.count("K8S.NODE") > 4, 20, "tables")
        assert running.stop() == 0, running.err
    tables = [[row for row in table.splitlines()[1:] if row] for table in running.out.split("K8S.NODE")[1:]]
    assert max(len(table) for table in tables) == 3, tables


def test_a_stream_ends_with_its_last_entry(shop):
    done = shop.once("run", "trace_exec", "-o", "json", "--max-entries", "5", check=0)
    assert len(ig.records(done.out)) == 5


def test_it_ends_in_time(shop):
    with shop.start("run", "trace_exec", "-o", "none", "--timeout", "300ms") as running:
        assert running.wait(10) == 0 and "trace_exec: seen" in running.err, running.err


@pytest.mark.parametrize("mode, begins", (("columns", "K8S.NODE "), ("json", '{"k8s":{"node":"n'), ("jsonpretty", "{\n"), ("yaml", "---\n")))
def test_forms(shop, mode, begins):
    done = shop.once("run", "snapshot_process", "-o", mode, "-p", "db-1", check=0)
    assert done.out.startswith(begins) and "n1" in done.out and "n2" in done.out, done.out[:200]


def test_chosen_fields(shop):
    out = shop.once("run", "snapshot_process", "--fields", "k8s.node,k8s.podName", "--no-headers", "-p", "db-1", check=0).out
    assert {tuple(line.split()) for line in out.splitlines() if "db-1" in line} == {("n1", "db-1"), ("n2", "db-1")}
    out = shop.once("run", "snapshot_process", "--fields", "-k8s.node", "-p", "db-1", check=0).out
    assert out.split()[:2] == ["K8S.NAMESPACE", "K8S.PODNAME"]


# ---- what stays at the nodes --------------------------------------------------------

@pytest.fixture
def advice(shop):
    """An instance at both nodes that sees the shop's system calls."""
    made = dict(line.split() for line in shop.once(
        "run", "advise_seccomp", "--detach", "--name", "calls", "--history", "1000", check=0).out.splitlines())
    assert set(made) == {"n1", "n2"}
    yield "calls"
    for agent in shop.daemons.values():
        agent.once("stop", "calls")


def test_a_report_of_what_stays(shop, advice, tmp_path):
    """attach has the options of reports, and writes record files, at a cluster and at a daemon."""
    path = str(tmp_path / "r.rec")

    def told(node):
        calls = ig.records(ig.once("replay", path, "-o", "json", "-F", f"k8s.node=={node}").out)
        return {"write", "openat"} <= {c["syscall"] for c in calls}
    with shop.plugin.start("attach", advice, "--merge", "all", "-o", "spo", "--record", path) as running:
        containers.wait_for(lambda: all(told(node) for node in ("n1", "n2")), 20, "the calls of both nodes")
        assert running.stop() == 0, running.err
    assert running.out.count("kind: SeccompProfile") == 1 and "- openat\n" in running.out, running.out
    assert shop.once("replay", path, "--merge", "all", "-o", "spo", check=0).out == running.out
    path = str(tmp_path / "of-one.rec")
    with shop.daemons["n1"].ig("attach", advice, "--merge", "all", "-o", "spo", "--record", path) as running:
        containers.wait_for(lambda: "openat" in ig.once("replay", path, "-o", "json").out, 20, "its calls")
        assert running.stop() == 0, running.err
    assert running.out.count("kind: SeccompProfile") == 1
    assert "profile is on its node" in shop.once("attach", advice, "--diff", "in-force").err


def test_flags_of_detaching(shop):
    for args, words in ((("--name", "x"), "go with --detach"), (("-d", "-o", "json"), "for `kubectl gadget attach`"),
                        (("-d", "--record", "f"), "--detach shows no rows"), (("--append",), "--append goes with --record")):
        done = shop.once("run", "trace_exec", *args)
        assert done.returncode == 2 and words in done.err, done.err
    done = shop.once("run", "trace_exec,trace_open", "-d", "--name", "x")
    assert done.returncode == 2 and "--name is for one gadget" in done.err


def test_what_stays_where_a_node_is_gone(shop, advice):
    gone = shop.nodes["gadget-n2"]
    gone.how = "forbidden"
    listed = shop.once("list", check=0)
    assert "trace_exec" in listed.out
    rows = shop.once("ps", "-o", "json", check=0)
    assert [(r["node"], r["name"]) for r in ig.records(rows.out)] == [("n1", advice)]
    with shop.plugin.start("attach", advice, "-o", "json") as attached:
        attached.wait_record(lambda r: ig.get(r, "k8s.node") == "n1")
        assert attached.stop() == 0 and {ig.get(r, "k8s.node") for r in attached.records()} == {"n1"}
    stopped = shop.once("stop", advice, check=0)
    for err in (listed.err, rows.err, attached.err, stopped.err):
        assert re.search(r'level=warn msg="node n2: .*cannot create resource.*; going on without it"', err), err
    gone.how = "ok"
    rows = shop.once("ps", "-o", "json", check=0)
    assert [(r["node"], r["name"]) for r in ig.records(rows.out)] == [("n2", advice)] and not rows.err


def test_a_node_that_goes_while_it_is_read(shop, advice):
    with shop.plugin.start("attach", advice, "-o", "json") as running:
        for node in ("n1", "n2"):
            running.wait_record(lambda r, node=node: ig.get(r, "k8s.node") == node)
        shop.nodes["gadget-n2"].drop()
        containers.wait_for(lambda: "node n2 is lost" in running.err, what="the node's loss")
        assert running.stop() == 0 and "node n1" not in running.err, running.err


# ---- losses ---------------------------------------------------------------------------

def totals_of(err, node):
    [numbers] = re.findall(rf"^  {node}/\S+: seen (\d+) = delivered (\d+) \+ discarded (\d+) \+ lost (\d+)$", err, re.M)
    return ig.Totals(*map(int, numbers))


def test_each_node_s_losses(nodes, lab, tmp_path):
    """n2 does not read for a while: what its ring had no room for is lost there, and told of there."""
    path, stopped = str(tmp_path / "r.rec"), nodes.daemons["n2"]
    c = lab.start("sleep 1000", annotations=nodes.pod("web-1"))
    with nodes.start("run", "trace_open", "-o", "json", "--comm", "load_open", "--buffer-size", "256KiB", "--record", path) as running:
        c.exec("load_open", "1", "1")
        for node in ("n1", "n2"):  # they know the container
            running.wait_record(lambda r, node=node: ig.get(r, "k8s.node") == node)
        os.kill(stopped.pid, signal.SIGSTOP)
        try:
            c.exec("sh", "-c", "for i in $(seq 100); do load_open 1 100; done")
        finally:
            os.kill(stopped.pid, signal.SIGCONT)
        containers.wait_for(lambda: [n for n in running.notes() if n.get("node") == "n2"], 20,
                            "the loss of n2")
        assert running.stop() == 0, running.err
        notes, whole = ig.notes(running.out), running.totals("trace_open")
    one, two = totals_of(running.err, "n1"), totals_of(running.err, "n2")
    assert two.lost > one.lost and one.seen == two.seen and one.seen + two.seen == whole.seen, running.err
    assert one.lost + two.lost == whole.lost and one.delivered + two.delivered == whole.delivered == len(running.records())
    for node, totals in (("n1", one), ("n2", two)):
        assert sum(n["count"] for n in notes if n["node"] == node) == totals.lost, notes
    replayed = ig.once("replay", path, "-o", "json", check=0)
    assert ig.notes(replayed.out) == notes and ig.totals(replayed.err).lost == whole.lost
    shown = ig.once("replay", path, check=0)
    for n in notes:
        assert f"lost {n['count']} records of container {n['container']} on node {n['node']}\n" in shown.err, shown.err
