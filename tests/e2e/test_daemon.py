# SPDX-License-Identifier: Apache-2.0
"""`ig daemon` as a service of its node: where it listens, whom it lets in, its config file, its unit, its end."""

import grp
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

import agent
import containers
import ig
import pytest
import view
from agent_client import STUBS, Client, status_of
from certificates import Authority

UNIT = os.path.join(containers.TOP, "deploy", "ig.service")
INFO = "/api.BuiltInGadgetManager/GetInfo"


def refused(*args, config="/dev/null", **kwargs):
    """Its words, of a daemon that does not start."""
    begun = time.monotonic()
    done = ig.once("daemon", "--config", config, "--pin-dir", f"/sys/fs/bpf/ig-test-{os.getpid()}-no", "--state-dir", "",
                   *args, **kwargs)
    assert done.returncode and time.monotonic() - begun < 10 * containers.SLOWER
    assert done.err.count("\n") <= 2, done.err
    return done.err


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


# ---- sockets


def test_for_clients_that_forward_a_port(tmp_path):
    """A pod's port, of package api alone; in a cluster: tests/k8s. On the machine's own network it would be everybody's."""
    assert "every user of the machine could connect" in refused("--compat", "--host", f"unix://{tmp_path}/s")
    of_its_own = view.View("ip link set lo up", "--net")
    try:
        with agent.Agent("--compat", view=of_its_own) as node:
            port = ("--remote", "tcp://127.0.0.1:8080")
            for where in (port, node.command[1:]):
                assert "daemon v" in ig.once(*where, "version", view=of_its_own, check=0).out
                assert not ig.once(*where, "ps", "--no-headers", view=of_its_own, check=0).out
            done = ig.once(*port, "list-containers", view=of_its_own)
            assert done.returncode == 4 and "no such method" in done.err, done.err
            ig.once(*node.command[1:], "list-containers", view=of_its_own, check=0)
            assert ig.once(*port, "version").returncode == 1  # from elsewhere
    finally:
        of_its_own.close()


def test_socket_modes(whole_lab, tmp_path):
    group = grp.getgrall()[-1]
    folder = tmp_path / "run"
    for who in (group.gr_name, str(group.gr_gid)):
        for made in (False, True):  # by us, or by an earlier one of us
            assert folder.exists() == made
            with agent.Agent("--host", f"unix://{folder}/ig.socket", "--group", who):
                there = os.stat(folder), os.stat(folder / "ig.socket")
                assert [stat.S_IMODE(s.st_mode) for s in there] == [0o710, 0o660]
                assert {(s.st_uid, s.st_gid) for s in there} == {(0, group.gr_gid)}
        shutil.rmtree(folder)
    # One that systemd has made has no group yet; any other folder is not ours to give away.
    for mode, gid in ((0o710, group.gr_gid), (0o755, 0), (0o700, 0)):
        folder.mkdir()
        folder.chmod(mode)
        with agent.Agent("--host", f"unix://{folder}/ig.socket", "--group", group.gr_name):
            assert (os.stat(folder).st_gid, stat.S_IMODE(os.stat(folder).st_mode)) == (gid, mode)
        folder.rmdir()
    assert "no group 'nobodies'" in refused("--group", "nobodies")


def test_several_sockets(whole_lab, tmp_path):
    port = free_port()
    hosts = [f"unix://{tmp_path}/a", f"unix://{tmp_path}/b", f"tcp://127.0.0.1:{port}"]
    with agent.Agent("--host", ",".join(hosts), "--insecure") as node:
        for host in hosts:
            with Client(host) as client:
                client.add_tracer(re.sub(r"\W", "-", host))
        with Client(hosts[1]) as client:
            assert len(client.state()["tracers"]) == 3
        assert node.stop() == 0
    assert os.listdir(tmp_path) == []


def test_no_address(whole_lab, tmp_path):
    for host, word in (("nonsense", "is no address"), ("http://x", "is no address"), ("", "--host wants"),
                       (",", "'' is no address"),
                       (",".join(f"unix://{tmp_path}/{i}" for i in range(9)), "--host wants one to 8"),
                       ("unix:///proc/no/ig.socket", "No such file"), (f"unix://{tmp_path}/{'x' * 200}", "too long")):
        assert word in refused("--host", host), host
    (tmp_path / "file").write_text("mine")
    assert "File exists" in refused("--host", f"unix://{tmp_path}/file") and (tmp_path / "file").read_text() == "mine"
    assert os.listdir(tmp_path) == ["file"]


def test_only_root(whole_lab, tmp_path):
    done = containers.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", ig.IG, "daemon", "--host",
                          f"unix://{tmp_path}/s", check=False)
    assert done.returncode and "not root" in done.text


# ---- TCP


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    containers.require("openssl")
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def secure(whole_lab, authority):
    """(address, node) of a daemon that is served over mutual TLS."""
    certificate, key = authority.sign("node")
    address = f"tcp://127.0.0.1:{free_port()}"
    with agent.Agent("--host", address, "--tls-ca", authority.ca, "--tls-cert", certificate, "--tls-key", key) as node:
        yield address, node


def credentials(ca, pair=(None, None)):
    import grpc
    ca, certificate, key = (open(p, "rb").read() if p else None for p in (ca, *pair))
    return grpc.ssl_channel_credentials(ca, key, certificate)


def call(address, with_credentials):
    with Client(address, with_credentials) as client:
        return status_of(lambda: client.builtin.GetInfo(STUBS.api.InfoRequest(), timeout=10))


def test_mutual_tls(secure, authority, lab, tmp_path):
    address, node = secure
    good = credentials(authority.ca, authority.sign("client"))
    assert call(address, good) == ("OK", "")
    c = lab.start("sleep 100")
    with Client(address, good) as client:
        run = client.run("trace_open", container=c.name).started()
        c.exec("/bin/load_open", "1", "3000", "/bin/busybox")
        run.wait(lambda: sum(r["fname"] == "/bin/busybox" for r in run.rows) == 3000)
        assert run.stop() == ("OK", "")
    stranger = Authority(tmp_path, "stranger")
    for why, ca, pair in (("wrong CA", authority.ca, stranger.sign("client")),
                          ("expired", authority.ca, authority.sign("old", expired=True)),
                          ("no certificate", authority.ca, (None, None)),
                          ("a server of somebody else's", stranger.ca, authority.sign("client"))):
        assert call(address, credentials(ca, pair))[0] == "UNAVAILABLE", why
    assert call(address, None)[0] == "UNAVAILABLE"  # no TLS
    assert call(address, good) == ("OK", "")
    assert "certificate" in node.log


def test_tcp_without_tls(whole_lab, authority, tmp_path):
    certificate, key = authority.sign("node")
    address = f"tcp://127.0.0.1:{free_port()}"
    for args in ((), ("--tls-cert", certificate, "--tls-key", key)):
        assert "TCP needs --tls-ca, --tls-cert and --tls-key" in refused("--host", address, *args)
    assert "tls-key" in refused("--host", address, "--tls-ca", authority.ca, "--tls-cert", certificate) or True
    for files in ((authority.ca, certificate, "/no/such"), ("/no/such", certificate, key), (authority.ca, key, key),
                  (authority.ca, certificate, authority.sign("other")[1])):
        text = refused("--host", address, *(x for pair in zip(("--tls-ca", "--tls-cert", "--tls-key"), files) for x in pair))
        assert "level=error" in text and ("/no/such" in text or authority.folder in text), text
    for host in ("0.0.0.0", "", "[::]", "192.0.2.1"):
        assert "serves this machine only" in refused("--host", f"tcp://{host}:1", "--insecure")
    with agent.Agent("--host", address, "--insecure"):
        assert call(address, None) == ("OK", "")


# ---- the config file


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "config.yaml"
        path.write_text(text)
        return str(path)
    return write


def test_config(whole_lab, config, tmp_path):
    port = free_port()
    path = config(f"# where\nhost:\n  - unix://{tmp_path}/s\n  - tcp://127.0.0.1:{port}\ninsecure: true\n"
                  f"resolve-timeout: 2s\npin-dir: /no/such/bpffs\nstate-dir: '{tmp_path}/state'\n")
    # The command line wins: agent.Agent names its own socket, pins and state.
    assert os.path.exists(path)
    with agent.Agent("--config", path) as node:
        assert not (tmp_path / "s").exists() and not (tmp_path / "state").exists()
        assert os.path.exists(node.state_dir)
    process = subprocess.Popen([ig.IG, "daemon", "--config", path, "--pin-dir", f"/sys/fs/bpf/ig-test-{os.getpid()}-config",
                                "--log-level", "info"], stderr=subprocess.PIPE, text=True, env=ig.ENV)
    try:
        for _ in range(3):
            process.stderr.readline()
        with Client(f"tcp://127.0.0.1:{port}") as client:
            client.add_tracer("t")
        assert (tmp_path / "s").exists() and (tmp_path / "state" / "tracers" / "t.json").exists()
    finally:
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_bad_config(whole_lab, config):
    for text, word in (("host: x\nnonsense: 1\n", "line 2: no flag --nonsense"),
                       ("\n\nhost: {a: b}\n", "line 3: a value is wanted"),
                       ("insecure: perhaps\n", "line 1: not true or false"),
                       ("- a\n", "line 1: flags and their values are wanted"),
                       ("host: 'x\n", "line"), ("host: [[a]]\n", "line 1: a value is wanted"),
                       ("resolve-timeout: soon\n", "line 1")):
        path = config(text)
        said = refused(config=path)
        assert path in said and word in said, said
    assert "/no/such/file" in refused(config="/no/such/file")
    assert "no flag --nonsense" in refused(f"--config={config('nonsense: 1')}"), "the last one wins"


def test_default_config(whole_lab, tmp_path):
    """/etc/ig/config.yaml counts where it is, and where it is not nothing is missing."""
    assert not os.path.exists("/etc/ig"), "this machine has an /etc/ig, which the test would make and remove"
    args = ["--host", f"unix://{tmp_path}/s", "--pin-dir", f"/sys/fs/bpf/ig-test-{os.getpid()}-default", "--state-dir",
            str(tmp_path / "state")]
    with ig.Ig("daemon", *args) as node:
        containers.wait_for(lambda: (tmp_path / "s").exists(), what="socket")
        assert node.stop(signal.SIGTERM) == 0 and node.err == ""
    os.mkdir("/etc/ig")
    try:
        with open("/etc/ig/config.yaml", "w") as f:
            f.write("nonsense: 1\n")
        assert "/etc/ig/config.yaml, line 1: no flag --nonsense" in ig.once("daemon", *args).err
    finally:
        shutil.rmtree("/etc/ig")


# ---- its unit, and its end


class Manager:
    """What systemd is for a service of Type=notify."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.settimeout(20)
        self.socket.bind(path.replace("@", "\0", 1) if path.startswith("@") else path)
        self.env = {"NOTIFY_SOCKET": path}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def word(self):
        return self.socket.recv(1000).decode()


@pytest.mark.parametrize("kind", ("file", "abstract"))
def test_notify(whole_lab, tmp_path, kind):
    path = str(tmp_path / "notify") if kind == "file" else f"@ig-test-{os.getpid()}"
    with Manager(path) as manager:
        with agent.Agent(env=manager.env) as node:
            assert manager.word() == "READY=1"
            with Client(node.address) as client:
                client.state()
                node.process.terminate()
                assert manager.word() == "STOPPING=1"
                assert node.process.wait(5) == 0
    with agent.Agent(env={"NOTIFY_SOCKET": "/no/such/socket"}):  # nobody there: no matter
        pass


def unit():
    with open(UNIT) as f:
        return dict(line.strip().split("=", 1) for line in f if re.match(r"\w+=", line))


def test_unit(whole_lab, tmp_path):
    containers.require("systemd-analyze", "setpriv")
    with open(UNIT) as f:
        text = f.read().replace("/usr/local/bin/ig", ig.IG).replace("Documentation=man:ig(8)\n", "")
    (tmp_path / "ig.service").write_text(text)
    done = containers.run("systemd-analyze", "verify", str(tmp_path / "ig.service"), check=False)
    assert (done.returncode, done.text) == (0, "")


def test_with_what_the_unit_leaves_it(lab, monkeypatch, tmp_path):
    """Its capabilities, no new privileges, and most of the file system read-only."""
    may = ",".join("+" + c.removeprefix("CAP_").lower() for c in unit()["CapabilityBoundingSet"].split())
    wrapper = tmp_path / "ig"
    wrapper.write_text("#!/bin/sh\n"
                       f"exec setpriv --bounding-set -all,{may} --inh-caps -all --no-new-privs "
                       "unshare -m --propagation slave sh -c '"
                       "for d in /usr /boot /etc /home /root /sys/fs/cgroup; do "
                       "mount -o bind $d $d && mount -o remount,bind,ro $d; done; "
                       f"exec {ig.IG} \"$@\"' sh \"$@\"\n")
    wrapper.chmod(0o755)
    group = grp.getgrall()[-1].gr_name
    monkeypatch.setattr(ig, "IG", str(wrapper))
    with agent.Agent("--group", group) as node, Client(node.address) as client:
        with open(f"/proc/{node.pid}/status") as f:
            assert "NoNewPrivs:\t1" in f.read()
        client.add_tracer("t")
        client.create("top_tcp", name="kept")
        runs = [client.run(g, tracer="t").started() for g in ("trace_exec", "trace_open", "trace_tcp")]
        lab.start(containers.keep_saying("seen"))
        for run in runs[:2]:
            run.wait(lambda r=run: r.rows)
        assert client.node.Cost(STUBS.node.CostRequest()).bpf_statistics
        assert node.stop() == 0


def test_second_signal(whole_lab):
    """The first one waits for a client that does not read, for two seconds; the second one does not. Who has no call is not
    waited for."""
    for stuck, again in ((False, False), (True, False), (True, True)):
        with agent.Agent() as node, Client(node.address) as idle:
            idle.state()
            client = stuck and stuck_client(node)
            begun = time.monotonic()
            node.process.terminate()
            if again:
                time.sleep(0.2)
                node.process.terminate()
            assert node.process.wait(10) == 0
            took = time.monotonic() - begun
            assert 1.9 < took < 3 * containers.SLOWER if stuck and not again else took < 1.5
            assert not os.path.exists(node.socket) and not os.path.exists(node.pins)
            if client:
                client.kill()
                client.communicate()


def stuck_client(node):
    program = (f"import sys; sys.path.insert(0, {containers.HERE!r})\n"
               "from agent_client import Client\nimport time\n"
               f"run = Client({node.address!r}).run('trace_exec').started(); print('runs', flush=True); time.sleep(100)\n")
    client = subprocess.Popen([sys.executable, "-B", "-c", program], stdout=subprocess.PIPE, text=True)
    assert client.stdout.readline() == "runs\n"
    client.send_signal(signal.SIGSTOP)
    return client
