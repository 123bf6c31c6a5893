# SPDX-License-Identifier: Apache-2.0
"""Deployments that come and go, each of its own."""

import os

import containers
from deployed import NAMESPACE, Deployed, status_of
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
