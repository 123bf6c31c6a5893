# SPDX-License-Identifier: Apache-2.0
"""Package `api`, grpc.health.v1 and ig.v1 at `ig daemon`, by a client that is not ours: gadgets, instances, readers."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading

import agent
import api_client
import bpf
import containers
import pytest
from agent_client import STUBS, Client, Run, params, status_of, wanted

MANY = 100_000


@pytest.fixture(scope="module")
def node(whole_lab):
    with agent.Agent() as a:
        yield a


@pytest.fixture
def client(node):
    with Client(node.address) as c:
        yield c
        for i in c.listed():
            c.remove(i.id)


def opens(c, n, path="/bin/busybox"):
    c.exec("/bin/load_open", "1", str(n), path)


def opened(run, path="/bin/busybox"):
    return sum(r["fname"] == path for r in run.rows)


# ---- health


def test_health(client):
    s = STUBS.health
    for service in ("", "api.GadgetManager", "api.GadgetInstanceManager", "api.BuiltInGadgetManager", "ig.v1.Node",
                    "gadgettracermanager.GadgetTracerManager", "grpc.health.v1.Health"):
        assert client.health.Check(s.HealthCheckRequest(service=service)).status == 1, service
    for service in ("api", "api.", "nobody", "/"):
        assert status_of(lambda n=service: client.health.Check(s.HealthCheckRequest(service=n))) == \
            ("NOT_FOUND", "no such service")
    watch = client.health.Watch(s.HealthCheckRequest())
    assert next(watch).status == 1
    watch.cancel()
    watch = client.health.Watch(s.HealthCheckRequest(service="nobody"))
    assert next(watch).status == 3
    watch.cancel()


# ---- what there is


def test_info(client):
    s = STUBS.api
    info = client.builtin.GetInfo(s.InfoRequest(version="1.0"))
    version = open(os.path.join(containers.TOP, "VERSION")).read().strip()
    assert (info.version, info.serverVersion) == ("1.0", f"v{version}")


def test_gadget_info(client):
    s = STUBS.api
    for image in ("trace_open", "trace_open:latest", "ghcr.io/some/gadget/trace_open:v0.40.0", "x/trace_open@sha256:00"):
        info = client.gadgets.GetGadgetInfo(s.GetGadgetInfoRequest(imageName=image, version=1)).gadgetInfo
        assert info.name == "trace_open" and info.imageName == image
        source, = info.dataSources
        assert {"fname", "proc.comm", "k8s.podName", "runtime.containerName"} <= api_client.check_source(source)
        assert "failed" in {p.key for p in info.params}
    get = client.gadgets.GetGadgetInfo
    assert status_of(lambda: get(s.GetGadgetInfoRequest(imageName="nothing", version=1)))[0] == "NOT_FOUND"
    assert status_of(lambda: get(s.GetGadgetInfoRequest(version=1))) == ("INVALID_ARGUMENT", "no gadget is named")
    assert status_of(lambda: get(s.GetGadgetInfoRequest(imageName="trace_open", version=2)))[0] == "INVALID_ARGUMENT"
    assert status_of(lambda: get(s.GetGadgetInfoRequest(imageName="00", version=1, flags=1)))[0] == "NOT_FOUND"
    made = client.create("trace_open", name="kept")
    info = get(s.GetGadgetInfoRequest(imageName=made.id, version=1, flags=1)).gadgetInfo
    assert (info.name, info.id) == ("trace_open", made.id)


# ---- runs


def test_trace(client, lab):
    c = lab.start("sleep 100")
    run = client.run("trace_open", container=c.name).started()
    assert run.info.name == "trace_open" and run.info.id
    opens(c, 50)
    run.wait(lambda: opened(run) == 50)
    assert run.stop() == ("OK", "") and not run.gaps
    assert {r["runtime.containerName"] for r in run.rows} == {c.name}
    account = client.account(run.info.id)
    assert wanted(account) == account.totals.delivered == len(run.rows) == run.seq
    assert [t.name for t in account.containers if t.totals.delivered] == [c.name]


def test_parameters(client, lab):
    c = lab.start("sleep 100")
    run = client.run("trace_open", container=c.name, failed="true").started()
    opens(c, 20)
    opens(c, 5, "/no/such/file")
    run.wait(lambda: opened(run, "/no/such/file") == 5)
    run.stop()
    assert not opened(run)
    for bad, code in (({"operator.oci.ebpf.failed": "perhaps"}, "INVALID_ARGUMENT"),
                      ({"operator.oci.ebpf.nonsense": "1"}, "NOT_FOUND"),
                      ({"operator.ig.pid": "x"}, "INVALID_ARGUMENT"),
                      ({"operator.LocalManager.host": "x"}, "INVALID_ARGUMENT")):
        request = STUBS.api.GadgetRunRequest(imageName="trace_open", version=1, paramValues=bad)
        got, text = Run(client, runRequest=request).end()
        assert got == code and list(bad)[0].split(".")[-1] in text, text
    # What other clients send of operators of their own, and of every gadget.
    request = STUBS.api.GadgetRunRequest(imageName="trace_open", version=1, paramValues={
        "operator.cli.output": "columns", "operator.oci.verify-image": "true", "operator.oci.ebpf.map-fetch-count": "0",
        "operator.LocalManager.containername": c.name, "operator.KubeManager.namespace": ""})
    run = Run(client, runRequest=request).started()
    opens(c, 3)
    run.wait(lambda: opened(run) == 3)
    assert run.stop() == ("OK", "")


def test_top(client, lab):
    c = lab.start("sleep 100")
    request = STUBS.api.GadgetRunRequest(imageName="top_tcp", version=1, paramValues={
        **params(container=c.name), "operator.oci.ebpf.map-fetch-interval": "100ms"})
    run = Run(client, runRequest=request).started()
    run.wait(lambda: len(run.tables) >= 3)
    assert run.stop() == ("OK", "") and not run.gaps


def test_timeout(client):
    run = client.run("trace_exec", timeout=0.5).started()
    assert run.end(5) == ("OK", "")


def test_requests_that_are_none(client):
    s = STUBS.api
    run_request = s.GadgetRunRequest(imageName="trace_exec", version=1)
    for requests, code in (([{}], "INVALID_ARGUMENT"),
                           ([{"stopRequest": s.GadgetStopRequest()}], "INVALID_ARGUMENT"),
                           ([{"runRequest": s.GadgetRunRequest(imageName="trace_exec")}], "INVALID_ARGUMENT"),
                           ([{"runRequest": s.GadgetRunRequest(imageName="no_such", version=1)}], "NOT_FOUND"),
                           ([{"attachRequest": s.GadgetAttachRequest(id="00", version=1)}], "NOT_FOUND"),
                           ([{"attachRequest": s.GadgetAttachRequest(version=1)}], "INVALID_ARGUMENT"),
                           ([{"runRequest": run_request}, {"runRequest": run_request}], "INVALID_ARGUMENT")):
        call = client.gadgets.RunGadget(iter([s.GadgetControlRequest(**r) for r in requests]))
        got, text = status_of(lambda c=call: c)
        assert got == code and text, requests
    assert status_of(lambda: client.gadgets.RunGadget(iter([]))) == ("INVALID_ARGUMENT", "nothing is asked for")
    call = client.channel.stream_stream("/api.GadgetManager/RunGadget")(iter([b"\x0a\xff"]))
    assert status_of(lambda: call) == ("INVALID_ARGUMENT", "the message is malformed")
    assert client.state()["runs"] == []


def test_unknown_methods(client):
    for method in ("/api.GadgetManager/Nothing", "/nobody/Nothing", "/", "/api.GadgetManager/RunGadget/"):
        assert status_of(lambda m=method: client.channel.unary_unary(m)(b"")) == ("UNIMPLEMENTED", "no such method")


def test_oversize(client):
    limit = 4 << 20
    for method in ("/gadgettracermanager.GadgetTracerManager/AddTracer", "/api.GadgetManager/GetGadgetInfo"):
        code, text = status_of(lambda m=method: client.channel.unary_unary(m)(b"\x0a" * (limit + 1)))
        assert code == "RESOURCE_EXHAUSTED" and text
    # The longest that may be: field 100, which nobody knows.
    body = b"\xa2\x06" + bytes([0x80 | (limit - 6) & 127, 0x80 | (limit - 6) >> 7 & 127, 0x80 | (limit - 6) >> 14 & 127,
                                (limit - 6) >> 21])
    body += bytes(limit - len(body))
    assert len(body) == limit
    assert status_of(lambda: client.channel.unary_unary("/api.BuiltInGadgetManager/GetInfo")(body)) == ("OK", "")
    call = client.channel.stream_stream("/api.GadgetManager/RunGadget")(iter([bytes(limit + 1)]))
    assert status_of(lambda: call)[0] == "RESOURCE_EXHAUSTED"


def test_cancelled_and_gone(client, node):
    runs = [client.run("trace_exec").started() for _ in range(3)]
    assert len(client.state()["runs"]) == 3
    runs[0].cancel()
    containers.wait_for(lambda: len(client.state()["runs"]) == 2, what="end of the cancelled run")
    with Client(node.address) as other:
        other.run("trace_exec").started()
        assert len(client.state()["runs"]) == 3
    containers.wait_for(lambda: len(client.state()["runs"]) == 2, what="end of the other client's run")
    program = (f"import sys; sys.path.insert(0, {containers.HERE!r})\n"
               "from agent_client import *\nimport time\n"
               f"Client({node.address!r}).run('trace_open').started(); print('runs', flush=True); time.sleep(100)\n")
    killed = subprocess.Popen([sys.executable, "-B", "-c", program], stdout=subprocess.PIPE, text=True)
    assert killed.stdout.readline() == "runs\n" and len(client.state()["runs"]) == 3
    killed.kill()
    killed.wait()
    containers.wait_for(lambda: len(client.state()["runs"]) == 2, what="end of the killed client's run")
    for run in runs[1:]:
        assert run.stop() == ("OK", "")


def test_flood(client, node):
    """Requests without end, of which none is waited for."""
    s = STUBS.gadgettracermanager
    pending = [client.tracers.RemoveTracer.future(s.TracerID(id="nobody")) for _ in range(5000)]
    assert {f.code().name for f in pending} == {"NOT_FOUND"}
    call = client.gadgets.RunGadget(iter([STUBS.api.GadgetControlRequest(
        runRequest=STUBS.api.GadgetRunRequest(imageName="trace_exec", version=1))] * 5000))
    assert status_of(lambda: call)[0] == "INVALID_ARGUMENT"
    assert client.state()["runs"] == []


def test_a_hundred_thousand(client, lab):
    c = lab.start("sleep 100")
    run = client.run("trace_open", container=c.name).started()
    run.decode = False
    many = containers.fewer(MANY)
    for i in range(many // 5000):
        opens(c, 5000)
        run.wait(lambda n=5000 * (i + 1): run.read >= n, 60)
    assert run.stop() == ("OK", "")
    account = client.account(run.info.id)
    assert not run.gaps and not account.totals.lost and not account.unaccounted
    assert wanted(account) == account.totals.delivered == run.read >= many


def test_a_slow_reader_loses_alone(client, node, lab):
    """What it lost are the gaps of its numbers, and what its account says; another one loses nothing."""
    c = lab.start("sleep 100")
    with Client(node.address, options=[("grpc.http2.lookahead_bytes", 1 << 16), ("grpc.http2.bdp_probe", 0)]) as other:
        slow, fast = other.run("trace_open", container=c.name).started(), client.run("trace_open", container=c.name).started()
        slow.decode = fast.decode = False
        account = []
        follower = threading.Thread(target=lambda: account.append(client.account(slow.info.id)))
        follower.start()
        with slow.stalled():
            for i in range(20):
                opens(c, 5000)
                fast.wait(lambda n=5000 * (i + 1): fast.read >= n, 60)
            state, = [r for r in client.state()["runs"] if r["id"] == slow.info.id]
            assert state["queue"] > 3 << 20
        slow.wait(lambda: slow.read > 1000)
        containers.wait_for(lambda: [r["queue"] for r in client.state()["runs"]] == [0, 0], 30, "empty queues")
        opens(c, 10)  # by the numbers of these it sees the last gap
        slow.wait(lambda: slow.gaps)
        assert slow.stop() == fast.stop() == ("OK", "")
        follower.join(20)
        lost = account[0].totals.lost
        assert lost == slow.gaps > 0 and slow.read == account[0].totals.delivered
        assert wanted(account[0]) == slow.read + lost and not account[0].unaccounted
        assert not fast.gaps and not client.account(fast.info.id).totals.lost


def test_sixteen_readers_of_one_gadget(client, node, lab):
    c = lab.start("sleep 100")
    bare = len(bpf.held_by(node.pid))
    first = client.run("trace_open", container=c.name).started()
    one = len(bpf.held_by(node.pid)) - bare
    others = [client.run("trace_open", container=c.name).started() for _ in range(15)]
    assert len(bpf.held_by(node.pid)) - bare == one > 0
    cost = client.node.Cost(STUBS.node.CostRequest())
    assert [(g.gadget, g.tracers) for g in cost.gadgets] == [("trace_open", 16)]
    opens(c, 100)
    for run in [first, *others]:
        run.wait(lambda r=run: opened(r) == 100)
        assert run.stop() == ("OK", "")
    assert len(bpf.held_by(node.pid)) == bare


def test_fifty_clients_at_once(client, node, lab):
    c = lab.start("sleep 100")
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(node.address)) for _ in range(50)]
        runs = [x.run("trace_open", container=c.name) for x in clients]
        for run in runs:
            run.started(60)
        opens(c, 200)
        for run in runs:
            run.wait(lambda r=run: opened(r) == 200, 60)
        assert len(client.state()["runs"]) == 50
    containers.wait_for(lambda: not client.state()["runs"], 30, "end of all runs")


# ---- instances


def test_life_of_an_instance(client, lab):
    s = STUBS.api
    c = lab.start("sleep 100")
    made = client.create("trace_open", name="opens", tags=["a", "b"], container=c.name)
    assert made.name == "opens" and list(made.tags) == ["a", "b"] and made.state.status == 1
    assert made.gadgetConfig.paramValues["operator.ig.containername"] == c.name and made.timeCreated > 1_600_000_000
    assert set(made.id) <= set("0123456789abcdef")
    assert client.listed() == [made]
    for ident in (made.id, made.id[:6], "opens"):
        assert client.instances.GetGadgetInstance(s.GadgetInstanceId(id=ident)) == made
    opens(c, 10)
    run = client.attach("opens")
    run.wait(lambda: opened(run) == 10)
    opens(c, 5)
    run.wait(lambda: opened(run) == 15)
    assert client.remove(made.id) == s.StatusResponse()
    assert run.end() == ("OK", "") and not run.gaps and client.listed() == []


def test_the_last_of_an_instance(client, lab):
    c = lab.start("sleep 100")
    client.create("trace_open", name="few", history=7, container=c.name)
    client.create("trace_open", name="usual", container=c.name)
    all_of_it = client.attach("usual").started()
    opens(c, 300)
    all_of_it.wait(lambda: opened(all_of_it) == 300)
    for name, kept in (("few", 7), ("usual", 100)):
        run = client.attach(name)
        run.wait(lambda r=run, n=kept: opened(r) == n)
        assert run.stop() == ("OK", "") and run.rows == all_of_it.rows[-kept:]
    assert all_of_it.stop() == ("OK", "")
    assert len(client.listed()) == 2  # stopRequest ends the reader, and not the instance


def test_a_long_past(client, lab):
    """More than a reader's queue holds: it is there from the start."""
    c = lab.start("sleep 100")
    client.create("trace_open", name="long", history=50_000, container=c.name)
    live = client.attach("long").started()
    live.decode = False
    for i in range(6):
        opens(c, 5000)
        live.wait(lambda n=5000 * (i + 1): live.read >= n, 60)
    kept = client.state()["instances"][0]["kept"]
    assert kept > 10_000
    late = client.attach("long").started()
    late.decode = False
    late.wait(lambda: late.read >= kept, 60)
    assert live.stop() == late.stop() == ("OK", "") and not late.gaps and not live.gaps


def test_instances_that_are_none(client):
    s = STUBS.api
    client.create("trace_exec", name="one", ident="ab12")
    for kwargs, code in ((dict(name="one"), "ALREADY_EXISTS"), (dict(ident="ab12"), "ALREADY_EXISTS"),
                         (dict(name="ab12"), "ALREADY_EXISTS"), (dict(ident="XY"), "INVALID_ARGUMENT"),
                         (dict(ident="../ab"), "INVALID_ARGUMENT"), (dict(name="a/b"), "INVALID_ARGUMENT"),
                         (dict(name="a\nb"), "INVALID_ARGUMENT"), (dict(name="x" * 65), "INVALID_ARGUMENT"),
                         (dict(name="two", tracer="nobody"), "NOT_FOUND")):
        got, text = status_of(lambda k=kwargs: client.create("trace_exec", **k))
        assert got == code and text, kwargs
    assert status_of(lambda: client.create("no_such"))[0] == "NOT_FOUND"
    create = client.instances.CreateGadgetInstance
    assert status_of(lambda: create(s.CreateGadgetInstanceRequest()))[0] == "INVALID_ARGUMENT"
    for call in (client.instances.GetGadgetInstance, client.instances.RemoveGadgetInstance):
        assert status_of(lambda c=call: c(s.GadgetInstanceId(id="cd"))) == ("NOT_FOUND", "no instance 'cd'")
        assert status_of(lambda c=call: c(s.GadgetInstanceId())) == ("INVALID_ARGUMENT", "no instance is named")
    assert [i.name for i in client.listed()] == ["one"]
    assert [client.create("trace_exec").name for _ in range(2)] == ["trace_exec", "trace_exec-2"]


def test_an_instance_that_ends(client):
    s = STUBS.api
    made = client.instances.CreateGadgetInstance(s.CreateGadgetInstanceRequest(gadgetInstance=s.GadgetInstance(
        name="short", gadgetConfig=s.GadgetRunRequest(imageName="trace_exec", version=1, timeout=300_000_000)))).gadgetInstance
    reader = client.attach("short").started()
    assert reader.end() == ("OK", "")
    state = client.instances.GetGadgetInstance(s.GadgetInstanceId(id=made.id)).state
    assert (state.status, state.message) == (2, "it has ended")
    code, text = client.attach("short").end()
    assert code == "NOT_FOUND" and "does not run" in text


# ---- ig.v1.Node


def test_containers_and_cost(client, lab):
    s = STUBS.node
    c = lab.start("sleep 100")
    events = [STUBS.api.GadgetEvent.FromString(e) for e in client.channel.unary_stream(
        "/ig.v1.Node/Containers")(s.ContainersRequest(containername=c.name).SerializeToString())]
    info = STUBS.api.GadgetInfo.FromString(events[0].payload)
    table = STUBS.api.GadgetDataArray.FromString(events[1].payload)
    assert [e.type for e in events] == [4, 0] and len(table.dataArray) == 1
    row = api_client.row(info.dataSources[0], table.dataArray[0])
    assert row["runtime.containerName"] == c.name
    assert status_of(lambda: client.node.Account(s.AccountRequest(id="00")))[0] == "NOT_FOUND"
    cost = client.node.Cost(s.CostRequest())
    assert cost.resident_bytes > 1 << 20 and cost.cpu_ns and cost.boot_ns
    assert json.loads(client.node.DumpState(s.DumpStateRequest()).json)["version"]


# ---- the end


def test_end_of_the_daemon(lab):
    """Readers get their last records and OK; who only waits is let go."""
    with agent.Agent() as node, Client(node.address) as client:
        c = lab.start("sleep 100")
        client.add_tracer("t", name=c.name)
        lines = client.receive("t")
        run = client.run("trace_open", tracer="t").started()
        client.create("trace_open", name="kept", container=c.name)
        reader = client.attach("kept").started()
        watch = client.health.Watch(STUBS.health.HealthCheckRequest())
        assert next(watch).status == 1
        listed = client.node.Containers(STUBS.node.ContainersRequest(watch=True))
        idle = client.gadgets.RunGadget(iter(threading.Event().wait, True))
        account = []
        follower = threading.Thread(target=lambda: account.append(client.account(run.info.id)))
        follower.start()
        containers.wait_for(lambda: client.state()["tracers"][0]["readers"] == 1, what="reader")
        opens(c, 500)
        node.process.send_signal(signal.SIGTERM)
        assert run.end() == lines.end() == reader.end() == ("OK", "")
        assert node.process.wait(3) == 0
        follower.join(10)
        assert opened(run) == opened(reader) == 500 and len(lines.records) == len(run.rows)
        assert account[0].totals.delivered == wanted(account[0]) == len(run.rows)
        assert next(watch).status == 2 and status_of(lambda: watch)[0] == "OK"
        assert status_of(lambda: listed)[0] == "OK"
        assert status_of(lambda: idle) == ("UNAVAILABLE", "the daemon ends")
        assert not os.path.exists(node.socket) and not os.path.exists(node.pins)
