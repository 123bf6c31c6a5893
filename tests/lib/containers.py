# SPDX-License-Identifier: Apache-2.0
"""Real containers for tests, by runc directly; containerd.py, docker.py and podman.py have the other runtimes.

All state lies in one temporary folder; close() ends what was started, and nothing else.
"""

import contextlib
import copy
import functools
import importlib
import itertools
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import image

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))

# A guest of check-kernels is several times slower than a machine: what is waited for may take longer, loads are smaller.
SLOWER = float(os.environ.get("SLOWER", "1"))


class Missing(Exception):
    """This machine lacks something that the tests need."""


# Debian's package of a program, where the names differ.
PACKAGES = {
    "busybox": "busybox-static",
    "ctr": "containerd", "containerd-shim-runc-v2": "containerd",
    "dig": "bind9-dnsutils", "dnsmasq": "dnsmasq-base",
    "docker": "docker.io", "dockerd": "docker.io",
    "ip": "iproute2",
    "iptables": "iptables",
    "kubectl": "kubernetes-client",
    "nghttpx": "nghttp2-proxy",
    "perf": "linux-perf",
    "nsenter": "util-linux", "unshare": "util-linux",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "/usr/lib/cni/host-local": "containernetworking-plugins",
}


def require(*programs):
    if os.geteuid() != 0:
        raise Missing("these tests load BPF programs and start containers: run them as root")
    for program in programs:
        if not shutil.which(program):
            raise Missing(f"'{program}' is not installed: it is in Debian's package {PACKAGES.get(program, program)} "
                          "(./dev check installs it)")


def require_module(name, package):
    """A Python module that only some tests need."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise Missing(f"Python's module '{name}' is not installed for {sys.executable}: it is in Debian's package "
                      f"{package} (./dev check installs it)") from None


def mark(word):
    """A word that no other run of the tests says: ig sees those that run at the same time, too."""
    return f"{word}.{os.getpid()}"


def say(word):
    """A command, for records to be known by (ig.said)."""
    return ("/bin/busybox", "echo", mark(word))


def keep_saying(word):
    """A script that says it ten times a second."""
    return f"while :; do busybox echo {mark(word)} >/dev/null; busybox sleep 0.1; done"


def read(path):
    with open(path, errors="replace") as f:
        return f.read()


def fewer(count):
    """Size of a load, for this machine."""
    return int(count / SLOWER)


def run(*args, check=True, timeout=60, **kwargs):
    """A program that ends by itself; its output is part of the error when it fails."""
    done = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout * SLOWER, **kwargs)
    done.text = done.stdout.decode(errors="replace")
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(args)}: exit {done.returncode}\n{done.text}")
    return done


def wait_for(condition, seconds=10.0, what="condition"):
    """The first true value of condition(); an error when there is none in time."""
    end = time.monotonic() + seconds * SLOWER
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"no {what} within {seconds} s")
        time.sleep(0.02)


def cgroup2_root():
    for line in open("/proc/self/mounts"):
        fields = line.split()
        if fields[2] == "cgroup2":
            return fields[1]
    raise Missing("no cgroup v2 hierarchy is mounted")


# All that runc needs to run in a container; where root lacks a capability, all of them cannot be given.
MANY_CAPABILITIES = ["CAP_" + name for name in (
    "AUDIT_WRITE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL MKNOD NET_ADMIN NET_BIND_SERVICE NET_RAW SETFCAP "
    "SETGID SETPCAP SETUID SYS_ADMIN SYS_CHROOT SYS_PTRACE").split()]


def privileged(config):
    """An `edit` of a container's config: it may do as much as a container can, and sees the machine's cgroups."""
    # A runtime in it loads a BPF program for each container's devices, which before 5.11 is locked memory.
    _, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    hard %= 1 << 64  # RLIM_INFINITY is -1 here
    config["process"]["rlimits"] = [{"type": "RLIMIT_MEMLOCK", "soft": hard, "hard": hard}]
    config["process"]["noNewPrivileges"] = False
    config["process"]["capabilities"] = {s: MANY_CAPABILITIES for s in ("bounding", "effective", "permitted")}
    config["linux"]["resources"]["devices"] = [{"allow": True, "access": "rwm"}]
    config["mounts"] += [
        {"destination": "/run", "type": "tmpfs", "source": "tmpfs"},
        {"destination": "/sys/fs/cgroup", "type": "bind", "source": "/sys/fs/cgroup", "options": ["rbind", "rw"]}]


def hierarchies():
    """Where each cgroup hierarchy is mounted."""
    with open("/proc/self/mounts") as f:
        return [line.split()[1] for line in f if line.split()[2] in ("cgroup", "cgroup2")]


def make_cgroups(name):
    """One below the root of each hierarchy, for remove_cgroups()."""
    for top in hierarchies():
        folder = os.path.join(top, name)
        os.mkdir(folder)
        # In cpuset of v1 nothing runs before it is told where.
        for file in ("cpuset.cpus", "cpuset.mems"):
            if os.path.exists(f"{folder}/{file}") and os.path.exists(f"{top}/{file}"):
                with open(f"{top}/{file}") as of_all, open(f"{folder}/{file}", "w") as own:
                    own.write(of_all.read())


def cgroups(name):
    """Folders of the cgroups of that name, wherever they are."""
    return [os.path.join(top, name) for top, folders, _ in os.walk("/sys/fs/cgroup") if name in folders]


def cgroups_by_runc(name):
    """Those where runc makes them, unless it is told otherwise. Quicker than looking at all, where there are thousands."""
    with open("/proc/self/cgroup") as f:
        own = {line.strip().split(":", 2)[2].rstrip("/") for line in f}
    folders = [f"{top}{path}/{name}" for top in hierarchies() for path in {"", *own}]
    return [folder for folder in folders if os.path.isdir(folder)]


def remove_cgroups(name, seconds=2, find=cgroups):
    """Removes the cgroups of that name with all below; those still in use after a while stay."""
    def remove():
        for folder in find(name):
            for sub, _, _ in os.walk(folder, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(sub)
        return not find(name)

    with contextlib.suppress(TimeoutError):
        wait_for(remove, seconds)


class Container:
    """One runc container. Its state is where runc keeps it by default, as a user's would be, or in `root`.

    `view` is a view.View to run runc in; `runtime` may be crun.
    """

    def __init__(self, lab, name, args, edit=None, root=None, view=None, runtime="runc"):
        self.lab, self.name, self.runtime = lab, name, runtime
        self.command = [*(view.enter if view else ()), runtime, *(["--root", root] if root else [])]
        self.bundle = tempfile.mkdtemp(prefix=f"{name}-", dir=lab.dir)
        config = copy.deepcopy(lab.template)
        config["root"]["path"] = lab.rootfs
        config["process"]["args"] = list(args)
        if edit:
            edit(config)
        with open(os.path.join(self.bundle, "config.json"), "w") as f:
            json.dump(config, f)

    def runc(self, *args, check=True, timeout=60):
        # Output goes to a file: a detached container keeps runc's streams, and a pipe would wait for it.
        with open(os.path.join(self.bundle, "log"), "a+b") as log:
            done = subprocess.run([*self.command, *args], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  timeout=timeout * SLOWER)
        if check and done.returncode:
            raise RuntimeError(f"{' '.join([*self.command, *args])}: exit {done.returncode}\n{self.log()}")
        return done.returncode

    def log(self):
        """What runc and the container have printed."""
        with open(os.path.join(self.bundle, "log"), errors="replace") as f:
            return f.read()

    def start(self):
        """Starts it in the background."""
        self.runc("run", "-d", "--bundle", self.bundle, self.name)
        return self

    def run(self, check=False, timeout=60):
        """Runs it to its end, and away; the exit code."""
        return self.runc("run", "--bundle", self.bundle, self.name, check=check, timeout=timeout)

    def exec(self, *args, check=True):
        return self.runc("exec", self.name, *args, check=check)

    def state(self):
        done = run(*self.command, "state", self.name, check=False)
        return json.loads(done.text) if done.returncode == 0 else {}

    @property
    def pid(self):
        return self.state()["pid"]

    @property
    def mntns(self):
        return os.stat(f"/proc/{self.pid}/ns/mnt").st_ino

    @property
    def cgroup(self):
        """Folder of its cgroup v2."""
        for line in open(f"/proc/{self.pid}/cgroup"):
            if line.startswith("0::"):
                return cgroup2_root() + line.strip()[3:]
        raise Missing("runc has put the container in no cgroup v2")

    @property
    def cgroup_id(self):
        return os.stat(self.cgroup).st_ino

    def wait_comms(self, *comms):
        """Waits until its processes are these, whatever they were before their exec."""
        procs = os.path.join(self.cgroup, "cgroup.procs")

        def names():
            with contextlib.suppress(OSError), open(procs) as f:
                return sorted(read(f"/proc/{pid}/comm").strip() for pid in f.read().split())
        wait_for(lambda: names() == sorted(comms), what=f"{' '.join(comms)} in {self.name}")
        return self

    def wait_listens(self, port):
        """Waits until something listens for TCP in its network namespace."""
        def listens(line):
            fields = line.split()
            return fields[1].endswith(f":{port:04X}") and fields[3] == "0A"
        pid = self.pid
        wait_for(lambda: any(listens(line) for table in ("tcp", "tcp6") for line in read(f"/proc/{pid}/net/{table}").splitlines()),
                 what=f"port {port} in {self.name}")
        return self

    def wait(self, seconds=20):
        wait_for(lambda: self.state().get("status") in (None, "stopped"), seconds, f"end of {self.name}")

    def delete(self):
        if self.state():
            run(*self.command, "delete", "-f", self.name, check=False)
        remove_cgroups(self.name, find=cgroups_by_runc)


class Started:
    """A container that a runtime's daemon or podman runs. As a context it is removed, if it is still there, on leaving."""

    def __init__(self, runtime, name, ident):
        self.runtime, self.name, self.id = runtime, name, ident

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    @property
    def pid(self):
        return self.runtime.pid_of(self.name)

    def exec(self, *command):
        return self.runtime.exec(self.name, *command)

    def remove(self):
        self.runtime.remove(self.name)


class Lab:
    """A temporary folder with a busybox root file system, and what was started from it.

    ROOTFS is one that was made before, where there is no compiler.
    """

    def __init__(self, programs=()):
        require("runc", "busybox")
        self.dir = tempfile.mkdtemp(prefix="ig-test-")
        self.rootfs = os.environ.get("ROOTFS")
        self.runtime = "runc"
        self.prefix = f"t{os.getpid()}"
        self.numbers = itertools.count(1)
        self.containers = []
        self.roots = []
        try:
            if not self.rootfs:
                require("gcc")
                self.rootfs = os.path.join(self.dir, "rootfs")
                run(os.path.join(HERE, "rootfs"), self.rootfs, *programs)
            with open(os.path.join(HERE, "config.json")) as f:
                self.template = json.load(f)
        except BaseException:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise

    def name(self, hint="c"):
        return f"{self.prefix}-{hint}{next(self.numbers)}"

    @functools.cached_property
    def images(self):
        """A tar of the images, for any runtime."""
        path = os.path.join(self.dir, "images.tar")
        self.image_ids = image.write(self.rootfs, path)
        return path

    def rootfs_with(self, *programs):
        """A copy of the root file system that has these programs of the machine, with their libraries.

        It is some 50 MB, and gone with the test.
        """
        folder = tempfile.mkdtemp(prefix="rootfs-", dir=self.dir)
        self.roots.append(folder)
        shutil.copytree(self.rootfs, folder, symlinks=True, dirs_exist_ok=True)
        for program in programs:
            require(program)
            path = shutil.which(program)
            libraries = re.findall(r"(/\S+) \(0x", run("ldd", path, check=False).text)
            for file in (path, *libraries):
                os.makedirs(folder + os.path.dirname(file), exist_ok=True)
                shutil.copy(file, folder + file)
        return folder

    def container(self, *args, name=None, edit=None, annotations=None, **kwargs):
        """A container that is not started yet. args: a command, or one string for its shell; kwargs: Container's."""
        if len(args) == 1:
            args = ("sh", "-c", args[0])

        def change(config):
            if annotations:
                config["annotations"] = annotations
            if edit:
                edit(config)

        c = Container(self, name or self.name(), args, change, **{"runtime": self.runtime, **kwargs})
        self.containers.append(c)
        return c

    def start(self, *args, **kwargs):
        return self.container(*args, **kwargs).start()

    def reap(self, since=0):
        """Ends containers, the newest first, down to the `since` oldest."""
        while len(self.containers) > since:
            self.containers.pop().delete()

    def remove_roots(self, first=0):
        """Those of containers that are gone."""
        for folder in self.roots[first:]:
            shutil.rmtree(folder, ignore_errors=True)
        del self.roots[first:]

    def close(self):
        self.reap()
        shutil.rmtree(self.dir, ignore_errors=True)
