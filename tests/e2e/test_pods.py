# SPDX-License-Identifier: Apache-2.0
"""Pods: of a real containerd through the CRI, and podman's."""

import contextlib
import json
import os
import signal
import time

import containers
import ig
import pytest
from containers import keep_saying, say
from ig import container_of, get, listed, place, resolved, said


def by_id(rows, ident):
    found = [r for r in rows if get(r, "runtime.containerId") == ident]
    assert len(found) == 1, f"{ident}: {rows}"
    return found[0]


@pytest.fixture(scope="module")
def pair(containerd, whole_lab):
    """web in namespace prod with containers main and side, db in namespace test with main: all do something all the time."""
    with containerd.run_pod(whole_lab.name("web"), "prod", {"app": "web", "tier": "front"}) as web, \
            containerd.run_pod(whole_lab.name("db"), "test", {"app": "db", "tier": "back"}) as db:
        web.main, web.side = web.run("main", keep_saying("web-main")), web.run("side", keep_saying("web-side"))
        db.main = db.run("main", keep_saying("db-main"))
        yield web, db


def test_listed(containerd, pair):
    web, db = pair
    rows = listed(*containerd.flags)
    for c in (web.main, web.side, db.main):
        row = by_id(rows, c.id)
        assert row["k8s"]["namespace"] == c.pod.namespace
        assert row["k8s"]["podName"] == c.pod.name
        assert row["k8s"]["podUID"] == c.pod.uid
        assert c.pod.labels.items() <= row["k8s"]["podLabels"].items()
        assert row["k8s"]["containerName"] == c.name
        assert row["k8s"]["podIP"] == c.pod.ip
        assert not row["k8s"].get("hostnetwork")
        assert row["runtime"]["runtimeName"] == "containerd"
        assert row["runtime"]["containerName"] == c.name
        assert row["runtime"]["containerPid"] == c.pid
        assert row["runtime"].get("resolved") is not False


def test_sandboxes_are_not_shown_unless_asked_for(containerd, pair):
    web, _ = pair
    assert web.id not in [get(r, "runtime.containerId") for r in listed(*containerd.flags)]
    row = by_id(listed(*containerd.flags, "--sandboxes"), web.id)
    assert row["k8s"]["podName"] == web.name and row["runtime"]["containerPid"] == web.pid


def test_sandboxes_are_not_traced_unless_asked_for(containerd, whole_lab):
    args = ["run", "trace_exec", "-o", "json", *containerd.flags]
    with ig.Ig(*args) as without, ig.Ig(*args, "--sandboxes") as asked:
        without.ready()
        asked.ready()
        with containerd.run_pod(whole_lab.name("pod"), "prod") as pod:
            pod.run("main", "sleep 60")
            for running in (without, asked):
                running.wait_record(lambda r: get(r, "k8s.podName") == pod.name and get(r, "k8s.containerName") == "main")
            r = asked.wait_record(lambda r: get(r, "runtime.containerId") == pod.id)
            assert "2147483647" in str(get(r, "args")) and get(r, "k8s.podName") == pod.name
        without.stop()
        asked.stop()
        assert "2147483647" not in without.out


def test_every_record_says_whose_it_is(containerd, pair):
    web, db = pair
    expected = {f"{c.pod.labels['app']}-{c.name}": c for c in (web.main, web.side, db.main)}
    with ig.Ig("run", "trace_exec", "-o", "json", *containerd.flags) as running:
        running.ready()
        time.sleep(1)
        assert running.stop() == 0
        seen = set()
        for r in running.records():
            words = [word for word in expected if said(word)(r)]
            if not words:
                continue
            c = expected[words[0]]
            seen.add(words[0])
            assert place(r) == (c.pod.namespace, c.pod.name, c.name)
            assert r["k8s"]["podUID"] == c.pod.uid
            assert c.pod.labels.items() <= r["k8s"]["podLabels"].items()
            assert r["runtime"]["containerId"] == c.id
    assert seen == set(expected)


ALL = {("prod", "web", "main"), ("prod", "web", "side"), ("test", "db", "main")}
WEB = {p for p in ALL if p[1] == "web"}
DB = ALL - WEB
SELECTORS = {
    "namespace": (lambda w, d: ["-n", "prod"], WEB),
    "long namespace": (lambda w, d: ["--namespace=test"], DB),
    "namespaces": (lambda w, d: ["-n", "prod,test"], ALL),
    "namespace excluded": (lambda w, d: ["-n", "!prod"], DB),
    "pod": (lambda w, d: ["-p", w], WEB),
    "long pod": (lambda w, d: ["--podname", d], DB),
    "pod glob": (lambda w, d: ["-p", w[:-1] + "?"], WEB),
    "label": (lambda w, d: ["-l", "app=web"], WEB),
    "long label": (lambda w, d: ["--selector", "app=db"], DB),
    "labels": (lambda w, d: ["-l", "app=web,tier=front"], WEB),
    "labels of two": (lambda w, d: ["-l", "app=web,tier=back"], set()),
    "pod and container": (lambda w, d: ["-p", w, "-c", "side"], {("prod", "web", "side")}),
    "another's namespace": (lambda w, d: ["-p", w, "-n", "test"], set()),
    "filter of label": (lambda w, d: ["--filter", "k8s.podLabels.app==web"], WEB),
    "filter of namespace": (lambda w, d: ["--filter", "k8s.namespace==test"], DB),
    "filter of pod": (lambda w, d: ["--filter", f"k8s.podName=={w},k8s.containerName!=main"], {("prod", "web", "side")}),
}


RUN = ("namespace", "namespace excluded", "pod glob", "labels", "pod and container", "another's namespace",
       "filter of label")


def selection(case, containerd, pair):
    """(ig's arguments, places that they select)"""
    web, db = pair
    make, wanted = SELECTORS[case]
    names = {"web": web.name, "db": db.name}
    return [*make(web.name, db.name), *containerd.flags], {(n, names[p], c) for n, p, c in wanted}


@pytest.mark.parametrize("case", SELECTORS)
def test_selected_in_the_list(containerd, pair, case):
    args, wanted = selection(case, containerd, pair)
    ours = {pod.name for pod in pair}
    assert {place(r) for r in listed(*args) if get(r, "k8s.podName") in ours} == wanted


@pytest.mark.parametrize("case", RUN)
def test_selected_records(containerd, pair, case):
    args, wanted = selection(case, containerd, pair)
    ours = {pod.name for pod in pair}
    with ig.Ig("run", "trace_exec", "-o", "json", *args) as running:
        running.ready()
        time.sleep(0.7)
        assert running.stop() == 0, running.err
        # Nothing that is not wanted, be it of a pod or not.
        seen = {place(r) for r in resolved(running.records())}
        assert {p for p in seen if p[1] in ours} == wanted
        assert "excluded" in case or all(p[1] for p in seen)


def test_from_the_first_exec_on(containerd, whole_lab):
    """ig runs first, by each selector, then the pods come: the entrypoint is among the records, with all names."""
    web, db = whole_lab.name("web"), whole_lab.name("db")
    namespace = f"ns-{web}"
    selectors = (["-n", namespace], ["-p", web], ["-l", f"app={web}"], ["--filter", f"k8s.podLabels.app=={web}"],
                 ["--filter", f"k8s.podName=={web}"], ["-n", namespace, "-l", "tier=front", "-c", "main"])
    with contextlib.ExitStack() as stack:
        runs = [stack.enter_context(ig.Ig("run", "trace_exec", "-o", "json", "--resolve-timeout", "10s", *s,
                                          *containerd.flags)) for s in selectors]
        for running in runs:
            running.ready()
        pods = [stack.enter_context(containerd.run_pod(name, ns, {"app": name, "tier": "front"}))
                for name, ns in ((web, namespace), (db, "other"))]
        c, other = (pod.run("main", "/bin/busybox", "echo", f"I am {pod.name}.") for pod in pods)
        c.wait()
        other.wait()
        for running in runs:
            r = running.wait_record(lambda r: f"I am {web}." in get(r, "args"))
            assert place(r) == (namespace, web, "main")
            assert r["k8s"]["podLabels"]["app"] == web
            assert r["runtime"]["containerImageName"] == containerd.IMAGE
            assert running.stop() == 0
            assert f"I am {db}." not in running.out, running.args
            assert len([r for r in running.records() if f"I am {web}." in get(r, "args")]) == 1
            t = running.totals()
            assert t.lost == 0 and t.seen == t.delivered + t.discarded


def test_many_of_a_few_milliseconds(containerd, whole_lab):
    with containerd.run_pod(whole_lab.name("jobs"), "prod", {"app": "jobs"}) as pod, \
            ig.Ig("run", "trace_exec", "-o", "json", "-l", "app=jobs",
                  "--resolve-timeout", "10s", *containerd.flags) as running:
        running.ready()
        jobs = [pod.run(f"job{i}", *say(f"of-job{i}")) for i in range(20)]
        for c in jobs:
            r = running.wait_record(said(f"of-{c.name}"))
            assert place(r) == ("prod", pod.name, c.name), str(r)
            assert get(r, "runtime.containerId") == c.id
        running.stop()
        assert running.totals().lost == 0


def test_ended_before_ig_looked(containerd, whole_lab):
    """The bundle is gone by then; the CRI still knows it."""
    with containerd.run_pod(whole_lab.name("jobs"), "prod", {"app": "ended"}) as pod, \
            ig.Ig("run", "trace_exec", "-o", "json", "-l", "app=ended",
                  "--resolve-timeout", "10s", *containerd.flags) as running:
        running.ready()
        os.kill(running.pid, signal.SIGSTOP)
        c = pod.run("main", *say("of-the-ended"))
        c.wait()
        containers.wait_for(lambda: not os.path.exists(containerd.bundle(c.id)), what="end of its bundle")
        os.kill(running.pid, signal.SIGCONT)
        r = running.wait_record(said("of-the-ended"))
        assert place(r) == ("prod", pod.name, "main"), str(r)
        assert get(r, "runtime.containerId") == c.id
        assert r["k8s"]["podLabels"]["app"] == "ended"
        running.stop()


def test_watch(containerd, pair, whole_lab):
    web, _ = pair
    with ig.Ig("list-containers", "--watch", "-o", "json", "-l", "tier=front", *containerd.flags) as running:
        running.wait_record(lambda r: get(r, "runtime.containerId") == web.main.id and r["event"] == "CREATED")
        with containerd.run_pod(whole_lab.name("new"), "prod", {"tier": "front"}) as pod:
            c = pod.run("main", "sleep 60")
            created = running.wait_record(lambda r: get(r, "runtime.containerId") == c.id and r["event"] == "CREATED")
            ip = pod.ip
        deleted = running.wait_record(lambda r: get(r, "runtime.containerId") == c.id and r["event"] == "DELETED")
        assert running.stop() == 0
        for r in (created, deleted):
            assert place(r) == ("prod", pod.name, "main")
            assert r["k8s"]["podUID"] == pod.uid and r["k8s"]["podIP"] == ip
            assert r["k8s"]["podLabels"]["tier"] == "front"
            assert r["runtime"]["containerImageName"] == containerd.IMAGE
        assert pod.id not in running.out.replace(f'"sandboxId":"{pod.id}"', "")


# ---- namespaces that are shared ------------------------------------------------------------------------

SHARED = {
    "network of the host": {"host_network": True},
    "pids of the host": {"host_pid": True},
    "pids of the pod": {"share_pid": True},
    "network and pids of the host": {"host_network": True, "host_pid": True},
}


@pytest.mark.parametrize("case", SHARED)
def test_shared_namespaces(containerd, whole_lab, case):
    """Containers that do not begin a pid namespace or have no network of their own, before ig and after it."""
    options = SHARED[case]
    with containerd.run_pod(whole_lab.name("pod"), "prod", {"app": "shared"}, **options) as pod:
        old = pod.run("old", keep_saying("of-old"))
        with ig.Ig("run", "trace_exec", "-o", "json", "-p", pod.name, *containerd.flags) as running:
            running.wait_record(said("of-old"))
            new = pod.run("new", *say("of-new"))
            running.wait_record(said("of-new"))
            assert running.stop() == 0
            for r in resolved(running.records()):
                c = old if said("of-old")(r) else new if said("of-new")(r) else None
                assert place(r)[:2] == ("prod", pod.name)
                if c:
                    assert (place(r)[2], get(r, "runtime.containerId")) == (c.name, c.id)
        row = by_id(listed(*containerd.flags), old.id)
        assert row["runtime"]["containerPid"] == old.pid
        assert bool(row["k8s"].get("hostnetwork")) == options.get("host_network", False)


def test_in_the_hosts_mount_namespace(containerd, whole_lab):
    """As a shell on the node is got: a privileged pod that goes into the mount namespace of a process of the host."""
    script = f"busybox nsenter -t {os.getpid()} -m -- /bin/echo {containers.mark('from-the-host')}; sleep 60"
    with containerd.run_pod(whole_lab.name("shell"), "prod", host_pid=True, privileged=True) as pod, \
            ig.Ig("run", "trace_exec", "-o", "json", "-p", pod.name, *containerd.flags) as running:
        running.ready()
        pod.run("main", script)
        r = running.wait_record(lambda r: said("from-the-host")(r) and "nsenter" not in get(r, "args"))
        assert get(r, "proc.mntns_id") == os.stat("/proc/self/ns/mnt").st_ino
        assert place(r) == ("prod", pod.name, "main")
        running.stop()


def test_pure_cgroup2(whole_lab, cgroup2):
    """containerd gives its containers a cgroup namespace of their own there."""
    from containerd import Containerd
    runtime = Containerd(whole_lab, os.path.join(containers.HERE, "runc-without-limits"), cgroup2)
    try:
        with ig.Ig("run", "trace_exec", "-o", "json", "-l", "app=v2", *runtime.flags, view=cgroup2) as running:
            running.ready()
            with runtime.run_pod(whole_lab.name("pod"), "prod", {"app": "v2"}) as pod:
                c = pod.run("main", keep_saying("of-main"))
                running.wait_record(lambda r: said("of-main")(r) and place(r) == ("prod", pod.name, "main"))
                assert os.stat(f"/proc/{c.pid}/ns/cgroup").st_ino != os.stat("/proc/self/ns/cgroup").st_ino
                assert by_id(listed(*runtime.flags, view=cgroup2), c.id)["runtime"]["containerPid"] == c.pid
            running.stop()
    finally:
        runtime.close()


# ---- pods of others --------------------------------------------------------------------------------------

def test_podman_pod(podman, whole_lab):
    pod, one, two = (whole_lab.name(hint) for hint in ("pod", "one", "two"))
    podman.pod(pod)
    try:
        infra = podman("pod", "inspect", "-f", "{{.InfraContainerID}}", pod)
        with ig.Ig("run", "trace_exec", "-o", "json") as running:
            running.ready()
            for name in (one, two):
                podman.start(name, keep_saying(f"of-{name}"), options=["--pod", pod])
            for name in (one, two):
                r = running.wait_record(said(f"of-{name}"))
                assert container_of(r) == name
                assert get(r, "k8s.podName") == pod
            running.stop()
            assert infra not in running.out
        rows = {container_of(r): r for r in listed("-p", pod)}
        assert set(rows) == {one, two}
        assert rows[one]["runtime"]["runtimeName"] == "podman"
        assert infra not in [get(r, "runtime.containerId") for r in listed()]
        assert infra in [get(r, "runtime.containerId") for r in listed("--sandboxes")]
    finally:
        podman.remove_pod(pod)


def crio(pod, kind, ident, sandbox):
    """What CRI-O writes into a container's config.json."""
    of_pod = {"io.kubernetes.pod.name": pod, "io.kubernetes.pod.namespace": "prod", "io.kubernetes.pod.uid": "uid-1"}
    labels = {**of_pod, "io.kubernetes.container.name": "POD" if kind == "sandbox" else "main"}
    more = {"KubeName": pod, "Namespace": "prod", "ContainerName": f"k8s_POD_{pod}_prod_uid-1_0",
            "Metadata": json.dumps({"name": pod, "uid": "uid-1", "namespace": "prod", "attempt": 0})} if kind == "sandbox" else {
                "Name": f"k8s_main_{pod}_prod_uid-1_0", "Metadata": json.dumps({"name": "main"}),
                "Image": "localhost/b:1", "ImageName": "localhost/b:1", "SandboxName": f"k8s_{pod}_prod_uid-1_0"}
    of_crio = {"ContainerType": kind, "ContainerID": ident, "SandboxID": sandbox, "Labels": json.dumps(labels), **more}
    return {"io.container.manager": "cri-o", **{f"io.kubernetes.cri-o.{k}": v for k, v in of_crio.items()}, **labels}


def test_crio(lab):
    """No CRI-O is in Debian: containers as it makes them, by runc."""
    pod, sandbox, ident = lab.name("pod"), os.urandom(32).hex(), os.urandom(32).hex()

    def start(kind, name):
        def in_pod(config):
            config["linux"]["cgroupsPath"] = f"/{pod}/kubepods/besteffort/poduid-1/crio-{name}"
        return lab.start(keep_saying(f"of-{kind}"), name=name, edit=in_pod, annotations=crio(pod, kind, name, sandbox))
    try:
        start("sandbox", sandbox)
        c = start("container", ident)
        row = by_id(listed(), ident)
        assert place(row) == ("prod", pod, "main")
        assert row["k8s"]["podUID"] == "uid-1"
        assert row["runtime"]["runtimeName"] == "cri-o"
        assert row["runtime"]["containerImageName"] == "localhost/b:1"
        assert row["runtime"]["containerPid"] == c.pid
        assert sandbox not in [get(r, "runtime.containerId") for r in listed()]
        by_id(listed("--sandboxes"), sandbox)
        with ig.Ig("run", "trace_exec", "-o", "json", "-p", pod) as running:
            running.wait_record(lambda r: said("of-container")(r) and place(r) == ("prod", pod, "main"))
            running.stop()
            assert not [r for r in running.records() if said("of-sandbox")(r)]
    finally:
        lab.reap()
        containers.remove_cgroups(pod)


def test_podmans_labels_by_its_api(podman, lab):
    """They are in its database, which its API tells of."""
    pod, name = lab.name("pod"), lab.name("c")
    podman.pod(pod, "--label", "tier=front")
    try:
        podman.start(name, "sleep", "60", options=["--pod", pod, "--label", "app=web"])
        with podman.service() as socket:
            [r] = listed("-c", name, "-l", "tier=front", "--podman-socketpath", socket)
            assert r["k8s"]["podName"] == pod
            assert r["k8s"]["podLabels"] == {"tier": "front"}
            assert r["runtime"]["containerLabels"]["app"] == "web"
            assert r["runtime"]["resolved"]
            assert listed("-c", name, "-l", "tier=back", "--podman-socketpath", socket) == []
    finally:
        podman.remove_pod(pod)


def test_without_cri(containerd, lab):
    """A containerd that serves no CRI knows the labels as well: those of the pod are its sandbox's."""
    with containerd.run_pod(lab.name("pod"), "prod", {"app": "web", "tier": "front"}) as pod:
        c = pod.run("main", "sleep 60")
        with containerd.without_cri():
            [r] = listed("-p", pod.name, "-l", "app=web", *containerd.flags)
            assert r["runtime"]["containerId"] == c.id
            assert r["runtime"]["resolved"]
            assert r["k8s"]["podLabels"] == {"app": "web", "tier": "front"}
            assert r["runtime"]["containerImageName"] == containerd.IMAGE
            assert listed("-p", pod.name, "-l", "app=db", *containerd.flags) == []
        assert pod.id in containerd.pods()
