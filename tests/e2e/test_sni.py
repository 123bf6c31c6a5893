# SPDX-License-Identifier: Apache-2.0
"""trace_sni: openssl s_client and curl against openssl s_server, in containers of their own; names as the server has them."""

import os
import re
import time

import containers
import ig
import pytest
import wires

PORT = 4433
NAMES = ["one.test", "six.test", "", "long.test", "curl.test", "old.test"]


@pytest.fixture(scope="module")
def rootfs(whole_lab):
    path = whole_lab.rootfs_with("openssl", "curl")
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
