# SPDX-License-Identifier: Apache-2.0
"""However ig ends, nothing of it stays in the kernel."""

import signal
import subprocess

import bpf
import ig
import pytest

pytestmark = pytest.mark.kernels

LOOP = "while :; do cat /etc/hosts >/dev/null; done"
GADGETS = "trace_exec,trace_open,trace_tcp,top_tcp"


@pytest.mark.parametrize("sig", (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGPIPE, signal.SIGQUIT,
                                 signal.SIGSEGV))
def test_end_by_signal(lab, sig):
    c = lab.start(LOOP)
    pins = bpf.pins()
    with ig.Ig("run", GADGETS, "-o", "json", "-c", c.name) as running:
        running.ready()
        held = bpf.held_by(running.pid)
        assert {kind for kind, _ in held} == {"prog", "map", "link"}
        running.process.send_signal(sig)
        if sig == signal.SIGPIPE:  # ignored: the pipe's own error counts
            assert running.process.poll() is None
            running.process.send_signal(signal.SIGTERM)
        code = running.wait()
        assert code == (0 if sig in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE) else -sig)
        bpf.assert_gone(held)
        assert bpf.pins() == pins


def test_end_while_it_starts(lab):
    """SIGINT at any time of the start ends it; nothing stays."""
    pins = bpf.pins()
    for delay in (0.0, 0.005, 0.01, 0.02, 0.04, 0.08):
        with ig.Ig("run", GADGETS, "-o", "json") as running:
            try:
                running.process.wait(delay)
            except subprocess.TimeoutExpired:
                pass
            held = bpf.held_by(running.pid)
            assert running.stop() in (0, -signal.SIGINT)
            if held:
                bpf.assert_gone(held)
    assert bpf.pins() == pins


def test_totals_stand_at_the_end(lab):
    c = lab.start(LOOP)
    with ig.Ig("run", "trace_exec,trace_open", "-o", "json", "-c", c.name) as running:
        running.wait_record(lambda r: True)
        running.stop(signal.SIGTERM)
        for gadget in ("trace_exec", "trace_open"):
            t = running.totals(gadget)
            assert t.seen == t.delivered + t.discarded + t.lost and t.seen > 0
