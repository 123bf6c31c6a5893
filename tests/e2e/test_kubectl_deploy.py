# SPDX-License-Identifier: Apache-2.0
"""kubectl gadget deploy and undeploy: the manifests, and how kubectl is asked to apply them. In a cluster: tests/k8s."""

import os
import stat

import containers
import ig
import pytest
import yaml

BASE = os.path.join(containers.TOP, "deploy/kubernetes/base")

# Writes down how it was called and what it read; $FAIL: the verb that it fails at.
KUBECTL = """#!/bin/sh
echo "$@" >>"$SAID/calls"
cat >>"$SAID/input"
echo "kubectl's words"
[ "$1" != "$FAIL" ] || { echo "kubectl's complaint" >&2; exit 1; }
"""


class Plugin:
    def __init__(self, folder):
        self.folder, self.program = folder, f"{folder}/kubectl-gadget"
        os.symlink(ig.IG, self.program)
        with open(f"{folder}/kubectl", "w") as f:
            f.write(KUBECTL)
        os.chmod(f.name, stat.S_IRWXU)

    def once(self, *args, fail="", kubectl=None, **kwargs):
        env = {"KUBECTL": kubectl or f"{self.folder}/kubectl", "SAID": self.folder, "FAIL": fail}
        return ig.once(*args, command=(self.program,), env=env, **kwargs)

    def said(self, name):
        with open(f"{self.folder}/{name}") as f:
            return f.read()


@pytest.fixture
def plugin(tmp_path):
    return Plugin(str(tmp_path))


def files():
    """The objects of the kustomization's resources."""
    with open(os.path.join(BASE, "kustomization.yaml")) as f:
        names = yaml.safe_load(f)["resources"]
    objects = []
    for name in names:
        with open(os.path.join(BASE, name)) as f:
            objects += yaml.safe_load_all(f)
    return objects


def printed(plugin, *args):
    return [o for o in yaml.safe_load_all(plugin.once("deploy", "--print-only", *args, check=0).out) if o]


def test_it_prints_the_files(plugin):
    assert printed(plugin) == files()
    assert not os.path.exists(f"{plugin.folder}/calls")


def test_what_may_be_otherwise(plugin):
    *others, agents = printed(plugin, "--image", "registry.example:5000/ig@sha256:00ff", "--node-selector",
                              "disk=ssd,node-role.kubernetes.io/worker=", "--hook-mode", "fanotify")
    *expected, base = files()
    assert others == expected
    pod = base["spec"]["template"]["spec"]
    pod["nodeSelector"].update({"disk": "ssd", "node-role.kubernetes.io/worker": ""})
    pod["containers"][0]["image"] = "registry.example:5000/ig@sha256:00ff"
    assert agents == base


def test_another_namespace(plugin):
    objects = printed(plugin, "--gadget-namespace", "observe")
    assert {o["metadata"].get("namespace") for o in objects} == {None, "observe"}
    assert [o["metadata"]["name"] for o in objects if o["kind"] == "Namespace"] == ["observe"]
    assert [s["namespace"] for o in objects for s in o.get("subjects", ())] == ["observe"]
    assert [(o["kind"], o["metadata"]["name"]) for o in objects[1:]] == [(o["kind"], o["metadata"]["name"]) for o in files()[1:]]


def test_for_clients_that_forward_a_port(plugin):
    """As the kustomization that says so: with its right, and nothing else otherwise."""
    containers.require("kubectl")
    folder = os.path.join(containers.TOP, "deploy/kubernetes/compat")
    made = containers.run("kubectl", "kustomize", folder).text
    assert sorted(printed(plugin, "--compat"), key=str) == sorted(yaml.safe_load_all(made), key=str)
    agents = printed(plugin, "--compat")[-1]["spec"]["template"]["spec"]["containers"][0]
    assert agents["args"][-1] == "--compat"


@pytest.mark.parametrize("mode, words", (("auto", ""), ("none", "none changes nothing"), ("fanotify+ebpf", "changes nothing")))
def test_hook_modes(plugin, mode, words):
    """What is taken for others' sake is said."""
    done = plugin.once("deploy", "--print-only", "--hook-mode", mode, check=0)
    assert [o for o in yaml.safe_load_all(done.out) if o] == files()
    assert words in done.err and bool(words) == bool(done.err), done.err


@pytest.mark.parametrize("args, words", (
    (("--image", "a b"), "'a b' is no image"), (("--image", 'x"\n'), "is no image"), (("--image", ""), "an empty image"),
    (("--node-selector", "disk"), "KEY=VALUE"), (("--node-selector", 'a="'), "no label's value"),
    (("--gadget-namespace", "a: b"), "no namespace"), (("--hook-mode", "crio"), "no hook mode 'crio'")))
def test_bad_values(plugin, args, words):
    done = plugin.once("deploy", *args)
    assert done.returncode == 2 and words in done.err and not os.path.exists(f"{plugin.folder}/calls"), done.err


def test_kubectl_applies(plugin):
    done = plugin.once("deploy", "--context", "there", "--image", "ig:1", check=0)
    assert done.out == "kubectl's words\n" and plugin.said("calls") == "apply -f - --context=there\n"
    assert plugin.said("input") == plugin.once("deploy", "--print-only", "--image", "ig:1", check=0).out


def test_the_last_flag_wins(plugin):
    """Also where the cluster is asked before the command line is parsed."""
    plugin.once("deploy", "--context", "here", "--context=there", check=0)
    plugin.once("run", "trace_exec", "--context", "here", "--insecure-skip-tls-verify", "--context=there", fail="proxy", check=2)
    assert all("--context=there" in call and "=here" not in call for call in plugin.said("calls").splitlines())
    assert "--insecure-skip-tls-verify=true" in plugin.said("calls")


def test_it_waits(plugin):
    plugin.once("deploy", "--wait", "--timeout", "1500ms", "--gadget-namespace", "observe", check=0)
    assert plugin.said("calls") == "apply -f -\nrollout status daemonset/gadget --namespace observe --timeout=2s\n"


def test_kubectl_deletes(plugin):
    plugin.once("undeploy", "--kubeconfig", "/there", check=0)
    assert plugin.said("calls") == "delete --ignore-not-found --timeout=120s -f - --kubeconfig=/there\n"
    assert [o for o in yaml.safe_load_all(plugin.said("input")) if o] == files()


@pytest.mark.parametrize("verb, command", (("apply", "deploy"), ("delete", "undeploy")))
def test_kubectl_fails(plugin, verb, command):
    done = plugin.once(command, fail=verb)
    assert done.returncode == 1 and done.err.splitlines() == ["kubectl's complaint", f'level=error msg="kubectl {verb}: exit status 1"']
    done = plugin.once(command, kubectl="/no/such")
    assert done.returncode == 2 and "no program kubectl" in done.err
