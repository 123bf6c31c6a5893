# SPDX-License-Identifier: Apache-2.0
"""gadgettracermanager.GadgetTracerManager at `ig daemon`, by a client that is not ours: tracers, their pinned maps and lines,
and containers that are announced."""

import json
import os
import subprocess
import sys

import agent
import containers
import ig
import pytest
from agent_client import STUBS, Client, Run, status_of, wanted


@pytest.fixture(scope="module")
def node(whole_lab):
    with agent.Agent() as a:
        yield a


@pytest.fixture
def client(node):
    with Client(node.address) as c:
        yield c
        for t in c.state()["tracers"]:
            c.remove_tracer(t["id"])


def map_of(node, kind, ident):
    """(type of keys and values in bytes, {key: value}) of a pinned map, as bpftool sees it."""
    path = f"{node.pins}/{kind}-{ident}"
    about = json.loads(containers.run("bpftool", "-j", "map", "show", "pinned", path).text)
    items = json.loads(containers.run("bpftool", "-j", "map", "dump", "pinned", path).text)
    number = lambda b: int.from_bytes(bytes(int(x, 16) for x in b), "little")  # noqa: E731
    return about, {number(i["key"]): number(i["value"]) for i in items if "value" in i}


def mntns_of(node, ident):
    return map_of(node, "mntnsset", ident)[1]


def definition(**kwargs):
    return STUBS.gadgettracermanager.ContainerDefinition(**kwargs)


def definition_v04(**kwargs):
    return STUBS.gadgettracermanager.ContainerDefinitionV04(**kwargs)


def announce(client, d, method="AddContainer"):
    """Either form, as its bytes."""
    return client.channel.unary_unary(f"/gadgettracermanager.GadgetTracerManager/{method}")(d.SerializeToString())


def retract(client, d):
    return announce(client, d, "RemoveContainer")


# ---- tracers by their ids


def test_life_of_a_tracer(client, node):
    assert client.add_tracer("t1") == "t1"
    assert {os.path.basename(p) for p in os.listdir(node.pins)} == {"cgroupidset-t1", "mntnsset-t1"}
    assert [t["id"] for t in client.state()["tracers"]] == ["t1"]
    assert client.remove_tracer("t1") == STUBS.gadgettracermanager.RemoveTracerResponse()
    assert os.listdir(node.pins) == [] and client.state()["tracers"] == []


def test_an_id_is_made(client, node):
    first, second = client.add_tracer(), client.add_tracer()
    assert first and second and first != second
    assert set(os.listdir(node.pins)) == {f"{kind}-{i}" for kind in ("cgroupidset", "mntnsset") for i in (first, second)}


def test_ids_that_are_none(client, node):
    client.add_tracer("t1")
    assert status_of(lambda: client.add_tracer("t1")) == ("ALREADY_EXISTS", "tracer 't1' is there already")
    assert status_of(lambda: client.remove_tracer("t2")) == ("NOT_FOUND", "no tracer 't2'")
    assert status_of(lambda: client.remove_tracer("")) == ("INVALID_ARGUMENT", "no tracer is named")
    assert client.receive("t2").end() == ("NOT_FOUND", "no tracer 't2'")
    assert client.receive("").end() == ("INVALID_ARGUMENT", "no tracer is named")
    for ident in ("../t", "a/b", ".t", "a b", "a\n", "é", "x" * 65):
        code, text = status_of(lambda i=ident: client.add_tracer(i))
        assert code == "INVALID_ARGUMENT" and "letters" in text, ident
    assert len(client.add_tracer("x" * 64)) == 64
    assert len(os.listdir(node.pins)) == 4


def test_bad_selector(client, node):
    code, text = status_of(lambda: client.add_tracer("t1", labels={"": "x"}))
    assert code == "INVALID_ARGUMENT" and text
    assert os.listdir(node.pins) == []
    client.add_tracer("t1")  # nothing is left of the one that failed


def test_messages_that_are_none(client):
    import grpc
    for service, names in (("gadgettracermanager.GadgetTracerManager",
                            ("AddTracer", "RemoveTracer", "AddContainer", "RemoveContainer")),):
        for name in names:
            call = client.channel.unary_unary(f"/{service}/{name}")
            assert status_of(lambda c=call: c(b"\x0a\xff")) [0] == "INVALID_ARGUMENT", name
    call = client.channel.unary_stream("/gadgettracermanager.GadgetTracerManager/ReceiveStream")
    with pytest.raises(grpc.RpcError) as e:
        list(call(b"\xff\xff"))
    assert e.value.code().name == "INVALID_ARGUMENT"


# ---- their maps


def test_maps_follow_containers(client, node, lab):
    name = lab.name()
    client.add_tracer("all")
    client.add_tracer("one", name=name)
    client.add_tracer("none", name="no-such-container")
    about, _ = map_of(node, "cgroupidset", "one")
    assert (about["type"], about["bytes_key"], about["bytes_value"], about["flags"] & 1) == ("hash", 8, 8, 1)
    about, _ = map_of(node, "mntnsset", "one")
    assert (about["type"], about["bytes_key"], about["bytes_value"], about["flags"] & 1) == ("hash", 8, 4, 1)

    c, other = lab.start("sleep 100", name=name), lab.start("sleep 100")
    mntns, cgroup, others = c.mntns, c.cgroup_id, other.mntns
    containers.wait_for(lambda: mntns in mntns_of(node, "one"), what="container in its map")
    containers.wait_for(lambda: others not in mntns_of(node, "one"), what="the other's absence")
    assert mntns_of(node, "one") == {mntns: 1}
    assert {mntns, others} <= set(mntns_of(node, "all"))
    containers.wait_for(lambda: mntns_of(node, "none") == {}, what="empty map")
    cgroups = map_of(node, "cgroupidset", "one")[1]
    assert cgroups.get(cgroup) and other.cgroup_id not in cgroups
    state, = [t for t in client.state()["tracers"] if t["id"] == "one"]
    assert state["containers"] == [name] and [mntns, 1] in state["mntnsset"]

    c.delete()
    containers.wait_for(lambda: mntns not in mntns_of(node, "all"), what="its end")
    assert mntns_of(node, "one") == {}
    containers.wait_for(lambda: cgroup not in map_of(node, "cgroupidset", "one")[1], what="its cgroup's end")


def test_labels_of_announced_ones(client, node, lab):
    client.add_tracer("web", namespace="labelled", labels={"app": "web"})
    client.add_tracer("db", namespace="labelled", labels={"app": "db"})
    client.add_tracer("pod", podname="labelled-1")
    c = lab.start("sleep 100")
    label = STUBS.gadgettracermanager.Label(key="app", value="web")
    announce(client, definition(id=c.name, pid=c.pid, namespace="labelled", podname="labelled-1", name="nginx",
                                           labels=[label]))
    containers.wait_for(lambda: set(mntns_of(node, "web")) == set(mntns_of(node, "pod")) == {c.mntns}, what="its maps")
    containers.wait_for(lambda: not mntns_of(node, "db"), what="empty map")
    retract(client, definition(id=c.name))
    containers.wait_for(lambda: not mntns_of(node, "web") and not mntns_of(node, "pod"), what="empty maps")


# ---- containers that are announced


@pytest.fixture
def cgroup():
    """A cgroup of nobody's, for a container that is only said to be there."""
    path = f"{containers.cgroup2_root()}/ig-test-{os.getpid()}"
    os.mkdir(path)
    yield path
    os.rmdir(path)


def told(client):
    return {c["id"]: c for c in client.state()["containers"] if c["id"]}


def test_both_forms(client, lab, cgroup):
    c = lab.start("sleep 100")
    announce(client, definition(id=c.name, pid=c.pid, oci_config='{"annotations":{"a":"b"}}', namespace="ns",
                                           podname="pod", name="main"))
    made_up = definition_v04(id="made-up", cgroup_id=os.stat(cgroup).st_ino, mntns=4026531999, netns=7, namespace="ns",
                             podname="other", name="side")
    announce(client, made_up)
    seen = told(client)
    assert (seen[c.name]["namespace"], seen[c.name]["pod"], seen[c.name]["container"]) == ("ns", "pod", "main")
    assert (seen["made-up"]["pod"], seen["made-up"]["cgroupId"], seen["made-up"]["mntns"]) == \
        ("other", os.stat(cgroup).st_ino, 4026531999)
    assert status_of(lambda: announce(client, made_up)) == \
        ("ALREADY_EXISTS", "container 'made-up' is known already")
    retract(client, definition_v04(id="made-up", cgroup_id=1))
    retract(client, definition(id=c.name, pid=c.pid))
    assert not {"made-up", c.name} & set(told(client))
    retract(client, definition(id="made-up"))  # it has ended: no error


def test_containers_that_are_none(client):
    pid_max = int(open("/proc/sys/kernel/pid_max").read())
    for d, code, word in ((definition(), "INVALID_ARGUMENT", "without an id"),
                          (definition(id="x"), "INVALID_ARGUMENT", "neither pid nor cgroup"),
                          (definition(id="x", pid=pid_max + 1), "NOT_FOUND", "no process"),
                          (definition(id="x", pid=os.getpid()), "INVALID_ARGUMENT", "parent's cgroups"),
                          (definition_v04(id="x", cgroup_path="/no/such/cgroup"), "INVALID_ARGUMENT", "neither"),
                          (definition_v04(id="x", mntns=5), "INVALID_ARGUMENT", "neither"),
                          (definition(id="x" * 5000, pid=2), "INVALID_ARGUMENT", "too long"),
                          (definition(id="x", name="y" * 5000, pid=2), "INVALID_ARGUMENT", "too long")):
        got, text = status_of(lambda d=d: announce(client, d))
        assert got == code and word in text, d
    call = client.channel.unary_unary("/gadgettracermanager.GadgetTracerManager/AddContainer")
    assert status_of(lambda: call(b"\x0a\x02x\xff\x10\x02"))[1].endswith("no UTF-8")
    assert status_of(lambda: retract(client, definition(id="x"))) == ("NOT_FOUND", "no container 'x'")
    assert status_of(lambda: retract(client, definition()))[0] == "INVALID_ARGUMENT"


def test_a_config_that_is_no_config(client, lab):
    for config in ("{", "[]", "null", "x" * 100000, "[" * 100000):
        c = lab.start("sleep 100")
        announce(client, definition(id=c.name, pid=c.pid, oci_config=config))
        assert told(client)[c.name]["pid"] == c.pid


# ---- records


def test_lines_of_a_bound_run(client, node, lab):
    name, other = lab.name("wanted"), lab.name("other")
    client.add_tracer("t", name=name)
    early = client.receive("t")
    run = client.run("trace_exec", tracer="t").started()
    lab.start(containers.keep_saying("wanted"), name=name)
    lab.start(containers.keep_saying("other"), name=other)
    early.wait(lambda: len(early.records) > 10)
    run.wait(lambda: len(run.rows) > 10)
    assert {ig.container_of(r) for r in early.records} == {name} == {r["runtime.containerName"] for r in run.rows}
    assert early.records[0]["gadget"] == "trace_exec"
    late = client.receive("t")
    late.wait(lambda: late.records)
    assert late.records[0] == early.records[0]
    late.wait(lambda: len(late.records) > 20)
    run.stop()
    client.remove_tracer("t")
    assert early.end() == late.end() == ("OK", "")
    assert early.records == late.records and len(early.records) == len(run.rows)


def test_the_last_hundred_then_live(client, lab):
    client.add_tracer("t", name=lab.name())
    client.remove_tracer("t")
    c = lab.start("sleep 100")
    client.add_tracer("t", name=c.name)
    with_all = client.receive("t")
    run = client.run("trace_open", tracer="t").started()
    c.exec("/bin/load_open", "1", "500", "/etc/passwd")
    with_all.wait(lambda: len(with_all.records) >= 500)
    run.stop()
    late = client.receive("t")
    late.wait(lambda: len(late.records) >= 100)
    again = client.run("trace_open", tracer="t").started()
    c.exec("/bin/load_open", "1", "7", "/etc/hostname")
    late.wait(lambda: len([r for r in late.records if r["fname"] == "/etc/hostname"]) == 7)
    again.stop()
    client.remove_tracer("t")
    assert with_all.end() == late.end() == ("OK", "")
    kept = len(late.records) - (len(with_all.records) - with_all.records.index(late.records[100]))
    assert kept == 100 and late.records == with_all.records[-len(late.records):]


def test_no_such_tracer_for_a_run(client):
    assert client.run("trace_exec", tracer="nobody").end() == ("NOT_FOUND", "no tracer 'nobody'")


def test_removed_with_its_runs(client, node, lab):
    c = lab.start(containers.keep_saying("bound"))
    client.add_tracer("t", name=c.name)
    run, free = client.run("trace_exec", tracer="t").started(), client.run("trace_exec", container=c.name).started()
    lines = client.receive("t")
    instance = client.create("trace_exec", name="bound", tracer="t")
    reader = client.attach("bound").started()
    lines.wait(lambda: len(lines.records) > 4)
    client.remove_tracer("t")
    assert run.end() == lines.end() == reader.end() == ("OK", "")
    # The instance gave its records as well.
    assert len(run.rows) + len(reader.rows) >= len(lines.records)
    state = client.instances.GetGadgetInstance(STUBS.api.GadgetInstanceId(id=instance.id)).state
    assert state.status == 2 and state.message
    seen = len(free.rows)
    lab.start(containers.keep_saying("bound"))
    free.wait(lambda: len(free.rows) > seen)
    free.stop()
    client.remove("bound")


def test_loss_is_in_the_lines(client, lab):
    """A ring of 4 KiB cannot hold a burst."""
    c = lab.start("sleep 100")
    client.add_tracer("t", name=c.name)
    lines = client.receive("t")
    s = STUBS.api
    run = Run(client, runRequest=s.GadgetRunRequest(imageName="trace_open", version=1, paramValues={
        "operator.ig.tracer": "t", "operator.ig.buffer-size": "4096"})).started()
    c.exec("/bin/load_open", "2", "8000", "/etc/passwd")  # as many lines as wait for a reader
    lines.wait(lambda: lines.notes)
    run.stop()
    account = client.account(run.info.id)
    client.remove_tracer("t")
    lines.end()
    here = sum(n["count"] for n in lines.notes if n.get("reader"))  # what this reader was too slow for
    lost = sum(n["count"] for n in lines.notes if not n.get("reader"))
    assert 0 < lost <= account.totals.lost  # the rest is what the run's own client was too slow for
    assert account.totals.delivered == len(run.rows)
    assert len(lines.records) + here + lost == account.totals.delivered + account.totals.lost
    assert wanted(account) == account.totals.delivered + account.totals.lost and not account.unaccounted
    assert {(n["event"], n["gadget"], n["container"]) for n in lines.notes} == {("lost", "trace_open", c.name)}


SLOW_READER = """
import json, sys
sys.path.insert(0, {lib!r})
from agent_client import STUBS, Client

lines = Client({address!r}).tracers.ReceiveStream(STUBS.gadgettracermanager.TracerID(id="t"))
first = next(lines)
print("reading", flush=True)
sys.stdin.readline()
n, lost = 1, 0
for message in lines:
    line = json.loads(message.line)
    if set(line) == {{"ig"}}:
        assert line["ig"]["event"] == "lost" and line["ig"]["reader"]
        lost += line["ig"]["count"]
    else:
        n += 1
print(n, lost)
"""


def test_a_slow_reader_of_lines_is_told(client, node, lab):
    """It loses for itself alone, and is told how many; another one loses nothing."""
    c = lab.start("sleep 100")
    client.add_tracer("t", name=c.name)
    program = SLOW_READER.format(lib=containers.HERE, address=node.address)
    slow = subprocess.Popen([sys.executable, "-B", "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    fast = client.receive("t")
    run = client.run("trace_open", tracer="t").started()
    run.decode = False
    try:
        containers.wait_for(lambda: client.state()["tracers"][0]["readers"] == 2, what="both readers")
        for i in range(15):
            c.exec("/bin/load_open", "1", "3000", "/etc/passwd")
            fast.wait(lambda n=3000 * (i + 1): len(fast.records) >= n, 60)
        assert slow.stdout.readline() == "reading\n"
        run.stop()
        account = client.account(run.info.id)
        client.remove_tracer("t")
        fast.end()
        out, _ = slow.communicate("\n", timeout=60)
    finally:
        slow.kill()
    n, lost = map(int, out.split())
    assert not fast.notes and len(fast.records) == account.totals.delivered == wanted(account)
    assert lost > 0 and n + lost == len(fast.records)
