# SPDX-License-Identifier: Apache-2.0
"""kubectl gadget in a real cluster: its exec (v4), its RBAC, its rollouts."""

import os
import re

import containers
import ig
import pytest
from cluster import NODE
from deployed import NAME, NAMESPACE, RBAC, Plugin, role_binding
from ig import get, resolved, said
from image import BUSYBOX
from leftovers import traces_of


def test_it_is_not_deployed(with_image, plugin):
    done = plugin.once("run", "trace_exec")
    assert done.returncode == 7 and "not deployed" in done.err, done.err


def test_deploy_and_undeploy(with_image, plugin):
    """And nothing stays."""
    before = set(traces_of(with_image))
    try:
        done = plugin.once("deploy", "--wait", check=0, timeout=150)
        assert "daemonset.apps/gadget created" in done.out and "successfully rolled out" in done.out
        assert f"node {NODE} v" in plugin.once("version", check=0).out
        assert "daemonset.apps/gadget unchanged" in plugin.once("deploy", check=0).out
        done = plugin.once("deploy", "--image", "localhost/no-such:1", "--wait", "--timeout", "20s", timeout=60)
        assert done.returncode == 9 and "the image localhost/no-such:1 is missing" in done.err, done.err
    finally:
        done = plugin.once("undeploy", timeout=150)
    assert done.returncode == 0 and 'namespace "gadget" deleted' in done.out, done.err
    assert plugin.once("version").returncode == 7
    try:
        containers.wait_for(lambda: before.issuperset(traces_of(with_image)), 30, "end of its files")
    except TimeoutError:
        raise AssertionError(f"left: {sorted(set(traces_of(with_image)) - before)}") from None
    assert "gadget" not in with_image.kubectl("get", "clusterroles,clusterrolebindings", "-o", "name").text
    assert plugin.once("undeploy").returncode == 0


def test_version(deployed, plugin):
    done = plugin.once("version", check=0)
    assert re.fullmatch(rf"client (v\S+)\nnode {NODE} \1\n", done.out) and not done.err


def test_pods_of_a_namespace(deployed, workloads, plugin):
    with plugin.start("run", "trace_exec", "-n", "shop", "-o", "json") as running:
        for container in ("main", "side"):
            running.wait_record(lambda r, name=container: said(f"web-{name}")(r) and get(r, "k8s.containerName") == name)
        assert running.stop() == 0, running.err
        records, totals = ig.records(running.out), running.totals("trace_exec")
    assert totals.delivered == len(records) and not totals.lost
    assert {get(r, "k8s.node") for r in records} == {NODE}
    assert {get(r, "k8s.namespace") for r in resolved(records)} == {"shop"}
    assert {get(r, "k8s.owner.name") for r in resolved(records)} == {"web"}


@pytest.mark.parametrize("args, apps", ((("-A", "-l", "app"), {"web", "db"}), (("-A", "-l", "app=db"), {"db"}),
                                        (("-n", "shop,bank", "-c", "side"), {"web"}), ((), set())))
def test_selection(deployed, workloads, plugin, args, apps):
    out = plugin.once("run", "trace_exec", "-o", "json", "--timeout", "2s", *args, check=0).out
    assert {get(r, "k8s.podLabels.app") for r in resolved(ig.records(out))} == apps
    out = plugin.once("list-containers", "-o", "json", *args, check=0).out
    assert {get(r, "k8s.podLabels.app") for r in resolved(ig.records(out))} == apps


def test_a_table(deployed, workloads, plugin):
    head, *rows = plugin.once("snapshot", "process", "-A", check=0).out.splitlines()
    assert head.split()[:3] == ["K8S.NODE", "K8S.NAMESPACE", "K8S.PODNAME"]
    assert {"shop", "bank"} <= {row.split()[1] for row in rows} and all(row.startswith(f"{NODE} ") for row in rows)


def test_opens(deployed, workloads, cluster, plugin):
    """By the command's name of before `run`."""
    pod = workloads["db"]["metadata"]["name"]

    def opened():
        cluster.kubectl("-n", "bank", "exec", pod, "--", "cat", "/etc/hostname")
        return any(r["fname"] == "/etc/hostname" and r["proc"]["comm"] == "cat" for r in running.records())
    with plugin.start("opensnoop", "-n", "bank", "-p", pod, "-o", "json") as running:
        containers.wait_for(opened, 30, "what was opened")
        assert running.stop() == 0, running.err


def test_a_run_that_stays(deployed, workloads, plugin):
    assert "trace_exec" in plugin.once("list", check=0).out
    plugin.once("run", "trace_exec", "-n", "shop", "--detach", "--name", "audit", check=0)
    try:
        [run] = ig.records(plugin.once("ps", "-o", "json", check=0).out)
        assert (run["node"], run["name"], run["gadget"]) == (NODE, "audit", "trace_exec")
        with plugin.start("attach", "audit", "-o", "json") as running:
            running.wait_record(said("web-side"))
            assert running.stop() == 0, running.err
            assert {get(r, "k8s.namespace") for r in resolved(ig.records(running.out))} == {"shop"}
    finally:
        plugin.once("stop", "audit", check=0)
    assert not ig.records(plugin.once("ps", "-o", "json", check=0).out)


def test_advice(deployed, workloads, plugin):
    """Of a Deployment, whose programs are run meanwhile: a profile for each of its containers."""
    profile = plugin.once("advise", "seccomp-profile", "-n", "shop", "--merge", "owner", "--timeout", "3s", "-o", "spo", check=0).out
    assert re.findall(r"^  name: (.*)$", profile, re.M) == ["shop-web-main", "shop-web-side"], profile
    assert profile.count("    - execve\n") == 2, profile


def test_a_crash_is_explained_afterwards(deployed, workloads, cluster, plugin):
    """By its rings, of a pod that is gone."""
    cluster.kubectl("-n", "bank", "run", "fall", "--image", BUSYBOX, "--image-pull-policy=Never", "--restart=Never", "--",
                    "sh", "-c", "cat /etc/none; sleep 1; exit 3")
    containers.wait_for(lambda: cluster.get("pod", "fall", "bank")["status"]["phase"] == "Failed", 30, "end of the pod")
    cluster.kubectl("-n", "bank", "delete", "pod", "fall", "--timeout=60s")
    rings = ig.records(plugin.once("traceloop", "list", "-A", "-o", "json", check=0).out)
    [fall] = [r for r in rings if r.get("pod") == "fall"]
    assert (get(fall, "k8s.node"), fall["namespace"], fall["state"]) == (NODE, "bank", "ended")
    assert "recording" in {r["state"] for r in rings if r.get("namespace") == "shop"}
    shown = plugin.once("traceloop", "show", "bank/fall", check=0).out
    assert '"/etc/none"' in shown and "ENOENT" in shown and "exit_group(3" in shown
    plugin.once("traceloop", "close", "bank/fall", check=0)
    assert plugin.once("traceloop", "show", "bank/fall").returncode == 2


# ---- who may ------------------------------------------------------------------------------

def test_rights(deployed, workloads, cluster, tmp_path):
    """A stranger may not list the agents; who may no more than that cannot reach them; the Role lets in."""
    cluster.apply({"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "looks", "namespace": NAMESPACE},
                   "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}]},
                  role_binding("looks", "looks", "looker"), role_binding("uses", "gadget-user", "tracer"))
    stranger, looker, tracer = (Plugin(cluster, str(tmp_path), cluster.user(u)) for u in ("stranger", "looker", "tracer"))
    done = stranger.once("run", "trace_exec")
    assert done.returncode == 3 and "the agents' pods: not allowed" in done.err and '\\"stranger\\"' in done.err, done.err
    done = stranger.once("deploy")
    assert done.returncode == 3 and "Error from server (Forbidden)" in done.err, done.err
    done = looker.once("run", "trace_exec")
    assert done.returncode == 3 and "pods/exec" in done.err and '\\"looker\\"' in done.err, done.err
    with tracer.start("run", "trace_exec", "-n", "bank", "-o", "json") as running:
        running.wait_record(said("db-main"))
        assert running.stop() == 0 and "level=" not in running.err, running.err


def test_names_of_addresses(deployed, workloads, cluster, tmp_path):
    """Of a pod, and of a service by its cluster IP; for who may list them, and by namespace for who may not."""
    pod, db = workloads["web"]["metadata"]["name"], workloads["db"]
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "store", "namespace": "bank"},
               "spec": {"selector": {"app": "db"}, "ports": [{"port": 80}]}}
    binding = {"apiVersion": f"{RBAC}/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "names"},
               "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": "gadget-names"},
               "subjects": [{"apiGroup": RBAC, "kind": "User", "name": "namer"}]}

    def talk_until(running, *wanted):
        """There is no kube-proxy: nobody answers at the service's address."""
        def done():
            cluster.kubectl("-n", "shop", "exec", pod, "-c", "main", "--", "sh", "-c",
                            "".join(f"timeout 1 nc {a} 80 </dev/null; " for a in (db["status"]["podIP"], address)) + "true")
            named = [(get(r, "dst.addr"), get(r, "dst.k8s.kind"), get(r, "dst.k8s.namespace"), get(r, "dst.k8s.name"))
                     for r in running.records()]
            return set(wanted) <= set(named)
        containers.wait_for(done, 30, "such connections")

    with cluster.applied(service, binding, role_binding("namer", "gadget-user", "namer"),
                         role_binding("nameless", "gadget-user", "nameless")):
        address = cluster.get("service", "store", "bank")["spec"]["clusterIP"]
        args = ("run", "trace_tcp", "-n", "shop", "-o", "json", "--connect-only")
        with Plugin(cluster, str(tmp_path), cluster.user("namer")).start(*args) as running:
            talk_until(running, (db["status"]["podIP"], "pod", "bank", db["metadata"]["name"]), (address, "svc", "bank", "store"))
            assert running.stop() == 0 and "level=" not in running.err, running.err
        with Plugin(cluster, str(tmp_path), cluster.user("nameless")).start(*args) as running:
            talk_until(running, (db["status"]["podIP"], "raw", None, None), (address, "raw", None, None))
            assert running.stop() == 0 and running.err.count("level=warn") == 1 and "is forbidden" in running.err, running.err


# ---- what comes and goes --------------------------------------------------------------------

def test_a_rollout_of_the_agents(deployed, workloads, cluster, plugin):
    with plugin.start("run", "trace_exec", "-n", "bank", "-o", "json") as running:
        running.wait_record(said("db-main"))
        cluster.kubectl("-n", NAMESPACE, "rollout", "restart", f"daemonset/{NAME}")
        deployed.wait()
        containers.wait_for(lambda: f"node {NODE} is back" in running.err, 30, "the node's return")
        n = len(running.records())
        containers.wait_for(lambda: len(running.records()) > n + 3, 20, "records of the new agent")
        assert running.stop() == 0, running.err
    assert running.err.count(f"node {NODE} is lost") == 1, running.err


def test_nothing_is_left_in_the_agent(deployed, plugin):
    """Programs that were started in it have ended with those who asked for them."""
    plugin.once("version", check=0)

    def ended():
        children = open(f"/proc/{deployed.pid}/cgroup").read()
        mine = [p for p in os.listdir("/proc") if p.isdigit() and in_cgroup(p, children)]
        return not any(b"dial-stdio" in command_of(p) for p in mine)
    containers.wait_for(ended, 10, "the end of dial-stdio")


def in_cgroup(pid, cgroup):
    try:
        with open(f"/proc/{pid}/cgroup") as f:
            return f.read() == cgroup
    except OSError:
        return False


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read()
    except OSError:
        return b""
