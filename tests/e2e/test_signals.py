# SPDX-License-Identifier: Apache-2.0
"""What trace_signal tells where two containers, or one and the host, have to do with a signal."""

import os
import signal

import containers
import ig
import pytest

WAITS = "trap : USR1; echo >/tmp/ready; while :; do sleep 0.1; done"


@pytest.fixture
def waiting(lab):
    """A container whose first process waits for SIGUSR1."""
    c = lab.start(WAITS)
    containers.wait_for(lambda: c.exec("test", "-e", "/tmp/ready", check=False) == 0, what="trap")
    return c


def sides(records):
    """(container, side, sender's container, target's container) of each SIGUSR1."""
    return sorted((ig.container_of(r) or "", r["side"], r["sender_container"], r["target_container"]) for r in records)


def signals(*flags, until, do):
    """The records of SIGUSR1 that there are when do() was called, once there are so many."""
    with ig.Ig("run", "trace_signal", "--signal", "USR1", "-o", "json", *flags) as running:
        running.ready()
        do()
        containers.wait_for(lambda: len(running.records()) >= until, what="records")
        running.stop()
        return running.records()


@pytest.mark.kernels
@pytest.mark.parametrize("selected", ("target", "sender", "both"))
def test_between_containers(lab, waiting, selected):
    def join(config):
        for namespace in config["linux"]["namespaces"]:
            if namespace["type"] == "pid":
                namespace["path"] = f"/proc/{waiting.pid}/ns/pid"

    sender = lab.container("kill -USR1 1", edit=join)
    flags = {"target": ["-c", waiting.name], "sender": ["-c", sender.name],
             "both": ["-c", f"{waiting.name},{sender.name}"]}[selected]
    got = signals(*flags, until=2 if selected == "both" else 1, do=lambda: sender.run(check=True))
    expected = [(c.name, side, sender.name, waiting.name) for c, side in ((waiting, "target"), (sender, "sender"))
                if selected in (side, "both")]
    assert sides(got) == sorted(expected)
    assert {r["tpid"] for r in got} == {waiting.pid}


@pytest.mark.kernels
def test_from_the_host(waiting):
    def kill():
        os.kill(waiting.pid, signal.SIGUSR1)

    assert sides(signals("-c", waiting.name, until=1, do=kill)) == [(waiting.name, "target", "", waiting.name)]
    got = signals("--host", "--pid", str(os.getpid()), until=1, do=kill)
    assert sides(got) == [("", "sender", "", waiting.name)]
    got = signals("-c", waiting.name, "--pid", str(waiting.pid), until=1, do=kill)
    assert got[0]["proc"]["pid"] == os.getpid()
