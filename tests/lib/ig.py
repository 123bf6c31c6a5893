# SPDX-License-Identifier: Apache-2.0
"""Runs ig and reads what it prints."""

import collections
import json
import os
import platform
import re
import signal
import subprocess
import tempfile
import time

import containers

IG = os.environ.get("IG", os.path.join(containers.TOP, "build", "ig"))
ENV = dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm-256color")

# Numbers of epoll_wait, epoll_pwait, epoll_pwait2.
EPOLL = {"x86_64": ("232", "281", "441"), "aarch64": ("22", "441")}.get(platform.machine(), ())
WRITE = {"x86_64": "1", "aarch64": "64"}.get(platform.machine())

# What ignores it and starts us (a shell in the background, busybox's always) hands that on.
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

Totals = collections.namedtuple("Totals", "seen delivered discarded lost")


def once(*args, timeout=30, check=None, env=None, view=None, command=(IG,), **kwargs):
    """An ig that ends by itself: .out, .err (texts), .returncode. command: how it is run, if not here."""
    done = subprocess.run([*(view.enter if view else ()), *command, *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=timeout * containers.SLOWER, env=dict(ENV, **(env or {})), **kwargs)
    done.out = done.stdout.decode(errors="surrogateescape")
    done.err = done.stderr.decode(errors="surrogateescape")
    if check is not None:
        assert done.returncode == check, f"ig {' '.join(args)}: exit {done.returncode}\n{done.out}{done.err}"
    return done


def records(text):
    """The records of JSON lines, without ig's own notes."""
    return [r for r in lines(text) if set(r) != {"ig"}]


def notes(text):
    return [r["ig"] for r in lines(text) if set(r) == {"ig"}]


def lines(text):
    return [json.loads(line) for line in text.splitlines() if line]


def totals(err, gadget=None):
    """seen, delivered, discarded, lost as the last lines on stderr say them, of all gadgets or of one."""
    sums, found = [0, 0, 0, 0], False
    for line in err.splitlines():
        if line.startswith(" ") or gadget and gadget not in line:
            continue  # of one container, or of another gadget
        numbers = []
        for word in Totals._fields:
            # "seen=5" or "5 seen".
            m = re.search(rf"\b{word}[=: ]+(\d+)", line) or re.search(rf"(\d+) {word}\b", line)
            numbers.append(int(m.group(1)) if m else None)
        if None not in numbers:
            found = True
            sums = [a + b for a, b in zip(sums, numbers)]
    assert found, f"no totals on stderr:\n{err}"
    return Totals(*sums)


def get(record, path):
    """A value by its path, "proc.parent.pid"; None where there is none."""
    for part in path.split("."):
        if not isinstance(record, dict) or part not in record:
            return None
        record = record[part]
    return record


def container_of(record):
    return get(record, "runtime.containerName")


def place(record):
    """Where in Kubernetes: (namespace, pod, container)."""
    return tuple(get(record, f"k8s.{field}") for field in ("namespace", "podName", "containerName"))


def listed(*args, **kwargs):
    """What list-containers shows."""
    return lines(once("list-containers", "-o", "json", *args, check=0, **kwargs).out)


def entry(rows, name):
    """The one row of this container."""
    found = [r for r in rows if container_of(r) == name]
    assert len(found) == 1, f"{name}: {rows}"
    return found[0]


def resolved(records):
    """Without those of containers whose names did not come: they are shown whatever the selector, and may be anybody's."""
    return [r for r in records if get(r, "runtime.resolved") is not False]


def said(*words):
    """Is a record that of containers.say() or keep_saying() of one of these words?"""
    marked = [containers.mark(word) for word in words]
    return lambda r: any(word in (get(r, "args") or []) for word in marked)


class Ig:
    """An ig in the background, in a view.View if one is given. As a context it is ended, if it still runs, on leaving."""

    def __init__(self, *args, stdout=None, env=None, view=None, command=(IG,)):
        self.args = args
        self.out_file = tempfile.TemporaryFile()
        self.err_file = tempfile.TemporaryFile()
        self.process = subprocess.Popen([*(view.enter if view else ()), *command, *args], stdin=subprocess.DEVNULL,
                                        stdout=stdout or self.out_file, stderr=self.err_file, env=dict(ENV, **(env or {})))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _read(self, file):
        size = os.fstat(file.fileno()).st_size
        return os.pread(file.fileno(), size, 0).decode(errors="surrogateescape")

    @property
    def out(self):
        return self._read(self.out_file)

    @property
    def err(self):
        return self._read(self.err_file)

    @property
    def pid(self):
        return self.process.pid

    def links(self):
        """How many BPF links it holds."""
        n = 0
        try:
            for fd in os.listdir(f"/proc/{self.pid}/fdinfo"):
                try:
                    with open(f"/proc/{self.pid}/fdinfo/{fd}") as f:
                        n += "link_id:" in f.read()
                except FileNotFoundError:
                    pass
        except FileNotFoundError:
            pass
        return n

    def call(self):
        """The number of the system call that it is in; None: it runs."""
        try:
            with open(f"/proc/{self.pid}/syscall") as f:
                return f.read().split()[0]
        except OSError:
            return None

    def ready(self, seconds=20):
        """Waits until its programs are attached: there are links, and it is done with its start and waits for what comes."""
        end, writes = time.monotonic() + seconds * containers.SLOWER, 0
        while True:
            call = self.call()
            writes = writes + 1 if call == WRITE else 0  # nobody reads what it says
            if (call in EPOLL or writes > 20) and self.links():
                return self
            assert self.process.poll() is None, f"ig {' '.join(self.args)} ended: {self.process.returncode}\n{self.err}"
            assert time.monotonic() < end, f"ig attached nothing within {seconds} s\n{self.err}"
            time.sleep(0.01)

    def _whole_lines(self):
        out = self.out  # once: it grows
        return out[:out.rfind("\n") + 1]

    def records(self):
        """Those of the whole lines so far."""
        return records(self._whole_lines())

    def notes(self):
        return notes(self._whole_lines())

    def wait_record(self, matches, seconds=10):
        """The first record for which matches(record) holds."""
        def look():
            ended = self.process.poll() is not None
            found = [r for r in self.records() if matches(r)]
            assert found or not ended, f"ig {' '.join(self.args)} has ended without such record\n{self.err}"
            return found
        try:
            return containers.wait_for(look, seconds, "such record")[0]
        except TimeoutError as e:
            raise AssertionError(f"{e}; stderr:\n{self.err}\nlast records:\n{self.out[-3000:]}") from None

    def stop(self, sig=signal.SIGINT, seconds=20):
        """Ends it as a person would; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        return self.wait(seconds)

    def wait(self, seconds=30):
        try:
            return self.process.wait(seconds * containers.SLOWER)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"ig {' '.join(self.args)} does not end\n{self.err}") from None

    def totals(self, gadget=None):
        return totals(self.err, gadget)
