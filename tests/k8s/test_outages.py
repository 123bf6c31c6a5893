# SPDX-License-Identifier: Apache-2.0
"""Parts of the cluster go while records are shown, and come back."""

import contextlib

import containers
from cluster import NODE
from ig import said


@contextlib.contextmanager
def followed(plugin):
    """A trace that has records, and has them again afterwards: its node was lost once, and came back."""
    with plugin.start("run", "trace_exec", "-n", "bank", "-o", "json") as running:
        running.wait_record(said("db-main"))
        yield running
        containers.wait_for(lambda: f"node {NODE} is back" in running.err, 60, "the node's return")
        n = len(running.records())
        containers.wait_for(lambda: any(said("db-main")(r) for r in running.records()[n:]), 30, "records after it")
        assert running.stop() == 0, running.err
    assert running.err.count(f"node {NODE} is lost") == running.err.count("is back") == 1, running.err


def lost(running):
    containers.wait_for(lambda: f"node {NODE} is lost" in running.err, 30, "the node's loss")


def test_the_api_server(deployed, workloads, cluster, plugin):
    """It ends, and starts again: meanwhile nobody else comes in."""
    with followed(plugin) as running:
        with cluster.without("kube-apiserver"):
            lost(running)
            containers.wait_for(lambda: "nodes that join are not seen" in running.err, 30, "the end of the watch")
            done = plugin.once("version")
            assert done.returncode == 6 and "no cluster: the API server cannot be reached" in done.err, done.err
        containers.wait_for(lambda: "nodes that join are seen again" in running.err, 60, "the next watch")
    plugin.once("version", check=0)


def test_the_nodes_kubelet(deployed, workloads, cluster, plugin):
    """First the API server cannot reach it; some time later the cluster knows that as well."""
    with followed(plugin) as running, cluster.without("kubelet"):
        lost(running)
        done = plugin.once("version")
        assert done.returncode == 8 and f"node {NODE}: pod gadget/" in done.err and "error dialing backend" in done.err, done.err
        containers.wait_for(lambda: "the node is not ready" in plugin.once("version").err, 60, "the cluster's notice")
        done = plugin.once("run", "trace_exec")
        assert done.returncode == 8 and f"node {NODE}: the node is not ready" in done.err, done.err
    deployed.wait()


def test_the_nodes_runtime(deployed, workloads, cluster, plugin):
    with followed(plugin) as running:
        cluster.node.restart()
        lost(running)


def test_a_frozen_api_server(deployed, workloads, cluster, plugin):
    """What is open stays open, and says nothing."""
    with plugin.start("run", "trace_exec", "-n", "bank", "-o", "json") as running:
        running.wait_record(said("db-main"))
        with cluster.without_api():
            containers.wait_for(lambda: f"node {NODE} does not answer" in running.err, 40, "the node's silence")
        containers.wait_for(lambda: f"node {NODE} answers again" in running.err, 30, "the node's answer")
        n = len(running.records())
        containers.wait_for(lambda: len(running.records()) > n + 3, 20, "records after it")
        assert running.stop() == 0 and "is lost" not in running.err, running.err
