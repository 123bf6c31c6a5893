# SPDX-License-Identifier: Apache-2.0
"""A runtime's daemon in the background, and how its leftovers are swept."""

import contextlib
import os
import subprocess

import containers


class Daemon:
    """A program that answers after a while. Its output is in DIR/NAME.log."""

    def __init__(self, folder, name, args, ready, seconds=30, env=None):
        self.log = os.path.join(folder, f"{name}.log")
        with open(self.log, "wb") as log:
            # A session of its own: Ctrl-C is for the tests, which end it in order.
            self.process = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                                            start_new_session=True)

        def answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"{name} ended: {self.process.returncode}\n{self.tail()}")
            return ready()
        try:
            containers.wait_for(answers, seconds, f"answer of {name}")
        except TimeoutError as e:
            self.stop()
            raise RuntimeError(f"{e}\n{self.tail()}") from None
        except BaseException:
            self.stop()
            raise

    def tail(self):
        with open(self.log, errors="replace") as f:
            return "".join(f.readlines()[-10:])

    @property
    def pid(self):
        return self.process.pid

    def stop(self, seconds=15):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def unmount_below(folder):
    """Everything that is mounted below it, deepest first."""
    with open("/proc/self/mounts") as f:
        mounts = [line.split()[1] for line in f]
    for mount in sorted((m for m in mounts if m.startswith(folder + "/")), reverse=True):
        containers.run("umount", "-l", mount, check=False)


def remove_empty(*folders):
    """Folders of the machine that others use as well: those that are empty go."""
    for folder in folders:
        with contextlib.suppress(OSError):
            os.rmdir(folder)


def remove_empty_cgroups(*names):
    """The same for cgroups right below the root of each hierarchy."""
    for name in names:
        remove_empty(*(os.path.join(top, name) for top in containers.hierarchies()))
