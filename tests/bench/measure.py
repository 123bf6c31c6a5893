# SPDX-License-Identifier: Apache-2.0
"""What the measurements share: a process's CPU and memory, medians, another process that watches."""

import concurrent.futures
import contextlib
import glob
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import containers
import ig

REPEAT = int(os.environ.get("REPEAT", "5"))
SCALE = float(os.environ.get("SCALE", "1"))


def scaled(count):
    return max(1, int(count * SCALE))


# ---- processes -----------------------------------------------------------------------------------

def tasks_cpu(pid):
    """Seconds of CPU of all threads of a process, as the scheduler counts them."""
    total = 0
    for task in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with contextlib.suppress(OSError):
            with open(task) as f:
                total += int(f.read().split()[0])
    return total / 1e9


def children_cpu():
    """Seconds of CPU of all that we waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def memory(pid):
    with open(f"/proc/{pid}/status") as f:
        text = f.read()
    return {key: int(re.search(rf"^{name}:\s+(\d+)", text, re.M).group(1)) * 1024
            for key, name in (("peak", "VmHWM"), ("resident", "VmRSS"))}


def map_bytes(pid):
    """Kernel memory of the maps that a process holds, as the kernel says it."""
    maps = {}
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        with contextlib.suppress(OSError):
            with open(path) as f:
                numbers = dict(re.findall(r"^(map_id|memlock):\s+(\d+)", f.read(), re.M))
            if "map_id" in numbers:
                maps[numbers["map_id"]] = int(numbers["memlock"])
    return sum(maps.values())


def attached(pid):
    """How many descriptors it holds that keep a program attached: links, perf events. Cheap enough for a look a ms."""
    count = 0
    with contextlib.suppress(OSError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
                count += "bpf_link" in target or "bpf-link" in target or "perf_event" in target
    return count


class Tracer:
    """Another process that watches, with its output going nowhere."""

    def __init__(self, *args, ready=None):
        self.err = tempfile.TemporaryFile()
        self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=self.err,
                                        env=ig.ENV)
        try:
            self.settle(ready)
            if self.process.poll() is not None:
                raise RuntimeError(f"{args[0]} ended: {self.errors()}")
        except BaseException:
            self.stop()
            raise

    def settle(self, seconds):
        """Until its CPU stands still, at least so long."""
        end, last = time.monotonic() + 15, -1.0
        time.sleep(seconds or 0.3)
        while time.monotonic() < end:
            now = tasks_cpu(self.process.pid)
            if now - last < 0.003:
                break
            last = now
            time.sleep(0.25)
        self.before = tasks_cpu(self.process.pid)

    def errors(self):
        self.err.seek(0)
        return self.err.read().decode(errors="replace")

    def result(self):
        self.settle_after()
        return dict(memory(self.process.pid), cpu=tasks_cpu(self.process.pid) - self.before, maps=map_bytes(self.process.pid))

    def settle_after(self):
        end, last = time.monotonic() + 10, -1.0
        while (now := tasks_cpu(self.process.pid)) - last > 0.002 and time.monotonic() < end:
            last = now
            time.sleep(0.2)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def built(lab, gadget):
    """The object of a gadget that only tests have."""
    path = os.path.join(lab.dir, f"{gadget}.bpf.o")
    if not os.path.exists(path):
        ig.once("build", os.path.join(containers.TOP, "tests/gadgets", gadget), "-o", path, check=0)
    return path


# ---- many at a time --------------------------------------------------------------------------------

def each(function, items, at_a_time):
    """function(item) for all, so many at a time. The first failure, or Ctrl-C, keeps those that wait from starting."""
    pool = concurrent.futures.ThreadPoolExecutor(at_a_time)
    try:
        for future in concurrent.futures.as_completed([pool.submit(function, item) for item in items]):
            future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def quietly(*args):
    """A program whose failure is said, and that a Ctrl-C for us does not reach."""
    done = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          start_new_session=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(args)}: exit {done.returncode}\n{done.stderr.decode(errors='replace')}")


# ---- figures -----------------------------------------------------------------------------------------

def median(runs, *path):
    values = []
    for r in runs:
        for p in path:
            r = r.get(p, {}) if isinstance(r, dict) else {}
        if isinstance(r, (int, float)):
            values.append(r)
    return statistics.median(values) if values else None


def number(value, form="{:.0f}"):
    return "-" if value is None else form.format(value)


def progress(text):
    if sys.stderr.isatty():
        print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)
