# SPDX-License-Identifier: Apache-2.0
"""What a node's daemon bounds (src/base/limits.h), each one exceeded; and what it takes while nothing happens."""

import contextlib
import os
import socket
import time

import agent
import containers
import idle
import pytest
from agent_client import STUBS, Client, Run, status_of

MAX_CONTAINERS, MAX_TRACERS, MAX_READERS, MAX_CONNECTIONS = 16384, 256, 64, 512


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
        for i in c.listed():
            c.remove(i.id)


def announce(client, name, cgroup_id):
    """A container that is only said to be there, in the first form of its message."""
    d = STUBS.gadgettracermanager.ContainerDefinitionV04(id=name, name=name, cgroup_id=cgroup_id, mntns=cgroup_id)
    return client.channel.unary_unary("/gadgettracermanager.GadgetTracerManager/AddContainer").future(d.SerializeToString())


def retract(client, name):
    d = STUBS.gadgettracermanager.ContainerDefinition(id=name)
    return client.tracers.RemoveContainer.future(d)


@contextlib.contextmanager
def announced(client, n, first=1 << 40):
    """n containers of nobody's; the status of each one's AddContainer, in their order."""
    names = [f"made-up-{i}" for i in range(n)]
    calls = [announce(client, name, first + i) for i, name in enumerate(names)]
    try:
        yield [call.code().name for call in calls]
    finally:
        for call in [retract(client, name) for name in names]:
            call.exception()


def test_tracers(client, node):
    made = [client.add_tracer() for _ in range(MAX_TRACERS)]
    assert status_of(client.add_tracer) == ("RESOURCE_EXHAUSTED", "more than 256 tracers")
    assert len(os.listdir(node.pins)) == 2 * MAX_TRACERS
    client.remove_tracer(made[0])
    client.add_tracer()


def test_readers_of_a_tracer(client):
    s = STUBS.gadgettracermanager
    client.add_tracer("t")
    readers = [client.tracers.ReceiveStream(s.TracerID(id="t")) for _ in range(MAX_READERS)]
    containers.wait_for(lambda: client.state()["tracers"][0]["readers"] == MAX_READERS, what="all readers")
    one_more = client.tracers.ReceiveStream(s.TracerID(id="t"))
    assert status_of(lambda: one_more) == ("RESOURCE_EXHAUSTED", "tracer 't' has 64 readers already")
    readers[0].cancel()
    containers.wait_for(lambda: client.state()["tracers"][0]["readers"] == MAX_READERS - 1, what="one reader less")
    one_more = client.tracers.ReceiveStream(s.TracerID(id="t"))
    containers.wait_for(lambda: client.state()["tracers"][0]["readers"] == MAX_READERS, what="one more")
    for reader in [*readers, one_more]:
        reader.cancel()


def begun(client, **request):
    """A call of RunGadget that has told what comes."""
    requests = iter([STUBS.api.GadgetControlRequest(**request)])
    call = client.gadgets.RunGadget(requests)
    assert next(call).type == 4
    return call


def test_readers_of_an_instance(client):
    s = STUBS.api
    client.create("trace_exec", name="kept", container="nobody")
    attach = s.GadgetAttachRequest(id="kept", version=1)
    readers = [begun(client, attachRequest=attach) for _ in range(MAX_READERS)]
    assert client.attach("kept").end() == ("RESOURCE_EXHAUSTED", "instance kept has 64 readers already")
    for reader in readers:
        reader.cancel()


def test_instances(client):
    names = [f"i{i}" for i in range(MAX_READERS)]
    for gadget in ("trace_exec", "trace_open", "trace_tcp", "top_tcp"):
        for name in names:
            client.create(gadget, name=f"{gadget}.{name}", container="nobody")
    assert status_of(lambda: client.create("trace_exec")) == ("RESOURCE_EXHAUSTED", "more than 256 instances")
    code, text = client.run("trace_open", failed="true").end()
    assert (code, text) == ("RESOURCE_EXHAUSTED", "more than 256 tracers at a time")


def test_tracers_of_one_gadget(client, node):
    request = STUBS.api.GadgetRunRequest(imageName="trace_exec", version=1, paramValues={
        "operator.ig.containername": "nobody"})
    calls = [begun(client, runRequest=request) for _ in range(MAX_READERS)]
    code, text = Run(client, runRequest=request).end()
    assert code == "RESOURCE_EXHAUSTED" and "more than 64 tracers share one trace_exec" in text
    for call in calls:
        call.cancel()


def test_connections(client, node):
    client.state()
    with contextlib.ExitStack() as stack:
        def connect():
            s = stack.enter_context(socket.socket(socket.AF_UNIX))
            s.settimeout(5)
            s.connect(node.socket)
            return s.recv(9)
        for _ in range(MAX_CONNECTIONS - 1):
            assert connect()  # SETTINGS
        assert connect() == b""
        containers.wait_for(lambda: "more than 512 clients: one more is sent away" in node.log, 5, "its word")
        client.state()  # who was there before is served
    with Client(node.address) as other:
        containers.wait_for(lambda: status_of(other.state)[0] == "OK", what="room again")


def test_containers(client, node):
    there = len(client.state()["containers"])
    with announced(client, MAX_CONTAINERS + 50) as codes:
        full = codes.index("RESOURCE_EXHAUSTED")
        assert set(codes[:full]) == {"OK"} and set(codes[full:]) == {"RESOURCE_EXHAUSTED"}
        assert MAX_CONTAINERS - there - 50 <= full <= MAX_CONTAINERS
        client.add_tracer("t", name="made-up-7")
    containers.wait_for(lambda: len(client.state()["containers"]) < 100, 30, "room again")
    with announced(client, 100) as codes:
        assert set(codes) == {"OK"}


def test_idle(whole_lab):
    """110 containers, five tracers, an instance and who listens: 20 MB, and nobody wakes up."""
    with agent.Agent() as node, Client(node.address) as client, announced(client, 110) as codes:
        assert set(codes) == {"OK"}
        for i in range(5):
            client.add_tracer(f"t{i}", name=f"made-up-{i}")
        lines = client.tracers.ReceiveStream(STUBS.gadgettracermanager.TracerID(id="t0"))
        requests = [begun(client, runRequest=STUBS.api.GadgetRunRequest(
            imageName=gadget, version=1, paramValues={"operator.ig.tracer": f"t{i}"}))
            for i, gadget in enumerate(("trace_exec", "trace_open", "trace_tcp"))]
        client.create("trace_exec", name="kept", tracer="t4")
        time.sleep(3)  # the start, and the last look at losses
        child, = [int(p) for p in containers.run("pgrep", "-P", str(node.pid)).text.split()]
        assert idle.resident(node.pid) < 20 << 20, idle.resident(node.pid)
        assert idle.resident(child) < 4 << 20, idle.resident(child)
        idle.assert_quiet(node.pid, child)
        for call in (lines, *requests):
            call.cancel()
