# SPDX-License-Identifier: Apache-2.0
"""kubectl-gadget and a cluster of a thousand nodes (bench_cluster.c), each with a hundred records a second: what the client
takes, whether records are lost, and in which order they come. One run: its figures are of millions of records."""

import json
import os
import signal
import struct
import subprocess
import tempfile
import time

import containers
import ig
from measure import memory, progress, scaled, tasks_cpu

NODES, RATE, SECONDS = scaled(1000), 100, 20
KUBECTL = os.path.join(os.path.dirname(ig.IG), "tests/bench/bench_cluster")
PLUGIN = os.path.join(os.path.dirname(ig.IG), "kubectl-gadget")


def counted(path):
    """Nodes at which the gadget runs, and records that were sent."""
    with open(path, "rb") as f:
        return struct.unpack("QQ", f.read(16))


def watched(pid, path):
    """From all nodes' records on."""
    containers.wait_for(lambda: os.path.exists(path) and os.path.getsize(path) and counted(path)[0] == NODES, 60, "the nodes")
    time.sleep(2)
    cpu, begin, sent = tasks_cpu(pid), time.monotonic(), counted(path)[1]
    time.sleep(SECONDS)
    wall = time.monotonic() - begin
    return {"cores": (tasks_cpu(pid) - cpu) / wall, "rate": (counted(path)[1] - sent) / wall, **memory(pid)}


def run(lab):
    progress(f"{NODES} nodes")
    path = os.path.join(lab.dir, "count")
    env = dict(ig.ENV, KUBECTL=KUBECTL, CLUSTER_NODES=str(NODES), CLUSTER_COUNT=path)
    with tempfile.TemporaryFile() as errors:
        client = subprocess.Popen([PLUGIN, "run", "trace_open", "-A", "-o", "json"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=errors, env=env)
        checker = subprocess.Popen([KUBECTL, "check"], stdin=client.stdout, stdout=subprocess.PIPE)
        client.stdout.close()
        try:
            figures = watched(client.pid, path)
        finally:
            client.send_signal(signal.SIGINT)
            client.wait(30)
            figures_of_output = json.loads(checker.communicate(timeout=30)[0])
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    progress("")
    # A client that is behind when it is told to end leaves what is still on its way, and names the nodes.
    return {"nodes": NODES, "sent": counted(path)[1], "lost": ig.totals(said).lost, "unanswered": said.count("does not answer"),
            **figures, **figures_of_output}


def table(r):
    print(f"cluster of {r['nodes']} nodes, {r['rate']:.0f} records/s: client {r['cores']:.2f} cores, peak {r['peak'] / 1e6:.1f} MB; "
          f"sent {r['sent']}, shown {r['records']}, said to be lost {r['lost']}, nodes "
          f"without a last answer {r['unanswered']}; {r['late']} marked as late, "
          f"{r['disorder']} others out of order")
