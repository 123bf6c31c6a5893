# SPDX-License-Identifier: Apache-2.0
"""Addresses in the records of `kubectl gadget run` have the names of pods and services, of a fake API server."""

import os

import containers
import ig
import pytest
from agent import Agent
from containers import wait_for
from kube_api import KubeApi, Node, pod, service
from nodes import Plugin

NAMESPACE = f"names-{os.getpid()}"  # no other test's pods are in it
FAR, SERVICE, NOBODY = "192.0.2.20", "192.0.2.10", "192.0.2.99"


@pytest.fixture(scope="module")
def agent(containerd):
    containers.require("kubectl", "ip", "nsenter")
    with Agent(*containerd.flags) as one:
        yield one


@pytest.fixture(scope="module")
def web(containerd, whole_lab):
    """A pod whose container says something to three addresses again and again, which nobody answers."""
    with containerd.run_pod(whole_lab.name("web"), NAMESPACE, {"app": "web"}) as made:
        link = "eth0"
        containers.run("nsenter", f"--net=/proc/{made.pid}/ns/net", "ip", "route", "add", "192.0.2.0/24", "dev", link)
        for address in (FAR, SERVICE, NOBODY):
            containers.run("nsenter", f"--net=/proc/{made.pid}/ns/net", "ip", "neigh", "add", address, "dev", link,
                           "lladdr", "02:00:00:00:00:01")
        talk = "(while :; do timeout 1 nc {} 80 </dev/null; done) & sleep 0.1;"  # a record comes with the end of the attempt
        made.run("main", " ".join(talk.format(a) for a in 3 * (FAR, SERVICE, NOBODY)) + " wait")
        yield made


@pytest.fixture
def cluster(agent, web, tmp_path):
    """(The API server, the plugin.)"""
    with KubeApi(str(tmp_path), [Node("n1", agent.address)]) as api:
        api.write_config(NAMESPACE)
        api.pods.tell(pod("far-1", "shop", FAR, labels={"app": "far"}))
        api.pods.tell(pod(web.name, NAMESPACE, web.ip))
        api.services.tell(service("shop", "front", SERVICE))
        api.services.tell(service("headless", "front", "None"))
        yield api, Plugin(str(tmp_path), api)


def to(address, name=None, kind=None):
    """Is a record of trace_tcp one of a connection there, and called so?"""
    def matches(r):
        return ig.get(r, "dst.addr") == address and ig.get(r, "dst.k8s.name") == name and (kind is None or
                                                                                             ig.get(r, "dst.k8s.kind") == kind)
    return matches


def test_names(cluster, web):
    """From the first record on, where the lists take less than the two seconds that they are waited for."""
    api, plugin = cluster
    api.page = 1
    with plugin.start("run", "trace_tcp", "-o", "json", "--connect-only") as running:
        far = running.wait_record(to(FAR, "far-1"))
        front = running.wait_record(to(SERVICE, "shop"))
        nobody = running.wait_record(to(NOBODY))
        assert running.stop() == 0 and "level=" not in running.err, running.err
        records = ig.resolved(running.records())
    assert far["dst"]["k8s"] == {"kind": "pod", "name": "far-1", "namespace": "shop"}
    assert front["dst"]["k8s"] == {"kind": "svc", "name": "shop", "namespace": "front"}
    assert nobody["dst"]["k8s"] == {"kind": "raw"}
    assert far["src"]["k8s"] == {"kind": "pod", "name": web.name, "namespace": NAMESPACE} and far["src"]["addr"] == web.ip
    lists = [at for path, at in zip(api.asked, api.asked_at) if path.startswith(("/api/v1/pods", "/api/v1/services"))]
    if lists[-1] - lists[0] < 1.5:
        assert {ig.get(r, "dst.k8s.kind") for r in records if r["dst"]["addr"] in (FAR, SERVICE)} == {"pod", "svc"}
    assert sum("/api/v1/pods?" in path and "continue=1" in path for path in api.asked) == 1


def test_columns_and_filters(cluster):
    """Addresses are shown by their names, which may be asked for as columns, and filtered by."""
    _, plugin = cluster
    args = ("run", "trace_tcp", "--connect-only", "--max-entries", "1")
    out = plugin.once(*args, "--fields", "dst", "--no-headers", "-F", "dst.k8s.name==far-1", check=0).out
    assert set(out.split()) == {"p/shop/far-1:80"}
    out = plugin.once(*args, "--fields", "dst", "--no-headers", "-F", "dst.k8s.kind==svc", check=0).out
    assert set(out.split()) == {"s/front/shop:80"}
    out = plugin.once(*args, "--fields", "dst,dst.k8s.kind,dst.k8s.name", "-F", "dst.addr==" + NOBODY, check=0).out.splitlines()
    assert out[0].split() == ["DST", "DST.K8S.KIND", "DST.K8S.NAME"] and {tuple(line.split()) for line in out[1:]} == {(f"{NOBODY}:80", "raw")}


def test_tables(cluster):
    """Their rows are kept until they are sorted, by names."""
    _, plugin = cluster

    def names():
        out = plugin.once("run", "snapshot_socket", "-o", "json", "--sort", "-dst.k8s.name", check=0).out
        found = [ig.get(r, "dst.k8s.name") or "" for r in ig.records(out)]
        assert found == sorted(found, reverse=True)
        return set(found)
    wait_for(lambda: {"shop", "far-1"} <= names(), 10, "sockets of both at a time")


def test_what_changes(cluster):
    """Those who come, go, get another address, or one that another has as well."""
    api, plugin = cluster
    with plugin.start("run", "trace_tcp", "-o", "json", "--connect-only") as running:
        running.wait_record(to(NOBODY))
        api.pods.tell(pod("new", "shop", NOBODY))
        running.wait_record(to(NOBODY, "new"))
        api.pods.tell(pod("other", "shop", NOBODY))
        n = len(running.records())
        wait_for(lambda: any(to(NOBODY)(r) for r in running.records()[n:]), 10, "an address of two")
        api.pods.tell(pod("new", "shop", NOBODY), "DELETED")
        running.wait_record(to(NOBODY, "other"))
        api.pods.tell(pod("far-1", "shop", "192.0.2.21"), "MODIFIED")
        running.wait_record(to(FAR))
        api.pods.tell(pod("ended", "shop", FAR, phase="Succeeded"))
        api.pods.tell(pod("node", "shop", FAR, host_network=True))
        api.pods.tell(pod("last", "shop", FAR))
        running.wait_record(to(FAR, "last"))
        assert running.stop() == 0 and "level=" not in running.err, running.err


def test_peers_of_other_nodes(cluster):
    """struct g_peer: what its node does not know the cluster does."""
    _, plugin = cluster
    with plugin.start("run", "trace_network", "-o", "json", "-F", "remote.name==far-1") as running:
        record = running.wait_record(lambda r: True)
        assert running.stop() == 0, running.err
    assert record["remote"] == {"addr": FAR, "kind": "pod", "name": "far-1", "namespace": "shop", "labels": ["app=far"]}
    policy = plugin.once("run", "advise_networkpolicy", "-F", "remote.name==far-1", "--max-entries", "1", check=0).out
    assert "app: far" in policy and FAR not in policy, policy


def test_records_of_an_instance(cluster):
    """Which are made without us."""
    _, plugin = cluster
    plugin.once("run", "trace_tcp", "--connect-only", "--detach", "--name", "talks", check=0)
    try:
        with plugin.start("attach", "talks", "-o", "json") as running:
            running.wait_record(to(FAR, "far-1"))
            assert running.stop() == 0 and "level=" not in running.err, running.err
    finally:
        plugin.once("stop", "talks", check=0)


def test_names_and_record_files(cluster, tmp_path):
    """What is filled in a record is in the file; an endpoint's names, which are the cluster's as it is, are not."""
    _, plugin = cluster
    path = str(tmp_path / "r.rec")
    with plugin.start("run", "trace_tcp,trace_network", "--connect-only", "-o", "json", "--record", path) as running:
        running.wait_record(to(FAR, "far-1"))
        running.wait_record(lambda r: ig.get(r, "remote.name") == "far-1")
        assert running.stop() == 0, running.err
    live = running.records()
    for end in (r[name] for r in live for name in ("src", "dst") if name in r):
        end.pop("k8s", None)
    assert ig.records(plugin.once("replay", path, "-o", "json", check=0).out) == live


def test_names_that_do_not_come(cluster):
    """The gadgets begin without them, and Ctrl-C does not wait for them."""
    api, plugin = cluster
    api.silent = {"/api/v1/pods"}
    with plugin.start("run", "trace_tcp", "-o", "json", "--connect-only") as running:
        running.wait_record(to(SERVICE, "shop"))
        running.wait_record(to(FAR, kind="raw"))
        assert running.stop() == 0 and "level=" not in running.err, running.err
    api.asked.clear()
    with plugin.start("run", "trace_tcp", "-o", "json", "--connect-only") as running:
        wait_for(lambda: any("/api/v1/pods?" in path for path in api.asked), 10, "the list of pods")
        assert running.stop() == 0, running.err


def test_nothing_is_watched_for_nothing(cluster):
    api, plugin = cluster
    plugin.once("run", "trace_exec", "--timeout", "1s", check=0)
    assert not [path for path in api.asked if "/api/v1/pods" in path or "services" in path]


def test_who_may_not(cluster):
    """It is said once, and those of the namespaces that are asked for have names."""
    api, plugin = cluster
    api.forbidden = {"/api/v1/pods", "/api/v1/services"}
    with plugin.start("run", "trace_tcp", "-o", "json", "--connect-only", "-n", f"shop,{NAMESPACE}") as running:
        running.wait_record(to(FAR, "far-1"))
        running.wait_record(to(SERVICE, kind="raw"))
        assert running.stop() == 0
    assert running.err.count("level=warn") == 1 and "is forbidden" in running.err, running.err
    api.forbidden |= {f"/api/v1/namespaces/{NAMESPACE}/{what}" for what in ("pods", "services")}
    with plugin.start("run", "trace_tcp", "-o", "json", "--connect-only") as running:
        running.wait_record(to(FAR, kind="raw"))
        running.wait_record(to(SERVICE, kind="raw"))
        assert running.stop() == 0
    assert running.err.count("level=warn") == 1, running.err
