# SPDX-License-Identifier: Apache-2.0
"""The DaemonSet of deploy/kubernetes in a cluster, ig in its pod, and what it is to see."""

import os

import containers
import ig
from agent import AtDaemon
from image import BUSYBOX

MANIFESTS = os.path.join(containers.TOP, "deploy", "kubernetes")
NAMESPACE = NAME = "gadget"
RBAC = "rbac.authorization.k8s.io"


def put_image(cluster):
    """What `make image` makes is on the cluster's node."""
    build = os.path.dirname(ig.IG)
    containers.run("make", "-s", "-C", containers.TOP, f"B={build}", "image", timeout=600)
    cluster.node.ctr("image", "import", os.path.join(build, "ig-image.tar"), namespace="k8s.io")


class Deployed(AtDaemon):
    """Its pod is ready as soon as it is made; as a context it is deleted on leaving."""

    def __init__(self, cluster, variant="base"):
        self.cluster, self.manifests = cluster, os.path.join(MANIFESTS, variant)
        cluster.kubectl("apply", "-k", self.manifests)
        try:
            self.wait()
        except BaseException:
            self.delete()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.delete()

    def wait(self):
        """Until it has its pod, and that is ready."""
        done = self.cluster.kubectl("-n", NAMESPACE, "rollout", "status", f"daemonset/{NAME}", "--timeout=120s", check=False,
                                    timeout=150)
        if done.returncode:
            why = self.cluster.kubectl("-n", NAMESPACE, "describe", "pods").text + self.log
            raise RuntimeError(f"the agent does not become ready: {done.text}\n{why}")

    def delete(self):
        self.cluster.kubectl("delete", "-k", self.manifests, "--timeout=180s", timeout=200)

    @property
    def pod(self):
        """As the API server tells of it."""
        [pod] = [p for p in self.cluster.get("pods", namespace=NAMESPACE, selector=f"k8s-app={NAME}")["items"]
                 if "deletionTimestamp" not in p["metadata"]]
        return pod

    @property
    def log(self):
        return self.cluster.kubectl("-n", NAMESPACE, "logs", f"daemonset/{NAME}", check=False).text

    @property
    def command(self):
        """ig in the pod, which is at the daemon of its own."""
        return self.cluster.command("-n", NAMESPACE, "exec", self.pod["metadata"]["name"], "-c", NAME, "--", "ig")

    @property
    def container(self):
        """Its id."""
        return container_id(self.pod["status"]["containerStatuses"][0])

    @property
    def pid(self):
        """The daemon's, on the machine."""
        ident = self.container
        return next(int(line.split()[1]) for line in self.cluster.node.ctr("task", "ls", namespace="k8s.io").splitlines()
                    if line.startswith(ident))


class Plugin:
    """kubectl-gadget as a user of the cluster."""

    def __init__(self, cluster, folder, user=None):
        self.program = os.path.join(folder, "kubectl-gadget")
        if not os.path.exists(self.program):
            os.symlink(ig.IG, self.program)
        self.kwargs = {"command": (self.program,), "view": cluster.node.view,
                       "env": dict(cluster.env, KUBECTL=f"{cluster.bin}/kubectl", KUBECONFIG=user or cluster.admin,
                                   TMPDIR="/tmp", XDG_RUNTIME_DIR="")}

    def once(self, *args, **kwargs):
        return ig.once(*args, **self.kwargs, **kwargs)

    def start(self, *args):
        return ig.Ig(*args, **self.kwargs)


def container_id(status):
    """Of one of a pod's containerStatuses, as the runtime has it."""
    return status["containerID"].removeprefix("containerd://")


def status_of(pid):
    """/proc/PID/status"""
    with open(f"/proc/{pid}/status") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def role_binding(name, role, user):
    return {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": name, "namespace": NAMESPACE},
            "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": role},
            "subjects": [{"apiGroup": RBAC, "kind": "User", "name": user}]}


def deployment(name, namespace, labels, **commands):
    """commands: what each container's shell runs."""
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": {
            "terminationGracePeriodSeconds": 0, "automountServiceAccountToken": False,
            "containers": [{"name": container, "image": BUSYBOX, "imagePullPolicy": "Never", "command": ["sh", "-c", command]}
                           for container, command in commands.items()]}}}}
