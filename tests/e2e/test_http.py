# SPDX-License-Identifier: Apache-2.0
"""trace_http: curl and others against nginx, in containers of their own; every request and answer as nginx's access log has it."""

import json
import os
import time

import containers
import ig
import pytest
import wires

PORT = 8080
FILES = 20  # of several lengths
# What a request and its answer are, in nginx's words and in ours.
LOGGED = {"port": "$remote_port", "method": "$request_method", "path": "$request_uri", "host": "$http_host", "status": "$status",
          "version": "$server_protocol", "type": "$sent_http_content_type", "length": "$sent_http_content_length",
          "took": "$request_time"}
CONFIG = f"""
daemon off; user root; worker_processes 1; pid /tmp/nginx.pid; error_log stderr;
events {{ }}
http {{
	log_format json escape=json '{json.dumps(LOGGED)}';
	access_log /dev/stdout json;
	limit_req_zone $server_addr zone=slow:1m rate=2r/s;
	types {{ text/html html; application/octet-stream bin; }}
	gzip on; gzip_min_length 10; client_max_body_size 3m; client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy;
	fastcgi_temp_path /tmp/fastcgi; uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
	server {{
		listen {PORT} DEFERRED; listen [::]:{PORT};
		root /www;
		location /moved {{ return 301 /there; }}
		location /text {{ return 200 "HTTP/1.1 500 in a body\\r\\n"; }}
		location /proxy/ {{ proxy_pass http://127.0.0.1:{PORT}/; proxy_http_version 1.1; }}
		location /slow {{ limit_req zone=slow burst=9; try_files /index.html =404; }}
	}}
}}
"""


@pytest.fixture(scope="module")
def rootfs(whole_lab):
    path = whole_lab.rootfs_with("nginx", "curl")
    for folder in ("var/log/nginx", "etc/nginx", "www"):
        os.makedirs(os.path.join(path, folder), exist_ok=True)
    for name, text in (("www/index.html", "<p>hello</p>\n" * 10), ("www/large.bin", "GET / HTTP/1.1\r\n" * 20000),
                       ("www/body", "POST /no HTTP/1.1\r\nHost: x\r\n\r\n" * 50000)):
        with open(os.path.join(path, name), "w", newline="") as f:
            f.write(text)
    for i in range(FILES):
        with open(os.path.join(path, f"www/f{i}"), "w") as f:
            f.write("GET / HTTP/1.1\r\n" * i * 100)
    return path


@pytest.fixture(params=["", "deferred"])
def peers(lab, rootfs, request):
    def edit(config):
        config["root"]["path"] = rootfs
        wires.may("SETUID", "SETGID", "DAC_OVERRIDE")(config)

    with open(os.path.join(rootfs, "etc/nginx/nginx.conf"), "w") as f:
        f.write(CONFIG.replace("DEFERRED", request.param))
    server = lab.start(f"until ip addr | grep -q {wires.address(1, 6)}/; do sleep 0.05; done; mkdir -p /tmp/body; "
                       "exec nginx -c /etc/nginx/nginx.conf", edit=edit)
    client = lab.start("sleep 1000", edit=edit)
    wires.join(server, client)
    url = f"http://{wires.address(1)}:{PORT}"
    containers.wait_for(lambda: client.exec("curl", "-s", f"{url}/up", check=False) == 0, what=f"nginx: {server.log()}")
    return server, client


def curl(client, *args, version=4):
    """Paths become URLs: a curl uses one connection for them all."""
    address = wires.address(1, version) if version == 4 else f"[{wires.address(1, 6)}]"
    urls = [f"http://{address}:{PORT}{a}" if a.startswith("/") else a for a in args]
    client.exec("sh", "-c", 'exec curl -s --max-time 20 "$@" >/dev/null', "sh", *urls, check=False)


def logged(server):
    return [json.loads(line) for line in server.log().splitlines() if line.startswith("{") and '"/up"' not in line]


def ask(client):
    curl(client, "/", "/large.bin", "/none", "/text", "/moved", "/%20?q=1&r=%00")
    curl(client, "/index.html", "/text", "/large.bin", version=6)
    curl(client, "-H", "Host: other.test", "--compressed", "/index.html", "/")
    curl(client, "-I", "/large.bin", "/index.html")
    curl(client, "--http1.0", "/index.html")
    curl(client, "-d", "a=b", "/index.html", "/none")
    curl(client, "-T", "/www/body", "-H", "Transfer-Encoding: chunked", "/text", "/index.html")
    curl(client, "-T", "/www/body", "/text", "-H", "Expect: 100-continue", "/index.html")
    curl(client, "--data-binary", "@/www/body", "/text", "/text")
    curl(client, "-T", "/www/large.bin", "-H", "Content-Length: 5000000", "/too-large")
    curl(client, "-X", "OPTIONS", "/" + "x" * 3000)
    curl(client, "-r", "5-9", "/large.bin", "/index.html")
    curl(client, "/slow", "/slow")
    curl(client, "/proxy/index.html", "/proxy/large.bin")
    requests = "".join(f"{m} /p{i}?{'y' * i} HTTP/1.1\\r\\nHost: p\\r\\n\\r\\n" for i, m in enumerate(["GET", "HEAD", "GET"] * 4))
    client.exec("sh", "-c", f"(printf '{requests}'; sleep 1) | nc {wires.address(1)} {PORT} >/dev/null")


def shown(record):
    return (record["client"]["port"], record["method"], record["path"], record["host"], record["status"], record["version"],
            record["content_type"], record["content_length"])


def said(line):
    return (int(line["port"]), line["method"], line["path"], line["host"], int(line["status"]), line["version"], line["type"],
            int(line["length"] or -1))


def test_every_answer_is_as_the_server_says(peers):
    server, client = peers
    with ig.Ig("run", "trace_http", "-o", "json", "-c", f"{server.name},{client.name}") as running:
        running.ready()
        ask(client)
        time.sleep(0.5)
        assert running.stop() == 0
        records, err = running.records(), running.err
    log = logged(server)
    inside = [line for line in log if line["host"] == f"127.0.0.1:{PORT}"]  # nginx asks itself, too
    by = {(name, role): [r for r in records if ig.container_of(r) == name and r["role"] == role]
          for name in (server.name, client.name) for role in ("CLIENT", "SERVER")}
    assert sorted(map(shown, by[server.name, "SERVER"])) == sorted(map(said, log))
    assert sorted(map(shown, by[client.name, "CLIENT"])) == sorted(said(line) for line in log if line not in inside)
    assert sorted(map(shown, by[server.name, "CLIENT"])) == sorted(map(said, inside))
    assert not by[client.name, "SERVER"] and len(inside) == 2 and len(log) > 35
    assert not any(r["unanswered"] for r in records) and ig.totals(err).lost == 0
    assert {r["proc"]["comm"] for r in by[client.name, "CLIENT"]} == {"curl", "nc"}
    assert {r["proc"]["comm"] for r in by[server.name, "SERVER"]} == {"nginx"}
    check_latencies(by[server.name, "SERVER"], log)


def check_latencies(records, log):
    """nginx measures up to the end of the answer, in ms; ours begins where a first segment comes."""
    took = {said(line): float(line["took"]) for line in log}
    assert all(0 < r["latency_ns"] / 1e9 < took[shown(r)] + 0.05 * containers.SLOWER for r in records)
    slow = max(r["latency_ns"] / 1e9 for r in records if r["path"] == "/slow")
    assert 0.3 < slow < max(float(line["took"]) for line in log if line["path"] == "/slow") + 0.05 * containers.SLOWER


def test_connections_that_are_older(peers):
    """What was asked before is not told; what is asked then on the same connection is, by the same processes."""
    server, client = peers
    request = "printf 'GET /{} HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'"
    client.runc("exec", "-d", client.name, "sh", "-c",
                f"({request.format('before')}; until [ -e /tmp/go ]; do sleep 0.05; done; {request.format('after')}; sleep 0.5) | "
                f"nc {wires.address(1)} {PORT}")
    containers.wait_for(lambda: [line["path"] for line in logged(server)] == ["/before"], what="first request")
    with ig.Ig("run", "trace_http", "-o", "json", "-c", f"{server.name},{client.name}") as running:
        running.ready()
        client.exec("touch", "/tmp/go")
        containers.wait_for(lambda: len(logged(server)) == 2, what="second request")
        time.sleep(0.3)
        assert running.stop() == 0
        got = [(r["role"], r["path"], r["status"]) for r in running.records()]
    assert sorted(got) == [("CLIENT", "/after", 404), ("SERVER", "/after", 404)]


def test_segments_that_are_lost(peers):
    """An answer is never told of another request; what cannot be told is counted."""
    server, client = peers
    with ig.Ig("run", "trace_http", "-o", "json", "-c", f"{server.name},{client.name}") as running:
        running.ready()
        for c in (server, client):
            wires.inside(c, "iptables", "-A", "INPUT", "-p", "tcp", "-m", "statistic", "--mode", "random", "--probability", "0.02",
                         "-j", "DROP")
        script = " & ".join(f"curl -s --max-time 60 -H 'X: {'x' * 3000}' 'http://{wires.address(1)}:{PORT}/f[0-{FILES - 1}]?[1-3]' "
                            ">/dev/null" for _ in range(5))
        client.exec("sh", "-c", f"{script} & wait")
        time.sleep(0.5)
        assert running.stop() == 0
        records, totals = running.records(), ig.totals(running.err)
    log = logged(server)
    assert len(log) == 5 * 3 * FILES
    assert set(map(shown, records)) <= set(map(said, log))
    assert totals.lost and abs(len(records) + totals.lost - 2 * len(log)) <= 5
