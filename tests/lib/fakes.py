# SPDX-License-Identifier: Apache-2.0
"""Sockets of runtimes that misbehave: what no real daemon can be asked to do. Nothing else is faked."""

import contextlib
import random
import socket
import struct
import threading

SLOW = 0.2  # seconds from byte to byte


def _frame(kind, flags, stream, payload):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


# What a daemon's answer begins with. HTTP/1.1: a list that never ends. HTTP/2: settings, headers (:status 200), data.
ANSWERS = {
    "docker": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n"
              b"[{\"Id\":\"0123456789abcdef\",",
    "containerd": _frame(4, 0, 0, b"") + _frame(1, 4, 1, b"\x88") + _frame(0, 0, 1, b"\0\0\0\x0f\xa0\x0a\x03abc"),
}


class Fake:
    """A unix socket at `path` that speaks as `protocol` ("docker" or "containerd") and misbehaves as `how` says:

    silent    takes every connection and never answers
    slow      a byte of the answer every 200 ms
    half      half of the answer, and the end
    garbage   random bytes
    endless   an answer without an end
    """

    WAYS = ("silent", "slow", "half", "garbage", "endless")

    def __init__(self, path, how, protocol):
        self.path, self.how, self.answer = path, how, ANSWERS[protocol]
        self.connections, self.sent = 0, 0
        self.open, self.closing = [], threading.Event()
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(path)
        self.server.listen(64)
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _accept(self):
        while True:
            try:
                connection = self.server.accept()[0]
            except OSError:
                return
            if self.closing.is_set():
                connection.close()
                return
            self.connections += 1
            self.open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError):
            if connection.recv(65536):
                getattr(self, f"_{self.how}")(connection)
        with contextlib.suppress(OSError):
            connection.close()

    def _send(self, connection, data):
        connection.sendall(data)
        self.sent += len(data)

    def _silent(self, connection):
        while connection.recv(65536):
            pass

    def _slow(self, connection):
        for byte in self.answer:
            self._send(connection, bytes([byte]))
            if self.closing.wait(SLOW):
                return
        self._silent(connection)

    def _half(self, connection):
        self._send(connection, self.answer[:len(self.answer) // 2])

    def _garbage(self, connection):
        self._send(connection, random.Random(1).randbytes(100000))

    def _endless(self, connection):
        self._send(connection, self.answer)
        while not self.closing.is_set():
            self._send(connection, b"x" * 65536)

    def close(self):
        self.closing.set()
        # accept() does not return when its socket is closed by another thread.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as wake:
            wake.connect(self.path)
        for connection in (*self.open, self.server):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server.close()
