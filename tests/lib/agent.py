# SPDX-License-Identifier: Apache-2.0
"""`ig daemon` with a socket, state and pins of its own, so that it meets no other one of the machine."""

import json
import os
import shutil
import signal
import subprocess
import tempfile

import containers
import daemon
import ig

_number = 0


class AtDaemon:
    """ig at a daemon: `command` is how it is run."""

    def once(self, *args, **kwargs):
        return ig.once(*args, command=self.command, **kwargs)

    def ig(self, *args, **kwargs):
        """An ig in the background."""
        return ig.Ig(*args, command=self.command, **kwargs)

    def dump(self):
        return json.loads(self.once("dump-state", check=0).out)

    def run(self, gadgets, *args, **kwargs):
        """`ig run` in the background, whose gadgets are attached."""
        before = {r["id"] for r in self.dump()["runs"]}
        running = self.ig("run", gadgets, *args, **kwargs)

        def attached():
            assert running.process.poll() is None, running.err
            new = [r for r in self.dump()["runs"] if r["id"] not in before and "totals" in r]
            return len(new) == len(gadgets.split(","))
        try:
            containers.wait_for(attached, 20, "the gadgets' start")
        except BaseException:
            running.__exit__()
            raise
        return running


class Agent(AtDaemon):
    """Answers as soon as it is made; as a context it is stopped on leaving. Its folder, with the state, is kept for
    start() until close()."""

    def __init__(self, *args, env=None, enter=(), view=None):
        """enter: a command that runs it, as unshare does; view: a view.View in which it runs."""
        global _number
        _number += 1
        self.args, self.env, self.enter = args, env, view.enter if view else enter
        self.dir = tempfile.mkdtemp(prefix="ig-agent-")
        self.state_dir, self.records = os.path.join(self.dir, "state"), os.path.join(self.dir, "records")
        self.pins = f"/sys/fs/bpf/ig-test-{os.getpid()}-{_number}"
        self.socket = os.path.join(self.dir, "ig.socket")
        self.address = f"unix://{self.socket}"
        self.command = [ig.IG, "--remote", self.address]
        os.mkdir(self.records)
        self.process = None
        self.start()

    def start(self, *more):
        """Starts it (again); more: flags behind those of every start."""
        flags = ["--host", self.address, "--state-dir", self.state_dir, "--pin-dir", self.pins,
                 "--record-dir", self.records, "--config", "/dev/null", "--log-level", "info"]
        self.daemon = daemon.Daemon(self.dir, "ig", [*self.enter, ig.IG, "daemon", *flags, *self.args, *more], self.answers,
                                    env=dict(ig.ENV, **(self.env or {})))
        self.process = self.daemon.process
        return self

    def answers(self):
        return "level=info msg=ready" in self.log

    @property
    def log(self):
        with open(os.path.join(self.dir, "ig.log"), errors="replace") as f:
            return f.read()

    @property
    def pid(self):
        return self.process.pid

    def stop(self, sig=signal.SIGTERM, seconds=20):
        """Its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        try:
            return self.process.wait(seconds * containers.SLOWER)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"ig daemon does not end\n{self.log}") from None

    def close(self):
        """Whoever has killed it has stopped it; else it must end well."""
        running = self.process.poll() is None
        self.daemon.stop()
        log = self.log
        assert "Sanitizer" not in self.log and "runtime error" not in self.log, self.log
        shutil.rmtree(self.dir, ignore_errors=True)
        assert not running or self.process.returncode == 0, log

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
