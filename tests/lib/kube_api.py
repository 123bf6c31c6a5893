# SPDX-License-Identifier: Apache-2.0
"""A fake API server for what a real cluster cannot be made to do: to be slow, to refuse, to lie, to drop. Its nodes are
real: an exec into an agent's pod starts the program that it asks for, at the daemon of a test."""

import base64
import contextlib
import hashlib
import http.server
import json
import os
import random
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.parse

import ig

V4, V5 = "v4.channel.k8s.io", "v5.channel.k8s.io"

# How an exec is refused, in a real API server's words.
REFUSALS = {
    "forbidden": (403, 'pods "{}" is forbidden: User "u" cannot create resource "pods/exec"'),
    "gone": (404, 'pods "{}" not found'),
    "cut off": (500, "error dialing backend: dial tcp 10.0.0.9:10250: i/o timeout"),
}


class Node:
    """how: what an exec into its agent meets.

    ok         the daemon at `address`
    silent     never an answer
    garbage    a WebSocket of random bytes
    forbidden  403, as where a Role lacks pods/exec
    missing    a program that does not exist
    old        an ig that does not know the command
    gone       404, as where the pod was deleted a moment ago
    cut off    500, as where the API server cannot reach the node's kubelet
    stalls     the daemon, which after some hundred bytes has no more to say

    cut_off: the cluster knows that the node is.
    """

    def __init__(self, name, address=None, how="ok", ready=True, waiting=None, traceloop=None, cut_off=False):
        self.name, self.address, self.how, self.ready, self.waiting = name, address, how, ready and not cut_off, waiting
        self.cut_off = cut_off
        # Where its sockets are that are at these places in an agent's pod.
        self.places = {"unix:///run/traceloop.socket": f"unix://{traceloop}"}
        self.programs, self.connections = [], []

    def pod(self):
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True" if self.ready else "False"}]}
        if self.waiting:
            status["containerStatuses"] = [{"name": "gadget", "ready": False, "state": {"waiting": {"reason": self.waiting}}}]
        if self.cut_off:
            status["containerStatuses"] = [{"name": "gadget", "ready": True, "state": {"running": {}}}]
        return {"metadata": {"name": f"gadget-{self.name}", "namespace": "gadget", "labels": {"k8s-app": "gadget"}},
                "spec": {"nodeName": self.name, "containers": [{"name": "gadget", "image": "ig:test"}]}, "status": status}

    def drop(self):
        """What is open breaks, without a word."""
        for connection in self.connections:
            with contextlib.suppress(OSError):  # one that has ended
                connection.shutdown(socket.SHUT_RDWR)


def pod(name, namespace, *addresses, phase="Running", host_network=False, labels=None):
    return {"metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
            "spec": {"nodeName": "n9", **({"hostNetwork": True} if host_network else {})},
            "status": {"phase": phase, "podIP": addresses[0], "podIPs": [{"ip": a} for a in addresses]}}


def service(name, namespace, *addresses):
    return {"metadata": {"name": name, "namespace": namespace},
            "spec": {"clusterIP": addresses[0], "clusterIPs": list(addresses), "ports": [{"port": 80}]}}


class Collection:
    """Objects that are listed and watched. Versions are the numbers of changes."""

    def __init__(self):
        self.objects, self.changes, self.changed = {}, [], threading.Condition()
        self.watches = []  # connections

    def tell(self, obj, event="ADDED"):
        """Watches are told of it; lists have it from then on, or no more."""
        key = (obj["metadata"]["namespace"], obj["metadata"]["name"])
        with self.changed:
            if event == "DELETED":
                del self.objects[key]
            else:
                self.objects[key] = obj
            self.changes.append((event, obj))
            self.changed.notify_all()

    def change_after(self, version):
        with self.changed:
            self.changed.wait_for(lambda: len(self.changes) > version)
            return self.changes[version]


class Agents(Collection):
    """As their nodes are when they are listed."""

    def __init__(self, nodes):
        super().__init__()
        self.nodes = nodes

    def all(self):
        return [n.pod() for n in self.nodes.values()]


class KubeApi:
    """protocols: what it knows of the exec's; refuse: a status with which it answers all that is not an exec; forbidden: paths
    that are answered with 403; silent: paths that are not answered; page: objects in a list, however many more are asked for."""

    def __init__(self, folder, nodes, protocols=(V5, V4), refuse=None, page=None, forbidden=()):
        self.nodes = {f"gadget-{n.name}": n for n in nodes}
        self.protocols, self.refuse, self.page, self.chosen, self.asked, self.asked_at = protocols, refuse, page, [], [], []
        self.forbidden, self.silent = set(forbidden), set()
        self.agents, self.pods, self.services = Agents(self.nodes), Collection(), Collection()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.daemon_threads = True
        self.server.api = self
        self.kubeconfig = os.path.join(folder, "kubeconfig")
        self.write_config()
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def change(self, node, event="MODIFIED"):
        """Watches are told of it; of a node that is new as well."""
        self.nodes[f"gadget-{node.name}"] = node
        self.agents.tell(node.pod(), event)

    def write_config(self, namespace="default"):
        port = self.server.server_address[1]
        with open(self.kubeconfig, "w") as f:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "x", "users": [{"name": "u", "user": {}}],
                       "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                       "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": namespace}}]}, f)

    @property
    def env(self):
        return {"KUBECONFIG": self.kubeconfig}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        for node in self.nodes.values():
            node.how = "closed"
            for program in node.programs:
                program.kill()
                program.wait()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def refusal(self, status, message):
        self.answer(status, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": status})

    def do_GET(self):
        api = self.server.api
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        parts = url.path.strip("/").split("/")
        api.asked.append(self.path)
        api.asked_at.append(time.monotonic())
        if parts[-1] == "exec":
            self.exec(api, api.nodes[parts[-2]], query["command"])
        elif api.refuse:
            self.refusal(api.refuse, "not for you")
        elif url.path in api.silent:
            self.rfile.read(1)
        elif url.path in api.forbidden:
            self.refusal(403, f'{parts[-1]} is forbidden: User "u" cannot list resource "{parts[-1]}"')
        elif parts[-1] in ("pods", "services"):
            self.collection(api, parts[-1], parts[3] if parts[2] == "namespaces" else None, query)
        else:
            self.refusal(404, "no such thing")

    def collection(self, api, name, namespace, query):
        """namespace None: the whole cluster's."""
        of_agents = "labelSelector" in query
        if of_agents:
            assert (name, namespace, query["labelSelector"]) == ("pods", "gadget", ["k8s-app=gadget"])
        elif name == "pods":
            assert query["fieldSelector"] == ["status.phase!=Succeeded,status.phase!=Failed"]
        objects = api.agents if of_agents else api.pods if name == "pods" else api.services
        if "watch" in query:
            self.watch(objects, namespace, int(query["resourceVersion"][0]))
            return
        with objects.changed:
            version = str(len(objects.changes))
            found = objects.all() if of_agents else [o for (n, _), o in objects.objects.items() if namespace in (None, n)]
        begin = int(query.get("continue", ["0"])[0])
        end = begin + (api.page or int(query["limit"][0]))
        self.answer(200, {"items": found[begin:end], "metadata": {"continue": str(end) if end < len(found) else "",
                                                                  "resourceVersion": version}})

    def watch(self, objects, namespace, version):
        self.close_connection = True
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        objects.watches.append(self.connection)
        with contextlib.suppress(OSError):
            while True:
                event, changed = objects.change_after(version)
                version += 1
                if namespace not in (None, changed["metadata"]["namespace"]):
                    continue
                changed = dict(changed, metadata=dict(changed["metadata"], resourceVersion=str(version)))
                data = json.dumps({"type": event, "object": changed}).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    # ---- exec -----------------------------------------------------------------------

    def exec(self, api, node, command):
        self.close_connection, self.lock = True, threading.Lock()
        if node.how in REFUSALS:
            status, message = REFUSALS[node.how]
            self.refusal(status, message.format(f"gadget-{node.name}"))
            return
        if node.how == "silent":
            self.rfile.read(1)
            return
        self.upgrade(api)
        node.connections.append(self.connection)
        if node.how == "garbage":
            self.wfile.write(random.Random(1).randbytes(10000))
            return
        if node.how == "missing":
            self.finish_exec(f'exec: "{command[0]}": executable file not found in $PATH')
            return
        if node.how == "old":
            self.frame(2, b"\2level=error msg=\"no command 'dial-stdio'; `ig help` lists them\"\n")
            self.finish_exec("command terminated with exit code 2")
            return
        assert command[:2] == ["ig", "dial-stdio"]
        # A new session, which a signal to the tests does not reach.
        program = subprocess.Popen([ig.IG, "--remote", node.address, *(node.places.get(w, w) for w in command[1:])], stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        node.programs.append(program)
        copies = [threading.Thread(target=self.copy, args=(pipe, channel, node.how == "stalls"), daemon=True)
                  for channel, pipe in ((1, program.stdout), (2, program.stderr))]
        for thread in (*copies, threading.Thread(target=self.feed, args=(program.stdin,), daemon=True)):
            thread.start()
        for thread in copies:
            thread.join()
        code = program.wait()
        self.finish_exec(f"command terminated with exit code {code}" if code else None)

    def upgrade(self, api):
        offered = [p.strip() for p in self.headers["Sec-WebSocket-Protocol"].split(",")]
        api.chosen.append(next(p for p in offered if p in api.protocols))
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.send_header("Sec-WebSocket-Protocol", api.chosen[-1])
        self.end_headers()

    def frame(self, opcode, payload):
        n = len(payload)
        head = struct.pack(">BB", 0x80 | opcode, n) if n < 126 else struct.pack(">BBH", 0x80 | opcode, 126, n) \
            if n < 65536 else struct.pack(">BBQ", 0x80 | opcode, 127, n)
        with self.lock:
            self.wfile.write(head + payload)
            self.wfile.flush()

    def copy(self, pipe, channel, stalls):
        left = 1000 if stalls else sys.maxsize
        try:
            while data := os.read(pipe.fileno(), 32768):
                data = data[:left]
                left -= len(data)
                if not data:
                    continue
                self.frame(2, bytes([channel]) + data)
        except OSError:
            pass

    def feed(self, stdin):
        """Frames of the client, which are masked and, as ours are, not in pieces."""
        try:
            while True:
                first, second = self.rfile.read(2)
                n = second & 0x7f
                n = n if n < 126 else struct.unpack(">H" if n == 126 else ">Q", self.rfile.read(2 if n == 126 else 8))[0]
                mask, data = self.rfile.read(4), self.rfile.read(n)
                data = bytes(b ^ mask[i & 3] for i, b in enumerate(data))
                if first & 15 == 8 or (first & 15 == 2 and data == b"\xff\0"):
                    break
                if first & 15 == 2 and data[0] == 0:
                    stdin.write(data[1:])
                    stdin.flush()
        except (OSError, ValueError):
            pass
        with contextlib.suppress(OSError):  # what was not flushed has no reader
            stdin.close()

    def finish_exec(self, fault):
        status = {"status": "Failure", "message": fault} if fault else {"status": "Success"}
        try:
            self.frame(2, b"\3" + json.dumps(status).encode())
            self.frame(8, struct.pack(">H", 1000))
        except OSError:
            pass
