# SPDX-License-Identifier: Apache-2.0
"""What the daemon of a node learns of its pods from the API server, and how it goes on when that fails."""

import time
import uuid

import agent
import containers
import ig
import pytest
from api_server import CLOSE, ApiServer, pod
from ig import container_of


@pytest.fixture
def server(tmp_path):
    with ApiServer(tmp_path) as s:
        yield s


@pytest.fixture(scope="module")
def web(containerd, whole_lab):
    with containerd.run_pod(whole_lab.name("web"), "prod", {"app": "web"}, uid=str(uuid.uuid4())) as web:
        web.main = web.run("main", "sleep 600")
        yield web


def k8s_of(a, c):
    rows = ig.lines(a.once("list-containers", "-o", "json", check=0).out)
    return next(r["k8s"] for r in rows if r["runtime"]["containerId"] == c.id)


def wait_k8s(a, c, **fields):
    containers.wait_for(lambda: fields.items() <= k8s_of(a, c).items(), what=f"{fields} of {c.id}")


def daemon(server, containerd, *more):
    return agent.Agent(*containerd.flags, *server.flags, *more, env=server.env)


OWNERS = [
    (("ReplicaSet", "web-6d4f8"), {"pod-template-hash": "6d4f8"}, ("Deployment", "web")),
    (("ReplicaSet", "web-6d4f8"), {}, ("ReplicaSet", "web-6d4f8")),
    (("Job", "night-28456123"), {}, ("CronJob", "night")),
    (("Job", "night-1"), {}, ("Job", "night-1")),
    (("StatefulSet", "db"), {}, ("StatefulSet", "db")),
]


def test_owners(server, containerd, web):
    """Whichever way the pod is owned, in the words of whoever made it; what the CRI has told stays."""
    with daemon(server, containerd) as a:
        server.wait_watch()
        assert "owner" not in k8s_of(a, web.main)
    for owner, labels, told in OWNERS:
        server.pods = [pod(web.name, web.uid, owner=owner, labels=dict(labels, other="x"))]
        with daemon(server, containerd) as a:
            wait_k8s(a, web.main, owner=dict(zip(("kind", "name"), told)), podLabels=web.labels, podIP=web.ip)


def test_labels_that_the_runtime_does_not_tell(server, containerd, web):
    """Changes come by the watch, in several pages of a list before it."""
    server.page = 2
    server.pods = [pod(f"other{i}", str(uuid.uuid4())) for i in range(5)]
    with agent.Agent("--containerd-socketpath", "/no/such/socket", *server.flags, env=server.env) as a:
        server.wait_watch()
        assert [r.query.get("continue") for r in server.requests] == [None, "from/& 2", "from/& 4", None]
        assert all(r.query["fieldSelector"] == "spec.nodeName=n1" for r in server.requests)
        assert server.requests[-1].query["resourceVersion"] == "100"
        server.tell("ADDED", pod(web.name, web.uid, labels={"app": "web", "from": "api"}))
        wait_k8s(a, web.main, podLabels={"app": "web", "from": "api"}, podIP="10.9.8.7")
        done = a.once("list-containers", "-o", "json", "-l", "from=api", check=0)
        assert "main" in map(container_of, ig.lines(done.out))


def test_static_pod(server, containerd, web):
    """The API server's copy of a pod that the kubelet has from a file has another UID."""
    server.pods = [pod(web.name, str(uuid.uuid4()), owner=("Node", "n1"), annotations={"kubernetes.io/config.mirror": web.uid})]
    with daemon(server, containerd) as a:
        wait_k8s(a, web.main, owner={"kind": "Node", "name": "n1"})


def test_a_watch_whose_place_is_gone(server, containerd, web):
    with daemon(server, containerd) as a:
        server.wait_watch()
        before = len(server.requests)
        server.pods = [pod(web.name, web.uid, owner=("DaemonSet", "d"))]
        server.version = 200
        server.send({"type": "ERROR", "object": {"code": 410, "message": "too old resource version"}})
        server.wait_watch(before)
        wait_k8s(a, web.main, owner={"kind": "DaemonSet", "name": "d"})
        assert [r.watch for r in server.requests[before:]] == [False, True]
        assert server.requests[-1].query["resourceVersion"] == "200"
        before = len(server.requests)
        server.fail(True, 410, {"message": "gone"})
        for events in list(server.watches):
            events.put(CLOSE)
        server.wait_watch(before + 1)
        assert [r.watch for r in server.requests[before:]] == [True, False, True]


def test_bookmarks_move_the_place(server, containerd):
    with daemon(server, containerd):
        server.wait_watch()
        before = len(server.requests)
        server.send({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "777"}}})
        server.send(CLOSE)
        server.wait_watch(before)
        assert [(r.watch, r.query["resourceVersion"]) for r in server.requests[before:]] == [(True, "777")]


def test_an_outage(server, containerd, web):
    with daemon(server, containerd) as a:
        server.wait_watch()
        server.stop()
        containers.wait_for(lambda: "labels and owners may lack" in a.log, what="its words")
        assert k8s_of(a, web.main)["podName"] == web.name  # all else goes on
        before = len(server.requests)
        server.pods, server.version = [pod(web.name, web.uid, owner=("DaemonSet", "after"))], 300
        server.start()
        server.set_token("second")
        server.wait_watch(before)
        # From where it was: what has changed meanwhile comes by the watch.
        assert server.requests[before].watch and server.requests[before].token == "Bearer second"
        server.tell("MODIFIED", server.pods[0])
        wait_k8s(a, web.main, owner={"kind": "DaemonSet", "name": "after"})
        assert "the API server tells of pods again" in a.log
        assert a.log.count("may lack") == 1, a.log


FAULTS = {
    "forbidden": (False, 403, {"kind": "Status", "message": 'pods is forbidden: User "x" cannot list'}, "cannot list"),
    "no JSON": (False, 200, b"<html>", "no list"),
    "no list": (False, 200, {"items": 5, "metadata": {"resourceVersion": "1"}}, "no list"),
    "error of the server": (False, 500, b"\x00\xff\n", "says 500"),
    "forbidden to watch": (True, 403, {"message": "cannot watch"}, "cannot watch"),
    "no event": (True, 200, b"garbage\n", "no event"),
    "an event that is none": (True, 200, b'"x"\n', "no event"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_said_and_never_a_hot_loop(server, containerd, fault):
    watch, status, body, words = FAULTS[fault]
    server.fail(watch, status, body, times=1000)
    with daemon(server, containerd) as a:
        containers.wait_for(lambda: "may lack" in a.log, what="its words")
        line = next(line for line in a.log.splitlines() if "may lack" in line)
        assert words in line, line
        time.sleep(4)
        tried = [r.time for r in server.requests if r.watch == watch]
        assert 2 <= len(tried) <= 8, tried
        waits = [b - a for a, b in zip(tried, tried[1:])]
        assert waits[-1] > 1.5 * waits[0] or len(waits) == 1, waits
        server.faults[watch].clear()
        before = len(server.requests)
        server.wait_watch(before)


def test_not_in_a_cluster():
    with agent.Agent(env={"NODE_NAME": "n1"}) as a:
        assert "API server" not in a.log
    done = ig.once("daemon", "--node-name", "n1", "--config", "/dev/null", "--state-dir", "", "--host", "unix:///no/such/folder/x", check=None)
    assert done.returncode


def test_a_name_that_is_none():
    done = ig.once("daemon", "--node-name", "a&b", "--config", "/dev/null", "--state-dir", "", check=None)
    assert done.returncode and "no name of a node" in done.err, done.err
