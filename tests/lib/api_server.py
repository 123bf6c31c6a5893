# SPDX-License-Identifier: Apache-2.0
"""A Kubernetes API server for what a real one cannot be made to do: it serves one collection, by a script of faults.

HTTP/1.1 in Python; in front of it nghttpx (nghttp2's proxy) speaks TLS and HTTP/2, as the real one does."""

import collections
import http.server
import json
import os
import queue
import socket
import threading
import time
import urllib.parse

import containers
import daemon
from certificates import Authority

Request = collections.namedtuple("Request", "time watch query token")
CLOSE = object()  # as an event: the watch ends well


def pod(name, uid, node="n1", owner=None, **metadata):
    """v1.Pod, as far as anybody looks. owner: (kind, name)"""
    meta = {"name": name, "namespace": "default", "uid": uid, **metadata}
    if owner:
        meta["ownerReferences"] = [{"kind": "Other", "name": "no"}, {"kind": owner[0], "name": owner[1], "controller": True}]
    return {"metadata": meta, "spec": {"nodeName": node}, "status": {"podIP": "10.9.8.7"}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        server = self.server.of
        url = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        watch = query.get("watch") == "true"
        server.requests.append(Request(time.monotonic(), watch, query, self.headers.get("Authorization")))
        fault = server.next_fault(watch)
        if fault:
            self.answer(*fault)
        elif url.path != "/api/v1/pods":
            self.answer(404, {"message": f"no {url.path}"})
        elif watch:
            self.watch(server)
        else:
            self.list(server, query)

    def list(self, server, query):
        begin = int(query.get("continue", "0").rpartition(" ")[2])
        end = begin + min(int(query["limit"]), server.page)
        meta = {"resourceVersion": str(server.version)}
        if end < len(server.pods):
            meta["continue"] = f"from/& {end}"  # any text
        self.answer(200, {"kind": "PodList", "metadata": meta, "items": server.pods[begin:end] or None})

    def watch(self, server):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        events = queue.Queue()
        server.watches.append(events)
        try:
            while (event := events.get()) is not CLOSE:
                line = event if isinstance(event, bytes) else json.dumps(event).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass
        finally:
            server.watches.remove(events)


class ApiServer:
    def __init__(self, folder):
        containers.require("nghttpx")
        self.folder = str(folder)
        self.pods, self.version, self.page = [], 100, 500
        self.requests, self.watches = [], []
        self.faults = {True: [], False: []}  # of watches, of lists: what the next ones are answered with
        authority = Authority(self.folder)
        self.certificate, self.key = authority.sign("api", "IP:127.0.0.1")
        os.rename(authority.ca, self.path("ca.crt"))
        self.set_token("first")
        self.behind = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.behind.daemon_threads = True
        self.behind.of = self
        threading.Thread(target=self.behind.serve_forever, daemon=True).start()
        with socket.create_server(("127.0.0.1", 0)) as s:
            self.port = s.getsockname()[1]
        self.start()

    def path(self, name):
        return os.path.join(self.folder, name)

    def set_token(self, token):
        with open(self.path("token.new"), "w") as f:
            f.write(token + "\n")
        os.rename(self.path("token.new"), self.path("token"))

    def start(self):
        self.proxy = daemon.Daemon(self.folder, "nghttpx", [
            "nghttpx", "--conf=/dev/null", "--workers=1", f"--frontend=127.0.0.1,{self.port}",
            f"--backend=127.0.0.1,{self.behind.server_address[1]}", "--frontend-http2-read-timeout=600",
            "--backend-read-timeout=600", self.key, self.certificate], self.answers)

    def answers(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        """Nobody listens any more, and connections are gone."""
        self.proxy.stop()

    def close(self):
        self.stop()
        for events in list(self.watches):
            events.put(CLOSE)
        self.behind.shutdown()
        self.behind.server_close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def next_fault(self, watch):
        return self.faults[watch].pop(0) if self.faults[watch] else None

    def fail(self, watch, status, body, times=1):
        self.faults[watch] += [(status, body)] * times

    def tell(self, kind, pod):
        """A change: to who watches, and to who lists afterwards. kind: ADDED, MODIFIED, DELETED"""
        self.version += 1
        pod = dict(pod, metadata=dict(pod["metadata"], resourceVersion=str(self.version)))
        self.pods = [p for p in self.pods if p["metadata"]["uid"] != pod["metadata"]["uid"]]
        if kind != "DELETED":
            self.pods.append(pod)
        self.send({"type": kind, "object": pod})

    def send(self, event):
        for events in list(self.watches):
            events.put(event)

    def wait_watch(self, after=0):
        """Somebody watches, by a request after so many."""
        containers.wait_for(lambda: self.watches and any(r.watch for r in self.requests[after:]), what="a watch")

    @property
    def flags(self):
        return ["--node-name", "n1", "--service-account", self.folder]

    @property
    def env(self):
        return {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(self.port)}
