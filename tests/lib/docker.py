# SPDX-License-Identifier: Apache-2.0
"""A dockerd of our own, with all its state in one folder and no network."""

import json
import os
import shutil

import containers
import daemon
import image


class Docker:
    """Called with the client's arguments, it returns what that prints."""

    NAME = "docker"
    IMAGE = image.BUSYBOX

    def __init__(self, lab, view=None):
        containers.require("dockerd", "docker", "containerd", "containerd-shim-runc-v2", "runc")
        self.dir = os.path.join(lab.dir, f"docker{next(lab.numbers)}")
        os.makedirs(self.dir)
        self.socket = f"{self.dir}/docker.sock"
        self.env = dict(os.environ, DOCKER_HOST=f"unix://{self.socket}", DOCKER_CONFIG=f"{self.dir}/client")
        with open(f"{self.dir}/daemon.json", "w") as f:
            f.write("{}")
        self.command = [
            *(view.enter if view else ()), "dockerd", "--config-file", f"{self.dir}/daemon.json",
            "--host", self.env["DOCKER_HOST"], "--pidfile", f"{self.dir}/docker.pid",
            "--data-root", f"{self.dir}/root", "--exec-root", f"{self.dir}/run", "--storage-driver", "overlay2",
            "--exec-opt", "native.cgroupdriver=cgroupfs", "--bridge=none", "--iptables=false", "--ip6tables=false",
            "--ip-forward=false", "--ip-masq=false", "--log-level", "warn"]
        self._start()
        try:
            self("load", "-q", "-i", lab.images)
        except BaseException:
            self.close()
            raise

    def _start(self):
        self.daemon = daemon.Daemon(self.dir, "dockerd", self.command, self._answers)

    def restart(self):
        self.daemon.stop()
        self._start()

    def _answers(self):
        return containers.run("docker", "version", check=False, env=self.env).returncode == 0

    def __call__(self, *args, check=True):
        return containers.run("docker", *args, check=check, env=self.env).text.strip()

    @property
    def flags(self):
        """What ig has to be told to find it: nothing lies where a system's Docker has it."""
        return ["--docker-socketpath", self.socket]

    def start(self, name, *command, options=()):
        """A container in the background, without a network. One string is for its shell."""
        if len(command) == 1:
            command = ("sh", "-c", command[0])
        ident = self("run", "-d", "--name", name, "--network", "none", *options, self.IMAGE, *command)
        return containers.Started(self, name, ident)

    def run(self, name, *command, options=()):
        """A container to its end, and away; what it printed."""
        return self("run", "--rm", "--name", name, "--network", "none", *options, self.IMAGE, *command)

    def exec(self, name, *command):
        return self("exec", name, *command)

    def inspect(self, name):
        return json.loads(self("inspect", name))[0]

    def pid_of(self, name):
        return self.inspect(name)["State"]["Pid"]

    def remove(self, *names):
        self("rm", "-f", *names, check=False)

    def close(self):
        # By the daemon, while there is one: nobody else ends their shims.
        ids = self("ps", "-aq", check=False).split() if self.daemon.process.poll() is None else []
        if ids:
            self.remove(*ids)
        self.daemon.stop()
        daemon.unmount_below(self.dir)
        daemon.remove_empty_cgroups("docker")
        daemon.remove_empty("/run/docker/plugins", "/run/docker", "/run/containerd/s", "/run/containerd")
        shutil.rmtree(self.dir, ignore_errors=True)
