# SPDX-License-Identifier: Apache-2.0
"""Packets and the processes that sockets belong to (include/gadget/packet.bpf.h, owner.bpf.h)."""

import json
import os
import platform
import time

import containers
import ig
import pytest

pytestmark = pytest.mark.kernels

GADGET = "packet_hooks"


@pytest.fixture(scope="module")
def packets(whole_lab):
    built = os.environ.get("BUILT")  # where the tests' gadgets are built already
    if built:
        return os.path.join(built, GADGET + ".bpf.o")
    path = os.path.join(whole_lab.dir, GADGET + ".bpf.o")
    ig.once("build", os.path.join(containers.TOP, "tests/gadgets", GADGET), "-o", path, check=0)
    return path


def test_sockets_that_were_there_before(lab, packets):
    """What a listener accepts belongs to that, which is older than ig."""
    c = lab.start("sleep 1000 | nc -l -p 7000 >/dev/null & sleep 1000")  # at the end of its input nc would close
    containers.wait_for(lambda: c.exec("sh", "-c", "netstat -ltn | grep -q :7000", check=False) == 0, what="listener")
    with ig.Ig("run", packets, "-o", "json", "-c", c.name) as running:
        running.ready()
        c.exec("sh", "-c", "(echo -n word; sleep 0.3) | nc 127.0.0.1 7000")
        time.sleep(0.5)
        assert running.stop() == 0
        got = running.records()
    ours = [r for r in got if r["source"] == "packets" and r["data"] == "word" and not r["egress"]
            and r["dst"]["port"] == 7000]
    assert len(ours) == 1, running.out
    states = [r for r in got if r["source"] == "states" and r["src"]["port"] == 7000]
    assert "ESTABLISHED" in {r["state"] for r in states}
    if not platform.release().startswith("5.10"):  # it cannot hand on what the listener has
        assert {r["proc"]["comm"] for r in ours} == {"nc"} and all(r["known"] for r in states)


def cgroup_links():
    links = json.loads(containers.run("bpftool", "-j", "link", "show").text)
    return [(link["attach_type"], link["cgroup_id"]) for link in links if link["type"] == "cgroup"]


def test_attaches_and_detaches_exactly(packets):
    """At the root of cgroup v2, once; nothing is left there."""
    root = os.stat(containers.cgroup2_root()).st_ino
    before = cgroup_links()
    with ig.Ig("run", packets, "-o", "json", "--host") as running:
        running.ready()
        ours = cgroup_links()
        for link in before:
            ours.remove(link)
        assert len(ours) == 9 and {cgroup for _, cgroup in ours} == {root}, ours
        assert running.stop() == 0
    assert cgroup_links() == before
