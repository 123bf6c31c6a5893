# SPDX-License-Identifier: Apache-2.0
"""traceloop at an agent: its HTTP service, and what dumps say."""

import http.client
import json
import os
import socket
import urllib.parse

import ig
from agent import Agent


class Connection(http.client.HTTPConnection):
    """HTTP on a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=60)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class LoopAgent(Agent):
    """An agent with traceloop."""

    def __init__(self, *args):
        # Its folder is made by Agent: the socket is in one that both know.
        self.loop_socket = f"/tmp/ig-loop-{os.getpid()}-{id(self)}.socket"
        super().__init__("--traceloop-socket", self.loop_socket, *args)

    def ask(self, path, **parameters):
        """(status, text) of the answer."""
        connection = Connection(self.loop_socket)
        query = "?" + urllib.parse.urlencode(parameters) if parameters else ""
        connection.request("GET", path + query)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="surrogateescape")

    def good(self, path, **parameters):
        status, text = self.ask(path, **parameters)
        assert status == 200, text
        return text

    def list(self):
        """What /list says, by container name."""
        return {row["name"]: row for row in json.loads(self.good("/list", format="json"))}

    def calls(self, **parameters):
        """A dump's calls, as JSON."""
        return ig.records(self.good("/dump-by-name", format="json", **parameters))

    def count(self, **parameters):
        """(kept, overwritten, lost): how many records there ever were in a ring. What is kept is counted here."""
        dump = self.good("/dump-by-name", format="json", **parameters)
        kept = sum(("comm" in c) + (c["ret"] is not None) for c in ig.records(dump))
        note = next(n for n in ig.notes(dump) if n["event"] == "traceloop")
        assert note["kept"] == kept
        return kept, note["overwritten"], note["lost"]


def argument(call, name):
    return next(p["value"] for p in call["parameters"] if p["name"] == name)
