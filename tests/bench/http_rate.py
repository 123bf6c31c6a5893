# SPDX-License-Identifier: Apache-2.0
"""trace_http under as many requests as two processes can ask and answer, on keep-alive connections: without it, where
nobody is watched, where the client is, and where both ends are."""

import os
import re
import signal

import ig
from gadgets import counting, runs
from measure import REPEAT, SCALE, median, progress, tasks_cpu

SECONDS = max(1, round(3 * SCALE))


def ask(client):
    """(answered, seconds)"""
    client.exec("sh", "-c", f"load_http {SECONDS}")
    answered, us = re.findall(r"answered (\d+) us (\d+)", client.log())[-1]
    return int(answered), int(us) / 1e6


def measure(client, watched):
    if not watched:
        answered, seconds = ask(client)
        return {"answered": answered, "per_second": answered / seconds}
    with open(os.devnull, "wb") as null, ig.Ig("run", "trace_http", "-o", "json", "-c", watched, stdout=null) as running:
        running.ready()
        cpu, (ns, _) = tasks_cpu(running.pid), runs(running.pid)
        answered, seconds = ask(client)
        cpu, ns = tasks_cpu(running.pid) - cpu, runs(running.pid)[0] - ns
        running.stop(signal.SIGINT)
        totals = ig.totals(running.err)
    return {"answered": answered, "per_second": answered / seconds, "seen": totals.seen, "lost": totals.lost,
            "ig_us": cpu * 1e6 / answered, "kernel_us": ns / 1e3 / answered}


def run(lab):
    def beside(config):
        for namespace in config["linux"]["namespaces"]:
            if namespace["type"] == "network":
                namespace["path"] = f"/proc/{server.pid}/ns/net"

    server = lab.start("load_http serve")
    client = lab.start("sleep 100000", edit=beside)
    variants = {"untraced": None, "unwanted": "no-such-container", "client": client.name, "both": f"{client.name},{server.name}"}
    results = {v: [] for v in variants}
    try:
        with counting():
            for turn in range(REPEAT):
                for name, watched in variants.items():
                    progress(f"http: {name}, {turn + 1} of {REPEAT}")
                    results[name].append(measure(client, watched))
    finally:
        client.delete()
        server.delete()
    return {v: {key: median(r, key) for key in r[0]} | {"lost_worst": max(x.get("lost", 0) for x in r)} for v, r in results.items()}


def table(results):
    base = results["untraced"]["per_second"]
    for name, r in results.items():
        line = f"http: {name:<9}{r['per_second']:>8.0f} requests/s ({r['per_second'] / base:.3f})"
        if "seen" in r:
            line += (f"; of each request ig takes {r['ig_us']:.2f} us, programs {r['kernel_us']:.2f} us; "
                     f"{r['seen']:.0f} records of {r['answered']:.0f} requests, at worst {r['lost_worst']} lost")
        print(line)
