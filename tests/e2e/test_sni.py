# SPDX-License-Identifier: Apache-2.0
"""trace_sni: openssl s_client and curl against openssl s_server and nginx, in containers of their own; names as the server has
them."""

import os
import re
import time

import containers
import ig
import pytest
import wires

PORT = 4433
NAMES = ["one.test", "six.test", "", "long.test", "curl.test", "old.test"]

NGINX = f"""
daemon off; user root; worker_processes 1; pid /tmp/nginx.pid; error_log stderr;
events {{ }}
http {{
	log_format tls '$remote_port|$ssl_server_name|$ssl_protocol|$server_protocol';
	access_log /dev/stdout tls;
	client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi; uwsgi_temp_path /tmp/uwsgi;
	scgi_temp_path /tmp/scgi;
	server {{
		listen {PORT} ssl http2; listen [::]:{PORT} ssl http2;
		ssl_certificate /etc/cert.pem; ssl_certificate_key /etc/key.pem; ssl_protocols TLSv1.2 TLSv1.3;
		location / {{ return 200 "yes"; }}
	}}
}}
"""


@pytest.fixture(scope="module")
def rootfs(whole_lab):
    path = whole_lab.rootfs_with("openssl", "curl", "nginx")
    for folder in ("var/log/nginx", "etc/nginx"):
        os.makedirs(os.path.join(path, folder), exist_ok=True)
    with open(os.path.join(path, "etc/nginx/nginx.conf"), "w") as f:
        f.write(NGINX)
    containers.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test", "-days", "1",
                   "-keyout", os.path.join(path, "etc", "key.pem"), "-out", os.path.join(path, "etc", "cert.pem"))
    return path


@pytest.fixture
def peers(lab, rootfs):
    def edit(config):
        config["root"]["path"] = rootfs

    # It tells the names where it has a second certificate for one of them, and at its end.
    server = lab.start(f"openssl s_server -accept {PORT} -www -naccept {len(NAMES)} -alpn h2,http/1.1 -cert /etc/cert.pem "
                       "-key /etc/key.pem -servername x -cert2 /etc/cert.pem -key2 /etc/key.pem; echo ended; sleep 1000",
                       edit=edit)
    client = lab.start("sleep 1000", edit=edit)
    wires.join(server, client)
    containers.wait_for(lambda: "ACCEPT" in server.log(), what="server")
    return server, client


def s_client(client, address, *args):
    client.exec("sh", "-c", f"(sleep 0.3; echo Q) | openssl s_client -connect {address}:{PORT} {' '.join(args)}", check=False)


def curl(client, name, *args):
    client.exec("curl", "-sk", "--max-time", "5", "--resolve", f"{name}:{PORT}:{wires.address(1)}", *args,
                f"https://{name}:{PORT}/", check=False)


def test_names_are_as_the_server_says(peers):
    server, client = peers
    with ig.Ig("run", "trace_sni", "-o", "json", "-c", f"{server.name},{client.name}") as running:
        running.ready()
        s_client(client, wires.address(1), "-servername one.test -alpn h2,http/1.1")
        s_client(client, f"[{wires.address(1, 6)}]", "-servername six.test -tls1_2")
        s_client(client, wires.address(1), "-noservername")
        # More keys than a segment holds.
        s_client(client, wires.address(1), "-servername", "long.test", "-alpn", ",".join("p" * 200 + str(i) for i in range(10)))
        curl(client, "curl.test")
        curl(client, "old.test", "--tls-max", "1.2", "--http1.1")
        containers.wait_for(lambda: "ended" in server.log(), what="end of the server")
        time.sleep(0.3)
        assert running.stop() == 0
        records, err = running.records(), running.err
    theirs = [r for r in records if ig.container_of(r) == client.name]
    assert [r["name"] for r in theirs] == NAMES
    assert [r["name"] for r in records if ig.container_of(r) == server.name] == NAMES
    assert re.findall(r'Hostname in TLS extension: "(.*)"', server.log()) == [n for n in NAMES if n]
    assert [r["version"] for r in theirs] == ["TLS 1.3", "TLS 1.2", "TLS 1.3", "TLS 1.3", "TLS 1.3", "TLS 1.2"]
    offered = [r["alpn"] for r in theirs]
    assert offered[:3] == [["h2", "http/1.1"], [], []] and offered[4:] == [["h2", "http/1.1"], ["http/1.1"]]
    assert len(offered[3]) == 10 and theirs[3]["length"] > 2000
    assert [r["proc"]["comm"] for r in theirs] == ["openssl"] * 4 + ["curl"] * 2
    assert {r["proc"]["comm"] for r in records if r["pkt_type"] == "HOST"} == {"openssl"}
    assert theirs[1]["dst"]["addr"] == wires.address(1, 6) and ig.totals(err).lost == 0


def test_beside_nginx(lab, rootfs):
    """The name, the client's port and what was agreed on, of each connection that nginx has answered."""
    def edit(config):
        config["root"]["path"] = rootfs
        wires.may("SETUID", "SETGID", "DAC_OVERRIDE")(config)

    # Only then there is the address that it listens on.
    server = lab.start(f"until ip addr | grep -q {wires.address(1, 6)}/; do sleep 0.05; done; exec nginx -c /etc/nginx/nginx.conf",
                       edit=edit)
    client = lab.start("sleep 1000", edit=edit)
    wires.join(server, client)
    up = "curl", "-sk", "--connect-to", f"::{wires.address(1)}:{PORT}", "https://up.test/"
    containers.wait_for(lambda: client.exec(*up, check=False) == 0, what="nginx")
    with ig.Ig("run", "trace_sni", "-o", "json", "-c", client.name) as running:
        running.ready()
        curl(client, "two.test")
        curl(client, "one.test", "--http1.1")
        curl(client, "old.test", "--tls-max", "1.2")
        client.exec("curl", "-sk", "--max-time", "5", f"https://{wires.address(1)}:{PORT}/", check=False)  # no name
        for i in range(20):
            curl(client, f"n{i}.many.test")
        logged = containers.wait_for(lambda: len(lines := re.findall(r"^(\d+)\|(?!up)(.*)\|TLSv(.*)\|HTTP/(.*)$", server.log(), re.M)) == 24
                                     and lines, what="24 lines of nginx's log")
        running.wait_record(lambda r: r["name"] == "n19.many.test")
        assert running.stop() == 0
    ours = {str(r["src"]["port"]): r for r in running.records()}
    assert len(ours) == len(logged) and ig.totals(running.err).lost == 0
    for port, name, version, http in logged:
        r = ours[port]
        assert r["name"] == ("" if name == "-" else name) and r["version"] == f"TLS {version}", (r, name, version)
        assert ("h2" in r["alpn"]) == (http == "2.0"), r
