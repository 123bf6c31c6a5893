# SPDX-License-Identifier: Apache-2.0
"""The server of src/net (net_server.c) with clients that others have written, grpcio, and our own."""

import os
import signal
import socket
import subprocess
import threading
import time

import containers
import grpc
import pytest
import staged
from certificates import Authority

HERE = os.path.dirname(os.path.abspath(__file__))
CODE = grpc.StatusCode


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("net"))
    return {name: staged.build(os.path.join(HERE, name + ".c"), folder) for name in ("net_server", "net_client")}


class Server:
    def __init__(self, programs, address, *certificates):
        self.programs, self.address = programs, address
        self.process = subprocess.Popen([programs["net_server"], address, *certificates], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("ready "), self.process.stderr.read()
        if address.startswith("tcp"):
            self.address = address.rsplit(":", 1)[0] + ":" + line.split()[1]
        self.channels = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for channel in self.channels:
            channel.close()
        self.process.kill()
        self.process.communicate()

    @property
    def target(self):
        """The address as grpcio writes it."""
        return f"unix:{self.address}" if self.address[0] == "/" else self.address.replace("tcp://", "")

    def channel(self, credentials=None):
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
        channel = (grpc.secure_channel(self.target, credentials, options) if credentials
                   else grpc.insecure_channel(self.target, options))
        self.channels.append(channel)
        return Methods(channel)

    def client(self, kind, method, text, n=1, **env):
        """net_client's answers, each a list of texts."""
        done = containers.run(self.programs["net_client"], kind, self.address, "/test.Test/" + method, text, str(n), "20000",
                              env=dict(os.environ, **env))
        return [line.split("\t") for line in done.text.splitlines() if "\t" in line]

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def ticks(self):
        """Times that the process was put to sleep, and so was awake."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return sum(int(line.split()[1]) for line in f if "ctxt_switches" in line)


class Methods:
    def __init__(self, channel):
        self.channel = channel

    def unary(self, name, request=b"", **kwargs):
        return self.channel.unary_unary("/test.Test/" + name)(request, timeout=kwargs.pop("timeout", 20), **kwargs)

    def stream(self, name, request=b"", **kwargs):
        return self.channel.unary_stream("/test.Test/" + name)(request, **kwargs)

    def talk(self, name, requests, **kwargs):
        return self.channel.stream_stream("/test.Test/" + name)(requests, **kwargs)

    def sum(self, requests):
        return self.channel.stream_unary("/test.Test/Sum")(requests, timeout=20)

    def seen(self):
        return dict(zip(("clients", "begun", "gone", "most_queued", "drained"), map(int, self.unary("Seen").split())))

    def error(self, call, *args, **kwargs):
        with pytest.raises(grpc.RpcError) as e:
            r = call(*args, **kwargs)
            list(r if not isinstance(r, bytes) else [])
        return e.value.code(), e.value.details()


@pytest.fixture
def server(programs, tmp_path):
    with Server(programs, f"unix://{tmp_path}/made/socket") as s:
        yield s


# ---- calls


def test_unary(server):
    client = server.channel()
    assert client.unary("Echo", b"hello") == b"hello"
    assert client.unary("Echo", b"") == b""
    for _ in range(200):
        assert client.unary("Echo", b"x" * 1000) == b"x" * 1000


def test_errors(server):
    client = server.channel()
    assert client.error(client.unary, "Fail") == (CODE.NOT_FOUND, "no 100% \u00e4\u6f22")
    assert client.error(client.unary, "Nothing")[0] == CODE.UNIMPLEMENTED
    assert client.error(client.stream, "Nothing")[0] == CODE.UNIMPLEMENTED
    assert client.error(client.unary, "Echo", b"a" * 5000, compression=grpc.Compression.Gzip)[0] == CODE.UNIMPLEMENTED
    assert client.error(client.stream, "Leave", b"x") == (CODE.NOT_FOUND, "nobody is here")


def test_long_messages(server):
    client = server.channel()
    assert client.unary("Size", b"x" * (4 << 20)) == str(4 << 20).encode()
    assert len(client.unary("Echo", b"x" * ((4 << 20) - 100))) == (4 << 20) - 100
    assert client.error(client.unary, "Size", b"x" * (5 << 20))[0] == CODE.RESOURCE_EXHAUSTED
    assert client.unary("Size", b"x") == b"1"


def test_a_slow_reader_is_waited_for(server):
    client = server.channel()
    got = 0
    for message in client.stream("Many", b"100000"):
        assert message == b"message %d" % got
        got += 1
        if got == 1:
            time.sleep(0.5)
            seen = client.seen()
            assert 1 << 20 <= seen["most_queued"] < 2 << 20
    assert got == 100_000
    assert client.seen()["drained"] >= 1


def test_both_ways(server):
    client = server.channel()
    assert client.sum(b"%d" % i for i in range(1000)) == b"1000"
    assert client.sum(iter([])) == b"0"
    assert list(client.talk("Talk", (b"%d" % i for i in range(1000)))) == [b"%d" % i for i in range(1000)]
    # An answer before the end of what is sent.
    more = threading.Event()

    def requests():
        yield b"first"
        more.wait(10)

    call = client.talk("Talk", requests())
    assert next(call) == b"first"
    more.set()
    assert list(call) == []


def test_an_answer_to_who_still_sends(server):
    client = server.channel()
    end = threading.Event()

    def requests():
        while not end.wait(0.01):
            yield b"x"

    assert client.error(client.talk, "Leave", requests()) == (CODE.NOT_FOUND, "nobody is here")
    end.set()


def test_who_gives_up_is_gone(server):
    client = server.channel()
    assert client.error(client.unary, "Wait", timeout=0.3)[0] == CODE.DEADLINE_EXCEEDED
    call = client.stream("Wait")
    containers.wait_for(lambda: client.seen()["begun"] == 2)
    call.cancel()
    containers.wait_for(lambda: client.seen()["gone"] == 2)
    other = server.channel()
    waiting = other.stream("Wait")  # a call that nobody has any more is cancelled
    assert waiting.is_active()
    containers.wait_for(lambda: client.seen()["begun"] == 3)
    other.channel.close()
    containers.wait_for(lambda: client.seen()["gone"] == 3)


def test_fifty_clients(server):
    first = server.channel()
    first.unary("Echo")
    before = server.fds()
    clients = [server.channel() for _ in range(50)]
    calls = [c.stream("Many", b"1000") for c in clients]
    waits = [c.stream("Wait") for c in clients]
    for call in calls:
        assert sum(1 for _ in call) == 1000
    assert first.seen()["clients"] == 51
    assert server.fds() == before + 50
    for c in clients:
        c.channel.close()
    containers.wait_for(lambda: server.fds() == before, what="end of connections")
    assert first.seen()["clients"] == 1
    assert first.seen()["gone"] == len(waits)


def test_our_own_client(server):
    assert [a[0] for a in server.client("unary", "Echo", "hello", 200)] == ["OK"] * 200
    assert server.client("stream", "Many", "100000")[0][:2] == ["OK", "100000"]
    assert server.client("talk", "Talk", "hello", 5000)[0][:3] == ["OK", "5000", "25000"]
    assert server.client("unary", "Fail", "")[0][5] == "no 100% \u00e4\u6f22"


# ---- connections


def test_idle(server):
    client = server.channel()
    call = client.stream("Wait")
    containers.wait_for(lambda: client.seen()["begun"] == 1)
    time.sleep(0.3)
    before = server.ticks()
    time.sleep(3)
    assert server.ticks() - before <= 1
    call.cancel()


def test_files(programs, tmp_path):
    address = f"unix:{tmp_path}/folder/socket"
    with Server(programs, address) as s:
        assert [os.stat(tmp_path / p).st_mode & 0o7777 for p in ("folder", "folder/socket")] == [0o700, 0o600]
        done = containers.run(programs["net_server"], address, check=False)
        assert done.returncode == 1 and "Address already in use" in done.text
        assert s.channel().unary("Echo", b"still") == b"still"
    with Server(programs, address) as s:  # the file was left by one that was killed
        assert s.channel().unary("Echo", b"new") == b"new"
    (tmp_path / "file").touch()
    assert "exists" in containers.run(programs["net_server"], f"{tmp_path}/file", check=False).text


@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_shutdown(programs, tmp_path, kind):
    with Server(programs, {"unix": f"{tmp_path}/socket", "tcp": "tcp://127.0.0.1:0"}[kind]) as s:
        client = s.channel()
        call = client.stream("Many", b"50000")
        next(call)
        wait = client.stream("Wait")
        containers.wait_for(lambda: client.seen()["begun"] == 2)
        s.process.send_signal(signal.SIGTERM)
        assert sum(1 for _ in call) == 49_999 and call.code() == CODE.OK
        assert s.process.poll() is None
        wait.cancel()
        out, _ = s.process.communicate(timeout=10)
        assert s.process.returncode == 0 and out.endswith("bye\n")


def test_shutdown_does_not_wait_for_ever(server):
    wait = server.channel().stream("Wait")
    containers.wait_for(lambda: server.channel().seen()["begun"] == 1)
    server.process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    server.process.communicate(timeout=20)
    assert 4 < time.monotonic() - begun < 10
    with pytest.raises(grpc.RpcError):
        next(wait)


def test_too_many_clients(programs, tmp_path):
    path = f"{tmp_path}/socket"
    with Server(programs, path) as s:
        held = []
        for _ in range(520):
            held.append(socket.socket(socket.AF_UNIX))
            held[-1].connect(path)
        containers.wait_for(lambda: s.fds() >= 512)
        assert "more than 512 clients" in s.process.stdout.readline()
        for h in held:
            h.close()
        containers.wait_for(lambda: s.fds() < 20)
        assert s.client("unary", "Echo", "x")[0][0] == "OK"


# ---- TCP and TLS


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:0", "tcp://[::1]:0", "tcp://localhost:0"])
def test_tcp(programs, address):
    with Server(programs, address) as s:
        client = s.channel()
        assert client.unary("Echo", b"hello") == b"hello"
        assert sum(1 for _ in client.stream("Many", b"10000")) == 10_000
        assert s.client("unary", "Echo", "hello", 10)[0][0] == "OK"


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def other_authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("others"))


@pytest.fixture
def tls_server(programs, authority):
    with Server(programs, "tcp://127.0.0.1:0", authority.ca, *authority.sign("server")) as s:
        yield s


def credentials(ca, pair=(None, None)):
    certificate, key = (open(f, "rb").read() if f else None for f in pair)
    return grpc.ssl_channel_credentials(open(ca, "rb").read(), key, certificate)


def test_tls(tls_server, authority):
    client = tls_server.channel(credentials(authority.ca, authority.sign("client")))
    assert client.unary("Echo", b"hello") == b"hello"
    assert len(client.unary("Echo", b"x" * ((4 << 20) - 100))) == (4 << 20) - 100
    assert sum(1 for _ in client.stream("Many", b"100000")) == 100_000
    assert list(client.talk("Talk", (b"%d" % i for i in range(1000)))) == [b"%d" % i for i in range(1000)]


@pytest.mark.parametrize("kind", ["none", "stranger", "expired"])
def test_clients_that_are_not_let_in(tls_server, authority, other_authority, kind):
    pair = {"none": lambda: (None, None), "stranger": lambda: other_authority.sign("client"),
            "expired": lambda: authority.sign("late", expired=True)}[kind]()
    before = tls_server.fds()
    client = tls_server.channel(credentials(authority.ca, pair))
    assert client.error(client.unary, "Echo", b"hello")[0] == CODE.UNAVAILABLE
    client.channel.close()
    assert "TLS: the peer" in tls_server.process.stdout.readline()
    containers.wait_for(lambda: tls_server.fds() == before)
    env = {"CERTIFICATE": pair[0], "KEY": pair[1]} if pair[0] else {}
    answer, = tls_server.client("unary", "Echo", "hello", CA=authority.ca, HOST="localhost", **env)
    assert answer[0] == "UNAVAILABLE" and "certificate" in answer[5], answer


def test_servers_that_are_not_believed(tls_server, authority, other_authority):
    certificate, key = authority.sign("client")
    ours = {"CERTIFICATE": certificate, "KEY": key}
    for host in ("localhost", "127.0.0.1"):
        assert tls_server.client("unary", "Echo", "x", CA=authority.ca, HOST=host, **ours)[0][0] == "OK"
    assert tls_server.client("stream", "Many", "100000", CA=authority.ca, HOST="localhost", **ours)[0][:2] == ["OK", "100000"]
    assert tls_server.client("talk", "Talk", "x" * 1000, 1000, CA=authority.ca, HOST="localhost", **ours)[0][:2] == ["OK", "1000"]
    for host, ca in (("example.org", authority.ca), ("127.0.0.2", authority.ca), ("localhost", other_authority.ca)):
        answer, = tls_server.client("unary", "Echo", "x", CA=ca, HOST=host, **ours)
        assert answer[0] == "UNAVAILABLE" and "certificate" in answer[5], answer


def test_no_tls_where_it_is_wanted(tls_server):
    before = tls_server.fds()
    assert tls_server.client("unary", "Echo", "x")[0][0] == "UNAVAILABLE"
    with socket.create_connection(tls_server.target.split(":")) as s:  # says nothing
        containers.wait_for(lambda: tls_server.fds() == before + 1)
        begun = time.monotonic()
        assert s.recv(100) == b""
        assert 8 < time.monotonic() - begun < 15
    containers.wait_for(lambda: tls_server.fds() == before)
