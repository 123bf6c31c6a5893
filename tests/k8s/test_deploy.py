# SPDX-License-Identifier: Apache-2.0
"""Deployments that come and go, each of its own."""

import contextlib
import json
import os
import re
import sys

import containers
import daemon
import pytest
from deployed import NAMESPACE, Deployed, role_binding, status_of
from ig import place, said
from leftovers import traces_of


def test_nothing_stays(with_image):
    """Of a deployment of its own, that had a tracer and an instance."""
    before = set(traces_of(with_image))
    with Deployed(with_image) as agent:
        agent.once("tracer", "add", "all", check=0)
        agent.once("run", "--detach", "trace_exec", check=0)
        pid = agent.pid
        assert any("cgroupidset" in path for path in set(traces_of(with_image)) - before)
    assert not os.path.exists(f"/proc/{pid}")
    containers.wait_for(lambda: before.issuperset(traces_of(with_image)), 30, "end of its files")
    assert with_image.kubectl("get", "namespace", NAMESPACE, check=False).returncode == 1
    kinds = "clusterroles,clusterrolebindings,customresourcedefinitions,validatingwebhookconfigurations"
    assert "gadget" not in with_image.kubectl("get", kinds, "-o", "name").text


def test_privileged(with_image, workloads):
    with Deployed(with_image, "privileged") as agent:
        assert (status_of(agent.pid)["Seccomp"], status_of(agent.pid)["NoNewPrivs"]) == ("0", "0")
        with agent.run("trace_exec", "-n", "bank", "-o", "json", "--timeout", "10s") as running:
            r = running.wait_record(said("db-main"))
            assert place(r) == ("bank", workloads["db"]["metadata"]["name"], "main")


# ---- for clients that forward a port ---------------------------------------------------------------------

@contextlib.contextmanager
def forwarded(cluster, agent, folder, user=None):
    """The address at which the agent's port is, on the node's network."""
    command = cluster.command("-n", NAMESPACE, "port-forward", f"pod/{agent.pod['metadata']['name']}", ":8080", user=user)

    def port():
        with open(f"{folder}/port-forward.log") as f:
            return re.search(r"Forwarding from (127\.0\.0\.1:\d+) -> 8080", f.read())
    forward = daemon.Daemon(folder, "port-forward", command, port, env=cluster.env)
    try:
        yield port().group(1)
    finally:
        forward.stop()


def port_client(cluster, address, *args):
    """What a client of another project is told there (lib/port_client.py)."""
    client = os.path.join(containers.HERE, "port_client.py")
    done = containers.run(*cluster.node.view.enter, sys.executable, "-B", client, address, *args, env=cluster.env, timeout=60)
    return json.loads(done.text.splitlines()[-1])


def test_existing_clients(with_image, workloads, tmp_path):
    """By `kubectl port-forward`: who is in the Role that lets in may, and has package api."""
    with Deployed(with_image, "compat") as agent:
        with_image.apply(role_binding("forwards", "gadget-user", "forwarder"))
        with forwarded(with_image, agent, str(tmp_path), with_image.user("forwarder")) as address:
            told = port_client(with_image, address, "trace_exec", containers.mark("db-main"))
        assert told["version"] == agent.once("version", check=0).out.split()[-1]
        row = told["row"]
        assert (row["k8s.namespace"], row["k8s.podName"], row["k8s.containerName"]) == \
            ("bank", workloads["db"]["metadata"]["name"], "main")
        assert {told[service] for service in ("node", "tracers")} == {"UNIMPLEMENTED"}
        with pytest.raises(RuntimeError, match="forbidden"), \
                forwarded(with_image, agent, str(tmp_path), with_image.user("stranger")):
            pass
