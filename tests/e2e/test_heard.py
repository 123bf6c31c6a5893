# SPDX-License-Identifier: Apache-2.0
"""Containers that nobody knows any more when they are asked about: their daemons told of them by themselves."""

import contextlib
import os
import random
import signal
import time
from concurrent import futures

import containers
import fakes
import ig
import pytest
from containers import say
from ig import container_of, get, said


def names_of(record):
    return container_of(record), get(record, "runtime.runtimeName"), get(record, "runtime.containerImageName")


@pytest.fixture(params=["with CRI", "without CRI"])
def any_containerd(request, containerd):
    with containerd.without_cri() if request.param == "without CRI" else contextlib.nullcontext():
        yield containerd


def listening(containerd, *args):
    return ig.Ig("run", "trace_exec", "-o", "json", "--resolve-timeout", "10s", *args, *containerd.flags)


def test_many_in_another_namespace(any_containerd, lab):
    """Of a few milliseconds each, and removed at once."""
    names = [lab.name("short") for _ in range(8)]
    with listening(any_containerd) as running:
        running.ready()
        for name in names:
            any_containerd.run(name, *say(name), namespace="other")
        for name in names:
            assert names_of(running.wait_record(said(name))) == (name, "containerd", any_containerd.IMAGE)
        running.stop()
        assert running.totals().lost == 0


def test_gone_before_ig_looked(any_containerd, lab):
    """Neither the disk nor containerd itself knows it when ig comes to read."""
    name = lab.name("gone")
    with listening(any_containerd) as running:
        running.ready()
        os.kill(running.pid, signal.SIGSTOP)
        any_containerd.run(name, *say("of-the-gone"), namespace="other")
        assert name not in any_containerd.ctr("container", "ls", "-q", namespace="other")
        os.kill(running.pid, signal.SIGCONT)
        r = running.wait_record(said("of-the-gone"))
        assert names_of(r) == (name, "containerd", any_containerd.IMAGE)
        running.stop()


def test_labels_of_the_gone(any_containerd, lab):
    """They are known from when it was created, as is nerdctl's name."""
    name, nickname = lab.name("gone"), lab.name("nickname")
    with listening(any_containerd, "-l", "tier=web") as running:
        running.ready()
        any_containerd.ctr("container", "create", "--label", "tier=web", "--label", f"nerdctl/name={nickname}",
                           any_containerd.IMAGE, name, *say("of-the-gone"), namespace="other")
        any_containerd.ctr("container", "create", "--label", "tier=db", any_containerd.IMAGE, f"{name}-other",
                           *say("of-the-other"), namespace="other")
        time.sleep(0.5)
        os.kill(running.pid, signal.SIGSTOP)
        for container in (f"{name}-other", name):
            any_containerd.ctr("task", "start", container, namespace="other")
            any_containerd.ctr("container", "rm", container, namespace="other")
        os.kill(running.pid, signal.SIGCONT)
        r = running.wait_record(said("of-the-gone"))
        assert names_of(r) == (nickname, "containerd", any_containerd.IMAGE)
        assert r["runtime"]["containerLabels"]["tier"] == "web" and get(r, "runtime.containerId") == name
        assert get(r, "runtime.resolved") is not False
        running.stop()
        assert not [r for r in running.records() if said("of-the-other")(r)]


def test_the_same_name_in_two_namespaces(any_containerd, lab):
    """Each has the image of its own."""
    name, other_image = lab.name("twice"), "localhost/other:test"
    any_containerd.ctr("image", "tag", "--force", any_containerd.IMAGE, other_image, namespace="other")
    with listening(any_containerd) as running:
        running.ready()
        os.kill(running.pid, signal.SIGSTOP)
        any_containerd.run(name, *say("of-default"))
        any_containerd.ctr("run", "--rm", "--runc-binary", any_containerd.runc, other_image, name, *say("of-other"),
                           namespace="other")
        os.kill(running.pid, signal.SIGCONT)
        assert names_of(running.wait_record(said("of-default"))) == (name, "containerd", any_containerd.IMAGE)
        assert names_of(running.wait_record(said("of-other"))) == (name, "containerd", other_image)
        running.stop()


def test_containerd_restarts(containerd, lab):
    """The stream ends, and is opened again."""
    with listening(containerd) as running:
        running.ready()
        with containerd.without_cri():
            time.sleep(3)
            os.kill(running.pid, signal.SIGSTOP)
            containerd.run(lab.name("gone"), *say("of-the-gone"), namespace="other")
            os.kill(running.pid, signal.SIGCONT)
            r = running.wait_record(said("of-the-gone"))
            assert get(r, "runtime.containerImageName") == containerd.IMAGE
        running.stop()


def test_dockers_gone_before_ig_looked(docker, lab):
    """The same of Docker, whose events have the labels, too."""
    name = lab.name("gone")
    with ig.Ig("run", "trace_exec", "-o", "json", "--resolve-timeout", "10s", "-l", "tier=web", *docker.flags) as running:
        running.ready()
        os.kill(running.pid, signal.SIGSTOP)
        docker.run(lab.name("other"), *say("of-the-other"), options=["--label", "tier=db"])
        docker.run(name, *say("of-the-gone"), options=["--label", "tier=web"])
        assert name not in docker("ps", "-a", "--format", "{{.Names}}")
        os.kill(running.pid, signal.SIGCONT)
        r = running.wait_record(said("of-the-gone"))
        assert names_of(r) == (name, "docker", docker.IMAGE)
        assert r["runtime"]["containerLabels"] == {"tier": "web"} and get(r, "runtime.resolved") is not False
        running.stop()
        assert not [r for r in running.records() if said("of-the-other")(r)]


# ---- daemons that misbehave ------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ("containerd", "docker"))
def test_no_hot_loop(lab, kind):
    """One that closes every stream at once is asked now and then."""
    path = os.path.join(lab.dir, lab.name("socket"))
    with fakes.Fake(path, "half", kind) as fake, \
            ig.Ig("run", "trace_exec", "-o", "json", f"--{kind}-socketpath", path) as running:
        running.ready()
        time.sleep(4)
        assert 2 <= fake.connections <= 4
        assert running.stop() == 0
        assert "does not answer" not in running.err


def garbage(_, context):
    numbers = random.Random(1)
    for i in range(3000):
        yield numbers.randbytes(numbers.choice((0, 1, 20, 300, 5000)))


def test_garbage_is_told(lab, containerd):
    """A stream of well-formed messages that are none of events; its own questions are not answered."""
    import grpc
    path = os.path.join(lab.dir, lab.name("socket"))
    server = grpc.server(futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
        "containerd.services.events.v1.Events", {"Subscribe": grpc.unary_stream_rpc_method_handler(garbage)}),))
    server.add_insecure_port(f"unix:{path}")
    server.start()
    try:
        with ig.Ig("run", "trace_exec", "-o", "json", "--containerd-socketpath", path) as running:
            running.ready()
            time.sleep(1.5)
            name = lab.name("plain")
            containerd.run(name, *say("of-containerd"))
            assert container_of(running.wait_record(said("of-containerd"))) == name
            with open(f"/proc/{running.pid}/status") as f:
                resident = [int(line.split()[1]) for line in f if line.startswith("VmRSS")][0]
            assert resident < 60 * 1024, f"{resident} kB"
            assert running.stop() == 0
    finally:
        server.stop(None)
