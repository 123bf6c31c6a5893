# SPDX-License-Identifier: Apache-2.0
"""tcpdump, ours and the real one: the highest rate of numbered packets at which each is in the file. What ours does not have
it must have counted as lost."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import containers
import ig
from measure import SCALE, progress, tasks_cpu

RATE = 20_000
SECONDS = max(1, round(3 * SCALE))
MOST = 1 << 20
FILTER = "udp dst port 9000"


def numbers(path):
    """Of the packets in a capture of either kind."""
    with open(path, "rb") as f:
        return set(re.findall(rb"IGPKT(\d{10})", f.read()))


def send(container, rate):
    """(sent, seconds)"""
    container.exec("sh", "-c", f"load_udp {rate} {SECONDS}")
    sent, us = re.findall(r"sent (\d+) us (\d+)", container.log())[-1]
    return int(sent), int(us) / 1e6


def ours(container, rate, path):
    with open(path, "wb") as out, ig.Ig("run", "tcpdump", "-o", "pcap-ng", "--pf", FILTER, "-c", container.name,
                                        stdout=out) as running:
        running.ready()
        cpu = tasks_cpu(running.pid)
        sent, seconds = send(container, rate)
        cpu = tasks_cpu(running.pid) - cpu
        running.stop(signal.SIGINT)
        lost = ig.totals(running.err).lost
    return sent, seconds, lost, cpu


def real(container, rate, path):
    process = subprocess.Popen(["nsenter", "-t", str(container.pid), "-n", "tcpdump", "-i", "lo", "-n", "-Z", "root", "-w", path,
                                FILTER], stderr=subprocess.PIPE, text=True)
    assert any("listening" in line for line in process.stderr)
    cpu = tasks_cpu(process.pid)
    sent, seconds = send(container, rate)
    cpu = tasks_cpu(process.pid) - cpu
    time.sleep(1.5)  # it reads its ring once a second, and leaves the rest
    process.send_signal(signal.SIGINT)
    said = process.communicate()[1]
    return sent, seconds, int(re.search(r"(\d+) packets dropped by kernel", said).group(1)), cpu


def measure(who, capture, container, rate, folder):
    path = os.path.join(folder, "capture")
    progress(f"{who}: {rate} packets/s")
    sent, seconds, lost, cpu = capture(container, rate, path)
    captured = len(numbers(path))
    return {"who": who, "rate": rate, "per_second": sent / seconds, "sent": sent, "captured": captured, "lost": lost,
            "unaccounted": sent - captured - lost, "percent": 100 * cpu / seconds}


def climb(who, capture, container, folder):
    rows, rate = [], RATE
    while rate <= MOST:
        rows.append(measure(who, capture, container, rate, folder))
        # Too much for it, or as much as the load can do.
        if rows[-1]["captured"] < rows[-1]["sent"] or rows[-1]["per_second"] < 0.9 * rate:
            break
        rate += rate // 2
    return rows


def run(lab):
    containers.require("tcpdump")
    container = lab.start("sleep 100000")
    folder = tempfile.mkdtemp(prefix="ig-packets-", dir="/dev/shm")
    try:
        return climb("ig", ours, container, folder) + climb("tcpdump", real, container, folder)
    finally:
        container.delete()
        shutil.rmtree(folder)


def table(rows):
    best = {}
    for r in rows:
        print("packets: {who:7} {per_second:.0f}/s: {captured} of {sent} in the file, {lost} counted as lost, {unaccounted} "
              "neither; {percent:.1f} % of a core".format(**r))
        if r["captured"] == r["sent"]:
            best[r["who"]] = max(best.get(r["who"], 0), r["per_second"])
    print("packets: highest rate with each in the file: " + ", ".join(f"{who} {rate:.0f}/s" for who, rate in best.items()) +
          (f"; ratio {best['ig'] / best['tcpdump']:.2f}" if len(best) == 2 else ""))
