# SPDX-License-Identifier: Apache-2.0
"""`ig hook` as runtimes call it: what it tells, and that no container ever fails or waits for it."""

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import time

import containers
import fakes
import ig
import manager as manager_lib
import pytest
import staged
from containerd import Containerd
from manager import Manager

HERE = os.path.dirname(os.path.abspath(__file__))
AWAY = 3 * containers.SLOWER  # s: the hook's one, and what a busy machine adds

STAGES = ("createRuntime", "poststop")


def hook(*args, state=None, env=None, stdin=None, **kwargs):
    """An `ig hook` to its end, which took at most a second: (exit code, stdout, stderr)."""
    begun = time.monotonic()
    process = subprocess.Popen([ig.IG, "hook", *args], stdin=stdin or subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env={**os.environ, **(env or {})}, **kwargs)
    text = None if stdin else json.dumps(state).encode() if isinstance(state, dict) else (state or b"")
    out, err = process.communicate(text, timeout=20)
    assert time.monotonic() - begun < AWAY
    return process.returncode, out.decode(), err.decode()


def hooks(host, stages=STAGES):
    return {stage: [{"path": ig.IG, "args": ["ig", "hook", stage, "--host", host]}] for stage in stages}


def with_hooks(host, stages=STAGES, annotations=None):
    """An `edit` of a container's config."""
    def edit(config):
        config["hooks"] = hooks(host, stages)
        config["annotations"] = annotations or {}
    return edit


@pytest.fixture
def stubs(whole_lab):
    return os.path.join(whole_lab.dir, "stubs")


@pytest.fixture
def address(tmp_path):
    return str(tmp_path / "ig.socket")


@pytest.fixture
def manager(address, stubs):
    with Manager(address, stubs) as m:
        yield m


@pytest.fixture
def bundle(tmp_path):
    (tmp_path / "config.json").write_text('{"annotations":{"a":"b"}}')
    return str(tmp_path)


# ---- what it tells


POD = {"io.kubernetes.cri.sandbox-namespace": "shop", "io.kubernetes.cri.sandbox-name": "web-1",
       "io.kubernetes.cri.container-name": "nginx"}


def test_what_it_tells(manager, address, bundle):
    state = {"ociVersion": "1.0.2", "id": "c1", "pid": 4711, "status": "creating", "bundle": bundle, "annotations": POD}
    assert hook("createRuntime", "--host", f"unix://{address}", state=state) == (0, "", "")
    added, = manager.added
    assert (added.id, added.pid, added.namespace, added.podname, added.name) == ("c1", 4711, "shop", "web-1", "nginx")
    assert json.loads(added.oci_config) == {"annotations": {"a": "b"}}
    assert hook("poststop", env={"IG_HOST": f"unix://{address}"}, state={"id": "c1", "bundle": bundle}) == (0, "", "")
    removed, = manager.removed
    assert removed.id == "c1" and not removed.pid


def test_long_config_stays(manager, address, bundle):
    with open(f"{bundle}/config.json", "w") as f:
        json.dump({"annotations": {"a": "x" * (1 << 20)}}, f)
    assert hook("createRuntime", "--host", address, state={"id": "c1", "pid": 4711, "bundle": bundle, "annotations": POD})[0] == 0
    added, = manager.added
    assert (added.oci_config, added.name) == ("", "nginx")
    with open(f"{bundle}/config.json", "w") as f:
        json.dump({"annotations": {"a": "x" * 1000000}}, f)
    assert hook("createRuntime", "--host", address, state={"id": "c2", "pid": 4711, "bundle": bundle})[0] == 0
    assert len(manager.added[1].oci_config) > 1000000


# ---- no container fails or waits


def test_nobody_listens(address, bundle):
    state = {"id": "c1", "pid": 4711, "bundle": bundle}
    assert hook("createRuntime", "--host", address, state=state) == (0, "", "")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as s:
        s.bind(address)
        assert hook("createRuntime", "--host", address, state=state) == (0, "", "")
    code, _, err = hook("createRuntime", "--host", address, "--log-level", "debug", state=state)
    assert code == 0 and "Connection refused" in err


@pytest.mark.parametrize("how", fakes.Fake.WAYS)
def test_bad_daemon(how, address, bundle):
    with fakes.Fake(address, how, "containerd"):
        assert hook("createRuntime", "--host", address, state={"id": "c1", "pid": 4711, "bundle": bundle}) == (0, "", "")


def test_daemon_that_accepts_nobody(address, bundle):
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as s:
        s.bind(address)
        s.listen(0)
        with contextlib.ExitStack() as full:
            for _ in range(2):
                c = full.enter_context(contextlib.closing(socket.socket(socket.AF_UNIX)))
                c.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    c.connect(address)
            assert hook("createRuntime", "--host", address, state={"id": "c1", "pid": 1, "bundle": bundle})[:2] == (0, "")


@pytest.mark.parametrize("state", [b"", b"{", b"[]", b"null", b'{"id":""}', b'{"id":7}', b"\0" * 100, b"[" * 100000],
                         ids=range(8))
def test_bad_state(state, manager, address):
    assert hook("createRuntime", "--host", address, state=state) == (0, "", "")
    assert not manager.added


def test_bad_flags(manager, address):
    for args in (("--host", "nonsense"), ("--no-such-flag",), ("--host",), ("poststop",), ("--host", "tcp://192.0.2.1:1")):
        assert hook("createRuntime", *args, state={"id": "c1", "pid": 1}) == (0, "", "")


def test_stdin_that_never_ends(address, manager):
    r, w = os.pipe()
    try:
        # Also where whoever has started us ignores or blocks the signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        assert hook("createRuntime", "--host", address, stdin=r) == (0, "", "")
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
        os.close(r)
        os.close(w)


def test_out_of_memory(address, manager, bundle):
    """It starts, and then has no room for what is to be sent."""
    with open(f"{bundle}/config.json", "w") as f:
        json.dump({"annotations": {"a": "x" * 1000000}}, f)
    few = 2 << 20
    assert hook("createRuntime", "--host", address, state={"id": "c1", "pid": 4711, "bundle": bundle},
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (few, few)))[:2] == (0, "")
    assert not manager.added


# ---- in containers


class Node:
    """announcer.c's containers behind a Manager: what runtimes announce is known before they go on."""

    def __init__(self, program, lab, address, stubs, *socket):
        self.lab = lab
        self.err_path = os.path.join(lab.dir, f"announcer{next(lab.numbers)}")
        with open(self.err_path, "wb") as err:
            self.process = subprocess.Popen([program, "trace_exec", *socket], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err,
                                            text=True)
        assert self.process.stdout.readline() == "ready\n", self.err()
        self.answers = []
        self.manager = Manager(address, stubs, self._add, self._remove)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.manager.__exit__()
        self.process.stdin.close()
        self.process.wait(20)

    def err(self):
        with open(self.err_path, errors="replace") as f:
            return f.read()

    def _ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def _add(self, definition):
        config = os.path.join(self.lab.dir, f"config{next(self.lab.numbers)}")
        with open(config, "w") as f:
            f.write(definition.oci_config)
        self._ask(f"add {definition.id} {definition.pid} {config}")
        self.answers.append(self.process.stdout.readline().strip())
        self.at_hook = self.list()

    def _remove(self, definition):
        self._ask(f"remove {definition.id}")
        self.answers.append(self.process.stdout.readline().strip())

    def list(self):
        self._ask("list")
        lines = []
        while (line := self.process.stdout.readline().strip()):
            lines.append(json.loads(line))
        return lines

    def records(self):
        text = self.err()
        return ig.records(text[:text.rfind("\n") + 1])

    def records_of(self, ident, n=1):
        def look():
            found = [r for r in self.records() if ig.get(r, "runtime.containerId") == ident]
            return found if len(found) >= n else None
        return containers.wait_for(look, what=f"records of {ident}")


@pytest.fixture(scope="module")
def announcer(whole_lab):
    return staged.build(os.path.join(HERE, "announcer.c"), whole_lab.dir)


@pytest.fixture
def node(announcer, lab, address, stubs):
    with Node(announcer, lab, address, stubs) as n:
        yield n


def facts(row):
    """What is known of a container, but for what differs by when it was found."""
    return {k: row.get(k) for k in ("runtime", "k8s")}


def found_otherwise(name):
    """The same container as another ig finds it, which nobody has told."""
    return facts(ig.entry(ig.listed("--sandboxes"), name))


@pytest.mark.parametrize("stage", ["createRuntime", "prestart", "createContainer"])
def test_runc(stage, node, lab, address):
    """Known at the hook with all its names, once; its first exec is seen; it is gone after poststop."""
    c = lab.container("/bin/sh", "-c", "exec /bin/busybox sleep 1000",
                      edit=with_hooks(address, (stage, "poststop"), {"org.opencontainers.image.ref.name": "img:1"}))
    c.runc("create", "--bundle", c.bundle, c.name)
    assert node.answers == ["0"]
    before = ig.entry(node.at_hook, c.name)
    assert before["runtime"]["containerPid"] == c.pid
    assert before["runtime"]["cgroupId"] == c.cgroup_id
    assert before["runtime"]["containerImageName"] == "img:1"
    c.runc("start", c.name)
    records = [r for r in node.records_of(c.name, 2) if r["proc"]["comm"] != "runc:[2:INIT]"]
    assert records[0]["args"][0] == "/bin/sh"
    assert facts(records[0]) == facts(before)
    after = ig.entry(node.list(), c.name)
    assert facts(after) == facts(before) == found_otherwise(c.name)
    c.delete()
    assert node.answers == ["0", "0"]
    assert not [r for r in node.list() if ig.container_of(r) == c.name]


def test_never_started(node, lab, address):
    c = lab.container("/bin/true", edit=with_hooks(address))
    c.runc("create", "--bundle", c.bundle, c.name)
    ig.entry(node.list(), c.name)
    os.kill(c.pid, signal.SIGKILL)
    containers.wait_for(lambda: not [r for r in node.list() if ig.container_of(r) == c.name], what="its end")


# ---- the daemon


def test_daemon(agent, lab, stubs):
    """Its tracers have the container before it runs; what it refuses has its status."""
    import grpc
    messages, services = manager_lib.load_stubs(stubs)
    with grpc.insecure_channel(agent.address) as channel, \
            agent.ig("run", "trace_exec", "--containername", f"{lab.prefix}-*", "-o", "json") as run:
        client = services.GadgetTracerManagerStub(channel)

        def refused(method, *args, **kwargs):
            with pytest.raises(grpc.RpcError) as e:
                method(messages.ContainerDefinition(*args, **kwargs), timeout=10)
            return e.value.code()

        containers.wait_for(lambda: ig.Ig.links(agent), what="tracer of the daemon's")
        c = lab.container("/bin/sh", "-c", "exec /bin/busybox sleep 1000", edit=with_hooks(agent.address))
        c.runc("create", "--bundle", c.bundle, c.name)
        ig.entry(ig.lines(agent.once("list-containers", "-o", "json", check=0).out), c.name)
        assert refused(client.AddContainer, id=c.name, pid=c.pid) == grpc.StatusCode.ALREADY_EXISTS
        assert refused(client.AddContainer, id="", pid=c.pid) == grpc.StatusCode.INVALID_ARGUMENT
        assert refused(client.AddContainer, id="other", pid=(1 << 31) - 1) == grpc.StatusCode.NOT_FOUND
        assert refused(client.RemoveContainer, id="other") == grpc.StatusCode.NOT_FOUND
        assert refused(client.RemoveContainer, id="") == grpc.StatusCode.INVALID_ARGUMENT
        c.runc("start", c.name)
        first = run.wait_record(lambda r: ig.container_of(r) == c.name and r["args"][:2] == ["/bin/sh", "-c"])
        assert first["runtime"]["containerId"] == c.name
        c.delete()
        assert not [r for r in ig.lines(agent.once("list-containers", "-o", "json", check=0).out) if ig.container_of(r) == c.name]


# ---- installed for runtimes


def install(runtime, root, host, *args):
    ig.once("hook", "install", "--runtime", runtime, "--root", root, "--host", host, *args, check=0)


def check_life(node, ident, name, extra=()):
    """It was told of while it was made, and had all its names then; it is one container, whose first exec is seen."""
    assert node.answers == ["0"], node.answers
    before, = (r for r in node.at_hook if ig.get(r, "runtime.containerId") == ident)
    records = [r for r in node.records_of(ident) if not r["proc"]["comm"].startswith("runc:")]
    assert records[0]["args"][0] == "sh"
    after = ig.entry([r for r in node.list() if ig.get(r, "runtime.containerId") == ident], name)
    # As another ig finds it, which nobody has told, and perhaps of a bundle that this one does not find.
    other = facts(ig.entry(ig.listed("--sandboxes", *extra), name))
    if "bundle" not in other["runtime"]:
        other["runtime"]["bundle"] = after["runtime"]["bundle"]
    assert facts(after) == other
    return before, after


@pytest.mark.parametrize("runtime", ["runc", "crun"])
def test_podman(runtime, node, whole_lab, address, tmp_path, request):
    install("podman", str(tmp_path), address)
    podman = request.getfixturevalue("podman" if runtime == "runc" else "podman_crun")
    name = whole_lab.name()
    hooks_dir = f"--hooks-dir={tmp_path}/etc/containers/oci/hooks.d"
    ident = containers.run(*podman.command(hooks_dir, "run", "-d", "--name", name, podman.IMAGE, "sh", "-c", "sleep 1000"),
                           env=podman.env).text.strip()
    try:
        before, after = check_life(node, ident, name)
        assert facts(before) == facts(after)
    finally:
        containers.run(*podman.command(hooks_dir, "rm", "-f", "-t", "0", name), env=podman.env)
    assert node.answers == ["0", "0"]


def test_docker(announcer, docker, whole_lab, address, stubs, tmp_path):
    with Node(announcer, whole_lab, address, stubs, "docker", docker.socket) as node:
        run_docker(node, docker, whole_lab, address, tmp_path)


def run_docker(node, docker, whole_lab, address, tmp_path):
    install("docker", str(tmp_path), address)
    config = f"{docker.dir}/daemon.json"
    with open(f"{tmp_path}/etc/docker/daemon.json") as f, open(config, "w") as g:
        g.write(f.read())
    try:
        docker.daemon.process.send_signal(signal.SIGHUP)
        containers.wait_for(lambda: '"ig"' in docker("info", "-f", "{{json .Runtimes}}"), what="runtime of Docker's")
        name = whole_lab.name()
        with docker.start(name, "sh", "-c", "sleep 1000", options=("--runtime", "ig")) as c:
            before, after = check_life(node, c.id, name, docker.flags)
            assert before["runtime"]["runtimeName"] == "docker"
        containers.wait_for(lambda: node.answers == ["0", "0"], what="poststop")
        # With limits that JSON's readers may not like.
        docker.run(name, "true", options=("--runtime", "ig", "--ulimit", "core=-1"))
        assert node.answers[:3] == ["0", "0", "0"]
    finally:
        with open(config, "w") as f:
            f.write("{}")
        docker.daemon.process.send_signal(signal.SIGHUP)


class Hooked(Containerd):
    """A containerd whose configuration was changed by ig."""

    def __init__(self, lab, address):
        self.root, self.told = lab.rootfs_with("ctr"), address
        super().__init__(lab)

    def _write_config(self, disabled):
        super()._write_config(disabled)
        theirs, ours = f"{self.dir}/config.toml", f"{self.root}/etc/containerd/config.toml"
        os.makedirs(os.path.dirname(ours), exist_ok=True)
        os.replace(theirs, ours)
        install("containerd", self.root, self.told)
        with open(ours) as f, open(theirs, "w") as g:
            g.write(f.read().replace('"/etc/containerd/', f'"{self.root}/etc/containerd/'))


def test_containerd(node, whole_lab, address):
    containerd = Hooked(whole_lab, address)
    try:
        with containerd.run_pod(whole_lab.name("pod"), namespace="shop", labels={"app": "web"}) as pod:
            node.answers.clear()
            c = pod.run("nginx", "sh", "-c", "sleep 1000")
            before, after = check_life(node, c.id, "nginx", containerd.flags)
            assert before["k8s"]["podName"] == pod.name and before["k8s"]["namespace"] == "shop"
            # As it is made without hooks.
            spec = json.loads(c.status().info["info"])["runtimeSpec"]
            assert spec.pop("hooks")
            c.remove()
            assert node.answers == ["0", "0"]
    finally:
        containerd.close()
