# SPDX-License-Identifier: Apache-2.0
"""trace_dns at 8192 queries/s and at the highest rate without loss: a container asks, another one, which nobody watches,
answers. A query and its response are two records."""

import os
import re
import signal

import ig
from gadgets import counting, runs
from measure import SCALE, progress, tasks_cpu

RATE = 8192
SECONDS = max(1, round(5 * SCALE))
MOST = 1 << 19


def ask(client, rate):
    """(asked, answered, seconds)"""
    client.exec("sh", "-c", f"load_dns {rate} {SECONDS}")
    asked, answered, us = re.findall(r"asked (\d+) answered (\d+) us (\d+)", client.log())[-1]
    return int(asked), int(answered), int(us) / 1e6


def measure(client, rate):
    with open(os.devnull, "wb") as null, ig.Ig("run", "trace_dns", "-o", "json", "-c", client.name, stdout=null) as running:
        running.ready()
        cpu, (ns, _) = tasks_cpu(running.pid), runs(running.pid)
        asked, answered, seconds = ask(client, rate)
        cpu, ns = tasks_cpu(running.pid) - cpu, runs(running.pid)[0] - ns
        running.stop(signal.SIGINT)
        totals = ig.totals(running.err)
    return {"rate": rate, "asked_per_second": asked / seconds, "asked": asked, "answered": answered, "seen": totals.seen,
            "lost": totals.lost, "ig_percent": 100 * cpu / seconds, "kernel_percent": 100 * ns / 1e9 / seconds}


def run(lab):
    def beside(config):
        for namespace in config["linux"]["namespaces"]:
            if namespace["type"] == "network":
                namespace["path"] = f"/proc/{server.pid}/ns/net"

    server = lab.start("load_dns serve")
    client = lab.start("sleep 100000", edit=beside)
    rows, rate = [], RATE
    try:
        with counting():
            while rate <= MOST:
                progress(f"dns: {rate} queries/s")
                rows.append(measure(client, rate))
                # As much as the load can do, or too much for ig.
                if rows[-1]["lost"] or rows[-1]["asked_per_second"] < 0.9 * rate:
                    break
                rate += rate // 2
    finally:
        client.delete()
        server.delete()
    return rows


def table(rows):
    for r in rows:
        print("dns: {asked_per_second:.0f} queries/s ({answered} of {asked} answered), {seen} records, {lost} lost; "
              "ig {ig_percent:.1f} % of a core, programs {kernel_percent:.1f} %".format(**r))
    best = max((r["asked_per_second"] for r in rows if not r["lost"]), default=0)
    print(f"dns: highest rate without loss: {best:.0f} queries/s")
