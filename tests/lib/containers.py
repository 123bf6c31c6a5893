# SPDX-License-Identifier: Apache-2.0
"""Real containers for tests: runc directly, and podman.

All state lies in one temporary folder; close() ends what was started, and nothing else.
"""

import contextlib
import copy
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))


class Missing(Exception):
    """This machine lacks something that the tests need."""


def require(*programs):
    if os.geteuid() != 0:
        raise Missing("these tests load BPF programs and start containers: run them as root")
    for program in programs:
        if not shutil.which(program):
            raise Missing(f"'{program}' is not installed (./dev check installs it)")


def run(*args, check=True, timeout=60, **kwargs):
    """A program that ends by itself; its output is part of the error when it fails."""
    done = subprocess.run(args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout, **kwargs)
    done.text = done.stdout.decode(errors="replace")
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(args)}: exit {done.returncode}\n{done.text}")
    return done


def wait_for(condition, seconds=10.0, what="condition"):
    """The first true value of condition(); an error when there is none in time."""
    end = time.monotonic() + seconds
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


def cgroups(name):
    """Folders of the cgroups of that name, wherever they are."""
    return [os.path.join(top, name) for top, folders, _ in os.walk("/sys/fs/cgroup") if name in folders]


def remove_cgroups(name, seconds=2):
    """Removes the cgroups of that name with all below; those still in use after a while stay."""
    def remove():
        for folder in cgroups(name):
            for sub, _, _ in os.walk(folder, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(sub)
        return not cgroups(name)

    with contextlib.suppress(TimeoutError):
        wait_for(remove, seconds)


class Container:
    """One runc container. Its state is where runc keeps it by default, as a user's would be."""

    def __init__(self, lab, name, args, edit=None):
        self.lab, self.name = lab, name
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
            done = subprocess.run(["runc", *args], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                  timeout=timeout)
        if check and done.returncode:
            raise RuntimeError(f"runc {' '.join(args)}: exit {done.returncode}\n{self.log()}")
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
        done = run("runc", "state", self.name, check=False)
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

    def wait(self, seconds=20):
        wait_for(lambda: self.state().get("status") in (None, "stopped"), seconds, f"end of {self.name}")

    def delete(self):
        if self.state():
            run("runc", "delete", "-f", self.name, check=False)
        remove_cgroups(self.name)


class Lab:
    """A temporary folder with a busybox root file system, and what was started from it."""

    def __init__(self, programs=()):
        require("runc", "busybox", "gcc")
        self.dir = tempfile.mkdtemp(prefix="ig-test-")
        self.rootfs = os.path.join(self.dir, "rootfs")
        self.prefix = f"t{os.getpid()}"
        self.numbers = itertools.count(1)
        self.containers = []
        try:
            run(os.path.join(HERE, "rootfs"), self.rootfs, *programs)
            with open(os.path.join(HERE, "config.json")) as f:
                self.template = json.load(f)
        except BaseException:
            shutil.rmtree(self.dir, ignore_errors=True)
            raise

    def name(self, hint="c"):
        return f"{self.prefix}-{hint}{next(self.numbers)}"

    def container(self, *args, name=None, edit=None, annotations=None):
        """A container that is not started yet. args: a command, or one string for its shell."""
        if len(args) == 1:
            args = ("sh", "-c", args[0])

        def change(config):
            if annotations:
                config["annotations"] = annotations
            if edit:
                edit(config)

        c = Container(self, name or self.name(), args, change)
        self.containers.append(c)
        return c

    def start(self, *args, **kwargs):
        return self.container(*args, **kwargs).start()

    def reap(self, since=0):
        """Ends containers, the newest first, down to the `since` oldest."""
        while len(self.containers) > since:
            self.containers.pop().delete()

    def close(self):
        self.reap()
        shutil.rmtree(self.dir, ignore_errors=True)


class Podman:
    """podman with all its state in one folder and no network; containers run by runc."""

    IMAGE = "localhost/busybox:test"

    def __init__(self, lab):
        require("podman", "conmon", "runc")
        self.dir = os.path.join(lab.dir, "podman")
        os.makedirs(self.dir)
        self.env = dict(os.environ, CONTAINERS_CONF=os.path.join(self.dir, "containers.conf"))
        # Where root lacks CAP_SYS_RESOURCE the limits that podman sets by itself are above ours.
        with open(self.env["CONTAINERS_CONF"], "w") as f:
            f.write('[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
                    '[containers]\nnetns = "none"\npids_limit = 0\n'
                    'default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n')
        tar = os.path.join(self.dir, "rootfs.tar")
        run("tar", "-C", lab.rootfs, "-cf", tar, ".")
        try:
            self("import", "-q", "--change", "CMD=/bin/sh", tar, self.IMAGE)
        except BaseException:
            self.close()
            raise
        os.unlink(tar)

    def __call__(self, *args, check=True):
        return run("podman", "--root", f"{self.dir}/root", "--runroot", f"{self.dir}/run",
                   "--tmpdir", f"{self.dir}/tmp", "--storage-driver", "overlay", "--cgroup-manager",
                   "cgroupfs", "--events-backend", "file", "--runtime", shutil.which("runc"), *args,
                   check=check, env=self.env).text.strip()

    def close(self):
        self("rm", "-f", "-a", "-t", "0", check=False)
        mounts = [line.split()[1] for line in open("/proc/self/mounts")]
        for mount in sorted((m for m in mounts if m.startswith(self.dir + "/")), reverse=True):
            run("umount", "-l", mount, check=False)
        remove_cgroups("libpod_parent")
