# SPDX-License-Identifier: Apache-2.0
"""Other views of the machine, mostly of its cgroups: namespaces in which commands run. The machine's own mounts stay."""

import subprocess

import containers


class View:
    """A mount namespace in which `script` was run, and others beside it (as `--net`). `enter` goes before a command that shall
    run in it."""

    def __init__(self, script, *others):
        containers.require("unshare", "nsenter")
        self.process = subprocess.Popen(["unshare", "--mount", *others, "--propagation", "private", "sh", "-ec",
                                         f"{script}\necho made; exec cat"],  # until we close its input, or end
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said = self.process.stdout.readline()
        if said != b"made\n":
            said += self.process.stdout.read()
            self.close()
            raise RuntimeError(f"making another view of the machine: {said.decode(errors='replace')}")
        self.enter = ("nsenter", f"--target={self.process.pid}", "--mount", *others, "--")

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def pure_cgroup2():
    """/sys/fs/cgroup is cgroup v2 and nothing else."""
    return View("umount -R /sys/fs/cgroup\nmount -t cgroup2 none /sys/fs/cgroup")


def without_cgroup2():
    """No cgroup v2, where the machine has v1 as well: runtimes then put containers into v1 alone."""
    root = containers.cgroup2_root()
    return View(f"umount {root}" if root != "/sys/fs/cgroup" else ":")
