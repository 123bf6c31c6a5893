# SPDX-License-Identifier: Apache-2.0
"""ig dial-stdio: a daemon's socket as standard input and output."""

import os
import socket
import subprocess
import threading

import containers
import ig
import pytest

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"


def dial(address, **kwargs):
    return subprocess.Popen([ig.IG, "--remote", address, "dial-stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **kwargs)


def test_it_is_the_daemons_connection(agent):
    with dial(agent.address) as process:
        process.stdin.write(PREFACE)
        process.stdin.flush()
        assert process.stdout.read(9)[3] == 4, "no SETTINGS"
        process.stdin.close()
        assert process.wait(10 * containers.SLOWER) == 0, process.stderr.read()


def test_no_daemon(tmp_path):
    with dial(f"unix://{tmp_path}/no.socket") as process:
        out, err = process.communicate(timeout=10 * containers.SLOWER)
    assert process.returncode == 1 and b"no daemon at" in err and not out


@pytest.fixture
def peer(tmp_path):
    """A server that takes one connection: (its address, a function that waits for the connection)."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        server.settimeout(10 * containers.SLOWER)
        yield f"unix://{tmp_path}/s", lambda: server.accept()[0]


def test_all_bytes_go_both_ways(peer):
    address, accept = peer
    data = os.urandom(5_000_000)
    with dial(address) as process, accept() as there:
        there.settimeout(20 * containers.SLOWER)

        def echo():
            while chunk := there.recv(65536):
                there.sendall(chunk)
            there.shutdown(socket.SHUT_WR)
        echoing = threading.Thread(target=echo)
        echoing.start()
        out, err = process.communicate(data, timeout=20 * containers.SLOWER)
        echoing.join()
    assert process.returncode == 0 and out == data, err


def test_a_reader_that_does_not_read_stops_the_daemon(peer):
    """What waits is bounded: two pipes' and sockets' worth, and 64 KiB of ours."""
    address, accept = peer
    with dial(address) as process, accept() as there:
        there.settimeout(1)
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                sent += there.send(bytes(65536))
        assert sent < 2_000_000
        process.stdout.close()  # its reader goes: so does it
        assert process.wait(10 * containers.SLOWER) == 0, process.stderr.read()
