# SPDX-License-Identifier: Apache-2.0
"""What trace_exec tells only of an image's container: its upper layer; and of one with a terminal: its name."""

import datetime
import os

import containers
import ig
import pytest

CHANGED = ("mkdir /own; cp /bin/busybox /own/sh; printf '#!/own/sh\\n/bin/true; :\\n' >/own/script; "
           "printf '#!/bin/sh\\n' >/own/plain; chmod +x /own/script /own/plain; "
           "/own/script; /own/plain; stat -L -c %Z /bin/sh /own/sh /own/script /own/plain")
FILES = ("/bin/sh", "/own/script", "/bin/true", "/own/plain")


def seconds(time):
    return datetime.datetime.fromisoformat(time[:19] + "+00:00").timestamp()


@pytest.fixture
def image(whole_lab):
    """An `edit` of a container's config: its root file system is the lab's as the lower layer, and one to write to."""
    top = os.path.join(whole_lab.dir, "overlay")
    os.makedirs(top)
    # An overlay's upper layer cannot itself be on one.
    containers.run("mount", "-t", "tmpfs", "layers", top)
    try:
        for folder in ("upper", "work", "merged"):
            os.makedirs(os.path.join(top, folder))
        containers.run("mount", "-t", "overlay", "merged", "-o",
                       f"lowerdir={whole_lab.rootfs},upperdir={top}/upper,workdir={top}/work", f"{top}/merged")
        yield lambda config: config.update(root={"path": f"{top}/merged"})
        containers.run("umount", f"{top}/merged")
    finally:
        containers.run("umount", "-l", top)


@pytest.mark.kernels
def test_upper_layer(lab, image):
    c = lab.container(CHANGED, edit=image)
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", c.name) as running:
        running.ready()
        assert c.run() == 0
        by_file = {r["file"]: r for r in (running.wait_record(lambda r, f=f: r["file"] == f) for f in FILES)}
    assert [by_file[f]["upper_layer"] for f in FILES] == [False, True, False, False]
    assert [by_file[f]["fupper_layer"] for f in FILES] == [False, True, False, True]
    assert by_file["/bin/true"]["pupper_layer"] and not by_file["/own/script"]["pupper_layer"]
    assert all(r["from_rootfs"] and r["file_from_rootfs"] for r in by_file.values())
    sh, own_sh, script, plain = map(int, c.log().split())
    assert [[seconds(by_file[f][c]) for c in ("ctime", "fctime", "pctime")] for f in FILES[1:]] == [
        [own_sh, script, sh], [sh, sh, own_sh], [sh, plain, sh]]


def test_terminal(lab, podman):
    name = lab.name()
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", name) as running:
        running.ready()
        podman("run", "--rm", "-t", "--name", name, podman.IMAGE, "sh", "-c", "/bin/true; :")
        assert running.wait_record(lambda r: r["file"] == "/bin/true")["tty"].startswith("pts/")
