# SPDX-License-Identifier: Apache-2.0
"""The clients of src/net against servers that others have written: grpcio, and Python's http.server."""

import collections
import http.server
import os
import socketserver
import subprocess
import sys
import threading
import time
import zlib

import containers
import pytest
import staged

HERE = os.path.dirname(os.path.abspath(__file__))

Answer = collections.namedtuple("Answer", "status messages bytes crc ns text")


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    return staged.build(os.path.join(HERE, "net_client.c"), str(tmp_path_factory.mktemp("net")))


def read(out):
    answers = [Answer(*line.split("\t")) for line in out.splitlines()]
    return [a._replace(messages=int(a.messages), bytes=int(a.bytes), crc=int(a.crc), ns=int(a.ns)) for a in answers]


def is_bytes(answer, body):
    assert (answer.bytes, answer.crc) == (len(body), zlib.crc32(body))


# ---- gRPC


class Server:
    def __init__(self, program, socket):
        self.program, self.socket = program, socket
        self.process = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "grpc_server.py"), socket],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def __enter__(self):
        line = self.process.stdout.readline()
        assert line == "ready\n", self.process.stderr.read()
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def start(self, kind, method, text, n=1, deadline_ms=20_000):
        return subprocess.Popen([self.program, kind, self.socket, f"/test.Test/{method}", str(text), str(n), str(deadline_ms)],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def calls(self, *args, **kwargs):
        client = self.start(*args, **kwargs)
        out, err = client.communicate(timeout=60)
        assert client.returncode == 0, err
        return read(out)

    def call(self, *args, **kwargs):
        answer, = self.calls(*args, **kwargs)
        return answer


@pytest.fixture
def server(client, tmp_path):
    with Server(client, str(tmp_path / "socket")) as s:
        yield s


def test_unary(server):
    answer = server.call("unary", "Echo", "hello")
    assert (answer.status, answer.messages, answer.text) == ("OK", 1, "")
    is_bytes(answer, b"hello")
    assert server.call("unary", "Echo", "").bytes == 0


def test_what_the_server_sees(server):
    version = open(os.path.join(containers.TOP, "VERSION")).read().strip()
    is_bytes(server.call("unary", "Seen", "", deadline_ms=20_000), f"k8s.io ig/{version} 20".encode())


def test_a_long_answer(server):
    answer = server.call("unary", "Big", 4 << 20)
    assert answer.status == "OK"
    is_bytes(answer, b"x" * (4 << 20))
    assert server.call("unary", "Big", 16 << 20).bytes == 16 << 20
    answer = server.call("unary", "Big", (16 << 20) + 1)
    assert answer.status == "RESOURCE_EXHAUSTED" and "16777216 bytes" in answer.text


def test_a_long_request(server):
    text = "y" * 120_000 # one argument of a program has 128 KiB; the server's window 64
    is_bytes(server.call("unary", "Echo", text), text.encode())


def test_errors(server):
    answer = server.call("unary", "Fail", "")
    assert (answer.status, answer.text) == ("NOT_FOUND", "no 100% \u00e4\u6f22")
    assert server.call("unary", "Nothing", "").status == "UNIMPLEMENTED"
    assert server.call("stream", "Nothing", "").status == "UNIMPLEMENTED"
    answer = server.call("stream", "Half", "")
    assert (answer.status, answer.messages, answer.text) == ("DATA_LOSS", 1, "the rest is gone")
    answer = server.call("unary", "Many", 2)
    assert answer.status == "INTERNAL" and "more than one message" in answer.text


def test_deadline(server):
    answer = server.call("unary", "Slow", 5, deadline_ms=300)
    assert answer.status == "DEADLINE_EXCEEDED"
    assert 250_000_000 < answer.ns < 2_000_000_000


def test_stream(server):
    answer = server.call("stream", "Many", 10_000)
    assert (answer.status, answer.messages) == ("OK", 10_000)
    is_bytes(answer, b"".join(b"message %d" % i for i in range(10_000)))


def test_many_calls_at_once(server):
    answers = server.calls("unary", "Slow", 0.5, n=50)
    assert [a.status for a in answers] == ["OK"] * 50
    assert max(a.ns for a in answers) < 10 * 500_000_000 # one after the other would take 25 s
    answers = server.calls("unary", "Big", 100_000, n=50)
    assert [(a.status, a.bytes) for a in answers] == [("OK", 100_000)] * 50


def test_a_server_that_is_killed(server):
    client = server.start("unary", "Slow", 60, n=3, deadline_ms=60_000)
    for _ in range(3):
        assert server.process.stdout.readline() == "slow\n"
    before = time.monotonic()
    server.process.kill()
    out, err = client.communicate(timeout=30)
    assert time.monotonic() - before < 10
    assert [a.status for a in read(out)] == ["UNAVAILABLE"] * 3
    assert err.count("broken: ") == 1


# ---- HTTP/1.1


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def address_string(self):
        return "unix"

    def log_message(self, *_):
        pass

    def head(self, status, *headers):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()

    def do_GET(self):
        name, _, size = self.path[1:].partition("/")
        body = b"0123456789" * (int(size or 0) // 10)
        if name == "length":
            self.head(200, ("Content-Length", len(body)))
            self.wfile.write(body)
        elif name == "chunked":
            self.head(200, ("Transfer-Encoding", "chunked"))
            for at in range(0, len(body), 7000):
                part = body[at:at + 7000]
                self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
            self.wfile.write(b"0\r\n\r\n")
        elif name == "close":
            self.head(200, ("Connection", "close"))
            self.wfile.write(body)
        elif name == "cut":
            self.head(200, ("Content-Length", len(body) + 1))
            self.wfile.write(body)
        elif name == "slow":
            time.sleep(2)
        else:
            self.send_error(404)
        self.close_connection = True


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture
def get(client, tmp_path):
    with UnixServer(str(tmp_path / "socket"), Handler) as s:
        threading.Thread(target=s.serve_forever, daemon=True).start()

        def ask(path, max_bytes=1 << 20, deadline_ms=20_000):
            answer, = read(containers.run(client, "get", s.server_address, path, str(max_bytes), str(deadline_ms)).text)
            return answer

        yield ask
        s.shutdown()


@pytest.mark.parametrize("kind", ["length", "chunked", "close"])
def test_bodies(get, kind):
    for n in (0, 10, 1 << 20):
        answer = get(f"/{kind}/{n}")
        assert (answer.status, answer.text) == ("200", "")
        is_bytes(answer, b"0123456789" * (n // 10))
    answer = get(f"/{kind}/1000000", max_bytes=999_999)
    assert answer.status == "EMSGSIZE" and "999999" in answer.text


def test_http_errors(get):
    answer = get("/nothing")
    assert answer.status == "404" and answer.bytes > 0
    assert get("/cut/1000").status == "ECONNRESET"
    answer = get("/slow", deadline_ms=200)
    assert answer.status == "ETIMEDOUT" and answer.ns < 2_000_000_000
    assert get("no path").status == "EINVAL"
