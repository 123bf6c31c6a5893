# SPDX-License-Identifier: Apache-2.0
"""trace_ssl with the programs that people use: curl, openssl and wget (GnuTLS) against a server of openssl's."""

import os

import containers
import ig
import pytest

QUESTION = "GET /secret.txt"


@pytest.fixture(scope="module")
def server_root(whole_lab):
    """A root file system with the programs, and a server's certificate and page."""
    root = whole_lab.rootfs_with("openssl", "curl", "wget", "gnutls-cli")
    containers.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                   "-subj", "/CN=localhost", "-keyout", f"{root}/key", "-out", f"{root}/certificate")
    with open(f"{root}/secret.txt", "w") as f:
        f.write("the page that nobody else shall read\n")
    os.makedirs(f"{root}/usr/lib/ssl", exist_ok=True)
    open(f"{root}/usr/lib/ssl/openssl.cnf", "w").close()
    return root


CLIENTS = {
    "curl": ("curl -sk https://localhost:4433/secret.txt", "curl", "SSL_"),
    "openssl": (f"printf '{QUESTION} HTTP/1.0\\r\\n\\r\\n' | openssl s_client -quiet -connect localhost:4433", "openssl", "SSL_"),
    "wget": ("/usr/bin/wget -q --no-check-certificate -O - https://localhost:4433/secret.txt", "wget", "gnutls_record_"),
}


@pytest.mark.parametrize("client", CLIENTS)
def test_both_ends(lab, server_root, client):
    command, comm, functions = CLIENTS[client]
    name = lab.name("tls")

    def edit(config):
        config["root"]["path"] = server_root

    with ig.Ig("run", "trace_ssl", "-o", "json", "-c", name) as running:
        running.ready()
        lab.start("ip link set lo up; cd /; openssl s_server -quiet -accept 4433 -cert /certificate -key /key -WWW & "
                  f"sleep 1.5; {command}; sleep 60", name=name, edit=edit)

        def of(comm, text):
            return [r for r in running.records() if r["proc"]["comm"] == comm and text in r["buf"]]
        containers.wait_for(lambda: of(comm, "nobody else shall read"), 10, f"what {comm} read\n{running.out}")
        assert all(r["operation"].startswith(functions) for r in of(comm, "") if r["buf"])
        asked = [r for r in of(comm, QUESTION) if "write" in r["operation"] or "send" in r["operation"]]
        assert len(asked) == 1, running.out
        # s_client leaves the handshake to its first write.
        handshakes = [r for r in of(comm, "") if "handshake" in r["operation"] and not r["failed"]]
        assert handshakes or client == "openssl", running.out
