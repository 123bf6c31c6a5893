# SPDX-License-Identifier: Apache-2.0
"""What fsnotify tells where watcher and toucher are in two containers, with the kernel's kprobes and without."""

import os

import containers
import ig
import pytest

pytestmark = pytest.mark.kernels

# Without kprobes it is not known who touched what inotify watches.
KPROBES = os.path.exists("/sys/bus/event_source/devices/kprobe/type")


@pytest.fixture
def shared(lab):
    """An `edit` of a container's config: /shared is the same folder in each that has it."""
    folder = os.path.join(lab.dir, lab.name("shared"))
    os.mkdir(folder)

    def edit(config):
        config["mounts"].append({"destination": "/tmp/shared", "type": "bind", "source": folder, "options": ["bind", "rw"]})
    edit.folder = folder
    return edit


@pytest.fixture
def watching(lab, shared):
    """A container that reads what is made in the folder."""
    c = lab.start("exec notify_ways wait /tmp/shared", edit=shared)
    containers.wait_for(lambda: c.exec("test", "-e", "/tmp/ready", check=False) == 0, what="watch")
    return c


def events(*flags, until, do):
    """The events that there are when do() was called, once there are so many."""
    with ig.Ig("run", "fsnotify", "-o", "json", *flags) as running:
        running.ready()
        do()

        def found():
            return [r for r in running.records() if r["operation"] == "event"]
        containers.wait_for(lambda: len(found()) >= until, what="events")
        running.stop()
        return found()


def test_seen_by_the_watcher(lab, shared, watching):
    toucher = lab.container("echo >/tmp/shared/new", edit=shared)
    got, = events("-c", watching.name, until=1, do=lambda: toucher.run(check=True))
    assert (ig.container_of(got), got["side"], got["tracer"]["comm"]) == (watching.name, "tracer", "notify_ways")
    assert (got["name"], got["i_mask"], got["tracer_container"]) == ("new", "IN_CREATE", watching.name)
    assert got["tracee"]["comm"] == ("sh" if KPROBES else "")
    assert got["tracee_container"] == (toucher.name if KPROBES else "")
    if got.get("i_ino"):  # Linux 5.11 and later
        assert got["i_ino"] == os.stat(os.path.join(shared.folder, "new")).st_ino
        assert got["i_ino_dir"] == os.stat(shared.folder).st_ino


def test_seen_by_the_toucher(lab, shared, watching):
    toucher = lab.container("echo >/tmp/shared/new", edit=shared)
    got = events("-c", toucher.name, until=1 if KPROBES else 0, do=lambda: toucher.run(check=True))
    if not KPROBES:
        (said,) = ig.records(ig.once("doctor", "-o", "json", "fsnotify", check=0).out)
        assert not got and "watchers outside of the wanted containers" in said["cannotTell"]
        return
    got, = got
    assert (ig.container_of(got), got["side"], got["tracer"]["comm"]) == (toucher.name, "tracee", "notify_ways")
    assert (got["tracee"]["comm"], got["name"]) == ("sh", "new")
    assert (got["tracer_container"], got["tracee_container"]) == (watching.name, toucher.name)


def test_by_pid(lab, shared, watching):
    """Of two watchers, and of files that the host makes, only those that are asked for."""
    def touch():
        open(os.path.join(shared.folder, "by-host"), "w").close()
    got = events("-c", watching.name, "--tracer-pid", str(watching.pid), until=1, do=touch)
    assert [r["name"] for r in got] == ["by-host"]
    if KPROBES:
        got = events("-c", watching.name, "--tracee-pid", str(os.getpid()), until=1,
                     do=lambda: open(os.path.join(shared.folder, "again"), "w").close())
        assert [(r["name"], r["tracee"]["pid"]) for r in got] == [("again", os.getpid())]
