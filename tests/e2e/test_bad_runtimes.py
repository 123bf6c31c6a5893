# SPDX-License-Identifier: Apache-2.0
"""Runtimes that hang or lie, and files that are broken or hostile: counted and said, and nobody else suffers."""

import contextlib
import json
import os
import signal
import time

import containers
import fakes
import ig
import pytest
from ig import container_of, entry, get, listed

DEADLINE = 2  # --resolve-timeout, seconds


def loop(word):
    return f"while :; do busybox echo {word} >/dev/null; busybox sleep 0.1; done"


def has(word):
    return lambda r: word in (get(r, "args") or [])


def warnings(err, word):
    return [line for line in err.splitlines() if "level=warn" in line and word in line.lower()]


@contextlib.contextmanager
def container_of_runtime(runtime, name, word):
    """One that does something all the time: (its id)."""
    if runtime.NAME == "containerd":
        with runtime.run_pod(name, "prod", {"app": name}) as pod:
            yield pod.run("main", loop(word)).id
    else:
        with runtime.start(name, loop(word)) as c:
            yield c.id


@pytest.fixture(params=["docker", "containerd"])
def runtime(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def fake(lab, runtime):
    """A function that starts a fake daemon of the runtime: (the fake, ig's flags)."""
    with contextlib.ExitStack() as stack:
        def start(how):
            path = os.path.join(lab.dir, lab.name("socket"))
            f = stack.enter_context(fakes.Fake(path, how, runtime.NAME))
            return f, [f"--{runtime.NAME}-socketpath", path]
        yield start


# ---- sockets -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("way", fakes.Fake.WAYS)
def test_others_do_not_wait(lab, runtime, fake, way):
    """The daemon of one runtime misbehaves: another's records come at once, its own at the deadline, marked."""
    f, flags = fake(way)
    with ig.Ig("run", "trace_exec", "-o", "json", "--resolve-timeout", f"{DEADLINE}s", *flags) as running:
        running.ready(5)
        name = lab.name("bad")
        with container_of_runtime(runtime, name, "of-the-bad") as ident:
            started = time.monotonic()
            other = lab.container("/bin/busybox", "echo", "of-the-other")
            assert other.run() == 0
            r = running.wait_record(has("of-the-other"), DEADLINE)
            assert container_of(r) == other.name and get(r, "runtime.resolved") is not False
            assert time.monotonic() - started < DEADLINE
            r = running.wait_record(has("of-the-bad"), DEADLINE + 3)
            assert get(r, "runtime.containerId") == ident
            assert get(r, "runtime.resolved") is False
            # From its first exec on: what was held is not lost.
            first = [r for r in running.records() if get(r, "runtime.containerId") == ident][0]
            assert "while" in str(get(first, "args"))
        assert running.stop() == 0
        assert len(warnings(running.err, runtime.NAME)) == 1, running.err
        t = running.totals()
        assert t.lost == 0 and t.seen == t.delivered + t.discarded
    assert f.connections > 0, "ig never asked"


def test_what_the_disk_knows_is_told(lab, containerd):
    """A pod's names are in the bundle; only its labels are the daemon's."""
    path = os.path.join(lab.dir, lab.name("socket"))
    with fakes.Fake(path, "silent", "containerd"), \
            ig.Ig("run", "trace_exec", "-o", "json", "--resolve-timeout", "500ms",
                  "--containerd-socketpath", path) as running:
        running.ready(5)
        with containerd.run_pod(lab.name("pod"), "prod", {"app": "web"}) as pod:
            pod.run("main", loop("of-main"))
            r = running.wait_record(has("of-main"))
            assert r["k8s"]["namespace"] == "prod" and r["k8s"]["podName"] == pod.name
            assert r["k8s"]["podUID"] == pod.uid and r["k8s"]["containerName"] == "main"
            assert get(r, "runtime.resolved") is False
        running.stop()


def test_start_does_not_wait(lab, runtime, fake):
    """Containers that run already, and a daemon that is silent: ig attaches as fast as ever, and lists in time."""
    _, flags = fake("silent")
    with container_of_runtime(runtime, lab.name("old"), "of-old") as ident:
        with ig.Ig("run", "trace_exec", "-o", "json", "--resolve-timeout", "30s", *flags) as running:
            begun = time.monotonic()
            running.ready(5)
            assert time.monotonic() - begun < 3
            assert running.stop() == 0
        begun = time.monotonic()
        rows = listed("--resolve-timeout", "1s", *flags)
        assert time.monotonic() - begun < 5
        [r] = [r for r in rows if get(r, "runtime.containerId") == ident]
        assert r["runtime"]["resolved"] is False


def test_what_is_held_is_bounded(lab, docker):
    """A busy container whose name does not come: memory has a limit, and what is beyond it is counted as lost."""
    path = os.path.join(lab.dir, lab.name("socket"))
    with fakes.Fake(path, "silent", "docker"), \
            ig.Ig("run", "trace_open", "-o", "json", "--resolve-timeout", "60s", "--docker-socketpath", path,
                  "--buffer-size", "16M") as running:
        running.ready(5)
        with docker.start(lab.name("busy"), "while :; do read x </etc/hosts; done"):
            time.sleep(4)
            with open(f"/proc/{running.pid}/status") as f:
                resident = [int(line.split()[1]) for line in f if line.startswith("VmRSS")][0]
        assert running.stop() == 0
        t = running.totals()
    assert resident < 100 * 1024, f"{resident} kB"
    assert t.seen > 10000 and t.seen == t.delivered + t.discarded + t.lost


def test_no_socket_there(lab):
    c = lab.start("sleep", "60")
    done = ig.once("list-containers", "-o", "json", "--docker-socketpath", "/no/such/socket",
                   "--containerd-socketpath", "/no/such/other", check=0)
    entry(ig.lines(done.out), c.name)
    assert "level=error" not in done.err
    assert len(warnings(done.err, "/no/such/socket")) <= 1 and len(warnings(done.err, "/no/such/other")) <= 1


def test_a_daemon_that_dies_and_comes_back(whole_lab):
    """Containers go on while dockerd is away; ig, too, and it finds the new daemon."""
    from docker import Docker
    d = Docker(whole_lab)
    try:
        with ig.Ig("run", "trace_exec", "-o", "json", "--resolve-timeout", "500ms", *d.flags) as running:
            running.ready()
            one = whole_lab.name("one")
            d.run(one, "echo", "of-one")
            assert container_of(running.wait_record(has("of-one"))) == one
            d.restart()
            two = whole_lab.name("two")
            d.run(two, "echo", "of-two")
            assert container_of(running.wait_record(has("of-two"))) == two
            assert running.stop() == 0
    finally:
        d.close()


# ---- files ---------------------------------------------------------------------------------------------

DEEP = b'{"a":' * 200000 + b"1" + b"}" * 200000
BROKEN = {
    "empty": b"",
    "cut": b'{"id": "x", "init_process_pid": 1',
    "garbage": bytes(range(256)) * 100,
    "deep": DEEP,
    "other types": b'{"id": [1], "init_process_pid": "many", "cgroup_paths": 7, "config": {"labels": {"a": 1}}, '
                   b'"annotations": [], "ociVersion": 1}',
    "numbers": b'{"id": "x", "init_process_pid": 99999999999999999999, "init_process_start": -1, "pid": 1e999}',
    "not utf-8": b'{"id": "\xff\xfe", "init_process_pid": 5, "annotations": {"a": "\xff"}}',
}


def write(path, what):
    os.unlink(path)
    if what == "fifo":
        os.mkfifo(path)
    elif what == "zero":
        os.symlink("/dev/zero", path)
    elif what == "loop":
        os.symlink(os.path.basename(path), path)
    elif what == "folder":
        os.mkdir(path)
    elif what == "huge":
        with open(path, "wb") as f:
            f.truncate(1 << 40)
    else:
        with open(path, "wb") as f:
            f.write(BROKEN[what])


@pytest.mark.parametrize("what", [*BROKEN, "fifo", "zero", "loop", "folder", "huge"])
@pytest.mark.parametrize("file", ("state.json", "config.json"))
def test_broken_files(lab, file, what):
    """Of a container that runs: it is still seen, by its cgroup; and the one beside it has everything."""
    root = os.path.join(lab.dir, lab.name("state"))
    bad = lab.start(loop("of-bad"), root=root)
    good = lab.start(loop("of-good"), root=root, annotations={"org.test/a": "b"})
    path = os.path.join(root, bad.name, file) if file == "state.json" else os.path.join(bad.bundle, file)
    pid = bad.pid
    os.rename(path, path + ".kept")
    with open(path, "w"):
        pass
    write(path, what)
    try:
        done = ig.once("list-containers", "-o", "json", "--runc-root", root, check=0, timeout=10)
        rows = ig.lines(done.out)
        assert entry(rows, good.name)["runtime"]["containerPid"] == good.pid
        assert entry(rows, bad.name)["runtime"]["containerPid"] == pid
        entry(listed("--runc-root", root, "--annotation", "org.test/a=b"), good.name)
        with ig.Ig("run", "trace_exec", "-o", "json", "-c", f"{good.name},{bad.name}", "--runc-root", root) as running:
            assert container_of(running.wait_record(has("of-good"))) == good.name
            assert container_of(running.wait_record(has("of-bad"))) == bad.name
            assert running.stop() == 0
        if file == "state.json":
            assert "level=" in done.err, "nothing is said"
    finally:
        os.rmdir(path) if what == "folder" else os.unlink(path)
        os.rename(path + ".kept", path)


def test_annotations_of_a_megabyte(lab, containerd):
    big = {"org.test/big": "x" * 1000000, "org.test/a": "b"}
    plain = lab.start(loop("of-plain"), annotations=big)
    with containerd.run_pod(lab.name("big"), "prod", {"app": "big"}, annotations=big) as pod:
        c = pod.run("main", loop("of-pod"), annotations=big)
        rows = listed(*containerd.flags)
        assert entry(rows, plain.name)["runtime"]["containerPid"] == plain.pid
        [r] = [r for r in rows if get(r, "runtime.containerId") == c.id]
        assert r["k8s"]["podName"] == pod.name
        assert r["k8s"]["podLabels"]["app"] == "big"
        with ig.Ig("run", "trace_exec", "-o", "json", "-l", "app=big", *containerd.flags) as running:
            running.wait_record(has("of-pod"))
            running.stop()
            assert len(running.out.splitlines()[0]) < 100000


EVIL = "evil\x1b[31m\n\x1b]0;title\x07\r\u202ename"


def test_names_with_newlines_and_escapes(containerd, lab):
    """JSON has them as they are, escaped; nothing that a terminal would obey comes out of a table."""
    # With the host's network: network plugins refuse such a name.
    with containerd.run_pod(EVIL, "ns" + EVIL, {"l" + EVIL: "v" + EVIL}, host_network=True) as pod:
        c = pod.run("c" + EVIL, loop("of-evil"))
        [r] = [r for r in listed(*containerd.flags) if get(r, "runtime.containerId") == c.id]
        assert r["k8s"]["podName"] == EVIL
        assert r["k8s"]["namespace"] == "ns" + EVIL
        assert r["k8s"]["containerName"] == "c" + EVIL
        assert r["k8s"]["podLabels"]["l" + EVIL] == "v" + EVIL
        fields = "k8s.podName,k8s.namespace,k8s.containerName,k8s.podLabels,runtime.containerName,runtime.containerId"
        for output in ("columns", "json", "jsonpretty", "yaml"):
            out = ig.once("list-containers", "-o", output, "--fields", fields, *containerd.flags, check=0).out
            assert c.id[:10] in out
            assert not [ch for ch in out if ch != "\n" and ord(ch) < 32 or ch == "\x7f"], repr(out)
            if output != "json":
                continue
            for line in out.splitlines():
                json.loads(line)
        table = ig.once("list-containers", "--fields", fields, *containerd.flags, check=0).out.splitlines()
        assert len([line for line in table if c.id[:10] in line and "evil" in line]) == 1
        with ig.Ig("run", "trace_exec", "--fields", "k8s.podName,runtime.containerName,args", *containerd.flags) as running:
            containers.wait_for(lambda: "of-evil" in running.out, what="record")
            running.stop()
            assert "\x1b" not in running.out and "\x07" not in running.out and "\r" not in running.out


def test_a_crowd_of_broken_states(lab):
    """A hundred broken files beside one good: each costs little, and ig says so without flooding."""
    root = os.path.join(lab.dir, lab.name("state"))
    good = lab.start(loop("of-good"), root=root)
    for i in range(100):
        os.mkdir(f"{root}/broken{i}")
        with open(f"{root}/broken{i}/state.json", "wb") as f:
            f.write(DEEP if i % 10 == 0 else b"{" * 1000)
    begun = time.monotonic()
    done = ig.once("list-containers", "-o", "json", "--runc-root", root, check=0)
    assert time.monotonic() - begun < 5
    entry(ig.lines(done.out), good.name)
    assert len(done.err) < 20000
    with ig.Ig("run", "trace_exec", "-o", "json", "--runc-root", root) as running:
        running.ready()
        c = lab.container("echo", "of-new", root=root)
        assert c.run() == 0
        assert container_of(running.wait_record(has("of-new"))) == c.name
        assert running.stop(signal.SIGTERM) is not None
