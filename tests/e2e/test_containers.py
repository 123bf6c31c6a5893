# SPDX-License-Identifier: Apache-2.0
"""Containers are found and named, whenever they start, without a runtime's help."""

import collections
import os
import time

import containers
import ig
import pytest
from ig import entry, listed

pytestmark = [pytest.mark.kernels, pytest.mark.every_runtime]


def execs_of(name):
    return lambda r: ig.container_of(r) == name


def test_started_before(lab):
    c = lab.start("while :; do true-is-run; busybox true; sleep 0.1; done")
    with ig.Ig("run", "trace_exec", "-o", "json") as running:
        r = running.wait_record(execs_of(c.name))
        assert ig.get(r, "runtime.containerId") == c.name
        assert ig.get(r, "runtime.runtimeName") == c.runtime
        assert ig.get(r, "proc.mntns_id") == c.mntns
        assert running.stop() == 0


def test_first_exec_of_a_container_started_during_the_run(lab):
    with ig.Ig("run", "trace_exec", "-o", "json") as running:
        running.ready()
        c = lab.container("cat", "/etc/hosts")
        assert c.run() == 0
        r = running.wait_record(execs_of(c.name))
        assert "cat" in str(ig.get(r, "args"))
        running.stop()


def test_many_of_a_few_milliseconds(lab):
    """Each one's entrypoint is seen, under its name."""
    names = [lab.name("short") for _ in range(containers.fewer(200))]
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", f"{lab.prefix}-short*") as running:
        running.ready()
        for at in range(0, len(names), 20):
            batch = [lab.container("/bin/busybox", "true", name=name) for name in names[at:at + 20]]
            for c in batch:
                c.run()
        time.sleep(1)
        running.stop()
        seen = collections.Counter(ig.container_of(r) for r in running.records()
                                   if "true" in str(ig.get(r, "args")) and ig.get(r, "error") in (0, None, ""))
    assert set(names) <= set(seen), f"{len(set(names) - set(seen))} missing; {running.err}"
    assert all(seen[n] == 1 for n in names)
    assert running.totals().lost == 0


def test_a_child_cgroup_made_outside(lab):
    """A process of the container that is put into a cgroup below the container's stays the container's."""
    c = lab.start("while :; do busybox true; sleep 0.1; done")
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", c.name) as running:
        running.ready()
        child = os.path.join(c.cgroup, "below")
        os.mkdir(child)
        try:
            with open(os.path.join(child, "cgroup.procs"), "w") as f:
                f.write(str(c.pid))
            before = len(running.records())
            containers.wait_for(lambda: len(running.records()) > before + 4, 10, "records of the child cgroup")
            assert {ig.container_of(r) for r in running.records()} == {c.name}
            running.stop()
        finally:
            c.delete()
            containers.remove_cgroups("below")


def with_cgroups(config):
    config["mounts"].append({"destination": "/tmp/cgroup", "type": "bind", "source": containers.cgroup2_root(),
                             "options": ["rbind", "rw"]})


NEST = """
mkdir -p /tmp/cgroup/$NAME/inner/most
echo $$ >/tmp/cgroup/$NAME/inner/most/cgroup.procs
/bin/busybox id -u
"""


def test_a_child_cgroup_made_by_the_container(lab):
    """The container makes cgroups below its own and moves there at once: nothing in between is missed."""
    name = lab.name()
    c = lab.container(NEST.replace("$NAME", name), name=name, edit=with_cgroups)
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", name) as running:
        running.ready()
        c.run()
        running.wait_record(lambda r: "id" in (ig.get(r, "args") or []) or " id " in str(ig.get(r, "args")))
        running.stop()


def test_a_container_already_in_a_child_cgroup(lab):
    c = lab.start("while :; do busybox true; sleep 0.1; done")
    child = os.path.join(c.cgroup, "below")
    os.mkdir(child)
    try:
        with open(os.path.join(child, "cgroup.procs"), "w") as f:
            f.write(str(c.pid))
        with ig.Ig("run", "trace_exec", "-o", "json", "-c", c.name) as running:
            running.wait_record(execs_of(c.name))
            running.stop()
    finally:
        c.delete()
        containers.remove_cgroups("below")


def test_a_record_keeps_its_name_when_the_container_is_gone(lab):
    """Read late: the container has long ended and been deleted when its records are printed."""
    with ig.Ig("run", "trace_exec", "-o", "json") as running:
        running.ready()
        os.kill(running.pid, 19)  # SIGSTOP
        c = lab.container("/bin/true")
        c.run()
        time.sleep(0.3)
        os.kill(running.pid, 18)
        running.wait_record(execs_of(c.name))
        running.stop()


def test_list_containers(lab):
    before = time.time()
    c = lab.start("sleep", "60", annotations={"org.test/tier": "web"})
    r = entry(listed(), c.name)["runtime"]
    assert r["containerId"] == c.name
    assert r["containerPid"] == c.pid
    assert r["runtimeName"] == c.runtime
    started = time.mktime(time.strptime(r["containerStartedAt"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert abs(started - before) < 60
    assert c.bundle in str(entry(listed(), c.name))
    assert not [x for x in listed("-c", "!" + c.name) if ig.container_of(x) == c.name]
    entry(listed("--annotation", "org.test/tier=w*"), c.name)
    c.delete()
    assert not [x for x in listed() if ig.container_of(x) == c.name]


def test_list_containers_watch(lab):
    old = lab.start("sleep", "60")
    with ig.Ig("list-containers", "--watch", "-o", "json") as running:
        running.wait_record(lambda r: ig.container_of(r) == old.name and r["event"] == "CREATED")
        c = lab.start("sleep", "60")
        running.wait_record(lambda r: ig.container_of(r) == c.name and r["event"] == "CREATED")
        c.delete()
        r = running.wait_record(lambda r: ig.container_of(r) == c.name and r["event"] == "DELETED")
        assert r["runtime"]["bundle"] == c.bundle
        assert running.stop() == 0


def test_list_containers_with_one_field_more(lab):
    c = lab.start("sleep", "60")
    titles, line = ig.once("list-containers", "-c", c.name, "--fields", "+bundle", check=0).out.splitlines()
    assert titles.startswith("RUNTIME.CONTAINERNAME RUNTIME.RUNTIMENAME") and titles.endswith("RUNTIME.BUNDLE")
    assert line.endswith(c.bundle)


def test_no_container_is_said(whole_lab):
    with ig.Ig("run", "trace_exec", "-c", "no-such-container", "--timeout", "1") as running:
        assert running.wait() == 0
        assert "no container" in running.err and "--host" in running.err


def test_podman(podman):
    name = f"web{os.getpid()}"
    with podman.start(name, "while :; do busybox true; sleep 0.1; done", options=["--annotation", "org.test/a=b"]) as c:
        r = entry(listed(), name)["runtime"]
        assert r["containerId"] == c.id
        assert r["runtimeName"] == "podman"
        assert podman.IMAGE in r["containerImageName"]
        with ig.Ig("run", "trace_exec", "-o", "json", "--image", "localhost/busybox*") as running:
            r = running.wait_record(execs_of(name))
            assert podman.IMAGE in ig.get(r, "runtime.containerImageName")
            running.stop()


def test_podman_during_the_run(podman):
    name = f"short{os.getpid()}"
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", name) as running:
        running.ready()
        podman.run(name, "/bin/true")
        r = running.wait_record(lambda r: "true" in str(ig.get(r, "args")))
        assert ig.container_of(r) == name
        running.stop()
