# SPDX-License-Identifier: Apache-2.0
"""podman with all its state in one folder, and no network."""

import contextlib
import os
import shutil
import subprocess

import containers
import daemon
import image

# Where root lacks CAP_SYS_RESOURCE the limits that podman sets by itself are above ours.
CONFIG = """[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
[containers]
netns = "none"
pids_limit = 0
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
"""


class Podman:
    """Called with podman's arguments, it returns what podman prints. Its `view` is a view.View that it ends with itself."""

    NAME = "podman"
    IMAGE = image.BUSYBOX
    flags = []  # what ig has to be told to find it: nothing

    def __init__(self, lab, runtime="runc", view=None):
        containers.require("podman", "conmon", runtime)
        self.runtime, self.view = shutil.which(runtime), view
        self.dir = os.path.join(lab.dir, f"podman{next(lab.numbers)}")
        os.makedirs(self.dir)
        self.pods = []
        self.env = dict(os.environ, CONTAINERS_CONF=os.path.join(self.dir, "containers.conf"))
        with open(self.env["CONTAINERS_CONF"], "w") as f:
            f.write(CONFIG)
        try:
            self("load", "-q", "-i", lab.images)
        except BaseException:
            self.close()
            raise

    def command(self, *args):
        enter = self.view.enter if self.view else ()
        return (*enter, "podman", "--root", f"{self.dir}/root", "--runroot", f"{self.dir}/run", "--tmpdir", f"{self.dir}/tmp",
                "--storage-driver", "overlay", "--cgroup-manager", "cgroupfs", "--events-backend", "file",
                "--runtime", self.runtime, *args)

    def __call__(self, *args, check=True):
        return containers.run(*self.command(*args), check=check, env=self.env).text.strip()

    @contextlib.contextmanager
    def service(self):
        """Its API, served as long as the context lasts; the socket."""
        socket = f"{self.dir}/podman.sock"
        process = subprocess.Popen(self.command("system", "service", "--time", "0", f"unix://{socket}"), env=self.env,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            containers.wait_for(lambda: os.path.exists(socket), what="socket of podman")
            yield socket
        finally:
            process.terminate()
            process.wait(10)

    def start(self, name, *command, options=()):
        """A container in the background. One string is for its shell."""
        if len(command) == 1:
            command = ("sh", "-c", command[0])
        ident = self("run", "-d", "--name", name, *options, self.IMAGE, *command)
        return containers.Started(self, name, ident)

    def run(self, name, *command, options=()):
        """A container to its end, and away; what it printed."""
        return self("run", "--rm", "--name", name, *options, self.IMAGE, *command)

    def exec(self, name, *command):
        return self("exec", name, *command)

    def runs(self, name):
        return self("inspect", "-f", "{{.State.Running}}", name) == "true"

    def pid_of(self, name):
        return int(self("inspect", "-f", "{{.State.Pid}}", name))

    def pod(self, name, *options):
        """A pod; its id. Containers join it by `--pod NAME`."""
        self.pods.append(self("pod", "create", "--name", name, "--network", "none", "--infra-image", image.PAUSE,
                              "--infra-command", "/bin/sleep 2147483647", *options))
        return self.pods[-1]

    def remove(self, *names):
        self("rm", "-f", "-t", "0", *names, check=False)

    def remove_pod(self, name):
        self("pod", "rm", "-f", "-t", "0", name, check=False)

    def close(self):
        self("pod", "rm", "-f", "-a", "-t", "0", check=False)
        self("rm", "-f", "-a", "-t", "0", check=False)
        daemon.unmount_below(self.dir)
        if self.view:
            self.view.close()
        daemon.remove_empty_cgroups(*(f"libpod_parent/{pod}" for pod in self.pods), "libpod_parent/conmon", "libpod_parent")
        shutil.rmtree(self.dir, ignore_errors=True)
