# SPDX-License-Identifier: Apache-2.0
"""The agent as it is deployed: what it may, and what it tells of pods."""

import concurrent.futures
import os
import signal

import containers
import ig
from containers import keep_saying, mark
from deployed import NAME, NAMESPACE, container_id, deployment, status_of
from ig import get, place, resolved, said


LISTEN = "0A"


def namespace_of(pid, kind):
    return os.readlink(f"/proc/{pid}/ns/{kind}")


# ---- how it runs ---------------------------------------------------------------------------------------

def test_its_image_is_the_one_that_is_built(deployed):
    version = open(os.path.join(containers.TOP, "VERSION")).read().strip()
    assert deployed.pod["spec"]["containers"][0]["image"] == f"localhost/ig:{version}"
    assert deployed.once("version", check=0).out == f"ig {version}\ndaemon v{version}\n"


def test_what_it_may(deployed, cluster):
    status = status_of(deployed.pid)
    names = ("SYS_ADMIN", "SYS_PTRACE", "DAC_READ_SEARCH", "SYSLOG", "NET_ADMIN", "SETUID", "SETGID")
    number = {"DAC_READ_SEARCH": 2, "SETGID": 6, "SETUID": 7, "NET_ADMIN": 12, "SYS_PTRACE": 19, "SYS_ADMIN": 21, "SYSLOG": 34}
    assert int(status["CapBnd"], 16) == sum(1 << number[name] for name in names)
    assert (status["Seccomp"], status["NoNewPrivs"]) == ("2", "1")
    with open(f"/proc/{deployed.pid}/mountinfo") as f:
        mounts = {fields[4]: fields[5].split(",") for fields in map(str.split, f)}
    for folder in ("/", "/host/proc", "/host/run", "/host/var", "/host/sys/fs/cgroup"):
        assert "ro" in mounts[folder], folder
    # What it has of the node are those, and no network.
    assert namespace_of(deployed.pid, "net") not in (namespace_of("self", "net"), namespace_of(cluster.node.daemon.pid, "net"))
    assert namespace_of(deployed.pid, "pid") == namespace_of("self", "pid")


def test_its_rights(deployed, cluster):
    """At the API server: of pods what it needs, beside what everybody may."""
    def may(*what):
        return cluster.kubectl("auth", "can-i", *what, "-A", "--as", f"system:serviceaccount:{NAMESPACE}:{NAME}",
                               check=False).text.strip().splitlines()[-1]
    assert [may(verb, "pods") for verb in ("list", "watch")] == ["yes", "yes"]
    for what in (("get", "pods"), ("update", "pods"), ("create", "pods/exec"), ("list", "secrets"), ("list", "nodes")):
        assert may(*what) == "no", what


def test_its_users(deployed, cluster):
    """Those to whom its Role is given."""
    subject = {"kind": "User", "name": "alice", "apiGroup": "rbac.authorization.k8s.io"}
    role = {"kind": "Role", "name": "gadget-user", "apiGroup": "rbac.authorization.k8s.io"}
    cluster.apply({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "subjects": [subject], "roleRef": role,
                   "metadata": {"name": "alice", "namespace": NAMESPACE}})
    ask = ("-n", NAMESPACE, "exec", deployed.pod["metadata"]["name"], "-c", NAME, "--", "ig", "version")
    assert "daemon v" in cluster.kubectl(*ask, user=cluster.user("alice")).text
    done = cluster.kubectl(*ask, user=cluster.user("bob"), check=False)
    assert done.returncode == 1 and "forbidden" in done.text


def test_nothing_listens_on_the_network(deployed):
    for table in ("tcp", "tcp6", "udp", "udp6"):
        with open(f"/proc/{deployed.pid}/net/{table}") as f:
            states = [line.split()[3] for line in f][1:]
        assert LISTEN not in states, table


def test_memory(deployed, workloads):
    deployed.once("run", "trace_exec,trace_open", "--timeout", "2s", check=0)
    assert int(status_of(deployed.pid)["VmRSS"].split()[0]) < 30 * 1024


# ---- what it tells ---------------------------------------------------------------------------------------

def test_pods_are_listed(deployed, workloads):
    def owned():
        rows = {place(r): r for r in ig.lines(deployed.once("list-containers", "-o", "json", check=0).out)}
        return rows if all(get(r, "k8s.owner") for p, r in rows.items() if p[0] in ("shop", "bank")) else None

    rows = containers.wait_for(owned, 10, "answer of the API server")
    for pod in workloads.values():
        meta = pod["metadata"]
        for container in pod["status"]["containerStatuses"]:
            r = rows[meta["namespace"], meta["name"], container["name"]]
            assert r["k8s"]["podUID"] == meta["uid"]
            assert r["k8s"]["podIP"] == pod["status"]["podIP"]
            assert r["k8s"]["podLabels"] == meta["labels"]
            assert r["k8s"]["owner"] == {"kind": "Deployment", "name": meta["labels"]["app"]}
            assert r["runtime"]["containerId"] == container_id(container)
            assert r["runtime"]["resolved"]
    assert (NAMESPACE, deployed.pod["metadata"]["name"], NAME) in rows


def test_a_namespaces_execs(deployed, workloads, cluster):
    """What `kubectl exec` starts in a pod, and nothing of the other namespace."""
    web, db = (workloads[app]["metadata"] for app in ("web", "db"))
    with deployed.run("trace_exec", "-n", "shop", "-o", "json", "--timeout", "20s") as running:
        for pod in (db, web):
            cluster.kubectl("-n", pod["namespace"], "exec", pod["name"], "-c", "main", "--", "busybox", "echo", mark("by-kubectl"))
        r = running.wait_record(said("by-kubectl"))
        assert place(r) == ("shop", web["name"], "main")
        assert r["k8s"]["podLabels"] == web["labels"]
        running.wait_record(said("web-side"))
        assert {get(r, "k8s.namespace") for r in resolved(running.records())} == {"shop"}


def test_a_pods_first_command(deployed, workloads, cluster):
    """One that comes while a gadget runs, chosen by its label."""
    new = deployment("new", "shop", {"app": "new"}, main=f"echo {mark('of-new')}; {keep_saying('more')}")
    with deployed.run("trace_exec", "-n", "shop", "-l", "app=new", "-o", "json", "--timeout", "30s") as running, \
            cluster.applied(new):
        first = running.wait_record(lambda r: place(r)[2] == "main", 20)
        assert get(first, "args")[:2] == ["sh", "-c"] and mark("of-new") in get(first, "args")[2]
        assert place(first)[:2] == ("shop", cluster.get("pods", namespace="shop", selector="app=new")["items"][0]["metadata"]["name"])
        assert {r["k8s"]["podLabels"]["app"] for r in resolved(running.records())} == {"new"}


def test_a_crash_is_explained_afterwards(deployed, workloads, cluster):
    """A pod that is gone: its last system calls are there."""
    cluster.kubectl("-n", "shop", "run", "crash", "--image", "localhost/busybox:test", "--image-pull-policy=Never", "--restart=Never",
                    "--", "sh", "-c", f"cat /etc/{mark('missing')}; exit 3")
    containers.wait_for(lambda: cluster.get("pod", "crash", "shop")["status"]["phase"] == "Failed", 30, "end of the pod")
    cluster.kubectl("-n", "shop", "delete", "pod", "crash", "--timeout=60s")
    calls = deployed.once("traceloop", "dump", "shop/crash", check=0).out
    assert f'"/etc/{mark("missing")}"' in calls and "ENOENT" in calls
    assert "exit_group(3" in calls


def test_without_the_api_server(deployed, workloads, cluster):
    """What the node itself knows is told all the same; and the rest when it is back."""
    agent, web = deployed.container, container_id(workloads["web"]["status"]["containerStatuses"][0])
    trace = ("ig", "run", "trace_exec", "-n", "shop", "-o", "json", "--timeout", "5s")
    with cluster.without_api(), concurrent.futures.ThreadPoolExecutor() as threads:
        tracing = threads.submit(cluster.node.exec_in, agent, *trace)
        while not tracing.done():
            cluster.node.exec_in(web, "busybox", "echo", mark("alone"))
    code, out = tracing.result()
    assert code == 0, out
    found = [r for r in ig.lines("\n".join(line for line in out.splitlines() if line.startswith("{"))) if said("alone")(r)]
    assert found and {place(r)[:2] for r in found} == {("shop", workloads["web"]["metadata"]["name"])}
    assert {get(r, "k8s.owner.name") for r in found} == {"web"}

    def owned():
        rows = ig.lines(deployed.once("list-containers", "-l", "app=later", "-o", "json", check=0).out)
        return [r for r in rows if get(r, "k8s.owner.name") == "later"]
    with cluster.applied(deployment("later", "shop", {"app": "later"}, main="sleep 1000")):
        containers.wait_for(owned, 60, "owner of a pod that came later")


# ---- its end ---------------------------------------------------------------------------------------------

def test_killed_and_back(deployed, workloads):
    before = deployed.pid
    os.kill(before, signal.SIGKILL)
    containers.wait_for(lambda: deployed.pod["status"]["containerStatuses"][0]["restartCount"] == 1, 30, "new container")
    deployed.wait()
    assert deployed.pid != before
    assert {"shop", "bank"} <= {get(r, "k8s.namespace") for r in ig.lines(deployed.once("list-containers", "-o", "json", check=0).out)}


def test_replaced(deployed, cluster):
    before = deployed.pid
    cluster.kubectl("-n", NAMESPACE, "rollout", "restart", f"daemonset/{NAME}")
    deployed.wait()
    assert not os.path.exists(f"/proc/{before}")
    deployed.once("list-containers", check=0)
