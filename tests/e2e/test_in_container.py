# SPDX-License-Identifier: Apache-2.0
"""ig in a container of its own, as an agent is run: the host's root is mounted there, its pid namespace is shared."""

import json
import os

import containers
import ig

CAPABILITIES = ["CAP_SYS_ADMIN", "CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE",
                "CAP_SYSLOG", "CAP_NET_ADMIN", "CAP_IPC_LOCK", "CAP_SETUID", "CAP_SETGID", "CAP_KILL"]


def agent(lab, *args, host_root=True):
    """A container that runs ig with the host's root at /host."""
    def edit(config):
        process, linux = config["process"], config["linux"]
        linux["namespaces"] = [n for n in linux["namespaces"] if n["type"] != "pid"]
        process["capabilities"] = {k: CAPABILITIES for k in ("bounding", "effective", "permitted")}
        process["env"] = ["PATH=/bin"] + (["HOST_ROOT=/host"] if host_root else [])
        config["mounts"] += [
            {"destination": "/host", "type": "bind", "source": "/", "options": ["rbind", "rslave", "ro"]},
            {"destination": "/ig", "type": "bind", "source": os.path.dirname(ig.IG), "options": ["bind", "ro"]}]

    return lab.container("/ig/ig", *args, edit=edit)


def lines(c):
    return [json.loads(line) for line in c.log().splitlines() if line.startswith("{")]


def test_list(lab):
    other = lab.start("sleep", "60")
    me = agent(lab, "list-containers", "-o", "json")
    assert me.run() == 0, me.log()
    mine = {r["runtime"]["containerName"]: r["runtime"] for r in lines(me)}
    assert mine[other.name]["containerPid"] == other.pid
    assert mine[other.name]["bundle"] == other.bundle
    assert mine[other.name]["cgroupId"] == other.cgroup_id


def test_host_root_as_a_flag(lab):
    other = lab.start("sleep", "60")
    me = agent(lab, "list-containers", "-o", "json", "--host-root", "/host", "-c", other.name, host_root=False)
    assert me.run() == 0, me.log()
    [r] = lines(me)
    assert r["runtime"]["bundle"] == other.bundle


def test_run(lab):
    me = agent(lab, "run", "trace_exec", "-o", "json", "-c", f"{lab.prefix}-other*", "--timeout", "6s").start()
    containers.wait_for(lambda: os.path.exists(f"/proc/{me.pid}"), what="ig")
    containers.wait_for(lambda: links(me.pid) >= 5, 15, "programs of ig")
    other = lab.container("busybox", "true", name=lab.name("other"))
    assert other.run() == 0
    me.wait()
    assert [(ig.container_of(r), r["args"]) for r in lines(me)] == [(other.name, ["busybox", "true"])], me.log()


def test_daemons_below_the_hosts_root(lab, containerd):
    with containerd.run_pod(lab.name("pod"), "prod", {"app": "web"}) as pod:
        pod.run("main", "sleep 60")
        me = agent(lab, "list-containers", "-o", "json", "-p", pod.name)
        assert me.run() == 0, me.log()
        [r] = lines(me)
        assert r["k8s"]["podLabels"] == {"app": "web"}
        assert r["runtime"]["resolved"]


def links(pid):
    n = 0
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{fd}") as f:
                n += "link_id:" in f.read()
        except FileNotFoundError:
            pass
    return n
