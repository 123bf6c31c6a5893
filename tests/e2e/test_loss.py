# SPDX-License-Identifier: Apache-2.0
"""seen = delivered + discarded + lost, exactly, whatever happens."""

import os
import re
import signal
import subprocess
import time

import bpf
import containers
import ig
import pytest

OPENS = 200_000


# The storms' own user: runc's opens for the container's start are root's, and another container that starts meanwhile
# is discarded only when its name is known.
UID = 100_000 + os.getpid()
OURS = ("--uid", str(UID))


def as_user(config):
    config["process"]["user"]["uid"] = UID


def storm(lab, count=OPENS, threads=4):
    return lab.container("load_open", str(threads), str(count), edit=as_user)


def exact(running, expected, lines=None):
    t = running.totals()
    assert t.seen == expected
    assert t.seen == t.delivered + t.discarded + t.lost
    if lines is not None:
        assert t.delivered == lines
    return t


def lost_notes(out):
    return [n for n in ig.notes(out) if n["event"] == "lost"]


def test_nothing_is_lost_in_the_usual_ring(lab):
    c = storm(lab)
    with ig.Ig("run", "trace_open", "-o", "json", "-c", c.name, *OURS) as running:
        running.ready()
        c.run()
        assert running.stop() == 0
        t = exact(running, OPENS, len(running.records()))
        assert (t.discarded, t.lost) == (0, 0)
        assert not lost_notes(running.out)


def test_a_tiny_ring_loses_and_says_how_much(lab):
    c = storm(lab)
    with ig.Ig("run", "trace_open", "-o", "json", "-c", c.name, *OURS, "--buffer-size", "4KiB") as running:
        running.ready()
        c.run()
        assert running.stop() == 0
        t = exact(running, OPENS, len(running.records()))
        assert t.lost > 0
        notes = lost_notes(running.out)
        assert sum(n["count"] for n in notes) == t.lost
        assert {n["gadget"] for n in notes} == {"trace_open"}
        assert {n["container"] for n in notes} == {c.name}


def test_each_container_has_its_own_loss(lab):
    one, two = storm(lab, 60_000), storm(lab, 90_000)
    with ig.Ig("run", "trace_open", "-o", "json", "-c", f"{one.name},{two.name}", *OURS,
               "--buffer-size", "4KiB") as running:
        running.ready()
        one.start()
        two.start()
        one.wait()
        two.wait()
        assert running.stop() == 0
        exact(running, 150_000, len(running.records()))
        for c, expected in ((one, 60_000), (two, 90_000)):
            got = sum(ig.container_of(r) == c.name for r in running.records())
            lost = sum(n["count"] for n in lost_notes(running.out) if n["container"] == c.name)
            assert got + lost == expected


def test_loss_with_a_filter(lab):
    """What the filter takes is discarded, not lost and not delivered."""
    c = storm(lab)
    with ig.Ig("run", "trace_open", "-o", "json", "-c", c.name, *OURS, "--buffer-size", "16KiB",
               "--filter", "fd==3") as running:
        running.ready()
        c.run()
        assert running.stop() == 0
        t = exact(running, OPENS, len(running.records()))
        assert t.delivered and t.discarded


def test_loss_in_columns_is_a_line_on_stderr(lab):
    c = storm(lab)
    with ig.Ig("run", "trace_open", "-c", c.name, *OURS, "--buffer-size", "4KiB") as running:
        running.ready()
        c.run()
        assert running.stop() == 0
        t = exact(running, OPENS)
        assert "lost" in running.err and c.name in running.err
        assert sum(c.name[:4] in line for line in running.out.splitlines()) == t.delivered


def test_a_slow_reader(lab):
    """The pipe is full for a while: ig waits, the ring overflows, and all is counted."""
    c = storm(lab)
    read, write = os.pipe()
    with ig.Ig("run", "trace_open", "-o", "json", "-c", c.name, *OURS, "--buffer-size", "64KiB",
               stdout=write) as running:
        os.close(write)
        running.ready()
        c.start()
        c.wait()
        time.sleep(0.5)
        running.process.send_signal(signal.SIGINT)
        with os.fdopen(read, errors="surrogateescape") as f:
            out = f.read()
        assert running.wait() == 0
        t = exact(running, OPENS, len(ig.records(out)))
        assert t.lost > 0


@pytest.mark.parametrize("sig", (signal.SIGINT, signal.SIGTERM))
def test_a_stuck_reader_does_not_keep_it(lab, sig):
    """Nobody empties the pipe: a signal ends ig all the same, and what was not written is counted."""
    c = lab.start("while :; do : </etc/hosts; done")
    read, write = os.pipe()
    with ig.Ig("run", "trace_open", "-o", "json", "-c", c.name, stdout=write) as running:
        os.close(write)
        containers.wait_for(lambda: "write" in open(f"/proc/{running.pid}/wchan").read(), 20, "wait for the reader")
        assert running.stop(sig, seconds=10) == 0
        t = running.totals()
        assert t.seen == t.delivered + t.discarded + t.lost
        unwritten = int(re.search(r"^(\d+) of the delivered records could not be written", running.err, re.M).group(1))
        with os.fdopen(read, errors="surrogateescape") as f:
            out = f.read()
        assert out.count("\n") == t.delivered - unwritten


def test_a_closed_pipe_ends_it(lab):
    lab.start("while :; do busybox true; done", name=(name := lab.name()))
    read, write = os.pipe()
    with ig.Ig("run", "trace_exec", "-o", "json", "-c", name, stdout=write) as running:
        os.close(write)
        running.ready()
        held = bpf.held_by(running.pid)
        os.close(read)
        assert running.wait(10) == 0
        assert "roken pipe" not in running.err
        bpf.assert_gone(held)
        t = running.totals()
        assert t.seen == t.delivered + t.discarded + t.lost


def test_head_closes_the_pipe(lab):
    name = lab.start("while :; do busybox true; sleep 0.01; done").name
    done = subprocess.run(["sh", "-c", f"{ig.IG} run trace_exec -o json -c {name} 2>/dev/null | head -n 3"],
                          stdout=subprocess.PIPE, timeout=20, check=True)
    assert len(done.stdout.splitlines()) == 3


@pytest.mark.parametrize("gadget, load, count", (("trace_exec", "load_exec", 2000), ("trace_tcp", "load_connect", 2000)))
def test_every_event_of_a_load(lab, gadget, load, count):
    c = lab.container(load, str(count))
    with ig.Ig("run", gadget, "-o", "json", "-c", c.name) as running:
        running.ready()
        c.run()
        assert running.stop() == 0
        t = running.totals()
        assert t.lost == 0 and t.seen == t.delivered + t.discarded
        if gadget == "trace_exec":
            args = [r["args"] for r in running.records() if "an argument in a file page" in str(r["args"])]
            assert len(args) == count
        else:
            types = [r["type"] for r in running.records()]
            assert types.count("connect") == count and types.count("accept") == count
            assert types.count("close") == 2 * count


def test_no_connection_is_forgotten(lab):
    """More of them at a time than a small map would remember."""
    c = lab.container("tcp_pending", "9000")
    with ig.Ig("run", "trace_tcp", "-o", "json", "-c", c.name, "--connect-only", "--buffer-size", "16MiB") as running:
        running.ready()
        c.run()
        assert running.stop() == 0
        t = running.totals()
        assert t.lost == 0 and t.seen == t.delivered + t.discarded
        assert len(running.records()) == 9000


def test_totals_of_each_container(lab):
    """Two containers: a line for each below the tracer's, which is their sum."""
    a, b = lab.start("sleep", "60"), lab.start("sleep", "60")
    with ig.Ig("run", "trace_exec", "-o", "none", "-c", f"{a.name},{b.name}", "--totals") as running:
        running.ready()
        for c in (a, b, b):
            c.exec("true")
        assert running.stop() == 0
        sums = dict(re.findall(r"^  (\S+): seen (\d+) = ", running.err, re.M))
        assert int(sums[b.name]) > int(sums[a.name]) > 0, running.err
        assert sum(map(int, sums.values())) == running.totals().seen


@pytest.mark.parametrize("sig", (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
def test_every_usual_signal_ends_with_totals(lab, sig):
    c = lab.start("sleep", "60")
    with ig.Ig("run", "trace_exec", "-o", "none", "-c", c.name) as running:
        running.ready()
        c.exec("true")
        assert running.stop(sig) == 0
        assert running.totals().seen > 0
