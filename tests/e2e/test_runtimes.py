# SPDX-License-Identifier: Apache-2.0
"""Containers of every runtime, by the names that their users gave them."""

import os
import signal
import time

import containers
import daemon
import ig
import pytest
import view
from containers import say
from ig import container_of, entry, get, listed, resolved, said

LOOP = "while :; do busybox true; sleep 0.1; done"


@pytest.fixture(params=["containerd", "docker", "podman", "podman_crun"])
def runtime(request):
    """Each that runs containers outside pods. Its flags tell ig where it is; podman is found by its files."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["containerd", "docker"])
def with_labels(request):
    """Those that can be asked. podman keeps labels in its database alone."""
    return request.getfixturevalue(request.param)


def seconds_of(time_text):
    return time.mktime(time.strptime(time_text[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone


def test_listed(runtime, lab):
    before = time.time()
    with runtime.start(lab.name("web"), "sleep 60") as c:
        r = entry(listed(*runtime.flags), c.name)["runtime"]
        assert r["runtimeName"] == runtime.NAME
        assert r["containerId"] == c.id
        assert r["containerPid"] == c.pid
        assert r["containerImageName"] == runtime.IMAGE
        assert r.get("resolved") is not False
        assert abs(seconds_of(r["containerStartedAt"]) - before) < 60
        table = ig.once("list-containers", *runtime.flags, check=0).out
        line = [line for line in table.splitlines() if c.name in line]
        assert len(line) == 1 and runtime.NAME in line[0], table
    assert c.name not in [container_of(r) for r in listed(*runtime.flags)]


def test_labels_are_listed(with_labels, lab):
    with with_labels.start(lab.name("web"), "sleep 60", options=["--label", "tier=web", "--label", "org.test/x=a=b"]) as c:
        labels = entry(listed(*with_labels.flags), c.name)["runtime"]["containerLabels"]
        assert labels["tier"] == "web" and labels["org.test/x"] == "a=b"
        entry(listed(*with_labels.flags, "--filter", "runtime.containerLabels.tier==web"), c.name)
        rows = listed(*with_labels.flags, "--filter", "runtime.containerLabels.tier==db")
        assert c.name not in [container_of(r) for r in rows]


def test_image_of_docker(docker, lab):
    with docker.start(lab.name("web"), "sleep 60") as c:
        assert entry(listed(*docker.flags), c.name)["runtime"]["containerImageId"] == docker.inspect(c.name)["Image"]


def test_image_of_podman(podman, lab):
    with podman.start(lab.name("web"), "sleep 60") as c:
        ident = podman("inspect", "-f", "{{.Image}}", c.name)
        assert entry(listed(), c.name)["runtime"]["containerImageId"].replace("sha256:", "") == ident


def test_image_of_a_pods_container(containerd, lab):
    with containerd.run_pod(lab.name("pod")) as pod:
        c = pod.run("main", "sleep 60")
        [r] = [r["runtime"] for r in listed(*containerd.flags) if r["runtime"]["containerId"] == c.id]
        ident, digest = lab.image_ids[containerd.IMAGE]
        assert r["containerImageName"] == containerd.IMAGE
        assert r["containerImageId"] == ident
        assert digest in r["containerImageDigest"]


def test_started_before(runtime, lab):
    with runtime.start(lab.name("before"), LOOP) as c:
        with ig.Ig("run", "trace_exec", "-o", "json", "-c", c.name, *runtime.flags) as running:
            r = running.wait_record(lambda r: "true" in str(get(r, "args")))
            running.stop()
        assert container_of(r) == c.name
        assert get(r, "runtime.containerId") == c.id
        assert get(r, "runtime.runtimeName") == runtime.NAME


def test_first_exec(runtime, lab):
    """Started during the run, short-lived: its name is what the selector goes by, and nothing is missed."""
    name = lab.name("short")
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", name, "--resolve-timeout", "10s", *runtime.flags) as running:
        running.ready()
        assert "first-exec" in runtime.run(name, *say("first-exec"))
        r = running.wait_record(said("first-exec"))
        assert running.stop() == 0
        assert container_of(r) == name
        assert get(r, "runtime.runtimeName") == runtime.NAME
        assert get(r, "runtime.containerImageName") == runtime.IMAGE
        assert {container_of(r) for r in resolved(running.records())} == {name}


def test_first_exec_by_image(runtime, lab):
    name = lab.name("short")
    with ig.Ig("run", "trace_exec", "-o", "json", "--image", "localhost/busy*",
               "--resolve-timeout", "10s", *runtime.flags) as running:
        running.ready()
        lab.container(*say("of-no-image")).run()
        runtime.run(name, *say("first-exec"))
        assert container_of(running.wait_record(said("first-exec"))) == name
        running.stop()
        assert not [r for r in running.records() if said("of-no-image")(r)]


def test_many_of_a_few_milliseconds(docker, lab):
    """Docker forgets each as soon as it has ended."""
    names = [lab.name("short") for _ in range(12)]
    with ig.Ig("run", "trace_exec", "-o", "json", "--resolve-timeout", "10s", *docker.flags) as running:
        running.ready()
        for name in names:
            docker.run(name, *say(name))
        for name in names:
            r = running.wait_record(said(name))
            assert container_of(r) == name
        running.stop()
        assert running.totals().lost == 0


def test_ended_before_ig_looked(with_labels, lab):
    """ig comes to read when the container has ended. Its daemon still knows it."""
    runtime = with_labels
    name = lab.name("ended")
    with ig.Ig("run", "trace_exec", "-o", "json", "--resolve-timeout", "10s", *runtime.flags) as running:
        running.ready()
        os.kill(running.pid, signal.SIGSTOP)
        with runtime.start(name, *say("of-the-ended")) as c:
            containers.wait_for(lambda: not runtime.runs(name), what="end of it")
            os.kill(running.pid, signal.SIGCONT)
            r = running.wait_record(said("of-the-ended"))
            assert (container_of(r), get(r, "runtime.containerId")) == (name, c.id), str(r)
            assert get(r, "runtime.runtimeName") == runtime.NAME
            assert get(r, "runtime.containerImageName") == runtime.IMAGE
        running.stop()


def test_exec_into_it(runtime, lab):
    with runtime.start(lab.name("web"), "sleep 60") as c:
        with ig.Ig("run", "trace_exec", "-o", "json", "-c", c.name, *runtime.flags) as running:
            running.ready()
            c.exec("busybox", "id", "-u")
            r = running.wait_record(lambda r: "id" in (get(r, "args") or []))
            assert container_of(r) == c.name
            running.stop()


def test_the_same_name_again(docker, lab):
    """Another container under an old name: each record has the id of its own."""
    name = lab.name("again")
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", name, *docker.flags) as running:
        running.ready()
        ids = []
        for i in range(2):
            with docker.start(name, f"{' '.join(say(f'round-{i}'))}; sleep 60") as c:
                ids.append(c.id)
                r = running.wait_record(said(f"round-{i}"))
                assert (container_of(r), get(r, "runtime.containerId")) == (name, c.id)
        running.stop()
    assert ids[0] != ids[1]


@pytest.mark.parametrize("kind", ("containerd", "docker", "podman"))
def test_a_child_cgroup(kind, request, lab):
    """A process that is put into a cgroup below the container's, as an init inside does it, stays the container's."""
    runtime = request.getfixturevalue(kind)
    with runtime.start(lab.name("web"), LOOP) as c:
        with open(f"/proc/{c.pid}/cgroup") as f:
            [own] = [containers.cgroup2_root() + line.strip()[3:] for line in f if line.startswith("0::")]
        os.mkdir(f"{own}/below")
        with open(f"{own}/below/cgroup.procs", "w") as f:
            f.write(str(c.pid))
        try:
            with ig.Ig("run", "trace_exec", "-o", "json", "-c", c.name, *runtime.flags) as running:
                running.wait_record(lambda r: container_of(r) == c.name)
                running.stop()
        finally:
            c.remove()
            daemon.remove_empty(f"{own}/below", own)


def test_watch(with_labels, lab):
    runtime = with_labels
    with runtime.start(lab.name("old"), "sleep 60") as old, \
            ig.Ig("list-containers", "--watch", "-o", "json", *runtime.flags) as running:
        running.wait_record(lambda r: container_of(r) == old.name and r["event"] == "CREATED")
        with runtime.start(lab.name("new"), "sleep 60", options=["--label", "tier=web"]) as c:
            created = running.wait_record(lambda r: container_of(r) == c.name and r["event"] == "CREATED")
        deleted = running.wait_record(lambda r: container_of(r) == c.name and r["event"] == "DELETED")
        assert running.stop() == 0
        for r in (created, deleted):
            assert r["runtime"]["runtimeName"] == runtime.NAME
            assert r["runtime"]["containerId"] == c.id
            assert r["runtime"]["containerImageName"] == runtime.IMAGE
            assert r["runtime"]["containerLabels"]["tier"] == "web"
        assert created["runtime"]["containerPid"] == deleted["runtime"]["containerPid"]


# ---- where things lie --------------------------------------------------------------------------------

def test_runc_with_a_root_of_its_own(lab):
    """Nothing tells where its state is: it is found, and named. With --runc-root it has its annotations."""
    root = os.path.join(lab.dir, lab.name("state"))
    c = lab.start(LOOP, root=root, annotations={"org.test/a": "b"})
    assert entry(listed(), c.name)["runtime"]["containerPid"] == c.pid
    entry(listed("--runc-root", root, "--annotation", "org.test/a=b"), c.name)
    entry(listed("--runc-root", f"/no/such/folder,{root}", "--annotation", "org.test/a=b"), c.name)
    short = lab.name("short")
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", short) as running:
        running.ready()
        lab.container(*say("first-exec"), name=short, root=root).run()
        assert container_of(running.wait_record(said("first-exec"))) == short
        running.stop()


@pytest.fixture
def elsewhere(lab):
    """A view of the machine as a container of ig's own has it: the host's root is in a folder, and not at /."""
    folder = os.path.join(lab.dir, lab.name("host"))
    os.mkdir(folder)
    v = view.View(f"mount --rbind / {folder}\nmount -t tmpfs none /run\nmount -t tmpfs none /var/lib")
    yield v, folder
    v.close()
    os.rmdir(folder)


@pytest.mark.parametrize("way", ("flag", "environment"))
def test_host_root(lab, podman, docker, elsewhere, way):
    v, folder = elsewhere
    how = {"env": {"HOST_ROOT": folder}} if way == "environment" else {}
    args = [*docker.flags, *(["--host-root", folder] if way == "flag" else [])]
    plain = lab.start("sleep", "60", annotations={"org.test/a": "b"})
    with podman.start(lab.name("p"), "sleep 60") as p, docker.start(lab.name("d"), "sleep 60") as d:
        rows = listed(*args, view=v, **how)
        assert plain.bundle in str(entry(rows, plain.name))
        assert entry(rows, p.name)["runtime"]["runtimeName"] == "podman"
        assert entry(rows, d.name)["runtime"]["containerId"] == d.id


# ---- cgroup layouts ----------------------------------------------------------------------------------

def private_cgroups(config):
    config["linux"]["namespaces"].append({"type": "cgroup"})


@pytest.mark.parametrize("edit", (None, private_cgroups))
def test_pure_cgroup2(lab, cgroup2, edit):
    old = lab.start(LOOP, view=cgroup2, edit=edit)
    with ig.Ig("run", "trace_exec", "-o", "json", view=cgroup2) as running:
        running.wait_record(lambda r: container_of(r) == old.name)
        short = lab.container(*say("first-exec"), view=cgroup2, edit=edit)
        assert short.run() == 0
        r = running.wait_record(said("first-exec"))
        assert container_of(r) == short.name
        assert get(r, "runtime.containerPid") == get(r, "proc.pid"), "not the first process of the container"
        running.stop()
    r = entry(listed(view=cgroup2), old.name)["runtime"]
    assert (r["containerPid"], r["bundle"]) == (old.pid, old.bundle)


def test_podman_in_pure_cgroup2(whole_lab, cgroup2):
    from podman import Podman
    p = Podman(whole_lab, view=view.pure_cgroup2())
    try:
        with p.start(whole_lab.name("web"), LOOP) as c, \
                ig.Ig("run", "trace_exec", "-o", "json", "-c", c.name, view=cgroup2) as running:
            running.wait_record(lambda r: container_of(r) == c.name)
            running.stop()
    finally:
        p.close()
