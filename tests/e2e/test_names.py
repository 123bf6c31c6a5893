# SPDX-License-Identifier: Apache-2.0
"""A record has the name of its own container, whatever ids are used again and whatever lies within what."""

import contextlib
import json
import os
import re
import shutil

import containers
import ig
import pytest
import view
from containers import keep_saying, mark, say
from ig import container_of, entry, get, listed, resolved, said

pytestmark = pytest.mark.kernels


# ---- ids that are used again -------------------------------------------------------------------------

@pytest.fixture(scope="module")
def cgroup1():
    """Where crun puts containers into cgroup v1 alone: only namespaces tell them apart."""
    v = view.without_cgroup2()
    yield v
    v.close()


@pytest.fixture(params=["runc", "crun"])
def how(request):
    """What to start containers with: by cgroup id, and, where there is cgroup v1, by mount namespace."""
    if request.param == "runc":
        return {}
    containers.require("crun")
    if containers.cgroup2_root() == "/sys/fs/cgroup":  # there is no other, and crun joins it
        return {"runtime": "crun"}
    return {"runtime": "crun", "view": request.getfixturevalue("cgroup1")}


def test_a_mount_namespaces_number_is_used_again(lab, how):
    """One after the other, at once: the next has the number of the one before, and never its name."""
    with ig.Ig("run", "trace_exec", "-o", "json") as running:
        running.ready()
        cs = [lab.container(*say(f"round-{i}"), **how) for i in range(15)]
        for c in cs:
            assert c.run() == 0
        numbers = []
        for i, c in enumerate(cs):
            r = running.wait_record(said(f"round-{i}"))
            assert container_of(r) == c.name
            assert get(r, "runtime.containerPid") == get(r, "proc.pid")
            numbers.append(get(r, "proc.mntns_id"))
        running.stop()
    assert len(set(numbers)) < len(cs), "no number came twice: the test tests nothing"


def test_a_selector_does_not_go_with_the_number(lab, how):
    """Only every second is wanted."""
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", f"{lab.prefix}-yes*") as running:
        running.ready()
        for i in range(5):
            assert lab.container(*say(f"yes-{i}"), name=lab.name("yes"), **how).run() == 0
            assert lab.container(*say(f"no-{i}"), name=lab.name("no"), **how).run() == 0
        for i in range(5):
            running.wait_record(said(f"yes-{i}"))
        running.stop()
        words = [w for r in running.records() for w in get(r, "args") if re.match(mark(r"(yes|no)-\d"), w)]
        assert words == [mark(f"yes-{i}") for i in range(5)]


def test_the_number_of_a_running_one_that_ends(lab, how):
    """The first runs when ig comes; the next takes over its number during the run."""
    old = lab.start(keep_saying("of-old"), **how)
    with ig.Ig("run", "trace_exec", "-o", "json") as running:
        r = running.wait_record(said("of-old"))
        assert container_of(r) == old.name
        old.delete()
        for i in range(5):
            c = lab.container(*say(f"of-new-{i}"), **how)
            assert c.run() == 0
            assert container_of(running.wait_record(said(f"of-new-{i}"))) == c.name
        running.stop()
        for r in running.records():
            if container_of(r) == old.name:
                assert not [w for w in get(r, "args") if w.startswith("of-new")]


def test_two_side_by_side_in_cgroup_v1(podman_crun, lab):
    one, two = lab.name("one"), lab.name("two")
    with podman_crun.start(one, keep_saying("of-one")), podman_crun.start(two, keep_saying("of-two")), \
            ig.Ig("run", "trace_exec", "-o", "json") as running:
        assert container_of(running.wait_record(said("of-one"))) == one
        assert container_of(running.wait_record(said("of-two"))) == two
        three = lab.name("three")
        podman_crun.run(three, "sh", "-c", f"{' '.join(say('of-three'))}; sleep 1")
        assert container_of(running.wait_record(said("of-three"))) == three
        running.stop()
        for r in running.records():
            for word, name in (("of-one", one), ("of-two", two), ("of-three", three)):
                assert not said(word)(r) or container_of(r) == name


def test_a_container_that_ends_while_ig_does_not_look(lab, how):
    """Its records are read when others have its namespace's number."""
    with ig.Ig("run", "trace_exec", "-o", "json") as running:
        running.ready()
        os.kill(running.pid, 19)  # SIGSTOP
        cs = [lab.container(*say(f"round-{i}"), **how) for i in range(5)]
        for c in cs:
            assert c.run() == 0
        os.kill(running.pid, 18)
        for i, c in enumerate(cs):
            assert container_of(running.wait_record(said(f"round-{i}"))) == c.name
        running.stop()


# ---- the host's namespaces -----------------------------------------------------------------------------

def without(*kinds):
    def edit(config):
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] not in kinds]
        config["process"]["noNewPrivileges"] = True
        if "uts" in kinds or "network" in kinds:
            config.pop("hostname", None)
            config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"] if n["type"] != "uts"]
    return edit


@pytest.mark.parametrize("kinds", (["pid"], ["network"], ["pid", "network"], ["pid", "network", "ipc", "uts"]),
                         ids="+".join)
def test_with_the_hosts(lab, how, kinds):
    old = lab.start(keep_saying("of-old"), edit=without(*kinds), **how)
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", f"{lab.prefix}-*") as running:
        assert container_of(running.wait_record(said("of-old"))) == old.name
        new = lab.container(*say("of-new"), edit=without(*kinds), **how)
        assert new.run() == 0
        assert container_of(running.wait_record(said("of-new"))) == new.name
        running.stop()
    assert entry(listed(), old.name)["runtime"]["containerPid"] == old.pid


def test_a_process_that_goes_to_the_hosts_mount_namespace(lab):
    """As a privileged container can, when it sees the host's processes."""
    def edit(config):
        without("pid")(config)
        containers.privileged(config)

    enter = f"busybox nsenter -t {os.getpid()} -m --"
    word = mark("again")
    c = lab.container(f"{enter} /bin/echo once; {enter} /bin/echo {word}", edit=edit)
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", c.name) as running:
        running.ready()
        assert c.run() == 0, c.log()
        r = running.wait_record(lambda r: get(r, "args") == ["/bin/echo", word])
        assert container_of(r) == c.name
        assert get(r, "proc.mntns_id") == os.stat("/proc/self/ns/mnt").st_ino
        running.stop()


# ---- containers within containers ----------------------------------------------------------------------

@pytest.fixture
def nest(lab):
    """A privileged container that runs runc: (outer, name of the inner). The inner's cgroup is below the outer's."""
    rootfs = lab.rootfs_with("runc")
    outer, inner = lab.name("outer"), lab.name("inner")
    config = json.loads(json.dumps(lab.template))
    config["root"]["path"] = "/inner/rootfs"
    config["linux"]["cgroupsPath"] = f"/{outer}/{inner}"
    config["process"]["args"] = ["sh", "-c", keep_saying("of-inner")]
    os.makedirs(f"{rootfs}/inner")
    shutil.copytree(lab.rootfs, f"{rootfs}/inner/rootfs", symlinks=True)
    with open(f"{rootfs}/inner/config.json", "w") as f:
        json.dump(config, f)

    def edit(config):
        containers.privileged(config)
        config["root"]["path"] = rootfs
        config["linux"]["cgroupsPath"] = f"/{outer}"

    yield lab.container(f"runc run --bundle /inner {inner} & {keep_saying('of-outer')}", name=outer, edit=edit), inner
    lab.reap()
    containers.remove_cgroups(outer)


def is_first_process(pid):
    """Of a pid namespace within another than the host's."""
    with open(f"/proc/{pid}/status") as f:
        [line] = [line for line in f if line.startswith("NSpid:")]
    return line.split()[-1] == "1" and len(line.split()) == 4


def wait_for_inner(outer, inner):
    """Until its own program runs. Its cgroup is there before, and stays where the runtime has failed."""
    def runs():
        for folder in containers.cgroups(inner):
            # cgroup.procs cannot be read where runc has made it a threaded one.
            with contextlib.suppress(OSError), open(f"{folder}/cgroup.threads") as f:
                for pid in f.read().split():
                    with open(f"/proc/{pid}/cmdline") as line:
                        if "of-inner" in line.read():
                            return True
        return False
    try:
        containers.wait_for(runs, what="inner container")
    except TimeoutError as e:
        raise AssertionError(f"{e}\n{outer.log()}") from None


@pytest.mark.parametrize("when", ("before", "after"))
def test_the_innermost_wins(nest, when):
    outer, inner = nest
    if when == "before":
        outer.start()
        wait_for_inner(outer, inner)
    with ig.Ig("run", "trace_exec", "-o", "json") as every, \
            ig.Ig("run", "trace_exec", "-o", "json", "-c", outer.name) as of_outer, \
            ig.Ig("run", "trace_exec", "-o", "json", "-c", inner) as of_inner:
        runs = (every, of_outer, of_inner)
        for running in runs:
            running.ready()
        if when == "after":
            outer.start()
        try:
            for running in runs:
                r = running.wait_record(said("of-inner"))
                assert (container_of(r), get(r, "runtime.outerContainer")) == (inner, outer.name)
                assert is_first_process(get(r, "runtime.containerPid")), r
        except AssertionError as e:
            raise AssertionError(f"{e}\n{outer.log()}") from None
        for running in (every, of_outer):
            r = running.wait_record(said("of-outer"))
            assert container_of(r) == outer.name and not get(r, "runtime.outerContainer")
        for running in runs:
            assert running.stop() == 0
        assert {container_of(r) for r in resolved(of_outer.records())} == {outer.name, inner}
        assert {container_of(r) for r in resolved(of_inner.records())} == {inner}
        for r in every.records():
            assert not said("of-inner")(r) or container_of(r) == inner


def test_both_are_listed(nest):
    outer, inner = nest
    outer.start()
    wait_for_inner(outer, inner)
    rows = listed()
    row = entry(rows, inner)["runtime"]
    assert row["outerContainer"] == outer.name
    assert is_first_process(row["containerPid"]), row
    assert not entry(rows, outer.name)["runtime"].get("outerContainer")
    assert {container_of(r) for r in listed("-c", outer.name)} == {outer.name, inner}
    assert {container_of(r) for r in listed("-c", inner)} == {inner}
