# SPDX-License-Identifier: Apache-2.0
"""traceloop at an agent: its HTTP service, and what dumps say."""

import http.client
import json
import os
import re
import socket
import urllib.parse

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
        return [json.loads(line) for line in self.good("/dump-by-name", format="json", **parameters).splitlines()]


def count(calls, text):
    """How many records there ever were of one ring: those of the calls, and what the text says of the others."""
    kept = sum(("comm" in c) + (c["ret"] is not None) for c in calls)
    overwritten = re.search(r"^# (\d+) older records were overwritten$", text, re.M)
    lost = re.search(r"^# (\d+) records were lost$", text, re.M)
    return kept, int(overwritten.group(1)) if overwritten else 0, int(lost.group(1)) if lost else 0


def argument(call, name):
    return next(p["value"] for p in call["parameters"] if p["name"] == name)
