# SPDX-License-Identifier: Apache-2.0
"""The agent of a node with as many pods as a kubelet takes (110, itself among them): deployed as users do, in a real cluster of
one node, with nobody who asks it anything but its probes. What it has in memory, and what it takes while the pods are idle."""

import contextlib
import re
import time

import containers
from cluster import Cluster
from deployed import Deployed, deployment, put_image
from measure import map_bytes, progress, scaled, tasks_cpu

PODS, SECONDS = scaled(110), 60


def memory(pid):
    """Bytes that it has in memory: its own, of files (the program's, mostly), and of BPF maps; and what its maps, with the rings of
    traceloop, take of the kernel's."""
    sums, kind = {"anonymous": 0, "files": 0, "mapped": 0}, None
    with open(f"/proc/{pid}/smaps") as f:
        for line in f:
            word, *rest = line.split()
            if not word.endswith(":"):
                kind = "mapped" if "bpf-map" in line else "files"
            elif word == "Rss:":
                rss = int(rest[0]) * 1024
            elif word == "Anonymous:":
                sums["anonymous"] += int(rest[0]) * 1024
                sums[kind] += rss - int(rest[0]) * 1024
    with open(f"/proc/{pid}/status") as f:
        resident, = re.findall(r"^VmRSS:\s+(\d+)", f.read(), re.M)
    return {**sums, "resident": int(resident) * 1024, "maps": map_bytes(pid)}


def settled(pid):
    """When what it has to do with new pods is done: half a minute in which it takes next to nothing."""
    def quiet():
        before = tasks_cpu(pid)
        time.sleep(5)
        return tasks_cpu(pid) - before < 0.1
    containers.wait_for(quiet, 120, "the agent's rest")


def run(lab):
    progress("pods: a cluster")
    with contextlib.closing(Cluster(lab)) as cluster:
        put_image(cluster)
        with Deployed(cluster) as agent:
            few = memory(agent.pid)
            idle = deployment("idle", "default", {"app": "idle"}, main="sleep 100000")
            idle["spec"]["replicas"] = PODS - 1
            progress(f"pods: {PODS}")
            cluster.apply(idle)
            cluster.kubectl("rollout", "status", "deployment/idle", "--timeout=600s", timeout=620)
            settled(agent.pid)
            listed = len(agent.once("list-containers", "-o", "json", check=0).out.splitlines())
            cpu, begin = tasks_cpu(agent.pid), time.monotonic()
            time.sleep(SECONDS)
            used = (tasks_cpu(agent.pid) - cpu) / (time.monotonic() - begin)
            many = memory(agent.pid)
    progress("")
    return {"pods": PODS, "containers": listed, "cpu": used, "few": few, "many": many}


def table(r):
    for name, memory_of in ((f"{r['pods']} pods", r["many"]), ("the agent alone", r["few"])):
        print("agent, {}: resident {resident:.1f} MB (its own {anonymous:.1f}, files {files:.1f}, of maps {mapped:.1f}); "
              "maps in the kernel {maps:.1f} MB".format(name, **{k: v / 1e6 for k, v in memory_of.items()}))
    print(f"idle, with {r['containers']} containers: {r['cpu'] * 1000:.1f} m CPU")
